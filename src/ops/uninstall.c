/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/uninstall.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/hostfs.h"
#include "host/file.h"
#include "host/systemd.h"
#include "host/tool.h"
#include "ops/lock.h"
#include "ops/preinstalled.h"
#include "util/error.h"
#include "util/fd.h"

static gboolean
throw_not_found (const char *name, GError **error)
{
  return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                    "Unable to find '%s' in the following backends: ostree", name);
}

/* The service goes first: nothing runs from files that are being removed. */
static gboolean
remove_service (const AtmSystem *system, AtmSystemd *systemd, const char *name,
                const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autofree char *unit = g_strconcat (name, ".service", NULL);

  atm_report (report, ATM_REPORT_STEP, "systemctl disable --now %s", name);
  return atm_systemd_stop (systemd, unit, cancellable, error)
         && atm_systemd_disable (systemd, unit, error)
         && atm_host_file_remove (system->unit_dir, unit, error);
}

static gboolean
remove_tmpfiles (const AtmSystem *system, const char *name, const AtmReport *report, GError **error)
{
  g_autofree char *file = g_strconcat (name, ".conf", NULL);
  g_autofree char *path = g_build_filename (system->tmpfiles_dir, file, NULL);
  g_autoptr (GError) local = NULL;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  atm_report (report, ATM_REPORT_STEP, "systemd-tmpfiles --remove %s", path);
  /* What cannot be removed, such as a mounted folder, is no reason to keep the container. */
  if (!atm_tmpfiles_remove (path, NULL, &local))
    atm_report (report, ATM_REPORT_NOTICE, "%s, going on without it", local->message);
  return atm_host_file_remove (system->tmpfiles_dir, file, error);
}

static gboolean
remove_host_files (const AtmContainer *container, const AtmReport *report, GError **error)
{
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  atm_autofd int host_fd = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (host_fd < 0)
    return atm_throw_errno (error, "Opening the folder /");
  if (container->info != NULL)
    atm_hostfs_remove (host_fd, container->info->installed_files, notices);
  for (guint i = 0; i < notices->len; i++)
    atm_report (report, ATM_REPORT_NOTICE, "%s", (const char *) notices->pdata[i]);
  return TRUE;
}

gboolean
atm_uninstall (const AtmSystem *system, const char *name, const AtmReport *report,
               GCancellable *cancellable, GError **error)
{
  g_auto (AtmLock) lock = ATM_LOCK_INIT;
  g_autoptr (AtmContainer) container = NULL;
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autoptr (GError) local = NULL;
  atm_autofd int checkout_fd = -1;

  if (!atm_container_check_name (name, &local))
    return throw_not_found (name, error);
  if (atm_preinstalled_has (system, name))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "%s is a preinstalled container; remove the package atomic-container-%s "
                      "instead",
                      name, name);
  checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (checkout_fd < 0 && errno == ENOENT)
    return throw_not_found (name, error);
  if (checkout_fd < 0)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);

  if (!atm_lock_take (&lock, system->run_dir, name, report, cancellable, error))
    return FALSE;
  if (!atm_container_load (checkout_fd, name, &container, &local))
    {
      if (g_error_matches (local, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND))
        return throw_not_found (name, error);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!atm_systemd_connect (&systemd, error))
    return FALSE;
  /* A container that cannot tell whether it has a service may have one. */
  if ((container->info == NULL || container->info->has_service)
      && !remove_service (system, systemd, name, report, cancellable, error))
    return FALSE;
  if (!remove_tmpfiles (system, name, report, error)
      || !remove_host_files (container, report, error))
    return FALSE;
  /* after the host files, which may be units and drop-ins, too */
  atm_report (report, ATM_REPORT_STEP, "systemctl daemon-reload");
  return atm_systemd_reload (systemd, error) && atm_container_remove (checkout_fd, name, error);
}
