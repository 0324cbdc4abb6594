/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "util/secret.h"

/* Signers: secret keys in somebody's own GnuPG home, used by gpg and its agent; no secret but a
   passphrase that was given to us ever passes through here (trust.md 14). */

#define ATM_SIGNER_ERROR (atm_signer_error_quark ())
GQuark atm_signer_error_quark (void);

typedef enum
{
  ATM_SIGNER_ERROR_KEY, /* there is none, or more than one, or it may not sign */
  ATM_SIGNER_ERROR_GPG  /* gpg or its agent did not sign */
} AtmSignerError;

typedef struct _AtmSigner AtmSigner;

/**
 * atm_signer_open:
 * @home: the GnuPG home
 * @key: what gpg would find it by: fingerprint, key ID, or a part of the user ID
 * @passphrase: (borrowed) (nullable): of the key; the agent is not asked then. Must outlive the
 *   signer
 * @signer_out: (out) (transfer full): one key that can sign
 * @error: %ATM_SIGNER_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_signer_open (const char *home, const char *key, const AtmSecret *passphrase,
                          AtmSigner **signer_out, GError **error);
void atm_signer_free (AtmSigner *signer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSigner, atm_signer_free)

/**
 * atm_signer_get_fingerprint:
 *
 * Returns: (transfer none): of the primary key
 */
const char *atm_signer_get_fingerprint (const AtmSigner *signer);

/**
 * atm_signer_export:
 * @home: a GnuPG home
 * @key: (nullable): as in atm_signer_open(), but a public key will do
 * @armored: text, as gpg --armor has it
 * @keyring_out: (out) (transfer full): the one public key
 * @error: %ATM_SIGNER_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_signer_export (const char *home, const char *key, gboolean armored,
                            GBytes **keyring_out, GError **error);

/**
 * atm_signer_sign:
 * @payload: (borrowed): what to sign
 * @message_out: (out) (transfer full): payload and signature in one binary message
 * @error: %ATM_SIGNER_ERROR_GPG; %ATM_TRUST_ERROR_LIMIT_EXCEEDED if nobody typed the passphrase
 *   for ten minutes; %G_IO_ERROR_CANCELLED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_signer_sign (AtmSigner *signer, GBytes *payload, GBytes **message_out,
                          GCancellable *cancellable, GError **error);
