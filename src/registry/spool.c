/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/spool.h"

#include <errno.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

G_DEFINE_QUARK (atm_spool_error, atm_spool_error)

struct _AtmSpool
{
  gatomicrefcount n_refs;
  int fd; /* (owned) */

  GMutex lock; /* of all below */
  GCond changed;
  guint64 size_bytes; /* what readers may read */
  guint n_restarts;
  gboolean ended;
  GError *failure; /* (owned) (nullable) */
};

AtmSpool *
atm_spool_new (int fd)
{
  AtmSpool *spool = g_new0 (AtmSpool, 1);

  g_atomic_ref_count_init (&spool->n_refs);
  spool->fd = fd;
  g_mutex_init (&spool->lock);
  g_cond_init (&spool->changed);
  return spool;
}

AtmSpool *
atm_spool_ref (AtmSpool *spool)
{
  g_atomic_ref_count_inc (&spool->n_refs);
  return spool;
}

void
atm_spool_unref (AtmSpool *spool)
{
  if (spool == NULL || !g_atomic_ref_count_dec (&spool->n_refs))
    return;
  atm_fd_clear (&spool->fd);
  g_mutex_clear (&spool->lock);
  g_cond_clear (&spool->changed);
  g_clear_error (&spool->failure);
  g_free (spool);
}

/* ---- the writer ---- */

int
atm_spool_get_fd (AtmSpool *spool)
{
  return spool->fd;
}

void
atm_spool_admit (AtmSpool *spool, gsize length_bytes)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&spool->lock);

  spool->size_bytes += length_bytes;
  g_cond_broadcast (&spool->changed);
}

gboolean
atm_spool_append (AtmSpool *spool, gconstpointer data, gsize length_bytes, GError **error)
{
  /* Only the writer changes the size. */
  guint64 offset = spool->size_bytes;
  const guint8 *bytes = data;
  gsize done = 0;

  while (done < length_bytes)
    {
      gssize n = pwrite (spool->fd, bytes + done, length_bytes - done, (off_t) (offset + done));

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return atm_throw_errno (error, "Writing what was fetched");
      done += (gsize) n;
    }
  atm_spool_admit (spool, length_bytes);
  return TRUE;
}

gboolean
atm_spool_restart (AtmSpool *spool, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&spool->lock);

  if (spool->size_bytes > 0)
    {
      spool->size_bytes = 0;
      spool->n_restarts++;
    }
  g_cond_broadcast (&spool->changed);
  if (ftruncate (spool->fd, 0) < 0)
    return atm_throw_errno (error, "Emptying what was fetched");
  return TRUE;
}

void
atm_spool_end (AtmSpool *spool, const GError *failure)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&spool->lock);

  if (spool->ended)
    return;
  spool->ended = TRUE;
  spool->failure = failure != NULL ? g_error_copy (failure) : NULL;
  g_cond_broadcast (&spool->changed);
}

/* ---- readers ---- */

guint64
atm_spool_get_size (AtmSpool *spool)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&spool->lock);

  return spool->size_bytes;
}

guint
atm_spool_get_restarts (AtmSpool *spool)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&spool->lock);

  return spool->n_restarts;
}

static void
on_cancelled (GCancellable *cancellable G_GNUC_UNUSED, gpointer data)
{
  AtmSpool *spool = data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&spool->lock);

  g_cond_broadcast (&spool->changed);
}

/* Whether there is something to be said to a reader who stands at @offset. */
static gboolean
is_news (AtmSpool *spool, guint64 offset, guint n_restarts)
{
  return spool->ended || spool->size_bytes > offset || spool->n_restarts != n_restarts;
}

/* Connected without the lock, as a cancellable that is cancelled already calls at once. */
static gulong
connect_to (AtmSpool *spool, GCancellable *cancellable)
{
  return cancellable != NULL
             ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), spool, NULL)
             : 0;
}

