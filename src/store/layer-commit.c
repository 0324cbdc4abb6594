/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/layer-commit.h"

#include <string.h>

#include "util/error.h"

void
atm_layer_info_clear (AtmLayerInfo *info)
{
  g_clear_pointer (&info->media_type, g_free);
  g_clear_pointer (&info->notice, g_free);
}

char *
atm_layer_commit_get_ref (const AtmDigest *digest)
{
  return g_strconcat (ATM_REF_PREFIX "/", digest->hex, NULL);
}

/* The node at a path, no link followed; with @make missing folders are made. NULL in *@node_out: a
   file or a link stands where a folder must be. */
static gboolean
find_parent (AtmTree *tree, const char *path, gboolean make, AtmNode **parent_out,
             const char **name_out, GError **error)
{
  AtmNode *at = atm_tree_get_root (tree);
  const char *slash;

  *parent_out = NULL;
  for (; (slash = strchr (path, '/')) != NULL; path = slash + 1)
    {
      g_autofree char *name = g_strndup (path, (gsize) (slash - path));
      AtmNode *child = atm_tree_get_child (at, name);

      if (child == NULL && make
          && !atm_tree_put (tree, at, name, ATM_NODE_FOLDER, NULL, NULL, &child, error))
        return FALSE;
      if (child == NULL || child->kind != ATM_NODE_FOLDER)
        return TRUE;
      at = child;
    }
  *parent_out = at;
  *name_out = path;
  return TRUE;
}

static gboolean
put_raw (AtmTree *tree, const char *path, AtmNodeKind kind, const char *target,
         const guint8 *checksum, GError **error)
{
  AtmNode *parent = NULL;
  const char *name = NULL;

  if (!find_parent (tree, path, TRUE, &parent, &name, error))
    return FALSE;
  if (parent != NULL && *name == '\0')
    memcpy (parent->checksum, checksum, ATM_CHECKSUM_BYTES);
  return parent == NULL || *name == '\0'
         || atm_tree_put (tree, parent, name, kind, target, checksum, NULL, error);
}

static gboolean
find_raw (AtmTree *tree, const char *path, const AtmNode **node_out, GError **error)
{
  AtmNode *parent = NULL;
  const char *name = NULL;

  if (!find_parent (tree, path, FALSE, &parent, &name, error))
    return FALSE;
  if (parent == NULL)
    *node_out = NULL;
  else
    *node_out = *name != '\0' ? atm_tree_get_child (parent, name) : parent;
  return TRUE;
}

static gboolean
put_whiteout (AtmTree *tree, const AtmEntry *entry, const guint8 *empty, GError **error)
{
  g_autofree char *folder = NULL, *path = NULL;
  const char *slash = strrchr (entry->path, '/');

  if (entry->kind == ATM_ENTRY_OPAQUE)
    path = *entry->path != '\0' ? g_strconcat (entry->path, "/.wh..wh..opq", NULL)
                                : g_strdup (".wh..wh..opq");
  else
    {
      folder = slash != NULL ? g_strndup (entry->path, (gsize) (slash - entry->path + 1))
                             : g_strdup ("");
      path = g_strconcat (folder, ".wh.", slash != NULL ? slash + 1 : entry->path, NULL);
    }
  return put_raw (tree, path, ATM_NODE_FILE, NULL, empty, error);
}

static gboolean
put_entry (AtmTree *tree, const AtmEntry *entry, const guint8 *empty, GError **error)
{
  const AtmNode *source = NULL;

  switch (entry->kind)
    {
    case ATM_ENTRY_FOLDER:
      return put_raw (tree, entry->path, ATM_NODE_FOLDER, NULL, entry->checksum, error);
    case ATM_ENTRY_FILE:
      return put_raw (tree, entry->path, ATM_NODE_FILE, NULL, entry->checksum, error);
    case ATM_ENTRY_SYMLINK:
      return put_raw (tree, entry->path, ATM_NODE_SYMLINK, entry->target, entry->checksum, error);
    case ATM_ENTRY_HARDLINK:
      if (!find_raw (tree, entry->target, &source, error))
        return FALSE;
      if (source != NULL && source->kind != ATM_NODE_FOLDER)
        {
          g_autofree char *target = g_strdup (source->target);
          guint8 checksum[ATM_CHECKSUM_BYTES];

          memcpy (checksum, source->checksum, sizeof checksum);
          return put_raw (tree, entry->path, source->kind, target, checksum, error);
        }
      return TRUE;
    case ATM_ENTRY_WHITEOUT:
    case ATM_ENTRY_OPAQUE:
      return put_whiteout (tree, entry, empty, error);
    case ATM_ENTRY_SKIPPED:
    default:
      return TRUE;
    }
}

