/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "store/store.h"

/**
 * atm_judge_stored:
 * @image: (borrowed): an image of the store that has its canonical name
 * @verdict_out: (out) (transfer full): what today's policy says of it
 * @error: %ATM_TRUST_ERROR, %ATM_ORIGIN_ERROR, %ATM_NAME_ERROR
 *
 * Asks the policy again, without a network, on what was stored with the image (trust.md 17); of an
 * image of a site that is also the site's commit with its signatures.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_judge_stored (const AtmSystem *system, const AtmStoredImage *image,
                           AtmVerdict **verdict_out, GCancellable *cancellable, GError **error);
