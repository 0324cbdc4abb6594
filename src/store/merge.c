/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/merge.h"

#include <string.h>

#include "store/store.h"
#include "util/error.h"
#include "util/text.h"

/* A step is about one look-up; copying this many bytes of a link target costs as much. */
#define BYTES_PER_STEP 64
#define ENTRIES_PER_CANCEL_CHECK 4096

typedef struct
{
  AtmTree *tree;         /* (borrowed) */
  const AtmLayer *layer; /* (borrowed) */
  guint number;
  const AtmStoreLimits *limits;
  guint64 steps;
  GHashTable *folders; /* (owned) (nullable) (element-type utf8): paths that the layer has folders
                          at; only while whiteouts are applied */
  GArray *late_links;  /* (owned) (element-type guint): hard links before their targets */
  guint n_replaced;
  char *first_replaced; /* (owned) (nullable) */
} Merge;

static void
merge_clear (Merge *merge)
{
  g_clear_pointer (&merge->folders, g_hash_table_unref);
  g_clear_pointer (&merge->late_links, g_array_unref);
  g_free (merge->first_replaced);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Merge, merge_clear)

static gboolean
throw_entry (GError **error, const char *path, const char *why)
{
  g_autofree char *shown = atm_text_escape (path);

  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER, "/%s: %s", shown, why);
}

static gboolean
charge (Merge *merge, guint64 steps, GError **error)
{
  merge->steps += steps;
  if (merge->steps > merge->limits->steps_max)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The paths of the layer take more than %" G_GUINT64_FORMAT
                      " steps to resolve",
                      merge->limits->steps_max);
  return TRUE;
}

/* A walk along a path from the root of the tree; links are followed inside it. */
typedef struct
{
  const char *path;  /* (borrowed): what was asked for */
  gsize path_length; /* a prefix of @path may be asked for */
  GString *rest;     /* (owned): what is still to go: targets of links, then the end of @path */
  gsize at;          /* in @rest */
  gsize target_tail; /* while more than this is left, we are in the target of some link … */
  gsize lower_tail;  /* … or of a link of a lower layer */
  guint links;
} Walk;

