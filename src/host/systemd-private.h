/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <systemd/sd-bus.h>

/* What the files of the connection to systemd share. */

#define ATM_SYSTEMD_DESTINATION "org.freedesktop.systemd1"
#define ATM_SYSTEMD_PATH "/org/freedesktop/systemd1"
#define ATM_SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define ATM_SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"
#define ATM_SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"

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

/**
 * atm_systemd_throw:
 * @result: negative errno, as sd-bus gives it
 * @bus_error: (nullable): what the other side answered
 * @what: as in “Stopping”
 * @unit: what it was done to
 *
 * Returns: %FALSE, always; %ATM_SYSTEMD_ERROR_REFUSED if it was an answer
 */
gboolean atm_systemd_throw (GError **error, int result, const BusError *bus_error, const char *what,
                            const char *unit);

/**
 * atm_systemd_dup_unit_path:
 *
 * Returns: (transfer full): the object of @unit; systemd loads the unit when it is asked for
 */
char *atm_systemd_dup_unit_path (const char *unit);

/**
 * atm_systemd_add_units:
 * @property: of the interface of units: a list of units, as “RequiredBy”
 * @units: (element-type utf8): they are added
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_add_units (AtmSystemd *systemd, const char *unit, const char *property,
                                GPtrArray *units, GError **error);
