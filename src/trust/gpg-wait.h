/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <gpgme.h>

/* Waiting for gpg: an operation of gpgme, the clock and the user at once. gpgme's own waiting has
   no time limit, and gpgme_cancel_async() is heard only when gpg writes something. */
typedef struct _AtmGpgWait AtmGpgWait;

/**
 * atm_gpg_wait_new:
 * @context: (borrowed): its I/O is ours from now on; must live longer
 *
 * Returns: (transfer full): to be used for one operation after the other
 */
AtmGpgWait *atm_gpg_wait_new (gpgme_ctx_t context);
void atm_gpg_wait_free (AtmGpgWait *wait);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmGpgWait, atm_gpg_wait_free)

/**
 * atm_gpg_wait_run:
 * @seconds_max: after these the operation is cancelled
 * @result_out: (out): what gpgme says of the operation that was started
 * @error: %ATM_TRUST_ERROR_LIMIT_EXCEEDED, %G_IO_ERROR_CANCELLED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_gpg_wait_run (AtmGpgWait *wait, guint seconds_max, gpgme_error_t *result_out,
                           GCancellable *cancellable, GError **error);
