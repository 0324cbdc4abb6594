/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/digest.h"
#include "image/origin.h"

/* Verdicts: the proof that the policy allows an image. Only trust/ can make one, and there is none
   that says no: a refusal is a GError. Immutable. */

typedef struct _AtmVerdict AtmVerdict;

AtmVerdict *atm_verdict_ref (AtmVerdict *verdict);
void atm_verdict_unref (AtmVerdict *verdict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmVerdict, atm_verdict_unref)

/**
 * atm_verdict_get_digest:
 *
 * Returns: (transfer none): the SHA-256 digest of the manifest bytes that were judged; nothing
 *   else may be imported with this verdict
 */
const AtmDigest *atm_verdict_get_digest (const AtmVerdict *verdict);

/**
 * atm_verdict_get_reference:
 *
 * Returns: (transfer none): the canonical name that was judged
 */
const char *atm_verdict_get_reference (const AtmVerdict *verdict);

/**
 * atm_verdict_get_signatures:
 *
 * Returns: (transfer none) (element-type GBytes): the signature blobs that were accepted, each
 *   once; empty where the policy asks for none
 */
GPtrArray *atm_verdict_get_signatures (const AtmVerdict *verdict);

/**
 * atm_verdict_to_json:
 *
 * Returns: (transfer full): what the store keeps and `info` prints, as one compact object:
 *   reference, digest, transport, scope (“” for a transport's own default, “default” for that of
 *   the whole policy: member "default": true), requirements (type, accepted-by: primary
 *   fingerprints), signatures (fingerprint, created, identity), time
 */
char *atm_verdict_to_json (const AtmVerdict *verdict);
