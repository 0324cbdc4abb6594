/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "trust/openpgp.h"

/* Key lists: what is in a key ring, for people who decide about it (trust.md 15). */

typedef struct
{
  char *fingerprint;   /* (owned): of the primary key */
  char *user_id;       /* (owned): the first one, untrusted */
  char *address;       /* (owned) (nullable): the mail address in it, untrusted */
  gboolean expired;    /* no signature of it is accepted any more */
  gboolean revoked;    /* the same */
  gint64 expires_unix; /* 0: never */
} AtmKey;

void atm_key_free (AtmKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmKey, atm_key_free)

/**
 * atm_key_list_read:
 * @engine: (borrowed): with the keys that were imported
 * @keys_out: (out) (transfer full) (element-type AtmKey): by fingerprint
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_key_list_read (AtmOpenpgp *engine, GPtrArray **keys_out, GError **error);

/**
 * atm_key_list_export:
 * @keyring_out: (out) (transfer full): all keys of @engine as one binary key ring
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_key_list_export (AtmOpenpgp *engine, GBytes **keyring_out, GError **error);
