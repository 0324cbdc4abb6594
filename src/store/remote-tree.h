/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store-private.h"

/* Remote trees: bounds on a tree that another program has made. Internal to store/. */

/* Folders in each other: what fits into a path of ATM_PATH_MAX_BYTES. */
#define ATM_REMOTE_TREE_DEPTH_MAX 2048

/**
 * atm_remote_tree_check:
 * @contents: checksum of the root's dirtree object, which the repository has, with all below it
 * @error: %ATM_STORE_ERROR_SITE if a checkout would have more files or folders, or deeper ones,
 * than an image may have; %G_IO_ERROR
 *
 * A tree is as large as its paths, not as its objects: thirty objects that each name the next one
 * twice are a thousand million folders.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_remote_tree_check (AtmStore *store, const char *contents, GCancellable *cancellable,
                                GError **error);
