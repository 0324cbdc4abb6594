/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/holder.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Enough to know whom to ask. */
#define HOLDERS_MAX 3

static gboolean
is_locked_there (const char *fd_path, const char *info_path, const struct stat *wanted)
{
  g_autofree char *text = NULL;
  struct stat st;

  return stat (fd_path, &st) == 0 && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino
         && g_file_get_contents (info_path, &text, NULL, NULL) && strstr (text, "\nlock:") != NULL;
}

static gboolean
holds (const char *pid, const struct stat *wanted)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%s/fd", pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *number = NULL;

  while (dir != NULL && (number = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *fd_path = g_strdup_printf ("%s/%s", folder, number);
      g_autofree char *info_path = g_strdup_printf ("/proc/%s/fdinfo/%s", pid, number);

      if (is_locked_there (fd_path, info_path, wanted))
        return TRUE;
    }
  return FALSE;
}

char *
atm_holder_describe (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  g_autofree char *self = g_strdup_printf ("%d", (int) getpid ());
  GString *found = g_string_new (NULL);
  const char *pid = NULL;
  struct stat wanted;
  guint n = 0;

  if (stat (path, &wanted) < 0)
    g_clear_pointer (&dir, g_dir_close);
  while (dir != NULL && n < HOLDERS_MAX && (pid = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *comm_path = g_strdup_printf ("/proc/%s/comm", pid);
      g_autofree char *comm = NULL;

      if (!g_ascii_isdigit (pid[0]) || g_str_equal (pid, self) || !holds (pid, &wanted))
        continue;
      (void) g_file_get_contents (comm_path, &comm, NULL, NULL);
      g_string_append_printf (found, "%s%s (process %s)", n > 0 ? ", " : "",
                              comm != NULL ? g_strchomp (comm) : "a program", pid);
      n++;
    }
  if (n == 0)
    g_string_append (found, "another process");
  return g_string_free (found, FALSE);
}
