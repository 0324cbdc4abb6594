/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/report.h"

/* Locks: one process at a time changes something. A lock ends with its scope or its process. */

typedef struct
{
  int fd;
} AtmLock;

#define ATM_LOCK_INIT                                                                              \
  {                                                                                                \
    .fd = -1                                                                                       \
  }

typedef enum
{
  ATM_LOCK_WAIT,   /* for whoever has it, and tell so */
  ATM_LOCK_NO_WAIT /* rather fail */
} AtmLockMode;

/**
 * atm_lock_take:
 * @lock: a lock that is not taken
 * @path: of the lock file, whose folder exists; it stays behind
 * @what: what is worked on, for the message
 * @report: (borrowed): told if there is somebody to wait for, and who
 * @error: %G_IO_ERROR_BUSY: somebody has it, and @mode is not to wait; %G_IO_ERROR
 *   (%G_IO_ERROR_CANCELLED)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_lock_take (AtmLock *lock, const char *path, const char *what, AtmLockMode mode,
                        const AtmReport *report, GCancellable *cancellable, GError **error);
void atm_lock_clear (AtmLock *lock);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmLock, atm_lock_clear)