static void
walk_clear (Walk *walk)
{
  g_string_free (walk->rest, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walk, walk_clear)

/* Puts the target of a link in front of what is left. */
static gboolean
follow (Merge *merge, Walk *walk, const AtmNode *link, AtmNode **at, gsize left, GError **error)
{
  const gsize tail = walk->rest->len - walk->at;

  if (!charge (merge, 1 + walk->rest->len / BYTES_PER_STEP, error))
    return FALSE;
  if (left <= walk->target_tail)
    walk->target_tail = tail;
  if (left <= walk->lower_tail && link->layer < merge->number)
    walk->lower_tail = tail;
  *at = link->target[0] == '/' ? atm_tree_get_root (merge->tree) : link->parent;
  g_string_erase (walk->rest, 0, (gssize) walk->at);
  g_string_prepend_c (walk->rest, '/');
  g_string_prepend (walk->rest, link->target);
  walk->at = 0;
  return TRUE;
}

/* Whether the layer itself has a folder at the part of the path that was walked so far. */
static gboolean
is_replaced (Merge *merge, const Walk *walk)
{
  const gsize left = walk->rest->len - walk->at;
  g_autofree char *prefix = NULL;

  if (merge->folders == NULL)
    return FALSE;
  prefix = g_strndup (walk->path, walk->path_length - left);
  if (g_str_has_suffix (prefix, "/"))
    prefix[strlen (prefix) - 1] = '\0';
  return g_hash_table_contains (merge->folders, prefix);
}

static gboolean
make_folder (Merge *merge, AtmNode *parent, const char *name, guint entry, AtmNode **node_out,
             GError **error)
{
  if (!atm_tree_put (merge->tree, parent, name, ATM_NODE_FOLDER, NULL, NULL, node_out, error))
    return FALSE;
  (*node_out)->layer = merge->number;
  (*node_out)->entry = entry;
  return TRUE;
}

/* What stands at one component is not a folder: make one, or say why not. */
static gboolean
step_without_folder (Merge *merge, Walk *walk, AtmNode *parent, const char *name, AtmNode *found,
                     gsize left, guint entry, AtmNode **node_out, GError **error)
{
  if (found == NULL && left > walk->lower_tail)
    return throw_entry (error, walk->path, "a link of a lower layer on the way leads nowhere");
  if (found == NULL && strlen (name) > ATM_COMPONENT_MAX_BYTES)
    return throw_entry (error, walk->path, "a link on the way has a component of over 255 bytes");
  if (found != NULL && left > walk->target_tail)
    return throw_entry (error, walk->path, "a link on the way leads to what is not a folder");
  if (found != NULL && found->layer == merge->number)
    return throw_entry (error, walk->path, "the layer itself has a file where a folder must be");
  if (found != NULL && merge->n_replaced++ == 0)
    merge->first_replaced = g_strdup (walk->path);
  return make_folder (merge, parent, name, entry, node_out, error);
}

/* Walks to the folder that the first @length bytes of @path name. With @make what is missing is
   made for the entry number @entry; without, *@folder_out is NULL if there is no such folder. */
static gboolean
find_folder (Merge *merge, const char *path, gsize length, gboolean make, guint entry,
             AtmNode **folder_out, GError **error)
{
  g_auto (Walk) walk = { .path = path,
                         .path_length = length,
                         .rest = g_string_new_len (path, (gssize) length),
                         .target_tail = G_MAXSIZE,
                         .lower_tail = G_MAXSIZE };
  g_autoptr (GString) name = g_string_new (NULL);
  AtmNode *at = atm_tree_get_root (merge->tree);

  *folder_out = NULL;
  while (walk.at < walk.rest->len)
    {
      const gsize left = walk.rest->len - walk.at;
      AtmNode *child;

      g_string_truncate (name, 0);
      g_string_append_len (name, walk.rest->str + walk.at,
                           (gssize) strcspn (walk.rest->str + walk.at, "/"));
      walk.at = MIN (walk.at + name->len + 1, walk.rest->len);
      if (!charge (merge, 1, error))
        return FALSE;
      if (name->len == 0 || g_str_equal (name->str, "."))
        continue;
      if (g_str_equal (name->str, ".."))
        {
          at = at->parent != NULL ? at->parent : at;
          continue;
        }

      child = atm_tree_get_child (at, name->str);
      if (child != NULL && child->kind == ATM_NODE_FOLDER)
        at = child;
      else if (child != NULL && child->kind == ATM_NODE_SYMLINK)
        {
          if (left <= walk.target_tail && is_replaced (merge, &walk))
            return TRUE;
          if (++walk.links > ATM_PATH_LINKS_MAX)
            return make ? throw_entry (error, path, "there are more than 40 links on the way")
                        : TRUE;
          if (!follow (merge, &walk, child, &at, left, error))
            return FALSE;
        }
      else if (!make)
        return TRUE;
      else if (!step_without_folder (merge, &walk, at, name->str, child, left, entry, &at, error))
        return FALSE;
    }
  *folder_out = at;
  return TRUE;
}

/* The last component is never followed: this finds the folder it is in. */
static gboolean
find_parent (Merge *merge, const char *path, gboolean make, guint entry, AtmNode **parent_out,
             const char **name_out, GError **error)
{
  const char *slash = strrchr (path, '/');

  *name_out = slash != NULL ? slash + 1 : path;
  return find_folder (merge, path, slash != NULL ? (gsize) (slash - path) : 0, make, entry,
                      parent_out, error);
}

/* Whiteouts act on the lower layers alone, so they come first, wherever they stand (store.md 6.2).
   Where the layer puts a folder over a link of a lower layer, markers in that folder mean the new
   folder and must not reach through the link; is_replaced() sees to it. */
static gboolean
apply_whiteouts (Merge *merge, GError **error)
{
  for (guint i = 0; i < merge->layer->entries->len; i++)
    {
      const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, i);
      AtmNode *folder = NULL, *node = NULL;
      const char *name = NULL;

      if (entry->kind == ATM_ENTRY_OPAQUE)
        {
          if (!find_folder (merge, entry->path, strlen (entry->path), FALSE, i, &folder, error))
            return FALSE;
          if (folder != NULL)
            atm_tree_remove_children (merge->tree, folder);
        }
      if (entry->kind == ATM_ENTRY_WHITEOUT)
        {
          if (!find_parent (merge, entry->path, FALSE, i, &folder, &name, error))
            return FALSE;
          node = folder != NULL ? atm_tree_get_child (folder, name) : NULL;
          if (node != NULL)
            atm_tree_remove (merge->tree, node);
        }
    }
  return TRUE;
}

