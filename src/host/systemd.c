/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define UNIT "org.freedesktop.systemd1.Unit"
#define PRIVATE_ADDRESS "unix:path=/run/systemd/private"

/* A reload runs all generators; systemctl waits as long. */
#define CALL_TIMEOUT_USEC (180 * G_USEC_PER_SEC)

G_DEFINE_QUARK (atm_systemd_error, atm_systemd_error)

typedef sd_bus_error BusError;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (BusError, sd_bus_error_free)
typedef sd_bus_message BusMessage;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusMessage, sd_bus_message_unref)
typedef sd_bus_slot BusSlot;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusSlot, sd_bus_slot_unref)

struct _AtmSystemd
{
  sd_bus *bus; /* (owned) */
};

/* The socket that systemd keeps for root, as systemctl uses it: it is there before the bus is (the
   recovery at boot), and when the bus is broken. */
static int
open_private (sd_bus **bus_out)
{
  sd_bus *bus = NULL;
  int result = sd_bus_new (&bus);

  if (result >= 0)
    result = sd_bus_set_address (bus, PRIVATE_ADDRESS);
  if (result >= 0)
    result = sd_bus_start (bus);
  if (result < 0)
    {
      sd_bus_unref (bus);
      return result;
    }
  *bus_out = bus;
  return 0;
}

gboolean
atm_systemd_connect (AtmSystemd **systemd_out, GError **error)
{
  g_autoptr (AtmSystemd) systemd = g_new0 (AtmSystemd, 1);
  int result = -ENOENT;

  if (geteuid () == 0 && g_getenv ("DBUS_SYSTEM_BUS_ADDRESS") == NULL)
    result = open_private (&systemd->bus);
  if (result < 0)
    result = sd_bus_open_system (&systemd->bus);
  if (result < 0)
    return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_UNREACHABLE,
                      "Connecting to systemd: %s; is it running as PID 1 here?",
                      g_strerror (-result));
  (void) sd_bus_set_method_call_timeout (systemd->bus, CALL_TIMEOUT_USEC);

  *systemd_out = g_steal_pointer (&systemd);
  return TRUE;
}

void
atm_systemd_free (AtmSystemd *systemd)
{
  if (systemd == NULL)
    return;
  sd_bus_flush_close_unref (systemd->bus);
  g_free (systemd);
}

/* sd-bus gives negative errno, and an error of the other side in @bus_error. */
static gboolean
throw_bus (GError **error, int result, const BusError *bus_error, const char *what,
           const char *unit)
{
  gboolean answered = bus_error != NULL && sd_bus_error_is_set (bus_error)
                      && !sd_bus_error_has_names (
                          bus_error, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED,
                          SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, NULL);
  const char *why
      = bus_error != NULL && bus_error->message != NULL ? bus_error->message : g_strerror (-result);

  return atm_throw (error, ATM_SYSTEMD_ERROR,
                    answered ? ATM_SYSTEMD_ERROR_REFUSED : ATM_SYSTEMD_ERROR_UNREACHABLE,
                    "systemd: %s %s: %s", what, unit, why);
}

gboolean
atm_systemd_reload (AtmSystemd *systemd, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result = sd_bus_call_method (systemd->bus, DESTINATION, MANAGER_PATH, MANAGER, "Reload",
                                   &bus_error, NULL, NULL);

  return result >= 0 || throw_bus (error, result, &bus_error, "Reloading", "units");
}

gboolean
atm_systemd_enable (AtmSystemd *systemd, const char *unit, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result
      = sd_bus_call_method (systemd->bus, DESTINATION, MANAGER_PATH, MANAGER, "EnableUnitFiles",
                            &bus_error, NULL, "asbb", 1, unit, (int) FALSE, (int) FALSE);

  if (result < 0)
    return throw_bus (error, result, &bus_error, "Enabling", unit);
  /* The new links count only now; systemctl does the same. */
  return atm_systemd_reload (systemd, error);
}

