/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gio/gio.h>

#include "fuzz/fuzz.h"
#include "image/docker-archive.h"

/* A tar file as an archive of either kind: the index, the lists, a manifest that is made. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static const char *const which[] = { NULL, "@0", "q.io/x:1" };
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_bytes (bytes);
  g_autoptr (AtmArchiveFile) archive = NULL;

  if (size > 1024 * 1024
      || !atm_archive_file_open_stream (stream, "/var/tmp", &archive, NULL, NULL))
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS (which); i++)
    {
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (AtmManifest) manifest = NULL;
      g_autoptr (GBytes) served = NULL;
      g_autofree char *type = NULL;
      g_autoptr (GError) error = NULL;

      if (!atm_docker_archive_new ("fuzz", archive, which[i], &source, NULL, &error))
        {
          g_assert_nonnull (error);
          continue;
        }
      if (!atm_source_fetch_manifest (source, NULL, NULL, &served, &type, NULL, NULL)
          || !atm_manifest_parse (served, &manifest, NULL))
        continue;
      for (guint layer = 0; layer < manifest->layers->len; layer++)
        {
          g_autoptr (GBytes) blob = NULL;

          if (!atm_source_fetch_blob (source, manifest->layers->pdata[layer], 1024 * 1024, &blob,
                                      NULL, &error))
            g_clear_error (&error);
        }
    }
  return 0;
}
