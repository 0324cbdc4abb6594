/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/repository.h"
#include "ops/verify.h"

void atm_verified_container_free (AtmVerifiedContainer *container);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmVerifiedContainer, atm_verified_container_free)

/**
 * atm_verify_container:
 * @installed: (borrowed): a deployment
 * @damages: (element-type utf8 AtmDamage): damage that is left in the store
 * @before: (element-type utf8 AtmDamage): damage that was there, whether repaired or not
 * @wanted: FALSE: only what it shares of @before is of interest
 * @container_out: (out) (transfer full) (nullable): %NULL if there is nothing to tell of it
 * @error: %G_IO_ERROR_CANCELLED; what is wrong with one deployment is in @container_out
 *
 * For ops/verify.c: compares the files of one deployment, and puts them right with @repair.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_verify_container (const AtmSystem *system, AtmStore *store,
                               const AtmInstalled *installed, GHashTable *damages,
                               GHashTable *before, gboolean wanted, gboolean repair,
                               AtmVerifiedContainer **container_out, GCancellable *cancellable,
                               GError **error);
