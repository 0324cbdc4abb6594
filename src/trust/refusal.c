/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/refusal.h"

#include "util/error.h"
#include "util/text.h"

G_DEFINE_QUARK (atm_trust_error, atm_trust_error)

static const char *const kinds[] = {
  [ATM_TRUST_ERROR_REFERENCE_INVALID] = "reference-invalid",
  [ATM_TRUST_ERROR_POLICY_MISSING] = "policy-missing",
  [ATM_TRUST_ERROR_POLICY_INSECURE_FILE] = "policy-insecure-file",
  [ATM_TRUST_ERROR_POLICY_SYNTAX] = "policy-syntax",
  [ATM_TRUST_ERROR_POLICY_UNSUPPORTED] = "policy-unsupported",
  [ATM_TRUST_ERROR_REJECTED] = "rejected",
  [ATM_TRUST_ERROR_UNSIGNED] = "unsigned",
  [ATM_TRUST_ERROR_SIGNATURE_FORMAT] = "signature-format",
  [ATM_TRUST_ERROR_BAD_SIGNATURE] = "bad-signature",
  [ATM_TRUST_ERROR_UNKNOWN_KEY] = "unknown-key",
  [ATM_TRUST_ERROR_EXPIRED_SIGNATURE] = "expired-signature",
  [ATM_TRUST_ERROR_EXPIRED_KEY] = "expired-key",
  [ATM_TRUST_ERROR_REVOKED_KEY] = "revoked-key",
  [ATM_TRUST_ERROR_WEAK_DIGEST] = "weak-digest",
  [ATM_TRUST_ERROR_PAYLOAD_INVALID] = "payload-invalid",
  [ATM_TRUST_ERROR_DIGEST_MISMATCH] = "digest-mismatch",
  [ATM_TRUST_ERROR_IDENTITY_MISMATCH] = "identity-mismatch",
  [ATM_TRUST_ERROR_KEYRING_ERROR] = "keyring-error",
  [ATM_TRUST_ERROR_REGISTRIES_CONFIG] = "registries-config",
  [ATM_TRUST_ERROR_LOOKASIDE_ERROR] = "lookaside-error",
  [ATM_TRUST_ERROR_LIMIT_EXCEEDED] = "limit-exceeded",
  [ATM_TRUST_ERROR_MANIFEST_DIGEST] = "manifest-digest",
  [ATM_TRUST_ERROR_PLATFORM_MISMATCH] = "platform-mismatch",
  [ATM_TRUST_ERROR_DOWNGRADE] = "downgrade",
};

const char *
atm_trust_error_get_kind (AtmTrustError code)
{
  g_return_val_if_fail ((guint) code < G_N_ELEMENTS (kinds), "");
  return kinds[code];
}

gboolean
atm_refusal_convert (GError **error, AtmTrustError code)
{
  if (error == NULL || (*error)->domain == ATM_TRUST_ERROR
      || g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return FALSE;
  (*error)->domain = ATM_TRUST_ERROR;
  (*error)->code = (int) code;
  return FALSE;
}

gboolean
atm_refusal_name (GError **error, const char *reference)
{
  g_autofree char *safe = atm_text_escape (reference);

  if (error == NULL || (*error)->domain != ATM_TRUST_ERROR)
    return FALSE;
  return atm_prefix_error (error, "trust: %s: %s",
                           atm_trust_error_get_kind ((AtmTrustError) (*error)->code), safe);
}
