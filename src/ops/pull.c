/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/pull.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "ops/open.h"
#include "trust/trust.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

/* A layer needs its own size while it is fetched and about twice that when unpacked
   (registry.md 4.8, check 8). */
#define SPACE_FACTOR 3

/* What a source serves for an image, as far as it was read. */
typedef struct
{
  GBytes *bytes;         /* (owned): the manifest as served */
  AtmPlatform *platform; /* (owned) (nullable): chosen from an index */
} Served;

static void
served_clear (Served *served)
{
  g_clear_pointer (&served->bytes, g_bytes_unref);
  g_clear_pointer (&served->platform, atm_platform_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Served, served_clear)

/* The manifest of the image, through an index if the source serves one. */
static gboolean
fetch_manifest (AtmSource *source, const AtmOrigin *origin, const char *what, Served *served,
                GCancellable *cancellable, GError **error)
{
  const AtmDigest *wanted = origin->transport == ATM_TRANSPORT_DOCKER && origin->name->has_digest
                                ? &origin->name->digest
                                : NULL;
  g_autoptr (AtmDescriptor) descriptor = NULL;

  for (guint depth = 0; depth <= ATM_INDEX_DEPTH_MAX; depth++)
    {
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *content_type = NULL;
      AtmManifestKind kind;

      if (!atm_source_fetch_manifest (source, descriptor, wanted, &bytes, &content_type,
                                      cancellable, error)
          || !atm_manifest_get_kind (bytes, content_type, what, &kind, error))
        return FALSE;
      if (kind == ATM_MANIFEST_KIND_IMAGE)
        {
          served->bytes = g_steal_pointer (&bytes);
          return TRUE;
        }
      if (served->platform == NULL)
        served->platform = atm_platform_new_host ();
      g_clear_pointer (&descriptor, atm_descriptor_free);
      if (!atm_index_choose (bytes, served->platform, what, &descriptor, error))
        return FALSE;
      wanted = NULL;
    }
  return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                    "%s: an index in an index in an index is not followed", what);
}

static gboolean
check_space (const AtmSystem *system, const AtmManifest *manifest, GError **error)
{
  struct statvfs st;
  guint64 needed = 0, available = 0;

  for (guint i = 0; i < manifest->layers->len; i++)
    needed += ((AtmDescriptor *) manifest->layers->pdata[i])->size_bytes * SPACE_FACTOR;
  if (statvfs (system->repository, &st) < 0)
    return atm_throw_errno (error, "Asking for the free space of %s", system->repository);
  available = (guint64) st.f_bavail * st.f_frsize;
  if (needed > available)
    {
      g_autofree char *needed_text = atm_text_size (needed);
      g_autofree char *available_text = atm_text_size (available);

      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                        "not enough space in %s: the image may need %s, %s are free",
                        system->repository, needed_text, available_text);
    }
  return TRUE;
}

static gboolean
add_layer (AtmSource *source, AtmStoreTxn *txn, const AtmDescriptor *descriptor,
           const AtmDigest *diff_id, const AtmReport *report, GCancellable *cancellable,
           GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
  g_autoptr (GInputStream) blob = NULL, reported = NULL;
  gboolean found = FALSE;

  if (!atm_store_txn_add_stored_layer (txn, descriptor, diff_id, &found, cancellable, error))
    return FALSE;
  if (found)
    return TRUE;

  atm_report (report, ATM_REPORT_STEP, "Copying blob %s", digest);
  if (!atm_source_open_blob (source, descriptor, &blob, cancellable, error))
    return FALSE;
  reported = atm_report_stream_new (report, blob, digest, descriptor->size_bytes);
  return atm_store_txn_add_layer (txn, descriptor, diff_id, reported, cancellable, error);
}

