/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Folders that hold an image as files: whoever made one may have put links into it that lead
   elsewhere, or what is no file at all. */

/**
 * atm_folder_open_file:
 * @dir_fd: (borrowed): the folder
 * @path: relative to it; no component may be a link
 * @stream_out: (out) (transfer full): the contents
 * @size_bytes_out: (out): how many bytes there are now
 * @error: %ATM_SOURCE_ERROR_NOT_FOUND, %ATM_SOURCE_ERROR_PROTOCOL (no regular file), %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_folder_open_file (int dir_fd, const char *path, GInputStream **stream_out,
                               guint64 *size_bytes_out, GError **error);
