/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/build.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "container/hostfiles.h"
#include "container/unit.h"
#include "container/values.h"
#include "container/volume.h"
#include "trust/verdict.h"
#include "util/error.h"
#include "util/fd.h"

void
atm_build_free (AtmBuild *build)
{
  if (build == NULL)
    return;
  g_free (build->name);
  g_free (build->commit);
  atm_fd_clear (&build->rootfs_fd);
  atm_deployment_free (build->deployment);
  atm_exports_free (build->exports);
  atm_bundle_free (build->bundle);
  atm_info_free (build->info);
  g_clear_pointer (&build->unit, g_bytes_unref);
  g_clear_pointer (&build->tmpfiles, g_bytes_unref);
  atm_host_plan_free (build->host_plan);
  g_free (build);
}

gboolean
atm_build_find_remote (const char *path, const AtmReport *report, char **remote_out, GError **error)
{
  g_autofree char *below = g_build_filename (path, "rootfs", NULL);
  g_autofree char *usr = g_build_filename (path, "usr", NULL);
  const char *found = g_file_test (below, G_FILE_TEST_IS_DIR) ? below : path;
  g_autofree char *real = NULL;

  if (found == path && !g_file_test (usr, G_FILE_TEST_IS_DIR))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                      "--rootfs=%s: neither %s nor %s is there, so it is no root file system", path,
                      below, usr);
  real = realpath (found, NULL);
  if (real == NULL)
    return atm_throw_errno (error, "--rootfs=%s", path);
  *remote_out = g_steal_pointer (&real);
  atm_report (report, ATM_REPORT_STEP, "The remote rootfs for this container is set to be %s",
              *remote_out);
  return TRUE;
}

static gboolean
parse_config (const AtmStoredImage *image, AtmImageConfig **config_out, GError **error)
{
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;

  if (!atm_manifest_parse (image->manifest, &manifest, error)
      || !atm_config_parse (image->config, manifest, NULL, &config, error))
    return FALSE;
  if (g_strcmp0 (g_hash_table_lookup (config->labels, "atomic.run"), "once") == 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "%s is an image to be run once (label atomic.run=once), not a service; "
                      "this version installs services only",
                      image->reference);
  *config_out = g_steal_pointer (&config);
  return TRUE;
}

static gboolean
provide_rootfs (const AtmBuildOptions *options, int deployment_fd, GCancellable *cancellable,
                GError **error)
{
  if (options->remote == NULL)
    return atm_store_check_out (options->store, options->image->commit, deployment_fd, "rootfs",
                                cancellable, error);
  return symlinkat (options->remote, deployment_fd, "rootfs") == 0
         || atm_throw_errno (error, "Creating the link rootfs");
}

static gboolean
read_exports (AtmBuild *build, const AtmSystem *system, const AtmBuildOptions *options,
              const AtmReport *report, GError **error)
{
  int deployment_fd = atm_deployment_get_fd (build->deployment);

  if ((options->remote != NULL
           ? !atm_open_dir_at (AT_FDCWD, options->remote, &build->rootfs_fd, error)
           : !atm_open_dir_at (deployment_fd, "rootfs", &build->rootfs_fd, error))
      || !atm_exports_read (build->rootfs_fd, options->image->reference, &build->exports, error))
    return FALSE;
  if (!build->exports->found)
    {
      atm_report (report, ATM_REPORT_NOTICE,
                  "Warning: /exports directory not found.  Default config files will be "
                  "generated.");
      atm_report (report, ATM_REPORT_NOTICE, "Warning: You may want to modify %s/%s.%u/config.json",
                  system->checkout, options->name, options->number);
    }
  return TRUE;
}

static GHashTable *
resolve_values (const AtmBuild *build, const AtmSystem *system, const AtmBuildOptions *options)
{
  g_autofree char *destdir
      = g_strdup_printf ("%s/%s.%u", system->checkout, options->name, options->number);
  const AtmToolValues tool = {
    .name = options->name,
    .destdir = destdir,
    .image_name = options->image->reference,
    .image_id
    = system->force_image_id != NULL ? system->force_image_id : options->image->digest.hex,
    .runtime = options->runtime,
    .pid_file = options->abilities.has_pid_file,
    .no_cgroups = options->abilities.no_cgroups,
    .atomic = system->program,
  };

  return atm_values_resolve (build->exports, &tool, options->set, options->stored);
}

static AtmInfo *
make_info (const AtmBuild *build, const AtmBuildOptions *options, GHashTable *values)
{
  const AtmInfo *current = options->current;
  const char *verdict = options->verdict != NULL ? options->verdict : options->image->verdict;
  AtmInfo *info = atm_info_new ();

  g_free (info->image); /* a new one has "" */
  info->image = g_strdup (options->image->reference);
  info->revision = g_strdup (g_hash_table_lookup (values, "IMAGE_ID"));
  info->commit = g_strdup (options->image->commit);
  if (verdict != NULL)
    info->accepted_by = atm_verdict_dup_accepted_by (verdict);
  info->created_unix = g_get_real_time () / G_USEC_PER_SEC;
  g_clear_pointer (&info->values, g_hash_table_unref);
  info->values = atm_values_to_store (values, options->set, options->stored);
  info->has_service = !build->exports->no_service;
  info->system_package = g_strdup (
      current != NULL && current->system_package != NULL ? current->system_package : "no");
  info->use_links = build->exports->use_links;
  g_clear_pointer (&info->installed_files, g_hash_table_unref);
  info->installed_files = atm_host_plan_dup_checksums (build->host_plan);
  info->rename_files = atm_host_plan_dup_renames (build->host_plan);
  info->installed_templates = g_strdupv (build->exports->installed_templates);
  info->runtime = g_strdup (options->runtime);
  info->remote = g_strdup (options->remote);
  if (build->bundle->volumes->len > 0)
    info->volumes = atm_volumes_to_map (build->bundle->volumes);
  return info;
}

