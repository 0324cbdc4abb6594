/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/deployment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/bundle.h"
#include "util/error.h"
#include "util/fd.h"

#define NAME_TRIES_MAX 100
#define RANDOM_DIGITS 6
#define LINKS_MAX 40 /* as many as the kernel follows in a path (path_resolution(7)) */

struct _AtmDeployment
{
  int checkout_fd; /* (borrowed) */
  int fd;
  char *name;      /* (owned): “NAME.N” */
  char *temporary; /* (owned) (nullable): the dot-name; NULL once it is published */
  guint number;
  gboolean staged; /* it stays when it is not published */
};

static gboolean
is_random (const char *text, gsize digits)
{
  return strlen (text) == digits && strspn (text, "0123456789abcdef") == digits;
}

/* Of which container “.NAME.N.XXXXXX” or “.NAME.N.old” was left by a run that was killed, or a link
   that did not get its name; %NULL for all other entries. */
static char *
dup_left_over (const char *entry)
{
  const char *dot = strrchr (entry, '.');
  g_autofree char *name = NULL;
  gsize length = 0;

  if (entry[0] != '.' || dot == entry)
    return NULL;
  length = (gsize) (dot - entry) - 1;
  if (!is_random (dot + 1, ATM_TEMPORARY_DIGITS))
    {
      if ((!is_random (dot + 1, RANDOM_DIGITS) && !g_str_equal (dot + 1, "old")) || length < 3
          || dot[-2] != '.' || (dot[-1] != '0' && dot[-1] != '1'))
        return NULL;
      length -= 2;
    }
  name = g_strndup (entry + 1, length);
  return atm_container_check_name (name, NULL) ? g_steal_pointer (&name) : NULL;
}

