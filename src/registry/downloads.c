/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/downloads.h"

#include "util/error.h"

/* One blob. */
typedef struct
{
  AtmDescriptor *descriptor; /* (owned) */
  AtmSpool *spool;           /* (owned) (nullable): from the beginning until it is dropped */
} Job;

struct _AtmDownloads
{
  AtmPartials *partials;       /* (borrowed) */
  AtmDownloadsOptions options; /* its data (borrowed) */
  AtmRate *rate;               /* (owned) */
  GCancellable *outer;         /* (owned) (nullable) */
  GCancellable *stop;          /* (owned): for all threads */
  gulong handler;              /* of @outer */
  GPtrArray *threads;          /* (owned) (element-type GThread) */

  GMutex lock; /* of all below, and of the spools in the jobs */
  GCond changed;
  GPtrArray *jobs; /* (owned) (element-type Job): the largest first */
  guint next;      /* the first that no thread has taken */
  GError *failure; /* (owned) (nullable): the first one */
};

/* What one thread works with. */
typedef struct
{
  AtmDownloads *downloads; /* (borrowed): waits for the thread before it is freed */
  AtmSource *source;       /* (owned): of this thread alone */
} Worker;

static void
job_free (gpointer data)
{
  Job *job = data;

  atm_descriptor_free (job->descriptor);
  atm_spool_unref (job->spool);
  g_free (job);
}

static int
compare_sizes (gconstpointer a, gconstpointer b)
{
  const Job *first = *(const Job *const *) a;
  const Job *second = *(const Job *const *) b;
  guint64 first_bytes = first->descriptor->size_bytes;
  guint64 second_bytes = second->descriptor->size_bytes;

  return first_bytes > second_bytes ? -1 : first_bytes < second_bytes;
}

/* ---- the threads ---- */

static Job *
take_job (AtmDownloads *downloads)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&downloads->lock);

  if (downloads->failure != NULL || downloads->next == downloads->jobs->len)
    return NULL;
  return downloads->jobs->pdata[downloads->next++];
}

/* The first failure is everybody's: an image is not imported in part. */
static void
fail (AtmDownloads *downloads, const GError *failure)
{
  g_mutex_lock (&downloads->lock);
  if (downloads->failure == NULL)
    downloads->failure = g_error_copy (failure);
  for (guint i = 0; i < downloads->jobs->len; i++)
    {
      Job *job = downloads->jobs->pdata[i];

      if (job->spool != NULL)
        atm_spool_end (job->spool, downloads->failure);
    }
  g_cond_broadcast (&downloads->changed);
  g_mutex_unlock (&downloads->lock);
  g_cancellable_cancel (downloads->stop);
}

static gboolean
run_job (Worker *worker, Job *job, GError **error)
{
  AtmDownloads *downloads = worker->downloads;
  const AtmDownloadsOptions *options = &downloads->options;
  const AtmDigest *digest = &job->descriptor->digest;
  g_auto (AtmBlobPart) part = { 0 };
  g_autoptr (AtmSpool) spool = NULL;
  gboolean done = FALSE;
  int fd = -1;

  if (!atm_partials_open_blob (downloads->partials, digest, &part, &fd, error))
    return FALSE;
  spool = atm_spool_new (fd);

  g_mutex_lock (&downloads->lock);
  job->spool = atm_spool_ref (spool);
  g_cond_broadcast (&downloads->changed);
  g_mutex_unlock (&downloads->lock);

  done = atm_download (worker->source, job->descriptor, &part, spool, downloads->rate,
                       &options->limits, &options->watch, downloads->stop, error);
  if (!done && atm_spool_get_size (spool) == 0
      && atm_partials_get_size (downloads->partials, digest) == 0)
    atm_partials_remove (downloads->partials, digest);
  return done;
}

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainContext) context = g_main_context_new ();
  Job *job = NULL;

  /* libsoup serves a session from the context of its thread. */
  g_main_context_push_thread_default (context);
  while (error == NULL && (job = take_job (worker->downloads)) != NULL)
    if (!run_job (worker, job, &error))
      fail (worker->downloads, error);
  g_object_unref (worker->source);
  g_main_context_pop_thread_default (context);
  g_free (worker);
  return NULL;
}

/* ---- from outside ---- */

