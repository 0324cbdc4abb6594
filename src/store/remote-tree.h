/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store-private.h"

/* Remote trees: bounds on a tree that another program has made. Internal to store/. */

/* Folders in each other: what fits into a path of ATM_PATH_MAX_BYTES. */
#define ATM_REMOTE_TREE_DEPTH_MAX 2048

/**
 * atm_remote_tree_take:
 * @from: (borrowed) (nullable): where the objects are that @store has not; untrusted. %NULL: @store
 *   has them all
 * @contents: checksum of the root's dirtree object
 * @meta: checksum of its dirmeta object
 * @error: %ATM_STORE_ERROR_SITE if a checkout would have more files or folders, or deeper ones,
 * than an image may have, or if an object is not what its name says; %G_IO_ERROR
 *
 * Copies objects into the open transaction, each checked against its name. Not left to libostree's
 * pull, which links the objects of a repository on the same disk after it has looked at them
 * (2022.7, “untrusted” too): their owner could go on writing to them.
 *
 * A tree is as large as its paths, not as its objects: thirty objects that each name the next one
 * twice are a thousand million folders.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_remote_tree_take (AtmStore *store, OstreeRepo *from, const char *contents,
                               const char *meta, GCancellable *cancellable, GError **error);

/**
 * atm_remote_copy_variant:
 * @variant: (borrowed): mapped from a file that others may write
 *
 * Returns: (transfer full) (nullable): its bytes as they are now; %NULL if there are more than a
 *   metadata object of OSTree may have
 */
GBytes *atm_remote_copy_variant (GVariant *variant);
