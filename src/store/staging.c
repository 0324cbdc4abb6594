/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

/* The folder is called PREFIX, the boot ID, “-” and six hex digits; its lock the same and SUFFIX.
 */
#define PREFIX "atomic-import-"
#define LOCK_SUFFIX "-lock"
#define BOOT_ID_MAX_BYTES 64
#define NAME_TRIES_MAX 100

/* Files in the making, and a number; no object is called so. */
#define LARGE_PREFIX "large-"

/* How much of a large file may wait in memory before the kernel is told to begin writing it. */
#define WRITE_BACK_BYTES (8 * 1024 * 1024)

/* libostree removes what is in tmp/ and was not touched for core.tmp-expiry-secs, a day. */
#define TOUCH_USEC (G_TIME_SPAN_HOUR)

/* “12/3456….file”, here as in objects/. */
#define OBJECT_SUFFIX ".file"
#define FOLDER_DIGITS 2
#define REST_DIGITS (OSTREE_SHA256_STRING_LEN - FOLDER_DIGITS)
#define PATH_SIZE (OSTREE_SHA256_STRING_LEN + sizeof "/" OBJECT_SUFFIX)

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DIR, closedir)

struct _AtmStaging
{
  OstreeRepo *repo; /* (owned) */
  int tmp_fd;
  int objects_fd;
  int dir_fd;
  int lock_fd;
  char *name;      /* (owned) (nullable): of the folder, once it is made */
  char *lock_name; /* (owned) (nullable) */

  GMutex lock; /* guards the next three */
  guint64 free_bytes;
  gint64 touched_usec;
  guint n_created;  /* files in the making, so far */
  gboolean bounded; /* free_bytes matters */
  guint64 block_bytes;
};

struct _AtmStagingFile
{
  AtmStaging *staging; /* (borrowed) */
  char *name;          /* (owned) (nullable): until it is finished */
  int fd;
  guint64 size_bytes;
  guint64 written_back_bytes;
};

static gboolean
open_entries (int dir_fd, DIR **dir_out, GError **error)
{
  atm_autofd int fd = -1;

  if (!atm_open_dir_at (dir_fd, ".", &fd, error))
    return FALSE;
  *dir_out = fdopendir (fd);
  if (*dir_out == NULL)
    return atm_throw_errno (error, "Reading a folder of the repository");
  fd = -1;
  return TRUE;
}

static gboolean
read_boot_id (char **boot_id_out, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;

  if (!atm_read_file_at (AT_FDCWD, "/proc/sys/kernel/random/boot_id", FALSE, BOOT_ID_MAX_BYTES,
                         &bytes, error))
    return FALSE;
  *boot_id_out = g_strchomp (g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes)));
  return TRUE;
}

/* The lock comes first and goes last, so that a folder without one is nobody's. */
static gboolean
make_folder (AtmStaging *staging, GError **error)
{
  g_autofree char *boot_id = NULL;

  if (!read_boot_id (&boot_id, error))
    return FALSE;
  for (guint i = 0; i < NAME_TRIES_MAX; i++)
    {
      g_autofree char *name
          = g_strdup_printf (PREFIX "%s-%06x", boot_id, g_random_int () & 0xffffffu);
      g_autofree char *lock_name = g_strconcat (name, LOCK_SUFFIX, NULL);
      atm_autofd int lock_fd = openat (staging->tmp_fd, lock_name,
                                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
      struct stat st;

      if (lock_fd < 0 && errno == EEXIST)
        continue;
      if (lock_fd < 0)
        return atm_throw_errno (error, "Creating a lock file in tmp/ of the repository");
      /* Somebody who cleans up may have taken it, or have removed it already. */
      if (flock (lock_fd, LOCK_EX | LOCK_NB) < 0 || fstat (lock_fd, &st) < 0 || st.st_nlink == 0)
        continue;
      if (mkdirat (staging->tmp_fd, name, 0700) < 0)
        {
          const int saved_errno = errno;

          (void) unlinkat (staging->tmp_fd, lock_name, 0);
          errno = saved_errno;
          if (errno == EEXIST)
            continue;
          return atm_throw_errno (error, "Creating a folder in tmp/ of the repository");
        }
      staging->name = g_steal_pointer (&name);
      staging->lock_name = g_steal_pointer (&lock_name);
      staging->lock_fd = g_steal_fd (&lock_fd);
      return atm_open_dir_at (staging->tmp_fd, staging->name, &staging->dir_fd, error);
    }
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                    "No free name was found in tmp/ of the repository");
}