/* Whatever the list names must be in the tree, wherever it is. */
static gboolean
put_strays (AtmTree *tree, const AtmLayer *layer, GError **error)
{
  for (guint i = 0; i < layer->entries->len; i++)
    {
      const AtmEntry *entry = &g_array_index (layer->entries, AtmEntry, i);
      const AtmNode *node = NULL;
      char hex[OSTREE_SHA256_STRING_LEN + 1];
      g_autofree char *path = NULL;

      if (entry->kind != ATM_ENTRY_FOLDER && entry->kind != ATM_ENTRY_FILE
          && entry->kind != ATM_ENTRY_SYMLINK)
        continue;
      if (!find_raw (tree, entry->path, &node, error))
        return FALSE;
      if (node != NULL && (node->kind == ATM_NODE_FOLDER) == (entry->kind == ATM_ENTRY_FOLDER)
          && memcmp (node->checksum, entry->checksum, ATM_CHECKSUM_BYTES) == 0)
        continue;

      ostree_checksum_inplace_from_bytes (entry->checksum, hex);
      path = g_strdup_printf ("%s/%c%s", ATM_LAYER_STRAYS_NAME, (char) entry->kind, hex);
      if (!put_raw (tree, path, entry->kind == ATM_ENTRY_FOLDER ? ATM_NODE_FOLDER : ATM_NODE_FILE,
                    NULL, entry->checksum, error))
        return FALSE;
    }
  return TRUE;
}

static void
add_string (GVariantBuilder *builder, const char *key, const char *value)
{
  if (value != NULL)
    g_variant_builder_add (builder, "{sv}", key, g_variant_new_string (value));
}

static void
add_decimal (GVariantBuilder *builder, const char *key, guint64 value)
{
  g_variant_builder_add (builder, "{sv}", key, g_variant_new_printf ("%" G_GUINT64_FORMAT, value));
}

gboolean
atm_layer_commit_write (AtmStore *store, AtmObjects *objects, const AtmLayer *layer,
                        const AtmLayerInfo *info, char **commit_out, GCancellable *cancellable,
                        GError **error)
{
  const AtmInode folder_inode = { .mode = 0755 }, empty_inode = { .mode = 0644 };
  guint8 folder[ATM_CHECKSUM_BYTES], empty[ATM_CHECKSUM_BYTES], list[ATM_CHECKSUM_BYTES];
  g_autofree char *list_digest = NULL, *digest = NULL, *diff_id = NULL;
  g_autoptr (AtmTree) tree = NULL;
  g_auto (GVariantBuilder) metadata = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  if (!atm_objects_put_dirmeta (objects, &folder_inode, folder, cancellable, error))
    return FALSE;
  atm_objects_begin_file (objects, &empty_inode);
  if (!atm_objects_finish_file (objects, empty, cancellable, error)
      || !atm_layer_write (layer, objects, list, &list_digest, cancellable, error))
    return FALSE;

  tree = atm_tree_new (folder, &store->limits);
  for (guint i = 0; i < layer->entries->len; i++)
    if (!put_entry (tree, &g_array_index (layer->entries, AtmEntry, i), empty, error))
      return FALSE;
  if (!put_strays (tree, layer, error)
      || !put_raw (tree, ATM_LAYER_ENTRIES_NAME, ATM_NODE_FILE, NULL, list, error))
    return FALSE;

  digest = atm_digest_to_string (&info->digest);
  diff_id = atm_digest_to_string (&info->diff_id);
  add_decimal (&metadata, ATM_KEY_SIZE, info->size_bytes);
  add_decimal (&metadata, ATM_KEY_UNCOMPRESSED_SIZE, info->uncompressed_bytes);
  add_string (&metadata, ATM_KEY_UNCOMPRESSED_DIGEST, diff_id);
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_LAYER_FORMAT,
                         g_variant_new_uint32 (ATM_LAYER_FORMAT));
  add_string (&metadata, ATM_KEY_LAYER_DIGEST, digest);
  add_string (&metadata, ATM_KEY_LAYER_MEDIA_TYPE, info->media_type);
  add_string (&metadata, ATM_KEY_LAYER_ENTRIES, list_digest);
  add_string (&metadata, ATM_KEY_LAYER_NOTICE, info->notice);
  return atm_commit_write (store, objects, tree, g_variant_builder_end (&metadata), commit_out,
                           cancellable, error);
}

