/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/layer.h"
#include "store/store-private.h"

/* Layer commits: a layer in the repository, so that other images need not fetch it. The tree holds
   what the archive held, whiteouts as empty files, for people and tools; the file
   %ATM_LAYER_ENTRIES_NAME in it holds the list that is merged. Internal to store/. */

#define ATM_LAYER_ENTRIES_NAME ".wh..wh.atomic"

/* Objects that the list names and the tree has no place for, such as those of a file that a later
   entry of the same layer replaced: a prune must not take them. */
#define ATM_LAYER_STRAYS_NAME ".wh..wh.atomic.d"

typedef struct
{
  AtmDigest digest;           /* of the blob */
  AtmDigest diff_id;          /* of the uncompressed stream */
  guint64 size_bytes;         /* of the blob */
  guint64 uncompressed_bytes; /* of the stream */
  char *media_type;           /* (owned) (nullable) */
  char *notice;               /* (owned) (nullable): what reading the archive left out */
} AtmLayerInfo;

void atm_layer_info_clear (AtmLayerInfo *info);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmLayerInfo, atm_layer_info_clear)

/**
 * atm_layer_commit_get_ref:
 *
 * Returns: (transfer full): “ociimage/” and the hex of @digest
 */
char *atm_layer_commit_get_ref (const AtmDigest *digest);

/**
 * atm_layer_commit_write:
 * @commit_out: (out) (transfer full): the commit, which has no ref yet
 * @error: %ATM_STORE_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_commit_write (AtmStore *store, AtmObjects *objects, const AtmLayer *layer,
                                 const AtmLayerInfo *info, char **commit_out,
                                 GCancellable *cancellable, GError **error);

/**
 * atm_layer_commit_load:
 * @info_out: (out caller-allocates): what the commit says of it
 * @layer_out: (out) (transfer full) (nullable): the layer; %NULL if the commit is none of ours, or
 *   objects of it are missing or damaged, so that the layer must be fetched again
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_commit_load (AtmStore *store, const char *commit, AtmLayerInfo *info_out,
                                AtmLayer **layer_out, GCancellable *cancellable, GError **error);
