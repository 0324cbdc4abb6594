/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "store/inflate.h"
#include "store/store.h"

static const AtmStoreLimits real_limits = ATM_STORE_LIMITS_INIT;

typedef struct
{
  GInputStream *stream; /* (borrowed) */
  AtmBlockPool *pool;   /* (borrowed) */
} Source;

static gboolean
next_block (gpointer user_data, AtmBlock **block_out, GError **error)
{
  Source *source = user_data;
  g_autoptr (AtmBlock) block = atm_block_take (source->pool);

  if (!atm_block_fill (block, source->stream, NULL, error))
    return FALSE;
  *block_out = block->length_bytes > 0 ? g_steal_pointer (&block) : NULL;
  return TRUE;
}

/* Which inflater, and how large the pieces are that go in and come out: members, headers and
   trailers must be found wherever they are cut. */
static const struct
{
  AtmGunzipKind gunzip;
  gsize in_bytes;
  gsize out_bytes;
} ways[] = {
  { ATM_GUNZIP_ZLIB, ATM_BLOB_BLOCK_BYTES, ATM_PLAIN_BLOCK_BYTES },
  { ATM_GUNZIP_IGZIP, ATM_BLOB_BLOCK_BYTES, ATM_PLAIN_BLOCK_BYTES },
  { ATM_GUNZIP_ZLIB, 512, 333 },
  { ATM_GUNZIP_IGZIP, 512, 333 },
  { ATM_GUNZIP_IGZIP, 4099, 65536 },
};

static gboolean
has_way (guint way)
{
  return ways[way].gunzip != ATM_GUNZIP_IGZIP || atm_gunzip_has_igzip ();
}

/* Inflates all of @blob; the result is checked against @plain, where there is one. */
static gboolean
inflate_all (GBytes *blob, GBytes *plain, const AtmStoreLimits *limits, guint way, GError **error)
{
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_bytes (blob);
  g_autoptr (AtmBlockPool) in = atm_block_pool_new (ways[way].in_bytes);
  g_autoptr (AtmBlockPool) out = atm_block_pool_new (ways[way].out_bytes);
  Source source = { stream, in };
  g_autoptr (AtmInflate) inflate = atm_inflate_new (next_block, &source, limits, ways[way].gunzip);
  g_autoptr (GByteArray) all = g_byte_array_new ();

  for (;;)
    {
      g_autoptr (AtmBlock) block = atm_block_take (out);

      if (!atm_inflate_read (inflate, block, error))
        return FALSE;
      if (block->length_bytes == 0)
        break;
      g_byte_array_append (all, block->data, (guint) block->length_bytes);
    }
  if (plain != NULL)
    g_assert_cmpmem (all->data, all->len, g_bytes_get_data (plain, NULL), g_bytes_get_size (plain));
  return TRUE;
}

/* Half a megabyte that does not compress well, in two parts of unequal length. */
static GBytes *
noise (gsize length)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  guint8 *data = g_malloc (length);

  for (gsize i = 0; i < length; i++)
    data[i] = (guint8) (g_rand_int (rand) & 0x3f);
  return g_bytes_new_take (data, length);
}

static void
test_accepts (void)
{
  g_autoptr (GBytes) a = noise (700000), b = noise (12345), empty = g_bytes_new (NULL, 0);
  g_autoptr (GBytes) both = atm_test_concat (a, b);
  g_autoptr (GBytes) gzip_a = atm_test_gzip (a), gzip_b = atm_test_gzip (b);
  g_autoptr (GBytes) zstd_a = atm_test_zstd (a), zstd_b = atm_test_zstd (b);
  g_autoptr (GBytes) zeros = g_bytes_new_take (g_malloc0 (3000), 3000);
  g_autoptr (GBytes) skip = atm_test_zstd_skippable ();
  g_autoptr (GBytes) gzip_both = atm_test_concat (gzip_a, gzip_b);
  g_autoptr (GBytes) gzip_padded = atm_test_concat (gzip_both, zeros);
  g_autoptr (GBytes) gzip_empty = atm_test_gzip (empty), zstd_empty = atm_test_zstd (empty);
  g_autoptr (GBytes) skip_a = atm_test_concat (skip, zstd_a);
  g_autoptr (GBytes) skip_a_skip = atm_test_concat (skip_a, skip);
  g_autoptr (GBytes) skip_both = atm_test_concat (skip_a_skip, zstd_b);
  g_autoptr (GBytes) tar = atm_test_tar_of ("f a 1");
  const struct
  {
    GBytes *blob;
    GBytes *plain;
  } cases[] = {
    { gzip_a, a }, { gzip_both, both },   { gzip_padded, both }, { gzip_empty, empty },
    { zstd_a, a }, { zstd_empty, empty }, { skip_a_skip, a },    { skip_both, both },
    { tar, tar },  { empty, empty },      { zeros, zeros },      { skip, empty },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint way = 0; way < G_N_ELEMENTS (ways); way++)
      {
        g_autoptr (GError) error = NULL;

        if (!has_way (way))
          continue;
        g_test_message ("case %u, way %u", i, way);
        g_assert_true (inflate_all (cases[i].blob, cases[i].plain, &real_limits, way, &error)
                       || (g_printerr ("# %s\n", error->message), FALSE));
      }
}

static GBytes *
flip (GBytes *bytes, gsize from_end)
{
  gsize length = 0;
  guint8 *data = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));

  data[length - from_end] ^= 1;
  return g_bytes_new_take (data, length);
}

