/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DIR, closedir)

/* A rename elsewhere in the tree makes openat2() give up with EAGAIN; nobody renames for ever. */
#define OPENAT2_TRIES_MAX 32
#define NAME_TRIES_MAX 100
#define COPY_BYTES 65536

void
atm_fd_clear (int *fd)
{
  int saved_errno = errno;

  if (*fd >= 0)
    close (g_steal_fd (fd));
  errno = saved_errno;
}

gboolean
atm_write_all (int fd, GBytes *bytes, GError **error)
{
  gsize left = 0;
  const guint8 *data = g_bytes_get_data (bytes, &left);

  while (left > 0)
    {
      gssize written = write (fd, data, left);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return atm_throw_errno (error, "Writing");
      data += written;
      left -= (gsize) written;
    }
  return TRUE;
}

/* Room for what the file says it has; it may grow while it is read, or know nothing, as in /proc.
 */
#define READ_AHEAD_BYTES 4096

gboolean
atm_read_all (int fd, gsize max_bytes, GBytes **bytes_out, GError **error)
{
  g_autofree guint8 *bytes = NULL;
  gsize length = 0, room = 0;
  struct stat st;

  if (fstat (fd, &st) < 0)
    return atm_throw_errno (error, "Looking at the file");
  if (!S_ISREG (st.st_mode))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, "Not a regular file");

  for (;;)
    {
      gssize n = 0;

      if (length == room)
        {
          room = length == 0 && st.st_size > 0 ? MIN ((gsize) st.st_size, max_bytes) : 2 * room;
          room = MAX (room, READ_AHEAD_BYTES);
          bytes = g_realloc (bytes, room);
        }
      n = read (fd, bytes + length, room - length);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return atm_throw_errno (error, "Reading");
      if ((gsize) n > max_bytes - length)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                          "Larger than %" G_GSIZE_FORMAT " bytes", max_bytes);
      length += (gsize) n;
      /* A second read would say the same. */
      if (n == 0 || length == (gsize) st.st_size)
        break;
    }

  *bytes_out = g_bytes_new_take (g_steal_pointer (&bytes), length);
  return TRUE;
}

gboolean
atm_read_stream (GInputStream *stream, gsize max_bytes, GBytes **bytes_out,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr (GByteArray) array = g_byte_array_new ();
  guint8 buffer[16384];

  for (;;)
    {
      gssize n = g_input_stream_read (stream, buffer, sizeof buffer, cancellable, error);

      if (n < 0)
        return FALSE;
      if (n == 0)
        break;
      if ((gsize) n > max_bytes - array->len)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                          "Larger than %" G_GSIZE_FORMAT " bytes", max_bytes);
      g_byte_array_append (array, buffer, (guint) n);
    }

  *bytes_out = g_byte_array_free_to_bytes (g_steal_pointer (&array));
  return TRUE;
}

gboolean
atm_read_file_at (int dir_fd, const char *path, gboolean follow, gsize max_bytes,
                  GBytes **bytes_out, GError **error)
{
  int nofollow = follow ? 0 : O_NOFOLLOW;
  atm_autofd int fd = openat (dir_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | nofollow);

  if (fd < 0)
    return atm_throw_errno (error, "Opening %s", path);
  if (!atm_read_all (fd, max_bytes, bytes_out, error))
    return atm_prefix_error (error, "%s", path);
  return TRUE;
}

static int
openat2_patiently (int dir_fd, const char *path, int flags, guint64 resolve)
{
  struct open_how how = { 0 };
  int fd = -1;

  how.flags = (guint64) (unsigned int) (flags | O_CLOEXEC);
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  for (guint i = 0; i < OPENAT2_TRIES_MAX; i++)
    {
      fd = (int) syscall (SYS_openat2, dir_fd, path, &how, sizeof how);
      if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
        break;
    }
  return fd;
}

gboolean
atm_open_in_root (int root_fd, const char *path, int flags, int *fd_out, GError **error)
{
  int fd = openat2_patiently (root_fd, path, flags, RESOLVE_IN_ROOT);

  if (fd < 0)
    return atm_throw_errno (error, "Opening %s in the image", path);
  *fd_out = fd;
  return TRUE;
}

