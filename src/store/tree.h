/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "store/layer.h"

/* Trees: files and folders in memory, as layers make them one after the other (store.md 6.2).
   Internal to store/. */

typedef enum
{
  ATM_NODE_FOLDER,
  ATM_NODE_FILE,
  ATM_NODE_SYMLINK
} AtmNodeKind;

typedef struct _AtmNode AtmNode;
struct _AtmNode
{
  char *name;      /* (borrowed): one component; “” for the root; goes with the node */
  AtmNode *parent; /* (borrowed) (nullable): %NULL for the root */
  AtmNodeKind kind;
  guint layer;          /* number of the layer that it comes from */
  guint entry;          /* its place in that layer */
  char *target;         /* (owned) (nullable): symlinks only */
  GHashTable *children; /* (owned) (nullable) (element-type utf8 AtmNode): folders only */
  guint8 checksum[ATM_CHECKSUM_BYTES]; /* folders: dirmeta; others: the object */
};

typedef struct _AtmTree AtmTree;

/**
 * atm_tree_new:
 * @folder: (array fixed-size=32): the dirmeta of the root, and of folders that no layer describes
 * @limits: (borrowed): copied
 *
 * Returns: (transfer full): an empty root
 */
AtmTree *atm_tree_new (const guint8 *folder, const AtmStoreLimits *limits);
void atm_tree_free (AtmTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTree, atm_tree_free)

AtmNode *atm_tree_get_root (AtmTree *tree);

/**
 * atm_tree_get_child:
 * @folder: a folder
 *
 * Returns: (transfer none) (nullable): the node called @name
 */
AtmNode *atm_tree_get_child (AtmNode *folder, const char *name);

/**
 * atm_tree_put:
 * @folder: a folder of @tree
 * @name: one component; what had the name is removed with all below it, but a folder that is put
 *   over a folder keeps its children
 * @target: (nullable): symlinks only
 * @checksum: (nullable) (array fixed-size=32): %NULL: that of folders that no layer describes
 * @node_out: (out) (optional) (transfer none): the node
 * @error: %ATM_STORE_ERROR_LAYER if the tree grows beyond its limits
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_tree_put (AtmTree *tree, AtmNode *folder, const char *name, AtmNodeKind kind,
                       const char *target, const guint8 *checksum, AtmNode **node_out,
                       GError **error);

/**
 * atm_tree_remove:
 * @node: (transfer full): not the root; goes with all below it
 */
void atm_tree_remove (AtmTree *tree, AtmNode *node);

/**
 * atm_tree_remove_children:
 * @folder: a folder, which stays
 */
void atm_tree_remove_children (AtmTree *tree, AtmNode *folder);

/**
 * atm_tree_write:
 * @contents_out: (out caller-allocates) (array fixed-size=32): the dirtree of the root
 * @error: %ATM_STORE_ERROR_UNSUPPORTED if a folder has too many entries; %G_IO_ERROR
 *
 * Writes the dirtrees; the dirmeta of the root is that of its node.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_tree_write (AtmTree *tree, AtmObjects *objects, guint8 *contents_out,
                         GCancellable *cancellable, GError **error);