static void
test_refuses (void)
{
  g_autoptr (GBytes) a = noise (700000);
  g_autoptr (GBytes) gzip = atm_test_gzip (a), zstd = atm_test_zstd (a);
  g_autoptr (GBytes) garbage = atm_test_bytes ("garbage"), zero = g_bytes_new ("", 1);
  g_autoptr (GBytes) padding_then = atm_test_concat (zero, garbage);
  g_autoptr (GBytes) gzip_cut = atm_test_slice (gzip, 0, g_bytes_get_size (gzip) - 1);
  g_autoptr (GBytes) gzip_half = atm_test_slice (gzip, 0, g_bytes_get_size (gzip) / 2);
  g_autoptr (GBytes) gzip_garbage = atm_test_concat (gzip, garbage);
  g_autoptr (GBytes) gzip_padded = atm_test_concat (gzip, padding_then);
  g_autoptr (GBytes) gzip_second = atm_test_concat (gzip, gzip_cut);
  g_autoptr (GBytes) gzip_zero = atm_test_concat (gzip, zero);
  g_autoptr (GBytes) gzip_zero_gzip = atm_test_concat (gzip_zero, gzip);
  g_autoptr (GBytes) gzip_crc = flip (gzip, 5), gzip_length = flip (gzip, 1);
  g_autoptr (GBytes) gzip_magic = g_bytes_new_static ("\x1f\x8b", 2);
  g_autoptr (GBytes) zstd_cut = atm_test_slice (zstd, 0, g_bytes_get_size (zstd) - 1);
  g_autoptr (GBytes) zstd_garbage = atm_test_concat (zstd, garbage);
  g_autoptr (GBytes) zstd_magic = g_bytes_new_static ("\x28\xb5\x2f\xfd", 4);
  g_autoptr (GBytes) zstd_head = atm_test_slice (zstd, 0, 3);
  g_autoptr (GBytes) zstd_tail = atm_test_concat (zstd, zstd_head);
  /* A frame header that asks for a window of 2^28 bytes. */
  g_autoptr (GBytes) zstd_window = g_bytes_new_static ("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", 9);
  g_autoptr (GBytes) bzip2 = g_bytes_new_static ("BZh91AY&SY\x00\x00\x00\x00", 14);
  g_autoptr (GBytes) bzip2_1 = g_bytes_new_static ("BZh11AY&SY\x00\x00\x00\x00", 14);
  g_autoptr (GBytes) xz = g_bytes_new_static ("\xfd\x37zXZ\x00\x00\x04", 8);
  const struct
  {
    GBytes *blob;
    AtmStoreError code;
  } cases[] = {
    { gzip_cut, ATM_STORE_ERROR_LAYER },     { gzip_half, ATM_STORE_ERROR_LAYER },
    { gzip_garbage, ATM_STORE_ERROR_LAYER }, { gzip_padded, ATM_STORE_ERROR_LAYER },
    { gzip_second, ATM_STORE_ERROR_LAYER },  { gzip_zero_gzip, ATM_STORE_ERROR_LAYER },
    { gzip_crc, ATM_STORE_ERROR_LAYER },     { gzip_length, ATM_STORE_ERROR_LAYER },
    { gzip_magic, ATM_STORE_ERROR_LAYER },   { zstd_cut, ATM_STORE_ERROR_LAYER },
    { zstd_garbage, ATM_STORE_ERROR_LAYER }, { zstd_magic, ATM_STORE_ERROR_LAYER },
    { zstd_tail, ATM_STORE_ERROR_LAYER },    { zstd_window, ATM_STORE_ERROR_LAYER },
    { bzip2, ATM_STORE_ERROR_UNSUPPORTED },  { bzip2_1, ATM_STORE_ERROR_UNSUPPORTED },
    { xz, ATM_STORE_ERROR_UNSUPPORTED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint way = 0; way < G_N_ELEMENTS (ways); way++)
      {
        g_autoptr (GError) error = NULL;

        if (!has_way (way))
          continue;
        g_test_message ("case %u, way %u", i, way);
        g_assert_false (inflate_all (cases[i].blob, NULL, &real_limits, way, &error));
        g_assert_error (error, ATM_STORE_ERROR, (int) cases[i].code);
      }
}

static void
test_limits (void)
{
  g_autoptr (GBytes) zeros = g_bytes_new_take (g_malloc0 (4 << 20), 4 << 20);
  g_autoptr (GBytes) gzip = atm_test_gzip (zeros), zstd = atm_test_zstd (zeros);
  GBytes *blobs[] = { gzip, zstd };

  for (guint i = 0; i < G_N_ELEMENTS (blobs); i++)
    for (guint way = 0; way < G_N_ELEMENTS (ways); way++)
      {
        AtmStoreLimits limits = real_limits;
        g_autoptr (GError) error = NULL;

        if (!has_way (way))
          continue;
        g_assert_true (inflate_all (blobs[i], zeros, &limits, way, &error));

        limits.layer_max_bytes = (4 << 20) - 1;
        g_assert_false (inflate_all (blobs[i], NULL, &limits, way, &error));
        g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
        g_clear_error (&error);

        limits = real_limits;
        limits.ratio_from_bytes = 1 << 20;
        limits.ratio_max = 100;
        g_assert_false (inflate_all (blobs[i], NULL, &limits, way, &error));
        g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
      }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/inflate/accepts", test_accepts);
  g_test_add_func ("/inflate/refuses", test_refuses);
  g_test_add_func ("/inflate/limits", test_limits);
  return g_test_run ();
}
