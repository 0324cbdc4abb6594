/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/remote-tree.h"

#include "util/error.h"

/* Children of %OSTREE_TREE_GVARIANT_FORMAT. */
#define TREE_FILES 0
#define TREE_FOLDERS 1

typedef struct
{
  AtmStore *store;   /* (borrowed) */
  OstreeRepo *from;  /* (borrowed) (nullable) */
  GArray *stack;     /* (owned) (element-type Frame) */
  GHashTable *known; /* (owned): checksums of folders to their Extent */
} Walk;

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

static void
walk_clear (Walk *walk)
{
  g_clear_pointer (&walk->stack, g_array_unref);
  g_clear_pointer (&walk->known, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walk, walk_clear)

GBytes *
atm_remote_copy_variant (GVariant *variant)
{
  gsize size = g_variant_get_size (variant);

  return size <= OSTREE_MAX_METADATA_SIZE ? g_bytes_new (g_variant_get_data (variant), size) : NULL;
}

/* ---- objects ---- */

static gboolean
is_wanted (const Walk *walk, OstreeObjectType type, const char *checksum, gboolean *wanted_out,
           GCancellable *cancellable, GError **error)
{
  gboolean there = FALSE;

  *wanted_out = FALSE;
  if (walk->from == NULL)
    return TRUE;
  if (!ostree_repo_has_object (walk->store->repo, type, checksum, &there, cancellable, error))
    return FALSE;
  *wanted_out = !there;
  return TRUE;
}

static gboolean
throw_damaged (GError **error, const char *checksum)
{
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                    "The object %s is damaged; have the site run “ostree fsck”", checksum);
}

static gboolean
take_metadata (const Walk *walk, OstreeObjectType type, const char *checksum,
               GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) variant = NULL, copy = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree guchar *actual = NULL;
  char actual_name[OSTREE_SHA256_STRING_LEN + 1];
  gboolean wanted = FALSE;

  if (!is_wanted (walk, type, checksum, &wanted, cancellable, error))
    return FALSE;
  if (!wanted)
    return TRUE;
  if (!ostree_repo_load_variant (walk->from, type, checksum, &variant, error))
    return FALSE;
  bytes = atm_remote_copy_variant (variant);
  if (bytes == NULL)
    return throw_damaged (error, checksum);
  copy = g_variant_ref_sink (g_variant_new_from_bytes (g_variant_get_type (variant), bytes, FALSE));
  if (!ostree_repo_write_metadata (walk->store->repo, type, NULL, copy, &actual, cancellable,
                                   error))
    return atm_prefix_error (error, "The object %s", checksum);
  ostree_checksum_inplace_from_bytes (actual, actual_name);
  return g_str_equal (actual_name, checksum) || throw_damaged (error, checksum);
}

static gboolean
take_file (const Walk *walk, GVariant *files, gsize i, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) checksum_v = NULL;
  g_autoptr (GInputStream) stream = NULL;
  g_autofree char *checksum = NULL;
  g_autofree guchar *actual = NULL;
  char actual_name[OSTREE_SHA256_STRING_LEN + 1];
  guint64 length = 0;
  gboolean wanted = FALSE;

  g_variant_get_child (files, i, "(&s@ay)", NULL, &checksum_v);
  checksum = ostree_checksum_from_bytes_v (checksum_v);
  if (!is_wanted (walk, OSTREE_OBJECT_TYPE_FILE, checksum, &wanted, cancellable, error))
    return FALSE;
  if (!wanted)
    return TRUE;
  /* Told what to expect and not asked what it is, libostree would believe it (store.md 4). */
  if (!ostree_repo_load_object_stream (walk->from, OSTREE_OBJECT_TYPE_FILE, checksum, &stream,
                                       &length, cancellable, error)
      || !ostree_repo_write_content (walk->store->repo, NULL, stream, length, &actual, cancellable,
                                     error))
    return atm_prefix_error (error, "The object %s", checksum);
  ostree_checksum_inplace_from_bytes (actual, actual_name);
  return g_str_equal (actual_name, checksum) || throw_damaged (error, checksum);
}

/* ---- folders ---- */

