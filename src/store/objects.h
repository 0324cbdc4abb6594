/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <ostree.h>

#include "store/inode.h"
#include "store/staging.h"

/* Objects: what OSTree stores a file or a folder as, named by a SHA-256 that we compute ourselves
   (store.md 3). Internal to store/; behind it stands the one way to write them. Several threads may
   put objects through one AtmObjects. */

#define ATM_CHECKSUM_BYTES 32

typedef struct _AtmObjects AtmObjects;

/**
 * atm_objects_new:
 * @repo: (borrowed) (nullable): a repository in a transaction; without one everything is hashed and
 *   nothing is kept, for fuzzing
 * @user_mode: the repository is not root's: set-id and sticky bits are not stored (registry.md 5.5,
 *   row 31)
 *
 * Returns: (transfer full): a writer of objects
 */
AtmObjects *atm_objects_new (OstreeRepo *repo, gboolean user_mode);
void atm_objects_free (AtmObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmObjects, atm_objects_free)

/**
 * atm_objects_take_staging:
 * @staging: (transfer full): where content waits until atm_objects_publish(). Without one libostree
 *   writes it; the names of the objects are the same
 */
void atm_objects_take_staging (AtmObjects *objects, AtmStaging *staging);

/**
 * atm_objects_publish:
 * @error: %G_IO_ERROR; also if an object could not be written before
 *
 * To be called before the OSTree transaction is committed, when no thread puts anything any more
 * and all of it is on the disk. Afterwards the content has its names in the repository.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_objects_publish (AtmObjects *objects, GCancellable *cancellable, GError **error);

/**
 * atm_objects_get_user_mode:
 *
 * Returns: what atm_objects_new() was told
 */
gboolean atm_objects_get_user_mode (AtmObjects *objects);

/**
 * atm_objects_put_file:
 * @inode: (borrowed): metadata of a regular file
 * @data: (borrowed): its contents, whole
 * @checksum_out: (out caller-allocates) (array fixed-size=32): the name of the object
 * @error: %G_IO_ERROR; after one the writer is good for nothing but atm_objects_free()
 *
 * Writes nothing if the object is there. May be called from several threads at once.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_objects_put_file (AtmObjects *objects, const AtmInode *inode, gconstpointer data,
                               gsize length_bytes, guint8 *checksum_out, GCancellable *cancellable,
                               GError **error);

/* A file that may not fit into memory; for one thread at a time, beside others who put objects. */
typedef struct _AtmObjectFile AtmObjectFile;

/**
 * atm_object_file_new:
 * @objects: (borrowed): must outlive the file
 * @inode: (borrowed): metadata of a regular file
 *
 * Returns: (transfer full): an empty file, which is no object until it is finished
 */
AtmObjectFile *atm_object_file_new (AtmObjects *objects, const AtmInode *inode);
void atm_object_file_free (AtmObjectFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmObjectFile, atm_object_file_free)

/**
 * atm_object_file_append:
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_object_file_append (AtmObjectFile *file, gconstpointer data, gsize length_bytes,
                                 GError **error);

/**
 * atm_object_file_finish:
 * @checksum_out: (out caller-allocates) (array fixed-size=32): the name of the object
 * @error: %G_IO_ERROR; as for atm_objects_put_file()
 *
 * Once, and then only atm_object_file_free().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_object_file_finish (AtmObjectFile *file, guint8 *checksum_out,
                                 GCancellable *cancellable, GError **error);

/**
 * atm_objects_put_symlink:
 * @inode: (borrowed): the mode is ignored: it is 0777
 * @target: valid UTF-8
 * @checksum_out: (out caller-allocates) (array fixed-size=32): the name of the object
 * @error: %G_IO_ERROR
 *
 * May be called from several threads at once.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_objects_put_symlink (AtmObjects *objects, const AtmInode *inode, const char *target,
                                  guint8 *checksum_out, GCancellable *cancellable, GError **error);

/**
 * atm_objects_open_file:
 * @checksum: (array fixed-size=32): a file that was put or is in the repository
 * @stream_out: (out) (transfer full): its contents
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_objects_open_file (AtmObjects *objects, const guint8 *checksum,
                                GInputStream **stream_out, GCancellable *cancellable,
                                GError **error);

/**
 * atm_objects_put_dirmeta:
 * @checksum_out: (out caller-allocates) (array fixed-size=32): the name of the object
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_objects_put_dirmeta (AtmObjects *objects, const AtmInode *inode, guint8 *checksum_out,
                                  GCancellable *cancellable, GError **error);

/**
 * atm_objects_put_dirtree:
 * @tree: (transfer floating): (a(say)a(sayay)), both arrays sorted by name
 * @what: for messages: which folder this is
 * @checksum_out: (out caller-allocates) (array fixed-size=32): the name of the object
 * @error: %ATM_STORE_ERROR_UNSUPPORTED if it is larger than OSTree allows; %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_objects_put_dirtree (AtmObjects *objects, GVariant *tree, const char *what,
                                  guint8 *checksum_out, GCancellable *cancellable, GError **error);
