/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/staging.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trust/signature.h"
#include "util/error.h"
#include "util/fd.h"

#define NAME_TRIES_MAX 100

/* Links below @base are not followed: readers do not follow them either. */
static gboolean
open_folder (const char *base, const char *relative, int *fd_out, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (relative, "/", -1);
  atm_autofd int fd = open (base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return atm_throw_errno (error, "Opening the folder of signatures %s", base);
  for (char **part = parts; *part != NULL; part++)
    {
      int next = -1;

      if (mkdirat (fd, *part, 0755) == 0)
        {
          if (fsync (fd) < 0)
            return atm_throw_errno (error, "Syncing the folder of %s in %s", *part, base);
        }
      else if (errno != EEXIST)
        return atm_throw_errno (error, "Creating %s in %s", relative, base);
      if (!atm_open_dir_at (fd, *part, &next, error))
        return atm_prefix_error (error, "%s", base);
      atm_fd_clear (&fd);
      fd = next;
    }
  *fd_out = g_steal_fd (&fd);
  return TRUE;
}

static gboolean
write_temporary (int dir_fd, GBytes *blob, char **name_out, GError **error)
{
  g_autofree char *name = NULL;
  atm_autofd int fd = -1;

  for (guint i = 0; i < NAME_TRIES_MAX && fd < 0; i++)
    {
      g_free (name);
      name = g_strdup_printf (".signature.%08x", g_random_int ());
      fd = openat (dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
      if (fd < 0 && errno != EEXIST)
        break;
    }
  if (fd < 0)
    return atm_throw_errno (error, "Creating a file");
  if (!atm_write_all (fd, blob, error))
    {
      (void) unlinkat (dir_fd, name, 0);
      return FALSE;
    }
  if (fchmod (fd, 0644) < 0 || fsync (fd) < 0)
    {
      (void) atm_throw_errno (error, "Syncing a file");
      (void) unlinkat (dir_fd, name, 0);
      return FALSE;
    }
  *name_out = g_steal_pointer (&name);
  return TRUE;
}

/* link() and not renameat2(): it never replaces either, and NFS has it. */
static gboolean
name_file (int dir_fd, const char *temporary, char **name_out, GError **error)
{
  for (guint number = 1; number <= ATM_SIGNATURES_MAX; number++)
    {
      g_autofree char *name = g_strdup_printf ("signature-%u", number);

      if (linkat (dir_fd, temporary, dir_fd, name, 0) == 0)
        {
          *name_out = g_steal_pointer (&name);
          return TRUE;
        }
      if (errno != EEXIST)
        return atm_throw_errno (error, "Naming %s", name);
    }
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                    "there are %d signatures already, and nobody reads more; remove those that are "
                    "not needed",
                    ATM_SIGNATURES_MAX);
}

static gboolean
put (int dir_fd, GBytes *blob, char **name_out, GError **error)
{
  g_autofree char *temporary = NULL;
  gboolean named = FALSE;

  if (!write_temporary (dir_fd, blob, &temporary, error))
    return FALSE;
  named = name_file (dir_fd, temporary, name_out, error);
  (void) unlinkat (dir_fd, temporary, 0);
  if (!named)
    return FALSE;
  return fsync (dir_fd) == 0 || atm_throw_errno (error, "Syncing the folder");
}

gboolean
atm_staging_put (const char *base, const char *path, const AtmDigest *digest, GBytes *blob,
                 char **path_out, GError **error)
{
  g_autofree char *digest_text = atm_digest_to_string (digest);
  g_autofree char *relative = NULL, *name = NULL;
  atm_autofd int dir_fd = -1;

  *strchr (digest_text, ':') = '=';
  relative = g_strdup_printf ("%s@%s", path, digest_text);
  if (!open_folder (base, relative, &dir_fd, error))
    return FALSE;
  if (!put (dir_fd, blob, &name, error))
    return atm_prefix_error (error, "Writing a signature to %s/%s", base, relative);
  *path_out = g_build_filename (base, relative, name, NULL);
  return TRUE;
}
