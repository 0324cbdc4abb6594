/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/host-path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "container/exports.h"
#include "container/hostfiles.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"

#define READ_BYTES 65536

gboolean
atm_host_path_check (const char *path, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);
  gboolean plain = *path == '/' && path[1] != '\0' && strlen (path) < PATH_MAX;

  for (guint i = 1; plain && parts[i] != NULL; i++)
    plain = *parts[i] != '\0' && !g_str_equal (parts[i], ".") && !g_str_equal (parts[i], "..");
  return plain
         || atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                       "%s is no plain absolute path of a host file", path);
}

char *
atm_host_path_resolve (int host_fd, const char *path)
{
  const char *rest = path + 1 + strcspn (path + 1, "/");
  g_autofree char *top = g_strndup (path + 1, (gsize) (rest - path - 1));
  char target[PATH_MAX];
  gssize length = -1;

  /* the last component is what is asked about, not a way to it */
  if (*rest == '/')
    length = readlinkat (host_fd, top, target, sizeof target - 1);
  if (length <= 0)
    return g_strdup (path);
  target[length] = '\0';
  return g_strconcat ("/", target + strspn (target, "/"), rest, NULL);
}

static gboolean
enter_folder (int fd, const char *path, const char *part, gboolean make, int *next_out,
              GError **error)
{
  gboolean made = FALSE;
  int next = -1;

  if (make)
    {
      made = mkdirat (fd, part, 0755) == 0;
      if (!made && errno != EEXIST)
        return atm_throw_errno (error, "Creating the folder of %s", path);
      if (made && fsync (fd) < 0)
        return atm_throw_errno (error, "Syncing the folder of %s", path);
    }
  next = openat (fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0 && (errno == ENOTDIR || errno == ELOOP))
    return atm_throw (error, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
                      "%s: “%s” on the way is no folder; host files are not written through links",
                      path, part);
  if (next < 0)
    return atm_throw_errno (error, "Opening the folder of %s", path);
  *next_out = next;
  return TRUE;
}

gboolean
atm_host_path_open_folder (int host_fd, const char *path, gboolean make, int *fd_out,
                           char **name_out, GError **error)
{
  g_autofree char *resolved = NULL, *folder = NULL;
  g_auto (GStrv) parts = NULL;
  atm_autofd int fd = -1;

  if (!atm_host_path_check (path, error))
    return FALSE;
  resolved = atm_host_path_resolve (host_fd, path);
  folder = g_path_get_dirname (resolved);
  if (!atm_open_beneath (host_fd, ".", O_RDONLY | O_DIRECTORY, &fd, error))
    return FALSE;
  parts = g_strsplit (folder, "/", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      int next = -1;

      if (*parts[i] == '\0' || g_str_equal (parts[i], "."))
        continue;
      if (g_str_equal (parts[i], ".."))
        return atm_throw (error, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
                          "%s leads through “..”", path);
      if (!enter_folder (fd, path, parts[i], make, &next, error))
        return FALSE;
      atm_fd_clear (&fd);
      fd = next;
    }
  *fd_out = g_steal_fd (&fd);
  *name_out = g_path_get_basename (path);
  return TRUE;
}

/* ---- what is there ---- */

static gboolean
hash_fd (int fd, char **checksum_out, GError **error)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  guint8 buffer[READ_BYTES];
  gssize n = 0;

  while ((n = read (fd, buffer, sizeof buffer)) != 0)
    {
      if (n < 0 && errno != EINTR)
        return atm_throw_errno (error, "Reading");
      if (n > 0)
        atm_hash_update (hash, buffer, (gsize) n);
    }
  *checksum_out = atm_hash_finish (hash);
  return TRUE;
}

char *
atm_host_path_checksum (int host_fd, const char *path)
{
  atm_autofd int fd = -1;
  g_autoptr (GError) error = NULL;
  char *checksum = NULL;
  struct stat st = { 0 };

  if (!atm_open_in_root (host_fd, path, O_RDONLY | O_NONBLOCK, &fd, &error))
    return g_strdup (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ? "0" : "");
  if (fstat (fd, &st) == 0 && S_ISDIR (st.st_mode))
    return g_strdup ("0");
  if (!S_ISREG (st.st_mode) || !hash_fd (fd, &checksum, NULL))
    return g_strdup ("");
  return checksum;
}

void
atm_host_object_clear (AtmHostObject *object)
{
  g_clear_pointer (&object->content, g_free);
  g_clear_pointer (&object->target, g_free);
  object->kind = ATM_HOST_NOTHING;
}

static gboolean
look_at_file (int dir_fd, const char *name, AtmHostObject *object, GError **error)
{
  atm_autofd int fd = openat (dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

  /* what is stated must be what was read */
  if (fd < 0 || fstat (fd, &object->st) < 0)
    return atm_throw_errno (error, "Opening %s", name);
  if (!S_ISREG (object->st.st_mode))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s changes while it is read", name);
  return hash_fd (fd, &object->content, error) || atm_prefix_error (error, "%s", name);
}

static gboolean
look_at_link (int dir_fd, const char *name, AtmHostObject *object, GError **error)
{
  char target[PATH_MAX];
  gssize length = readlinkat (dir_fd, name, target, sizeof target);

  if (length < 0)
    return atm_throw_errno (error, "Reading the link %s", name);
  object->target = g_strndup (target, (gsize) length);
  object->content = g_strconcat ("symlink:", object->target, NULL);
  return TRUE;
}

gboolean
atm_host_object_look (int dir_fd, const char *name, gboolean hash, AtmHostObject *object_out,
                      GError **error)
{
  g_auto (AtmHostObject) object = { 0 };

  if (fstatat (dir_fd, name, &object.st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || atm_throw_errno (error, "Looking at %s", name);
  if (S_ISDIR (object.st.st_mode))
    {
      object.kind = ATM_HOST_FOLDER;
      object.content = g_strdup ("0");
    }
  else if (S_ISLNK (object.st.st_mode))
    {
      object.kind = ATM_HOST_LINK;
      if (!look_at_link (dir_fd, name, &object, error))
        return FALSE;
    }
  else if (S_ISREG (object.st.st_mode))
    {
      object.kind = ATM_HOST_FILE;
      if (hash && !look_at_file (dir_fd, name, &object, error))
        return FALSE;
    }
  else
    object.kind = ATM_HOST_OTHER;

  *object_out = object;
  object = (AtmHostObject){ 0 };
  return TRUE;
}

gboolean
atm_host_path_look (int host_fd, const char *path, AtmHostObject *object_out, GError **error)
{
  atm_autofd int dir_fd = -1;
  g_autofree char *name = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_host_path_open_folder (host_fd, path, FALSE, &dir_fd, &name, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return atm_host_object_look (dir_fd, name, TRUE, object_out, error)
         || atm_prefix_error (error, "%s", path);
}
