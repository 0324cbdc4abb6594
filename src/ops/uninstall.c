/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/uninstall.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/plan.h"
#include "ops/claim.h"
#include "ops/switch.h"
#include "util/error.h"
#include "util/fd.h"

static gboolean
throw_not_found (const char *name, GError **error)
{
  return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                    "Unable to find '%s' in the following backends: ostree", name);
}

/* The deployment to take leave of; of a container that is damaged, the one that there is. */
static gboolean
find_deployment (int checkout_fd, const char *name, int *number_out, GError **error)
{
  g_autoptr (AtmContainer) container = NULL;
  g_autoptr (GError) local = NULL;
  int number = ATM_PLAN_NONE;

  if (!atm_container_load (checkout_fd, name, &container, &local))
    {
      if (g_error_matches (local, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND))
        return throw_not_found (name, error);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (g_strcmp0 (container->deployment, name) == 0)
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "“%s” is no link to a deployment and is left as it is", name);
  if (!atm_container_get_current (checkout_fd, name, &number, NULL) || number == ATM_PLAN_NONE)
    number = !atm_deployment_exists (checkout_fd, name, 0)
             && atm_deployment_exists (checkout_fd, name, 1);
  *number_out = number;
  return TRUE;
}

gboolean
atm_uninstall (const AtmSystem *system, const char *name, AtmUninstallFlags flags,
               const AtmReport *report, GCancellable *cancellable, GError **error)
{
  const char *const names[] = { name, NULL };
  g_autoptr (AtmPlan) plan = atm_plan_new ("uninstall");
  g_auto (AtmClaim) claim = { 0 };
  atm_autofd int checkout_fd = -1;
  int number = ATM_PLAN_NONE;

  if (!atm_container_check_name (name, NULL))
    return throw_not_found (name, error);
  checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (checkout_fd < 0 && errno == ENOENT)
    return throw_not_found (name, error);
  if (checkout_fd < 0)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);

  if (!atm_claim_take (&claim, system, names, report, cancellable, error)
      || !find_deployment (checkout_fd, name, &number, error))
    return FALSE;
  plan->purge = (flags & ATM_UNINSTALL_PURGE_STATE) != 0;
  (void) atm_plan_add (plan, name, number, ATM_PLAN_NONE);
  return atm_switch (system, plan, NULL, NULL, report, cancellable, error);
}
