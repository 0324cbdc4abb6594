/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store.h"

/**
 * atm_store_read_file:
 * @commit: checksum of an image commit whose tree is the merged one
 * @path: absolute path of a file of the image, which is looked for as it stands: a link is no file
 * @max_bytes: a larger file is %G_IO_ERROR_MESSAGE_TOO_LARGE
 * @bytes_out: (out) (transfer full) (nullable): the contents; %NULL if there is no such file
 * @error: %G_IO_ERROR
 *
 * Reads a file of an image without checking it out. Its bytes are not hashed again.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_read_file (AtmStore *store, const char *commit, const char *path,
                              gsize max_bytes, GBytes **bytes_out, GCancellable *cancellable,
                              GError **error);
