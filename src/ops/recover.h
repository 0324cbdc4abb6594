/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/plan.h"
#include "host/system.h"
#include "ops/report.h"

/* Recovery: what a command that was killed left is finished or undone (DESIGN section 5). */

typedef enum
{
  ATM_RECOVERY_BACK,    /* undo it */
  ATM_RECOVERY_FORWARD, /* go on with it */
  ATM_RECOVERY_FINISH   /* it is complete; only what is not needed any more is to go */
} AtmRecovery;

/**
 * atm_recover_decide:
 * @checkout_fd: (borrowed): CHECKOUT
 * @plan: (borrowed): of an interrupted command
 *
 * Forward if all links are at their targets and the plan is not on trial; else back.
 */
AtmRecovery atm_recover_decide (int checkout_fd, const AtmPlan *plan);

/**
 * atm_recover_plan:
 * @plan: (borrowed): from the journal; the caller holds the locks of all its containers
 * @at_boot: systemd is about to start what is enabled
 * @error: %ATM_SWITCH_ERROR_PENDING; of the rooms below, if it could not even begin
 *
 * Does as atm_recover_decide() says. Services that ran when the command was interrupted run again,
 * unless the host was started anew since: then those that run now are started again, and at boot
 * none.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_recover_plan (const AtmSystem *system, AtmPlan *plan, gboolean at_boot,
                           const AtmReport *report, GError **error);

/**
 * atm_recover:
 * @at_boot: as there
 * @error: the first failure; the others are reported, and hold nothing up
 *
 * Recovers all that nobody is at work on, and removes what was left under construction.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_recover (const AtmSystem *system, gboolean at_boot, const AtmReport *report,
                      GError **error);
