/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/update-private.h"

#include <string.h>
#include <unistd.h>

#include "container/bundle-check.h"
#include "container/hostfiles.h"
#include "container/privileges.h"
#include "container/values.h"
#include "host/tool.h"
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

static gboolean
is_made_by (const char *tmpfiles, const char *path)
{
  g_auto (GStrv) lines = g_strsplit (tmpfiles, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    {
      g_auto (GStrv) words = g_strsplit_set (*line, " \t", 3);
      gsize length = words[0] != NULL && words[1] != NULL ? strlen (words[1]) : 0;

      if (length > 0 && strncmp (path, words[1], length) == 0
          && (path[length] == '\0' || path[length] == '/'))
        return TRUE;
    }
  return FALSE;
}

/* Another service may make it before this one starts, so it is no error. */
static void
check_sources (const AtmUpdateCandidate *candidate, const AtmBuild *build)
{
  g_auto (GStrv) sources = atm_bundle_dup_bind_sources (build->bundle);
  gsize size = build->tmpfiles != NULL ? g_bytes_get_size (build->tmpfiles) : 0;
  g_autofree char *tmpfiles
      = size > 0 ? g_strndup (g_bytes_get_data (build->tmpfiles, NULL), size) : g_strdup ("");

  for (char **source = sources; *source != NULL; source++)
    if (!g_file_test (*source, G_FILE_TEST_EXISTS) && !is_made_by (tmpfiles, *source))
      atm_report (candidate->update->report, ATM_REPORT_NOTICE,
                  "%s: %s, which the new version binds, is not on this host", candidate->name,
                  *source);
}

/* An image that only brings host files has no bundle that anybody runs. */
static gboolean
check_build (const AtmUpdateCandidate *candidate, const AtmBuild *build, GError **error)
{
  if (!candidate->info->has_service)
    return TRUE;
  if (!atm_bundle_check (build->bundle->object, error))
    return atm_prefix_error (error, "%s: config.json of the new version", candidate->name);
  check_sources (candidate, build);
  return check_unit (candidate, error);
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
  return check_build (candidate, build, error);
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
  if (staged
      && (!atm_hostfiles_check (update->host_fd, &host_files, others, error)
          || !check_unit (candidate, error)))
    return FALSE;
  atm_hostfiles_add_others (others, update->host_fd, candidate->name, &host_files);
  return check_privileges (candidate, error);
}
