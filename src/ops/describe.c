/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/describe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "container/deployment.h"
#include "container/host-path.h"
#include "ops/list.h"
#include "util/error.h"
#include "util/fd.h"

static void
version_free (AtmVersion *version)
{
  g_free (version->folder);
  atm_info_free (version->info);
  g_free (version->problem);
  g_free (version);
}

static void
host_file_free (AtmHostFile *file)
{
  g_free (file->path);
  g_free (file);
}

static AtmDescription *
description_new (const char *name)
{
  AtmDescription *description = g_new0 (AtmDescription, 1);

  description->name = g_strdup (name);
  description->versions = g_ptr_array_new_with_free_func ((GDestroyNotify) version_free);
  description->host_files = g_ptr_array_new_with_free_func ((GDestroyNotify) host_file_free);
  return description;
}

void
atm_description_free (AtmDescription *description)
{
  if (description == NULL)
    return;
  g_free (description->name);
  g_ptr_array_unref (description->versions);
  g_free (description->problem);
  g_free (description->state);
  atm_unit_clear (&description->unit);
  g_ptr_array_unref (description->host_files);
  atm_record_free (description->record);
  g_free (description);
}

/* ---- versions ---- */

static void
add_version (int checkout_fd, AtmVersionRole role, const char *folder, GPtrArray *versions)
{
  AtmVersion *version = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  atm_autofd int fd = -1;

  if (!atm_open_dir_at (checkout_fd, folder, &fd, &local)
      && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return;
  version = g_new0 (AtmVersion, 1);
  version->role = role;
  version->folder = g_strdup (folder);
  g_ptr_array_add (versions, version);
  if (local != NULL || !atm_read_file_at (fd, "info", FALSE, ATM_INFO_MAX_BYTES, &bytes, &local)
      || !atm_info_parse (bytes, &version->info, &local))
    version->problem = g_strdup (local->message);
}

/* Both numbers, as nothing says which one waits: it is the one that is not current. */
static void
read_versions (int checkout_fd, const AtmContainer *container, GPtrArray *versions)
{
  if (container->deployment != NULL)
    add_version (checkout_fd, ATM_VERSION_CURRENT, container->deployment, versions);
  for (guint number = 0; number <= 1; number++)
    {
      g_autofree char *folder = g_strdup_printf ("%s.%u", container->name, number);

      if (g_strcmp0 (folder, container->deployment) != 0)
        add_version (checkout_fd, ATM_VERSION_PREVIOUS, folder, versions);
    }
  for (guint number = 0; number <= 1; number++)
    {
      g_autofree char *folder = g_strdup_printf (".%s.%u.staged", container->name, number);

      add_version (checkout_fd, ATM_VERSION_STAGED, folder, versions);
    }
}

/* ---- host files ---- */

static AtmHostFileState
look_at_host_file (int host_fd, const char *path, const char *recorded)
{
  g_autofree char *checksum = atm_host_path_checksum (host_fd, path);

  if (g_str_equal (checksum, recorded) && *recorded != '\0')
    return ATM_HOST_FILE_UNCHANGED;
  return g_str_equal (checksum, "0") ? ATM_HOST_FILE_MISSING : ATM_HOST_FILE_CHANGED;
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  const AtmHostFile *const *left = a, *const *right = b;

  return strcmp ((*left)->path, (*right)->path);
}

static gboolean
read_host_files (const AtmInfo *info, GPtrArray *files, GError **error)
{
  GHashTableIter iter;
  gpointer path, recorded;
  atm_autofd int host_fd = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (host_fd < 0)
    return atm_throw_errno (error, "Opening the folder /");
  g_hash_table_iter_init (&iter, info->installed_files);
  while (g_hash_table_iter_next (&iter, &path, &recorded))
    {
      AtmHostFile *file = g_new0 (AtmHostFile, 1);

      file->path = g_strdup (path);
      file->state = look_at_host_file (host_fd, path, recorded);
      g_ptr_array_add (files, file);
    }
  g_ptr_array_sort (files, compare_paths);
  return TRUE;
}

/* ---- unit ---- */

static void
read_unit (AtmDescription *description, gboolean has_service, const AtmReport *report)
{
  g_autofree char *unit = g_strconcat (description->name, ".service", NULL);
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autoptr (GError) local = NULL;
  const char *active = NULL;

  description->unit_known = atm_systemd_connect (&systemd, &local)
                            && atm_systemd_get_unit (systemd, unit, &description->unit, &local);
  if (!description->unit_known)
    atm_report (report, ATM_REPORT_NOTICE, "%s; the state of %s is not known", local->message,
                unit);
  else if (g_str_equal (description->unit.load_state, "not-found")
           && g_str_equal (description->unit.active_state, "inactive"))
    active = "not-found";
  else
    active = description->unit.active_state;
  description->state = g_strdup (atm_list_state_of (has_service, active));
}

/* ---- all together ---- */

static gboolean
throw_not_found (const char *name, GError **error)
{
  return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                    "System container '%s' is not installed", name);
}

static gboolean
load (const AtmSystem *system, const char *name, int *checkout_fd_out, AtmContainer **container_out,
      GError **error)
{
  g_autoptr (GError) local = NULL;
  atm_autofd int fd = -1;

  if (!atm_container_check_name (name, NULL))
    return throw_not_found (name, error);
  fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!atm_container_load (fd, name, container_out, &local))
    {
      if (g_error_matches (local, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND))
        return throw_not_found (name, error);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  *checkout_fd_out = g_steal_fd (&fd);
  return TRUE;
}

static AtmRecord *
read_record (int checkout_fd, const char *name, const AtmReport *report)
{
  AtmRecord *record = atm_record_read (checkout_fd, name);

  if (record->problem != NULL && report != NULL)
    atm_report (report, ATM_REPORT_NOTICE, "%s", record->problem);
  return record;
}

gboolean
atm_describe_container (const AtmSystem *system, const char *name, const AtmReport *report,
                        AtmDescription **description_out, GError **error)
{
  g_autoptr (AtmDescription) description = description_new (name);
  g_autoptr (AtmContainer) container = NULL;
  atm_autofd int checkout_fd = -1;

  if (!load (system, name, &checkout_fd, &container, error))
    return FALSE;
  description->problem = g_strdup (container->problem);
  read_versions (checkout_fd, container, description->versions);
  if (container->info != NULL && !read_host_files (container->info, description->host_files, error))
    return FALSE;
  read_unit (description, container->info == NULL || container->info->has_service, report);
  description->record = read_record (checkout_fd, name, report);
  *description_out = g_steal_pointer (&description);
  return TRUE;
}

gboolean
atm_describe_record (const AtmSystem *system, const char *name, const AtmReport *report,
                     AtmRecord **record_out, GError **error)
{
  g_autoptr (AtmContainer) container = NULL;
  atm_autofd int checkout_fd = -1;

  if (!load (system, name, &checkout_fd, &container, error))
    return FALSE;
  *record_out = read_record (checkout_fd, name, report);
  return TRUE;
}
