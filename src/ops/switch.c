/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/switch.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ops/check.h"
#include "ops/purge.h"
#include "ops/switch-private.h"
#include "util/error.h"
#include "util/fd.h"

/* How long a service must stay up that says itself when it is ready, and one that does not. */
#define HEALTH_WINDOW_NOTIFY_SEC 0
#define HEALTH_WINDOW_OTHER_SEC 5

G_DEFINE_QUARK (atm_switch_error, atm_switch_error)

gboolean
atm_switching_open (AtmSwitching *switching, GError **error)
{
  const char *checkout = switching->system->checkout;

  switching->checkout_fd = open (checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (switching->checkout_fd < 0)
    return atm_throw_errno (error, "Opening the folder %s", checkout);
  switching->host_fd = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (switching->host_fd < 0)
    return atm_throw_errno (error, "Opening the folder /");
  return atm_systemd_connect (&switching->systemd, error);
}

void
atm_switching_clear (AtmSwitching *switching)
{
  atm_systemd_free (switching->systemd);
  atm_fd_clear (&switching->checkout_fd);
  atm_fd_clear (&switching->host_fd);
}

static const AtmPlanChange *
get_change (const AtmSwitching *switching, guint i)
{
  return switching->plan->changes->pdata[i];
}

/* The container of the plan whose unit it is. */
static const AtmPlanChange *
find_owner (const AtmSwitching *switching, const char *unit)
{
  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = get_change (switching, i);
      g_autofree char *own = g_strconcat (change->name, ".service", NULL);

      if (g_str_equal (own, unit))
        return change;
    }
  return NULL;
}

/* ---- stop, links, start ---- */

static gboolean
stop_unit (AtmSwitching *switching, const char *unit, GError **error)
{
  if (g_str_equal (switching->plan->verb, "uninstall"))
    atm_report (switching->report, ATM_REPORT_STEP, "systemctl disable --now %.*s",
                (int) (strlen (unit) - strlen (".service")), unit);
  return atm_systemd_stop (switching->systemd, unit, switching->cancellable, error);
}

/* Those that ran in the reverse order of their start. Others need not run, and are stopped all the
   same, before anything is down: nothing is to run from what is being replaced. */
gboolean
atm_switch_stop (AtmSwitching *switching, GError **error)
{
  char **running = switching->plan->running;

  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = get_change (switching, i);
      g_autofree char *unit = g_strconcat (change->name, ".service", NULL);

      if (!g_strv_contains ((const char *const *) running, unit)
          && !g_str_equal (switching->plan->verb, "install") && !stop_unit (switching, unit, error))
        return FALSE;
    }
  for (guint i = g_strv_length (running); i > 0; i--)
    if (find_owner (switching, running[i - 1]) != NULL
        && !stop_unit (switching, running[i - 1], error))
      return FALSE;
  return TRUE;
}

gboolean
atm_switch_links (AtmSwitching *switching, AtmDirection direction, GError **error)
{
  const gboolean later = direction == ATM_DIRECTION_FORWARD && switching->plan->trial;

  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = get_change (switching, i);
      const int number = direction == ATM_DIRECTION_FORWARD ? change->to : change->from;

      if (number == ATM_PLAN_NONE
              ? !atm_container_unlink (switching->checkout_fd, change->name, error)
              : !atm_deployment_make_current (switching->checkout_fd, switching->system->checkout,
                                              change->name, (guint) number,
                                              later ? ATM_SYNC_LATER : ATM_SYNC_NOW, error))
        return FALSE;
      switching->unsynced |= later;
    }
  return TRUE;
}

gboolean
atm_switch_sync_links (AtmSwitching *switching, GError **error)
{
  if (switching->unsynced && fsync (switching->checkout_fd) < 0)
    return atm_throw_errno (error, "Syncing the folder %s", switching->system->checkout);
  switching->unsynced = FALSE;
  return TRUE;
}

