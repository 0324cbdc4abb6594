/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/rate.h"

#include "util/wait.h"

/* What was not used may be used later, up to this much time. */
#define BURST_USEC (G_USEC_PER_SEC / 4)
#define CHUNKS_PER_SEC 10

/* libsoup 3.2 must not be asked for less at the end of a chunked body (see blob-stream.c). */
#define CHUNK_MIN_BYTES 1024

struct _AtmRate
{
  guint64 bytes_per_sec; /* 0: no limit */
  GMutex lock;           /* of all below */
  gint64 paid_usec;      /* monotonic: until when the bytes that were taken last */
};

AtmRate *
atm_rate_new (guint64 bytes_per_sec)
{
  AtmRate *rate = g_new0 (AtmRate, 1);

  rate->bytes_per_sec = bytes_per_sec;
  g_mutex_init (&rate->lock);
  return rate;
}

void
atm_rate_free (AtmRate *rate)
{
  if (rate == NULL)
    return;
  g_mutex_clear (&rate->lock);
  g_free (rate);
}

gsize
atm_rate_get_chunk (AtmRate *rate, gsize max_bytes)
{
  guint64 chunk = rate->bytes_per_sec / CHUNKS_PER_SEC;

  if (rate->bytes_per_sec == 0)
    return max_bytes;
  return (gsize) MIN (MAX (chunk, CHUNK_MIN_BYTES), (guint64) max_bytes);
}

gboolean
atm_rate_take (AtmRate *rate, gsize length_bytes, gint64 *waited_usec_out,
               GCancellable *cancellable, GError **error)
{
  gint64 now_usec = g_get_monotonic_time ();
  gint64 wait_usec = 0;

  if (rate->bytes_per_sec > 0)
    {
      g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&rate->lock);

      rate->paid_usec = MAX (rate->paid_usec, now_usec - BURST_USEC);
      rate->paid_usec
          += (gint64) ((double) length_bytes / (double) rate->bytes_per_sec * G_USEC_PER_SEC);
      wait_usec = rate->paid_usec - now_usec;
    }
  if (wait_usec > 0 && !atm_wait (wait_usec, cancellable, error))
    return FALSE;
  *waited_usec_out = MAX (wait_usec, 0);
  return TRUE;
}
