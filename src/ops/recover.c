/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/recover.h"

#include <errno.h>
#include <fcntl.h>

#include "container/deployment.h"
#include "ops/claim.h"
#include "ops/switch-private.h"
#include "ops/switch.h"
#include "util/error.h"
#include "util/fd.h"

#define UNDONE_NOTE "it was interrupted, and undone by the next command"
#define FINISHED_NOTE "it was interrupted, and finished by the next command"

static char *
dup_names (const AtmPlan *plan)
{
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < plan->changes->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? ", " : "",
                            ((AtmPlanChange *) plan->changes->pdata[i])->name);
  return g_string_free (names, FALSE);
}

/* What is running now takes the place of what ran before the host was started anew, and is written
   down: this may be interrupted, too. */
static gboolean
note_running (AtmSwitching *switching, GError **error)
{
  g_autoptr (AtmPlan) now = atm_plan_new (switching->plan->verb);

  g_free (switching->plan->boot_id);
  switching->plan->boot_id = g_steal_pointer (&now->boot_id);
  return atm_switch_find_running (switching, error)
         && atm_plan_write (switching->plan, switching->checkout_fd, error);
}

/* Somebody may have started what did not run when the plan was made. */
static gboolean
stop_all (AtmSwitching *switching, GError **error)
{
  const AtmPlan *plan = switching->plan;

  if (switching->booting)
    return TRUE;
  return ((*plan->running != NULL && atm_plan_is_of_this_boot (plan))
          || note_running (switching, error))
         && atm_switch_stop (switching, error);
}

static gboolean
go_on (AtmSwitching *switching, GError **error)
{
  if (!stop_all (switching, error))
    return FALSE;
  if (!atm_converge_files (switching, ATM_DIRECTION_FORWARD, error)
      || !atm_converge_services (switching, ATM_DIRECTION_FORWARD, error))
    return FALSE;
  if (!switching->booting && !g_str_equal (switching->plan->verb, "uninstall"))
    atm_switch_start_again (switching);
  return atm_switch_finish (switching, FINISHED_NOTE, error);
}

/* An installation that cannot be finished can still be undone; nothing runs from it. */
static gboolean
finish (AtmSwitching *switching, AtmRecovery recovery, const char *names, GError **error)
{
  const char *verb = switching->plan->verb;
  g_autoptr (GError) local = NULL;

  if (recovery == ATM_RECOVERY_FINISH ? atm_switch_finish (switching, NULL, &local)
                                      : go_on (switching, &local))
    {
      atm_report (switching->report, ATM_REPORT_NOTICE, "%s: finished the interrupted %s", names,
                  verb);
      return TRUE;
    }
  if (g_str_equal (verb, "install"))
    {
      atm_report (switching->report, ATM_REPORT_NOTICE,
                  "%s: the interrupted install cannot be finished and is undone: %s", names,
                  local->message);
      return atm_switch_back (switching, FALSE, UNDONE_NOTE, error);
    }
  return atm_throw (error, ATM_SWITCH_ERROR, ATM_SWITCH_ERROR_PENDING,
                    "%s: the interrupted %s could not be finished: %s; the next atomic command "
                    "tries again, by what stands in %s/.storage/journal",
                    names, verb, local->message, switching->system->checkout);
}

AtmRecovery
atm_recover_decide (int checkout_fd, const AtmPlan *plan)
{
  if (plan->trial || !atm_switch_has_links (plan, checkout_fd, ATM_DIRECTION_FORWARD))
    return ATM_RECOVERY_BACK;
  return plan->confirmed ? ATM_RECOVERY_FINISH : ATM_RECOVERY_FORWARD;
}

gboolean
atm_recover_plan (const AtmSystem *system, AtmPlan *plan, gboolean at_boot, const AtmReport *report,
                  GError **error)
{
  g_auto (AtmSwitching) switching = ATM_SWITCHING_INIT;
  g_autofree char *names = dup_names (plan);
  const gboolean same_boot = atm_plan_is_of_this_boot (plan);
  AtmRecovery recovery = ATM_RECOVERY_BACK;

  switching.system = system;
  switching.report = report;
  switching.plan = plan;
  switching.booting = at_boot && !same_boot;
  if (!atm_switching_open (&switching, error))
    return atm_prefix_error (error, "%s: the interrupted %s", names, plan->verb);
  recovery = atm_recover_decide (switching.checkout_fd, plan);
  if (recovery != ATM_RECOVERY_BACK)
    return finish (&switching, recovery, names, error);
  if (!same_boot && !switching.booting && !note_running (&switching, error))
    return FALSE;
  if (!atm_switch_back (&switching, FALSE, UNDONE_NOTE, error))
    return atm_prefix_error (error, "%s", names);
  atm_report (report, ATM_REPORT_NOTICE, "%s: undid the interrupted %s", names, plan->verb);
  return TRUE;
}

gboolean
atm_recover (const AtmSystem *system, gboolean at_boot, const AtmReport *report, GError **error)
{
  g_auto (AtmClaim) none = { 0 };

  return atm_claim_recover_others (&none, system, at_boot, report, error);
}
