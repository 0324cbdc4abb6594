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

/* Layers that are imported at the same time, or wait then for those below them, each with memory of
   its own: one of many small files waits for the file system, one of few large ones for a core. */
#define LAYERS_AT_ONCE_MAX 2

/* All (borrowed) unless it says otherwise. What has no lock of its own is not changed while imports
   run. */
typedef struct
{
  const AtmSystem *system;
  AtmSource *source;
  AtmStoreTxn *txn;
  const AtmManifest *manifest;
  const AtmImageConfig *config;
  const AtmPullOptions *options;
  const AtmReport *report;
  GCancellable *cancellable; /* (nullable): the caller's */

  GCancellable *stop;      /* (owned): cancelled by @cancellable, and when a layer has failed */
  gulong handler;          /* of @cancellable */
  GPtrArray *missing;      /* (owned) (element-type AtmDescriptor): of @imports */
  AtmPartials *partials;   /* (owned) (nullable): of a remote source */
  AtmDownloads *downloads; /* (owned) (nullable): of a remote source */
  GPtrArray *imports;      /* (owned) (element-type Import): what the store lacks, each once, in the
                              order of the layers */
  guint n_started;         /* of them */
  guint n_added;           /* of them */
} Fetch;

/* A layer that is imported in a thread of its own. */
typedef struct
{
  const Fetch *fetch; /* (borrowed) */
  guint index;        /* of the layer */
  GInputStream *blob; /* (owned) (nullable): of a source that is not remote */
  GThread *thread;    /* (owned) (nullable): while it runs; until it was joined it has the rest */
  AtmImportedLayer *layer; /* (owned) (nullable) */
  GError *error;           /* (owned) (nullable) */
} Import;

static void
import_free (gpointer data)
{
  Import *import = data;

  if (import->thread != NULL)
    (void) g_thread_join (import->thread);
  g_clear_object (&import->blob);
  atm_imported_layer_free (import->layer);
  g_clear_error (&import->error);
  g_free (import);
}

static void
fetch_clear (Fetch *fetch)
{
  g_cancellable_disconnect (fetch->cancellable, fetch->handler);
  g_cancellable_cancel (fetch->stop);
  g_ptr_array_unref (fetch->imports);
  atm_downloads_free (fetch->downloads);
  g_object_unref (fetch->stop);
  atm_partials_free (fetch->partials);
  g_ptr_array_unref (fetch->missing);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fetch, fetch_clear)

static const AtmDigest *
get_diff_id (const Fetch *fetch, guint i)
{
  return &g_array_index (fetch->config->diff_ids, AtmDigest, i);
}

/* ---- which ones? ---- */

/* Whether a layer is fetched already for another place in the image: the same blob, or one that was
   only compressed in another way. */
static gboolean
is_planned (const Fetch *fetch, guint index)
{
  const AtmDescriptor *descriptor = fetch->manifest->layers->pdata[index];

  for (guint i = 0; i < fetch->imports->len; i++)
    {
      const guint other = ((const Import *) fetch->imports->pdata[i])->index;
      const AtmDescriptor *other_descriptor = fetch->manifest->layers->pdata[other];

      if (atm_digest_equal (&other_descriptor->digest, &descriptor->digest)
          || atm_digest_equal (get_diff_id (fetch, other), get_diff_id (fetch, index)))
        return TRUE;
    }
  return FALSE;
}

static void
plan (Fetch *fetch, guint index)
{
  Import *import = g_new0 (Import, 1);

  import->fetch = fetch;
  import->index = index;
  g_ptr_array_add (fetch->imports, import);
  g_ptr_array_add (fetch->missing, fetch->manifest->layers->pdata[index]);
}

static gboolean
find_missing (Fetch *fetch, GError **error)
{
  g_ptr_array_set_size (fetch->missing, 0);
  g_ptr_array_set_size (fetch->imports, 0);
  for (guint i = 0; i < fetch->manifest->layers->len; i++)
    {
      gboolean found = FALSE;

      if (!atm_store_txn_has_layer (fetch->txn, fetch->manifest->layers->pdata[i],
                                    get_diff_id (fetch, i), &found, fetch->stop, error))
        return FALSE;
      if (!found && !is_planned (fetch, i))
        plan (fetch, i);
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
                            &waited, fetch->stop, error)
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
  fetch->downloads
      = atm_downloads_new (fetch->source, fetch->missing, fetch->partials, &options, fetch->stop);
}

/* ---- imports; in their threads ---- */

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
  if (!atm_spool_wait (spool, fetch->stop, &local))
    {
      g_clear_error (failure);
      *failure = g_steal_pointer (&local);
      return FALSE;
    }
  return atm_spool_get_restarts (spool) != n_restarts;
}

static gboolean
import_stream (Import *import, GInputStream *blob, GError **error)
{
  const Fetch *fetch = import->fetch;

  return atm_store_txn_import_layer (
      fetch->txn, import->index + 1, fetch->manifest->layers->pdata[import->index],
      get_diff_id (fetch, import->index), blob, &import->layer, fetch->stop, error);
}

