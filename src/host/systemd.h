/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* systemd, spoken to over D-Bus (org.freedesktop.systemd1(5)). */

#define ATM_SYSTEMD_ERROR (atm_systemd_error_quark ())
GQuark atm_systemd_error_quark (void);

typedef enum
{
  ATM_SYSTEMD_ERROR_UNREACHABLE, /* no manager on the bus */
  ATM_SYSTEMD_ERROR_REFUSED,     /* it answered with an error */
  ATM_SYSTEMD_ERROR_JOB          /* a job did not end with “done” */
} AtmSystemdError;

typedef struct _AtmSystemd AtmSystemd;

/**
 * atm_systemd_connect:
 * @systemd_out: (out) (transfer full): a connection to the manager of the system
 * @error: %ATM_SYSTEMD_ERROR_UNREACHABLE
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_connect (AtmSystemd **systemd_out, GError **error);
void atm_systemd_free (AtmSystemd *systemd);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSystemd, atm_systemd_free)

G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_reload (AtmSystemd *systemd, GError **error);

/**
 * atm_systemd_enable:
 * @unit: “NAME.service”, written and reloaded before
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_enable (AtmSystemd *systemd, const char *unit, GError **error);

/**
 * atm_systemd_disable:
 *
 * A unit that is not enabled is no error.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_disable (AtmSystemd *systemd, const char *unit, GError **error);

/**
 * atm_systemd_stop:
 * @unit: a unit; one that is not loaded is no error
 * @cancellable: ends the waiting, not the job
 * @error: %ATM_SYSTEMD_ERROR, %G_IO_ERROR_CANCELLED
 *
 * Queues the job and waits for its result by signal.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_stop (AtmSystemd *systemd, const char *unit, GCancellable *cancellable,
                           GError **error);

/**
 * atm_systemd_list_states:
 * @units: (array zero-terminated=1): names of services
 * @unit_dir: where their files are, most likely
 * @states_out: (out) (transfer full) (element-type utf8 utf8): unit to its ActiveState, or
 *   “not-found” if there is no file of that name in any unit path; others may be in it, too
 * @error: %ATM_SYSTEMD_ERROR
 *
 * One call for all, and a second one for those that are neither loaded nor in @unit_dir.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_list_states (AtmSystemd *systemd, const char *const *units,
                                  const char *unit_dir, GHashTable **states_out, GError **error);

/**
 * atm_systemd_find_unit:
 * @unit: “NAME.service”
 * @path_out: (out) (transfer full) (nullable): the file that systemd would load for it, whatever
 *   unit path it is in; %NULL if there is none
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_find_unit (AtmSystemd *systemd, const char *unit, char **path_out,
                                GError **error);
