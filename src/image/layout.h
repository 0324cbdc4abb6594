/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "image/source.h"

/* OCI layouts: an image in a folder (OCI image-spec, image-layout.md; registry.md 6.4). */

/**
 * atm_layout_open:
 * @origin: (borrowed): of %ATM_TRANSPORT_OCI
 * @source_out: (out) (transfer full): reads blobs below the folder, never through a link
 * @error: %ATM_SOURCE_ERROR, %ATM_JSON_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layout_open (const AtmOrigin *origin, AtmSource **source_out, GError **error);