/* As libostree counts for the objects that it writes itself. */
static gboolean
find_free_space (AtmStaging *staging, GError **error)
{
  struct statvfs st;
  guint64 reserved = 0, free_bytes = 0;

  if (!ostree_repo_get_min_free_space_bytes (staging->repo, &reserved, error))
    return FALSE;
  if (fstatvfs (staging->tmp_fd, &st) < 0)
    return atm_throw_errno (error, "Asking for the free space of the repository");
  free_bytes = (guint64) (geteuid () == 0 ? st.f_bfree : st.f_bavail) * st.f_frsize;
  staging->block_bytes = MAX (st.f_bsize, 1);
  staging->bounded = reserved > 0;
  staging->free_bytes = free_bytes > reserved ? free_bytes - reserved : 0;
  return TRUE;
}

gboolean
atm_staging_new (OstreeRepo *repo, AtmStaging **staging_out, GError **error)
{
  const int repo_fd = ostree_repo_get_dfd (repo);
  g_autoptr (AtmStaging) staging = g_new0 (AtmStaging, 1);

  g_mutex_init (&staging->lock);
  staging->repo = g_object_ref (repo);
  staging->tmp_fd = staging->objects_fd = staging->dir_fd = -1;
  staging->lock_fd = -1;
  staging->touched_usec = g_get_monotonic_time ();

  atm_staging_remove_stale (repo);
  if (!atm_open_dir_at (repo_fd, "tmp", &staging->tmp_fd, error)
      || !atm_open_dir_at (repo_fd, "objects", &staging->objects_fd, error)
      || !find_free_space (staging, error) || !make_folder (staging, error))
    return FALSE;
  *staging_out = g_steal_pointer (&staging);
  return TRUE;
}

static void
remove_folder (int tmp_fd, const char *name, const char *lock_name)
{
  g_autoptr (GError) error = NULL;

  /* While the folder is there its lock must be, too; the next import tries again. */
  if (atm_remove_tree_at (tmp_fd, name, &error))
    (void) unlinkat (tmp_fd, lock_name, 0);
}

void
atm_staging_free (AtmStaging *staging)
{
  if (staging == NULL)
    return;
  atm_fd_clear (&staging->dir_fd);
  if (staging->name != NULL)
    remove_folder (staging->tmp_fd, staging->name, staging->lock_name);
  atm_fd_clear (&staging->lock_fd);
  atm_fd_clear (&staging->tmp_fd);
  atm_fd_clear (&staging->objects_fd);
  g_mutex_clear (&staging->lock);
  g_object_unref (staging->repo);
  g_free (staging->name);
  g_free (staging->lock_name);
  g_free (staging);
}

static void
remove_if_stale (int tmp_fd, const char *entry)
{
  g_autofree char *name = g_str_has_suffix (entry, LOCK_SUFFIX)
                              ? g_strndup (entry, strlen (entry) - strlen (LOCK_SUFFIX))
                              : g_strdup (entry);
  g_autofree char *lock_name = g_strconcat (name, LOCK_SUFFIX, NULL);
  atm_autofd int lock_fd = openat (tmp_fd, lock_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (lock_fd < 0 ? errno == ENOENT : flock (lock_fd, LOCK_EX | LOCK_NB) == 0)
    remove_folder (tmp_fd, name, lock_name);
}

void
atm_staging_remove_stale (OstreeRepo *repo)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (DIR) dir = NULL;
  atm_autofd int tmp_fd = -1;
  const struct dirent *entry = NULL;

  if (!atm_open_dir_at (ostree_repo_get_dfd (repo), "tmp", &tmp_fd, NULL)
      || !open_entries (tmp_fd, &dir, NULL))
    return;
  while ((entry = readdir (dir)) != NULL)
    if (g_str_has_prefix (entry->d_name, PREFIX))
      g_ptr_array_add (names, g_strdup (entry->d_name));
  for (guint i = 0; i < names->len; i++)
    remove_if_stale (tmp_fd, names->pdata[i]);
}

/* ---- content ---- */

static void
touch (AtmStaging *staging)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&staging->lock);
  const gint64 now = g_get_monotonic_time ();

  if (now - staging->touched_usec < TOUCH_USEC)
    return;
  staging->touched_usec = now;
  /* Best effort: only an import of more than a day needs it. */
  (void) futimens (staging->lock_fd, NULL);
  (void) futimens (staging->dir_fd, NULL);
}

static gboolean
reserve (AtmStaging *staging, guint64 bytes, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&staging->lock);
  g_autofree char *kept = NULL;
  guint64 reserved = 0;

  if (!staging->bounded)
    return TRUE;
  if (bytes <= staging->free_bytes)
    {
      staging->free_bytes -= bytes;
      return TRUE;
    }
  if (!ostree_repo_get_min_free_space_bytes (staging->repo, &reserved, error))
    return FALSE;
  kept = atm_text_size (reserved);
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                    "Not enough space: of the file system of the repository %s must stay free "
                    "(core.min-free-space-size or -percent in its configuration); make room and "
                    "try again",
                    kept);
}