/* Of the container @name, or of all. */
static gboolean
list_left_overs (int checkout_fd, const char *name, GHashTable *entries, GError **error)
{
  int fd = openat (checkout_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  struct dirent *entry;

  if (dir == NULL)
    {
      (void) atm_throw_errno (error, "Reading the folder of containers");
      atm_fd_clear (&fd);
      return FALSE;
    }
  while ((entry = readdir (dir)) != NULL)
    {
      char *found = dup_left_over (entry->d_name);

      if (found != NULL && (name == NULL || g_str_equal (found, name)))
        g_hash_table_insert (entries, g_strdup (entry->d_name), found);
      else
        g_free (found);
    }
  closedir (dir);
  return TRUE;
}

gboolean
atm_container_sweep (int checkout_fd, const char *name, GError **error)
{
  g_autoptr (GHashTable) entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer entry = NULL;

  if (!list_left_overs (checkout_fd, name, entries, error))
    return FALSE;
  g_hash_table_iter_init (&iter, entries);
  while (g_hash_table_iter_next (&iter, &entry, NULL))
    if (!atm_remove_tree_at (checkout_fd, entry, error))
      return FALSE;
  return TRUE;
}

gboolean
atm_container_list_left_overs (int checkout_fd, GHashTable **left_overs_out, GError **error)
{
  g_autoptr (GHashTable) entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  if (!list_left_overs (checkout_fd, NULL, entries, error))
    return FALSE;
  *left_overs_out = g_steal_pointer (&entries);
  return TRUE;
}

gboolean
atm_deployment_begin (int checkout_fd, const char *name, guint number,
                      AtmDeployment **deployment_out, GError **error)
{
  g_autoptr (AtmDeployment) deployment = g_new0 (AtmDeployment, 1);
  int result = -1;

  g_return_val_if_fail (number <= 1, FALSE);
  deployment->checkout_fd = checkout_fd;
  deployment->fd = -1;
  deployment->name = g_strdup_printf ("%s.%u", name, number);
  deployment->number = number;
  if (!atm_container_sweep (checkout_fd, name, error))
    return FALSE;

  for (guint i = 0; i < NAME_TRIES_MAX && result < 0; i++)
    {
      g_autofree char *temporary
          = g_strdup_printf (".%s.%06x", deployment->name, g_random_int () & 0xffffff);

      result = mkdirat (checkout_fd, temporary, 0700);
      if (result == 0)
        deployment->temporary = g_steal_pointer (&temporary);
      else if (errno != EEXIST)
        break;
    }
  if (result < 0)
    return atm_throw_errno (error, "Creating the folder of deployment %s", deployment->name);
  if (!atm_open_dir_at (checkout_fd, deployment->temporary, &deployment->fd, error))
    return FALSE;
  if (fchmod (deployment->fd, 0755) < 0)
    return atm_throw_errno (error, "Setting the mode of deployment %s", deployment->name);

  *deployment_out = g_steal_pointer (&deployment);
  return TRUE;
}

void
atm_deployment_free (AtmDeployment *deployment)
{
  if (deployment == NULL)
    return;
  atm_fd_clear (&deployment->fd);
  /* What cannot be removed now is removed when the next deployment of this container begins. */
  if (deployment->temporary != NULL && !deployment->staged)
    (void) !atm_remove_tree_at (deployment->checkout_fd, deployment->temporary, NULL);
  g_free (deployment->temporary);
  g_free (deployment->name);
  g_free (deployment);
}

int
atm_deployment_get_fd (const AtmDeployment *deployment)
{
  return deployment->fd;
}

gboolean
atm_deployment_write (AtmDeployment *deployment, const char *file, GBytes *bytes, mode_t mode,
                      GError **error)
{
  atm_autofd int fd = -1;

  g_return_val_if_fail (strchr (file, '/') == NULL, FALSE);
  if (unlinkat (deployment->fd, file, 0) < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Replacing %s in deployment %s", file, deployment->name);
  fd = openat (deployment->fd, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return atm_throw_errno (error, "Creating %s in deployment %s", file, deployment->name);
  if (!atm_write_all (fd, bytes, error))
    return atm_prefix_error (error, "%s in deployment %s", file, deployment->name);
  if (fchmod (fd, mode) < 0)
    return atm_throw_errno (error, "Setting the mode of %s in deployment %s", file,
                            deployment->name);
  return TRUE;
}

/* Makes one missing component below the folder @parent, which has no links in it. Nothing that is
   there is opened for writing: its inode may be the store's. */
static gboolean
make_component (int root_fd, const char *parent, const char *component, gboolean file,
                GError **error)
{
  atm_autofd int dir_fd = -1, fd = -1;

  if (!atm_open_in_root (root_fd, parent, O_RDONLY | O_DIRECTORY, &dir_fd, error))
    return FALSE;
  if (!file && mkdirat (dir_fd, component, 0755) < 0)
    return atm_throw_errno (error, "Creating %s/%s in the image", parent, component);
  fd = file ? openat (dir_fd, component, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)
            : openat (dir_fd, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fchmod (fd, file ? 0644 : 0755) < 0)
    return atm_throw_errno (error, "Creating %s/%s in the image", parent, component);
  return TRUE;
}

/* The first component goes on top. */
static void
push_components (GPtrArray *stack, const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);

  for (guint i = g_strv_length (parts); i > 0; i--)
    if (*parts[i - 1] != '\0' && !g_str_equal (parts[i - 1], "."))
      g_ptr_array_add (stack, g_strdup (parts[i - 1]));
}

static gboolean
read_link_at (int fd, const char *path, char **target_out, GError **error)
{
  char target[PATH_MAX];
  ssize_t length = readlinkat (fd, "", target, sizeof target);

  if (length < 0)
    return atm_throw_errno (error, "Reading the link %s in the image", path);
  *target_out = g_strndup (target, (gsize) length);
  return TRUE;
}

/* Walks @path as the container sees it, one component at a time, so that a link to what is not
   there yet (/etc/resolv.conf into /run) is followed too, always inside of the root. */
static gboolean
make_mount_point (int root_fd, const char *path, gboolean file, GError **error)
{
  g_autoptr (GString) resolved = g_string_new ("/"); /* has no links in it */
  g_autoptr (GPtrArray) stack = g_ptr_array_new_with_free_func (g_free);
  guint links = 0;

  push_components (stack, path);
  while (stack->len > 0)
    {
      g_autofree char *component = g_ptr_array_steal_index (stack, stack->len - 1);
      g_autofree char *next = g_build_filename (resolved->str, component, NULL);
      atm_autofd int fd = -1;
      g_autoptr (GError) local = NULL;
      struct stat st;

      if (g_str_equal (component, ".."))
        {
          g_autofree char *parent = g_path_get_dirname (resolved->str);

          g_string_assign (resolved, parent);
          continue;
        }
      if (!atm_open_in_root (root_fd, next, O_PATH | O_NOFOLLOW, &fd, &local))
        {
          if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
            {
              g_propagate_error (error, g_steal_pointer (&local));
              return FALSE;
            }
          if (!make_component (root_fd, resolved->str, component, file && stack->len == 0, error))
            return FALSE;
          g_string_assign (resolved, next);
          continue;
        }
      if (fstat (fd, &st) < 0)
        return atm_throw_errno (error, "Looking at %s in the image", next);
      if (S_ISLNK (st.st_mode))
        {
          g_autofree char *target = NULL;

          if (++links > LINKS_MAX)
            return atm_throw (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS,
                              "Too many links on the way to %s in the image", path);
          if (!read_link_at (fd, next, &target, error))
            return FALSE;
          if (g_path_is_absolute (target))
            g_string_assign (resolved, "/");
          push_components (stack, target);
          continue;
        }
      if (!S_ISDIR (st.st_mode) && stack->len > 0)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY,
                          "Nothing can be mounted on %s: %s is not a folder in the image", path,
                          next);
      if (S_ISDIR (st.st_mode) && file && stack->len == 0)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY,
                          "A file cannot be bound to %s: it is a folder in the image", path);
      g_string_assign (resolved, next);
    }
  return TRUE;
}

