/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/preinstalled.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "container/deployment.h"
#include "util/error.h"
#include "util/fd.h"

static gboolean
exists_in (const char *folder, const char *name, mode_t type)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  struct stat st;

  return lstat (path, &st) == 0 && (type == 0 || (st.st_mode & S_IFMT) == type);
}

gboolean
atm_preinstalled_has (const AtmSystem *system, const char *name)
{
  return atm_container_check_name (name, NULL) && !exists_in (system->checkout, name, 0)
         && exists_in (system->preinstalled, name, S_IFDIR);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  const AtmContainer *const *left = a, *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

gboolean
atm_preinstalled_add (const AtmSystem *system, GPtrArray *containers, GError **error)
{
  g_autoptr (GPtrArray) found = NULL;
  atm_autofd int fd = open (system->preinstalled, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0 && errno == ENOENT)
    return TRUE;
  if (fd < 0)
    return atm_throw_errno (error, "Opening the folder %s", system->preinstalled);
  if (!atm_container_list (fd, &found, error))
    return FALSE;
  while (found->len > 0)
    {
      AtmContainer *container = g_ptr_array_steal_index (found, 0);

      if (atm_preinstalled_has (system, container->name))
        g_ptr_array_add (containers, container);
      else
        atm_container_free (container);
    }
  g_ptr_array_sort (containers, compare_names);
  return TRUE;
}
