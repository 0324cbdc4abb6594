/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store.h"

/* Usage: what images need of the store, and what only one of them needs. */

/**
 * atm_usage_add_blobs:
 * @manifest: (borrowed): untrusted, of any schema, also a broken one
 * @blobs: (element-type utf8): a set; the hex of every digest that stands in @manifest is added
 *
 * By the digits and not by the grammar: a layer or configuration that some manifest names must
 * never be taken for one that nobody needs (command.md 7, row 9).
 */
void atm_usage_add_blobs (GBytes *manifest, GHashTable *blobs);

/**
 * atm_usage_dup_commits:
 * @image: (borrowed)
 *
 * Returns: (transfer full) (array zero-terminated=1): the commits of the image: its own, and those
 *   of its layers and configuration that are in the store
 */
char **atm_usage_dup_commits (AtmStore *store, const AtmStoredImage *image);

/**
 * atm_store_has_commit:
 * @commit: untrusted
 */
gboolean atm_store_has_commit (AtmStore *store, const char *commit);

/**
 * atm_usage_measure:
 * @images: (element-type AtmStoredImage): all that are in the store
 * @unique_bytes_out: (out) (transfer full) (element-type guint64): for each of @images the bytes of
 *   the objects that no other image needs. Names of the same image share them: they are one
 * @error: %G_IO_ERROR
 *
 * An object counts once, however many files it is. Visits each folder of the store at most twice.
 * What is damaged counts as far as it can be read.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_usage_measure (AtmStore *store, GPtrArray *images, GArray **unique_bytes_out,
                            GCancellable *cancellable, GError **error);

/**
 * atm_usage_count_missing:
 * @commit: untrusted: what a deployment says that it came from
 * @missing_out: (out): how many of the objects that the commit needs are not there, or cannot be
 *   read; objects below such a one are not counted
 * @error: %G_IO_ERROR; %G_IO_ERROR_CANCELLED
 *
 * Looks for each file once and reads none; atm_store_verify() reads them.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_usage_count_missing (AtmStore *store, const char *commit, guint *missing_out,
                                  GCancellable *cancellable, GError **error);
