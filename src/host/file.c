/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

static gboolean
throw_exists (const char *path, GError **error)
{
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_EXISTS, "The file %s already exists.", path);
}

gboolean
atm_host_file_check_absent (const char *dir, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  struct stat st;

  if (lstat (path, &st) == 0)
    return throw_exists (path, error);
  if (errno != ENOENT)
    return atm_throw_errno (error, "Looking for %s", path);
  return TRUE;
}

gboolean
atm_host_file_create (const char *dir, const char *name, GBytes *bytes, GError **error)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (GError) local = NULL;
  atm_autofd int dir_fd = -1;

  if (!atm_make_dirs (dir, 0755, &dir_fd, error))
    return FALSE;
  if (atm_create_file_at (dir_fd, name, bytes, 0644, &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_EXISTS))
    return throw_exists (path, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return atm_prefix_error (error, "%s", dir);
}

gboolean
atm_host_file_remove (const char *dir, const char *name, GError **error)
{
  atm_autofd int dir_fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (dir_fd < 0 && errno == ENOENT)
    return TRUE;
  if (dir_fd < 0)
    return atm_throw_errno (error, "Opening the folder %s", dir);
  if (unlinkat (dir_fd, name, 0) < 0)
    return errno == ENOENT || atm_throw_errno (error, "Removing %s/%s", dir, name);
  if (fsync (dir_fd) < 0)
    return atm_throw_errno (error, "Syncing the folder %s", dir);
  return TRUE;
}
