/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "ops/report.h"
#include "store/store.h"
#include "trust/trust.h"

typedef enum
{
  ATM_PULL_DEFAULT = 0,
  ATM_PULL_ALLOW_DOWNGRADE = 1 << 0 /* an image that was signed before the stored one is fine */
} AtmPullFlags;

/**
 * atm_pull:
 * @system: (borrowed): where the store, the policy and the configuration are
 * @origin: (borrowed): which image
 * @flags: what is allowed
 * @image_out: (out) (optional) (transfer full): the image as it is in the store now
 * @error: of any room below; after it the store holds what it held before
 *
 * Always asks the source for the manifest; fetches only the layers that the store has not.
 * Reports “Copying blob DIGEST” for each blob that is transferred (command.md 2.1).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull (const AtmSystem *system, const AtmOrigin *origin, AtmPullFlags flags,
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
 * atm_pull_open_trust:
 *
 * As atm_trust_open(), with the paths of @system.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pull_open_trust (const AtmSystem *system, const AtmOrigin *origin,
                              AtmTrust **trust_out, GError **error);
