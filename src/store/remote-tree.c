/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/remote-tree.h"

#include "util/error.h"

/* Children of %OSTREE_TREE_GVARIANT_FORMAT. */
#define TREE_FILES 0
#define TREE_FOLDERS 1

/* What is below a folder. */
typedef struct
{
  guint64 n_nodes;
  guint depth;
} Extent;

/* A folder whose children are being looked at. */
typedef struct
{
  char *checksum;    /* (owned) */
  GVariant *folders; /* (owned) */
  gsize next;        /* of @folders */
  Extent extent;     /* so far */
} Frame;

static void
frame_clear (Frame *frame)
{
  g_free (frame->checksum);
  g_variant_unref (frame->folders);
}

static gboolean
push (AtmStore *store, GArray *stack, const char *checksum, GError **error)
{
  g_autoptr (GVariant) tree = NULL, files = NULL;
  Frame frame = { 0 };

  if (!ostree_repo_load_variant (store->repo, OSTREE_OBJECT_TYPE_DIR_TREE, checksum, &tree, error))
    return FALSE;
  if (!ostree_validate_structureof_dirtree (tree, error))
    return atm_prefix_error (error, "The folder %s", checksum);
  files = g_variant_get_child_value (tree, TREE_FILES);
  frame.checksum = g_strdup (checksum);
  frame.folders = g_variant_get_child_value (tree, TREE_FOLDERS);
  frame.extent.n_nodes = g_variant_n_children (files);
  g_array_append_val (stack, frame);
  return TRUE;
}

/* Both stay below their bounds, so that sums do not overflow. */
static gboolean
add_extent (AtmStore *store, Extent *extent, const Extent *child, GError **error)
{
  extent->n_nodes += child->n_nodes + 1;
  extent->depth = MAX (extent->depth, child->depth + 1);
  if (extent->n_nodes > store->limits.nodes_max || extent->depth > ATM_REMOTE_TREE_DEPTH_MAX)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "The tree has more than %" G_GUINT64_FORMAT
                      " files and folders, or more than %d folders in each other",
                      store->limits.nodes_max, ATM_REMOTE_TREE_DEPTH_MAX);
  return TRUE;
}

/* The next child of the last frame: known already, pushed, or there is none. */
static gboolean
step (AtmStore *store, GArray *stack, GHashTable *known, GError **error)
{
  Frame *frame = &g_array_index (stack, Frame, stack->len - 1);
  g_autoptr (GVariant) checksum_v = NULL;
  g_autofree char *checksum = NULL;
  const Extent *child = NULL;

  if (frame->next == g_variant_n_children (frame->folders))
    {
      g_hash_table_replace (known, g_strdup (frame->checksum),
                            g_memdup2 (&frame->extent, sizeof frame->extent));
      g_array_set_size (stack, stack->len - 1);
      return TRUE;
    }
  g_variant_get_child (frame->folders, frame->next, "(&s@ay@ay)", NULL, &checksum_v, NULL);
  checksum = ostree_checksum_from_bytes_v (checksum_v);
  child = g_hash_table_lookup (known, checksum);
  if (child == NULL)
    {
      if (stack->len > ATM_REMOTE_TREE_DEPTH_MAX)
        return add_extent (store, &frame->extent, &(Extent){ .depth = stack->len }, error);
      return push (store, stack, checksum, error);
    }
  frame->next++;
  return add_extent (store, &frame->extent, child, error);
}

gboolean
atm_remote_tree_check (AtmStore *store, const char *contents, GCancellable *cancellable,
                       GError **error)
{
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Frame));
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Extent whole = { 0 };

  g_array_set_clear_func (stack, (GDestroyNotify) frame_clear);
  if (!push (store, stack, contents, error))
    return FALSE;
  while (stack->len > 0)
    if (g_cancellable_set_error_if_cancelled (cancellable, error)
        || !step (store, stack, known, error))
      return FALSE;
  return add_extent (store, &whole, g_hash_table_lookup (known, contents), error);
}
