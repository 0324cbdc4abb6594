/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/tree.h"

#include <string.h>

#include "store/store.h"
#include "util/error.h"

struct _AtmTree
{
  AtmNode *root; /* (owned) */
  guint8 folder[ATM_CHECKSUM_BYTES];
  AtmStoreLimits limits;
  guint64 n_nodes;
  gsize names_bytes;
};

/* In one piece with its name: there is one for each file. */
static AtmNode *
new_node (const char *name, AtmNodeKind kind)
{
  const gsize name_size = strlen (name) + 1;
  AtmNode *node = g_malloc (sizeof (AtmNode) + name_size);

  *node = (AtmNode){ .kind = kind, .name = (char *) (node + 1) };
  memcpy (node->name, name, name_size);
  return node;
}

/* Of the node alone; its children must be gone or known to somebody else. */
static void
free_node (AtmTree *tree, AtmNode *node)
{
  tree->n_nodes--;
  tree->names_bytes -= strlen (node->name) + 1;
  if (node->target != NULL)
    tree->names_bytes -= strlen (node->target) + 1;
  g_clear_pointer (&node->children, g_hash_table_unref);
  g_free (node->target);
  g_free (node);
}

/* Trees may be deeper than the stack, so what is to go waits in an array. */
static void
free_nodes (AtmTree *tree, GPtrArray *nodes)
{
  while (nodes->len > 0)
    {
      AtmNode *node = g_ptr_array_steal_index_fast (nodes, nodes->len - 1);
      GHashTableIter iter;
      gpointer child;

      if (node->children != NULL)
        {
          g_hash_table_iter_init (&iter, node->children);
          while (g_hash_table_iter_next (&iter, NULL, &child))
            g_ptr_array_add (nodes, child);
        }
      free_node (tree, node);
    }
}

AtmTree *
atm_tree_new (const guint8 *folder, const AtmStoreLimits *limits)
{
  AtmTree *tree = g_new0 (AtmTree, 1);

  tree->limits = *limits;
  memcpy (tree->folder, folder, ATM_CHECKSUM_BYTES);
  tree->root = new_node ("", ATM_NODE_FOLDER);
  memcpy (tree->root->checksum, folder, ATM_CHECKSUM_BYTES);
  tree->n_nodes = 1;
  tree->names_bytes = 1;
  return tree;
}

void
atm_tree_free (AtmTree *tree)
{
  g_autoptr (GPtrArray) nodes = NULL;

  if (tree == NULL)
    return;
  nodes = g_ptr_array_new ();
  g_ptr_array_add (nodes, tree->root);
  free_nodes (tree, nodes);
  g_free (tree);
}

AtmNode *
atm_tree_get_root (AtmTree *tree)
{
  return tree->root;
}

AtmNode *
atm_tree_get_child (AtmNode *folder, const char *name)
{
  return folder->children != NULL ? g_hash_table_lookup (folder->children, name) : NULL;
}

void
atm_tree_remove_children (AtmTree *tree, AtmNode *folder)
{
  g_autoptr (GPtrArray) nodes = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer child;

  if (folder->children == NULL)
    return;
  g_hash_table_iter_init (&iter, folder->children);
  while (g_hash_table_iter_next (&iter, NULL, &child))
    g_ptr_array_add (nodes, child);
  g_clear_pointer (&folder->children, g_hash_table_unref);
  free_nodes (tree, nodes);
}

void
atm_tree_remove (AtmTree *tree, AtmNode *node)
{
  atm_tree_remove_children (tree, node);
  g_hash_table_remove (node->parent->children, node->name);
  free_node (tree, node);
}

