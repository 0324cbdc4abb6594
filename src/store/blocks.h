/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Blocks: pieces of a stream on their way from thread to thread (store.md 2). A block is written by
   whoever took it from its pool, until it is handed on; from then on nobody changes it, and all who
   have a reference may read it. Internal to store/. */

typedef struct _AtmBlockPool AtmBlockPool;

typedef struct
{
  AtmBlockPool *pool; /* (borrowed) */
  gint references;
  gsize length_bytes; /* that are filled; the pool says how many there is room for */
  guint64 blob_bytes; /* of the layer's blob, that were needed for the stream up to its end */
  guint8 data[];
} AtmBlock;

/**
 * atm_block_pool_new:
 * @block_bytes: the room in each block
 *
 * Returns: (transfer full): a pool, which keeps the blocks that came back for the next one who
 *   asks: memory that was just used is warm, and new one has to be cleared by the kernel
 */
AtmBlockPool *atm_block_pool_new (gsize block_bytes);

/* All blocks must have come back. */
void atm_block_pool_free (AtmBlockPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmBlockPool, atm_block_pool_free)

gsize atm_block_pool_get_block_bytes (AtmBlockPool *pool);

/**
 * atm_block_take:
 *
 * May be called from any thread.
 *
 * Returns: (transfer full): an empty block
 */
AtmBlock *atm_block_take (AtmBlockPool *pool);

/* From any thread; without the last reference a block goes back to its pool. */
AtmBlock *atm_block_ref (AtmBlock *block);
void atm_block_unref (AtmBlock *block);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmBlock, atm_block_unref)

/**
 * AtmBlockSource:
 * @block_out: (out) (transfer full) (nullable): the next block, which is not empty; %NULL at the
 *   end, however often it is called there
 * @error: what keeps it from going on
 */
typedef gboolean (*AtmBlockSource) (gpointer user_data, AtmBlock **block_out, GError **error);

/**
 * atm_block_fill:
 * @block: (borrowed): an empty block
 * @stream: (borrowed): read until the block is full or the stream has ended
 * @error: what @stream throws
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_block_fill (AtmBlock *block, GInputStream *stream, GCancellable *cancellable,
                         GError **error);
