/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Trusted files: policies and keys, which only root or we ourselves may have written. */

#define ATM_TRUSTED_FILE_ERROR (atm_trusted_file_error_quark ())
GQuark atm_trusted_file_error_quark (void);

typedef enum
{
  ATM_TRUSTED_FILE_ERROR_MISSING,    /* nothing has this name */
  ATM_TRUSTED_FILE_ERROR_UNREADABLE, /* there is something, and it cannot be read */
  ATM_TRUSTED_FILE_ERROR_INSECURE,   /* somebody else could have written it; or no regular file */
  ATM_TRUSTED_FILE_ERROR_TOO_LARGE
} AtmTrustedFileError;

/**
 * atm_trusted_file_read:
 * @path: links are followed, because what is checked is the file that was opened and the folders
 *   on its resolved path
 * @max_bytes: a larger file is %ATM_TRUSTED_FILE_ERROR_TOO_LARGE
 * @bytes_out: (out) (transfer full): the contents
 * @error: %ATM_TRUSTED_FILE_ERROR, naming @path
 *
 * The rules of trust.md 3.1: a regular file of root or of the effective uid, writable by neither
 * group nor others; each folder on the resolved path of root or of the effective uid, and writable
 * by others only if it is sticky.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trusted_file_read (const char *path, gsize max_bytes, GBytes **bytes_out,
                                GError **error);
