/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/commit.h"
#include "store/layer.h"

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
  gboolean claimed;           /* the blob was never read: images say that it unpacks to @diff_id,
                                 which was stored under another digest */
} AtmLayerInfo;

void atm_layer_info_clear (AtmLayerInfo *info);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmLayerInfo, atm_layer_info_clear)

/**
 * atm_layer_commit_get_ref:
 *
 * Returns: (transfer full): “ociimage/” and the hex of @digest
 */
char *atm_layer_commit_get_ref (const AtmDigest *digest);

/* A layer commit that is still to be written. */
typedef struct
{
  AtmLayerInfo info;
  AtmCommitDraft commit;
  guint8 list[ATM_CHECKSUM_BYTES]; /* the object that holds the list of entries ... */
  char *list_digest;               /* (owned): ... and the SHA-256 of its bytes, in hex */
} AtmLayerDraft;

void atm_layer_draft_free (AtmLayerDraft *draft);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmLayerDraft, atm_layer_draft_free)

/**
 * atm_layer_draft_new:
 * @info: (borrowed): copied
 * @draft_out: (out) (transfer full): for atm_commit_write(); everything that the commit refers to
 * is stored
 * @error: %ATM_STORE_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_draft_new (AtmStore *store, AtmObjects *objects, const AtmLayer *layer,
                              const AtmLayerInfo *info, AtmLayerDraft **draft_out,
                              GCancellable *cancellable, GError **error);

/**
 * atm_layer_draft_new_alias:
 * @draft: (borrowed): a layer
 * @descriptor: (borrowed): another blob that is said to unpack to the same
 *
 * Returns: (transfer full): a draft with the digest, size and type of @descriptor
 */
AtmLayerDraft *atm_layer_draft_new_alias (const AtmLayerDraft *draft,
                                          const AtmDescriptor *descriptor);

/**
 * atm_layer_draft_read:
 * @objects: (borrowed): where the draft was stored
 * @layer_out: (out) (transfer full): the layer
 * @error: %ATM_STORE_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_draft_read (AtmStore *store, AtmObjects *objects, const AtmLayerDraft *draft,
                               AtmLayer **layer_out, GCancellable *cancellable, GError **error);

/**
 * atm_layer_commit_load:
 * @draft_out: (out) (transfer full) (nullable): what the commit was made of
 * @layer_out: (out) (transfer full) (nullable): the layer; both are %NULL if the commit is none of
 *   ours, or objects of it are missing or damaged, so that the layer must be fetched again
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_commit_load (AtmStore *store, const char *commit, AtmLayerDraft **draft_out,
                                AtmLayer **layer_out, GCancellable *cancellable, GError **error);

/**
 * atm_layer_commit_index:
 * @index_out: (out) (transfer full) (element-type utf8 utf8): diff IDs of the layers in the
 *   repository, as atm_digest_to_string() has them, to the commit of one that has it
 * @error: %G_IO_ERROR
 *
 * Reads the metadata of all layers, which is for once in an import.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_commit_index (AtmStore *store, GHashTable **index_out, GCancellable *cancellable,
                                 GError **error);
