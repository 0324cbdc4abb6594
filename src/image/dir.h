/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "image/source.h"

/* “dir:” folders, as skopeo writes them: manifest, configuration, layers and signatures as files
   side by side, for tests and debugging (registry.md 6.5). trust/ reads the signatures. */

/**
 * atm_dir_open:
 * @origin: (borrowed): of %ATM_TRANSPORT_DIR
 * @source_out: (out) (transfer full): reads files of the folder, never through a link
 * @error: %ATM_SOURCE_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_dir_open (const AtmOrigin *origin, AtmSource **source_out, GError **error);
