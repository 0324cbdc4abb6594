/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/update-private.h"

#include <string.h>
#include <unistd.h>

#include "container/hostfiles.h"
#include "container/privileges.h"
#include "container/values.h"
#include "host/tool.h"
#include "ops/check-bundle.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

/* The new deployment: built, and looked at while the old one still runs. */

#define CONFIG_MAX_BYTES (4 * 1024 * 1024)

/* ---- what would not start ---- */

/* systemd looks at the file where it is: it goes by the name only, and the folder is still called
   otherwise than it will be. */
static gboolean
check_unit (const AtmUpdateCandidate *candidate, GError **error)
{
  g_autofree char *path
      = g_strdup_printf ("/proc/%d/fd/%d/%s.service", (int) getpid (),
                         atm_deployment_get_fd (candidate->deployment), candidate->name);
  g_auto (GStrv) problems = NULL;
  g_autofree char *text = NULL;

  if (!atm_unit_verify (path, &problems, candidate->update->cancellable, error))
    return FALSE;
  if (*problems == NULL)
    return TRUE;
  text = g_strjoinv ("; ", problems);
  return atm_throw (error, ATM_UPDATE_ERROR, ATM_UPDATE_ERROR_INVALID,
                    "systemd would not start the new unit of container %s: %s", candidate->name,
                    text);
}

/* ---- what its files and the host lack ---- */

/* NULL if there is none. */
static char *
read_text (int dir_fd, const char *file)
{
  g_autoptr (GBytes) bytes = NULL;

  if (!atm_read_file_at (dir_fd, file, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &bytes, NULL))
    return NULL;
  return g_bytes_get_size (bytes) > 0
             ? g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes))
             : g_strdup ("");
}

static GPtrArray *
find_problems (const AtmUpdateCandidate *candidate, const AtmInfo *info, int deployment_fd)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *unit_name = g_strconcat (candidate->name, ".service", NULL);
  g_autofree char *tmpfiles_name = g_strdup_printf ("tmpfiles-%s.conf", candidate->name);
  g_autofree char *unit = read_text (deployment_fd, unit_name);
  g_autofree char *tmpfiles = read_text (deployment_fd, tmpfiles_name);
  const AtmBundleCheck check = {
    .system = candidate->update->system,
    .info = info,
    .deployment_fd = deployment_fd,
    .unit = unit != NULL ? unit : "",
    .tmpfiles = tmpfiles,
  };

  atm_check_bundle (&check, problems);
  return g_steal_pointer (&problems);
}

/* What the old version lacks, too, is no reason to keep it. */
static gboolean
check_files (const AtmUpdateCandidate *candidate, GError **error)
{
  g_autofree char *old_path = g_strdup_printf ("%s.%d", candidate->name, candidate->number);
  g_autoptr (GPtrArray) old = NULL, new = NULL, worse = g_ptr_array_new ();
  g_autofree char *text = NULL;
  atm_autofd int old_fd = -1;

  if (!atm_open_dir_at (candidate->update->checkout_fd, old_path, &old_fd, error))
    return FALSE;
  old = find_problems (candidate, candidate->container->info, old_fd);
  new = find_problems (candidate, candidate->info, atm_deployment_get_fd (candidate->deployment));
  for (guint i = 0; i < new->len; i++)
    if (!g_ptr_array_find_with_equal_func (old, new->pdata[i], g_str_equal, NULL))
      g_ptr_array_add (worse, new->pdata[i]);
  if (worse->len == 0)
    return TRUE;
  g_ptr_array_add (worse, NULL);
  text = g_strjoinv ("; ", (char **) worse->pdata);
  return atm_throw (error, ATM_UPDATE_ERROR, ATM_UPDATE_ERROR_INVALID,
                    "The new version of container %s would not start: %s", candidate->name, text);
}

/* An image that only brings host files has no bundle that anybody runs. */
static gboolean
check_start (const AtmUpdateCandidate *candidate, GError **error)
{
  return !candidate->info->has_service
         || (check_files (candidate, error) && check_unit (candidate, error));
}

/* ---- building ---- */

/* The image of the old version, as far as it is there: only its defaults are wanted. */
static GHashTable *
dup_kept_values (const AtmUpdateCandidate *candidate)
{
  const AtmInfo *info = candidate->container->info;
  g_autofree char *path = g_strdup_printf ("%s.%d/rootfs", candidate->name, candidate->number);
  g_autoptr (AtmExports) exports = NULL;
  g_autoptr (GError) error = NULL;
  atm_autofd int rootfs_fd = -1;

  if (atm_open_dir_at (candidate->update->checkout_fd, path, &rootfs_fd, &error)
      && !atm_exports_read (rootfs_fd, info->image, &exports, &error))
    g_debug ("%s", error->message);
  return atm_values_dup_kept (info->values, exports);
}

