/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Challenges: how a registry says that it wants to be asked with a token (registry.md 3.4). */

#define ATM_CHALLENGE_MAX_BYTES 16384

typedef struct
{
  char *realm;    /* (owned) (nullable): of the first Bearer challenge that has one */
  char *service;  /* (owned) (nullable): of the same one, as all below */
  char *scope;    /* (owned) (nullable) */
  char *error;    /* (owned) (nullable): as “insufficient_scope” */
  gboolean basic; /* Basic is offered, too or instead */
  char *schemes;  /* (owned): all schemes that were offered, for messages */
} AtmChallenge;

/**
 * atm_challenge_parse:
 * @header: (nullable): the values of all WWW-Authenticate headers, joined by commas; untrusted
 *
 * Returns: (transfer full): what could be understood
 */
AtmChallenge *atm_challenge_parse (const char *header);

/**
 * atm_challenge_dup_wider_scope:
 * @path: of the repository that was asked for
 *
 * Returns: (transfer full) (nullable): the scope that a token lacked, if it is one of @path and of
 *   pulling; %NULL for any other: no server talks us into more than we asked for
 */
char *atm_challenge_dup_wider_scope (const AtmChallenge *challenge, const char *path);
void atm_challenge_free (AtmChallenge *challenge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmChallenge, atm_challenge_free)
