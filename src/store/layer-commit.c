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

void
atm_layer_draft_free (AtmLayerDraft *draft)
{
  if (draft == NULL)
    return;
  atm_layer_info_clear (&draft->info);
  atm_commit_draft_clear (&draft->commit);
  g_free (draft->list_digest);
  g_free (draft);
}

static GVariant *
make_metadata (const AtmLayerInfo *info, const char *list_digest)
{
  g_autofree char *digest = atm_digest_to_string (&info->digest);
  g_autofree char *diff_id = atm_digest_to_string (&info->diff_id);
  g_auto (GVariantBuilder) metadata = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  add_decimal (&metadata, ATM_KEY_SIZE, info->size_bytes);
  add_decimal (&metadata, ATM_KEY_UNCOMPRESSED_SIZE, info->uncompressed_bytes);
  add_string (&metadata, ATM_KEY_UNCOMPRESSED_DIGEST, diff_id);
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_LAYER_FORMAT,
                         g_variant_new_uint32 (ATM_LAYER_FORMAT));
  add_string (&metadata, ATM_KEY_LAYER_DIGEST, digest);
  add_string (&metadata, ATM_KEY_LAYER_MEDIA_TYPE, info->media_type);
  add_string (&metadata, ATM_KEY_LAYER_ENTRIES, list_digest);
  add_string (&metadata, ATM_KEY_LAYER_NOTICE, info->notice);
  if (info->claimed)
    g_variant_builder_add (&metadata, "{sv}", ATM_KEY_LAYER_CLAIMED, g_variant_new_boolean (TRUE));
  return g_variant_builder_end (&metadata);
}

static void
copy_info (const AtmLayerInfo *info, AtmLayerInfo *info_out)
{
  *info_out = *info;
  info_out->media_type = g_strdup (info->media_type);
  info_out->notice = g_strdup (info->notice);
}

gboolean
atm_layer_draft_new (AtmStore *store, AtmObjects *objects, const AtmLayer *layer,
                     const AtmLayerInfo *info, AtmLayerDraft **draft_out, GCancellable *cancellable,
                     GError **error)
{
  const AtmInode folder_inode = { .mode = 0755 }, empty_inode = { .mode = 0644 };
  guint8 folder[ATM_CHECKSUM_BYTES], empty[ATM_CHECKSUM_BYTES];
  g_autoptr (AtmLayerDraft) draft = g_new0 (AtmLayerDraft, 1);
  g_autoptr (AtmTree) tree = NULL;

  if (!atm_objects_put_dirmeta (objects, &folder_inode, folder, cancellable, error)
      || !atm_objects_put_file (objects, &empty_inode, NULL, 0, empty, cancellable, error)
      || !atm_layer_write (layer, objects, draft->list, &draft->list_digest, cancellable, error))
    return FALSE;

  tree = atm_tree_new (folder, &store->limits);
  for (guint i = 0; i < layer->entries->len; i++)
    if (!put_entry (tree, &g_array_index (layer->entries, AtmEntry, i), empty, error))
      return FALSE;
  if (!put_strays (tree, layer, error)
      || !put_raw (tree, ATM_LAYER_ENTRIES_NAME, ATM_NODE_FILE, NULL, draft->list, error))
    return FALSE;

  copy_info (info, &draft->info);
  if (!atm_commit_draft (objects, tree, make_metadata (info, draft->list_digest), &draft->commit,
                         cancellable, error))
    return FALSE;
  *draft_out = g_steal_pointer (&draft);
  return TRUE;
}

AtmLayerDraft *
atm_layer_draft_new_alias (const AtmLayerDraft *draft, const AtmDescriptor *descriptor)
{
  AtmLayerDraft *alias = g_new0 (AtmLayerDraft, 1);

  *alias = *draft;
  copy_info (&draft->info, &alias->info);
  alias->info.digest = descriptor->digest;
  alias->info.size_bytes = descriptor->size_bytes;
  g_free (alias->info.media_type);
  alias->info.media_type = g_strdup (descriptor->media_type);
  alias->info.claimed = TRUE;
  alias->list_digest = g_strdup (draft->list_digest);
  alias->commit.metadata = g_variant_ref_sink (make_metadata (&alias->info, alias->list_digest));
  return alias;
}

