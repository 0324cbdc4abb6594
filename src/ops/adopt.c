/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/adopt.h"

#include "ops/judge.h"
#include "util/error.h"

static gboolean
throw_incomplete (const AtmStoredImage *image, const char *what, GError **error)
{
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                    "%s was stored by another program, and %s", image->reference, what);
}

static gboolean
add_layer (AtmStoreTxn *txn, const AtmStoredImage *image, const AtmDescriptor *descriptor,
           const AtmDigest *diff_id, GCancellable *cancellable, GError **error)
{
  gboolean found = FALSE;

  /* Another image may have brought it since. */
  if (!atm_store_txn_add_stored_layer (txn, descriptor, diff_id, &found, cancellable, error)
      || (!found
          && !atm_store_txn_add_python_layer (txn, descriptor, diff_id, &found, cancellable,
                                              error)))
    return FALSE;
  return found
         || throw_incomplete (image,
                              "a layer of it is missing here, or was stored without "
                              "what is needed to check it",
                              error);
}

static gboolean
import (AtmStore *store, AtmVerdict *verdict, const AtmStoredImage *image, const char *canonical,
        char **commit_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;
  g_autoptr (AtmStoreTxn) txn = NULL;

  if (!atm_manifest_parse (image->manifest, &manifest, error)
      || !atm_config_parse (image->config, manifest, NULL, &config, error)
      || !atm_store_txn_begin (store, verdict, &txn, cancellable, error))
    return FALSE;
  for (guint i = 0; i < manifest->layers->len; i++)
    if (!add_layer (txn, image, manifest->layers->pdata[i],
                    &g_array_index (config->diff_ids, AtmDigest, i), cancellable, error))
      return FALSE;
  return atm_store_txn_commit (txn, image->reference, canonical, image->manifest, image->config,
                               commit_out, cancellable, error);
}

gboolean
atm_adopt_stored (const AtmSystem *system, AtmStore *store, AtmStoredImage **image,
                  const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmStoredImage) adopted = NULL;
  g_autofree char *canonical = NULL, *commit = NULL;

  if ((*image)->canonical != NULL)
    return TRUE;
  if (!atm_judge_check_judgeable (*image, error))
    return FALSE;
  if ((*image)->config == NULL)
    return throw_incomplete (*image, "its configuration is missing here", error);
  if (!atm_judge_find_origin (*image, &origin, error)
      || !atm_judge_stored (system, *image, NULL, &verdict, cancellable, error))
    return FALSE;

  canonical = atm_origin_to_string (origin);
  atm_report (report, ATM_REPORT_STEP, "Taking over %s from the store of another program",
              (*image)->reference);
  if (!import (store, verdict, *image, canonical, &commit, cancellable, error)
      || !atm_store_load_image_commit (store, commit, (*image)->reference, &adopted, cancellable,
                                       error))
    return atm_prefix_error (error, "%s", (*image)->reference);
  atm_stored_image_free (*image);
  *image = g_steal_pointer (&adopted);
  return TRUE;
}

gboolean
atm_adopt_or_drop (const AtmSystem *system, AtmStore *store, AtmStoredImage **image,
                   const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_adopt_stored (system, store, image, report, cancellable, &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  atm_report (report, ATM_REPORT_NOTICE, "%s; it is pulled again", local->message);
  g_clear_pointer (image, atm_stored_image_free);
  return TRUE;
}
