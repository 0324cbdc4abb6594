/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"
#include "store/store.h"

/**
 * atm_adopt_stored:
 * @store: (borrowed): with no transaction
 * @image: (inout) (transfer full): an image of @store; one that the Python tool stored is replaced
 *   by the same image as we store it, any other is left as it is
 * @error: %ATM_STORE_ERROR_UNSUPPORTED: too little of it is known, or is there; %ATM_TRUST_ERROR:
 *   today's policy does not allow it, by the signatures that were stored with it; %ATM_STORE_ERROR,
 *   %G_IO_ERROR. @image and what the store says of it are unchanged then, and it must be pulled
 *   again to be used
 *
 * Needs no network. The Python tool kept layers apart (system-image.md 9.3); their archives are
 * written again, checked against the diff IDs of the configuration, and merged as those of an image
 * that is pulled. After it the name of the image leads to that, so it is done once.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_adopt_stored (const AtmSystem *system, AtmStore *store, AtmStoredImage **image,
                           const AtmReport *report, GCancellable *cancellable, GError **error);

/**
 * atm_adopt_or_drop:
 * @image: (inout) (transfer full): as for atm_adopt_stored(); %NULL afterwards if it could not be
 *   taken over, which is told as a notice
 * @error: %G_IO_ERROR_CANCELLED
 *
 * For callers who pull what they do not find.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_adopt_or_drop (const AtmSystem *system, AtmStore *store, AtmStoredImage **image,
                            const AtmReport *report, GCancellable *cancellable, GError **error);
