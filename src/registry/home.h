/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * atm_home_get_own:
 *
 * Returns: (borrowed) (nullable): $HOME, or what the system knows as home; %NULL if it does not
 *   belong to the calling uid: sudo may have kept another user's, and what is configured there must
 *   not decide what root trusts (registry.md 2.1)
 */
const char *atm_home_get_own (void);