gboolean
atm_deployment_add_mount_points (AtmDeployment *deployment, char **mount_points, char **sources,
                                 GError **error)
{
  atm_autofd int root_fd = -1;

  if (!atm_open_dir_at (deployment->fd, "rootfs", &root_fd, error))
    return FALSE;
  for (guint i = 0; mount_points[i] != NULL; i++)
    {
      gboolean file = *sources[i] != '\0' && atm_bundle_looks_like_file (sources[i]);

      if (strlen (mount_points[i]) >= PATH_MAX)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
                          "The path of a mount in config.json is too long");
      if (!make_mount_point (root_fd, mount_points[i], file, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_deployment_sync (AtmDeployment *deployment, GError **error)
{
  return syncfs (deployment->fd) == 0
         || atm_throw_errno (error, "Syncing deployment %s", deployment->name);
}

static gboolean
sync_checkout (int checkout_fd, const char *entry, GError **error)
{
  return fsync (checkout_fd) == 0
         || atm_throw_errno (error, "Syncing the folder of deployment %s", entry);
}

/* ---- deployments that wait ---- */

static char *
dup_staged (const char *name, guint number)
{
  return g_strdup_printf (".%s.%u.staged", name, number);
}

gboolean
atm_deployment_stage (AtmDeployment *deployment, GError **error)
{
  g_autofree char *staged = g_strdup_printf (".%s.staged", deployment->name);

  if (!atm_deployment_sync (deployment, error)
      || !atm_remove_tree_at (deployment->checkout_fd, staged, error))
    return FALSE;
  if (renameat2 (deployment->checkout_fd, deployment->temporary, deployment->checkout_fd, staged,
                 RENAME_NOREPLACE)
      < 0)
    return atm_throw_errno (error, "Naming the staged deployment %s", deployment->name);
  g_free (deployment->temporary);
  deployment->temporary = g_steal_pointer (&staged);
  deployment->staged = TRUE;
  return sync_checkout (deployment->checkout_fd, deployment->name, error);
}

gboolean
atm_deployment_open_staged (int checkout_fd, const char *name, guint number,
                            AtmDeployment **deployment_out, GError **error)
{
  g_autoptr (AtmDeployment) deployment = g_new0 (AtmDeployment, 1);

  deployment->checkout_fd = checkout_fd;
  deployment->fd = -1;
  deployment->name = g_strdup_printf ("%s.%u", name, number);
  deployment->number = number;
  deployment->temporary = dup_staged (name, number);
  deployment->staged = TRUE;
  if (!atm_open_dir_at (checkout_fd, deployment->temporary, &deployment->fd, error))
    return FALSE;
  *deployment_out = g_steal_pointer (&deployment);
  return TRUE;
}

gboolean
atm_deployment_drop_staged (int checkout_fd, const char *name, guint number, GError **error)
{
  g_autofree char *staged = dup_staged (name, number);

  return atm_remove_tree_at (checkout_fd, staged, error);
}

/* ---- publishing ---- */

static gboolean
entry_exists (int checkout_fd, const char *entry)
{
  struct stat st;

  return fstatat (checkout_fd, entry, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

gboolean
atm_deployment_exists (int checkout_fd, const char *name, int number)
{
  g_autofree char *entry = g_strdup_printf ("%s.%d", name, number);
  struct stat st;

  return number >= 0 && fstatat (checkout_fd, entry, &st, AT_SYMLINK_NOFOLLOW) == 0
         && S_ISDIR (st.st_mode);
}

static gboolean
rename_entry (int checkout_fd, const char *from, const char *to, GError **error)
{
  return renameat2 (checkout_fd, from, checkout_fd, to, RENAME_NOREPLACE) == 0
         || atm_throw_errno (error, "Renaming %s to %s", from, to);
}

gboolean
atm_deployment_publish (AtmDeployment *deployment, GError **error)
{
  const int checkout_fd = deployment->checkout_fd;
  g_autofree char *name = g_strndup (deployment->name, strlen (deployment->name) - 2);
  g_autofree char *old = g_strdup_printf (".%s.old", deployment->name);
  int current = -1;

  if (!atm_container_get_current (checkout_fd, name, &current, error))
    return FALSE;
  if (current == (int) deployment->number && entry_exists (checkout_fd, deployment->name))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                      "Deployment %s is the current one and is not replaced", deployment->name);
  if (entry_exists (checkout_fd, deployment->name)
      && (!atm_remove_tree_at (checkout_fd, old, error)
          || !rename_entry (checkout_fd, deployment->name, old, error)))
    return FALSE;
  if (!rename_entry (checkout_fd, deployment->temporary, deployment->name, error))
    return FALSE;
  g_clear_pointer (&deployment->temporary, g_free);
  return sync_checkout (checkout_fd, deployment->name, error);
}

/* So that a deployment under its own name is always a whole one. */
static gboolean
move_aside (int checkout_fd, const char *entry, GError **error)
{
  int result = -1;

  for (guint i = 0; i < NAME_TRIES_MAX && result < 0; i++)
    {
      g_autofree char *aside = g_strdup_printf (".%s.%06x", entry, g_random_int () & 0xffffff);

      result = renameat2 (checkout_fd, entry, checkout_fd, aside, RENAME_NOREPLACE);
      if (result < 0 && errno == ENOENT)
        return TRUE;
      if (result < 0 && errno != EEXIST)
        break;
    }
  return result == 0 || atm_throw_errno (error, "Removing deployment %s", entry);
}

gboolean
atm_deployment_unpublish (int checkout_fd, const char *name, guint number, gboolean replaces,
                          GError **error)
{
  g_autofree char *entry = g_strdup_printf ("%s.%u", name, number);
  g_autofree char *old = g_strdup_printf (".%s.old", entry);
  gboolean has_old = entry_exists (checkout_fd, old);

  /* With @replaces and nothing aside, the name is still that of the one before. */
  if ((!replaces || has_old) && !move_aside (checkout_fd, entry, error))
    return FALSE;
  if (replaces && has_old && !rename_entry (checkout_fd, old, entry, error))
    return FALSE;
  return sync_checkout (checkout_fd, entry, error)
         && atm_container_sweep (checkout_fd, name, error);
}

gboolean
atm_deployment_drop_old (int checkout_fd, const char *name, guint number, GError **error)
{
  g_autofree char *old = g_strdup_printf (".%s.%u.old", name, number);

  return atm_remove_tree_at (checkout_fd, old, error);
}

gboolean
atm_deployment_make_current (int checkout_fd, const char *checkout, const char *name, guint number,
                             AtmSync sync, GError **error)
{
  g_autofree char *entry = g_strdup_printf ("%s.%u", name, number);
  g_autofree char *target = g_build_filename (checkout, entry, NULL);
  atm_autofd int fd = -1;

  if (!atm_open_dir_at (checkout_fd, entry, &fd, error))
    return atm_prefix_error (error, "Making deployment %s the current one", entry);
  return atm_replace_symlink_at (target, checkout_fd, name, sync, error);
}

gboolean
atm_container_unlink (int checkout_fd, const char *name, GError **error)
{
  struct stat st;

  if (fstatat (checkout_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || atm_throw_errno (error, "Looking at container %s", name);
  if (!S_ISLNK (st.st_mode))
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "“%s” is no link to a deployment and is left as it is", name);
  if (unlinkat (checkout_fd, name, 0) < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Removing the link %s", name);
  /* After a power cut no link may lead to half a deployment. */
  return fsync (checkout_fd) == 0
         || atm_throw_errno (error, "Syncing the folder of container %s", name);
}

gboolean
atm_container_remove (int checkout_fd, const char *name, GError **error)
{
  if (!atm_container_unlink (checkout_fd, name, error))
    return FALSE;
  for (guint number = 0; number <= 1; number++)
    {
      g_autofree char *entry = g_strdup_printf ("%s.%u", name, number);

      if (!move_aside (checkout_fd, entry, error)
          || !atm_deployment_drop_staged (checkout_fd, name, number, error))
        return FALSE;
    }
  /* After a power cut no deployment that begins to go may have its name. */
  if (fsync (checkout_fd) < 0)
    return atm_throw_errno (error, "Syncing the folder of container %s", name);
  if (!atm_container_sweep (checkout_fd, name, error))
    return FALSE;
  return fsync (checkout_fd) == 0
         || atm_throw_errno (error, "Syncing the folder of container %s", name);
}
