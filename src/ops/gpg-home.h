/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"

/**
 * atm_gpg_home_dup:
 * @system: (borrowed): configuration
 * @named: (nullable): of the command line
 *
 * Returns: (transfer full): the GnuPG home with the user's own keys (trust.md 14): @named,
 *   GNUPGHOME, gnupg_homedir of atomic.conf, else that of the user who has logged in, whatever
 *   user this process has become since
 */
char *atm_gpg_home_dup (const AtmSystem *system, const char *named);
