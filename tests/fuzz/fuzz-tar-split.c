/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "store/path.h"
#include "store/tar-split.h"
#include "util/fd.h"

static gboolean
open_file (gpointer data G_GNUC_UNUSED, const char *path, GInputStream **content_out,
           GCancellable *cancellable G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
  g_autofree char *clean = NULL;

  g_assert_true (atm_path_clean (path, &clean, NULL));
  g_assert_cmpstr (clean, ==, path);
  *content_out = g_memory_input_stream_new_from_data (g_strnfill (100, 'x'), 100, g_free);
  return TRUE;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) list = g_bytes_new_static (data, size), archive = NULL;
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_bytes (list);
  g_autoptr (GInputStream) tar = atm_tar_split_new (stream, open_file, NULL, NULL);

  (void) !atm_read_stream (tar, 1024 * 1024, &archive, NULL, NULL);
  return 0;
}
