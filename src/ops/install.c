/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/install.h"

#include <fcntl.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/plan.h"
#include "container/values.h"
#include "host/file.h"
#include "host/systemd.h"
#include "host/tool.h"
#include "ops/build.h"
#include "ops/claim.h"
#include "ops/judge.h"
#include "ops/open.h"
#include "ops/pull.h"
#include "ops/switch.h"
#include "util/error.h"
#include "util/fd.h"

/* What one install works with. All pointers (owned). */
typedef struct
{
  const AtmSystem *system;   /* (borrowed) */
  const AtmReport *report;   /* (borrowed) */
  GCancellable *cancellable; /* (borrowed) (nullable) */

  char *name;
  char *runtime_path;
  char *remote; /* (nullable): the root file system that is shared (--rootfs) */
  AtmRuntime runtime;
  GHashTable *set;
  char *unit_name;
  char *tmpfiles_name;
  int checkout_fd;
  int host_fd;

  AtmStore *store;
  AtmStoredImage *image;
  char *verdict; /* (nullable): today's, of an image that was stored */
  AtmBuild *build;
} Install;

static void
install_clear (Install *install)
{
  g_free (install->name);
  g_free (install->runtime_path);
  g_free (install->remote);
  g_clear_pointer (&install->set, g_hash_table_unref);
  g_free (install->unit_name);
  g_free (install->tmpfiles_name);
  atm_build_free (install->build); /* before the folder that it is in */
  atm_fd_clear (&install->checkout_fd);
  atm_fd_clear (&install->host_fd);
  g_free (install->verdict);
  atm_stored_image_free (install->image);
  atm_store_free (install->store);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Install, install_clear)

/* ---- step 1: is it possible at all? ---- */

static gboolean
prepare (Install *install, const AtmInstallOptions *options, const AtmOrigin *origin,
         GError **error)
{
  const AtmSystem *system = install->system;

  install->name = options->name != NULL ? g_strdup (options->name)
                                        : atm_name_suggest_container (origin->name);
  install->runtime_path = g_strdup (options->runtime != NULL ? options->runtime : system->runtime);
  install->unit_name = g_strconcat (install->name, ".service", NULL);
  install->tmpfiles_name = g_strconcat (install->name, ".conf", NULL);

  install->host_fd = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (install->host_fd < 0)
    return atm_throw_errno (error, "Opening the folder /");
  return (options->rootfs == NULL
          || atm_build_find_remote (options->rootfs, install->report, &install->remote, error))
         && atm_container_check_name (install->name, error)
         && atm_values_parse_set (options->set, &install->set, error)
         && atm_runtime_probe (install->runtime_path, &install->runtime, install->cancellable,
                               error)
         && atm_make_dirs (system->checkout, 0700, &install->checkout_fd, error);
}

static gboolean
is_present (const Install *install, gboolean *present_out, GError **error)
{
  g_autoptr (AtmContainer) container = NULL;
  g_autoptr (GError) local = NULL;

  *present_out = atm_container_load (install->checkout_fd, install->name, &container, &local);
  if (*present_out || g_error_matches (local, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* ---- step 2: the image ---- */

/* The image in the store, if it is one that can be checked out and today's policy allows it. */
static gboolean
load_stored_image (Install *install, AtmStore *store, const AtmOrigin *origin, GError **error)
{
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  gboolean allowed = FALSE;

  if (!atm_pull_find_stored (store, origin->name->familiar, &image, install->cancellable, error))
    return FALSE;
  if (image == NULL || !atm_pull_is_meant (image, origin))
    return TRUE;
  allowed = atm_judge_stored (install->system, image, trace, &verdict, install->cancellable, error);
  atm_judge_record (trace);
  if (!allowed)
    return FALSE;
  install->image = g_steal_pointer (&image);
  install->verdict = atm_verdict_to_json (verdict);
  return TRUE;
}

static gboolean
get_image (Install *install, const AtmOrigin *origin, const AtmPullOptions *pull, GError **error)
{
  if (!atm_pull_open_store (install->system, &install->store, install->cancellable, error)
      || !load_stored_image (install, install->store, origin, error))
    return FALSE;
  return install->image != NULL
         || atm_pull (install->system, origin, pull, install->report, &install->image,
                      install->cancellable, error);
}

/* ---- step 3: the deployment, under a name that nobody looks at ---- */

static gboolean
build (Install *install, GError **error)
{
  const AtmBuildOptions options = {
    .name = install->name,
    .number = 0,
    .checkout_fd = install->checkout_fd,
    .host_fd = install->host_fd,
    .runtime = install->runtime_path,
    .abilities = install->runtime,
    .remote = install->remote,
    .set = install->set,
    .store = install->store,
    .image = install->image,
    .verdict = install->verdict,
  };

  return atm_build (install->system, &options, install->report, &install->build,
                    install->cancellable, error);
}

/* ---- step 4: the host ---- */

static gboolean
check_host (const Install *install, GError **error)
{
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autofree char *path = NULL;

  if (!atm_host_file_check_absent (install->system->unit_dir, install->unit_name, error)
      || !atm_host_file_check_absent (install->system->tmpfiles_dir, install->tmpfiles_name, error)
      || !atm_systemd_connect (&systemd, error)
      || !atm_systemd_find_unit (systemd, install->unit_name, &path, error))
    return FALSE;
  if (path != NULL)
    atm_report (install->report, ATM_REPORT_NOTICE,
                "Warning: the host has a unit of this name, %s; it is hidden by the one of the "
                "container. If it is running, stop it before you start the container",
                path);
  return TRUE;
}

static gboolean
install_image (Install *install, const AtmOrigin *origin, const AtmPullOptions *pull,
               GError **error)
{
  g_autoptr (AtmPlan) plan = atm_plan_new ("install");
  g_autoptr (GPtrArray) deployments = g_ptr_array_new ();

  if (!check_host (install, error) || !get_image (install, origin, pull, error)
      || !build (install, error))
    return FALSE;
  (void) atm_plan_add (plan, install->name, ATM_PLAN_NONE, 0);
  g_ptr_array_add (deployments, install->build->deployment);
  return atm_switch (install->system, plan, deployments, NULL, install->report,
                     install->cancellable, error);
}

gboolean
atm_install (const AtmSystem *system, const AtmInstallOptions *options, const AtmReport *report,
             GCancellable *cancellable, GError **error)
{
  g_auto (Install) install = {
    .system = system,
    .report = report,
    .cancellable = cancellable,
    .checkout_fd = -1,
    .host_fd = -1,
  };
  g_autoptr (AtmOrigin) origin = NULL;
  g_auto (AtmClaim) claim = { 0 };
  gboolean present = FALSE;
  const char *names[] = { NULL, NULL };

  if (!atm_open_origin (options->image, &origin, cancellable, error)
      || !prepare (&install, options, origin, error))
    return FALSE;
  names[0] = install.name;
  if (!atm_claim_take (&claim, system, names, report, cancellable, error)
      || !is_present (&install, &present, error))
    return FALSE;
  if (present)
    {
      atm_report (report, ATM_REPORT_STEP, "%s already present", install.name);
      return TRUE;
    }
  return install_image (&install, origin, &options->pull, error);
}
