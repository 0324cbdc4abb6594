/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/systemd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "host/systemd-private.h"
#include "util/error.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

/* ---- what signals tell ---- */

/* A unit that is looked at while something else is waited for. */
typedef struct
{
  char *unit;   /* (owned) */
  char *path;   /* (owned): its object */
  char *active; /* (owned): ActiveState */
  char *sub;    /* (owned): SubState */
  guint restarts;
  gboolean tried_again; /* systemd has begun to start it once more by itself */
  gboolean due;         /* it was about to be started again anyway; a start waits for that */
  gboolean left;        /* it was not active at some time */
  gboolean unmet;       /* its conditions were looked at and did not hold */
  char *result;         /* (owned) (nullable): Result, the last but “success” ... */
  gint32 main_code;   /* ... and what became of the main process then: CLD_EXITED, CLD_KILLED ... */
  gint32 main_status; /* ... and its exit status or signal */
  BusSlot *slot;      /* (owned) (nullable) */
} Watched;

static void
watched_free (Watched *watched)
{
  if (watched == NULL)
    return;
  sd_bus_slot_unref (watched->slot);
  g_free (watched->unit);
  g_free (watched->path);
  g_free (watched->active);
  g_free (watched->sub);
  g_free (watched->result);
  g_free (watched);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Watched, watched_free)

static gboolean
is_active (const char *active)
{
  return g_str_equal (active, "active") || g_str_equal (active, "reloading");
}

static void
note_active (Watched *watched, const char *active)
{
  watched->left |= !is_active (active);
  g_free (watched->active);
  watched->active = g_strdup (active);
}

/* Seen before the number of restarts grows, which is when the pause before it (RestartSec=) ends.
 */
static void
note_sub (Watched *watched, const char *sub)
{
  watched->tried_again |= g_str_equal (sub, "auto-restart") && !g_str_equal (watched->sub, sub);
  g_free (watched->sub);
  watched->sub = g_strdup (sub);
}

/* Somebody's start begins to count anew. */
static void
note_restarts (Watched *watched, guint32 restarts)
{
  if (restarts > watched->restarts)
    {
      watched->tried_again |= !watched->due;
      watched->due = FALSE;
    }
  watched->restarts = restarts;
}

/* What a signal may tell. Strings (borrowed) (nullable). */
typedef struct
{
  const char *active, *sub, *result;
  gint32 main_code, main_status;
  guint32 restarts;
  gboolean has_restarts;
  guint64 condition_usec; /* when the conditions were looked at; 0: never */
  int condition;
} Change;

/* One entry of a{sv}. */
static int
read_property (BusMessage *message, Change *change)
{
  const struct
  {
    const char *name;
    const char *type;
    gpointer place;
  } known[] = {
    { "ActiveState", "s", &change->active },
    { "SubState", "s", &change->sub },
    { "Result", "s", &change->result },
    { "ExecMainCode", "i", &change->main_code },
    { "ExecMainStatus", "i", &change->main_status },
    { "NRestarts", "u", &change->restarts },
    { "ConditionTimestamp", "t", &change->condition_usec },
    { "ConditionResult", "b", &change->condition },
  };
  const char *name = NULL;
  int result = sd_bus_message_read (message, "s", &name);

  if (result < 0)
    return result;
  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_str_equal (name, known[i].name))
      {
        change->has_restarts |= *known[i].type == 'u';
        return sd_bus_message_read (message, "v", known[i].type, known[i].place);
      }
  return sd_bus_message_skip (message, "v");
}

/* A new start forgets the result of the one before; we do not. */
static void
note_result (Watched *watched, const Change *change)
{
  if (g_str_equal (change->result, "success"))
    return;
  g_free (watched->result);
  watched->result = g_strdup (change->result);
  watched->main_code = change->main_code;
  watched->main_status = change->main_status;
}

/* PropertiesChanged: systemd sends it for each change of state, with the new values. */
static int
note_change (sd_bus_message *message, void *data, sd_bus_error *bus_error G_GNUC_UNUSED)
{
  Watched *watched = data;
  Change change = { 0 };
  int result = sd_bus_message_skip (message, "s");

  if (result >= 0)
    result = sd_bus_message_enter_container (message, 'a', "{sv}");
  while (result > 0 && (result = sd_bus_message_enter_container (message, 'e', "sv")) > 0)
    {
      result = read_property (message, &change);
      if (result >= 0)
        result = sd_bus_message_exit_container (message);
    }
  if (change.active != NULL)
    note_active (watched, change.active);
  if (change.sub != NULL)
    note_sub (watched, change.sub);
  if (change.result != NULL)
    note_result (watched, &change);
  if (change.has_restarts)
    note_restarts (watched, change.restarts);
  if (change.condition_usec > 0)
    watched->unmet = !change.condition;
  return 0;
}

