/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/config.h"
#include "image/manifest.h"
#include "ops/pull.h"
#include "registry/partial.h"

/**
 * atm_fetch_layers:
 * @source: (borrowed): not to be used by others while this runs
 * @txn: (borrowed): an import without layers
 * @manifest: (borrowed): which layers
 * @config: (borrowed): what they unpack to
 * @report: (borrowed): told from several threads
 * @partials_out: (out) (transfer full) (nullable): the locks of what was fetched, to be kept until
 *   @txn is committed
 * @error: of registry/ and store/; %G_IO_ERROR_NO_SPACE before anything is fetched
 *
 * Adds all layers of an image to @txn: those that the store has, and those that must be fetched,
 * several at once where @source is a registry. Waits for another process that fetches one of them.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_fetch_layers (const AtmSystem *system, AtmSource *source, AtmStoreTxn *txn,
                           const AtmManifest *manifest, const AtmImageConfig *config,
                           const AtmPullOptions *options, const AtmReport *report,
                           AtmPartials **partials_out, GCancellable *cancellable, GError **error);
