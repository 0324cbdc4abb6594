/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/install.h"

#include <fcntl.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/hostfs.h"
#include "container/values.h"
#include "container/volume.h"
#include "host/file.h"
#include "host/systemd.h"
#include "host/tool.h"
#include "ops/adopt.h"
#include "ops/build.h"
#include "ops/judge.h"
#include "ops/lock.h"
#include "ops/open.h"
#include "ops/preinstalled.h"
#include "ops/pull.h"
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
  atm_fd_clear (&install->checkout_fd);
  atm_fd_clear (&install->host_fd);
  atm_build_free (install->build);
  g_free (install->verdict);
  atm_stored_image_free (install->image);
  atm_store_free (install->store);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Install, install_clear)

/* What was changed outside the deployment's own folder, to be undone unless all went well. */
typedef struct
{
  const Install *install; /* (borrowed) (nullable) */
  AtmSystemd *systemd;    /* (owned) (nullable) */
  GPtrArray *host_files;  /* (owned) (nullable): paths that were created */
  gboolean container;
  gboolean unit;
  gboolean tmpfiles;
  gboolean enabled;
} Undo;

static void
undo_host_files (const Install *install, GPtrArray *paths)
{
  g_autoptr (GHashTable) checksums = atm_host_plan_dup_checksums (install->build->host_plan);
  g_autoptr (GHashTable) created = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (guint i = 0; i < paths->len; i++)
    g_hash_table_insert (created, g_strdup (paths->pdata[i]),
                         g_strdup (g_hash_table_lookup (checksums, paths->pdata[i])));
  atm_hostfs_remove (install->host_fd, created, NULL);
}

