/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "image/source.h"

/* OCI layouts: an image in a folder, or in a tar file of one (OCI image-spec, image-layout.md;
   registry.md 6.4). */

/**
 * atm_layout_open:
 * @origin: (borrowed): of %ATM_TRANSPORT_OCI
 * @source_out: (out) (transfer full): reads blobs below the folder, never through a link
 * @error: %ATM_SOURCE_ERROR, %ATM_JSON_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layout_open (const AtmOrigin *origin, AtmSource **source_out, GError **error);

/**
 * atm_layout_open_archive:
 * @origin: (borrowed): of %ATM_TRANSPORT_OCI_ARCHIVE
 * @temporary_dir: (borrowed): for what is compressed
 *
 * As atm_layout_open().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layout_open_archive (const AtmOrigin *origin, const char *temporary_dir,
                                  AtmSource **source_out, GCancellable *cancellable,
                                  GError **error);

/**
 * atm_layout_new_in_archive:
 * @what: canonical name of the image, for messages
 * @which: (nullable): as in #AtmOrigin
 *
 * As atm_layout_open_archive(), of an archive that is open.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layout_new_in_archive (const char *what, AtmArchiveFile *archive, const char *which,
                                    AtmSource **source_out, GError **error);
