/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Challenges: how a registry says that it wants to be asked with a token (registry.md 3.4). */

#define ATM_CHALLENGE_MAX_BYTES 16384

typedef struct
{
  char *realm;   /* (owned) (nullable): of the first Bearer challenge that has one */
  char *service; /* (owned) (nullable) */
  char *schemes; /* (owned): all schemes that were offered, for messages */
} AtmChallenge;

/**
 * atm_challenge_parse:
 * @header: (nullable): the values of all WWW-Authenticate headers, joined by commas; untrusted
 *
 * Returns: (transfer full): what could be understood
 */
AtmChallenge *atm_challenge_parse (const char *header);
void atm_challenge_free (AtmChallenge *challenge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmChallenge, atm_challenge_free)