static void
on_cancelled (GCancellable *outer G_GNUC_UNUSED, gpointer data)
{
  AtmDownloads *downloads = data;

  g_cancellable_cancel (downloads->stop);
}

static void
start_thread (AtmDownloads *downloads, AtmSource *source)
{
  Worker *worker = g_new0 (Worker, 1);

  worker->downloads = downloads;
  worker->source = source;
  g_ptr_array_add (downloads->threads, g_thread_new ("download", work, worker));
}

AtmDownloads *
atm_downloads_new (AtmSource *source, GPtrArray *descriptors, AtmPartials *partials,
                   const AtmDownloadsOptions *options, GCancellable *cancellable)
{
  AtmDownloads *downloads = g_new0 (AtmDownloads, 1);
  AtmSourceInterface *iface = ATM_SOURCE_GET_IFACE (source);
  guint n_threads = iface->new_sibling != NULL ? MIN (options->jobs, descriptors->len) : 1;

  g_return_val_if_fail (iface->resume_blob != NULL, NULL);
  downloads->partials = partials;
  downloads->options = *options;
  downloads->rate = atm_rate_new (options->bytes_per_sec);
  downloads->stop = g_cancellable_new ();
  downloads->threads = g_ptr_array_new ();
  g_mutex_init (&downloads->lock);
  g_cond_init (&downloads->changed);
  downloads->jobs = g_ptr_array_new_with_free_func (job_free);
  for (guint i = 0; i < descriptors->len; i++)
    {
      Job *job = g_new0 (Job, 1);

      job->descriptor = atm_descriptor_copy (descriptors->pdata[i]);
      g_ptr_array_add (downloads->jobs, job);
    }
  g_ptr_array_sort (downloads->jobs, compare_sizes);
  if (cancellable != NULL)
    {
      downloads->outer = g_object_ref (cancellable);
      downloads->handler
          = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), downloads, NULL);
    }

  for (guint i = 0; i < n_threads; i++)
    start_thread (downloads,
                  iface->new_sibling != NULL ? iface->new_sibling (source) : g_object_ref (source));
  return downloads;
}

void
atm_downloads_free (AtmDownloads *downloads)
{
  if (downloads == NULL)
    return;
  g_cancellable_disconnect (downloads->outer, downloads->handler);
  g_cancellable_cancel (downloads->stop);
  for (guint i = 0; i < downloads->threads->len; i++)
    (void) g_thread_join (downloads->threads->pdata[i]);
  g_ptr_array_unref (downloads->threads);
  g_ptr_array_unref (downloads->jobs);
  atm_rate_free (downloads->rate);
  g_clear_object (&downloads->outer);
  g_object_unref (downloads->stop);
  g_mutex_clear (&downloads->lock);
  g_cond_clear (&downloads->changed);
  g_clear_error (&downloads->failure);
  g_free (downloads);
}

static Job *
find_job (AtmDownloads *downloads, const AtmDigest *digest)
{
  for (guint i = 0; i < downloads->jobs->len; i++)
    {
      Job *job = downloads->jobs->pdata[i];

      if (atm_digest_equal (&job->descriptor->digest, digest))
        return job;
    }
  return NULL;
}

gboolean
atm_downloads_wait_for (AtmDownloads *downloads, const AtmDigest *digest, AtmSpool **spool_out,
                        GError **error)
{
  Job *job = find_job (downloads, digest);
  g_autoptr (GMutexLocker) locker = NULL;

  g_return_val_if_fail (job != NULL, FALSE);
  /* A cancellation reaches the threads, and a thread that ends with it says so here. */
  locker = g_mutex_locker_new (&downloads->lock);
  while (job->spool == NULL && downloads->failure == NULL)
    g_cond_wait (&downloads->changed, &downloads->lock);
  if (downloads->failure != NULL)
    {
      g_propagate_error (error, g_error_copy (downloads->failure));
      return FALSE;
    }
  *spool_out = atm_spool_ref (job->spool);
  return TRUE;
}

void
atm_downloads_drop (AtmDownloads *downloads, const AtmDigest *digest)
{
  Job *job = find_job (downloads, digest);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&downloads->lock);

  g_return_if_fail (job != NULL);
  atm_partials_remove (downloads->partials, digest);
  g_clear_pointer (&job->spool, atm_spool_unref);
}
