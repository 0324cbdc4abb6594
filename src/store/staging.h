/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <ostree.h>

#include "store/inode.h"

/* Staging: a folder in tmp/ of a bare repository, where the content of one import waits, under the
   names that its objects will have, until all of it is on the disk (store.md 4 and 5). Nobody else
   looks into it, so what it holds may be half written. Internal to store/. */

typedef struct _AtmStaging AtmStaging;

/**
 * atm_staging_new:
 * @repo: (borrowed): of mode bare, locked at least for sharing until the staging is freed
 * @staging_out: (out) (transfer full): an empty one, locked; what processes that ended before they
 *   could clean up left behind is removed
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_new (OstreeRepo *repo, AtmStaging **staging_out, GError **error);

/* Removes all that was not published. */
void atm_staging_free (AtmStaging *staging);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmStaging, atm_staging_free)

/**
 * atm_staging_remove_stale:
 * @repo: (borrowed): may be of any mode
 *
 * Removes stagings of processes that are gone. Those of living ones are locked and stay.
 */
void atm_staging_remove_stale (OstreeRepo *repo);

/**
 * atm_staging_has_object:
 * @name: 64 hex digits
 * @found_out: (out): whether the repository has the object already. May be asked by any thread
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_has_object (AtmStaging *staging, const char *name, gboolean *found_out,
                                 GError **error);

/**
 * atm_staging_put_file:
 * @name: 64 hex digits
 * @data: (borrowed): the contents
 * @error: %G_IO_ERROR (%G_IO_ERROR_NO_SPACE: also when less would be free than the repository's
 *   core.min-free-space-* asks for)
 *
 * Any number of threads may put files and symlinks at once.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_put_file (AtmStaging *staging, const char *name, const AtmInode *inode,
                               gconstpointer data, gsize length_bytes, GError **error);

/**
 * atm_staging_put_symlink:
 * @name: 64 hex digits
 * @error: as for atm_staging_put_file()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_put_symlink (AtmStaging *staging, const char *name, const AtmInode *inode,
                                  const char *target, GError **error);

/* A file in the making beside those that are put whole; for one thread at a time. */
typedef struct _AtmStagingFile AtmStagingFile;

/**
 * atm_staging_create_file:
 * @staging: (borrowed): must outlive the file
 * @file_out: (out) (transfer full): an empty file
 * @error: as for atm_staging_put_file()
 *
 * May be called by any thread.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_create_file (AtmStaging *staging, AtmStagingFile **file_out, GError **error);

/**
 * atm_staging_file_append:
 * @error: as for atm_staging_put_file()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_file_append (AtmStagingFile *file, gconstpointer data, gsize length_bytes,
                                  GError **error);

/**
 * atm_staging_file_finish:
 * @name: 64 hex digits: what the file turned out to be
 * @error: %G_IO_ERROR
 *
 * Once, and then only atm_staging_file_free().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_file_finish (AtmStagingFile *file, const char *name, const AtmInode *inode,
                                  GError **error);

/* Removes what was not finished. */
void atm_staging_file_free (AtmStagingFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmStagingFile, atm_staging_file_free)

/**
 * atm_staging_open_file:
 * @name: 64 hex digits: a file that was put or is in the repository
 * @fd_out: (out): open for reading
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_open_file (AtmStaging *staging, const char *name, int *fd_out, GError **error);

/**
 * atm_staging_publish:
 * @error: %G_IO_ERROR
 *
 * When no thread puts anything any more and all of it is on the disk: gives the content its names
 * in objects/. An object that somebody else stored meanwhile stays as it is. The names are on the
 * disk after the next syncfs().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_publish (AtmStaging *staging, GError **error);
