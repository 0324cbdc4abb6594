/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/folder.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <sys/stat.h>

#include "image/source.h"
#include "util/error.h"
#include "util/fd.h"

gboolean
atm_folder_open_file (int dir_fd, const char *path, GInputStream **stream_out,
                      guint64 *size_bytes_out, GError **error)
{
  g_autoptr (GError) local = NULL;
  atm_autofd int fd = -1;
  struct stat st;

  if (!atm_open_beneath (dir_fd, path, O_RDONLY | O_NONBLOCK, &fd, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                          "The folder has no file “%s”", path);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (fstat (fd, &st) < 0)
    return atm_throw_errno (error, "Looking at the file “%s”", path);
  if (!S_ISREG (st.st_mode))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "“%s” is not a regular file", path);
  *stream_out = g_unix_input_stream_new (g_steal_fd (&fd), TRUE);
  *size_bytes_out = (guint64) st.st_size;
  return TRUE;
}