static gboolean
put (Merge *merge, guint index, AtmNodeKind kind, const char *target, const guint8 *checksum,
     GError **error)
{
  const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, index);
  AtmNode *parent = NULL, *node = NULL;
  const char *name = NULL;

  if (!find_parent (merge, entry->path, TRUE, index, &parent, &name, error)
      || !atm_tree_put (merge->tree, parent, name, kind, target, checksum, &node, error))
    return FALSE;
  node->layer = merge->number;
  node->entry = index;
  return TRUE;
}

/* Links to what the target is now; *@found_out is FALSE if it is nothing yet. */
static gboolean
try_link (Merge *merge, guint index, gboolean *found_out, GError **error)
{
  const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, index);
  AtmNode *folder = NULL, *source = NULL;
  const char *name = NULL;
  g_autofree char *target = NULL;
  guint8 checksum[ATM_CHECKSUM_BYTES];

  *found_out = FALSE;
  if (!charge (merge, 1, error)
      || !find_parent (merge, entry->target, FALSE, index, &folder, &name, error))
    return FALSE;
  if (folder != NULL)
    source = *name != '\0' ? atm_tree_get_child (folder, name) : folder;
  if (source == NULL)
    return TRUE;
  if (source->kind == ATM_NODE_FOLDER)
    return throw_entry (error, entry->path, "a hard link to a folder");

  /* The link may replace what it links to, or a folder that holds it. */
  target = g_strdup (source->target);
  memcpy (checksum, source->checksum, sizeof checksum);
  *found_out = TRUE;
  return put (merge, index, source->kind, target, checksum, error);
}

static gboolean
apply_entry (Merge *merge, guint index, GError **error)
{
  const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, index);
  AtmNode *root = atm_tree_get_root (merge->tree), *folder = NULL, *node = NULL;
  const char *name = NULL;
  gboolean found = FALSE;

  switch (entry->kind)
    {
    case ATM_ENTRY_FOLDER:
      if (*entry->path != '\0')
        return put (merge, index, ATM_NODE_FOLDER, NULL, entry->checksum, error);
      memcpy (root->checksum, entry->checksum, ATM_CHECKSUM_BYTES);
      return TRUE;
    case ATM_ENTRY_FILE:
      return put (merge, index, ATM_NODE_FILE, NULL, entry->checksum, error);
    case ATM_ENTRY_SYMLINK:
      return put (merge, index, ATM_NODE_SYMLINK, entry->target, entry->checksum, error);
    case ATM_ENTRY_HARDLINK:
      if (!try_link (merge, index, &found, error))
        return FALSE;
      if (!found)
        g_array_append_val (merge->late_links, index);
      return TRUE;
    case ATM_ENTRY_SKIPPED:
      if (!find_parent (merge, entry->path, TRUE, index, &folder, &name, error))
        return FALSE;
      node = atm_tree_get_child (folder, name);
      if (node != NULL)
        atm_tree_remove (merge->tree, node);
      return TRUE;
    case ATM_ENTRY_WHITEOUT:
      return find_parent (merge, entry->path, TRUE, index, &folder, &name, error);
    case ATM_ENTRY_OPAQUE:
      return find_folder (merge, entry->path, strlen (entry->path), TRUE, index, &folder, error);
    default:
      return throw_entry (error, entry->path, "an entry of an unknown kind");
    }
}

/* Whether a later entry of the layer has put something else where the late link was to be. */
static gboolean
is_superseded (Merge *merge, guint index, gboolean *superseded_out, GError **error)
{
  const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, index);
  AtmNode *folder = NULL, *node = NULL;
  const char *name = NULL;

  if (!find_parent (merge, entry->path, FALSE, index, &folder, &name, error))
    return FALSE;
  node = folder != NULL ? atm_tree_get_child (folder, name) : NULL;
  *superseded_out = node != NULL && node->layer == merge->number && node->entry > index;
  return TRUE;
}

static gboolean
throw_no_target (Merge *merge, guint index, GError **error)
{
  const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, index);
  g_autofree char *shown = atm_text_escape (entry->target);
  g_autofree char *why = g_strdup_printf ("the target /%s of the hard link does not exist", shown);

  return throw_entry (error, entry->path, why);
}