gboolean
atm_systemd_disable (AtmSystemd *systemd, const char *unit, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result
      = sd_bus_call_method (systemd->bus, DESTINATION, MANAGER_PATH, MANAGER, "DisableUnitFiles",
                            &bus_error, NULL, "asb", 1, unit, (int) FALSE);

  if (result < 0
      && !sd_bus_error_has_names (&bus_error, "org.freedesktop.systemd1.NoSuchUnit",
                                  SD_BUS_ERROR_FILE_NOT_FOUND, NULL))
    return throw_bus (error, result, &bus_error, "Disabling", unit);
  return atm_systemd_reload (systemd, error);
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

/* Until something comes from the bus. */
static gboolean
wait_for_bus (AtmSystemd *systemd, int cancel_fd, GCancellable *cancellable, GError **error)
{
  struct pollfd fds[2] = { { .fd = sd_bus_get_fd (systemd->bus) }, { .fd = cancel_fd } };
  struct timespec time_left = { 0 }, *timeout = NULL;
  guint64 until_usec = 0;
  int events = sd_bus_get_events (systemd->bus);

  if (fds[0].fd < 0 || events < 0 || sd_bus_get_timeout (systemd->bus, &until_usec) < 0)
    return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_UNREACHABLE,
                      "systemd: The connection is lost");
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

/* The unit's own time-out bounds this. */
static gboolean
wait_for_job (AtmSystemd *systemd, const char *job, const char *unit, GHashTable *ended,
              GCancellable *cancellable, GError **error)
{
  int cancel_fd = cancellable != NULL ? g_cancellable_get_fd (cancellable) : -1;
  const char *job_result = NULL;
  gboolean ok = TRUE;

  while (ok && (job_result = g_hash_table_lookup (ended, job)) == NULL)
    {
      int result = sd_bus_process (systemd->bus, NULL);

      if (result < 0)
        ok = throw_bus (error, result, NULL, "Waiting for the end of", unit);
      else if (result == 0)
        ok = wait_for_bus (systemd, cancel_fd, cancellable, error);
    }
  if (cancel_fd >= 0)
    g_cancellable_release_fd (cancellable);

  if (ok && !g_str_equal (job_result, "done"))
    return atm_throw (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB,
                      "systemd: Stopping %s ended with “%s”; see journalctl -u %s", unit,
                      job_result, unit);
  return ok;
}

gboolean
atm_systemd_stop (AtmSystemd *systemd, const char *unit, GCancellable *cancellable, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (BusMessage) reply = NULL;
  g_autoptr (GHashTable) ended = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (BusSlot) slot = NULL;
  const char *job = NULL, *sender = NULL;
  int result = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  /* On the bus anyone may send a signal of that name; only the manager's counts. */
  sender = sd_bus_is_bus_client (systemd->bus) > 0 ? DESTINATION : NULL;
  /* Before the call: the job may end before its reply has been read. */
  result = sd_bus_match_signal (systemd->bus, &slot, sender, MANAGER_PATH, MANAGER, "JobRemoved",
                                note_job, ended);
  if (result >= 0)
    result = sd_bus_call_method (systemd->bus, DESTINATION, MANAGER_PATH, MANAGER, "Subscribe",
                                 &bus_error, NULL, NULL);
  if (result < 0
      && !sd_bus_error_has_name (&bus_error, "org.freedesktop.systemd1.AlreadySubscribed"))
    return throw_bus (error, result, &bus_error, "Watching", unit);
  sd_bus_error_free (&bus_error);

  result = sd_bus_call_method (systemd->bus, DESTINATION, MANAGER_PATH, MANAGER, "StopUnit",
                               &bus_error, &reply, "ss", unit, "replace");
  if (result < 0 && sd_bus_error_has_name (&bus_error, "org.freedesktop.systemd1.NoSuchUnit"))
    return TRUE;
  if (result >= 0)
    result = sd_bus_message_read (reply, "o", &job);
  if (result < 0)
    return throw_bus (error, result, &bus_error, "Stopping", unit);
  return wait_for_job (systemd, job, unit, ended, cancellable, error);
}

/* One row of ListUnitsByNames() or ListUnitsByPatterns(). */
static int
read_unit (BusMessage *reply, GHashTable *states)
{
  const char *name, *description, *load_state, *active_state, *sub_state, *following, *path,
      *job_type, *job_path;
  guint32 job_id = 0;
  int result
      = sd_bus_message_read (reply, "(ssssssouso)", &name, &description, &load_state, &active_state,
                             &sub_state, &following, &path, &job_id, &job_type, &job_path);

  if (result <= 0)
    return result;
  /* A unit whose file is gone may still run. */
  if (g_str_equal (load_state, "not-found") && g_str_equal (active_state, "inactive"))
    active_state = "not-found";
  g_hash_table_insert (states, g_strdup (name), g_strdup (active_state));
  return result;
}

/* Asks @method, whose arguments are lists of strings: @first, and @second unless it is NULL. */
static gboolean
list_units (AtmSystemd *systemd, const char *method, const char *const *first,
            const char *const *second, GHashTable *states, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (BusMessage) call = NULL, reply = NULL;
  int result = sd_bus_message_new_method_call (systemd->bus, &call, DESTINATION, MANAGER_PATH,
                                               MANAGER, method);

  if (result >= 0)
    result = sd_bus_message_append_strv (call, (char **) first);
  if (result >= 0 && second != NULL)
    result = sd_bus_message_append_strv (call, (char **) second);
  if (result >= 0)
    result = sd_bus_call (systemd->bus, call, 0, &bus_error, &reply);
  if (result >= 0)
    result = sd_bus_message_enter_container (reply, 'a', "(ssssssouso)");
  while (result > 0)
    result = read_unit (reply, states);
  return result >= 0 || throw_bus (error, result, &bus_error, "Asking for the state of", "units");
}

gboolean
atm_systemd_list_states (AtmSystemd *systemd, const char *const *units, const char *unit_dir,
                         GHashTable **states_out, GError **error)
{
  const char *const any_state[] = { NULL }, *const services[] = { "*.service", NULL };
  g_autoptr (GHashTable) states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GPtrArray) unknown = g_ptr_array_new ();
  atm_autofd int dir_fd = open (unit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (!list_units (systemd, "ListUnitsByPatterns", any_state, services, states, error))
    return FALSE;
  /* What is not loaded does not run. To ask for it by name makes systemd load and forget it, which
     takes long for a thousand units; that there is a file is enough. */
  for (guint i = 0; units[i] != NULL; i++)
    if (g_hash_table_contains (states, units[i]))
      continue;
    else if (dir_fd >= 0 && faccessat (dir_fd, units[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      g_hash_table_insert (states, g_strdup (units[i]), g_strdup ("inactive"));
    else
      g_ptr_array_add (unknown, (gpointer) units[i]);
  if (unknown->len > 0)
    {
      g_ptr_array_add (unknown, NULL);
      if (!list_units (systemd, "ListUnitsByNames", (const char *const *) unknown->pdata, NULL,
                       states, error))
        return FALSE;
    }

  for (guint i = 0; units[i] != NULL; i++)
    if (!g_hash_table_contains (states, units[i]))
      g_hash_table_insert (states, g_strdup (units[i]), g_strdup ("not-found"));
  *states_out = g_steal_pointer (&states);
  return TRUE;
}

gboolean
atm_systemd_find_unit (AtmSystemd *systemd, const char *unit, char **path_out, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (BusMessage) reply = NULL;
  const char *object = NULL;
  char *path = NULL; /* of malloc() */
  int result = sd_bus_call_method (systemd->bus, DESTINATION, MANAGER_PATH, MANAGER, "LoadUnit",
                                   &bus_error, &reply, "s", unit);

  if (result >= 0)
    result = sd_bus_message_read (reply, "o", &object);
  if (result >= 0)
    result = sd_bus_get_property_string (systemd->bus, DESTINATION, object, UNIT, "FragmentPath",
                                         &bus_error, &path);
  if (result < 0)
    return throw_bus (error, result, &bus_error, "Looking for", unit);

  *path_out = *path != '\0' ? g_strdup (path) : NULL;
  free (path);
  return TRUE;
}
