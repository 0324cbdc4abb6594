/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/pin.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/name.h"
#include "util/error.h"
#include "util/fd.h"

static char *
dup_folder (const AtmSystem *system)
{
  return g_build_filename (system->checkout, ".storage", "pins", NULL);
}

/* A ref has one folder, and its last component is safe as a file name. */
static char *
dup_file (const char *reference)
{
  g_autofree char *ref = atm_ref_encode (reference);

  return g_path_get_basename (ref);
}

gboolean
atm_pin_set (const AtmSystem *system, const char *reference, gboolean pinned, GError **error)
{
  g_autofree char *folder = dup_folder (system);
  g_autofree char *file = dup_file (reference);
  g_autofree char *line = g_strconcat (reference, "\n", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new (line, strlen (line));
  atm_autofd int fd = -1;

  if (!atm_make_dirs (folder, 0700, &fd, error))
    return FALSE;
  if (pinned)
    return atm_replace_file_at (fd, file, bytes, 0600, error);
  return unlinkat (fd, file, 0) == 0 || errno == ENOENT
         || atm_throw_errno (error, "Removing the pin %s/%s", folder, file);
}

gboolean
atm_pin_get (const AtmSystem *system, const char *reference)
{
  g_autofree char *folder = dup_folder (system);
  g_autofree char *file = dup_file (reference);
  g_autofree char *path = g_build_filename (folder, file, NULL);
  struct stat st;

  return lstat (path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}
