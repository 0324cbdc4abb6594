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
 * @unit: “NAME.service”, whose file is there
 *
 * Makes the links. They count from the next atm_systemd_reload() on, which systemctl would do each
 * time; it takes long, so whoever changes more than one thing does it once.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_enable (AtmSystemd *systemd, const char *unit, GError **error);

/**
 * atm_systemd_disable:
 *
 * A unit that is not enabled is no error. atm_systemd_reload() has to follow.
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
 * atm_systemd_start:
 * @unit: a unit that can be loaded
 * @cancellable: ends the waiting, not the job
 * @error: %ATM_SYSTEMD_ERROR (%ATM_SYSTEMD_ERROR_JOB: it did not become active, with why),
 *   %G_IO_ERROR_CANCELLED
 *
 * Queues the job and waits for its result by signal; a unit that is active already is no error.
 * The unit's own time-out bounds the wait. A service that fails and that systemd then wants to
 * start once more (Restart=) has failed: its job would go on for as long as it is tried. After a
 * failure the unit may still be tried by systemd; stop it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_start (AtmSystemd *systemd, const char *unit, GCancellable *cancellable,
                            GError **error);

/**
 * atm_systemd_queue_start:
 * @unit: a unit that can be loaded
 * @error: %ATM_SYSTEMD_ERROR (%ATM_SYSTEMD_ERROR_REFUSED: another job contradicts, such as that of
 * a shutdown)
 *
 * Does not wait: for one who must end before the unit can start.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_queue_start (AtmSystemd *systemd, const char *unit, GError **error);

/**
 * atm_systemd_watch:
 * @units: (array zero-terminated=1): units that were started
 * @window_sec: how long they must stay active; 0: they are looked at once
 * @error: %ATM_SYSTEMD_ERROR_JOB: a unit is not active, or was restarted; %G_IO_ERROR_CANCELLED
 *
 * By signal, so a failure is known when it happens. A service of Type=oneshot that has ended well
 * is as good as an active one.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_watch (AtmSystemd *systemd, const char *const *units, guint window_sec,
                            GCancellable *cancellable, GError **error);

/**
 * atm_systemd_reset_failed:
 *
 * Forgets that the unit has failed, and how often it was started of late (systemd.unit(5),
 * StartLimitBurst=). A unit that is not loaded is no error.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_reset_failed (AtmSystemd *systemd, const char *unit, GError **error);

/**
 * atm_systemd_find_running:
 * @units: (array zero-terminated=1): units that are about to be stopped; they need not be there
 * @running_out: (out) (transfer full) (element-type utf8): those of @units that run or are being
 *   started, and all others that run and that systemd stops together with them (RequiredBy=,
 *   BoundBy=, ConsistsOf=, … and so on), in an order in which they can be started again
 * @error: %ATM_SYSTEMD_ERROR
 *
 * What nobody can start again is left out: transient units, scopes, RefuseManualStart=.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_find_running (AtmSystemd *systemd, const char *const *units,
                                   GPtrArray **running_out, GError **error);

/* A unit as systemd has it. All pointers (owned), none %NULL; "" where a unit has no such thing. */
typedef struct
{
  char *load_state; /* “loaded”, “not-found”, “masked”, “bad-setting”, “error” */
  char *load_error; /* why it is not “loaded” */
  char *active_state; /* “active”, “reloading”, “inactive”, “failed”, “activating”, … */
  char *sub_state;   /* “running”, “exited”, “auto-restart”, … */
  char *file_state;  /* “enabled”, “disabled”, “static”, “masked”, … */
  char *path;        /* the file that it was loaded from */
  char *type;        /* of a service: “notify”, “exec”, “oneshot”, … */
  char *result;      /* of a service: “success”, “exit-code”, “timeout”, … */
  guint restarts;    /* of a service: by Restart=, since it was started */
  gint64 since_unix; /* when it came into its active state; 0: never was in another one */
  gboolean stale;    /* its file was changed, and systemd was not reloaded since */
  gboolean wanted;   /* another unit that is loaded starts it (WantedBy=, RequiredBy=, …) */
} AtmUnit;

void atm_unit_clear (AtmUnit *unit);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmUnit, atm_unit_clear)

/**
 * atm_systemd_get_unit:
 * @unit_out: (out caller-allocates): zeroed; one that is not there has the load state “not-found”
 * @error: %ATM_SYSTEMD_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_get_unit (AtmSystemd *systemd, const char *unit, AtmUnit *unit_out,
                               GError **error);

/**
 * atm_systemd_is_due:
 * @unit: a unit
 * @due_out: (out): whether another unit that starts it (WantedBy=, RequiredBy=, …) is active or has
 *   a job: had @unit been enabled before, it would run, or be about to
 * @error: %ATM_SYSTEMD_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_systemd_is_due (AtmSystemd *systemd, const char *unit, gboolean *due_out,
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