gboolean
atm_tree_put (AtmTree *tree, AtmNode *folder, const char *name, AtmNodeKind kind,
              const char *target, const guint8 *checksum, AtmNode **node_out, GError **error)
{
  const gsize bytes = strlen (name) + 1 + (target != NULL ? strlen (target) + 1 : 0);
  AtmNode *node = atm_tree_get_child (folder, name);

  if (node != NULL && !(kind == ATM_NODE_FOLDER && node->kind == ATM_NODE_FOLDER))
    {
      atm_tree_remove (tree, node);
      node = NULL;
    }
  if (node == NULL)
    {
      if (tree->n_nodes >= tree->limits.nodes_max
          || bytes > tree->limits.names_max_bytes - tree->names_bytes)
        return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                          "The image has more than %" G_GUINT64_FORMAT
                          " files and folders, or names of more than %" G_GSIZE_FORMAT " bytes",
                          tree->limits.nodes_max, tree->limits.names_max_bytes);
      node = new_node (name, kind);
      node->parent = folder;
      node->target = g_strdup (target);
      if (folder->children == NULL)
        folder->children = g_hash_table_new (g_str_hash, g_str_equal);
      g_hash_table_insert (folder->children, node->name, node);
      tree->n_nodes++;
      tree->names_bytes += bytes;
    }

  memcpy (node->checksum, checksum != NULL ? checksum : tree->folder, ATM_CHECKSUM_BYTES);
  if (node_out != NULL)
    *node_out = node;
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(AtmNode *const *) a)->name, (*(AtmNode *const *) b)->name);
}

static GVariant *
checksum_variant (const guint8 *checksum)
{
  return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, checksum, ATM_CHECKSUM_BYTES, 1);
}

/* @contents: dirtrees of the folders below, which have been written before. */
static GVariant *
make_dirtree (AtmNode *folder, GHashTable *contents)
{
  g_auto (GVariantBuilder) files = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(say)"));
  g_auto (GVariantBuilder) folders = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sayay)"));
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();

  if (folder->children != NULL)
    {
      GHashTableIter iter;
      gpointer child;

      g_hash_table_iter_init (&iter, folder->children);
      while (g_hash_table_iter_next (&iter, NULL, &child))
        g_ptr_array_add (sorted, child);
    }
  g_ptr_array_sort (sorted, compare_names);

  for (guint i = 0; i < sorted->len; i++)
    {
      const AtmNode *node = sorted->pdata[i];

      if (node->kind == ATM_NODE_FOLDER)
        g_variant_builder_add (&folders, "(s@ay@ay)", node->name,
                               checksum_variant (g_hash_table_lookup (contents, node)),
                               checksum_variant (node->checksum));
      else
        g_variant_builder_add (&files, "(s@ay)", node->name, checksum_variant (node->checksum));
    }
  return g_variant_new ("(a(say)a(sayay))", &files, &folders);
}

gboolean
atm_tree_write (AtmTree *tree, AtmObjects *objects, guint8 *contents_out, GCancellable *cancellable,
                GError **error)
{
  g_autoptr (GPtrArray) folders = g_ptr_array_new ();
  g_autoptr (GHashTable) contents = g_hash_table_new_full (NULL, NULL, NULL, g_free);

  /* Parents come before their children here, so the way back is the order to write in. */
  g_ptr_array_add (folders, tree->root);
  for (guint i = 0; i < folders->len; i++)
    {
      AtmNode *folder = folders->pdata[i];
      GHashTableIter iter;
      gpointer child;

      if (folder->children == NULL)
        continue;
      g_hash_table_iter_init (&iter, folder->children);
      while (g_hash_table_iter_next (&iter, NULL, &child))
        if (((AtmNode *) child)->kind == ATM_NODE_FOLDER)
          g_ptr_array_add (folders, child);
    }

  for (guint i = folders->len; i-- > 0;)
    {
      AtmNode *folder = folders->pdata[i];
      guint8 checksum[ATM_CHECKSUM_BYTES];

      if (!atm_objects_put_dirtree (objects, make_dirtree (folder, contents), folder->name,
                                    checksum, cancellable, error))
        return FALSE;
      g_hash_table_insert (contents, folder, g_memdup2 (checksum, sizeof checksum));
    }
  memcpy (contents_out, g_hash_table_lookup (contents, tree->root), ATM_CHECKSUM_BYTES);
  return TRUE;
}
