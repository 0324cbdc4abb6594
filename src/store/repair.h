/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/verify.h"

/* Repairs: damaged objects replaced by the same ones, imported anew. The import goes to a
   repository of its own inside the tmp/ of the store, by the transactions of store.h, where
   libostree finds no damaged object of the same name that would be kept. */

typedef struct _AtmRepair AtmRepair;

/**
 * atm_repair_begin:
 * @store: (borrowed): must outlive the repair
 * @damages: (borrowed) (element-type AtmDamage): what is to be replaced; must outlive it, too
 * @repair_out: (out) (transfer full): an empty repository, which goes with the repair
 * @error: %G_IO_ERROR
 *
 * The caller holds a shared lock of the repository until all has been imported.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repair_begin (AtmStore *store, GPtrArray *damages, AtmRepair **repair_out,
                           GCancellable *cancellable, GError **error);
void atm_repair_free (AtmRepair *repair);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRepair, atm_repair_free)

/**
 * atm_repair_get_store:
 *
 * Returns: (transfer none): where to import
 */
AtmStore *atm_repair_get_store (AtmRepair *repair);

/**
 * atm_repair_lend_layer:
 * @descriptor: (borrowed): of a layer that an import needs next
 * @error: %G_IO_ERROR
 *
 * Links a layer that is whole into the repository of the repair, so that an import finds it there.
 * One that is damaged or not in the store is not, so that the import fetches it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repair_lend_layer (AtmRepair *repair, const AtmDescriptor *descriptor,
                                GCancellable *cancellable, GError **error);

/**
 * atm_repair_has:
 *
 * Returns: whether the object of @damage has been imported: an image with no other damage need not
 *   be imported any more
 */
gboolean atm_repair_has (AtmRepair *repair, const AtmDamage *damage);

/**
 * atm_repair_apply:
 * @error: %G_IO_ERROR
 *
 * Replaces each damaged object that was imported, healthy ones are not touched; `repaired` is set
 * in the damages that are gone. The caller holds the exclusive lock. The order is described in
 * the .c; killed at any point it leaves no more damage than there was.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repair_apply (AtmRepair *repair, GCancellable *cancellable, GError **error);

/**
 * atm_store_sweep:
 *
 * Removes what imports and repairs that were killed left. The caller holds the exclusive lock, so
 * that none is under way.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_sweep (AtmStore *store, GError **error);
