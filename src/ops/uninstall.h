/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/**
 * atm_uninstall:
 * @name: of the container; untrusted
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND, or of the rooms below; the steps can be repeated until
 *   all is gone
 *
 * Stops and disables the service, removes unit, tmpfiles fragment and deployments. The image and
 * the state directories stay (command.md 2.3).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_uninstall (const AtmSystem *system, const char *name, const AtmReport *report,
                        GCancellable *cancellable, GError **error);