static void
give_back (AtmStaging *staging, guint64 bytes)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&staging->lock);

  staging->free_bytes += bytes;
}

static void
make_path (const char *name, char path_out[PATH_SIZE])
{
  g_snprintf (path_out, PATH_SIZE, "%.*s/%s" OBJECT_SUFFIX, FOLDER_DIGITS, name,
              name + FOLDER_DIGITS);
}

/* Whether it was ENOENT, and cannot be that again, because the folder of @path is there now.
   libostree makes those of the repository with these permissions. */
static gboolean
make_missing_folder (int dir_fd, const char *path)
{
  char folder[FOLDER_DIGITS + 1];

  if (errno != ENOENT)
    return FALSE;
  g_strlcpy (folder, path, sizeof folder);
  return mkdirat (dir_fd, folder, 0777) == 0 || errno == EEXIST;
}

gboolean
atm_staging_has_object (AtmStaging *staging, const char *name, gboolean *found_out, GError **error)
{
  char path[PATH_SIZE];
  struct stat st;

  touch (staging);
  make_path (name, path);
  if (fstatat (staging->objects_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
    *found_out = TRUE;
  else if (errno == ENOENT)
    *found_out = FALSE;
  else
    return atm_throw_errno (error, "Looking for the object %s", name);
  return TRUE;
}

static gboolean
throw_write (GError **error)
{
  if (errno == ENOSPC || errno == EDQUOT)
    return atm_throw_errno (error, "Writing to the repository, whose file system needs more room");
  return atm_throw_errno (error, "Writing to the repository");
}

static gboolean
write_all (int fd, const guint8 *data, gsize left, GError **error)
{
  while (left > 0)
    {
      const gssize written = write (fd, data, left);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return throw_write (error);
      data += written;
      left -= (gsize) written;
    }
  return TRUE;
}

gboolean
atm_staging_put_file (AtmStaging *staging, const char *name, const AtmInode *inode,
                      gconstpointer data, gsize length_bytes, GError **error)
{
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  char path[PATH_SIZE];
  atm_autofd int fd = -1;

  if (!reserve (staging, length_bytes + staging->block_bytes, error))
    return FALSE;
  make_path (name, path);
  /* Nobody but us until it has its owner; nobody outside of the folder until it is published. */
  fd = openat (staging->dir_fd, path, flags, 0600);
  if (fd < 0 && make_missing_folder (staging->dir_fd, path))
    fd = openat (staging->dir_fd, path, flags, 0600);
  if (fd < 0 && errno == EEXIST)
    return TRUE;
  if (fd < 0)
    return throw_write (error);
  return write_all (fd, data, length_bytes, error) && atm_inode_apply (fd, inode, error);
}

gboolean
atm_staging_put_symlink (AtmStaging *staging, const char *name, const AtmInode *inode,
                         const char *target, GError **error)
{
  char path[PATH_SIZE];

  if (!reserve (staging, staging->block_bytes, error))
    return FALSE;
  make_path (name, path);
  if (symlinkat (target, staging->dir_fd, path) < 0
      && (!make_missing_folder (staging->dir_fd, path)
          || symlinkat (target, staging->dir_fd, path) < 0))
    return errno == EEXIST || throw_write (error);
  return atm_inode_apply_symlink (staging->dir_fd, path, inode, error);
}

gboolean
atm_staging_create_file (AtmStaging *staging, AtmStagingFile **file_out, GError **error)
{
  g_autoptr (AtmStagingFile) file = g_new0 (AtmStagingFile, 1);
  g_autofree char *name = NULL;
  guint number;

  g_mutex_lock (&staging->lock);
  number = staging->n_created++;
  g_mutex_unlock (&staging->lock);

  name = g_strdup_printf (LARGE_PREFIX "%u", number);
  file->staging = staging;
  file->fd
      = openat (staging->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file->fd < 0)
    return throw_write (error);
  file->name = g_steal_pointer (&name);
  *file_out = g_steal_pointer (&file);
  return TRUE;
}

gboolean
atm_staging_file_append (AtmStagingFile *file, gconstpointer data, gsize length_bytes,
                         GError **error)
{
  if (!reserve (file->staging, length_bytes, error))
    return FALSE;
  file->size_bytes += length_bytes;
  if (!write_all (file->fd, data, length_bytes, error))
    return FALSE;
  if (file->size_bytes - file->written_back_bytes >= WRITE_BACK_BYTES)
    {
      /* A hint: what is on its way now need not be waited for at the end. */
      (void) sync_file_range (file->fd, (off64_t) file->written_back_bytes, 0,
                              SYNC_FILE_RANGE_WRITE);
      file->written_back_bytes = file->size_bytes;
    }
  return TRUE;
}

gboolean
atm_staging_file_finish (AtmStagingFile *file, const char *name, const AtmInode *inode,
                         GError **error)
{
  const int dir_fd = file->staging->dir_fd;
  char path[PATH_SIZE];

  make_path (name, path);
  if (!atm_inode_apply (file->fd, inode, error))
    return FALSE;
  if (renameat2 (dir_fd, file->name, dir_fd, path, RENAME_NOREPLACE) == 0
      || (make_missing_folder (dir_fd, path)
          && renameat2 (dir_fd, file->name, dir_fd, path, RENAME_NOREPLACE) == 0))
    g_clear_pointer (&file->name, g_free);
  else if (errno != EEXIST)
    return atm_throw_errno (error, "Naming a file of the repository");
  return TRUE;
}

void
atm_staging_file_free (AtmStagingFile *file)
{
  if (file == NULL)
    return;
  atm_fd_clear (&file->fd);
  if (file->name != NULL)
    {
      (void) unlinkat (file->staging->dir_fd, file->name, 0);
      give_back (file->staging, file->size_bytes);
    }
  g_free (file->name);
  g_free (file);
}

gboolean
atm_staging_open_file (AtmStaging *staging, const char *name, int *fd_out, GError **error)
{
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  char path[PATH_SIZE];
  int fd = -1;

  make_path (name, path);
  fd = openat (staging->dir_fd, path, flags);
  if (fd < 0 && errno == ENOENT)
    fd = openat (staging->objects_fd, path, flags);
  if (fd < 0)
    return atm_throw_errno (error, "Opening the object %s", name);
  *fd_out = fd;
  return TRUE;
}

/* ---- publishing ---- */

static gboolean
is_hex (const char *text, size_t digits)
{
  return strspn (text, "0123456789abcdef") == digits;
}

static gboolean
publish_file (int from_fd, int to_fd, const char *folder, const char *name, GError **error)
{
  if (renameat2 (from_fd, name, to_fd, name, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno != EEXIST)
    return atm_throw_errno (error, "Naming the object %s/%s", folder, name);
  return unlinkat (from_fd, name, 0) == 0
         || atm_throw_errno (error, "Removing a file that the repository has already");
}

/* Entries of a folder whose names are @digits hex digits and @suffix: a folder that is emptied
   while it is read may skip entries. */
static gboolean
list_names (int dir_fd, size_t digits, const char *suffix, GPtrArray **names_out, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (DIR) dir = NULL;
  const struct dirent *entry = NULL;

  if (!open_entries (dir_fd, &dir, error))
    return FALSE;
  while (errno = 0, (entry = readdir (dir)) != NULL)
    if (is_hex (entry->d_name, digits) && g_str_equal (entry->d_name + digits, suffix))
      g_ptr_array_add (names, g_strdup (entry->d_name));
  if (errno != 0)
    return atm_throw_errno (error, "Reading the folder of new files");
  *names_out = g_steal_pointer (&names);
  return TRUE;
}

static gboolean
publish_files (AtmStaging *staging, const char *folder, GError **error)
{
  atm_autofd int from_fd = -1, to_fd = -1;
  g_autoptr (GPtrArray) names = NULL;

  if (!atm_open_dir_at (staging->dir_fd, folder, &from_fd, error)
      || !atm_open_dir_at (staging->objects_fd, folder, &to_fd, error)
      || !list_names (from_fd, REST_DIGITS, OBJECT_SUFFIX, &names, error))
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    if (!publish_file (from_fd, to_fd, folder, names->pdata[i], error))
      return FALSE;
  return TRUE;
}

gboolean
atm_staging_publish (AtmStaging *staging, GError **error)
{
  g_autoptr (GPtrArray) folders = NULL;

  if (!list_names (staging->dir_fd, FOLDER_DIGITS, "", &folders, error))
    return FALSE;
  for (guint i = 0; i < folders->len; i++)
    {
      const char *folder = folders->pdata[i];

      /* A new repository takes the folders as they are. */
      if (renameat2 (staging->dir_fd, folder, staging->objects_fd, folder, RENAME_NOREPLACE) == 0)
        continue;
      if (errno != EEXIST)
        return atm_throw_errno (error, "Naming the folder objects/%s", folder);
      if (!publish_files (staging, folder, error))
        return FALSE;
    }
  return TRUE;
}
