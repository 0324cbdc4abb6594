/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Tar-split: an archive without the contents of its files, as the Python tool kept it of a layer
   (“tarsplit.output”, system-image.md 9.3), joined with them again. Internal to store/. */

/* One line of the list: the headers of one file, or the end of the archive, in base64. */
#define ATM_TAR_SPLIT_LINE_MAX_BYTES (16 * 1024 * 1024)

/**
 * AtmTarSplitOpen:
 * @path: clean (store/path.h)
 * @content_out: (out) (transfer full): of the file
 *
 * Opens a file whose contents belong in the archive.
 */
typedef gboolean (*AtmTarSplitOpen) (gpointer data, const char *path, GInputStream **content_out,
                                     GCancellable *cancellable, GError **error);

#define ATM_TYPE_TAR_SPLIT (atm_tar_split_get_type ())
G_DECLARE_FINAL_TYPE (AtmTarSplit, atm_tar_split, ATM, TAR_SPLIT, GInputStream)

/**
 * atm_tar_split_new:
 * @list: (borrowed): untrusted: a line of JSON for each piece of the archive, not compressed
 * @open: for each file that is not empty
 * @data: (transfer full): for @open
 * @destroy: (nullable): for @data
 *
 * Reads fail with %ATM_STORE_ERROR_LAYER if the list is damaged or a file has another size than it
 * says. That the archive is the right one is for the caller to see: it hashes to the diff ID.
 *
 * Returns: (transfer full): the archive, for one thread at a time
 */
GInputStream *atm_tar_split_new (GInputStream *list, AtmTarSplitOpen open, gpointer data,
                                 GDestroyNotify destroy);
