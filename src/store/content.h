/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <ostree.h>

/* Content: files and folders on the disk, compared with the objects that they should be (store.md
   3). Works on objects of a bare repository and on checkouts alike. Internal to store/. */

/* “objects/XX/”, the rest of a checksum, the longest extension, and a NUL */
#define ATM_OBJECT_PATH_BYTES 96

/**
 * atm_object_path:
 * @checksum: 64 hex digits
 * @path_out: (out caller-allocates): where the object is below the repository
 */
void atm_object_path (OstreeObjectType type, const char *checksum,
                      char path_out[ATM_OBJECT_PATH_BYTES]);

/**
 * atm_content_matches:
 * @dir_fd: (borrowed): a folder
 * @path: of a file or a symbolic link below it, which is not followed
 * @checksum: the object that it should be
 * @matches_out: (out): whether content, owner, mode and attributes hash to @checksum; %FALSE also
 *   for what is neither file nor link
 * @error: %G_IO_ERROR (%G_IO_ERROR_NOT_FOUND)
 *
 * Attributes that the kernel adds on its own (labels) may be there or not. From any thread.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_content_matches (int dir_fd, const char *path, const char *checksum,
                              gboolean *matches_out, GCancellable *cancellable, GError **error);

/**
 * atm_content_folder_matches:
 * @fd: (borrowed): a folder
 * @checksum: the dirmeta that it should have
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_content_folder_matches (int fd, const char *checksum, gboolean *matches_out,
                                     GError **error);

/**
 * atm_content_set_folder:
 * @fd: (borrowed): a folder
 * @dirmeta: (borrowed): (uuua(ayay)), checked
 * @error: %G_IO_ERROR
 *
 * Gives it owner, mode and attributes, and takes away what attributes it should not have.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_content_set_folder (int fd, GVariant *dirmeta, GError **error);
