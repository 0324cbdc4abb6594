/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/systemd.h"

#include <errno.h>
#include <unistd.h>

#include "host/systemd-private.h"
#include "util/error.h"

#define PRIVATE_ADDRESS "unix:path=/run/systemd/private"

/* A reload runs all generators; systemctl waits as long. */
#define CALL_TIMEOUT_USEC (180 * G_USEC_PER_SEC)

G_DEFINE_QUARK (atm_systemd_error, atm_systemd_error)

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

gboolean
atm_systemd_throw (GError **error, int result, const BusError *bus_error, const char *what,
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
  int result = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                                   ATM_SYSTEMD_MANAGER, "Reload", &bus_error, NULL, NULL);

  return result >= 0 || atm_systemd_throw (error, result, &bus_error, "Reloading", "units");
}

gboolean
atm_systemd_enable (AtmSystemd *systemd, const char *unit, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                                   ATM_SYSTEMD_MANAGER, "EnableUnitFiles", &bus_error, NULL, "asbb",
                                   1, unit, (int) FALSE, (int) FALSE);

  return result >= 0 || atm_systemd_throw (error, result, &bus_error, "Enabling", unit);
}

gboolean
atm_systemd_disable (AtmSystemd *systemd, const char *unit, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                                   ATM_SYSTEMD_MANAGER, "DisableUnitFiles", &bus_error, NULL, "asb",
                                   1, unit, (int) FALSE);

  if (result < 0
      && !sd_bus_error_has_names (&bus_error, "org.freedesktop.systemd1.NoSuchUnit",
                                  SD_BUS_ERROR_FILE_NOT_FOUND, NULL))
    return atm_systemd_throw (error, result, &bus_error, "Disabling", unit);
  return TRUE;
}