static gboolean
build (AtmUpdateCandidate *candidate, GHashTable *others, GError **error)
{
  const AtmUpdate *update = candidate->update;
  const AtmInfo *info = candidate->container->info;
  g_autoptr (GHashTable) stored = dup_kept_values (candidate);
  g_autoptr (AtmBuild) build = NULL;
  AtmBuildOptions options = {
    .name = candidate->name,
    .number = (guint) (1 - candidate->number),
    .checkout_fd = update->checkout_fd,
    .host_fd = update->host_fd,
    .runtime = info->runtime != NULL ? info->runtime : update->system->runtime,
    .remote = info->remote,
    .set = update->set,
    .current = info,
    .stored = stored,
    .others = others,
    .store = update->store,
    .image = candidate->image,
    .verdict = candidate->verdict,
  };

  if (info->remote != NULL)
    atm_report (update->report, ATM_REPORT_STEP,
                "The remote rootfs for this container is set to be %s", info->remote);
  if (!atm_runtime_probe (options.runtime, &options.abilities, update->cancellable, error)
      || !atm_build (update->system, &options, update->report, &build, update->cancellable, error))
    return FALSE;
  candidate->deployment = g_steal_pointer (&build->deployment);
  candidate->info = g_steal_pointer (&build->info);
  candidate->unit = g_steal_pointer (&build->unit);
  return TRUE;
}

/* ---- privileges ---- */

/* NULL if it cannot be read. */
static JsonObject *
read_config (int dir_fd, const char *path)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (JsonObject) object = NULL;

  if (!atm_read_file_at (dir_fd, path, FALSE, CONFIG_MAX_BYTES, &bytes, NULL)
      || !atm_json_parse_object (bytes, &object, NULL))
    return NULL;
  return g_steal_pointer (&object);
}

static gboolean
check_privileges (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  g_autofree char *old_path
      = g_strdup_printf ("%s.%d/config.json", candidate->name, candidate->number);
  g_autoptr (JsonObject) old_config = read_config (update->checkout_fd, old_path);
  g_autoptr (JsonObject) new_config
      = read_config (atm_deployment_get_fd (candidate->deployment), "config.json");
  g_autoptr (AtmPrivileges) old
      = atm_privileges_new (old_config, candidate->container->info->installed_files);
  g_autoptr (AtmPrivileges) new = atm_privileges_new (new_config, candidate->info->installed_files);
  g_auto (GStrv) widened = atm_privileges_compare (old, new);

  for (char **sentence = widened; *sentence != NULL; sentence++)
    atm_report (update->report, ATM_REPORT_NOTICE, "%s: the new version may do more: %s",
                candidate->name, *sentence);
  g_strfreev (candidate->result->widened);
  candidate->result->widened = g_steal_pointer (&widened);
  if (*candidate->result->widened == NULL || update->options->names != NULL
      || update->options->allow_privileges)
    return TRUE;
  return atm_throw (error, ATM_UPDATE_ERROR, ATM_UPDATE_ERROR_PRIVILEGES,
                    "Container %s is not updated: the new version may do more than the one that "
                    "runs (%s%s); update it by its name, or use --allow-privileges",
                    candidate->name, candidate->result->widened[0],
                    candidate->result->widened[1] != NULL ? " …" : "");
}

gboolean
atm_update_build (AtmUpdateCandidate *candidate, GHashTable *others, GError **error)
{
  const AtmUpdate *update = candidate->update;
  AtmHostSet host_files = { 0 };
  gboolean staged = candidate->deployment != NULL;

  if (!staged && !build (candidate, others, error))
    return FALSE;
  host_files.deployment_fd = atm_deployment_get_fd (candidate->deployment);
  host_files.checksums = candidate->info->installed_files;
  /* What has just been built was planned with them; what waited was planned some time ago. */
  if (staged && !atm_hostfiles_check (update->host_fd, &host_files, others, error))
    return FALSE;
  if (!check_start (candidate, error))
    return FALSE;
  atm_hostfiles_add_others (others, update->host_fd, candidate->name, &host_files);
  return check_privileges (candidate, error);
}
