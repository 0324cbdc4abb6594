/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/**
 * atm_rollback:
 * @name: of a container; untrusted
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND; %G_IO_ERROR_NOT_FOUND: there is no other deployment;
 *   %ATM_CONTAINER_ERROR_DAMAGED: it cannot be used; of trust/, if today's policy refuses its
 *   image; of atm_switch()
 *
 * Makes the other deployment the current one, with its unit, its tmpfiles fragment and its host
 * files; twice leads back (command.md 2.5, system-image.md 8.3). Nothing is asked of a network. An
 * image that is not stored any more cannot be judged, which is reported.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_rollback (const AtmSystem *system, const char *name, const AtmReport *report,
                       GCancellable *cancellable, GError **error);
