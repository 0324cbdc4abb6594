/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/report.h"

/* Locks: one process at a time changes a container. A lock ends with its scope or its process. */

typedef struct
{
  int fd;
} AtmLock;

#define ATM_LOCK_INIT                                                                              \
  {                                                                                                \
    .fd = -1                                                                                       \
  }

/**
 * atm_lock_take:
 * @lock: a lock that is not taken
 * @dir: where lock files are; made if it is missing
 * @name: of the container
 * @report: (borrowed): told if there is somebody to wait for
 * @error: %G_IO_ERROR (%G_IO_ERROR_CANCELLED)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_lock_take (AtmLock *lock, const char *dir, const char *name, const AtmReport *report,
                        GCancellable *cancellable, GError **error);

/**
 * atm_lock_take_file:
 * @path: of the lock file, whose folder exists; it stays behind
 * @what: what is worked on, for the message
 *
 * As atm_lock_take().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_lock_take_file (AtmLock *lock, const char *path, const char *what,
                             const AtmReport *report, GCancellable *cancellable, GError **error);
void atm_lock_clear (AtmLock *lock);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmLock, atm_lock_clear)
