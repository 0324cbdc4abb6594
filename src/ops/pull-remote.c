/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/pull-remote.h"

#include "ops/judge.h"
#include "store/remote.h"
#include "util/sha256.h"

static gboolean
is_same (GPtrArray *stored, GPtrArray *accepted)
{
  if (stored == NULL || stored->len != accepted->len)
    return FALSE;
  for (guint i = 0; i < accepted->len; i++)
    if (!g_bytes_equal (stored->pdata[i], accepted->pdata[i]))
      return FALSE;
  return TRUE;
}

/* The image is stored as the site serves it now, all signatures included. */
static gboolean
is_unchanged (const AtmStoredImage *stored, const AtmVerdict *verdict, const char *what)
{
  return stored != NULL && g_strcmp0 (stored->canonical, what) == 0 && stored->site_commit != NULL
         && g_bytes_equal (stored->site_commit, atm_verdict_get_site_commit (verdict))
         && is_same (stored->site_signatures, atm_verdict_get_site_signatures (verdict))
         && is_same (stored->signatures, atm_verdict_get_signatures (verdict));
}

/* What the site serves, and what the policy says of it. A remote is written down in the store, so
   that must be there; a path needs none. */
static gboolean
fetch (const AtmSystem *system, const AtmOrigin *origin, AtmTrust *trust, AtmVerdict **verdict_out,
       GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (AtmRemoteImage) remote = NULL;
  AtmSiteProof proof = { 0 };

  if (origin->site[0] != '/' && !atm_pull_open_store (system, &store, cancellable, error))
    return FALSE;
  if (!atm_remote_fetch (store, origin, &remote, cancellable, error))
    return FALSE;
  proof = (AtmSiteProof){ remote->commit, remote->commit_signatures };
  return atm_trust_judge_site (trust, &proof, remote->manifest, remote->signatures, cancellable,
                               verdict_out, error);
}

gboolean
atm_pull_remote_judge (const AtmSystem *system, const AtmOrigin *origin, AtmTrace *trace,
                       AtmVerdict **verdict_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmTrust) trust = NULL;

  return atm_pull_open_trust (system, origin, trace, &trust, error)
         && fetch (system, origin, trust, verdict_out, cancellable, error);
}

static gboolean
decide (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
        AtmTrace *trace, AtmStore **store_out, AtmStoredImage **image_out, AtmVerdict **verdict_out,
        GCancellable *cancellable, GError **error)
{
  return atm_pull_remote_judge (system, origin, trace, verdict_out, cancellable, error)
         && atm_pull_open_store (system, store_out, cancellable, error)
         && atm_pull_find_stored (*store_out, origin->name->familiar, image_out, cancellable, error)
         && (options->allow_downgrade
             || atm_judge_check_downgrade (*verdict_out, *image_out, trace, error));
}

gboolean
atm_pull_remote (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
                 const AtmReport *report, AtmStoredImage **image_out, GCancellable *cancellable,
                 GError **error)
{
  g_autofree char *what = atm_origin_to_string (origin);
  const char *reference = origin->name->familiar;
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (AtmStoredImage) image = NULL;
  gboolean allowed
      = decide (system, origin, options, trace, &store, &image, &verdict, cancellable, error);

  atm_judge_record (trace);
  if (!allowed)
    return FALSE;

  if (!is_unchanged (image, verdict, what))
    {
      g_autofree char *checksum = atm_sha256_hex (atm_verdict_get_site_commit (verdict));
      g_autofree char *commit = NULL;

      g_clear_pointer (&image, atm_stored_image_free);
      atm_report (report, ATM_REPORT_STEP, "Copying commit %s", checksum);
      if (!atm_remote_import (store, origin, verdict, &commit, cancellable, error)
          || !atm_store_load_image (store, reference, &image, cancellable, error))
        return FALSE;
      if (image->notice != NULL)
        atm_report (report, ATM_REPORT_NOTICE, "%s: %s", what, image->notice);
    }
  if (image_out != NULL)
    *image_out = g_steal_pointer (&image);
  return TRUE;
}
