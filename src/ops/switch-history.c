/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/switch-private.h"

/* What a switch leaves in the memory of its containers. */

static void
describe_side (const AtmSide *side, int number, AtmRecordVersion *version)
{
  version->deployment = number;
  if (side->info == NULL)
    return;
  version->image = g_strdup (side->info->image);
  version->digest = g_strdup (side->info->revision);
}

void
atm_switch_remember (AtmSwitching *switching, const AtmPlanChange *change, AtmRecordResult result,
                     const char *note)
{
  g_autoptr (AtmRecordEntry) entry
      = atm_record_entry_new (switching->plan->id, switching->plan->verb, result);
  g_auto (AtmSide) from = ATM_SIDE_INIT;
  g_auto (AtmSide) to = ATM_SIDE_INIT;
  g_autoptr (AtmRecord) record = atm_record_read (switching->checkout_fd, change->name);
  g_autoptr (GError) local = NULL;

  if (!atm_side_load (switching->checkout_fd, change->name, change->from, &from, &local)
      || !atm_side_load (switching->checkout_fd, change->name, change->to, &to, &local))
    {
      atm_report (switching->report, ATM_REPORT_NOTICE, "%s: The history: %s, going on without it",
                  change->name, local->message);
      return;
    }
  describe_side (&from, change->from, &entry->from);
  describe_side (&to, change->to, &entry->to);
  if (to.info != NULL && to.info->accepted_by != NULL)
    entry->accepted_by = g_strdupv (to.info->accepted_by);
  entry->note = g_strdup (note);
  if (to.info != NULL && to.info->revision != NULL)
    {
      if (result == ATM_RECORD_DONE)
        atm_record_forgive (record, to.info->revision);
      /* The version that runs now is not refused for what a new value has done. */
      else if (result == ATM_RECORD_SWITCHED_BACK && g_str_equal (switching->plan->verb, "update")
               && (from.info == NULL || g_strcmp0 (from.info->revision, to.info->revision) != 0))
        atm_record_refuse (record, to.info->revision, note);
    }
  atm_record_add (record, g_steal_pointer (&entry));
  if (!atm_record_write (switching->checkout_fd, change->name, record, &local))
    atm_report (switching->report, ATM_REPORT_NOTICE, "%s: The history: %s, going on without it",
                change->name, local->message);
}
