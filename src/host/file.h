/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Files that we put into folders of the host: units and tmpfiles fragments. */

/**
 * atm_host_file_check_absent:
 * @dir: absolute path of a folder, which need not exist
 * @name: one component
 * @error: %G_IO_ERROR_EXISTS: “The file PATH already exists.” (command.md 2.2)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_file_check_absent (const char *dir, const char *name, GError **error);

/**
 * atm_host_file_create:
 * @dir: absolute path of a folder; it is made if it is missing
 * @name: one component
 * @bytes: (borrowed): contents; mode 0644
 * @error: %G_IO_ERROR (%G_IO_ERROR_EXISTS: the file that is there stays as it is)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_file_create (const char *dir, const char *name, GBytes *bytes, GError **error);

/**
 * atm_host_file_remove:
 *
 * Removes the file; that it is not there is no error.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_file_remove (const char *dir, const char *name, GError **error);