static void
report_notices (const AtmBuildOptions *options, const AtmReport *report, GPtrArray *notices)
{
  for (guint i = 0; i < notices->len; i++)
    atm_report (report, ATM_REPORT_NOTICE, "%s: %s", options->image->reference,
                (const char *) notices->pdata[i]);
}

/* While others may change theirs: what is different then is a notice of the switch. */
static gboolean
plan_host_files (AtmBuild *build, const AtmBuildOptions *options, GHashTable *values,
                 GError **error)
{
  const char *const self[] = { options->name, NULL };
  g_autofree char *entry = g_strdup_printf ("%s.%u", options->name, 1 - options->number);
  g_autoptr (GHashTable) others
      = options->others != NULL ? g_hash_table_ref (options->others) : NULL;
  atm_autofd int current_fd = -1;
  AtmHostSet current = { 0 };

  if (options->current != NULL)
    {
      if (!atm_open_dir_at (options->checkout_fd, entry, &current_fd, error)
          || !atm_hostfiles_adopt (options->host_fd, current_fd, options->current, error))
        return FALSE;
      current.deployment_fd = current_fd;
      current.checksums = options->current->installed_files;
    }
  if (others == NULL
      && !atm_hostfiles_find_others (options->checkout_fd, options->host_fd, self, &others, error))
    return FALSE;
  return atm_hostfs_plan (build->rootfs_fd, options->host_fd, build->exports, values,
                          options->current != NULL ? &current : NULL, others, &build->host_plan,
                          error)
         && atm_host_plan_stage (build->host_plan, atm_deployment_get_fd (build->deployment),
                                 error);
}

static gboolean
render (AtmBuild *build, const AtmSystem *system, const AtmBuildOptions *options,
        const AtmImageConfig *config, const AtmReport *report, GError **error)
{
  g_autoptr (GHashTable) values = resolve_values (build, system, options);

  if (!atm_bundle_render (build->exports, values, config, build->rootfs_fd, &build->bundle, error)
      || !atm_unit_render (build->exports, values, config, build->bundle, &build->unit, error)
      || !atm_tmpfiles_render (build->exports, values, build->bundle, &build->tmpfiles, error)
      || !plan_host_files (build, options, values, error))
    return FALSE;
  if (options->remote != NULL)
    atm_bundle_set_root_path (build->bundle, options->remote);
  report_notices (options, report, build->bundle->notices);
  report_notices (options, report, atm_host_plan_get_notices (build->host_plan));
  build->info = make_info (build, options, values);
  return TRUE;
}

static gboolean
write_files (const AtmBuild *build, const AtmBuildOptions *options, GError **error)
{
  g_autoptr (GBytes) info_bytes = atm_info_to_bytes (build->info);
  g_autofree char *unit_name = g_strconcat (options->name, ".service", NULL);
  g_autofree char *tmpfiles_copy = g_strdup_printf ("tmpfiles-%s.conf", options->name);
  g_auto (GStrv) sources = NULL;
  g_auto (GStrv) mount_points = atm_bundle_dup_mount_points (build->bundle, &sources);

  /* config.json and info hold values, which may be secrets. */
  return (options->remote != NULL
          || atm_deployment_add_mount_points (build->deployment, mount_points, sources, error))
         && atm_deployment_write (build->deployment, "config.json", build->bundle->text, 0600,
                                  error)
         && atm_deployment_write (build->deployment, "info", info_bytes, 0600, error)
         && atm_deployment_write (build->deployment, unit_name, build->unit, 0644, error)
         && (build->tmpfiles == NULL
             || atm_deployment_write (build->deployment, tmpfiles_copy, build->tmpfiles, 0644,
                                      error));
}

/* An image that only brings files for the host needs no root file system any more. */
static gboolean
drop_rootfs (const AtmBuild *build, GError **error)
{
  return build->info->has_service
         || atm_remove_tree_at (atm_deployment_get_fd (build->deployment), "rootfs", error);
}

gboolean
atm_build (const AtmSystem *system, const AtmBuildOptions *options, const AtmReport *report,
           AtmBuild **build_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmBuild) build = g_new0 (AtmBuild, 1);
  g_autoptr (AtmImageConfig) config = NULL;

  build->rootfs_fd = -1;
  build->name = g_strdup (options->name);
  build->commit = g_strdup (options->image->commit);
  if (!parse_config (options->image, &config, error)
      || !atm_deployment_begin (options->checkout_fd, options->name, options->number,
                                &build->deployment, error))
    return FALSE;

  atm_report (report, ATM_REPORT_STEP, "Extracting to %s/%s.%u", system->checkout, options->name,
              options->number);
  if (!provide_rootfs (options, atm_deployment_get_fd (build->deployment), cancellable, error)
      || !read_exports (build, system, options, report, error)
      || !render (build, system, options, config, report, error)
      || !write_files (build, options, error) || !drop_rootfs (build, error))
    return atm_prefix_error (error, "%s", options->image->reference);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;

  *build_out = g_steal_pointer (&build);
  return TRUE;
}
