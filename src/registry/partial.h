/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/source.h"

/* Partial blobs: what was fetched of blobs that are not imported yet. A later process goes on with
   them, after it has hashed what is there (registry.md 3.8). */

#define ATM_PARTIAL_MAX_AGE_SEC (7 * 24 * 3600)

/* AtmPartials: the folder of partial blobs, and the locks that one pull has in it. From any thread
   once the locks are taken. */
typedef struct _AtmPartials AtmPartials;

/**
 * atm_partials_open:
 * @path: absolute; made with mode 0700 if it is missing
 * @partials_out: (out) (transfer full): without locks
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_partials_open (const char *path, AtmPartials **partials_out, GError **error);

/* Gives all locks back, also those of blobs that were removed. */
void atm_partials_free (AtmPartials *partials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPartials, atm_partials_free)

/* Another process has the lock of a blob, and we shall wait for it. */
typedef void (*AtmPartialsBusyFunc) (const AtmDigest *digest, gpointer data);

/**
 * atm_partials_lock:
 * @descriptors: (borrowed) (element-type AtmDescriptor): all blobs that the pull will fetch; it
 *   cannot lock more later, as two pulls could then wait for each other
 * @busy: called before each wait
 * @waited_out: (out): whether there was a wait: some of the blobs may be in the store now
 * @error: %G_IO_ERROR (%G_IO_ERROR_CANCELLED)
 *
 * Whoever holds these locks to the end of the pull lets nobody fetch the same blobs beside it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_partials_lock (AtmPartials *partials, GPtrArray *descriptors, AtmPartialsBusyFunc busy,
                            gpointer data, gboolean *waited_out, GCancellable *cancellable,
                            GError **error);

/**
 * atm_partials_get_size:
 *
 * Returns: how many bytes of the blob are there, in bytes
 */
guint64 atm_partials_get_size (AtmPartials *partials, const AtmDigest *digest);

/**
 * atm_partials_open_blob:
 * @digest: of a blob that is locked
 * @part_out: (out caller-allocates): its length, and what is known of where it came from
 * @fd_out: (out) (transfer full): open for reading and writing
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_partials_open_blob (AtmPartials *partials, const AtmDigest *digest,
                                 AtmBlobPart *part_out, int *fd_out, GError **error);

/**
 * atm_partial_remember:
 * @fd: (borrowed): from atm_partials_open_blob()
 * @part: (borrowed): endpoint and ETag to be kept with the file, where its file system can do that;
 *   without them a resumed request does without If-Range
 */
void atm_partial_remember (int fd, const AtmBlobPart *part);

/* Removes the file; the lock stays. */
void atm_partials_remove (AtmPartials *partials, const AtmDigest *digest);

/**
 * atm_partials_expire:
 * @partials: (borrowed): without locks
 *
 * Removes what nobody went on with for %ATM_PARTIAL_MAX_AGE_SEC and nobody has a lock of. What
 * cannot be removed stays.
 */
void atm_partials_expire (AtmPartials *partials);

/**
 * atm_partials_prune:
 * @path: absolute; need not exist
 * @dry_run: only count
 * @n_out: (out): how many partial blobs nobody has a lock of
 * @size_bytes_out: (out): what they hold
 * @error: %G_IO_ERROR
 *
 * Removes all partial blobs that no pull is working on, for `images prune`.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_partials_prune (const char *path, gboolean dry_run, guint *n_out,
                             guint64 *size_bytes_out, GError **error);
