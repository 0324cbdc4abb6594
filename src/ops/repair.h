/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "ops/report.h"
#include "store/repair.h"

/**
 * atm_repair_image:
 * @repair: (borrowed): what is imported goes there
 * @image: (borrowed): in the store, its record is whole
 * @scheme: how the user wrote the image's registry, which the store does not keep
 * @error: of the rooms below
 *
 * Imports @image again for atm_repair_apply(): layers that are whole are lent, the others are
 * fetched, if today's policy allows the image by its stored proof (trust.md 17). Reports “Copying
 * blob DIGEST” for each of them.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repair_image (const AtmSystem *system, AtmRepair *repair, const AtmStoredImage *image,
                           AtmScheme scheme, const AtmReport *report, GCancellable *cancellable,
                           GError **error);