gboolean
atm_open_beneath (int dir_fd, const char *path, int flags, int *fd_out, GError **error)
{
  int fd = openat2_patiently (dir_fd, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

  if (fd < 0)
    return atm_throw_errno (error, "Opening %s", path);
  *fd_out = fd;
  return TRUE;
}

static char *
random_name (const char *name)
{
  return g_strdup_printf (".%s.%0*x", name, ATM_TEMPORARY_DIGITS, g_random_int ());
}

/* What was being replaced; %NULL for all other entries. */
static char *
dup_replaced (const char *entry)
{
  const char *dot = strrchr (entry, '.');

  if (entry[0] != '.' || dot - entry < 2 || strlen (dot + 1) != ATM_TEMPORARY_DIGITS
      || strspn (dot + 1, "0123456789abcdef") != ATM_TEMPORARY_DIGITS)
    return NULL;
  return g_strndup (entry + 1, (gsize) (dot - entry) - 1);
}

/* Entry to what was being replaced. */
static gboolean
list_temporaries (int dir_fd, GHashTable **entries_out, GError **error)
{
  g_autoptr (GHashTable) entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  int fd = openat (dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  struct dirent *entry = NULL;

  if (dir == NULL)
    {
      (void) atm_throw_errno (error, "Reading a folder");
      atm_fd_clear (&fd);
      return FALSE;
    }
  while ((entry = readdir (dir)) != NULL)
    {
      char *replaced = dup_replaced (entry->d_name);

      if (replaced != NULL)
        g_hash_table_insert (entries, g_strdup (entry->d_name), replaced);
    }
  closedir (dir);
  *entries_out = g_steal_pointer (&entries);
  return TRUE;
}

gboolean
atm_sweep_temporaries_at (int dir_fd, const char *name, GError **error)
{
  g_autoptr (GHashTable) entries = NULL;
  GHashTableIter iter;
  gpointer entry = NULL, replaced = NULL;

  if (!list_temporaries (dir_fd, &entries, error))
    return FALSE;
  g_hash_table_iter_init (&iter, entries);
  while (g_hash_table_iter_next (&iter, &entry, &replaced))
    if (g_str_equal (replaced, name) && unlinkat (dir_fd, entry, 0) < 0 && errno != ENOENT)
      return atm_throw_errno (error, "Removing %s", (const char *) entry);
  return TRUE;
}

gboolean
atm_list_temporaries_at (int dir_fd, GHashTable *names, GError **error)
{
  g_autoptr (GHashTable) entries = NULL;
  GHashTableIter iter;
  gpointer replaced = NULL;

  if (!list_temporaries (dir_fd, &entries, error))
    return FALSE;
  g_hash_table_iter_init (&iter, entries);
  while (g_hash_table_iter_next (&iter, NULL, &replaced))
    g_hash_table_add (names, g_strdup (replaced));
  return TRUE;
}

static gboolean
copy_all (int from_fd, int to_fd, GError **error)
{
  guint8 buffer[COPY_BYTES];
  gssize n = 0;

  while ((n = read (from_fd, buffer, sizeof buffer)) != 0)
    {
      g_autoptr (GBytes) bytes = NULL;

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return atm_throw_errno (error, "Reading");
      bytes = g_bytes_new_static (buffer, (gsize) n);
      if (!atm_write_all (to_fd, bytes, error))
        return FALSE;
    }
  return TRUE;
}

/* A new file beside @name, complete and synced, under a random name: of @bytes, or of what is in
   @from_fd where they are NULL. */
static gboolean
write_beside (int dir_fd, const char *name, GBytes *bytes, int from_fd, mode_t mode,
              char **name_out, GError **error)
{
  atm_autofd int fd = -1;
  g_autofree char *temporary = NULL;

  for (guint i = 0; i < NAME_TRIES_MAX; i++)
    {
      g_free (temporary);
      temporary = random_name (name);
      fd = openat (dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
      if (fd >= 0 || errno != EEXIST)
        break;
    }
  if (fd < 0)
    return atm_throw_errno (error, "Creating %s", name);

  if (bytes != NULL ? !atm_write_all (fd, bytes, error) : !copy_all (from_fd, fd, error))
    {
      (void) unlinkat (dir_fd, temporary, 0);
      return atm_prefix_error (error, "%s", name);
    }
  if (fchmod (fd, mode) < 0 || fsync (fd) < 0)
    {
      (void) atm_throw_errno (error, "Writing %s", name);
      (void) unlinkat (dir_fd, temporary, 0);
      return FALSE;
    }

  *name_out = g_steal_pointer (&temporary);
  return TRUE;
}

/* Gives @temporary its @name; renameat2() flags say whether an existing one may go. */
static gboolean
publish (int dir_fd, const char *temporary, const char *name, unsigned int flags, AtmSync sync,
         GError **error)
{
  if (renameat2 (dir_fd, temporary, dir_fd, name, flags) < 0)
    {
      (void) atm_throw_errno (error, "Naming %s", name);
      (void) unlinkat (dir_fd, temporary, 0);
      return FALSE;
    }
  if (sync == ATM_SYNC_NOW && fsync (dir_fd) < 0)
    return atm_throw_errno (error, "Syncing the folder of %s", name);
  return TRUE;
}

gboolean
atm_replace_file_at (int dir_fd, const char *name, GBytes *bytes, mode_t mode, GError **error)
{
  g_autofree char *temporary = NULL;

  return write_beside (dir_fd, name, bytes, -1, mode, &temporary, error)
         && publish (dir_fd, temporary, name, 0, ATM_SYNC_NOW, error);
}

gboolean
atm_create_file_at (int dir_fd, const char *name, GBytes *bytes, mode_t mode, GError **error)
{
  g_autofree char *temporary = NULL;

  return write_beside (dir_fd, name, bytes, -1, mode, &temporary, error)
         && publish (dir_fd, temporary, name, RENAME_NOREPLACE, ATM_SYNC_NOW, error);
}

gboolean
atm_copy_file_at (int from_fd, int dir_fd, const char *name, mode_t mode, GError **error)
{
  g_autofree char *temporary = NULL;

  return write_beside (dir_fd, name, NULL, from_fd, mode, &temporary, error)
         && publish (dir_fd, temporary, name, RENAME_NOREPLACE, ATM_SYNC_NOW, error);
}

gboolean
atm_open_temporary (const char *folder, int *fd_out, GError **error)
{
  int fd = open (folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

  /* Not every overlay file system can do without a name. */
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
    {
      g_autofree char *path = g_build_filename (folder, "atomic-XXXXXX", NULL);

      fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);
      if (fd >= 0)
        (void) unlink (path);
    }
  if (fd < 0)
    return atm_throw_errno (error, "Making a temporary file in %s", folder);
  *fd_out = fd;
  return TRUE;
}

gboolean
atm_replace_symlink_at (const char *target, int dir_fd, const char *name, AtmSync sync,
                        GError **error)
{
  g_autofree char *temporary = NULL;
  int result = -1;

  for (guint i = 0; i < NAME_TRIES_MAX && result < 0; i++)
    {
      g_free (temporary);
      temporary = random_name (name);
      result = symlinkat (target, dir_fd, temporary);
      if (result < 0 && errno != EEXIST)
        break;
    }
  if (result < 0)
    return atm_throw_errno (error, "Creating the link %s", name);
  return publish (dir_fd, temporary, name, 0, sync, error);
}

gboolean
atm_open_dir_at (int dir_fd, const char *path, int *fd_out, GError **error)
{
  int fd = openat (dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    return atm_throw_errno (error, "Opening the folder %s", path);
  *fd_out = fd;
  return TRUE;
}

gboolean
atm_make_dirs (const char *path, mode_t mode, int *fd_out, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);
  atm_autofd int fd = -1;

  if (g_mkdir_with_parents (parent, 0755) < 0 || (mkdir (path, mode) < 0 && errno != EEXIST))
    return atm_throw_errno (error, "Creating the folder %s", path);
  fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return atm_throw_errno (error, "Opening the folder %s", path);
  if (fd_out != NULL)
    *fd_out = g_steal_fd (&fd);
  return TRUE;
}

/* Moves a folder that is not empty to @top_fd, under a name that is free. */
static gboolean
lift (int dir_fd, const char *entry, int top_fd, char **lifted_out, GError **error)
{
  for (guint i = 0; i < NAME_TRIES_MAX; i++)
    {
      g_autofree char *lifted = random_name ("removed");

      if (renameat2 (dir_fd, entry, top_fd, lifted, RENAME_NOREPLACE) == 0)
        {
          *lifted_out = g_steal_pointer (&lifted);
          return TRUE;
        }
      if (errno != EEXIST)
        break;
    }
  return atm_throw_errno (error, "Moving %s", entry);
}

/* Removes what is in @folder of @top_fd. Sub-folders that hold something go into @queue: they are
   lifted to @top_fd first, unless @folder is that itself (“.”). */
static gboolean
empty_folder (int top_fd, const char *folder, GPtrArray *queue, GError **error)
{
  const gboolean is_top = g_str_equal (folder, ".");
  g_autoptr (DIR) dir = NULL;
  atm_autofd int fd = -1;
  struct dirent *entry = NULL;

  if (!atm_open_dir_at (top_fd, folder, &fd, error))
    return FALSE;
  /* An image may have made it unreadable; that hinders only users other than root. */
  (void) fchmod (fd, 0700);
  dir = fdopendir (fd);
  if (dir == NULL)
    return atm_throw_errno (error, "Reading the folder %s", folder);
  fd = -1;

  while ((errno = 0, entry = readdir (dir)) != NULL)
    {
      g_autofree char *name = NULL;

      if (g_str_equal (entry->d_name, ".") || g_str_equal (entry->d_name, "..")
          || unlinkat (dirfd (dir), entry->d_name, 0) == 0
          || unlinkat (dirfd (dir), entry->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        continue;
      if (errno != ENOTEMPTY && errno != EEXIST)
        return atm_throw_errno (error, "Removing %s/%s", folder, entry->d_name);
      if (is_top)
        name = g_strdup (entry->d_name);
      else if (!lift (dirfd (dir), entry->d_name, top_fd, &name, error))
        return FALSE;
      g_ptr_array_add (queue, g_steal_pointer (&name));
    }
  return errno == 0 || atm_throw_errno (error, "Reading the folder %s", folder);
}

/* Trees come from images and may be deeper than the stack or the descriptor limit allow, so there
   is no recursion: a sub-folder that holds something is lifted to the top and joins the queue. Not
   beside @name: what a kill in the middle leaves is @name, and nobody looks for other names. */
gboolean
atm_remove_tree_at (int dir_fd, const char *name, GError **error)
{
  g_autoptr (GPtrArray) queue = g_ptr_array_new_with_free_func (g_free);
  atm_autofd int top_fd = -1;

  if (unlinkat (dir_fd, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  if (errno != EISDIR && errno != EPERM)
    return atm_throw_errno (error, "Removing %s", name);

  if (!atm_open_dir_at (dir_fd, name, &top_fd, error))
    return FALSE;
  if (!empty_folder (top_fd, ".", queue, error))
    return atm_prefix_error (error, "Removing %s", name);
  while (queue->len > 0)
    {
      g_autofree char *folder = g_ptr_array_steal_index_fast (queue, queue->len - 1);

      if (!empty_folder (top_fd, folder, queue, error))
        return atm_prefix_error (error, "Removing %s", name);
      if (unlinkat (top_fd, folder, AT_REMOVEDIR) < 0)
        return atm_throw_errno (error, "Removing the folder %s/%s", name, folder);
    }
  return unlinkat (dir_fd, name, AT_REMOVEDIR) == 0
         || atm_throw_errno (error, "Removing the folder %s", name);
}