/* JobRemoved: a job has ended. Jobs that are not ours end too, so all are noted. */
static int
note_job (sd_bus_message *message, void *data, sd_bus_error *bus_error G_GNUC_UNUSED)
{
  GHashTable *ended = data;
  const char *path = NULL, *unit = NULL, *job_result = NULL;
  guint32 id = 0;

  if (sd_bus_message_read (message, "uoss", &id, &path, &unit, &job_result) >= 0)
    g_hash_table_insert (ended, g_strdup (path), g_strdup (job_result));
  return 0;
}

/* On the bus anyone may send a signal of that name; only the manager's counts. */
static const char *
get_sender (AtmSystemd *systemd)
{
  return sd_bus_is_bus_client (systemd->bus) > 0 ? ATM_SYSTEMD_DESTINATION : NULL;
}

static gboolean
subscribe (AtmSystemd *systemd, const char *unit, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                                   ATM_SYSTEMD_MANAGER, "Subscribe", &bus_error, NULL, NULL);

  return result >= 0
         || sd_bus_error_has_name (&bus_error, "org.freedesktop.systemd1.AlreadySubscribed")
         || atm_systemd_throw (error, result, &bus_error, "Watching", unit);
}

/* Old signals are dropped, new ones noted from now on, then the state of now is asked for: a change
   in between is seen twice, and never missed. */
static gboolean
watch_unit (AtmSystemd *systemd, const char *unit, Watched **watched_out, GError **error)
{
  g_autoptr (Watched) watched = g_new0 (Watched, 1);
  g_auto (AtmUnit) now = { 0 };
  int result = 0;

  watched->unit = g_strdup (unit);
  watched->path = atm_systemd_dup_unit_path (unit);
  watched->active = g_strdup ("");
  watched->sub = g_strdup ("");
  while (result >= 0 && (result = sd_bus_process (systemd->bus, NULL)) > 0)
    ;
  if (result >= 0)
    result = sd_bus_match_signal (systemd->bus, &watched->slot, get_sender (systemd), watched->path,
                                  PROPERTIES, "PropertiesChanged", note_change, watched);
  if (result < 0)
    return atm_systemd_throw (error, result, NULL, "Watching", unit);
  if (!atm_systemd_get_unit (systemd, unit, &now, error))
    return FALSE;
  note_active (watched, now.active_state);
  note_sub (watched, now.sub_state);
  watched->restarts = now.restarts;
  watched->due = g_str_equal (now.sub_state, "auto-restart");
  watched->tried_again = FALSE;
  watched->left = !is_active (now.active_state);
  *watched_out = g_steal_pointer (&watched);
  return TRUE;
}

/* ---- why a unit has failed ---- */

/* systemd.exec(5), "Process Exit Codes": what became of the main process. */
static char *
dup_exit (const Watched *watched)
{
  if (watched->main_code == CLD_EXITED && watched->main_status != 0)
    return g_strdup_printf ("its main process ended with status %d", watched->main_status);
  if (watched->main_code == CLD_KILLED || watched->main_code == CLD_DUMPED)
    return g_strdup_printf ("its main process was killed by signal %d (%s)", watched->main_status,
                            strsignal (watched->main_status));
  return g_strdup ("one of its programs failed");
}

/* For people; by the property Result of a service (org.freedesktop.systemd1(5)). */
static char *
dup_reason (const Watched *watched)
{
  static const struct
  {
    const char *result;
    const char *words;
  } known[] = {
    { "timeout", "it was not ready within its time-out" },
    { "protocol", "its main process ended before it said that it is ready" },
    { "watchdog", "it no longer answered its watchdog" },
    { "start-limit-hit", "it was started too often of late" },
    { "oom-kill", "it ran out of memory" },
    { "resources", "systemd could not prepare what it needs" },
  };

  if (watched->result == NULL)
    return g_strdup_printf ("it is %s (%s)", watched->active, watched->sub);
  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_str_equal (watched->result, known[i].result))
      return g_strdup (known[i].words);
  return dup_exit (watched);
}

static gboolean
throw_watched (const Watched *watched, const char *how, GError **error)
{
  g_autofree char *reason = dup_reason (watched);

  return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB,
                    "systemd: %s %s: %s; see journalctl -u %s", watched->unit, how, reason,
                    watched->unit);
}

/* ---- waiting ---- */

