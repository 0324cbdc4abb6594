/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/fetch.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "registry/downloads.h"
#include "util/error.h"
#include "util/text.h"

/* A layer needs its own size while it is fetched and about twice that when unpacked
   (registry.md 4.8, check 8). */
#define SPACE_UNPACKED_FACTOR 2

/* How often a layer is imported while it arrives. After that many times that it had to be fetched
   from its beginning it is imported when it is there. */
#define IMPORTS_MAX 2

/* All (borrowed) unless it says otherwise. */
typedef struct
{
  const AtmSystem *system;
  AtmSource *source;
  AtmStoreTxn *txn;
  const AtmManifest *manifest;
  const AtmImageConfig *config;
  const AtmPullOptions *options;
  const AtmReport *report;
  GCancellable *cancellable; /* (nullable) */

  GPtrArray *missing;      /* (owned) (element-type AtmDescriptor): to be fetched, each once */
  AtmPartials *partials;   /* (owned) (nullable): of a remote source */
  AtmDownloads *downloads; /* (owned) (nullable): of a remote source */
} Fetch;

static void
fetch_clear (Fetch *fetch)
{
  atm_downloads_free (fetch->downloads);
  atm_partials_free (fetch->partials);
  g_clear_pointer (&fetch->missing, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fetch, fetch_clear)

static const AtmDigest *
get_diff_id (const Fetch *fetch, guint i)
{
  return &g_array_index (fetch->config->diff_ids, AtmDigest, i);
}

/* ---- which ones? ---- */

static gboolean
is_missing (const Fetch *fetch, const AtmDescriptor *descriptor)
{
  for (guint i = 0; i < fetch->missing->len; i++)
    if (atm_digest_equal (&((const AtmDescriptor *) fetch->missing->pdata[i])->digest,
                          &descriptor->digest))
      return TRUE;
  return FALSE;
}

static gboolean
find_missing (Fetch *fetch, GError **error)
{
  g_clear_pointer (&fetch->missing, g_ptr_array_unref);
  fetch->missing = g_ptr_array_new ();
  for (guint i = 0; i < fetch->manifest->layers->len; i++)
    {
      AtmDescriptor *descriptor = fetch->manifest->layers->pdata[i];
      gboolean found = FALSE;

      if (!atm_store_txn_has_layer (fetch->txn, descriptor, get_diff_id (fetch, i), &found,
                                    fetch->cancellable, error))
        return FALSE;
      if (!found && !is_missing (fetch, descriptor))
        g_ptr_array_add (fetch->missing, descriptor);
    }
  return TRUE;
}

static void
on_busy (const AtmDigest *digest, gpointer data)
{
  g_autofree char *text = atm_digest_to_string (digest);

  atm_report (data, ATM_REPORT_NOTICE, "waiting for another atomic process that fetches %s", text);
}

/* What another process fetches is in the store when it gives its locks back. */
static gboolean
lock_missing (Fetch *fetch, GError **error)
{
  g_autofree char *path = atm_pull_dup_partials_path (fetch->system);
  gboolean waited = FALSE;

  if (!atm_partials_open (path, &fetch->partials, error))
    return FALSE;
  atm_partials_expire (fetch->partials);
  return atm_partials_lock (fetch->partials, fetch->missing, on_busy, (gpointer) fetch->report,
                            &waited, fetch->cancellable, error)
         && (!waited || find_missing (fetch, error));
}

/* ---- is there room? ---- */

static gboolean
check_free (const char *path, guint64 needed_bytes, GError **error)
{
  struct statvfs st;
  guint64 free_bytes = 0;

  if (statvfs (path, &st) < 0)
    return atm_throw_errno (error, "Asking for the free space of %s", path);
  free_bytes = (guint64) st.f_bavail * st.f_frsize;
  if (needed_bytes > free_bytes)
    {
      g_autofree char *needed_text = atm_text_size (needed_bytes);
      g_autofree char *free_text = atm_text_size (free_bytes);

      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                        "not enough space in %s: the image may need %s, %s are free", path,
                        needed_text, free_text);
    }
  return TRUE;
}

