/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "store/inflate.h"

#define OUTPUT_MAX_BYTES (4 * 1024 * 1024)

typedef struct
{
  const guint8 *data;
  gsize left;
  AtmBlockPool *pool; /* (borrowed) */
} Source;

static gboolean
next_block (gpointer user_data, AtmBlock **block_out, G_GNUC_UNUSED GError **error)
{
  Source *source = user_data;
  const gsize n = MIN (source->left, atm_block_pool_get_block_bytes (source->pool));

  *block_out = NULL;
  if (n == 0)
    return TRUE;
  *block_out = atm_block_take (source->pool);
  memcpy ((*block_out)->data, source->data, n);
  (*block_out)->length_bytes = n;
  source->data += n;
  source->left -= n;
  return TRUE;
}

static gboolean
inflate (const guint8 *data, gsize size, AtmGunzipKind kind, gsize in_bytes, gsize out_bytes,
         GByteArray *all)
{
  AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
  g_autoptr (AtmBlockPool) in = atm_block_pool_new (in_bytes);
  g_autoptr (AtmBlockPool) out = atm_block_pool_new (out_bytes);
  Source source = { data, size, in };
  g_autoptr (AtmInflate) inflate = atm_inflate_new (next_block, &source, &limits, kind);

  while (all->len < OUTPUT_MAX_BYTES)
    {
      g_autoptr (AtmBlock) block = atm_block_take (out);

      if (!atm_inflate_read (inflate, block, NULL))
        return FALSE;
      if (block->length_bytes == 0)
        return TRUE;
      g_byte_array_append (all, block->data, (guint) block->length_bytes);
    }
  return FALSE;
}

/* Whatever the inflater and however the stream is cut: what is accepted is the same. (What is
   refused may differ in the header: only zlib looks at bits that mean nothing yet.) */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const struct
  {
    AtmGunzipKind kind;
    gsize in_bytes;
    gsize out_bytes;
  } ways[] = {
    { ATM_GUNZIP_ZLIB, ATM_BLOB_BLOCK_BYTES, ATM_PLAIN_BLOCK_BYTES },
    { ATM_GUNZIP_BEST, ATM_BLOB_BLOCK_BYTES, ATM_PLAIN_BLOCK_BYTES },
    { ATM_GUNZIP_BEST, 512, 1000 },
  };
  g_autoptr (GByteArray) wanted = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autoptr (GByteArray) all = g_byte_array_new ();

      if (!inflate (data, size, ways[i].kind, ways[i].in_bytes, ways[i].out_bytes, all))
        continue;
      if (wanted == NULL)
        wanted = g_steal_pointer (&all);
      else
        g_assert_cmpmem (all->data, all->len, wanted->data, wanted->len);
    }
  return 0;
}
