/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/download.h"

#include <errno.h>
#include <unistd.h>

#include "registry/partial.h"
#include "util/error.h"
#include "util/wait.h"

#define BUFFER_BYTES (64 * 1024)

/* Asked for beyond the end, so that a longer blob is noticed; libsoup 3.2 must not be asked for
   less (see blob-stream.c). */
#define EXCESS_BYTES 512

#define DELAY_FACTOR 4

typedef struct
{
  AtmSource *source;               /* (borrowed) */
  const AtmDescriptor *descriptor; /* (borrowed) */
  AtmSpool *spool;                 /* (borrowed) */
  AtmRate *rate;                   /* (borrowed) */
  const AtmDownloadLimits *limits; /* (borrowed) */
  const AtmDownloadWatch *watch;   /* (borrowed) */
  GCancellable *cancellable;       /* (borrowed) (nullable) */

  char *digest;        /* (owned): for messages */
  guint8 *buffer;      /* (owned) */
  AtmBlobPart part;    /* endpoint and ETag of what is in the file */
  AtmHash *hash;       /* (owned): of what is in the spool */
  guint64 done_bytes;  /* in the spool */
  guint64 best_bytes;  /* the most that ever was */
  gboolean inherited;  /* some of it is of an earlier process */
  gboolean mismatched; /* a whole blob of this process did not match */
  gboolean answered;   /* the source has sent something */
} Download;

static void
download_clear (Download *self)
{
  g_free (self->digest);
  g_free (self->buffer);
  atm_blob_part_clear (&self->part);
  atm_hash_free (self->hash);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Download, download_clear)

/* How an attempt ended, unless with an error that no further one can mend. */
typedef enum
{
  ATTEMPT_WHOLE, /* as many bytes as there must be */
  ATTEMPT_BROKEN
} AttemptEnd;

static void
add_bytes (Download *self, gconstpointer data, gsize length_bytes)
{
  atm_hash_update (self->hash, data, length_bytes);
  self->done_bytes += length_bytes;
}

static gboolean
restart (Download *self, GError **error)
{
  atm_hash_free (self->hash);
  self->hash = atm_hash_new (self->descriptor->digest.algorithm);
  self->done_bytes = 0;
  self->inherited = FALSE;
  atm_blob_part_clear (&self->part);
  return atm_spool_restart (self->spool, error);
}

/* What an earlier process left is hashed before anybody may read it. */
static gboolean
take_over (Download *self, guint64 length_bytes, GError **error)
{
  if (length_bytes > self->descriptor->size_bytes)
    return restart (self, error);
  while (self->done_bytes < length_bytes)
    {
      gsize wanted = (gsize) MIN (length_bytes - self->done_bytes, (guint64) BUFFER_BYTES);
      gssize n
          = pread (atm_spool_get_fd (self->spool), self->buffer, wanted, (off_t) self->done_bytes);

      if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
        return FALSE;
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return atm_throw_errno (error, "Reading what was fetched of the blob %s", self->digest);
      if (n == 0)
        break;
      add_bytes (self, self->buffer, (gsize) n);
      atm_spool_admit (self->spool, (gsize) n);
    }
  self->inherited = self->done_bytes > 0;
  return TRUE;
}

static gboolean
throw_size (Download *self, const char *verb, GError **error)
{
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                    "The blob %s %s %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
                    self->digest, verb, self->done_bytes, self->descriptor->size_bytes);
}

/* ---- one attempt ---- */

/* The time in which a connection must not be slow. */
typedef struct
{
  gint64 since_usec;
  guint64 bytes;
} SlowWindow;

