/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store.h"

/* Locks of the repository, as OSTree has them: readers and writers of objects share it, who removes
   or replaces some has it alone (store.md 7). Every command holds one from its first look to its
   last. */

typedef struct
{
  AtmStore *store; /* (borrowed) (nullable): not taken */
  gboolean exclusive;
} AtmStoreLock;

/**
 * atm_store_lock_take:
 * @lock: zeroed
 * @store: (borrowed): holds no lock, nor has a transaction: nobody can wait for himself
 * @error: %G_IO_ERROR, also after core.lock-timeout-secs of waiting
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_lock_take (AtmStoreLock *lock, AtmStore *store, gboolean exclusive,
                              GCancellable *cancellable, GError **error);
void atm_store_lock_clear (AtmStoreLock *lock);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmStoreLock, atm_store_lock_clear)

/**
 * atm_store_dup_lock_path:
 *
 * Returns: (transfer full): the file that is locked, to find out who does
 */
char *atm_store_dup_lock_path (AtmStore *store);

/**
 * atm_store_would_wait:
 *
 * Returns: whether somebody holds a lock that an exclusive or shared one would wait for now
 */
gboolean atm_store_would_wait (AtmStore *store, gboolean exclusive);
