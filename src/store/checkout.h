/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store-private.h"

/* Checking out: a root file system of hard links to the objects of a bare repository
   (store.md 6.4). Internal to store/. */

/**
 * atm_checkout_write:
 * @store: (borrowed): one whose content we write ourselves
 * @commit: checksum of a commit
 * @dir_fd: (borrowed): a folder on the file system of the repository
 * @name: one component; made, must not exist
 * @error: %G_IO_ERROR
 *
 * Empty files are made anew, and so is a file whose object has as many links as the file system
 * allows. Folders get owner and mode when all below them is there; until then only root may enter.
 * However deep the tree is, few descriptors are open.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_checkout_write (AtmStore *store, const char *commit, int dir_fd, const char *name,
                             GCancellable *cancellable, GError **error);
