/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/file.h"

#include <string.h>

#include "store/store-private.h"
#include "util/error.h"
#include "util/fd.h"

gboolean
atm_store_read_file (AtmStore *store, const char *commit, const char *path, gsize max_bytes,
                     GBytes **bytes_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GFile) root = NULL, file = NULL;
  g_autoptr (GFileInputStream) stream = NULL;

  if (!ostree_repo_read_commit (store->repo, commit, &root, NULL, cancellable, error))
    return atm_prefix_error (error, "Reading the image %s", commit);
  file = g_file_resolve_relative_path (root, path + strspn (path, "/"));
  if (g_file_query_file_type (file, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS, cancellable)
      != G_FILE_TYPE_REGULAR)
    {
      *bytes_out = NULL;
      return TRUE;
    }
  stream = g_file_read (file, cancellable, error);
  return (stream != NULL
          && atm_read_stream (G_INPUT_STREAM (stream), max_bytes, bytes_out, cancellable, error))
         || atm_prefix_error (error, "Reading %s of the image %s", path, commit);
}
