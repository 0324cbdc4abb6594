/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/layer.h"
#include "store/tree.h"

/* Merging: what a layer makes of the tree of the layers below it (store.md 6.2, registry.md 5.4 and
   5.5). Internal to store/. */

/**
 * atm_merge_layer:
 * @tree: (borrowed): the layers below; undefined after a failure
 * @number: of this layer, from 1
 * @notice_out: (out) (transfer full) (nullable): what should be told, as one line
 * @error: %ATM_STORE_ERROR_LAYER
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_merge_layer (AtmTree *tree, const AtmLayer *layer, guint number,
                          const AtmStoreLimits *limits, char **notice_out,
                          GCancellable *cancellable, GError **error);
