/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/python-layer.h"

#include "store/commit.h"
#include "store/file.h"
#include "store/layer-commit.h"
#include "store/tar-split.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/text.h"

#define KEY_HEADERS "tarsplit.output"

/* A file of the layer as the tree has it; the archive may have reached it through a link, and such
   a layer must be pulled again. */
static gboolean
open_file (gpointer data, const char *path, GInputStream **content_out, GCancellable *cancellable,
           GError **error)
{
  GFile *root = data;
  g_autoptr (GFile) file = g_file_resolve_relative_path (root, path);
  g_autofree char *shown = atm_text_escape (path);
  GFileInputStream *stream = NULL;

  if (g_file_query_file_type (file, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS, cancellable)
      != G_FILE_TYPE_REGULAR)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The file /%s of the stored layer is missing", shown);
  stream = g_file_read (file, cancellable, error);
  if (stream == NULL)
    return atm_prefix_error (error, "/%s", shown);
  *content_out = G_INPUT_STREAM (stream);
  return TRUE;
}

/* (transfer full) (nullable): what the ref of a blob leads to. */
static char *
find_commit (AtmStore *store, const AtmDigest *digest)
{
  g_autofree char *ref = atm_layer_commit_get_ref (digest);
  char *commit = NULL;

  /* A ref that cannot be read is as good as none. */
  return ostree_repo_resolve_rev (store->repo, ref, TRUE, &commit, NULL) ? commit : NULL;
}

gboolean
atm_python_layer_open (AtmStore *store, const AtmDigest *digest, GInputStream **tar_out,
                       GCancellable *cancellable, GError **error)
{
  g_autofree char *commit = find_commit (store, digest);
  g_autoptr (GVariant) metadata = NULL;
  g_autoptr (GBytes) packed = NULL;
  g_autoptr (GInputStream) packed_stream = NULL, list = NULL;
  g_autoptr (GZlibDecompressor) gunzip = NULL;
  GFile *root = NULL;
  const char *headers = NULL;

  *tar_out = NULL;
  if (commit == NULL)
    return TRUE;
  if (!atm_commit_load (store, commit, &metadata, NULL, error))
    return FALSE;
  if (metadata == NULL || !g_variant_lookup (metadata, KEY_HEADERS, "&s", &headers))
    return TRUE;
  packed = atm_base64_decode (headers);
  if (packed == NULL)
    return TRUE;
  if (!ostree_repo_read_commit (store->repo, commit, &root, NULL, cancellable, error))
    return FALSE;
  packed_stream = g_memory_input_stream_new_from_bytes (packed);
  gunzip = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  list = g_converter_input_stream_new (packed_stream, G_CONVERTER (gunzip));
  *tar_out = atm_tar_split_new (list, open_file, root, g_object_unref);
  return TRUE;
}

GBytes *
atm_python_config_load (AtmStore *store, GBytes *manifest, GCancellable *cancellable)
{
  g_autoptr (AtmManifest) parsed = NULL;
  g_autofree char *commit = NULL;
  g_autoptr (GBytes) config = NULL;

  /* Whatever is missing or damaged, there is no configuration then. */
  if (!atm_manifest_parse (manifest, &parsed, NULL))
    return NULL;
  commit = find_commit (store, &parsed->config.digest);
  if (commit == NULL
      || !atm_store_read_file (store, commit, "/content", ATM_CONFIG_MAX_BYTES, &config,
                               cancellable, NULL)
      || config == NULL || !atm_digest_check (&parsed->config.digest, config, "", NULL))
    return NULL;
  return g_steal_pointer (&config);
}
