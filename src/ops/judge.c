/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/judge.h"

#include "ops/pull.h"

gboolean
atm_judge_stored (const AtmSystem *system, const AtmStoredImage *image, AtmVerdict **verdict_out,
                  GCancellable *cancellable, GError **error)
{
  const AtmSiteProof proof = { image->site_commit, image->site_signatures };
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmTrust) trust = NULL;

  if (!atm_origin_parse_stored (image->canonical, image->reference, &origin, error)
      || !atm_pull_open_trust (system, origin, &trust, error))
    return FALSE;
  return image->site_commit != NULL ? atm_trust_judge_site (
             trust, &proof, image->manifest, image->signatures, cancellable, verdict_out, error)
                                    : atm_trust_judge (trust, image->manifest, image->signatures,
                                                       cancellable, verdict_out, error);
}
