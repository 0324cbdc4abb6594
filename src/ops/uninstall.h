/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

typedef enum
{
  ATM_UNINSTALL_PURGE_STATE = 1 << 0 /* state folders go, too (ops/purge.h) */
} AtmUninstallFlags;

/**
 * atm_uninstall:
 * @name: of the container; untrusted
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND; %ATM_CONTAINER_ERROR_DAMAGED: it was not installed by
 *   this program; of atm_switch(): the container is there as it was, or the next command goes on
 *
 * Stops and disables the service, removes unit, tmpfiles fragment, unchanged host files and
 * deployments. The image stays, and so do the state folders (command.md 2.3).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_uninstall (const AtmSystem *system, const char *name, AtmUninstallFlags flags,
                        const AtmReport *report, GCancellable *cancellable, GError **error);
