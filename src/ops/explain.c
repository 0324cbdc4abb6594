/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/explain.h"

#include "ops/judge.h"
#include "ops/repository.h"
#include "util/error.h"

/* A refusal is an answer here. */
static gboolean
finish (gboolean allowed, const AtmTrace *trace, GError **local, GError **error)
{
  if (allowed || trace->refusal != NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (local));
  return FALSE;
}

gboolean
atm_explain_served (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
                    const AtmReport *report, AtmTrace *trace, GCancellable *cancellable,
                    GError **error)
{
  g_autoptr (GError) local = NULL;
  gboolean allowed
      = atm_pull_judge (system, origin, options, report, trace, NULL, cancellable, &local);

  return finish (allowed, trace, &local, error);
}

gboolean
atm_explain_stored (const AtmSystem *system, const char *text, const AtmReport *report,
                    AtmTrace *trace, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_auto (AtmStoreLock) lock = { 0 };
  g_autoptr (GPtrArray) images = NULL, found = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (GError) local = NULL;
  const AtmStoredImage *image = NULL;
  gboolean allowed = FALSE;

  if (!atm_repository_open (system, &store, cancellable, error)
      || !atm_repository_lock (system, store, FALSE, report, &lock, cancellable, error)
      || !atm_store_list_images (store, &images, cancellable, error)
      || !atm_repository_find_image (images, text, &found, error))
    return FALSE;
  image = found->pdata[0];
  if (!atm_judge_check_judgeable (image, error))
    return FALSE;
  allowed = atm_judge_stored (system, image, trace, &verdict, cancellable, &local);
  return finish (allowed, trace, &local, error);
}
