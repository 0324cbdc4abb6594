/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/digest.h"

/* Staging: folders that signatures are written to, to be published or read by this host
   (trust.md 12 and 14). */

/**
 * atm_staging_put:
 * @base: the folder; it must exist
 * @path: of the repository, without its domain; valid by the grammar of names
 * @digest: (borrowed): of the manifest
 * @blob: (borrowed): the signature
 * @path_out: (out) (transfer full): the new file: “signature-N” with the lowest N that is free
 * @error: %G_IO_ERROR (%G_IO_ERROR_NO_SPACE also if all numbers are taken)
 *
 * Never replaces a file, also not one that somebody else writes at the same time.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_staging_put (const char *base, const char *path, const AtmDigest *digest, GBytes *blob,
                          char **path_out, GError **error);
