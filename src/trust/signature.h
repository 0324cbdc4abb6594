/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Signatures as they are stored: blobs whose first bytes say what they are (trust.md 8.1). */

#define ATM_SIGNATURE_MAX_BYTES (4 * 1024 * 1024)
#define ATM_SIGNATURES_MAX 127

typedef struct
{
  guint number;    /* N of “signature-N” */
  GBytes *blob;    /* (owned): as stored */
  GBytes *message; /* (owned) (nullable): the OpenPGP message; %NULL for a sigstore signature, which
                      counts as absent */
} AtmSignature;

/**
 * atm_signature_new:
 * @number: from 1
 * @blob: (borrowed): untrusted
 * @signature_out: (out) (transfer full): the blob with its message found
 * @error: %ATM_TRUST_ERROR_SIGNATURE_FORMAT (also for armored and cleartext messages, which gpg
 *   would verify), %ATM_TRUST_ERROR_LIMIT_EXCEEDED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_signature_new (guint number, GBytes *blob, AtmSignature **signature_out,
                            GError **error);
void atm_signature_free (AtmSignature *signature);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSignature, atm_signature_free)