static gboolean
is_slow (const AtmDownloadLimits *limits, SlowWindow *window, gsize length_bytes,
         gint64 waited_usec)
{
  gint64 passed_usec = 0;

  window->bytes += length_bytes;
  window->since_usec += waited_usec;
  passed_usec = g_get_monotonic_time () - window->since_usec;
  if (passed_usec < limits->slow_usec)
    return FALSE;
  if ((double) window->bytes
      < (double) limits->slow_bytes_per_sec * (double) passed_usec / G_USEC_PER_SEC)
    return TRUE;
  *window = (SlowWindow){ .since_usec = g_get_monotonic_time () };
  return FALSE;
}

/* @why: (out) (transfer full): what broke. */
static gboolean
read_body (Download *self, GInputStream *body, AttemptEnd *end_out, char **why, GError **error)
{
  SlowWindow window = { .since_usec = g_get_monotonic_time () };

  for (;;)
    {
      guint64 left = self->descriptor->size_bytes - self->done_bytes;
      gsize wanted = (gsize) MIN (left + EXCESS_BYTES,
                                  (guint64) atm_rate_get_chunk (self->rate, BUFFER_BYTES));
      g_autoptr (GError) local = NULL;
      gint64 waited_usec = 0;
      gssize n = g_input_stream_read (body, self->buffer, wanted, self->cancellable, &local);

      if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
        return FALSE;
      /* All bytes are there: how the connection ends after them is of no interest. */
      *end_out = left == 0 ? ATTEMPT_WHOLE : ATTEMPT_BROKEN;
      if (n <= 0)
        {
          *why = g_strdup (n < 0 ? local->message : "it ended too early");
          return TRUE;
        }
      if ((guint64) n > left)
        {
          self->done_bytes = self->descriptor->size_bytes;
          return throw_size (self, "goes on after", error);
        }
      add_bytes (self, self->buffer, (gsize) n);
      if (!atm_spool_append (self->spool, self->buffer, (gsize) n, error)
          || !atm_rate_take (self->rate, (gsize) n, &waited_usec, self->cancellable, error))
        return FALSE;
      self->watch->progress (self->descriptor, self->done_bytes, self->watch->data);
      if (is_slow (self->limits, &window, (gsize) n, waited_usec))
        {
          *end_out = ATTEMPT_BROKEN;
          *why = g_strdup ("it became too slow");
          return TRUE;
        }
    }
}

/* Errors that another attempt may not meet. One of the first request is not among them: the source
   has repeated that already. */
static gboolean
may_try_again (Download *self, const GError *error)
{
  return self->answered
         && (g_error_matches (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE)
             || error->domain == G_IO_ERROR || error->domain == G_RESOLVER_ERROR);
}

/* The source sends all of it: what it says of that stays. */
static gboolean
restart_for_answer (Download *self, GError **error)
{
  AtmBlobPart part = self->part;
  gboolean restarted = FALSE;

  self->part = (AtmBlobPart){ 0 };
  restarted = restart (self, error);
  self->part = part;
  return restarted;
}

static gboolean
attempt (Download *self, AttemptEnd *end_out, char **why, GError **error)
{
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (GError) local = NULL;

  self->part.start_bytes = self->done_bytes;
  if (!ATM_SOURCE_GET_IFACE (self->source)
           ->resume_blob (self->source, self->descriptor, &self->part, &body, self->cancellable,
                          &local))
    {
      if (g_cancellable_is_cancelled (self->cancellable) || !may_try_again (self, local))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      *end_out = ATTEMPT_BROKEN;
      *why = g_strdup (local->message);
      return TRUE;
    }
  if (self->part.start_bytes != self->done_bytes)
    {
      if (self->part.start_bytes != 0)
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                          "The blob %s goes on at another place than it was asked for",
                          self->digest);
      if (!restart_for_answer (self, error))
        return FALSE;
    }
  atm_partial_remember (atm_spool_get_fd (self->spool), &self->part);
  if (!self->answered)
    self->watch->started (self->descriptor, self->watch->data);
  self->answered = TRUE;
  return read_body (self, body, end_out, why, error);
}

/* ---- all attempts ---- */