static gboolean
import_download (Import *import, GError **error)
{
  const Fetch *fetch = import->fetch;
  const AtmDescriptor *descriptor = fetch->manifest->layers->pdata[import->index];
  g_autoptr (AtmSpool) spool = NULL;
  gboolean imported = FALSE;

  if (!atm_downloads_wait_for (fetch->downloads, &descriptor->digest, &spool, error))
    return FALSE;
  for (guint n_imports = 1; !imported; n_imports++)
    {
      g_autoptr (GInputStream) blob = NULL;
      g_autoptr (GError) local = NULL;
      guint n_restarts = 0;

      if (n_imports > IMPORTS_MAX && !atm_spool_wait (spool, fetch->stop, error))
        return FALSE;
      n_restarts = atm_spool_get_restarts (spool);
      blob = atm_spool_open_stream (spool);
      imported = import_stream (import, blob, &local);
      if (!imported && !must_import_again (fetch, spool, n_restarts, &local))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
  return TRUE;
}

static gpointer
run_import (gpointer data)
{
  Import *import = data;

  if (import->blob != NULL)
    (void) import_stream (import, import->blob, &import->error);
  else
    (void) import_download (import, &import->error);
  return NULL;
}

/* ---- layer by layer ---- */

static void
on_cancelled (GCancellable *cancellable G_GNUC_UNUSED, gpointer data)
{
  g_cancellable_cancel (data);
}

/* Sources are for one thread: what is no download is opened here. */
static gboolean
start_import (Fetch *fetch, Import *import, GError **error)
{
  if (fetch->downloads == NULL)
    {
      const AtmDescriptor *descriptor = fetch->manifest->layers->pdata[import->index];
      g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
      g_autoptr (GInputStream) blob = NULL;

      atm_report (fetch->report, ATM_REPORT_STEP, "Copying blob %s", digest);
      if (!atm_source_open_blob (fetch->source, descriptor, &blob, fetch->stop, error))
        return FALSE;
      import->blob = atm_report_stream_new (fetch->report, blob, digest, descriptor->size_bytes);
    }
  import->thread = g_thread_try_new ("import", run_import, import, error);
  return import->thread != NULL;
}

/* What goes wrong with a layer is told when those before it are there: so it is always the first
   one of the image whose failure is reported. */
static void
start_imports (Fetch *fetch)
{
  while (fetch->n_started < fetch->imports->len
         && fetch->n_started - fetch->n_added < LAYERS_AT_ONCE_MAX)
    {
      Import *import = fetch->imports->pdata[fetch->n_started++];

      /* Then nothing is needed of what comes after it. */
      if (!start_import (fetch, import, &import->error))
        fetch->n_started = fetch->imports->len;
    }
}

static gboolean
add_imported (Fetch *fetch, Import *import, GError **error)
{
  const AtmDescriptor *descriptor = fetch->manifest->layers->pdata[import->index];

  if (import->thread != NULL)
    (void) g_thread_join (g_steal_pointer (&import->thread));
  g_clear_object (&import->blob);
  if (import->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&import->error));
      return FALSE;
    }
  if (!atm_store_txn_add_imported_layer (fetch->txn, g_steal_pointer (&import->layer), fetch->stop,
                                         error))
    return FALSE;
  fetch->n_added++;
  if (fetch->downloads != NULL)
    atm_downloads_drop (fetch->downloads, &descriptor->digest);
  return TRUE;
}

static gboolean
add_stored (Fetch *fetch, guint index, GError **error)
{
  const AtmDescriptor *descriptor = fetch->manifest->layers->pdata[index];
  gboolean found = FALSE;

  if (!atm_store_txn_add_stored_layer (fetch->txn, descriptor, get_diff_id (fetch, index), &found,
                                       fetch->stop, error))
    return FALSE;
  if (found)
    return TRUE;
  if (is_planned (fetch, index))
    return atm_throw (
        error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
        "Layer %u is the same blob as one before it, but the image configuration says "
        "that it unpacks to something else",
        index + 1);
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "Layer %u went away from the store while the image was imported; pull again",
                    index + 1);
}

static gboolean
add_layers (Fetch *fetch, GError **error)
{
  for (guint i = 0; i < fetch->manifest->layers->len; i++)
    {
      Import *import = NULL;

      start_imports (fetch);
      if (fetch->n_added < fetch->imports->len)
        import = fetch->imports->pdata[fetch->n_added];
      if (import != NULL && import->index == i ? !add_imported (fetch, import, error)
                                               : !add_stored (fetch, i, error))
        return FALSE;
    }
  return TRUE;
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
    .stop = g_cancellable_new (),
    .missing = g_ptr_array_new (),
    .imports = g_ptr_array_new_with_free_func (import_free),
  };

  if (cancellable != NULL)
    fetch.handler
        = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), fetch.stop, NULL);
  if (!find_missing (&fetch, error)
      || (remote && fetch.missing->len > 0 && !lock_missing (&fetch, error))
      || !check_space (&fetch, error))
    return FALSE;
  if (remote && fetch.missing->len > 0)
    start_downloads (&fetch);
  if (!add_layers (&fetch, error))
    return FALSE;

  /* Joins the threads: the partial blobs are nobody's then. */
  g_clear_pointer (&fetch.downloads, atm_downloads_free);
  *partials_out = g_steal_pointer (&fetch.partials);
  return TRUE;
}