/* Goes on after a failure: each step is worth trying, and the first error is the one to report. */
static void
undo_clear (Undo *undo)
{
  const Install *install = undo->install;
  g_autoptr (GError) error = NULL;

  if (install != NULL)
    {
      if (undo->enabled && !atm_systemd_disable (undo->systemd, install->unit_name, &error))
        g_clear_error (&error);
      if (undo->unit
          && !atm_host_file_remove (install->system->unit_dir, install->unit_name, &error))
        g_clear_error (&error);
      if (undo->tmpfiles
          && !atm_host_file_remove (install->system->tmpfiles_dir, install->tmpfiles_name, &error))
        g_clear_error (&error);
      if (undo->host_files != NULL)
        undo_host_files (install, undo->host_files);
      if (undo->systemd != NULL && !atm_systemd_reload (undo->systemd, &error))
        g_clear_error (&error);
      if (undo->container && !atm_container_remove (install->checkout_fd, install->name, &error))
        g_clear_error (&error);
    }
  atm_systemd_free (undo->systemd);
  g_clear_pointer (&undo->host_files, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Undo, undo_clear)

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

  *present_out = atm_container_load (install->checkout_fd, install->name, &container, &local)
                 || atm_preinstalled_has (install->system, install->name);
  if (*present_out || g_error_matches (local, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* ---- step 2: the image ---- */

/* Whether a stored image is the one that was typed. A short name means what is stored under it,
   from wherever it was pulled (command.md 3); a full name and a layout mean themselves. Of what the
   Python tool pulled only the name is known. */
static gboolean
is_meant (const AtmStoredImage *image, const AtmOrigin *origin)
{
  g_autofree char *what = atm_origin_to_string (origin);

  if (image->canonical == NULL)
    return origin->transport == ATM_TRANSPORT_DOCKER;
  return g_str_equal (image->canonical, what)
         || (origin->transport == ATM_TRANSPORT_DOCKER && !origin->name->domain_typed);
}

/* What cannot be taken over from the Python tool is pulled again: *@image is NULL then. */
static gboolean
adopt (const Install *install, AtmStore *store, AtmStoredImage **image, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_adopt_stored (install->system, store, image, install->report, install->cancellable,
                        &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  atm_report (install->report, ATM_REPORT_NOTICE, "%s; it is pulled again", local->message);
  g_clear_pointer (image, atm_stored_image_free);
  return TRUE;
}

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
  if (image == NULL || !is_meant (image, origin))
    return TRUE;
  if (!adopt (install, store, &image, error))
    return FALSE;
  if (image == NULL)
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

static void
report_notices (const Install *install, GPtrArray *notices)
{
  for (guint i = 0; i < notices->len; i++)
    atm_report (install->report, ATM_REPORT_NOTICE, "%s: %s", install->image->reference,
                (const char *) notices->pdata[i]);
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

/* An image that only brings files for the host needs no root file system any more. */
static void
drop_rootfs (const Install *install)
{
  g_autofree char *deployment = g_strconcat (install->name, ".0", NULL);
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = -1;

  if (!atm_open_dir_at (install->checkout_fd, deployment, &fd, &error)
      || !atm_remove_tree_at (fd, "rootfs", &error))
    atm_report (install->report, ATM_REPORT_NOTICE, "%s, going on without it", error->message);
}

static gboolean
create_host_files (const Install *install, Undo *undo, GError **error)
{
  gboolean created = FALSE;

  undo->host_files = g_ptr_array_new_with_free_func (g_free);
  created = atm_host_plan_apply (install->build->host_plan, undo->host_files, install->cancellable,
                                 error);
  for (guint i = 0; created && i < undo->host_files->len; i++)
    atm_report (install->report, ATM_REPORT_STEP, "Created file %s",
                (const char *) undo->host_files->pdata[i]);
  return created;
}

/* Before tmpfiles, which make what is still missing. What was filled stays after a failure, as all
   state does: nothing in it is in anybody's way. */
static gboolean
fill_volumes (const Install *install, GError **error)
{
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);

  if (install->build->bundle->volumes->len == 0)
    return TRUE;
  if (!atm_volumes_fill (install->build->bundle->volumes, install->store, install->image->commit,
                         install->build->rootfs_fd, notices, install->cancellable, error))
    return FALSE;
  report_notices (install, notices);
  return TRUE;
}

static gboolean
create_service_files (const Install *install, Undo *undo, GError **error)
{
  const AtmSystem *system = install->system;

  if (!fill_volumes (install, error)
      || !atm_host_file_create (system->unit_dir, install->unit_name, install->build->unit, error))
    return FALSE;
  undo->unit = TRUE;
  if (install->build->tmpfiles == NULL)
    return TRUE;
  undo->tmpfiles = atm_host_file_create (system->tmpfiles_dir, install->tmpfiles_name,
                                         install->build->tmpfiles, error);
  return undo->tmpfiles;
}

static gboolean
enable_service (const Install *install, Undo *undo, GError **error)
{
  const AtmReport *report = install->report;

  if (undo->tmpfiles)
    {
      g_autofree char *path
          = g_build_filename (install->system->tmpfiles_dir, install->tmpfiles_name, NULL);

      atm_report (report, ATM_REPORT_STEP, "systemd-tmpfiles --create %s", path);
      if (!atm_tmpfiles_create (path, install->cancellable, error))
        return FALSE;
    }
  undo->enabled = TRUE;
  atm_report (report, ATM_REPORT_STEP, "systemctl enable %s", install->name);
  return atm_systemd_enable (undo->systemd, install->unit_name, error);
}

/* After the commit point: host files, unit, tmpfiles, systemd. */
static gboolean
activate (const Install *install, Undo *undo, GError **error)
{
  gboolean service = !install->build->exports->no_service;

  if (!create_host_files (install, undo, error)
      || (service && !create_service_files (install, undo, error))
      || !atm_systemd_connect (&undo->systemd, error))
    return FALSE;
  /* also without a service: host files may be units and drop-ins */
  atm_report (install->report, ATM_REPORT_STEP, "systemctl daemon-reload");
  return atm_systemd_reload (undo->systemd, error)
         && (!service || enable_service (install, undo, error))
         && !g_cancellable_set_error_if_cancelled (install->cancellable, error);
}

static gboolean
install_image (Install *install, const AtmOrigin *origin, const AtmPullOptions *pull,
               GError **error)
{
  const AtmSystem *system = install->system;
  g_auto (Undo) undo = { .install = install };

  if (!check_host (install, error) || !get_image (install, origin, pull, error)
      || !build (install, error))
    return FALSE;

  undo.container = TRUE;
  if (!atm_deployment_sync (install->build->deployment, error)
      || !atm_deployment_publish (install->build->deployment, error)
      || !atm_deployment_make_current (install->checkout_fd, system->checkout, install->name, 0,
                                       error)
      || !activate (install, &undo, error))
    return FALSE;

  undo.install = NULL; /* nothing is left to be undone */
  if (install->build->exports->no_service)
    drop_rootfs (install);
  return TRUE;
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
  g_auto (AtmLock) lock = ATM_LOCK_INIT;
  gboolean present = FALSE;

  if (!atm_open_origin (options->image, &origin, cancellable, error)
      || !prepare (&install, options, origin, error)
      || !atm_lock_take (&lock, system->run_dir, install.name, report, cancellable, error)
      || !is_present (&install, &present, error))
    return FALSE;
  if (present)
    {
      atm_report (report, ATM_REPORT_STEP, "%s already present", install.name);
      return TRUE;
    }
  return install_image (&install, origin, &options->pull, error);
}
