/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "ops/open.h"
#include "ops/report.h"
#include "ops/resolve.h"
#include "store/store.h"
#include "trust/trust.h"

/* What a user may say about a pull; all zero is nothing. Pointers (borrowed), needed as long as the
   pull runs. */
typedef struct
{
  gboolean allow_downgrade; /* an image that was signed before the stored one is fine */
  AtmOpenOptions open;      /* how registries are spoken to */

  AtmChooseFunc choose; /* (nullable): asks what a short name means; NULL: there is no terminal */
  gpointer choose_data;

  guint jobs;            /* --jobs: blobs at once, at most %ATM_DOWNLOADS_JOBS_MAX; 0: as @system
                            says */
  guint64 bytes_per_sec; /* --max-rate: of all downloads together; 0: no limit */
  guint timeout_sec;     /* --timeout: for the whole pull, at most %ATM_PULL_TIMEOUT_MAX_SEC; 0: no
                            limit */

  guint64 layer_max_bytes;     /* --max-layer-size: uncompressed; 0: 64 GiB */
  gboolean skip_invalid_names; /* --allow-non-utf8=skip */
} AtmPullOptions;

/* Thirty days; more is no limit that anybody needs. */
#define ATM_PULL_TIMEOUT_MAX_SEC (30 * 24 * 3600)

/**
 * atm_pull:
 * @system: (borrowed): where the store, the policy and the configuration are
 * @origin: (borrowed): which image; a short name is resolved
 * @options: (borrowed): what the user said
 * @report: (borrowed): told from several threads
 * @image_out: (out) (optional) (transfer full): the image as it is in the store now
 * @error: of any room below; %G_IO_ERROR_TIMED_OUT if it is not done in time. After it the store
 *   holds what it held before, and what was fetched from a registry is kept for the next pull
 *
 * Always asks the source for the manifest; fetches only the layers that the store has not.
 * Reports “Copying blob DIGEST” for each blob that is transferred (command.md 2.1).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
                   const AtmReport *report, AtmStoredImage **image_out, GCancellable *cancellable,
                   GError **error);

/**
 * atm_pull_open_store:
 *
 * Opens the store of @system; what is missing of its folders is made.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull_open_store (const AtmSystem *system, AtmStore **store_out,
                              GCancellable *cancellable, GError **error);

/**
 * atm_pull_find_stored:
 * @reference: as typed, with tag or digest
 * @image_out: (out) (transfer full) (nullable): the image; untouched if there is none
 * @error: %G_IO_ERROR
 *
 * As atm_store_load_image(), for callers to whom an image that is not stored is no error.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull_find_stored (AtmStore *store, const char *reference, AtmStoredImage **image_out,
                               GCancellable *cancellable, GError **error);

/**
 * atm_pull_is_meant:
 * @image: (borrowed): what is stored under the name of @origin
 *
 * A short name means what is stored under it, from wherever it was pulled (command.md 3); a full
 * name and a layout mean themselves. What the Python tool pulled has no merged tree.
 *
 * Returns: whether @image is what was typed, and can be checked out
 */
gboolean atm_pull_is_meant (const AtmStoredImage *image, const AtmOrigin *origin);

/**
 * atm_pull_judge:
 * @trace: (borrowed): gets what was looked at and the decision
 * @verdict_out: (out) (optional) (transfer full): the proof, with the digest of what is there
 * @error: as atm_pull(), before anything is fetched but the manifest
 *
 * What atm_pull() would decide now, but for the rollback guard: asks the source for the manifest
 * and stores nothing.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull_judge (const AtmSystem *system, const AtmOrigin *origin,
                         const AtmPullOptions *options, const AtmReport *report, AtmTrace *trace,
                         AtmVerdict **verdict_out, GCancellable *cancellable, GError **error);

/**
 * atm_pull_open_trust:
 * @trace: (nullable): cleared, then filled
 *
 * As atm_trust_open(), with the paths of @system.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull_open_trust (const AtmSystem *system, const AtmOrigin *origin, AtmTrace *trace,
                              AtmTrust **trust_out, GError **error);

/**
 * atm_pull_dup_partials_path:
 *
 * Returns: (transfer full): the folder of blobs that were fetched in part, for
 *   atm_partials_prune(); need not exist
 */
char *atm_pull_dup_partials_path (const AtmSystem *system);
