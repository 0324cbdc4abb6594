/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/deployment.h"
#include "container/plan.h"
#include "host/system.h"
#include "ops/report.h"

/* The switch: makes the host correspond to other deployments than before, or leaves it as it was
   (DESIGN section 5). Install, update, rollback and uninstall are the same to it. */

#define ATM_SWITCH_ERROR (atm_switch_error_quark ())
GQuark atm_switch_error_quark (void);

typedef enum
{
  ATM_SWITCH_ERROR_REVERTED, /* the new version did not run; everything is as it was before */
  ATM_SWITCH_ERROR_PENDING   /* it could be neither finished nor undone; the plan is kept, and the
                                next command goes on with it */
} AtmSwitchError;

/* “As it was recorded for the container, else the default for the type of its unit.” */
#define ATM_HEALTH_WINDOW_DEFAULT (-1)

typedef struct
{
  int health_window_sec; /* how long a started service must stay up; ATM_HEALTH_WINDOW_DEFAULT */
} AtmSwitchOptions;

/**
 * atm_switch:
 * @plan: (borrowed): a new one with its changes; the rest of it is filled in here
 * @deployments: (borrowed) (element-type AtmDeployment) (nullable): as many as there are changes:
 *   what is to become NAME.to, complete and still under construction, or %NULL where NAME.to is
 *   there already or is none; %NULL: all are %NULL
 * @options: (borrowed) (nullable)
 * @error: %ATM_SWITCH_ERROR; else of the rooms below or %G_IO_ERROR_CANCELLED, and everything is
 *   as it was before
 *
 * The caller holds the claim of all containers (ops/claim.h). Services that run are stopped,
 * together with what systemd stops with them, the links are switched, and what ran is started again
 * and watched; when that fails all goes back, and of an update the digests are remembered as
 * refused. A cancellation before the end undoes everything, too. Whatever the end is, it is
 * recorded in the history of the containers.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switch (const AtmSystem *system, AtmPlan *plan, GPtrArray *deployments,
                     const AtmSwitchOptions *options, const AtmReport *report,
                     GCancellable *cancellable, GError **error);