static gboolean
is_same_file_system (const char *a, const char *b)
{
  struct stat first, second;

  return stat (a, &first) == 0 && stat (b, &second) == 0 && first.st_dev == second.st_dev;
}

/* A manifest can promise more than fits into the type. */
static void
add_saturated (guint64 *sum, guint64 n)
{
  *sum = n > G_MAXUINT64 - *sum ? G_MAXUINT64 : *sum + n;
}

static gboolean
check_space (const Fetch *fetch, GError **error)
{
  const char *repository = fetch->system->repository;
  g_autofree char *partials = atm_pull_dup_partials_path (fetch->system);
  guint64 unpacked_bytes = 0, fetched_bytes = 0;

  for (guint i = 0; i < fetch->missing->len; i++)
    {
      const AtmDescriptor *descriptor = fetch->missing->pdata[i];
      guint64 held_bytes = fetch->partials != NULL
                               ? atm_partials_get_size (fetch->partials, &descriptor->digest)
                               : 0;

      add_saturated (&unpacked_bytes, descriptor->size_bytes * SPACE_UNPACKED_FACTOR);
      add_saturated (&fetched_bytes,
                     descriptor->size_bytes - MIN (held_bytes, descriptor->size_bytes));
    }
  if (fetch->partials == NULL)
    return check_free (repository, unpacked_bytes, error);
  if (is_same_file_system (repository, partials))
    {
      add_saturated (&unpacked_bytes, fetched_bytes);
      return check_free (repository, unpacked_bytes, error);
    }
  return check_free (repository, unpacked_bytes, error)
         && check_free (partials, fetched_bytes, error);
}

/* ---- downloads; called from their threads ---- */

static void
on_started (const AtmDescriptor *descriptor, gpointer data)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);

  atm_report (data, ATM_REPORT_STEP, "Copying blob %s", digest);
}

static void
on_progress (const AtmDescriptor *descriptor, guint64 done_bytes, gpointer data)
{
  const AtmReport *report = data;
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);

  report->progress (digest, done_bytes, descriptor->size_bytes, report->data);
}

static void
on_notice (const char *text, gpointer data)
{
  atm_report (data, ATM_REPORT_NOTICE, "%s", text);
}

static guint
get_jobs (const Fetch *fetch)
{
  guint jobs = fetch->options->jobs > 0 ? fetch->options->jobs : fetch->system->downloads;

  return jobs > 0 ? MIN (jobs, ATM_DOWNLOADS_JOBS_MAX) : ATM_DOWNLOADS_JOBS_DEFAULT;
}

static void
start_downloads (Fetch *fetch)
{
  const AtmDownloadsOptions options = {
    .jobs = get_jobs (fetch),
    .bytes_per_sec = fetch->options->bytes_per_sec,
    .limits = ATM_DOWNLOAD_LIMITS_INIT,
    .watch = { on_started, on_progress, on_notice, (gpointer) fetch->report },
  };

  for (guint i = 0; i < fetch->missing->len; i++)
    on_progress (fetch->missing->pdata[i], 0, (gpointer) fetch->report);
  fetch->downloads = atm_downloads_new (fetch->source, fetch->missing, fetch->partials, &options,
                                        fetch->cancellable);
}

/* ---- layer by layer ---- */

/* Whether an import failed only because of bytes that are fetched again. What a layer is accused of
   counts after its blob was verified: damage in transit looks like a hostile archive. */
static gboolean
must_import_again (const Fetch *fetch, AtmSpool *spool, guint n_restarts, GError **failure)
{
  g_autoptr (GError) local = NULL;

  if (g_error_matches (*failure, ATM_SPOOL_ERROR, ATM_SPOOL_ERROR_RESTARTED))
    return TRUE;
  if ((*failure)->domain != ATM_STORE_ERROR)
    return FALSE;
  if (!atm_spool_wait (spool, fetch->cancellable, &local))
    {
      g_clear_error (failure);
      *failure = g_steal_pointer (&local);
      return FALSE;
    }
  return atm_spool_get_restarts (spool) != n_restarts;
}

