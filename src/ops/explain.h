/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "ops/pull.h"
#include "ops/report.h"
#include "trust/trace.h"

/**
 * atm_explain_served:
 * @origin: (borrowed): which image; a short name is resolved
 * @options: (borrowed): what the user said
 * @trace: (borrowed): new; gets what was looked at and the decision, which may be a refusal
 * @error: the image could not be judged: of image/ and registry/; %G_IO_ERROR_CANCELLED
 *
 * What today's policy says of the image that its source has now. Fetches the manifest and
 * signatures, and stores nothing.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_explain_served (const AtmSystem *system, const AtmOrigin *origin,
                             const AtmPullOptions *options, const AtmReport *report,
                             AtmTrace *trace, GCancellable *cancellable, GError **error);

/**
 * atm_explain_stored:
 * @text: a name or an id of an image in the store, as for atm_repository_find_image()
 * @trace: (borrowed): as for atm_explain_served()
 * @error: %ATM_STORE_ERROR_NOT_FOUND; the image cannot be judged
 *
 * What today's policy says of the manifest and signatures in the store, without a network.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_explain_stored (const AtmSystem *system, const char *text, const AtmReport *report,
                             AtmTrace *trace, GCancellable *cancellable, GError **error);
