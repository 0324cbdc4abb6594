/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/holder.h"
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
atm_lock_take (AtmLock *lock, const char *path, const char *what, AtmLockMode mode,
               const AtmReport *report, GCancellable *cancellable, GError **error)
{
  atm_autofd int fd = open (path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    return atm_throw_errno (error, "Opening %s", path);
  if (flock (fd, LOCK_EX | LOCK_NB) < 0)
    {
      g_autofree char *holder = NULL;

      if (errno != EWOULDBLOCK)
        return atm_throw_errno (error, "Locking %s", path);
      holder = atm_holder_describe (path);
      if (mode == ATM_LOCK_NO_WAIT)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_BUSY,
                          "%s works on %s; try again later, or without --no-wait to wait for it",
                          holder, what);
      atm_report (report, ATM_REPORT_NOTICE, "waiting for %s, which works on %s", holder, what);
      if (!wait_for_lock (fd, cancellable, error))
        return atm_prefix_error (error, "Locking %s", path);
    }
  lock->fd = g_steal_fd (&fd);
  return TRUE;
}

void
atm_lock_clear (AtmLock *lock)
{
  atm_fd_clear (&lock->fd);
}
