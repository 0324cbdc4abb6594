/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "container/deployment.h"
#include "util/error.h"
#include "util/fd.h"

void
atm_checked_container_free (AtmCheckedContainer *checked)
{
  if (checked == NULL)
    return;
  g_free (checked->container);
  g_free (checked->deployment);
  g_clear_pointer (&checked->problems, g_ptr_array_unref);
  g_free (checked);
}

gboolean
atm_check_container (const AtmSystem *system, const char *name, AtmCheckedContainer **checked_out,
                     GCancellable *cancellable G_GNUC_UNUSED, GError **error)
{
  g_autoptr (AtmCheckedContainer) checked = g_new0 (AtmCheckedContainer, 1);
  g_autoptr (AtmContainer) container = NULL;
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (checkout_fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!atm_container_load (checkout_fd, name, &container, error))
    return FALSE;
  checked->container = g_strdup (name);
  checked->deployment = g_strdup (container->deployment);
  checked->problems = g_ptr_array_new_with_free_func (g_free);
  *checked_out = g_steal_pointer (&checked);
  return TRUE;
}

gboolean
atm_check (const AtmSystem *system, const char *const *names, GPtrArray **checked_out,
           GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) all
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_checked_container_free);

  for (guint i = 0; names != NULL && names[i] != NULL; i++)
    {
      AtmCheckedContainer *checked = NULL;

      if (!atm_check_container (system, names[i], &checked, cancellable, error))
        return FALSE;
      g_ptr_array_add (all, checked);
    }
  *checked_out = g_steal_pointer (&all);
  return TRUE;
}
