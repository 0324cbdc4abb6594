/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Paths in a layer: made clean, and told from the names that mean something else (registry.md 5.4,
   5.5 rows 18-25). Internal to store/. */

typedef enum
{
  ATM_PATH_PLAIN,    /* a path of the image */
  ATM_PATH_WHITEOUT, /* @path is what disappears */
  ATM_PATH_OPAQUE,   /* @path is the folder whose children disappear */
  ATM_PATH_PLINK,    /* contents of an AUFS hard link, kept aside (registry.md 5.6) */
  ATM_PATH_AUFS      /* other files of AUFS: no part of the image */
} AtmPathKind;

/**
 * atm_path_clean:
 * @raw: untrusted bytes from a tar header
 * @path_out: (out) (transfer full): components joined by “/”, without any at both ends; “” is the
 *   root. Valid UTF-8
 * @error: %ATM_STORE_ERROR (LAYER: “..”, too long; UNSUPPORTED: not valid UTF-8), with the escaped
 *   path
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_path_clean (const char *raw, char **path_out, GError **error);

/**
 * atm_path_classify:
 * @path: from atm_path_clean()
 * @kind_out: (out): what @path is
 * @subject_out: (out) (transfer full): what it is about: @path itself, except for whiteouts
 * @error: %ATM_STORE_ERROR_LAYER: a whiteout of nothing, of “.” or “..”, or a path below one
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_path_classify (const char *path, AtmPathKind *kind_out, char **subject_out,
                            GError **error);