/* Until something comes from the bus, at most until @deadline_usec (0: none). */
static gboolean
wait_for_bus (AtmSystemd *systemd, gint64 deadline_usec, int cancel_fd, GCancellable *cancellable,
              GError **error)
{
  struct pollfd fds[2] = { { .fd = sd_bus_get_fd (systemd->bus) }, { .fd = cancel_fd } };
  struct timespec time_left = { 0 }, *timeout = NULL;
  guint64 until_usec = 0;
  int events = sd_bus_get_events (systemd->bus);

  if (fds[0].fd < 0 || events < 0 || sd_bus_get_timeout (systemd->bus, &until_usec) < 0)
    return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_UNREACHABLE,
                      "systemd: The connection is lost");
  if (deadline_usec > 0)
    until_usec = MIN (until_usec, (guint64) deadline_usec);
  if (until_usec != G_MAXUINT64)
    {
      gint64 left_usec = MAX ((gint64) until_usec - g_get_monotonic_time (), 0);

      time_left.tv_sec = left_usec / G_USEC_PER_SEC;
      time_left.tv_nsec = (left_usec % G_USEC_PER_SEC) * 1000;
      timeout = &time_left;
    }
  fds[0].events = (short) events;
  fds[1].events = POLLIN;
  if (ppoll (fds, G_N_ELEMENTS (fds), timeout, NULL) < 0 && errno != EINTR)
    return atm_throw_errno (error, "Waiting for systemd");
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

typedef gboolean (*DoneFunc) (gconstpointer data);

/* Takes what comes from the bus until @done says so or @deadline_usec (0: none) is over. */
static gboolean
wait_until (AtmSystemd *systemd, DoneFunc done, gconstpointer data, gint64 deadline_usec,
            GCancellable *cancellable, GError **error)
{
  int cancel_fd = cancellable != NULL ? g_cancellable_get_fd (cancellable) : -1;
  gboolean ok = TRUE;

  while (ok && !done (data))
    {
      int result = sd_bus_process (systemd->bus, NULL);

      if (result < 0)
        ok = atm_systemd_throw (error, result, NULL, "Waiting for", "units");
      else if (result == 0 && deadline_usec > 0 && g_get_monotonic_time () >= deadline_usec)
        break;
      else if (result == 0)
        ok = wait_for_bus (systemd, deadline_usec, cancel_fd, cancellable, error);
    }
  if (cancel_fd >= 0)
    g_cancellable_release_fd (cancellable);
  return ok;
}

/* ---- jobs ---- */

typedef struct
{
  GHashTable *ended;      /* (borrowed): job to result */
  const char *job;        /* (borrowed) */
  const Watched *watched; /* (borrowed) (nullable): who must not be tried again meanwhile */
} Job;

static gboolean
has_ended (gconstpointer data)
{
  const Job *job = data;

  return g_hash_table_contains (job->ended, job->job)
         || (job->watched != NULL && job->watched->tried_again);
}

/* Queues @method for @unit and waits for the end of the job. *@result_out is NULL if the unit is
   not loaded, and “tried again” if @watched is. The unit's own time-out bounds this. */
static gboolean
run_job (AtmSystemd *systemd, const char *method, const char *what, const char *unit,
         const Watched *watched, char **result_out, GCancellable *cancellable, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (GHashTable) ended = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (BusMessage) reply = NULL;
  g_autoptr (BusSlot) slot = NULL;
  Job job = { .ended = ended, .watched = watched };
  int result = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  /* Before the call: the job may end before its reply has been read. */
  result = sd_bus_match_signal (systemd->bus, &slot, get_sender (systemd), ATM_SYSTEMD_PATH,
                                ATM_SYSTEMD_MANAGER, "JobRemoved", note_job, ended);
  if (result < 0)
    return atm_systemd_throw (error, result, NULL, "Watching", unit);
  if (!subscribe (systemd, unit, error))
    return FALSE;

  result
      = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                            ATM_SYSTEMD_MANAGER, method, &bus_error, &reply, "ss", unit, "replace");
  if (result < 0 && sd_bus_error_has_name (&bus_error, "org.freedesktop.systemd1.NoSuchUnit"))
    {
      *result_out = NULL;
      return TRUE;
    }
  if (result >= 0)
    result = sd_bus_message_read (reply, "o", &job.job);
  if (result < 0)
    return atm_systemd_throw (error, result, &bus_error, what, unit);
  if (!wait_until (systemd, has_ended, &job, 0, cancellable, error))
    return atm_prefix_error (error, "%s %s", what, unit);
  *result_out = g_strdup (g_hash_table_lookup (ended, job.job));
  if (*result_out == NULL)
    *result_out = g_strdup ("tried again");
  return TRUE;
}

