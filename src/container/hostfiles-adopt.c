/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/host-version.h"
#include "container/hostfiles.h"
#include "container/hostfs.h"
#include "util/error.h"
#include "util/fd.h"

/* Adoption of deployments that the Python tool made; the contract is in hostfiles.h. */

/* Where the copies are collected: it becomes visible in one step. */
#define COLLECTION ".hostfiles.new"

/* What the image has. Without rootfs, as images without a service have none, that is nothing. */
static gboolean
stage_from_image (int host_fd, int deployment_fd, int collection_fd, const AtmInfo *info,
                  GError **error)
{
  g_autoptr (AtmHostPlan) plan = NULL;
  g_autoptr (GError) local = NULL;
  /* a shared rootfs is behind a link */
  atm_autofd int rootfs_fd = openat (deployment_fd, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (rootfs_fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the root file system of the deployment");
  if (rootfs_fd >= 0 && atm_hostfs_plan_recorded (rootfs_fd, host_fd, info, &plan, &local))
    return atm_host_plan_stage (plan, collection_fd, error);
  if (local != NULL && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return mkdirat (collection_fd, ATM_HOSTFILES_FOLDER, 0700) == 0
         || atm_throw_errno (error, "Creating the folder of host files in the deployment");
}

static gboolean
stage_object (int host_dir_fd, const char *host_name, const AtmHostObject *object, int dir_fd,
              const char *name, GError **error)
{
  atm_autofd int from_fd = -1;

  if (object->kind == ATM_HOST_LINK)
    return symlinkat (object->target, dir_fd, name) == 0
           || atm_throw_errno (error, "Creating the link %s", name);
  if (object->kind == ATM_HOST_FOLDER)
    return mkdirat (dir_fd, name, object->st.st_mode & 07777) == 0
           || atm_throw_errno (error, "Creating the folder %s", name);
  from_fd = openat (host_dir_fd, host_name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (from_fd < 0)
    return atm_throw_errno (error, "Opening %s", host_name);
  return atm_copy_file_at (from_fd, dir_fd, name, object->st.st_mode & 07777, error);
}

/* What the image does not give, but the host has as it was recorded. */
static gboolean
stage_from_host (int host_fd, int root_fd, const AtmHostSet *set, const char *path, GError **error)
{
  g_auto (AtmHostVersion) version = { 0 };
  g_auto (AtmHostObject) object = { 0 };
  g_autofree char *host_name = NULL, *name = NULL;
  atm_autofd int host_dir_fd = -1, dir_fd = -1;

  if (!atm_host_path_check (path, NULL))
    return TRUE;
  if (!atm_host_version_find (set, path, &version, error))
    return FALSE;
  /* a place that cannot be looked at has nothing of ours */
  if (version.staged || !atm_host_path_look (host_fd, path, &object, NULL)
      || !atm_host_version_matches (&version, host_fd, path, &object))
    return TRUE;
  return atm_host_path_open_folder (host_fd, path, FALSE, &host_dir_fd, &host_name, error)
         && atm_host_path_open_folder (root_fd, path, TRUE, &dir_fd, &name, error)
         && stage_object (host_dir_fd, host_name, &object, dir_fd, name, error);
}

static gboolean
collect (int host_fd, int deployment_fd, int collection_fd, const AtmInfo *info, GError **error)
{
  const AtmHostSet set = { collection_fd, info->installed_files };
  atm_autofd int root_fd = -1;
  GHashTableIter iter;
  gpointer path;

  if (!stage_from_image (host_fd, deployment_fd, collection_fd, info, error)
      || !atm_open_dir_at (collection_fd, ATM_HOSTFILES_FOLDER, &root_fd, error))
    return FALSE;
  g_hash_table_iter_init (&iter, info->installed_files);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    if (!stage_from_host (host_fd, root_fd, &set, path, error))
      return FALSE;
  if (syncfs (root_fd) < 0)
    return atm_throw_errno (error, "Syncing the host files of the deployment");
  return TRUE;
}

gboolean
atm_hostfiles_adopt (int host_fd, int deployment_fd, const AtmInfo *info, GError **error)
{
  atm_autofd int collection_fd = -1;
  struct stat st;

  if (!atm_remove_tree_at (deployment_fd, COLLECTION, error))
    return FALSE;
  if (fstatat (deployment_fd, ATM_HOSTFILES_FOLDER, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE;
  if (errno != ENOENT)
    return atm_throw_errno (error, "Looking at the host files of the deployment");
  if (mkdirat (deployment_fd, COLLECTION, 0700) < 0)
    return atm_throw_errno (error, "Creating a folder in the deployment");
  if (!atm_open_dir_at (deployment_fd, COLLECTION, &collection_fd, error))
    return FALSE;
  if (!collect (host_fd, deployment_fd, collection_fd, info, error))
    {
      (void) !atm_remove_tree_at (deployment_fd, COLLECTION, NULL);
      return FALSE;
    }
  if (renameat2 (collection_fd, ATM_HOSTFILES_FOLDER, deployment_fd, ATM_HOSTFILES_FOLDER,
                 RENAME_NOREPLACE)
          < 0
      || unlinkat (deployment_fd, COLLECTION, AT_REMOVEDIR) < 0 || fsync (deployment_fd) < 0)
    return atm_throw_errno (error, "Naming the host files of the deployment");
  return TRUE;
}
