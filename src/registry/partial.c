/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/partial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/wait.h"

#define SUFFIX ".partial"
#define LOCK_NAME ".lock"

/* As many digits of a digest as an offset of a file can hold. */
#define LOCK_DIGITS 15

#define XATTR_ETAG "user.atomic.etag"
#define XATTR_ENDPOINT "user.atomic.endpoint"
#define XATTR_MAX_BYTES 512

struct _AtmPartials
{
  char *path;  /* (owned) */
  int dir_fd;  /* (owned) */
  int lock_fd; /* (owned) */
};

gboolean
atm_partials_open (const char *path, AtmPartials **partials_out, GError **error)
{
  g_autoptr (AtmPartials) partials = g_new0 (AtmPartials, 1);

  partials->path = g_strdup (path);
  partials->dir_fd = partials->lock_fd = -1;
  if (!atm_make_dirs (path, 0700, &partials->dir_fd, error))
    return FALSE;
  partials->lock_fd
      = openat (partials->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (partials->lock_fd < 0)
    return atm_throw_errno (error, "Opening %s/%s", path, LOCK_NAME);
  *partials_out = g_steal_pointer (&partials);
  return TRUE;
}

void
atm_partials_free (AtmPartials *partials)
{
  if (partials == NULL)
    return;
  g_free (partials->path);
  atm_fd_clear (&partials->dir_fd);
  atm_fd_clear (&partials->lock_fd);
  g_free (partials);
}

static char *
make_name (const AtmDigest *digest)
{
  g_autofree char *text = atm_digest_to_string (digest);

  *strchr (text, ':') = '-';
  return g_strconcat (text, SUFFIX, NULL);
}

static gboolean
parse_name (const char *name, AtmDigest *digest_out)
{
  g_autofree char *text = g_strdup (name);
  char *dash = strchr (text, '-');

  if (dash == NULL || !g_str_has_suffix (text, SUFFIX))
    return FALSE;
  *dash = ':';
  text[strlen (text) - strlen (SUFFIX)] = '\0';
  return atm_digest_parse (text, digest_out, NULL);
}

/* ---- locks ---- */

/* One byte of one file for each blob, so that a pull of a thousand layers needs one descriptor, and
   a blob can be removed without its lock. Locks belong to the open file, not to the process. */
static struct flock
make_lock (const AtmDigest *digest, short type)
{
  char digits[LOCK_DIGITS + 1];

  g_strlcpy (digits, digest->hex, sizeof digits);
  return (struct flock){ .l_type = type,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t) g_ascii_strtoull (digits, NULL, 16),
                         .l_len = 1 };
}

static gboolean
try_lock (AtmPartials *partials, const AtmDigest *digest, gboolean *locked_out, GError **error)
{
  struct flock lock = make_lock (digest, F_WRLCK);

  *locked_out = fcntl (partials->lock_fd, F_OFD_SETLK, &lock) == 0;
  if (!*locked_out && errno != EAGAIN && errno != EACCES)
    return atm_throw_errno (error, "Locking %s/%s", partials->path, LOCK_NAME);
  return TRUE;
}

static void
unlock (AtmPartials *partials, const AtmDigest *digest)
{
  struct flock lock = make_lock (digest, F_UNLCK);

  (void) fcntl (partials->lock_fd, F_OFD_SETLK, &lock);
}

static gboolean
block_until_free (int fd, gpointer data)
{
  int result = 0;

  do
    {
      struct flock lock = make_lock (data, F_WRLCK);

      result = fcntl (fd, F_OFD_SETLKW, &lock);
    }
  while (result < 0 && errno == EINTR);
  return result == 0;
}

