/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Places: where policy and signatures are when nobody says so (trust.md 3.1 and 11). */

/**
 * atm_places_dup_home:
 *
 * Returns: (transfer full) (nullable): $HOME if that folder is the effective uid's own, else the
 *   home of the password database: a root process must not take its policy from another user
 */
char *atm_places_dup_home (void);

/**
 * atm_places_dup_lookaside:
 *
 * Returns: (transfer full): the folder of signatures that no registries.d names
 */
char *atm_places_dup_lookaside (void);
