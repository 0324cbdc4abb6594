/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/digest.h"
#include "image/name.h"
#include "trust/requirement.h"
#include "trust/trace.h"
#include "trust/verdict.h"

/* Evaluation: does any of these signatures meet a signedBy requirement? (trust.md 5) */

/* What there is to decide on. */
typedef struct
{
  AtmDigest digest;            /* of the manifest */
  const AtmImageName *name;    /* (borrowed) (nullable): what the user asked for */
  GPtrArray *signatures;       /* (owned) (element-type AtmSignature) */
  const char *place;           /* (borrowed): scope and policy file, for messages */
  const char *gpg_home_parent; /* (borrowed) */
  char *missing;               /* (owned) (nullable): a sentence for when there is no signature */
  const char *advice;          /* (borrowed): what to do then */
  char *source; /* (owned) (nullable): where the signatures are from, for the trace */
} AtmEvidence;

void atm_evidence_clear (AtmEvidence *evidence);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmEvidence, atm_evidence_clear)

/**
 * atm_evaluate_signed_by:
 * @requirement: (borrowed): of type signedBy
 * @trace: (borrowed): gets the signatures that were looked at
 * @verdict: (borrowed): gets the requirement and the signature that met it
 * @error: %ATM_TRUST_ERROR; if several signatures were looked at, the code is that of the last
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_evaluate_signed_by (const AtmRequirement *requirement, const AtmEvidence *evidence,
                                 AtmTraceRequirement *trace, AtmVerdict *verdict,
                                 GCancellable *cancellable, GError **error);
