/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/host-version.h"

#include <fcntl.h>
#include <string.h>

#include "container/deployment.h"
#include "util/error.h"
#include "util/fd.h"

void
atm_host_version_clear (AtmHostVersion *version)
{
  g_clear_pointer (&version->content, g_free);
  atm_host_object_clear (&version->copy);
}

gboolean
atm_host_version_open_copy (const AtmHostSet *set, const char *path, int *fd_out, char **name_out,
                            GError **error)
{
  g_autofree char *copy = g_strconcat (ATM_HOSTFILES_FOLDER, path, NULL);
  g_autofree char *folder = g_path_get_dirname (copy);

  if (!atm_open_beneath (set->deployment_fd, folder, O_RDONLY | O_DIRECTORY, fd_out, error))
    return FALSE;
  *name_out = g_path_get_basename (path);
  return TRUE;
}

gboolean
atm_host_version_find (const AtmHostSet *set, const char *path, AtmHostVersion *version_out,
                       GError **error)
{
  const char *checksum = set != NULL ? g_hash_table_lookup (set->checksums, path) : NULL;
  g_auto (AtmHostVersion) version = { 0 };
  g_autoptr (GError) local = NULL;
  g_autofree char *name = NULL;
  atm_autofd int dir_fd = -1;

  if (checksum == NULL)
    return TRUE;
  version.recorded = TRUE;
  if (atm_host_version_open_copy (set, path, &dir_fd, &name, &local))
    {
      if (!atm_host_object_look (dir_fd, name, FALSE, &version.copy, error))
        return atm_prefix_error (error, "The copy of %s in the deployment", path);
    }
  else if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return atm_prefix_error (error, "The copy of %s in the deployment", path);
    }
  version.staged = version.copy.kind != ATM_HOST_NOTHING;
  version.content = g_strdup (
      version.copy.content != NULL && *checksum != '\0' ? version.copy.content : checksum);
  *version_out = version;
  version = (AtmHostVersion){ 0 };
  return TRUE;
}

gboolean
atm_host_version_matches (const AtmHostVersion *version, int host_fd, const char *path,
                          const AtmHostObject *object)
{
  g_autofree char *followed = NULL;

  if (!version->recorded || *version->content == '\0' || object->kind == ATM_HOST_NOTHING)
    return FALSE;
  if (version->staged || object->kind != ATM_HOST_LINK)
    return g_strcmp0 (version->content, object->content) == 0;
  followed = atm_host_path_checksum (host_fd, path);
  return g_str_equal (version->content, followed);
}

/* ---- other containers ---- */

static void
owner_free (gpointer data)
{
  AtmHostOwner *owner = data;

  g_free (owner->container);
  g_free (owner->content);
  g_free (owner);
}

void
atm_hostfiles_add_others (GHashTable *others, int host_fd, const char *container,
                          const AtmHostSet *set)
{
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, set->checksums);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      g_auto (AtmHostVersion) version = { 0 };
      AtmHostOwner *owner = NULL;

      /* A copy that cannot be looked at leaves the record, which is as good for files. */
      if (!atm_host_path_check (path, NULL))
        continue;
      if (!atm_host_version_find (set, path, &version, NULL))
        version.content = g_strdup (g_hash_table_lookup (set->checksums, path));
      /* The administrator's own, which that container only remembers. */
      if (*version.content == '\0' && !version.staged)
        continue;
      owner = g_new0 (AtmHostOwner, 1);
      owner->container = g_strdup (container);
      owner->content = g_steal_pointer (&version.content);
      g_hash_table_insert (others, atm_host_path_resolve (host_fd, path), owner);
    }
}

gboolean
atm_hostfiles_find_others (int checkout_fd, int host_fd, const char *const *except,
                           GHashTable **others_out, GError **error)
{
  g_autoptr (GHashTable) others
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, owner_free);
  g_autoptr (GPtrArray) containers = NULL;

  if (!atm_container_list (checkout_fd, &containers, error))
    return FALSE;
  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];
      AtmHostSet set = { -1, NULL };
      atm_autofd int fd = -1;

      if ((except != NULL && g_strv_contains (except, container->name)) || container->info == NULL
          || container->deployment == NULL
          || g_hash_table_size (container->info->installed_files) == 0)
        continue;
      if (!atm_open_dir_at (checkout_fd, container->deployment, &fd, error))
        return FALSE;
      set.deployment_fd = fd;
      set.checksums = container->info->installed_files;
      atm_hostfiles_add_others (others, host_fd, container->name, &set);
    }
  *others_out = g_steal_pointer (&others);
  return TRUE;
}

const AtmHostOwner *
atm_host_owner_find (GHashTable *others, int host_fd, const char *path)
{
  g_autofree char *resolved = NULL;

  if (others == NULL)
    return NULL;
  resolved = atm_host_path_resolve (host_fd, path);
  return g_hash_table_lookup (others, resolved);
}

gboolean
atm_host_owner_check (GHashTable *others, int host_fd, const char *path, const char *content,
                      GError **error)
{
  const AtmHostOwner *owner = atm_host_owner_find (others, host_fd, path);

  if (owner == NULL || g_str_equal (owner->content, content))
    return TRUE;
  return atm_throw (error, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_CONFLICT,
                    "%s belongs to the container %s, which has other content for it; update both "
                    "containers together, or uninstall one of them",
                    path, owner->container);
}