gboolean
atm_switch_has_links (const AtmPlan *plan, int checkout_fd, AtmDirection direction)
{
  for (guint i = 0; i < plan->changes->len; i++)
    {
      const AtmPlanChange *change = plan->changes->pdata[i];
      int current = ATM_PLAN_NONE;

      if (!atm_container_get_current (checkout_fd, change->name, &current, NULL)
          || current != (direction == ATM_DIRECTION_FORWARD ? change->to : change->from))
        return FALSE;
    }
  return TRUE;
}

static gboolean
start_unit (AtmSwitching *switching, const char *unit, GError **error)
{
  /* Having been tried often before must not count against it. */
  return atm_systemd_reset_failed (switching->systemd, unit, error)
         && atm_systemd_start (switching->systemd, unit, switching->cancellable, error);
}

/* Seconds for all together: the longest window of one. */
static gboolean
find_window (AtmSwitching *switching, int wanted_sec, guint *window_sec_out, GError **error)
{
  guint longest_sec = 0;

  for (char **unit = switching->plan->running; *unit != NULL; unit++)
    {
      const AtmPlanChange *change = find_owner (switching, *unit);
      g_autoptr (AtmRecord) record = NULL;
      g_auto (AtmUnit) state = { 0 };
      int window_sec = wanted_sec;

      if (change == NULL)
        continue;
      record = atm_record_read (switching->checkout_fd, change->name);
      if (window_sec == ATM_HEALTH_WINDOW_DEFAULT)
        window_sec = record->health_window_sec;
      if (window_sec == ATM_RECORD_HEALTH_WINDOW_DEFAULT)
        {
          if (!atm_systemd_get_unit (switching->systemd, *unit, &state, error))
            return FALSE;
          window_sec = g_str_equal (state.type, "notify") ? HEALTH_WINDOW_NOTIFY_SEC
                                                          : HEALTH_WINDOW_OTHER_SEC;
        }
      longest_sec = MAX (longest_sec, (guint) window_sec);
    }
  *window_sec_out = longest_sec;
  return TRUE;
}

/* ---- back ---- */

/* Best effort: what does not start now did not start before either, or needs a person. */
void
atm_switch_start_again (AtmSwitching *switching)
{
  for (char **unit = switching->plan->running; *unit != NULL; unit++)
    {
      g_autoptr (GError) local = NULL;

      if (!start_unit (switching, *unit, &local))
        atm_report (switching->report, ATM_REPORT_NOTICE,
                    "%s ran before and does not start again: %s", *unit, local->message);
    }
}

static gboolean
move_back (AtmSwitching *switching, GError **error)
{
  /* With all links in place either nothing was changed yet or all is as it was again. An
     uninstallation has changed nothing before its link is gone. */
  if (!g_str_equal (switching->plan->verb, "uninstall")
      && !atm_switch_has_links (switching->plan, switching->checkout_fd, ATM_DIRECTION_BACK)
      && ((!switching->booting && !atm_switch_stop (switching, error))
          || !atm_converge_files (switching, ATM_DIRECTION_BACK, error)
          || !atm_converge_services (switching, ATM_DIRECTION_BACK, error)
          || !atm_switch_links (switching, ATM_DIRECTION_BACK, error)))
    return FALSE;
  if (!switching->booting)
    atm_switch_start_again (switching);
  return TRUE;
}

static gboolean
clean_up_back (AtmSwitching *switching, GError **error)
{
  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = get_change (switching, i);

      if (change->builds
          && !atm_deployment_unpublish (switching->checkout_fd, change->name, (guint) change->to,
                                        change->replaces, error))
        return FALSE;
    }
  return atm_plan_remove (switching->plan, switching->checkout_fd, error);
}

