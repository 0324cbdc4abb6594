/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Waiting that ends when it is no longer wanted. */

/**
 * atm_wait:
 * @usec: how long; nothing or less is no wait
 * @error: %G_IO_ERROR_CANCELLED, at once
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_wait (gint64 usec, GCancellable *cancellable, GError **error);

/* What blocks and cannot be cancelled; %TRUE, or %FALSE and errno. */
typedef gboolean (*AtmBlockingFunc) (int fd, gpointer data);

/**
 * atm_wait_for:
 * @block: called in a thread that is left behind when the wait is cancelled; it must not hold
 *   anything that somebody else needs
 * @fd: (transfer full): for @block, closed after it
 * @data: (transfer full): for @block
 * @free_data: (nullable): frees @data after @block
 * @error: %G_IO_ERROR (%G_IO_ERROR_CANCELLED, at once)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_wait_for (AtmBlockingFunc block, int fd, gpointer data, GDestroyNotify free_data,
                       GCancellable *cancellable, GError **error);
