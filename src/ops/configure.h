/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/record.h"
#include "host/system.h"
#include "ops/report.h"

/* What shall change; the rest stays. */
typedef struct
{
  gboolean set_auto_update;
  gboolean auto_update;
  gboolean set_health_window;
  int health_window_sec; /* as in #AtmRecord */
} AtmSettings;

/**
 * atm_configure:
 * @name: as typed
 * @report: (borrowed): told for whom it waits, and that a damaged record is replaced
 * @record_out: (out) (transfer full): the record as it is now
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND; of atm_claim_take(); %G_IO_ERROR
 *
 * Changes settings of a container, under its lock.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_configure (const AtmSystem *system, const char *name, const AtmSettings *settings,
                        const AtmReport *report, AtmRecord **record_out, GCancellable *cancellable,
                        GError **error);
