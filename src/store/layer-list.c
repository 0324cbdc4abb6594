/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

#include <string.h>

#include "store/commit.h"
#include "util/error.h"

void
atm_stored_layer_free (AtmStoredLayer *layer)
{
  if (layer == NULL)
    return;
  g_free (layer->hex);
  g_free (layer);
}

static int
compare_digests (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(AtmStoredLayer *const *) a)->hex, (*(AtmStoredLayer *const *) b)->hex);
}

/* %NULL for an image, and for what cannot be read: the list of images says so. */
static AtmStoredLayer *
load_layer (AtmStore *store, const char *ref, const char *commit)
{
  g_autoptr (GVariant) metadata = NULL;
  AtmStoredLayer *layer = NULL;
  const char *size = NULL;
  guint64 created = 0;

  if (!atm_commit_load (store, commit, &metadata, &created, NULL) || metadata == NULL
      || !g_variant_lookup (metadata, ATM_KEY_SIZE, "&s", &size))
    return NULL;
  layer = g_new0 (AtmStoredLayer, 1);
  layer->hex = g_path_get_basename (ref);
  layer->created_unix = created;
  if (!g_ascii_string_to_unsigned (size, 10, 0, G_MAXINT64, &layer->size_bytes, NULL))
    layer->size_bytes = 0;
  return layer;
}

gboolean
atm_store_list_layers (AtmStore *store, GPtrArray **layers_out, GCancellable *cancellable,
                       GError **error)
{
  g_autoptr (GPtrArray) layers
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_stored_layer_free);
  g_autoptr (GHashTable) refs = NULL;
  GHashTableIter iter;
  gpointer ref, commit;

  if (!ostree_repo_list_refs_ext (store->repo, ATM_REF_PREFIX, &refs,
                                  OSTREE_REPO_LIST_REFS_EXT_NONE, cancellable, error))
    return atm_prefix_error (error, "Listing layers");
  g_hash_table_iter_init (&iter, refs);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    {
      AtmStoredLayer *layer = atm_ref_is_blob (ref) ? load_layer (store, ref, commit) : NULL;

      if (layer != NULL)
        g_ptr_array_add (layers, layer);
    }
  g_ptr_array_sort (layers, compare_digests);
  *layers_out = g_steal_pointer (&layers);
  return TRUE;
}
