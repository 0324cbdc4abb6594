/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "trust/verdict.h"

/* Making verdicts. No room but trust/ may include this: who can make a verdict can import anything.
   tests/lint holds it. */

/**
 * atm_verdict_new:
 * @reference: the canonical name that was judged
 * @transport: as policy.json names it
 * @scope: (nullable): the scope that applied; %NULL for the default of the policy
 * @digest: (borrowed): of the manifest that was judged
 *
 * Returns: (transfer full): a verdict without reasons; to be handed out only after each requirement
 *   has been met and added
 */
AtmVerdict *atm_verdict_new (const char *reference, const char *transport, const char *scope,
                             const AtmDigest *digest);

/**
 * atm_verdict_add_requirement:
 * @type: as policy.json has it
 * @fingerprint: (nullable): the primary key whose signature met it
 */
void atm_verdict_add_requirement (AtmVerdict *verdict, const char *type, const char *fingerprint);

/**
 * atm_verdict_add_signature:
 * @blob: (borrowed): a signature that was accepted; one that is there already is not added again
 * @fingerprint: of its primary key
 * @created_unix: when it says it was made
 * @identity: the name in it
 */
void atm_verdict_add_signature (AtmVerdict *verdict, GBytes *blob, const char *fingerprint,
                                gint64 created_unix, const char *identity);

/**
 * atm_verdict_get_created:
 * @fingerprint: of a primary key
 * @created_unix_out: (out): when the newest of its accepted signatures says it was made
 *
 * Returns: whether there is one
 */
gboolean atm_verdict_get_created (const AtmVerdict *verdict, const char *fingerprint,
                                  gint64 *created_unix_out);

/**
 * atm_verdict_set_site:
 * @reference: the origin that names the site, as atm_origin_to_string() has it
 * @scope: (nullable): the scope of transport “ostree” that applied; %NULL for the default of the
 *   policy
 * @commit: (borrowed): the commit object that was judged
 *
 * Makes it a verdict on an image that a site has unpacked, which needs reasons for the site, too.
 */
void atm_verdict_set_site (AtmVerdict *verdict, const char *reference, const char *scope,
                           GBytes *commit);

/* As atm_verdict_add_requirement(), for what was asked of the site. */
void atm_verdict_add_site_requirement (AtmVerdict *verdict, const char *type,
                                       const char *fingerprint);

/* As atm_verdict_add_signature(), for a signature of the commit. */
void atm_verdict_add_site_signature (AtmVerdict *verdict, GBytes *blob, const char *fingerprint,
                                     gint64 created_unix);

/* (nullable): the origin that names the site. */
const char *atm_verdict_get_site_reference (const AtmVerdict *verdict);

/* As atm_verdict_get_created(), for signatures of the commit. */
gboolean atm_verdict_get_site_created (const AtmVerdict *verdict, const char *fingerprint,
                                       gint64 *created_unix_out);
