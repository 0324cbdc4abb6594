/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

/* No volume's own name begins with a dot (bundle-default.c). One for all: the caller's lock makes
   us the only one, and what a run that was killed left under it is replaced. */
#define TEMPORARY ".volume.partial"

AtmVolume *
atm_volume_new (const char *path, const char *source)
{
  AtmVolume *volume = g_new0 (AtmVolume, 1);

  volume->path = g_strdup (path);
  volume->source = g_strdup (source);
  return volume;
}

void
atm_volume_free (AtmVolume *volume)
{
  if (volume == NULL)
    return;
  g_free (volume->path);
  g_free (volume->source);
  g_free (volume);
}

GHashTable *
atm_volumes_to_map (GPtrArray *volumes)
{
  GHashTable *map = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (guint i = 0; i < volumes->len; i++)
    {
      const AtmVolume *volume = volumes->pdata[i];

      g_hash_table_insert (map, g_strdup (volume->path), g_strdup (volume->source));
    }
  return map;
}

GPtrArray *
atm_volumes_from_map (GHashTable *map)
{
  GPtrArray *volumes = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_volume_free);
  g_autoptr (GList) paths = g_list_sort (g_hash_table_get_keys (map), (GCompareFunc) g_strcmp0);

  for (GList *l = paths; l != NULL; l = l->next)
    g_ptr_array_add (volumes, atm_volume_new (l->data, g_hash_table_lookup (map, l->data)));
  return volumes;
}

static gboolean
read_fd_path (int fd, char **path_out, GError **error)
{
  g_autofree char *name = g_strdup_printf ("/proc/self/fd/%d", fd);
  char path[PATH_MAX];
  ssize_t length = readlink (name, path, sizeof path);

  if (length < 0)
    return atm_throw_errno (error, "Reading %s", name);
  if (length == sizeof path)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
                      "The path of a folder of the image is too long");
  *path_out = g_strndup (path, (gsize) length);
  return TRUE;
}

/* The folder @path as the image's tree has it, without links; NULL if it has none, or the root. */
static gboolean
resolve (int rootfs_fd, const char *path, char **resolved_out, GError **error)
{
  atm_autofd int fd = -1;
  g_autofree char *root = NULL, *full = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_open_in_root (rootfs_fd, path, O_PATH | O_DIRECTORY, &fd, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)
          || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!read_fd_path (rootfs_fd, &root, error) || !read_fd_path (fd, &full, error))
    return FALSE;
  if (g_str_has_prefix (full, root) && full[strlen (root)] == '/')
    *resolved_out = g_strdup (full + strlen (root));
  return TRUE;
}

/* Whether @name may be filled: it is missing, or a folder with nothing in it. */
static gboolean
is_free (int dir_fd, const char *name)
{
  int fd = openat (dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  gboolean empty = TRUE;
  struct dirent *entry;

  if (dir == NULL)
    {
      gboolean missing = errno == ENOENT;

      atm_fd_clear (&fd);
      return missing;
    }
  while ((entry = readdir (dir)) != NULL)
    empty = empty && (g_str_equal (entry->d_name, ".") || g_str_equal (entry->d_name, ".."));
  closedir (dir);
  return empty;
}

/* rename() replaces an empty folder, and no other: what has come into it meanwhile is safe. */
static gboolean
put_in_place (int dir_fd, const AtmVolume *volume, const char *name, GPtrArray *notices,
              GError **error)
{
  if (syncfs (dir_fd) < 0)
    return atm_throw_errno (error, "Syncing %s", volume->source);
  if (renameat (dir_fd, TEMPORARY, dir_fd, name) == 0)
    return fsync (dir_fd) == 0
           || atm_throw_errno (error, "Syncing the folder of %s", volume->source);
  if (errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY && errno != ENOTDIR)
    return atm_throw_errno (error, "Naming the volume %s", volume->source);
  if (errno == EBUSY)
    g_ptr_array_add (notices,
                     g_strdup_printf ("%s is a mount point; it does not get what the image "
                                      "has in %s",
                                      volume->source, volume->path));
  return atm_remove_tree_at (dir_fd, TEMPORARY, error);
}

static gboolean
fill (const AtmVolume *volume, AtmStore *store, const char *commit, int rootfs_fd,
      GPtrArray *notices, GCancellable *cancellable, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (volume->source);
  g_autofree char *name = g_path_get_basename (volume->source);
  g_autofree char *path = NULL;
  atm_autofd int dir_fd = -1;
  gboolean found = FALSE;

  if (!resolve (rootfs_fd, volume->path, &path, error))
    return FALSE;
  if (path == NULL)
    return TRUE;
  if (!atm_make_dirs (folder, 0700, &dir_fd, error)
      || !atm_remove_tree_at (dir_fd, TEMPORARY, error))
    return FALSE;
  if (!is_free (dir_fd, name))
    return TRUE;
  if (!atm_store_copy_out (store, commit, path, dir_fd, TEMPORARY, &found, cancellable, error))
    {
      (void) !atm_remove_tree_at (dir_fd, TEMPORARY, NULL);
      return FALSE;
    }
  /* Mount points that the image lacks are made in its checkout, but are not in the commit. */
  return !found || put_in_place (dir_fd, volume, name, notices, error);
}

gboolean
atm_volumes_fill (GPtrArray *volumes, AtmStore *store, const char *commit, int rootfs_fd,
                  GPtrArray *notices, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < volumes->len; i++)
    {
      const AtmVolume *volume = volumes->pdata[i];

      if (!fill (volume, store, commit, rootfs_fd, notices, cancellable, error))
        return atm_prefix_error (error, "Filling the volume %s", volume->source);
    }
  return TRUE;
}
