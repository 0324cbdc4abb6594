/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/plan.h"
#include "container/record.h"
#include "host/system.h"
#include "host/systemd.h"
#include "ops/report.h"
#include "ops/side.h"

/* What switch.c, converge.c and recover.c share. */

/* A plan that is being carried out. */
typedef struct
{
  const AtmSystem *system;   /* (borrowed) */
  const AtmReport *report;   /* (borrowed) */
  AtmPlan *plan;             /* (borrowed) */
  GCancellable *cancellable; /* (borrowed) (nullable) */
  AtmSystemd *systemd;       /* (owned) */
  int checkout_fd;
  int host_fd;
  gboolean booting;  /* systemd is about to start all that is enabled: nothing is stopped, lest
                        queued jobs are cancelled, and nothing is waited for */
  gboolean fresh;    /* nothing was begun before, so what both sides have alike is in force, and is
                        neither carried out nor read by systemd again */
  gboolean reload;   /* what systemd reads has changed since it read it */
  gboolean unsynced; /* the links are not on the disk yet, see atm_switch_links() */
} AtmSwitching;

#define ATM_SWITCHING_INIT                                                                         \
  {                                                                                                \
    .checkout_fd = -1, .host_fd = -1                                                               \
  }

void atm_switching_clear (AtmSwitching *switching);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmSwitching, atm_switching_clear)

/**
 * atm_switching_open:
 * @switching: with the borrowed members
 * @error: %G_IO_ERROR, %ATM_SYSTEMD_ERROR_UNREACHABLE
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switching_open (AtmSwitching *switching, GError **error);

/* ---- the host side (converge.c) ---- */

typedef enum
{
  ATM_DIRECTION_FORWARD,
  ATM_DIRECTION_BACK
} AtmDirection;

/**
 * atm_converge_prepare:
 * @error: %ATM_CONTAINER_ERROR_DAMAGED, of container/hostfiles.h: it cannot be switched
 *
 * Before the first step, while nothing has been touched.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_converge_prepare (AtmSwitching *switching, GError **error);

/**
 * atm_converge_settle:
 * @error: %ATM_TOOL_ERROR, of atm_side_load()
 *
 * While the services still run: what tmpfiles makes for those new versions that want nothing else
 * of it than the old ones, and nothing that a running service could notice. That is then left out
 * between stop and start.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_converge_settle (AtmSwitching *switching, GError **error);

/**
 * atm_converge_files:
 * @error: of the rooms below
 *
 * Host files, units and tmpfiles fragments of all containers of the plan: as their deployments have
 * them in @direction. Can be repeated. The services do not run.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_converge_files (AtmSwitching *switching, AtmDirection direction, GError **error);

/**
 * atm_converge_services:
 *
 * Likewise what systemd makes of these files: it is reloaded, the fragments are carried out, units
 * are enabled. Fills volumes. What this boot would have started if it had been enabled in time is
 * queued.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_converge_services (AtmSwitching *switching, AtmDirection direction, GError **error);

/* ---- the steps (switch.c) ---- */

/**
 * atm_switch_stop:
 * @error: %ATM_SYSTEMD_ERROR, %G_IO_ERROR_CANCELLED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switch_stop (AtmSwitching *switching, GError **error);

/**
 * atm_switch_links:
 *
 * Replaces, makes or removes the links of all containers of the plan. On the way forward with a
 * trial they are not on the disk when it returns, for the services are down meanwhile: until the
 * trial is confirmed, an interruption leads back whatever the links say.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switch_links (AtmSwitching *switching, AtmDirection direction, GError **error);

/**
 * atm_switch_sync_links:
 * @error: %G_IO_ERROR
 *
 * Has to come before anything is changed that follows from the links, since links that lead back
 * mean that nothing of it is to be undone, and before the confirmation.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switch_sync_links (AtmSwitching *switching, GError **error);

/**
 * atm_switch_has_links:
 *
 * Returns: whether the links of all containers are where they are to be in @direction
 */
gboolean atm_switch_has_links (const AtmPlan *plan, int checkout_fd, AtmDirection direction);

/**
 * atm_switch_find_running:
 *
 * Notes in the plan what runs now of its containers and what depends on them.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switch_find_running (AtmSwitching *switching, GError **error);

/**
 * atm_switch_start_again:
 *
 * Starts what stands in the plan as running. What does not start is reported, for nothing else can
 * be done about it.
 */
void atm_switch_start_again (AtmSwitching *switching);

/**
 * atm_switch_back:
 * @failed: the new versions did not run, rather than that something came between
 * @why: for people, in the history
 * @error: %ATM_SWITCH_ERROR_PENDING
 *
 * Undoes the plan, however far it had come, and removes it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switch_back (AtmSwitching *switching, gboolean failed, const char *why,
                          GError **error);

/**
 * atm_switch_finish:
 * @note: (nullable): for the history
 * @error: %G_IO_ERROR
 *
 * When all is as the plan wants it: removes what is not needed any more, and the plan.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_switch_finish (AtmSwitching *switching, const char *note, GError **error);

/* ---- the history (switch-history.c) ---- */

/**
 * atm_switch_remember:
 * @change: (borrowed): one of the plan
 * @note: (nullable): why it did not succeed, or how it came to an end
 *
 * Once the containers are as they stay, and before the deployments go that it tells of. A memory
 * that cannot be written is reported, and holds nothing up.
 */
void atm_switch_remember (AtmSwitching *switching, const AtmPlanChange *change,
                          AtmRecordResult result, const char *note);
