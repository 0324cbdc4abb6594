/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/evaluation.h"

#include "trust/keyring.h"
#include "trust/openpgp.h"
#include "trust/payload.h"
#include "trust/signature.h"
#include "trust/trust.h"
#include "trust/verdict-private.h"
#include "util/error.h"
#include "util/text.h"

void
atm_evidence_clear (AtmEvidence *evidence)
{
  g_clear_pointer (&evidence->signatures, g_ptr_array_unref);
  g_clear_pointer (&evidence->missing, g_free);
  g_clear_pointer (&evidence->source, g_free);
}

/* What a signature that gpg accepts says: is it about this image? FALSE is “no”, with the reason.
 */
static gboolean
check_claim (const AtmRequirement *requirement, const AtmEvidence *evidence,
             const AtmPayload *payload, GError **reason_out)
{
  g_autofree char *safe = NULL, *signed_digest = NULL, *digest = NULL;

  if (!atm_digest_equal (&payload->digest, &evidence->digest))
    {
      signed_digest = atm_digest_to_string (&payload->digest);
      digest = atm_digest_to_string (&evidence->digest);
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_DIGEST_MISMATCH,
                        "it signs the manifest %s, and this one is %s; the image was changed after "
                        "it was signed, or the signature belongs to another",
                        signed_digest, digest);
    }
  if (!atm_identity_matches (requirement->identity, evidence->name, payload->reference))
    {
      safe = atm_text_escape (payload->reference);
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_IDENTITY_MISMATCH,
                        "it signs the name “%s”, which “%s” does not accept for this image; ask "
                        "for the image by the name that was signed, or the publisher for a "
                        "signature of this one",
                        safe, atm_identity_get_type_name (requirement->identity));
    }
  return TRUE;
}

static void
note_claim (const AtmOpenpgp *engine, const AtmSignedMessage *message, AtmTraceSignature *seen)
{
  const AtmSignatureClaim *claim = atm_openpgp_get_claim (engine);

  seen->fingerprint = g_strdup (message != NULL ? message->fingerprint : claim->key);
  seen->created_unix = claim->created_unix;
}

static void
note_payload (const AtmPayload *payload, AtmTraceSignature *seen)
{
  seen->digest = atm_digest_to_string (&payload->digest);
  seen->identity = g_strdup (payload->reference);
}

/* Steps 2 to 5 of trust.md 5 for one signature. FALSE is an error; the answer is in @accepted_out,
   and this is the one place that says yes. */
static gboolean
examine (const AtmRequirement *requirement, const AtmEvidence *evidence, AtmOpenpgp *engine,
         const AtmSignature *signature, AtmTraceSignature *seen, AtmVerdict *verdict,
         gboolean *accepted_out, GError **reason_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmSignedMessage) message = NULL;
  g_autoptr (AtmPayload) payload = NULL;

  *accepted_out = FALSE;
  if (!atm_openpgp_verify (engine, signature->message, &message, reason_out, cancellable, error))
    return FALSE;
  note_claim (engine, message, seen);
  if (message == NULL || !atm_payload_parse (message->payload, &payload, reason_out))
    return TRUE;
  note_payload (payload, seen);
  if (!check_claim (requirement, evidence, payload, reason_out))
    return TRUE;

  atm_verdict_add_requirement (verdict, atm_requirement_get_type_name (requirement),
                               message->fingerprint);
  atm_verdict_add_signature (verdict, signature->blob, message->fingerprint, message->created_unix,
                             payload->reference);
  seen->counted = TRUE;
  *accepted_out = TRUE;
  return TRUE;
}

static gboolean
throw_unaccepted (const AtmEvidence *evidence, GString *reasons, guint n, int last_code,
                  GError **error)
{
  if (n == 0)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNSIGNED,
                      "%s, and %s asks for one; %s", evidence->missing, evidence->place,
                      evidence->advice);
  return atm_throw (error, ATM_TRUST_ERROR, last_code,
                    "no signature that %s accepts (%u found): %s", evidence->place, n,
                    reasons->str);
}

gboolean
atm_evaluate_signed_by (const AtmRequirement *requirement, const AtmEvidence *evidence,
                        AtmTraceRequirement *trace, AtmVerdict *verdict, GCancellable *cancellable,
                        GError **error)
{
  g_autoptr (AtmOpenpgp) engine = NULL;
  g_autoptr (GString) reasons = g_string_new (NULL);
  int last_code = ATM_TRUST_ERROR_UNSIGNED;
  guint n = 0;

  for (guint i = 0; i < evidence->signatures->len; i++)
    {
      const AtmSignature *signature = g_ptr_array_index (evidence->signatures, i);
      g_autoptr (GError) reason = NULL;
      AtmTraceSignature *seen
          = atm_trace_requirement_add (trace, signature->number, evidence->source);
      gboolean accepted = FALSE;

      if (signature->message == NULL)
        {
          seen->reason = g_strdup ("a sigstore signature, which this version does not check");
          continue;
        }
      if (engine == NULL
          && (!atm_openpgp_new (evidence->gpg_home_parent, &engine, error)
              || !atm_keyring_import (requirement, engine, error)))
        return atm_prefix_error (error, "%s", evidence->place);
      if (!examine (requirement, evidence, engine, signature, seen, verdict, &accepted, &reason,
                    cancellable, error))
        return atm_prefix_error (error, "signature-%u", signature->number);
      atm_trace_signature_refuse (seen, reason);
      if (accepted)
        return TRUE;
      g_string_append_printf (reasons, "%ssignature-%u: %s", n > 0 ? "; " : "", signature->number,
                              reason->message);
      last_code = reason->code;
      n++;
    }
  return throw_unaccepted (evidence, reasons, n, last_code, error);
}
