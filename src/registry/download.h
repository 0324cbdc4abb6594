/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/source.h"
#include "registry/rate.h"
#include "registry/spool.h"

/* Downloads: one blob from a source into a spool, through lost connections (registry.md 3.7, 3.8).
 */

/* When to give up. */
typedef struct
{
  guint64 progress_min_bytes; /* an attempt that brings less has made no progress; … */
  guint attempts_max;         /* … so many of them in a row are the end */
  gint64 delay_usec;          /* before the second of them, and four times that before the third */
  guint64 slow_bytes_per_sec; /* less than this on average over … */
  gint64 slow_usec;           /* … this time is a lost connection */
} AtmDownloadLimits;

#define ATM_DOWNLOAD_LIMITS_INIT                                                                   \
  {                                                                                                \
    .progress_min_bytes = 1024 * 1024, .attempts_max = 3, .delay_usec = 2 * G_USEC_PER_SEC,        \
    .slow_bytes_per_sec = 1024, .slow_usec = 120 * G_USEC_PER_SEC,                                 \
  }

/* Who is told what happens; called from the threads of the downloads. */
typedef struct
{
  /* bytes of the blob begin to arrive; not for what was all there already, and only once */
  void (*started) (const AtmDescriptor *descriptor, gpointer data);
  void (*progress) (const AtmDescriptor *descriptor, guint64 done_bytes, gpointer data);
  void (*notice) (const char *text, gpointer data); /* something went wrong and was survived */
  gpointer data;                                    /* (borrowed) */
} AtmDownloadWatch;

/**
 * atm_download:
 * @source: (borrowed): with resume_blob; used by this thread only
 * @descriptor: (borrowed): which blob
 * @part: (borrowed): what is in the file of @spool already, untrusted
 * @spool: (borrowed): new; gets the blob. It is ended when the blob is verified, and not after a
 *   failure
 * @rate: (borrowed): shared with other downloads
 * @error: %ATM_SOURCE_ERROR, %ATM_DIGEST_ERROR_MISMATCH (twice in a row), %G_IO_ERROR; what was
 *   fetched stays in the file unless it is known to be wrong
 *
 * Blocks; to be called in a thread of its own.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_download (AtmSource *source, const AtmDescriptor *descriptor, const AtmBlobPart *part,
                       AtmSpool *spool, AtmRate *rate, const AtmDownloadLimits *limits,
                       const AtmDownloadWatch *watch, GCancellable *cancellable, GError **error);
