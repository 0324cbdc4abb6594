/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/lock.h"

/* Removal: names of images, layers that no image needs, objects that nobody needs. All of it under
   an exclusive lock of the repository. */

/**
 * atm_store_delete_image:
 * @reference: as typed, of an image or of one whose record is damaged
 * @error: %ATM_STORE_ERROR_NOT_FOUND, %G_IO_ERROR
 *
 * Removes the name. Layers and objects stay until atm_store_prune().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_delete_image (AtmStore *store, const char *reference, GCancellable *cancellable,
                                 GError **error);

/**
 * atm_store_tag_image:
 * @image: (borrowed): in the store
 * @reference: a second name for it; an image that has the name loses it
 * @error: %ATM_STORE_ERROR_UNSUPPORTED: it is too long for a second name; %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_tag_image (AtmStore *store, const AtmStoredImage *image, const char *reference,
                              GCancellable *cancellable, GError **error);

typedef struct
{
  GPtrArray *refs;     /* (owned) (element-type utf8): of layers, and of what cannot be read */
  guint n_objects;     /* that are removed */
  guint64 freed_bytes; /* their sizes. Blocks of those that checkouts still link to are not freed */
} AtmPruned;

void atm_pruned_clear (AtmPruned *pruned);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmPruned, atm_pruned_clear)

/**
 * atm_store_prune:
 * @keep: (element-type utf8): commits that are needed although no ref leads to them: those of
 *   deployments; what the store does not have of them is no error
 * @dry_run: only say what would go
 * @pruned_out: (out caller-allocates): what went
 * @error: %ATM_STORE_ERROR_LAYER: an image is damaged, so that what it needs is not known. Nothing
 *   was removed then
 *
 * The caller holds the exclusive lock. Killed at any point it leaves a repository that is whole.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_prune (AtmStore *store, GHashTable *keep, gboolean dry_run,
                          AtmPruned *pruned_out, GCancellable *cancellable, GError **error);