/* Everything after the verdict: configuration, layers, commits. */
static gboolean
import (const AtmSystem *system, AtmStore *store, AtmSource *source, const AtmOrigin *origin,
        const char *what, const Served *served, AtmVerdict *verdict, const AtmReport *report,
        GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;
  g_autoptr (GBytes) config_bytes = NULL;
  g_autoptr (AtmStoreTxn) txn = NULL;
  g_autofree char *commit = NULL;

  if (!atm_manifest_parse (served->bytes, &manifest, error)
      || !atm_source_fetch_blob (source, &manifest->config, ATM_CONFIG_MAX_BYTES, &config_bytes,
                                 cancellable, error)
      || !atm_config_parse (config_bytes, manifest, served->platform, &config, error)
      || !check_space (system, manifest, error)
      || !atm_store_txn_begin (store, verdict, &txn, cancellable, error))
    return FALSE;

  for (guint i = 0; i < manifest->layers->len; i++)
    if (!add_layer (source, txn, manifest->layers->pdata[i],
                    &g_array_index (config->diff_ids, AtmDigest, i), report, cancellable, error))
      return FALSE;

  return atm_store_txn_commit (txn, origin->name->familiar, what, served->bytes, config_bytes,
                               &commit, cancellable, error);
}

/* The image is stored as the source serves it now, signatures included. */
static gboolean
is_unchanged (const AtmStoredImage *stored, const AtmVerdict *verdict, const char *what)
{
  GPtrArray *accepted = atm_verdict_get_signatures (verdict);

  if (stored == NULL || !atm_digest_equal (&stored->digest, atm_verdict_get_digest (verdict))
      || g_strcmp0 (stored->canonical, what) != 0 || stored->signatures->len != accepted->len)
    return FALSE;
  for (guint i = 0; i < accepted->len; i++)
    if (!g_bytes_equal (stored->signatures->pdata[i], accepted->pdata[i]))
      return FALSE;
  return TRUE;
}

gboolean
atm_pull_find_stored (AtmStore *store, const char *reference, AtmStoredImage **image_out,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_store_load_image (store, reference, image_out, cancellable, &local))
    return TRUE;
  if (g_error_matches (local, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
atm_pull_open_store (const AtmSystem *system, AtmStore **store_out, GCancellable *cancellable,
                     GError **error)
{
  /* An image may bring set-uid programs; nobody but root gets at them from outside a container. */
  return atm_make_dirs (system->checkout, 0700, NULL, error)
         && atm_store_open (system->repository, TRUE, store_out, cancellable, error);
}

gboolean
atm_pull_open_trust (const AtmSystem *system, const AtmOrigin *origin, AtmTrust **trust_out,
                     GError **error)
{
  const AtmTrustOptions options = {
    .policy_path = system->policy,
    .registries_d = system->registries_d,
    .gpg_home_parent = system->run_dir,
  };

  return atm_trust_open (&options, origin, trust_out, error);
}

gboolean
atm_pull (const AtmSystem *system, const AtmOrigin *origin, AtmPullFlags flags,
          const AtmReport *report, AtmStoredImage **image_out, GCancellable *cancellable,
          GError **error)
{
  g_autofree char *what = atm_origin_to_string (origin);
  const char *reference = origin->name->familiar;
  g_autoptr (AtmTrust) trust = NULL;
  g_autoptr (AtmSource) source = NULL;
  g_auto (Served) served = { 0 };
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (AtmStoredImage) image = NULL;

  /* The order is that of trust.md 1: nobody is asked for a blob, and nothing is made here, before
     the policy has allowed the manifest. */
  if (!atm_pull_open_trust (system, origin, &trust, error)
      || !atm_open_source (system, origin, NULL, report, &source, error)
      || !fetch_manifest (source, origin, what, &served, cancellable, error)
      || !atm_trust_judge (trust, served.bytes, NULL, cancellable, &verdict, error)
      || !atm_pull_open_store (system, &store, cancellable, error)
      || !atm_pull_find_stored (store, reference, &image, cancellable, error))
    return FALSE;

  if (image != NULL && (flags & ATM_PULL_ALLOW_DOWNGRADE) == 0
      && !atm_trust_check_downgrade (verdict, image->verdict, error))
    return FALSE;

  if (!is_unchanged (image, verdict, what))
    {
      g_clear_pointer (&image, atm_stored_image_free);
      if (!import (system, store, source, origin, what, &served, verdict, report, cancellable,
                   error))
        return atm_prefix_error (error, "%s", what);
      if (!atm_store_load_image (store, reference, &image, cancellable, error))
        return FALSE;
      if (image->notice != NULL)
        atm_report (report, ATM_REPORT_NOTICE, "%s: %s", what, image->notice);
    }
  if (image_out != NULL)
    *image_out = g_steal_pointer (&image);
  return TRUE;
}
