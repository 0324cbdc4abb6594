/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/repair.h"

#include "ops/open.h"
#include "ops/pull.h"
#include "util/error.h"

/* Steps 2 to 6 of trust.md 1, on what was stored at the pull. */
static gboolean
judge (const AtmSystem *system, const AtmStoredImage *image, const AtmOrigin *origin,
       AtmVerdict **verdict_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmTrust) trust = NULL;

  return atm_pull_open_trust (system, origin, NULL, &trust, error)
         && atm_trust_judge (trust, image->manifest, image->signatures, cancellable, verdict_out,
                             error);
}

/* @source is opened by the first layer that must be fetched: folders that no layer has are made
   anew without it. */
static gboolean
add_layer (const AtmSystem *system, AtmRepair *repair, const AtmOrigin *origin, AtmSource **source,
           AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
           const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
  g_autoptr (GInputStream) blob = NULL, reported = NULL;
  gboolean found = FALSE;

  if (!atm_repair_lend_layer (repair, descriptor, cancellable, error)
      || !atm_store_txn_add_stored_layer (txn, descriptor, diff_id, &found, cancellable, error))
    return FALSE;
  if (found)
    return TRUE;
  atm_report (report, ATM_REPORT_STEP, "Copying blob %s", digest);
  if ((*source == NULL
       && !atm_open_source (system, origin, NULL, report, source, cancellable, error))
      || !atm_source_open_blob (*source, descriptor, &blob, cancellable, error))
    return FALSE;
  reported = atm_report_stream_new (report, blob, digest, descriptor->size_bytes);
  return atm_store_txn_add_layer (txn, descriptor, diff_id, reported, cancellable, error);
}

gboolean
atm_repair_image (const AtmSystem *system, AtmRepair *repair, const AtmStoredImage *image,
                  AtmScheme scheme, const AtmReport *report, GCancellable *cancellable,
                  GError **error)
{
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;
  g_autoptr (AtmStoreTxn) txn = NULL;
  g_autofree char *commit = NULL;

  if (image->canonical == NULL || image->config == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "It was stored by another program, which did not keep where it came from; "
                      "pull it again");
  if (!atm_origin_parse_stored (image->canonical, image->reference, &origin, error))
    return FALSE;
  origin->scheme = scheme;
  if (!judge (system, image, origin, &verdict, cancellable, error)
      || !atm_manifest_parse (image->manifest, &manifest, error)
      || !atm_config_parse (image->config, manifest, NULL, &config, error)
      || !atm_store_txn_begin (atm_repair_get_store (repair), verdict, &txn, cancellable, error))
    return FALSE;
  for (guint i = 0; i < manifest->layers->len; i++)
    if (!add_layer (system, repair, origin, &source, txn, manifest->layers->pdata[i],
                    &g_array_index (config->diff_ids, AtmDigest, i), report, cancellable, error))
      return FALSE;
  /* Also writes the merged folders anew, which no layer has. */
  return atm_store_txn_commit (txn, image->reference, image->canonical, image->manifest,
                               image->config, &commit, cancellable, error);
}
