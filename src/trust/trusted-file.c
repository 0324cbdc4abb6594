/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/trusted-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

G_DEFINE_QUARK (atm_trusted_file_error, atm_trusted_file_error)

static gboolean
is_ours (const struct stat *st)
{
  return st->st_uid == 0 || st->st_uid == geteuid ();
}

static gboolean
insecure (GError **error, const char *path, const char *why)
{
  return atm_throw (error, ATM_TRUSTED_FILE_ERROR, ATM_TRUSTED_FILE_ERROR_INSECURE, "%s %s", path,
                    why);
}

static gboolean
check_folder (int fd, const char *path, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) < 0)
    return atm_throw (error, ATM_TRUSTED_FILE_ERROR, ATM_TRUSTED_FILE_ERROR_UNREADABLE,
                      "The folder %s cannot be examined: %s", path, g_strerror (errno));
  if (!is_ours (&st))
    return insecure (error, path,
                     "is a folder of another user, who could replace what is in it; give it to "
                     "root");
  if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
    return insecure (error, path,
                     "is a folder that everybody may write to; remove that permission (chmod o-w)");
  return TRUE;
}

/* From the root down, a component at a time, so that each folder that is checked is the one that
   the next step starts from; at the end the same file must be there. */
static gboolean
check_parents (const char *resolved, const struct stat *file, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (resolved, "/", -1);
  g_autoptr (GString) at = g_string_new ("/");
  atm_autofd int fd = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct stat st;
  guint last = g_strv_length (parts) - 1;

  if (fd < 0 || !check_folder (fd, "/", error))
    return fd < 0 ? insecure (error, "/", "cannot be opened") : FALSE;
  for (guint i = 1; i < last; i++)
    {
      int next = openat (fd, parts[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

      if (next < 0)
        return insecure (error, resolved, "was moved while it was read; try again");
      close (fd);
      fd = next;
      g_string_append_printf (at, "%s%s", i > 1 ? "/" : "", parts[i]);
      if (!check_folder (fd, at->str, error))
        return FALSE;
    }
  if (fstatat (fd, parts[last], &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != file->st_dev
      || st.st_ino != file->st_ino)
    return insecure (error, resolved, "was replaced while it was read; try again");
  return TRUE;
}

static gboolean
check_file (int fd, const char *path, GError **error)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree char *resolved = NULL;
  struct stat st;

  if (fstat (fd, &st) < 0)
    return atm_throw (error, ATM_TRUSTED_FILE_ERROR, ATM_TRUSTED_FILE_ERROR_UNREADABLE,
                      "%s cannot be examined: %s", path, g_strerror (errno));
  if (!S_ISREG (st.st_mode))
    return insecure (error, path, "is no regular file");
  if (!is_ours (&st))
    return insecure (error, path, "belongs to another user; give it to root (chown root)");
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return insecure (error, path,
                     "may be written by others than its owner; remove that permission "
                     "(chmod go-w)");

  resolved = g_file_read_link (link, NULL);
  if (resolved == NULL || *resolved != '/')
    return insecure (error, path, "cannot be traced to its folder; /proc is needed for that");
  return check_parents (resolved, &st, error);
}

gboolean
atm_trusted_file_read (const char *path, gsize max_bytes, GBytes **bytes_out, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  /* O_NONBLOCK: the name of a FIFO must not hold us. */
  atm_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  if (fd < 0)
    return atm_throw (error, ATM_TRUSTED_FILE_ERROR,
                      errno == ENOENT || errno == ENOTDIR ? ATM_TRUSTED_FILE_ERROR_MISSING
                                                          : ATM_TRUSTED_FILE_ERROR_UNREADABLE,
                      "%s cannot be opened: %s", path, g_strerror (errno));
  if (!check_file (fd, path, error))
    return FALSE;
  if (!atm_read_all (fd, max_bytes, &bytes, &local))
    return atm_throw (error, ATM_TRUSTED_FILE_ERROR,
                      g_error_matches (local, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE)
                          ? ATM_TRUSTED_FILE_ERROR_TOO_LARGE
                          : ATM_TRUSTED_FILE_ERROR_UNREADABLE,
                      "%s cannot be read: %s", path, local->message);
  *bytes_out = g_steal_pointer (&bytes);
  return TRUE;
}