static gboolean
push (Walk *walk, const char *checksum, const char *meta, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) tree = NULL, files = NULL;
  Frame *frame = NULL;

  if (!take_metadata (walk, OSTREE_OBJECT_TYPE_DIR_META, meta, cancellable, error)
      || !take_metadata (walk, OSTREE_OBJECT_TYPE_DIR_TREE, checksum, cancellable, error)
      || !ostree_repo_load_variant (walk->store->repo, OSTREE_OBJECT_TYPE_DIR_TREE, checksum, &tree,
                                    error))
    return FALSE;
  if (!ostree_validate_structureof_dirtree (tree, error))
    return atm_prefix_error (error, "The folder %s", checksum);
  files = g_variant_get_child_value (tree, TREE_FILES);
  for (gsize i = 0; walk->from != NULL && i < g_variant_n_children (files); i++)
    if (!take_file (walk, files, i, cancellable, error))
      return FALSE;

  g_array_set_size (walk->stack, walk->stack->len + 1);
  frame = &g_array_index (walk->stack, Frame, walk->stack->len - 1);
  frame->checksum = g_strdup (checksum);
  frame->folders = g_variant_get_child_value (tree, TREE_FOLDERS);
  frame->extent.n_nodes = g_variant_n_children (files);
  return TRUE;
}

/* Both stay below their bounds, so that sums do not overflow. */
static gboolean
add_extent (const Walk *walk, Extent *extent, const Extent *child, GError **error)
{
  guint64 nodes_max = walk->store->limits.nodes_max;

  extent->n_nodes += child->n_nodes + 1;
  extent->depth = MAX (extent->depth, child->depth + 1);
  if (extent->n_nodes > nodes_max || extent->depth > ATM_REMOTE_TREE_DEPTH_MAX)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "The tree has more than %" G_GUINT64_FORMAT
                      " files and folders, or more than %d folders in each other",
                      nodes_max, ATM_REMOTE_TREE_DEPTH_MAX);
  return TRUE;
}

/* The next child of the last frame: known already, pushed, or there is none. */
static gboolean
step (Walk *walk, GCancellable *cancellable, GError **error)
{
  Frame *frame = &g_array_index (walk->stack, Frame, walk->stack->len - 1);
  g_autoptr (GVariant) checksum_v = NULL, meta_v = NULL;
  g_autofree char *checksum = NULL, *meta = NULL;
  const Extent *child = NULL;

  if (frame->next == g_variant_n_children (frame->folders))
    {
      g_hash_table_replace (walk->known, g_strdup (frame->checksum),
                            g_memdup2 (&frame->extent, sizeof frame->extent));
      g_array_set_size (walk->stack, walk->stack->len - 1);
      return TRUE;
    }
  g_variant_get_child (frame->folders, frame->next, "(&s@ay@ay)", NULL, &checksum_v, &meta_v);
  checksum = ostree_checksum_from_bytes_v (checksum_v);
  meta = ostree_checksum_from_bytes_v (meta_v);
  child = g_hash_table_lookup (walk->known, checksum);
  if (child == NULL)
    {
      const Extent deep = { .depth = walk->stack->len };

      return walk->stack->len > ATM_REMOTE_TREE_DEPTH_MAX
                 ? add_extent (walk, &frame->extent, &deep, error)
                 : push (walk, checksum, meta, cancellable, error);
    }
  frame->next++;
  return take_metadata (walk, OSTREE_OBJECT_TYPE_DIR_META, meta, cancellable, error)
         && add_extent (walk, &frame->extent, child, error);
}

gboolean
atm_remote_tree_take (AtmStore *store, OstreeRepo *from, const char *contents, const char *meta,
                      GCancellable *cancellable, GError **error)
{
  g_auto (Walk) walk = { .store = store, .from = from };
  Extent whole = { 0 };

  walk.stack = g_array_new (FALSE, TRUE, sizeof (Frame));
  g_array_set_clear_func (walk.stack, (GDestroyNotify) frame_clear);
  walk.known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (!push (&walk, contents, meta, cancellable, error))
    return FALSE;
  while (walk.stack->len > 0)
    if (g_cancellable_set_error_if_cancelled (cancellable, error)
        || !step (&walk, cancellable, error))
      return FALSE;
  return add_extent (&walk, &whole, g_hash_table_lookup (walk.known, contents), error);
}