/* FALSE: the commit is none of ours, or says what we would not. */
static gboolean
read_info (GVariant *metadata, AtmLayerInfo *info, const char **list_digest_out)
{
  const char *digest = NULL, *diff_id = NULL, *size = NULL, *uncompressed = NULL;
  guint32 format = 0;

  if (!g_variant_lookup (metadata, ATM_KEY_LAYER_FORMAT, "u", &format) || format != ATM_LAYER_FORMAT
      || !g_variant_lookup (metadata, ATM_KEY_LAYER_DIGEST, "&s", &digest)
      || !g_variant_lookup (metadata, ATM_KEY_UNCOMPRESSED_DIGEST, "&s", &diff_id)
      || !g_variant_lookup (metadata, ATM_KEY_SIZE, "&s", &size)
      || !g_variant_lookup (metadata, ATM_KEY_UNCOMPRESSED_SIZE, "&s", &uncompressed)
      || !g_variant_lookup (metadata, ATM_KEY_LAYER_ENTRIES, "&s", list_digest_out)
      || !atm_digest_parse (digest, &info->digest, NULL)
      || !atm_digest_parse (diff_id, &info->diff_id, NULL)
      || !g_ascii_string_to_unsigned (size, 10, 0, G_MAXINT64, &info->size_bytes, NULL)
      || !g_ascii_string_to_unsigned (uncompressed, 10, 0, G_MAXINT64, &info->uncompressed_bytes,
                                      NULL))
    return FALSE;
  (void) g_variant_lookup (metadata, ATM_KEY_LAYER_MEDIA_TYPE, "s", &info->media_type);
  (void) g_variant_lookup (metadata, ATM_KEY_LAYER_NOTICE, "s", &info->notice);
  return TRUE;
}

static gboolean
has_objects (AtmStore *store, const AtmLayer *layer, gboolean *complete_out,
             GCancellable *cancellable, GError **error)
{
  *complete_out = FALSE;
  for (guint i = 0; i < layer->entries->len; i++)
    {
      const AtmEntry *entry = &g_array_index (layer->entries, AtmEntry, i);
      const OstreeObjectType type
          = entry->kind == ATM_ENTRY_FOLDER ? OSTREE_OBJECT_TYPE_DIR_META : OSTREE_OBJECT_TYPE_FILE;
      char hex[OSTREE_SHA256_STRING_LEN + 1];
      gboolean there = FALSE;

      if (entry->kind != ATM_ENTRY_FOLDER && entry->kind != ATM_ENTRY_FILE
          && entry->kind != ATM_ENTRY_SYMLINK)
        continue;
      ostree_checksum_inplace_from_bytes (entry->checksum, hex);
      if (!ostree_repo_has_object (store->repo, type, hex, &there, cancellable, error))
        return FALSE;
      if (!there)
        return TRUE;
    }
  *complete_out = TRUE;
  return TRUE;
}

gboolean
atm_layer_commit_load (AtmStore *store, const char *commit, AtmLayerInfo *info_out,
                       AtmLayer **layer_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) metadata = NULL;
  g_autoptr (GFile) root = NULL, file = NULL;
  g_autoptr (GFileInputStream) stream = NULL;
  g_autoptr (AtmLayer) layer = NULL;
  g_autoptr (GError) local_error = NULL;
  const char *list_digest = NULL;
  gboolean complete = FALSE;

  *layer_out = NULL;
  if (!atm_commit_load (store, commit, &metadata, NULL, error))
    return FALSE;
  if (metadata == NULL || !read_info (metadata, info_out, &list_digest))
    return TRUE;

  if (ostree_repo_read_commit (store->repo, commit, &root, NULL, cancellable, &local_error))
    {
      file = g_file_get_child (root, ATM_LAYER_ENTRIES_NAME);
      stream = g_file_read (file, cancellable, &local_error);
    }
  if (stream == NULL
      || !atm_layer_read (G_INPUT_STREAM (stream), list_digest, &store->limits, &layer, cancellable,
                          &local_error))
    {
      /* Whatever is wrong with it, fetching the layer again puts it right. */
      if (!g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }

  if (!has_objects (store, layer, &complete, cancellable, error))
    return FALSE;
  if (complete)
    *layer_out = g_steal_pointer (&layer);
  return TRUE;
}
