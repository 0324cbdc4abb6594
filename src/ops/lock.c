/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

static void
wait_in_thread (GTask *task, gpointer source G_GNUC_UNUSED, gpointer data,
                GCancellable *cancellable G_GNUC_UNUSED)
{
  /* A duplicate: whoever is cancelled closes the other one and leaves this thread behind. */
  atm_autofd int fd = GPOINTER_TO_INT (data);
  int result = 0;

  do
    result = flock (fd, LOCK_EX);
  while (result < 0 && errno == EINTR);
  if (result < 0)
    g_task_return_new_error (task, G_IO_ERROR, (int) g_io_error_from_errno (errno), "%s",
                             g_strerror (errno));
  else
    g_task_return_boolean (task, TRUE);
}

static void
waited (GObject *source G_GNUC_UNUSED, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

/* flock() knows no GCancellable, so that a thread waits for it and we wait for either. */
static gboolean
wait_for_lock (int fd, GCancellable *cancellable, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, waited, &result);
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);

  if (copy < 0)
    return atm_throw_errno (error, "Duplicating a descriptor");
  g_task_set_task_data (task, GINT_TO_POINTER (copy), NULL);
  g_task_set_return_on_cancel (task, TRUE);
  g_task_run_in_thread (task, wait_in_thread);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
atm_lock_take_file (AtmLock *lock, const char *path, const char *what, const AtmReport *report,
                    GCancellable *cancellable, GError **error)
{
  atm_autofd int fd = open (path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    return atm_throw_errno (error, "Opening %s", path);
  if (flock (fd, LOCK_EX | LOCK_NB) < 0)
    {
      if (errno != EWOULDBLOCK)
        return atm_throw_errno (error, "Locking %s", path);
      atm_report (report, ATM_REPORT_NOTICE, "waiting for another atomic process that works on %s",
                  what);
      if (!wait_for_lock (fd, cancellable, error))
        return atm_prefix_error (error, "Locking %s", path);
    }
  lock->fd = g_steal_fd (&fd);
  return TRUE;
}

gboolean
atm_lock_take (AtmLock *lock, const char *dir, const char *name, const AtmReport *report,
               GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strdup_printf ("%s/lock.%s", dir, name);

  return atm_make_dirs (dir, 0700, NULL, error)
         && atm_lock_take_file (lock, path, name, report, cancellable, error);
}

void
atm_lock_clear (AtmLock *lock)
{
  atm_fd_clear (&lock->fd);
}
