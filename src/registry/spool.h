/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Spools: a file that one thread writes and another one reads at the same time. The reader sees the
   end only after the writer has said that the whole is what it should be. */

#define ATM_SPOOL_ERROR (atm_spool_error_quark ())
GQuark atm_spool_error_quark (void);

typedef enum
{
  ATM_SPOOL_ERROR_RESTARTED /* what was read so far is void: the writer began again */
} AtmSpoolError;

typedef struct _AtmSpool AtmSpool;

/**
 * atm_spool_new:
 * @fd: (transfer full): open for reading and writing; nothing of the file counts yet
 *
 * Returns: (transfer full): for any number of threads
 */
AtmSpool *atm_spool_new (int fd);
AtmSpool *atm_spool_ref (AtmSpool *spool);
void atm_spool_unref (AtmSpool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSpool, atm_spool_unref)

/* ---- for the writer ---- */

/**
 * atm_spool_get_fd:
 *
 * Returns: (borrowed): the file; to be written through the functions below only
 */
int atm_spool_get_fd (AtmSpool *spool);

/**
 * atm_spool_admit:
 *
 * The next @length_bytes that stand in the file already count.
 */
void atm_spool_admit (AtmSpool *spool, gsize length_bytes);

/**
 * atm_spool_append:
 * @error: %G_IO_ERROR (%G_IO_ERROR_NO_SPACE)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_spool_append (AtmSpool *spool, gconstpointer data, gsize length_bytes, GError **error);

/**
 * atm_spool_restart:
 * @error: %G_IO_ERROR
 *
 * Makes the file empty. Readers that have read something fail with %ATM_SPOOL_ERROR_RESTARTED.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_spool_restart (AtmSpool *spool, GError **error);

/**
 * atm_spool_end:
 * @failure: (nullable): what readers are told, at once; %NULL: the file is whole and verified
 *
 * Only the first call counts.
 */
void atm_spool_end (AtmSpool *spool, const GError *failure);

/* ---- for readers ---- */

guint64 atm_spool_get_size (AtmSpool *spool);

/**
 * atm_spool_get_restarts:
 *
 * Returns: how often the writer began again
 */
guint atm_spool_get_restarts (AtmSpool *spool);

/**
 * atm_spool_wait:
 * @error: what the writer ended with; %G_IO_ERROR_CANCELLED
 *
 * Waits until the writer has ended.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_spool_wait (AtmSpool *spool, GCancellable *cancellable, GError **error);

/**
 * atm_spool_open_stream:
 *
 * Returns: (transfer full): the file from its beginning. A read waits for bytes; it fails with what
 *   the writer ended with, or with %ATM_SPOOL_ERROR_RESTARTED
 */
GInputStream *atm_spool_open_stream (AtmSpool *spool);
