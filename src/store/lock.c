/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/lock.h"

#include <fcntl.h>
#include <unistd.h>

#include "store/store-private.h"
#include "util/error.h"
#include "util/fd.h"

#define LOCK_NAME ".lock"

static OstreeRepoLockType
lock_type (gboolean exclusive)
{
  return exclusive ? OSTREE_REPO_LOCK_EXCLUSIVE : OSTREE_REPO_LOCK_SHARED;
}

gboolean
atm_store_lock_take (AtmStoreLock *lock, AtmStore *store, gboolean exclusive,
                     GCancellable *cancellable, GError **error)
{
  if (!ostree_repo_lock_push (store->repo, lock_type (exclusive), cancellable, error))
    return atm_prefix_error (error, "Locking the repository");
  lock->store = store;
  lock->exclusive = exclusive;
  return TRUE;
}

void
atm_store_lock_clear (AtmStoreLock *lock)
{
  if (lock->store != NULL)
    (void) ostree_repo_lock_pop (lock->store->repo, lock_type (lock->exclusive), NULL, NULL);
  lock->store = NULL;
}

char *
atm_store_dup_lock_path (AtmStore *store)
{
  return g_build_filename (g_file_peek_path (ostree_repo_get_path (store->repo)), LOCK_NAME, NULL);
}

gboolean
atm_store_would_wait (AtmStore *store, gboolean exclusive)
{
  atm_autofd int fd
      = openat (ostree_repo_get_dfd (store->repo), LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  struct flock lock = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

  return fd >= 0 && fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
