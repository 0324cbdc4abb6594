/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/change.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

#define NAME_TRIES_MAX 100
#define NEW_MODE 0644

typedef struct
{
  char *path;      /* (owned): for messages */
  int dir_fd;      /* (owned) */
  char *name;      /* (owned): below dir_fd */
  char *temporary; /* (owned) (nullable): the new file; NULL: there is to be none */
  char *saved;     /* (owned) (nullable): a second name of the old file; NULL: there is none */
} Item;

struct _AtmChange
{
  GPtrArray *items; /* (owned) (element-type Item) */
};

static void
item_free (Item *item)
{
  if (item == NULL)
    return;
  if (item->temporary != NULL)
    (void) unlinkat (item->dir_fd, item->temporary, 0);
  if (item->saved != NULL)
    (void) unlinkat (item->dir_fd, item->saved, 0);
  atm_fd_clear (&item->dir_fd);
  g_free (item->path);
  g_free (item->name);
  g_free (item->temporary);
  g_free (item->saved);
  g_free (item);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Item, item_free)

AtmChange *
atm_change_new (void)
{
  AtmChange *change = g_new0 (AtmChange, 1);

  change->items = g_ptr_array_new_with_free_func ((GDestroyNotify) item_free);
  return change;
}

void
atm_change_free (AtmChange *change)
{
  if (change == NULL)
    return;
  g_clear_pointer (&change->items, g_ptr_array_unref);
  g_free (change);
}

/* ---- preparing ---- */

static char *
dup_random_name (const Item *item)
{
  return g_strdup_printf (".%s.%08x", item->name, g_random_int ());
}

/* Owner and mode first, contents then: nobody who could not read the old file reads the new one. */
static gboolean
fill (int fd, const struct stat *old, GBytes *bytes, GError **error)
{
  if (old != NULL && fchown (fd, old->st_uid, old->st_gid) < 0)
    return atm_throw_errno (error, "Giving it to its owner");
  if (fchmod (fd, old != NULL ? old->st_mode & 07777 : NEW_MODE) < 0)
    return atm_throw_errno (error, "Setting its mode");
  if (!atm_write_all (fd, bytes, error))
    return FALSE;
  return fsync (fd) == 0 || atm_throw_errno (error, "Syncing it");
}

static gboolean
write_temporary (Item *item, const struct stat *old, GBytes *bytes, GError **error)
{
  atm_autofd int fd = -1;

  for (guint i = 0; i < NAME_TRIES_MAX && fd < 0; i++)
    {
      g_autofree char *name = dup_random_name (item);

      fd = openat (item->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
      if (fd >= 0)
        item->temporary = g_steal_pointer (&name);
      else if (errno != EEXIST)
        break;
    }
  if (fd < 0)
    return atm_throw_errno (error, "Creating a file beside %s", item->path);
  if (!fill (fd, old, bytes, error))
    return atm_prefix_error (error, "Writing a file beside %s", item->path);
  return TRUE;
}

static gboolean
open_folder (const char *path, Item *item, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  item->path = g_strdup (path);
  item->name = g_path_get_basename (path);
  return atm_make_dirs (folder, 0755, &item->dir_fd, error);
}

gboolean
atm_change_add (AtmChange *change, const char *path, GBytes *bytes, GError **error)
{
  g_autoptr (Item) item = g_new0 (Item, 1);
  g_autofree char *resolved = bytes != NULL ? realpath (path, NULL) : NULL;
  struct stat old;
  gboolean exists = FALSE;

  item->dir_fd = -1;
  if (!open_folder (resolved != NULL ? resolved : path, item, error))
    return FALSE;
  exists = fstatat (item->dir_fd, item->name, &old, AT_SYMLINK_NOFOLLOW) == 0;
  if (!exists && errno != ENOENT)
    return atm_throw_errno (error, "Looking at %s", item->path);
  if (exists && bytes != NULL && !S_ISREG (old.st_mode))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
                      "%s is no regular file, so it is not replaced", item->path);
  if (bytes != NULL && !write_temporary (item, exists ? &old : NULL, bytes, error))
    return FALSE;
  g_ptr_array_add (change->items, g_steal_pointer (&item));
  return TRUE;
}

/* ---- applying ---- */

/* A second name for what is there now, to go back to. */
static gboolean
save (Item *item, GError **error)
{
  for (guint i = 0; i < NAME_TRIES_MAX; i++)
    {
      g_autofree char *name = dup_random_name (item);

      if (linkat (item->dir_fd, item->name, item->dir_fd, name, 0) == 0)
        {
          item->saved = g_steal_pointer (&name);
          return TRUE;
        }
      if (errno == ENOENT)
        return TRUE;
      if (errno != EEXIST)
        break;
    }
  return atm_throw_errno (error, "Keeping the old %s", item->path);
}

static gboolean
put (Item *item, GError **error)
{
  if (item->temporary != NULL)
    {
      if (renameat (item->dir_fd, item->temporary, item->dir_fd, item->name) < 0)
        return atm_throw_errno (error, "Replacing %s", item->path);
      g_clear_pointer (&item->temporary, g_free);
    }
  else if (unlinkat (item->dir_fd, item->name, 0) < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Removing %s", item->path);
  return fsync (item->dir_fd) == 0
         || atm_throw_errno (error, "Syncing the folder of %s", item->path);
}

static gboolean
take_back (Item *item)
{
  gboolean done = item->saved != NULL
                      ? renameat (item->dir_fd, item->saved, item->dir_fd, item->name) == 0
                      : unlinkat (item->dir_fd, item->name, 0) == 0 || errno == ENOENT;

  /* Two names of one file are left alone by renameat(): that one was never replaced. */
  if (done && item->saved != NULL)
    (void) unlinkat (item->dir_fd, item->saved, 0);
  if (done)
    g_clear_pointer (&item->saved, g_free);
  return done && fsync (item->dir_fd) == 0;
}

gboolean
atm_change_apply (AtmChange *change, GError **error)
{
  GPtrArray *items = change->items;
  guint n_done = 0;

  for (guint i = 0; i < items->len; i++)
    if (!save (g_ptr_array_index (items, i), error))
      return FALSE;
  while (n_done < items->len && put (g_ptr_array_index (items, n_done), error))
    n_done++;
  if (n_done == items->len)
    return TRUE;

  /* The one that failed may be in place and only not synced; it goes back with the others. */
  for (guint i = n_done + 1; i > 0; i--)
    {
      Item *item = g_ptr_array_index (items, i - 1);

      if (!take_back (item))
        return atm_prefix_error (error, "%s could not be put back as it was, look at it",
                                 item->path);
    }
  return FALSE;
}
