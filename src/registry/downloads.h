/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "registry/download.h"
#include "registry/partial.h"

/* Downloads of one image: several blobs at once, the largest first (registry.md 3.9). */

#define ATM_DOWNLOADS_JOBS_MAX 16
#define ATM_DOWNLOADS_JOBS_DEFAULT 3

typedef struct
{
  guint jobs;            /* how many at once, 1 to %ATM_DOWNLOADS_JOBS_MAX */
  guint64 bytes_per_sec; /* all together; 0: no limit */
  AtmDownloadLimits limits;
  AtmDownloadWatch watch;
} AtmDownloadsOptions;

typedef struct _AtmDownloads AtmDownloads;

/**
 * atm_downloads_new:
 * @source: (borrowed): with resume_blob, and not to be used until the downloads are freed
 * @descriptors: (borrowed) (element-type AtmDescriptor): each blob once
 * @partials: (borrowed): has locks of all of them; must outlive the downloads
 * @options: (borrowed)
 *
 * Returns: (transfer full): downloads that run
 */
AtmDownloads *atm_downloads_new (AtmSource *source, GPtrArray *descriptors, AtmPartials *partials,
                                 const AtmDownloadsOptions *options, GCancellable *cancellable);

/* Stops what runs, at once; partial blobs stay. */
void atm_downloads_free (AtmDownloads *downloads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmDownloads, atm_downloads_free)

/**
 * atm_downloads_wait_for:
 * @digest: of a blob that is among them
 * @spool_out: (out) (transfer full): where it arrives; the first failure of any download fails it,
 *   unless it is complete
 * @error: the first failure of any download
 *
 * Waits until the download of this blob has begun.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_downloads_wait_for (AtmDownloads *downloads, const AtmDigest *digest,
                                 AtmSpool **spool_out, GError **error);

/**
 * atm_downloads_drop:
 * @digest: of a blob that is complete and imported
 *
 * Removes its file, whose bytes need not reach the disk, then.
 */
void atm_downloads_drop (AtmDownloads *downloads, const AtmDigest *digest);
