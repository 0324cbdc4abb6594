/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/blocks.h"

struct _AtmBlockPool
{
  gsize block_bytes;
  GMutex lock;     /* for @idle */
  GPtrArray *idle; /* (owned) (element-type AtmBlock) */
};

AtmBlockPool *
atm_block_pool_new (gsize block_bytes)
{
  AtmBlockPool *pool = g_new0 (AtmBlockPool, 1);

  pool->block_bytes = block_bytes;
  g_mutex_init (&pool->lock);
  pool->idle = g_ptr_array_new_with_free_func (g_free);
  return pool;
}

void
atm_block_pool_free (AtmBlockPool *pool)
{
  if (pool == NULL)
    return;
  g_ptr_array_unref (pool->idle);
  g_mutex_clear (&pool->lock);
  g_free (pool);
}

gsize
atm_block_pool_get_block_bytes (AtmBlockPool *pool)
{
  return pool->block_bytes;
}

AtmBlock *
atm_block_take (AtmBlockPool *pool)
{
  AtmBlock *block = NULL;

  g_mutex_lock (&pool->lock);
  if (pool->idle->len > 0)
    block = g_ptr_array_steal_index_fast (pool->idle, pool->idle->len - 1);
  g_mutex_unlock (&pool->lock);
  if (block == NULL)
    block = g_malloc (sizeof *block + pool->block_bytes);

  block->pool = pool;
  block->references = 1;
  block->length_bytes = 0;
  block->blob_bytes = 0;
  return block;
}

AtmBlock *
atm_block_ref (AtmBlock *block)
{
  g_atomic_int_inc (&block->references);
  return block;
}

void
atm_block_unref (AtmBlock *block)
{
  if (!g_atomic_int_dec_and_test (&block->references))
    return;
  g_mutex_lock (&block->pool->lock);
  g_ptr_array_add (block->pool->idle, block);
  g_mutex_unlock (&block->pool->lock);
}

gboolean
atm_block_fill (AtmBlock *block, GInputStream *stream, GCancellable *cancellable, GError **error)
{
  while (block->length_bytes < block->pool->block_bytes)
    {
      const gssize n = g_input_stream_read (stream, block->data + block->length_bytes,
                                            block->pool->block_bytes - block->length_bytes,
                                            cancellable, error);

      if (n < 0)
        return FALSE;
      if (n == 0)
        break;
      block->length_bytes += (gsize) n;
    }
  return TRUE;
}
