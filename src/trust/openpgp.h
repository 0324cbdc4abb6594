/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <gpgme.h>

/* OpenPGP by gpgme, in a GnuPG home of its own that lives as long as the question (trust.md 8). */

#define ATM_OPENPGP_SECONDS_MAX 30

/* An engine that knows the keys it was given and no others. Use it from one thread. */
typedef struct _AtmOpenpgp AtmOpenpgp;

/**
 * atm_openpgp_new:
 * @home_parent: a folder for the throw-away home; made if it is missing
 * @engine_out: (out) (transfer full): without keys
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_openpgp_new (const char *home_parent, AtmOpenpgp **engine_out, GError **error);

/* Removes the home too. */
void atm_openpgp_free (AtmOpenpgp *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmOpenpgp, atm_openpgp_free)

/**
 * atm_openpgp_import:
 * @keyring: (borrowed): public keys, binary or armored
 * @what: for messages: where they are from
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR if there is no key in it, or a secret one
 *
 * Makes the primary keys in @keyring trusted by this engine.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_openpgp_import (AtmOpenpgp *engine, GBytes *keyring, const char *what, GError **error);

/* What a trusted key has signed. */
typedef struct
{
  char *fingerprint;   /* (owned): of the primary key */
  gint64 created_unix; /* when the signature says it was made */
  GBytes *payload;     /* (owned) (nullable): what was signed, never the file around it; NULL where
                          the caller had it */
} AtmSignedMessage;

void atm_signed_message_free (AtmSignedMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSignedMessage, atm_signed_message_free)

/**
 * atm_openpgp_verify:
 * @message: (borrowed): untrusted, of a format that atm_signature_new() lets through
 * @signed_out: (out) (transfer full) (nullable): the payload; %NULL if the answer is no
 * @reason_out: (out) (transfer full) (nullable): why the answer is no: an %ATM_TRUST_ERROR
 * @error: why there is no answer: %ATM_TRUST_ERROR_KEYRING_ERROR, %ATM_TRUST_ERROR_LIMIT_EXCEEDED
 *   (time), %G_IO_ERROR_CANCELLED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_openpgp_verify (AtmOpenpgp *engine, GBytes *message, AtmSignedMessage **signed_out,
                             GError **reason_out, GCancellable *cancellable, GError **error);

/**
 * atm_openpgp_verify_detached:
 * @data: (borrowed): what was signed
 * @signature: (borrowed): untrusted: one binary OpenPGP signature of @data
 * @signed_out: (out) (transfer full) (nullable): who signed; %NULL if the answer is no
 *
 * As atm_openpgp_verify(), for a signature that is kept beside what it signs.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_openpgp_verify_detached (AtmOpenpgp *engine, GBytes *data, GBytes *signature,
                                      AtmSignedMessage **signed_out, GError **reason_out,
                                      GCancellable *cancellable, GError **error);

/* What the signature that was looked at last says of itself. Nobody has vouched for it, unless it
   was accepted. */
typedef struct
{
  char *key;           /* (owned) (nullable): a fingerprint or an ID, of a subkey perhaps */
  gint64 created_unix; /* 0: unknown */
} AtmSignatureClaim;

/**
 * atm_openpgp_get_claim:
 *
 * Returns: (transfer none): valid until the next signature is looked at
 */
const AtmSignatureClaim *atm_openpgp_get_claim (const AtmOpenpgp *engine);

/**
 * atm_openpgp_get_context:
 *
 * Returns: (transfer none): gpgme's own, for questions about the keys; valid as long as @engine
 */
gpgme_ctx_t atm_openpgp_get_context (AtmOpenpgp *engine);