static gboolean
import_download (Fetch *fetch, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
                 GError **error)
{
  g_autoptr (AtmSpool) spool = NULL;
  gboolean imported = FALSE;

  if (!atm_downloads_wait_for (fetch->downloads, &descriptor->digest, &spool, error))
    return FALSE;
  for (guint n_imports = 1; !imported; n_imports++)
    {
      g_autoptr (GInputStream) blob = NULL;
      g_autoptr (GError) local = NULL;
      guint n_restarts = 0;

      if (n_imports > IMPORTS_MAX && !atm_spool_wait (spool, fetch->cancellable, error))
        return FALSE;
      n_restarts = atm_spool_get_restarts (spool);
      blob = atm_spool_open_stream (spool);
      imported = atm_store_txn_add_layer (fetch->txn, descriptor, diff_id, blob, fetch->cancellable,
                                          &local);
      if (!imported && !must_import_again (fetch, spool, n_restarts, &local))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
  atm_downloads_drop (fetch->downloads, &descriptor->digest);
  return TRUE;
}

static gboolean
import_stream (Fetch *fetch, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
               GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
  g_autoptr (GInputStream) blob = NULL, reported = NULL;

  atm_report (fetch->report, ATM_REPORT_STEP, "Copying blob %s", digest);
  if (!atm_source_open_blob (fetch->source, descriptor, &blob, fetch->cancellable, error))
    return FALSE;
  reported = atm_report_stream_new (fetch->report, blob, digest, descriptor->size_bytes);
  return atm_store_txn_add_layer (fetch->txn, descriptor, diff_id, reported, fetch->cancellable,
                                  error);
}

static gboolean
add_layer (Fetch *fetch, guint i, GError **error)
{
  const AtmDescriptor *descriptor = fetch->manifest->layers->pdata[i];
  const AtmDigest *diff_id = get_diff_id (fetch, i);
  gboolean found = FALSE;

  if (!atm_store_txn_add_stored_layer (fetch->txn, descriptor, diff_id, &found, fetch->cancellable,
                                       error))
    return FALSE;
  if (found)
    return TRUE;
  if (!is_missing (fetch, descriptor))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                      "Layer %u went away from the store while the image was imported; pull again",
                      i + 1);
  return fetch->downloads != NULL ? import_download (fetch, descriptor, diff_id, error)
                                  : import_stream (fetch, descriptor, diff_id, error);
}

gboolean
atm_fetch_layers (const AtmSystem *system, AtmSource *source, AtmStoreTxn *txn,
                  const AtmManifest *manifest, const AtmImageConfig *config,
                  const AtmPullOptions *options, const AtmReport *report,
                  AtmPartials **partials_out, GCancellable *cancellable, GError **error)
{
  gboolean remote = ATM_SOURCE_GET_IFACE (source)->resume_blob != NULL;
  g_auto (Fetch) fetch = {
    .system = system,
    .source = source,
    .txn = txn,
    .manifest = manifest,
    .config = config,
    .options = options,
    .report = report,
    .cancellable = cancellable,
  };

  if (!find_missing (&fetch, error)
      || (remote && fetch.missing->len > 0 && !lock_missing (&fetch, error))
      || !check_space (&fetch, error))
    return FALSE;
  if (remote && fetch.missing->len > 0)
    start_downloads (&fetch);
  for (guint i = 0; i < manifest->layers->len; i++)
    if (!add_layer (&fetch, i, error))
      return FALSE;

  /* Joins the threads: the partial blobs are nobody's then. */
  g_clear_pointer (&fetch.downloads, atm_downloads_free);
  *partials_out = g_steal_pointer (&fetch.partials);
  return TRUE;
}