gboolean
atm_switch_back (AtmSwitching *switching, gboolean failed, const char *why, GError **error)
{
  const AtmRecordResult result = failed ? ATM_RECORD_SWITCHED_BACK : ATM_RECORD_UNDONE;
  g_autoptr (GError) local = NULL;
  gboolean done = FALSE;

  /* Who is interrupted here must not take it for a commitment. */
  if (!switching->plan->trial)
    {
      switching->plan->trial = TRUE;
      switching->plan->confirmed = FALSE;
      if (!atm_plan_write (switching->plan, switching->checkout_fd, &local))
        atm_report (switching->report, ATM_REPORT_NOTICE, "%s, going on without it",
                    local->message);
      g_clear_error (&local);
    }
  switching->cancellable = NULL;
  switching->fresh = FALSE;
  done = move_back (switching, &local);
  for (guint i = 0; done && i < switching->plan->changes->len; i++)
    if (get_change (switching, i)->from != ATM_PLAN_NONE)
      atm_switch_remember (switching, get_change (switching, i),
                           get_change (switching, i)->blamed ? result : ATM_RECORD_UNDONE, why);
  if (done && clean_up_back (switching, &local))
    return TRUE;
  return atm_throw (error, ATM_SWITCH_ERROR, ATM_SWITCH_ERROR_PENDING,
                    "%s could not be undone: %s; the next atomic command tries again, by what "
                    "stands in %s/.storage/journal/%s",
                    switching->plan->verb, local->message, switching->system->checkout,
                    get_change (switching, 0)->name);
}

/* ---- forward ---- */

static gboolean
finish_change (AtmSwitching *switching, const AtmPlanChange *change, const char *note,
               GError **error)
{
  const int checkout_fd = switching->checkout_fd;

  if (change->to == ATM_PLAN_NONE)
    return (!switching->plan->purge
            || atm_purge_state (switching->system, checkout_fd, change->name, change->from,
                                switching->report, error))
           && atm_container_remove (checkout_fd, change->name, error)
           && atm_record_remove (checkout_fd, change->name, error);
  atm_switch_remember (switching, change, ATM_RECORD_DONE, note);
  /* One that waits was made for the place that is taken now. */
  return atm_deployment_drop_staged (checkout_fd, change->name, (guint) change->to, error)
         && atm_container_sweep (checkout_fd, change->name, error);
}

gboolean
atm_switch_finish (AtmSwitching *switching, const char *note, GError **error)
{
  for (guint i = 0; i < switching->plan->changes->len; i++)
    if (!finish_change (switching, get_change (switching, i), note, error))
      return FALSE;
  return atm_plan_remove (switching->plan, switching->checkout_fd, error);
}

static gboolean
runs_one_of_ours (const AtmSwitching *switching)
{
  for (char **unit = switching->plan->running; *unit != NULL; unit++)
    if (find_owner (switching, *unit) != NULL)
      return TRUE;
  return FALSE;
}

gboolean
atm_switch_find_running (AtmSwitching *switching, GError **error)
{
  g_autoptr (GPtrArray) units = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) running = NULL;

  for (guint i = 0; i < switching->plan->changes->len; i++)
    g_ptr_array_add (units, g_strconcat (get_change (switching, i)->name, ".service", NULL));
  g_ptr_array_add (units, NULL);
  if (!atm_systemd_find_running (switching->systemd, (const char *const *) units->pdata, &running,
                                 error))
    return FALSE;
  g_ptr_array_add (running, NULL);
  g_strfreev (switching->plan->running);
  switching->plan->running = g_strdupv ((char **) running->pdata);
  return TRUE;
}

/* What stands in the plan besides its changes. */
static gboolean
fill_plan (AtmSwitching *switching, GPtrArray *deployments, GError **error)
{
  AtmPlan *plan = switching->plan;
  const gboolean is_new = g_str_equal (plan->verb, "install");

  for (guint i = 0; i < plan->changes->len; i++)
    {
      AtmPlanChange *change = plan->changes->pdata[i];
      g_autofree char *unit = g_strconcat (change->name, ".service", NULL);
      g_auto (AtmUnit) state = { 0 };

      change->builds = deployments != NULL && deployments->pdata[i] != NULL;
      change->replaces
          = change->builds
            && atm_deployment_exists (switching->checkout_fd, change->name, change->to);
      if (is_new)
        continue;
      if (!atm_systemd_get_unit (switching->systemd, unit, &state, error))
        return FALSE;
      change->enabled = g_str_has_prefix (state.file_state, "enabled");
      /* somebody edited it or a drop-in of it, and would wait for a reload as ever */
      switching->reload |= state.stale;
    }
  if (is_new)
    return TRUE;
  if (!atm_switch_find_running (switching, error))
    return FALSE;
  plan->trial = !g_str_equal (plan->verb, "uninstall")
                && (plan->changes->len > 1 || runs_one_of_ours (switching));
  return TRUE;
}