static gboolean
wait_for_news (AtmSpool *spool, guint64 offset, guint n_restarts, GCancellable *cancellable,
               GError **error)
{
  gulong handler = connect_to (spool, cancellable);

  g_mutex_lock (&spool->lock);
  while (!is_news (spool, offset, n_restarts) && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait (&spool->changed, &spool->lock);
  g_mutex_unlock (&spool->lock);
  g_cancellable_disconnect (cancellable, handler);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

static gboolean
throw_failure (AtmSpool *spool, GError **error)
{
  g_propagate_error (error, g_error_copy (spool->failure));
  return FALSE;
}

gboolean
atm_spool_wait (AtmSpool *spool, GCancellable *cancellable, GError **error)
{
  gulong handler = connect_to (spool, cancellable);

  g_mutex_lock (&spool->lock);
  while (!spool->ended && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait (&spool->changed, &spool->lock);
  g_mutex_unlock (&spool->lock);
  g_cancellable_disconnect (cancellable, handler);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  return spool->failure == NULL || throw_failure (spool, error);
}

#define ATM_TYPE_SPOOL_STREAM (atm_spool_stream_get_type ())
G_DECLARE_FINAL_TYPE (AtmSpoolStream, atm_spool_stream, ATM, SPOOL_STREAM, GInputStream)

struct _AtmSpoolStream
{
  GInputStream parent;

  AtmSpool *spool; /* (owned) */
  guint n_restarts;
  guint64 offset;
};

G_DEFINE_TYPE (AtmSpoolStream, atm_spool_stream, G_TYPE_INPUT_STREAM)

static gboolean
throw_restarted (GError **error)
{
  return atm_throw (error, ATM_SPOOL_ERROR, ATM_SPOOL_ERROR_RESTARTED,
                    "The blob had to be fetched again from its beginning");
}

/* How much may be read now; 0 at the verified end. */
static gboolean
get_readable (AtmSpoolStream *self, guint64 *readable_out, GCancellable *cancellable,
              GError **error)
{
  AtmSpool *spool = self->spool;
  g_autoptr (GMutexLocker) locker = NULL;

  if (!wait_for_news (spool, self->offset, self->n_restarts, cancellable, error))
    return FALSE;
  locker = g_mutex_locker_new (&spool->lock);
  if (spool->failure != NULL)
    return throw_failure (spool, error);
  if (spool->n_restarts != self->n_restarts)
    return throw_restarted (error);
  *readable_out = spool->size_bytes - self->offset;
  return TRUE;
}

static gssize
spool_stream_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                   GError **error)
{
  AtmSpoolStream *self = ATM_SPOOL_STREAM (stream);
  guint64 readable = 0;
  gssize n = 0;

  if (!get_readable (self, &readable, cancellable, error))
    return -1;
  if (readable == 0)
    return 0;
  do
    n = pread (self->spool->fd, buffer, (gsize) MIN ((guint64) count, readable),
               (off_t) self->offset);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return atm_throw_errno (error, "Reading what was fetched") ? n : -1;
  /* Emptied while we read: then these bytes may be of either time. */
  if (atm_spool_get_restarts (self->spool) != self->n_restarts)
    return throw_restarted (error) ? n : -1;
  if (n == 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT,
                      "The file of what was fetched was cut by somebody else")
               ? n
               : -1;
  self->offset += (guint64) n;
  return n;
}

static void
spool_stream_finalize (GObject *object)
{
  atm_spool_unref (ATM_SPOOL_STREAM (object)->spool);
  G_OBJECT_CLASS (atm_spool_stream_parent_class)->finalize (object);
}

static void
atm_spool_stream_class_init (AtmSpoolStreamClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = spool_stream_finalize;
  G_INPUT_STREAM_CLASS (klass)->read_fn = spool_stream_read;
}

static void
atm_spool_stream_init (AtmSpoolStream *self)
{
  (void) self;
}

GInputStream *
atm_spool_open_stream (AtmSpool *spool)
{
  AtmSpoolStream *self = g_object_new (ATM_TYPE_SPOOL_STREAM, NULL);

  self->spool = atm_spool_ref (spool);
  self->n_restarts = atm_spool_get_restarts (spool);
  return G_INPUT_STREAM (self);
}
