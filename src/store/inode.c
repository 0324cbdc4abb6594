/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/inode.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/error.h"
#include "util/text.h"

static const struct timespec no_times[2] = { { 0, 0 }, { 0, 0 } };

/* @path: (nullable): %NULL: the file is @fd. */
static gboolean
set_xattrs (int fd, const char *path, GVariant *xattrs, GError **error)
{
  for (gsize i = 0; xattrs != NULL && i < g_variant_n_children (xattrs); i++)
    {
      g_autoptr (GVariant) value = NULL;
      const char *name = NULL;
      gconstpointer data = NULL;
      gsize length = 0;
      int result;

      g_variant_get_child (xattrs, i, "(^&ay@ay)", &name, &value);
      data = g_variant_get_fixed_array (value, &length, 1);
      result = path != NULL ? lsetxattr (path, name, data, length, 0)
                            : fsetxattr (fd, name, data, length, 0);
      if (result < 0)
        {
          const int saved_errno = errno;
          g_autofree char *shown = atm_text_escape (name);

          errno = saved_errno;
          return atm_throw_errno (error, "Setting the attribute “%s”, which the image has", shown);
        }
    }
  return TRUE;
}

gboolean
atm_inode_apply (int fd, const AtmInode *inode, GError **error)
{
  if (fchown (fd, inode->uid, inode->gid) < 0)
    return atm_throw_errno (error, "Setting the owner to %u:%u", inode->uid, inode->gid);
  if (fchmod (fd, inode->mode & 07777u) < 0)
    return atm_throw_errno (error, "Setting the mode to %o", inode->mode);
  if (!set_xattrs (fd, NULL, inode->xattrs, error))
    return FALSE;
  if (futimens (fd, no_times) < 0)
    return atm_throw_errno (error, "Setting the time");
  return TRUE;
}

gboolean
atm_inode_apply_symlink (int dir_fd, const char *name, const AtmInode *inode, GError **error)
{
  if (fchownat (dir_fd, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) < 0)
    return atm_throw_errno (error, "Setting the owner to %u:%u", inode->uid, inode->gid);
  if (inode->xattrs != NULL)
    {
      /* There is no lsetxattrat(). */
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d/%s", dir_fd, name);

      if (!set_xattrs (-1, path, inode->xattrs, error))
        return FALSE;
    }
  if (utimensat (dir_fd, name, no_times, AT_SYMLINK_NOFOLLOW) < 0)
    return atm_throw_errno (error, "Setting the time");
  return TRUE;
}