/* Links that wait, by the path that they wait for. */
static GHashTable *
collect_waiting (Merge *merge, GArray *links)
{
  GHashTable *waiting
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_array_unref);

  for (guint i = 0; i < links->len; i++)
    {
      const guint index = g_array_index (links, guint, i);
      const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, index);
      GArray *same = g_hash_table_lookup (waiting, entry->target);

      if (same == NULL)
        {
          same = g_array_new (FALSE, FALSE, sizeof (guint));
          g_hash_table_insert (waiting, (gpointer) entry->target, same);
        }
      g_array_append_val (same, index);
    }
  return waiting;
}

/* A late link may wait for another one, and that for a third: whatever is settled settles those
   that wait for its path. Where the path goes through a symlink this misses it, and the next round
   has it; each round settles at least one. */
static gboolean
apply_late_links (Merge *merge, GError **error)
{
  while (merge->late_links->len > 0)
    {
      g_autoptr (GArray) links = g_steal_pointer (&merge->late_links);
      g_autoptr (GHashTable) waiting = collect_waiting (merge, links);
      g_autoptr (GArray) next = g_array_new (FALSE, FALSE, sizeof (guint));
      g_autoptr (GHashTable) settled = g_hash_table_new (NULL, NULL);

      merge->late_links = g_array_new (FALSE, FALSE, sizeof (guint));
      for (guint i = 0; i < links->len; i++)
        {
          g_array_append_val (next, g_array_index (links, guint, i));
          while (next->len > 0)
            {
              const guint index = g_array_index (next, guint, next->len - 1);
              const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, index);
              GArray *freed = NULL;
              gboolean done = FALSE;

              g_array_set_size (next, next->len - 1);
              if (g_hash_table_contains (settled, GUINT_TO_POINTER (index)))
                continue;
              if (!is_superseded (merge, index, &done, error)
                  || (!done && !try_link (merge, index, &done, error)))
                return FALSE;
              if (!done)
                continue;
              g_hash_table_add (settled, GUINT_TO_POINTER (index));
              freed = g_hash_table_lookup (waiting, entry->path);
              if (freed != NULL)
                g_array_append_vals (next, freed->data, freed->len);
              g_hash_table_remove (waiting, entry->path);
            }
        }

      for (guint i = 0; i < links->len; i++)
        {
          const guint index = g_array_index (links, guint, i);

          if (!g_hash_table_contains (settled, GUINT_TO_POINTER (index)))
            g_array_append_val (merge->late_links, index);
        }
      if (merge->late_links->len == links->len)
        return throw_no_target (merge, g_array_index (links, guint, 0), error);
    }
  return TRUE;
}

static void
collect_folders (Merge *merge)
{
  merge->folders = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < merge->layer->entries->len; i++)
    {
      const AtmEntry *entry = &g_array_index (merge->layer->entries, AtmEntry, i);

      if (entry->kind == ATM_ENTRY_FOLDER)
        g_hash_table_add (merge->folders, (gpointer) entry->path);
    }
}

gboolean
atm_merge_layer (AtmTree *tree, const AtmLayer *layer, guint number, const AtmStoreLimits *limits,
                 char **notice_out, GCancellable *cancellable, GError **error)
{
  g_auto (Merge) merge = { .tree = tree, .layer = layer, .number = number, .limits = limits };

  merge.late_links = g_array_new (FALSE, FALSE, sizeof (guint));
  collect_folders (&merge);
  if (!apply_whiteouts (&merge, error))
    return FALSE;
  g_clear_pointer (&merge.folders, g_hash_table_unref);

  for (guint i = 0; i < layer->entries->len; i++)
    if ((i % ENTRIES_PER_CANCEL_CHECK == 0
         && g_cancellable_set_error_if_cancelled (cancellable, error))
        || !apply_entry (&merge, i, error))
      return FALSE;
  if (!apply_late_links (&merge, error))
    return FALSE;

  *notice_out = NULL;
  if (merge.n_replaced > 0)
    {
      g_autofree char *shown = atm_text_escape (merge.first_replaced);

      *notice_out = g_strdup_printf ("replaced %u files of lower layers by folders (for /%s)",
                                     merge.n_replaced, shown);
    }
  return TRUE;
}