static gboolean
publish (GPtrArray *deployments, GError **error)
{
  for (guint i = 0; deployments != NULL && i < deployments->len; i++)
    if (deployments->pdata[i] != NULL && !atm_deployment_publish (deployments->pdata[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
sync_all (GPtrArray *deployments, GError **error)
{
  for (guint i = 0; deployments != NULL && i < deployments->len; i++)
    if (deployments->pdata[i] != NULL && !atm_deployment_sync (deployments->pdata[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
is_well (AtmSwitching *switching, const char *unit)
{
  g_auto (AtmUnit) state = { 0 };

  return atm_systemd_get_unit (switching->systemd, unit, &state, NULL) && state.restarts == 0
         && (g_str_equal (state.active_state, "active")
             || (g_str_equal (state.type, "oneshot") && g_str_equal (state.result, "success")));
}

/* Which of the new versions did not run, so that the others can be tried without it. @started: how
   many units of the plan were started, the last of them in vain unless they all were. */
static void
blame (AtmSwitching *switching, guint started)
{
  char **running = switching->plan->running;
  gboolean found = FALSE;

  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      AtmPlanChange *change = switching->plan->changes->pdata[i];

      for (guint j = 0; j < started; j++)
        if (find_owner (switching, running[j]) == change && !is_well (switching, running[j]))
          change->blamed = TRUE;
      found = found || change->blamed;
    }
  for (guint i = 0; i < switching->plan->changes->len && !found; i++)
    ((AtmPlanChange *) switching->plan->changes->pdata[i])->blamed = TRUE;
}

/* *failed_out: the new versions are to blame. */
static gboolean
start_all (AtmSwitching *switching, int wanted_sec, gboolean *failed_out, GError **error)
{
  const char *const *units = (const char *const *) switching->plan->running;
  g_autoptr (GError) local = NULL;
  guint window_sec = 0, started = 0;
  gboolean up = TRUE;

  for (; up && units[started] != NULL; started++)
    up = start_unit (switching, units[started], &local);
  if (up && runs_one_of_ours (switching))
    up = find_window (switching, wanted_sec, &window_sec, &local)
         && atm_systemd_watch (switching->systemd, units, window_sec, switching->cancellable,
                               &local);
  if (up)
    return TRUE;
  *failed_out = g_error_matches (local, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB)
                || g_error_matches (local, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_REFUSED);
  if (*failed_out)
    blame (switching, started);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static void
report_stopped (const AtmSwitching *switching)
{
  for (char **unit = switching->plan->running; *unit != NULL; unit++)
    if (find_owner (switching, *unit) == NULL)
      atm_report (switching->report, ATM_REPORT_NOTICE,
                  "%s needed %s, and was stopped together with it", *unit,
                  get_change (switching, 0)->name);
}

static gboolean
go_forward (AtmSwitching *switching, GPtrArray *deployments, int window_sec, gboolean *failed_out,
            GError **error)
{
  const gboolean uninstall = g_str_equal (switching->plan->verb, "uninstall");

  if (!publish (deployments, error)
      || g_cancellable_set_error_if_cancelled (switching->cancellable, error)
      || !atm_converge_settle (switching, error) || !atm_switch_stop (switching, error)
      || !atm_switch_links (switching, ATM_DIRECTION_FORWARD, error))
    return FALSE;
  if (uninstall)
    switching->cancellable = NULL;
  if (!atm_converge_files (switching, ATM_DIRECTION_FORWARD, error)
      || !atm_converge_services (switching, ATM_DIRECTION_FORWARD, error))
    return FALSE;
  if (uninstall)
    {
      report_stopped (switching);
      return TRUE;
    }
  return start_all (switching, window_sec, failed_out, error)
         && !g_cancellable_set_error_if_cancelled (switching->cancellable, error);
}

/* From here on there is no way back, so all has to be on the disk. */
static gboolean
confirm (AtmSwitching *switching, GError **error)
{
  if (!switching->plan->trial)
    return TRUE;
  if (!atm_switch_sync_links (switching, error))
    return FALSE;
  switching->plan->trial = FALSE;
  switching->plan->confirmed = TRUE;
  return atm_plan_write (switching->plan, switching->checkout_fd, error);
}

static gboolean
undo (AtmSwitching *switching, gboolean failed, GError *reason, GError **error)
{
  const gboolean ran = runs_one_of_ours (switching);
  g_autoptr (GError) local = NULL;

  if (!atm_switch_back (switching, failed, reason->message, &local))
    {
      g_prefix_error (&local, "%s; ", reason->message);
      g_error_free (reason);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!failed)
    {
      g_propagate_error (error, reason);
      return FALSE;
    }
  (void) atm_throw (error, ATM_SWITCH_ERROR, ATM_SWITCH_ERROR_REVERTED,
                    "%s of %s did not work and was undone%s: %s", switching->plan->verb,
                    get_change (switching, 0)->name,
                    ran ? ", the version before was started again" : "", reason->message);
  g_error_free (reason);
  return FALSE;
}

static void
report_problems (const AtmSwitching *switching)
{
  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = get_change (switching, i);
      g_autoptr (AtmCheckedContainer) checked = NULL;
      g_autoptr (GError) local = NULL;

      if (change->to == ATM_PLAN_NONE)
        continue;
      if (!atm_check_container (switching->system, change->name, &checked, switching->cancellable,
                                &local))
        atm_report (switching->report, ATM_REPORT_NOTICE, "%s could not be checked: %s",
                    change->name, local->message);
      for (guint j = 0; checked != NULL && j < checked->problems->len; j++)
        atm_report (switching->report, ATM_REPORT_NOTICE, "%s: %s", change->name,
                    (const char *) checked->problems->pdata[j]);
    }
}

gboolean
atm_switch (const AtmSystem *system, AtmPlan *plan, GPtrArray *deployments,
            const AtmSwitchOptions *options, const AtmReport *report, GCancellable *cancellable,
            GError **error)
{
  g_auto (AtmSwitching) switching = ATM_SWITCHING_INIT;
  const int window_sec = options != NULL ? options->health_window_sec : ATM_HEALTH_WINDOW_DEFAULT;
  gboolean failed = FALSE;
  GError *local = NULL;

  switching.system = system;
  switching.report = report;
  switching.plan = plan;
  switching.cancellable = cancellable;
  switching.fresh = TRUE;
  if (!atm_switching_open (&switching, error) || !fill_plan (&switching, deployments, error)
      || !atm_converge_prepare (&switching, error) || !sync_all (deployments, error))
    return FALSE;
  if (!atm_plan_write (plan, switching.checkout_fd, error))
    {
      (void) !atm_plan_remove (plan, switching.checkout_fd, NULL);
      return FALSE;
    }

  if (!go_forward (&switching, deployments, window_sec, &failed, &local)
      || !confirm (&switching, &local))
    {
      if (!g_str_equal (plan->verb, "uninstall")
          || !atm_switch_has_links (plan, switching.checkout_fd, ATM_DIRECTION_FORWARD))
        return undo (&switching, failed, local, error);
      (void) atm_throw (error, ATM_SWITCH_ERROR, ATM_SWITCH_ERROR_PENDING,
                        "%s; the next atomic command goes on from there", local->message);
      g_error_free (local);
      return FALSE;
    }
  if (!atm_switch_finish (&switching, NULL, &local))
    {
      (void) atm_throw (error, ATM_SWITCH_ERROR, ATM_SWITCH_ERROR_PENDING,
                        "%s was done, but what is left of it could not be removed: %s; the next "
                        "atomic command tries again",
                        plan->verb, local->message);
      g_error_free (local);
      return FALSE;
    }
  report_problems (&switching);
  return TRUE;
}
