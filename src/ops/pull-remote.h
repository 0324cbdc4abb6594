/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/pull.h"

/**
 * atm_pull_remote:
 * @origin: (borrowed): of %ATM_TRANSPORT_OSTREE
 *
 * As atm_pull(), for an image that a site has unpacked into an OSTree repository; atm_pull() comes
 * here by itself. The site is asked for the commit alone, the policy for both the commit and the
 * manifest in it, and only then for files. Reports “Copying commit CHECKSUM”.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull_remote (const AtmSystem *system, const AtmOrigin *origin,
                          const AtmPullOptions *options, const AtmReport *report,
                          AtmStoredImage **image_out, GCancellable *cancellable, GError **error);

/**
 * atm_pull_remote_judge:
 * @trace: (borrowed): gets what was looked at
 * @verdict_out: (out) (transfer full): what today's policy says of what the site serves now
 * @error: of trust/ and store/
 *
 * For ops/pull.c: what atm_pull_remote() would decide, but for the rollback guard.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull_remote_judge (const AtmSystem *system, const AtmOrigin *origin, AtmTrace *trace,
                                AtmVerdict **verdict_out, GCancellable *cancellable,
                                GError **error);
