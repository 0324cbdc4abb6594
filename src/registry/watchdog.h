/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Watchdogs: a time limit for something that blocks. libsoup's own limit is for one wait on a
   socket, so a server that sends a byte now and then never meets it (registry.md 3.1). */

/* AtmWatchdog: a thread that counts the time for everybody who shares it. */
typedef struct _AtmWatchdog AtmWatchdog;

/**
 * atm_watchdog_new:
 *
 * Returns: (transfer full): may be used from any thread
 */
AtmWatchdog *atm_watchdog_new (void);
void atm_watchdog_free (AtmWatchdog *watchdog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmWatchdog, atm_watchdog_free)

/* AtmTimeLimit: one time that is counted, for one thread. */
typedef struct _AtmTimeLimit AtmTimeLimit;

/**
 * atm_time_limit_new:
 * @watchdog: (borrowed): must outlive it
 * @cancellable: (nullable) (borrowed): what ends the matter otherwise
 *
 * Returns: (transfer full): a limit that does not run yet
 */
AtmTimeLimit *atm_time_limit_new (AtmWatchdog *watchdog, GCancellable *cancellable);
void atm_time_limit_free (AtmTimeLimit *limit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTimeLimit, atm_time_limit_free)

/**
 * atm_time_limit_start:
 * @msec: from now on, instead of what was left; 0 stops the clock
 */
void atm_time_limit_start (AtmTimeLimit *limit, guint msec);

/**
 * atm_time_limit_get_cancellable:
 *
 * Returns: (borrowed): what is to be given to the call that may block: cancelled with the one that
 *   the limit was made with, and when the time is up
 */
GCancellable *atm_time_limit_get_cancellable (AtmTimeLimit *limit);

/**
 * atm_time_limit_is_over:
 *
 * Returns: whether it was the time, and not the user, that ended the call
 */
gboolean atm_time_limit_is_over (AtmTimeLimit *limit);
