/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store.h"

/* Layers and configurations as the Python tool stored them (system-image.md 9.2 and 9.3). Internal
   to store/. */

/**
 * atm_python_layer_open:
 * @digest: (borrowed): of the layer's blob
 * @tar_out: (out) (transfer full) (nullable): the uncompressed layer, byte for byte if nothing is
 *   damaged, which its diff ID tells; %NULL if the store has no such layer, or not the list of
 *   headers that is needed for it
 * @error: %G_IO_ERROR. Reads of @tar_out fail as atm_tar_split_new() says
 *
 * From the archive and not from the tree of the commit: the tree does not tell which folders the
 * archive only implied, and nobody could check it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_python_layer_open (AtmStore *store, const AtmDigest *digest, GInputStream **tar_out,
                                GCancellable *cancellable, GError **error);

/**
 * atm_python_config_load:
 * @manifest: (borrowed): untrusted
 *
 * Returns: (transfer full) (nullable): the configuration that @manifest names, checked against its
 *   digest; %NULL if the store does not have it
 */
GBytes *atm_python_config_load (AtmStore *store, GBytes *manifest, GCancellable *cancellable);