/* Attempts until as many bytes are there as there must be. */
static gboolean
fetch_all (Download *self, GError **error)
{
  guint n_failed = 0;

  for (;;)
    {
      guint64 before_bytes = self->best_bytes;
      gint64 delay_usec = self->limits->delay_usec;
      AttemptEnd end = ATTEMPT_BROKEN;
      g_autofree char *why = NULL, *notice = NULL;

      if (!attempt (self, &end, &why, error))
        return FALSE;
      if (end == ATTEMPT_WHOLE)
        return TRUE;

      /* Against the most that ever was there: a server that cannot resume, and breaks each time at
         the same place, makes no progress. */
      self->best_bytes = MAX (self->best_bytes, self->done_bytes);
      n_failed
          = self->best_bytes - before_bytes >= self->limits->progress_min_bytes ? 0 : n_failed + 1;
      if (n_failed >= self->limits->attempts_max)
        return throw_size (self, "was cut off after", error)
               || atm_prefix_error (error, "The connection was lost %u times (%s)", n_failed, why);

      notice = g_strdup_printf ("the blob %s was cut off after %" G_GUINT64_FORMAT
                                " of %" G_GUINT64_FORMAT " bytes (%s), going on from there",
                                self->digest, self->done_bytes, self->descriptor->size_bytes, why);
      self->watch->notice (notice, self->watch->data);
      for (guint i = 1; i < n_failed; i++)
        delay_usec *= DELAY_FACTOR;
      if (n_failed > 0 && !atm_wait (delay_usec, self->cancellable, error))
        return FALSE;
    }
}

/* Whether the bytes are the blob; if not it may be worth to fetch them again. */
static gboolean
verify (Download *self, gboolean *again_out, GError **error)
{
  AtmDigest actual;
  g_autofree char *actual_text = NULL, *notice = NULL;

  atm_digest_take_hash (self->descriptor->digest.algorithm, g_steal_pointer (&self->hash), &actual);
  *again_out = FALSE;
  if (atm_digest_equal (&actual, &self->descriptor->digest))
    return TRUE;

  actual_text = atm_digest_to_string (&actual);
  *again_out = self->inherited || !self->mismatched;
  self->mismatched = self->mismatched || !self->inherited;
  if (!restart (self, error))
    return FALSE;
  self->best_bytes = 0;
  if (!*again_out)
    return atm_throw (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH,
                      "The blob %s does not match its digest: its bytes hash to %s", self->digest,
                      actual_text);
  notice
      = g_strdup_printf ("the blob %s did not match its digest, fetching it again", self->digest);
  self->watch->notice (notice, self->watch->data);
  return TRUE;
}

gboolean
atm_download (AtmSource *source, const AtmDescriptor *descriptor, const AtmBlobPart *part,
              AtmSpool *spool, AtmRate *rate, const AtmDownloadLimits *limits,
              const AtmDownloadWatch *watch, GCancellable *cancellable, GError **error)
{
  g_auto (Download) self = {
    .source = source,
    .descriptor = descriptor,
    .spool = spool,
    .rate = rate,
    .limits = limits,
    .watch = watch,
    .cancellable = cancellable,
    .digest = atm_digest_to_string (&descriptor->digest),
    .buffer = g_malloc (BUFFER_BYTES),
    .part = { .etag = g_strdup (part->etag), .endpoint = g_strdup (part->endpoint) },
    .hash = atm_hash_new (descriptor->digest.algorithm),
  };
  gboolean again = TRUE;

  if (!take_over (&self, part->start_bytes, error))
    return FALSE;
  self.best_bytes = self.done_bytes;
  while (again)
    {
      /* A blob that is all there needs no request; an empty one neither. */
      if (self.done_bytes < descriptor->size_bytes && !fetch_all (&self, error))
        return FALSE;
      if (!verify (&self, &again, error))
        return FALSE;
    }
  watch->progress (descriptor, descriptor->size_bytes, watch->data);
  atm_spool_end (spool, NULL);
  return TRUE;
}