gboolean
atm_systemd_stop (AtmSystemd *systemd, const char *unit, GCancellable *cancellable, GError **error)
{
  g_autofree char *job_result = NULL;

  if (!run_job (systemd, "StopUnit", "Stopping", unit, NULL, &job_result, cancellable, error))
    return FALSE;
  return job_result == NULL || g_str_equal (job_result, "done")
         || atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB,
                       "systemd: Stopping %s ended with “%s”; see journalctl -u %s", unit,
                       job_result, unit);
}

gboolean
atm_systemd_start (AtmSystemd *systemd, const char *unit, GCancellable *cancellable, GError **error)
{
  g_autoptr (Watched) watched = NULL;
  g_autofree char *job_result = NULL, *how = NULL;

  if (!subscribe (systemd, unit, error) || !watch_unit (systemd, unit, &watched, error)
      || !run_job (systemd, "StartUnit", "Starting", unit, watched, &job_result, cancellable,
                   error))
    return FALSE;
  if (job_result == NULL)
    return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_REFUSED,
                      "systemd: Starting %s: there is no such unit", unit);
  if (g_str_equal (job_result, "done") && watched->unmet)
    return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB,
                      "systemd: %s was not started: a Condition…= of it does not hold; see "
                      "systemctl status %s",
                      unit, unit);
  if (g_str_equal (job_result, "done"))
    return TRUE;
  if (g_str_equal (job_result, "dependency"))
    return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB,
                      "systemd: %s did not start: a unit that it requires did not; see "
                      "systemctl list-dependencies %s",
                      unit, unit);
  if (watched->tried_again)
    return throw_watched (watched, "did not start, and systemd tries it again", error);
  how = g_str_equal (job_result, "failed") ? g_strdup ("did not start")
                                           : g_strdup_printf ("did not start (“%s”)", job_result);
  return throw_watched (watched, how, error);
}

/* Not “replace”: a shutdown that somebody asks for meanwhile goes first. */
gboolean
atm_systemd_queue_start (AtmSystemd *systemd, const char *unit, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result
      = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                            ATM_SYSTEMD_MANAGER, "StartUnit", &bus_error, NULL, "ss", unit, "fail");

  return result >= 0 || atm_systemd_throw (error, result, &bus_error, "Starting", unit);
}

gboolean
atm_systemd_reset_failed (AtmSystemd *systemd, const char *unit, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result
      = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                            ATM_SYSTEMD_MANAGER, "ResetFailedUnit", &bus_error, NULL, "s", unit);

  return result >= 0 || sd_bus_error_has_name (&bus_error, "org.freedesktop.systemd1.NoSuchUnit")
         || atm_systemd_throw (error, result, &bus_error, "Resetting", unit);
}

/* ---- the health window ---- */

/* (element-type Watched) */
static const Watched *
find_fallen (gconstpointer data)
{
  const GPtrArray *all = data;

  for (guint i = 0; i < all->len; i++)
    {
      const Watched *watched = all->pdata[i];

      if (watched->left || watched->tried_again)
        return watched;
    }
  return NULL;
}

static gboolean
has_fallen (gconstpointer data)
{
  return find_fallen (data) != NULL;
}

/* A job that has done its work is not a service that has ended. */
static gboolean
has_finished (AtmSystemd *systemd, const char *unit)
{
  g_auto (AtmUnit) now = { 0 };

  return atm_systemd_get_unit (systemd, unit, &now, NULL) && g_str_equal (now.type, "oneshot")
         && g_str_equal (now.active_state, "inactive") && g_str_equal (now.result, "success");
}

gboolean
atm_systemd_watch (AtmSystemd *systemd, const char *const *units, guint window_sec,
                   GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) watched_free);
  gint64 deadline_usec = g_get_monotonic_time () + (gint64) window_sec * G_USEC_PER_SEC;
  const Watched *fallen = NULL;

  if (units[0] == NULL)
    return TRUE;
  if (!subscribe (systemd, units[0], error))
    return FALSE;
  for (guint i = 0; units[i] != NULL; i++)
    {
      g_autoptr (Watched) watched = NULL;

      if (!watch_unit (systemd, units[i], &watched, error))
        return FALSE;
      if (!watched->left || !has_finished (systemd, units[i]))
        g_ptr_array_add (all, g_steal_pointer (&watched));
    }
  if (!wait_until (systemd, has_fallen, all, deadline_usec, cancellable, error))
    return FALSE;

  fallen = find_fallen (all);
  return fallen == NULL
         || throw_watched (
             fallen, fallen->tried_again ? "was started again" : "did not stay active", error);
}
