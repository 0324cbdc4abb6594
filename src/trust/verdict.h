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
 * atm_verdict_get_site_commit:
 *
 * Returns: (transfer none) (nullable): the commit object that was judged, whole: of an image that a
 *   site has unpacked, whose tree may be imported with this verdict and no other; %NULL of all
 *   others, which are imported layer by layer
 */
GBytes *atm_verdict_get_site_commit (const AtmVerdict *verdict);

/**
 * atm_verdict_get_site_signatures:
 *
 * Returns: (transfer none) (element-type GBytes): the signatures of the commit that were accepted,
 *   each once; empty where the policy asks for none, and where there is no site
 */
GPtrArray *atm_verdict_get_site_signatures (const AtmVerdict *verdict);

/**
 * atm_verdict_to_json:
 *
 * Returns: (transfer full): what the store keeps and `info` prints, as one compact object:
 *   reference, digest, transport, scope (“” for a transport's own default, “default” for that of
 *   the whole policy: member "default": true), requirements (type, accepted-by: primary
 *   fingerprints), signatures (fingerprint, created, identity), time; and for an image of a site:
 *   site (reference, commit: its checksum, transport, scope, requirements and signatures as above,
 *   without identity)
 */
char *atm_verdict_to_json (const AtmVerdict *verdict);

/**
 * atm_verdict_dup_accepted_by:
 * @json: from atm_verdict_to_json(), as the store kept it
 *
 * Returns: (transfer full): why the image was allowed, in short: for each requirement that was met
 *   the primary fingerprints, or the requirement's type where it has none; each once. Empty if
 *   @json cannot be read
 */
char **atm_verdict_dup_accepted_by (const char *json);
