/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/**
 * atm_purge_state:
 * @name: of a container that is being uninstalled and does not run any more
 * @number: of the deployment that was current; one that is gone has been purged before
 * @report: (borrowed): told what is removed, and what is kept and why
 * @error: %G_IO_ERROR: the other containers could not be asked
 *
 * Removes the state folders of the container: its volumes, and what its tmpfiles fragment makes,
 * both only in STATE_DIRECTORY/NAME. A folder that another container binds, that is above or below
 * one, is kept. What cannot be removed is a notice.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_purge_state (const AtmSystem *system, int checkout_fd, const char *name, int number,
                          const AtmReport *report, GError **error);
