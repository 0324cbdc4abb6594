/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/site.h"

#include "trust/keyring.h"
#include "trust/openpgp.h"
#include "trust/signature.h"
#include "trust/verdict-private.h"
#include "util/error.h"

static gboolean
check_bounds (const AtmSiteProof *proof, GError **error)
{
  if (proof->signatures->len > ATM_SIGNATURES_MAX)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "the commit has more than %d signatures", ATM_SIGNATURES_MAX);
  for (guint i = 0; i < proof->signatures->len; i++)
    if (g_bytes_get_size (proof->signatures->pdata[i]) > ATM_SIGNATURE_MAX_BYTES)
      return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                        "signature %u of the commit has more than %d bytes", i + 1,
                        ATM_SIGNATURE_MAX_BYTES);
  return TRUE;
}

static void
note (const AtmOpenpgp *engine, const AtmSignedMessage *message, const GError *reason,
      AtmTraceSignature *seen)
{
  const AtmSignatureClaim *claim = atm_openpgp_get_claim (engine);

  seen->counted = message != NULL;
  seen->fingerprint = g_strdup (message != NULL ? message->fingerprint : claim->key);
  seen->created_unix = claim->created_unix;
  atm_trace_signature_refuse (seen, reason);
}

gboolean
atm_site_evaluate_signed_by (const AtmRequirement *requirement, const AtmSiteProof *proof,
                             const char *place, const char *gpg_home_parent,
                             AtmTraceRequirement *trace, AtmVerdict *verdict,
                             GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmOpenpgp) engine = NULL;
  g_autoptr (GString) reasons = g_string_new (NULL);
  int last_code = ATM_TRUST_ERROR_UNSIGNED;

  if (proof->signatures->len == 0)
    return atm_throw (
        error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNSIGNED,
        "the site has not signed its commit, and %s asks for that; sign it there with "
        "“ostree gpg-sign”",
        place);
  if (!check_bounds (proof, error))
    return FALSE;
  if (!atm_openpgp_new (gpg_home_parent, &engine, error)
      || !atm_keyring_import (requirement, engine, error))
    return atm_prefix_error (error, "%s", place);

  for (guint i = 0; i < proof->signatures->len; i++)
    {
      GBytes *blob = proof->signatures->pdata[i];
      g_autoptr (AtmSignedMessage) message = NULL;
      g_autoptr (GError) reason = NULL;
      AtmTraceSignature *seen = atm_trace_requirement_add (trace, i + 1, "the site");

      if (!atm_openpgp_verify_detached (engine, proof->commit, blob, &message, &reason, cancellable,
                                        error))
        return atm_prefix_error (error, "signature %u of the commit", i + 1);
      note (engine, message, reason, seen);
      if (message != NULL)
        {
          atm_verdict_add_site_requirement (verdict, atm_requirement_get_type_name (requirement),
                                            message->fingerprint);
          atm_verdict_add_site_signature (verdict, blob, message->fingerprint,
                                          message->created_unix);
          return TRUE;
        }
      g_string_append_printf (reasons, "%ssignature %u: %s", i > 0 ? "; " : "", i + 1,
                              reason->message);
      last_code = reason->code;
    }
  return atm_throw (error, ATM_TRUST_ERROR, last_code,
                    "no signature of the site's commit that %s accepts (%u found): %s", place,
                    proof->signatures->len, reasons->str);
}
