/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/wait.h"

static gboolean
lock (int fd, gpointer data G_GNUC_UNUSED)
{
  int result = 0;

  do
    result = flock (fd, LOCK_EX);
  while (result < 0 && errno == EINTR);
  return result == 0;
}

/* A duplicate: whoever is cancelled closes the other one, and the lock ends with both. */
static gboolean
wait_for_lock (int fd, GCancellable *cancellable, GError **error)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);

  if (copy < 0)
    return atm_throw_errno (error, "Duplicating a descriptor");
  return atm_wait_for (lock, copy, NULL, NULL, cancellable, error);
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
