/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/rollback.h"

#include <errno.h>
#include <fcntl.h>

#include "container/deployment.h"
#include "container/plan.h"
#include "ops/claim.h"
#include "ops/judge.h"
#include "ops/repository.h"
#include "ops/side.h"
#include "ops/switch.h"
#include "util/error.h"
#include "util/fd.h"

/* ---- today's policy ---- */

static gboolean
judge (const AtmSystem *system, const AtmStoredImage *image, GCancellable *cancellable,
       GError **error)
{
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (AtmVerdict) verdict = NULL;
  gboolean allowed = atm_judge_stored (system, image, trace, &verdict, cancellable, error);

  atm_judge_record (trace);
  return allowed;
}

/* The commit stays in the store as long as the deployment does, unless somebody removes it. */
static gboolean
load_image (const AtmSystem *system, const AtmInfo *info, AtmStore **store_out,
            AtmStoredImage **image_out, GCancellable *cancellable, GError **error)
{
  if (info->commit == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "it is not known which it was");
  return atm_repository_open (system, store_out, cancellable, error)
         && atm_store_load_image_commit (*store_out, info->commit, info->image, image_out,
                                         cancellable, error)
         && atm_judge_check_judgeable (*image_out, error);
}

static gboolean
ask_policy (const AtmSystem *system, const AtmSide *side, const AtmReport *report,
            GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GError) local = NULL;

  if (load_image (system, side->info, &store, &image, cancellable, &local))
    return judge (system, image, cancellable, error);
  atm_report (report, ATM_REPORT_NOTICE,
              "%s: today's policy cannot be asked about the image %s: %s; going on, for it was "
              "allowed when it was installed",
              side->entry, side->info->image, local->message);
  return TRUE;
}

/* ---- the other deployment ---- */

static gboolean
load_other (const AtmSystem *system, int checkout_fd, const char *name, int number, AtmSide *side,
            GError **error)
{
  if (!atm_side_load (checkout_fd, name, number, side, error))
    return FALSE;
  if (side->fd < 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                      "Error: Cannot find a previous deployment to rollback located at %s/%s",
                      system->checkout, side->entry);
  if (side->info != NULL && side->info->has_service && side->unit == NULL)
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "Error: Cannot find systemd service file for previous version. The "
                      "previous checkout at %s/%s may be corrupted.",
                      system->checkout, side->entry);
  return atm_side_check (side, error);
}

static gboolean
find_current (int checkout_fd, const char *name, int *number_out, GError **error)
{
  int number = ATM_PLAN_NONE;

  if (!atm_container_get_current (checkout_fd, name, &number, error))
    return FALSE;
  if (number == ATM_PLAN_NONE)
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                      "System container '%s' is not installed", name);
  *number_out = number;
  return TRUE;
}

gboolean
atm_rollback (const AtmSystem *system, const char *name, const AtmReport *report,
              GCancellable *cancellable, GError **error)
{
  const char *const names[] = { name, NULL };
  g_autoptr (AtmPlan) plan = atm_plan_new ("rollback");
  g_auto (AtmClaim) claim = { 0 };
  g_auto (AtmSide) side = ATM_SIDE_INIT;
  atm_autofd int checkout_fd = -1;
  int number = ATM_PLAN_NONE;

  if (!atm_container_check_name (name, error))
    return FALSE;
  atm_report (report, ATM_REPORT_STEP, "Attempting to roll back system container: %s", name);
  checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (checkout_fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (checkout_fd < 0)
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                      "System container '%s' is not installed", name);
  if (!atm_claim_take (&claim, system, names, report, cancellable, error)
      || !find_current (checkout_fd, name, &number, error)
      || !load_other (system, checkout_fd, name, 1 - number, &side, error)
      || !ask_policy (system, &side, report, cancellable, error))
    return FALSE;
  atm_report (report, ATM_REPORT_STEP, "Rolling back container %s to the checkout at %s/%s", name,
              system->checkout, side.entry);
  (void) atm_plan_add (plan, name, number, 1 - number);
  return atm_switch (system, plan, NULL, NULL, report, cancellable, error);
}