/* Through an open file of its own: one that is left behind must not keep our locks. */
static gboolean
wait_until_free (AtmPartials *partials, const AtmDigest *digest, GCancellable *cancellable,
                 GError **error)
{
  int fd = openat (partials->dir_fd, LOCK_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    return atm_throw_errno (error, "Opening %s/%s", partials->path, LOCK_NAME);
  return atm_wait_for (block_until_free, fd, g_memdup2 (digest, sizeof *digest), g_free,
                       cancellable, error)
         || atm_prefix_error (error, "Locking %s/%s", partials->path, LOCK_NAME);
}

static int
compare_digests (gconstpointer a, gconstpointer b)
{
  const AtmDescriptor *first = *(const AtmDescriptor *const *) a;
  const AtmDescriptor *second = *(const AtmDescriptor *const *) b;

  return strcmp (first->digest.hex, second->digest.hex);
}

gboolean
atm_partials_lock (AtmPartials *partials, GPtrArray *descriptors, AtmPartialsBusyFunc busy,
                   gpointer data, gboolean *waited_out, GCancellable *cancellable, GError **error)
{
  /* All processes in the same order, or two of them could wait for each other. */
  g_autoptr (GPtrArray) sorted = g_ptr_array_copy (descriptors, NULL, NULL);
  gboolean waited = FALSE;

  g_ptr_array_sort (sorted, compare_digests);
  for (guint i = 0; i < sorted->len; i++)
    {
      const AtmDigest *digest = &((const AtmDescriptor *) sorted->pdata[i])->digest;
      gboolean locked = FALSE;

      if (!try_lock (partials, digest, &locked, error))
        return FALSE;
      if (locked)
        continue;
      busy (digest, data);
      waited = TRUE;
      while (!locked)
        if (!wait_until_free (partials, digest, cancellable, error)
            || !try_lock (partials, digest, &locked, error))
          return FALSE;
    }
  *waited_out = waited;
  return TRUE;
}

/* ---- files ---- */

guint64
atm_partials_get_size (AtmPartials *partials, const AtmDigest *digest)
{
  g_autofree char *name = make_name (digest);
  struct stat st;

  if (fstatat (partials->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG (st.st_mode))
    return 0;
  return (guint64) st.st_size;
}

static char *
read_xattr (int fd, const char *name)
{
  char value[XATTR_MAX_BYTES + 1];
  ssize_t n = fgetxattr (fd, name, value, XATTR_MAX_BYTES);

  return n > 0 ? g_strndup (value, (gsize) n) : NULL;
}

gboolean
atm_partials_open_blob (AtmPartials *partials, const AtmDigest *digest, AtmBlobPart *part_out,
                        int *fd_out, GError **error)
{
  g_autofree char *name = make_name (digest);
  atm_autofd int fd
      = openat (partials->dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  struct stat st;

  if (fd < 0 || fstat (fd, &st) < 0)
    return atm_throw_errno (error, "Opening %s/%s", partials->path, name);
  part_out->start_bytes = (guint64) st.st_size;
  part_out->etag = read_xattr (fd, XATTR_ETAG);
  part_out->endpoint = read_xattr (fd, XATTR_ENDPOINT);
  *fd_out = g_steal_fd (&fd);
  return TRUE;
}

/* Not worth a failure, nor a word: the digest protects us without it. */
static void
write_xattr (int fd, const char *name, const char *value)
{
  if (value == NULL || strlen (value) > XATTR_MAX_BYTES)
    (void) fremovexattr (fd, name);
  else
    (void) fsetxattr (fd, name, value, strlen (value), 0);
}

void
atm_partial_remember (int fd, const AtmBlobPart *part)
{
  write_xattr (fd, XATTR_ETAG, part->etag);
  write_xattr (fd, XATTR_ENDPOINT, part->endpoint);
}

void
atm_partials_remove (AtmPartials *partials, const AtmDigest *digest)
{
  g_autofree char *name = make_name (digest);

  (void) unlinkat (partials->dir_fd, name, 0);
}

/* ---- old ones, and all of them ---- */

typedef struct
{
  gint64 before_unix; /* files that were written later are left alone */
  gboolean dry_run;
  guint n;
  guint64 size_bytes;
} Sweep;

static gboolean
sweep_one (AtmPartials *partials, const char *name, Sweep *sweep, GError **error)
{
  gboolean locked = FALSE;
  AtmDigest digest;
  struct stat st;

  if (!parse_name (name, &digest))
    return TRUE;
  if (!try_lock (partials, &digest, &locked, error))
    return FALSE;
  if (!locked)
    return TRUE;
  if (fstatat (partials->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0
      && st.st_mtim.tv_sec < sweep->before_unix
      && (sweep->dry_run || unlinkat (partials->dir_fd, name, 0) == 0))
    {
      sweep->n++;
      sweep->size_bytes += (guint64) st.st_size;
    }
  unlock (partials, &digest);
  return TRUE;
}

static gboolean
sweep_all (AtmPartials *partials, Sweep *sweep, GError **error)
{
  g_autoptr (GDir) dir = NULL;
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", partials->dir_fd);
  const char *name = NULL;

  dir = g_dir_open (path, 0, error);
  if (dir == NULL)
    return atm_prefix_error (error, "Reading the folder %s", partials->path);
  while ((name = g_dir_read_name (dir)) != NULL)
    if (!sweep_one (partials, name, sweep, error))
      return FALSE;
  return TRUE;
}

void
atm_partials_expire (AtmPartials *partials)
{
  Sweep sweep = { .before_unix = g_get_real_time () / G_USEC_PER_SEC - ATM_PARTIAL_MAX_AGE_SEC };
  g_autoptr (GError) error = NULL;

  if (!sweep_all (partials, &sweep, &error))
    g_debug ("%s, going on without it", error->message);
}

gboolean
atm_partials_prune (const char *path, gboolean dry_run, guint *n_out, guint64 *size_bytes_out,
                    GError **error)
{
  g_autoptr (AtmPartials) partials = NULL;
  Sweep sweep = { .before_unix = G_MAXINT64, .dry_run = dry_run };

  /* A dry run makes no folder. */
  if (access (path, F_OK) == 0
      && (!atm_partials_open (path, &partials, error) || !sweep_all (partials, &sweep, error)))
    return FALSE;
  *n_out = sweep.n;
  *size_bytes_out = sweep.size_bytes;
  return TRUE;
}