gboolean
atm_layer_draft_read (AtmStore *store, AtmObjects *objects, const AtmLayerDraft *draft,
                      AtmLayer **layer_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GInputStream) stream = NULL;

  return atm_objects_open_file (objects, draft->list, &stream, cancellable, error)
         && atm_layer_read (stream, draft->list_digest, &store->limits, layer_out, cancellable,
                            error);
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
  (void) g_variant_lookup (metadata, ATM_KEY_LAYER_CLAIMED, "b", &info->claimed);
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

/* FALSE: the list is missing or damaged. */
static gboolean
read_list (AtmStore *store, const char *commit, AtmLayerDraft *draft, AtmLayer **layer_out,
           GCancellable *cancellable, GError **error)
{
  g_autoptr (GFile) root = NULL, file = NULL;
  g_autoptr (GFileInputStream) stream = NULL;

  if (!ostree_repo_read_commit (store->repo, commit, &root, NULL, cancellable, error))
    return FALSE;
  file = g_file_get_child (root, ATM_LAYER_ENTRIES_NAME);
  if (!ostree_repo_file_ensure_resolved (OSTREE_REPO_FILE (file), error))
    return FALSE;
  stream = g_file_read (file, cancellable, error);
  if (stream == NULL
      || !atm_layer_read (G_INPUT_STREAM (stream), draft->list_digest, &store->limits, layer_out,
                          cancellable, error))
    return FALSE;
  ostree_checksum_inplace_to_bytes (ostree_repo_file_get_checksum (OSTREE_REPO_FILE (file)),
                                    draft->list);
  return TRUE;
}

gboolean
atm_layer_commit_load (AtmStore *store, const char *commit, AtmLayerDraft **draft_out,
                       AtmLayer **layer_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) metadata = NULL;
  g_autoptr (AtmLayerDraft) draft = g_new0 (AtmLayerDraft, 1);
  g_autoptr (AtmLayer) layer = NULL;
  g_autoptr (GError) local_error = NULL;
  const char *list_digest = NULL;
  gboolean complete = FALSE;

  *draft_out = NULL;
  *layer_out = NULL;
  if (!atm_commit_load (store, commit, &metadata, NULL, error))
    return FALSE;
  if (metadata == NULL || !read_info (metadata, &draft->info, &list_digest))
    return TRUE;
  draft->list_digest = g_strdup (list_digest);
  if (!read_list (store, commit, draft, &layer, cancellable, &local_error)
      || !atm_commit_load_draft (store, commit, &draft->commit, &local_error))
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
    {
      *draft_out = g_steal_pointer (&draft);
      *layer_out = g_steal_pointer (&layer);
    }
  return TRUE;
}

gboolean
atm_layer_commit_index (AtmStore *store, GHashTable **index_out, GCancellable *cancellable,
                        GError **error)
{
  g_autoptr (GHashTable) index = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GHashTable) refs = NULL;
  GHashTableIter iter;
  gpointer ref, commit;

  if (!ostree_repo_list_refs_ext (store->repo, ATM_REF_PREFIX, &refs,
                                  OSTREE_REPO_LIST_REFS_EXT_NONE, cancellable, error))
    return atm_prefix_error (error, "Listing layers");
  g_hash_table_iter_init (&iter, refs);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    {
      g_autoptr (GVariant) metadata = NULL;
      const char *diff_id = NULL;

      /* A commit that is damaged is no layer to be found. */
      if (atm_ref_is_blob (ref) && atm_commit_load (store, commit, &metadata, NULL, NULL)
          && metadata != NULL
          && g_variant_lookup (metadata, ATM_KEY_UNCOMPRESSED_DIGEST, "&s", &diff_id))
        g_hash_table_insert (index, g_strdup (diff_id), g_strdup (commit));
    }
  *index_out = g_steal_pointer (&index);
  return TRUE;
}
