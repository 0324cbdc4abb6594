/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "trust/requirement.h"
#include "trust/trace.h"
#include "trust/trust.h"

/* Sites: does a key that the policy names for a site vouch for the commit that it serves? */

/**
 * atm_site_evaluate_signed_by:
 * @requirement: (borrowed): of type signedBy; its identity says nothing here, because a commit says
 *   itself what image it is
 * @proof: (borrowed): what the site serves
 * @place: scope and policy file, for messages
 * @gpg_home_parent: a folder for throw-away GnuPG homes
 * @trace: (borrowed): gets the signatures that were looked at
 * @verdict: (borrowed): gets the requirement and the signature that met it
 * @error: %ATM_TRUST_ERROR; if several signatures were looked at, the code is that of the last
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_site_evaluate_signed_by (const AtmRequirement *requirement, const AtmSiteProof *proof,
                                      const char *place, const char *gpg_home_parent,
                                      AtmTraceRequirement *trace, AtmVerdict *verdict,
                                      GCancellable *cancellable, GError **error);
