/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Rates: how many bytes all downloads together may take from the network in a second. */

typedef struct _AtmRate AtmRate;

/**
 * atm_rate_new:
 * @bytes_per_sec: 0: no limit
 *
 * Returns: (transfer full): to be shared by any number of threads
 */
AtmRate *atm_rate_new (guint64 bytes_per_sec);
void atm_rate_free (AtmRate *rate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRate, atm_rate_free)

/**
 * atm_rate_get_chunk:
 *
 * Returns: how many bytes to read at once, @max_bytes or less, so that no wait is long
 */
gsize atm_rate_get_chunk (AtmRate *rate, gsize max_bytes);

/**
 * atm_rate_take:
 * @length_bytes: that were read
 * @waited_usec_out: (out): how long it has waited
 * @error: %G_IO_ERROR_CANCELLED
 *
 * Waits until that many bytes were allowed.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_rate_take (AtmRate *rate, gsize length_bytes, gint64 *waited_usec_out,
                        GCancellable *cancellable, GError **error);
