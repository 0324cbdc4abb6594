/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/hostfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container/host-version.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"

#define COPY_BYTES 65536
#define TEMPORARY_DIGITS 16

G_DEFINE_QUARK (atm_hostfiles_error, atm_hostfiles_error)

/* One call of atm_hostfiles_switch(). */
typedef struct
{
  int host_fd;            /* (borrowed) */
  const AtmHostSet *from; /* (borrowed) (nullable) */
  const AtmHostSet *to;   /* (borrowed) (nullable) */
  GHashTable *others;     /* (borrowed) (nullable) */
  GPtrArray *created;     /* (borrowed) (nullable) */
  GPtrArray *notices;     /* (borrowed) (nullable) */
  int changed_fd;         /* (owned): a folder that is to be synced, or -1 */
  char *changed;          /* (owned) (nullable): its path */
  gboolean any;           /* a folder was changed */
} Switch;

/* One place on the host; the two deployments may have it under different paths (/bin, /usr/bin). */
typedef struct
{
  const char *path;      /* (borrowed): for people */
  const char *from_path; /* (borrowed) (nullable) */
  const char *to_path;   /* (borrowed) (nullable) */
  int dir_fd;            /* (owned): -1: the folder is missing */
  char *name;            /* (owned) (nullable) */
  char *temporary;       /* (owned): beside it: always the same name, so that it is found again */
  AtmHostObject object;  /* what is there now */
  AtmHostVersion from;
  AtmHostVersion to;
} Place;

static void
switch_clear (Switch *s)
{
  atm_fd_clear (&s->changed_fd);
  g_clear_pointer (&s->changed, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Switch, switch_clear)

static void
place_free (Place *place)
{
  atm_fd_clear (&place->dir_fd);
  g_free (place->name);
  g_free (place->temporary);
  atm_host_object_clear (&place->object);
  atm_host_version_clear (&place->from);
  atm_host_version_clear (&place->to);
  g_free (place);
}

static G_GNUC_PRINTF (2, 3) void note (Switch *s, const char *format, ...)
{
  va_list args;

  if (s->notices == NULL)
    return;
  va_start (args, format);
  g_ptr_array_add (s->notices, g_strdup_vprintf (format, args));
  va_end (args);
}

/* ---- folders to be synced ---- */

static gboolean
sync_changed (Switch *s, GError **error)
{
  if (s->changed_fd >= 0 && fsync (s->changed_fd) < 0)
    return atm_throw_errno (error, "Syncing the folder %s", s->changed);
  switch_clear (s);
  return TRUE;
}

/* Paths come in order, so those of one folder mostly share one sync. */
static gboolean
mark_changed (Switch *s, const Place *place, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (place->path);

  s->any = TRUE;
  if (g_strcmp0 (s->changed, folder) == 0)
    return TRUE;
  if (!sync_changed (s, error))
    return FALSE;
  s->changed_fd = fcntl (place->dir_fd, F_DUPFD_CLOEXEC, 0);
  if (s->changed_fd < 0)
    return atm_throw_errno (error, "Duplicating a descriptor");
  s->changed = g_steal_pointer (&folder);
  return TRUE;
}

/* ---- the temporary file ---- */

static char *
temporary_name (const char *path)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (path, strlen (path));
  g_autofree char *hash = atm_sha256_hex (bytes);

  hash[TEMPORARY_DIGITS] = '\0';
  return g_strconcat (".atomic-", hash, NULL);
}

static gboolean
remove_temporary (Switch *s, const Place *place, GError **error)
{
  if (unlinkat (place->dir_fd, place->temporary, 0) == 0
      || (errno == EISDIR && unlinkat (place->dir_fd, place->temporary, AT_REMOVEDIR) == 0))
    return mark_changed (s, place, error); /* or a power cut brings it back */
  /* where nothing can be written, nothing is left */
  if (errno == ENOENT || errno == EROFS)
    return TRUE;
  return atm_throw_errno (error, "Removing %s beside %s", place->temporary, place->path);
}

/* @checksum_out is of what was written: the copy may be damaged. */
static gboolean
copy_file (int from_fd, int to_fd, char **checksum_out, GError **error)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
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
      atm_hash_update (hash, buffer, (gsize) n);
    }
  *checksum_out = atm_hash_finish (hash);
  return TRUE;
}

/* Owner and mode as the image has them, or as an administrator set them at the file that @place
   has. Modes come last: a change of the owner takes setuid bits away. */
static gboolean
set_owner_and_mode (const Place *place, int fd, GError **error)
{
  const struct stat *st = &place->object.st;
  gboolean replaces = place->object.kind == ATM_HOST_FILE;
  mode_t mode = place->to.copy.st.st_mode;

  if (replaces && (st->st_uid != geteuid () || st->st_gid != getegid ())
      && fchown (fd, st->st_uid, st->st_gid) < 0)
    return atm_throw_errno (error, "Setting the owner of %s", place->path);
  if (replaces && place->from.copy.kind == ATM_HOST_FILE
      && st->st_mode != place->from.copy.st.st_mode)
    mode = st->st_mode;
  if (fchmod (fd, mode & 07777) < 0)
    return atm_throw_errno (error, "Setting the mode of %s", place->path);
  return TRUE;
}

static gboolean
write_file (const Switch *s, const Place *place, gboolean *intact_out, GError **error)
{
  g_autofree char *name = NULL, *checksum = NULL;
  atm_autofd int dir_fd = -1, from_fd = -1, fd = -1;

  if (!atm_host_version_open_copy (s->to, place->to_path, &dir_fd, &name, error))
    return FALSE;
  from_fd = openat (dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (from_fd < 0)
    return atm_throw_errno (error, "Opening the copy of %s in the deployment", place->path);
  fd = openat (place->dir_fd, place->temporary,
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return atm_throw_errno (error, "Creating a file beside %s", place->path);
  if (!copy_file (from_fd, fd, &checksum, error))
    return atm_prefix_error (error, "%s", place->path);
  if (!set_owner_and_mode (place, fd, error))
    return FALSE;
  if (fsync (fd) < 0)
    return atm_throw_errno (error, "Syncing %s", place->path);
  /* a record without a checksum says nothing (6.1) */
  *intact_out = *place->to.content == '\0' || g_str_equal (checksum, place->to.content);
  return TRUE;
}

static gboolean
make_folder (const Place *place, GError **error)
{
  if (mkdirat (place->dir_fd, place->temporary, 0700) < 0
      || fchmodat (place->dir_fd, place->temporary, place->to.copy.st.st_mode & 07777, 0) < 0)
    return atm_throw_errno (error, "Creating the folder %s", place->path);
  return TRUE;
}

/* What is to be at @place, under the temporary name. */
static gboolean
write_temporary (const Switch *s, const Place *place, gboolean *intact_out, GError **error)
{
  *intact_out = TRUE;
  switch (place->to.copy.kind)
    {
    case ATM_HOST_FILE:
      return write_file (s, place, intact_out, error);
    case ATM_HOST_FOLDER:
      return make_folder (place, error);
    case ATM_HOST_LINK:
      return symlinkat (place->to.copy.target, place->dir_fd, place->temporary) == 0
             || atm_throw_errno (error, "Creating the link %s", place->path);
    case ATM_HOST_NOTHING:
    case ATM_HOST_OTHER:
      break;
    }
  *intact_out = FALSE;
  return TRUE;
}

static Place *
place_new (const char *resolved)
{
  Place *place = g_new0 (Place, 1);

  place->dir_fd = -1;
  place->temporary = temporary_name (resolved);
  return place;
}

/* ---- what may happen to a path ---- */

static void
note_kept (Switch *s, const Place *place)
{
  g_autofree char *new_path = g_strconcat (place->path, ATM_HOSTFILES_NEW_SUFFIX, NULL);

  if (!place->to.recorded || (!place->to.staged && *place->to.content == '\0'))
    note (s, "Will not delete %s as it was manually modified.", place->path);
  else if (!place->from.recorded)
    note (s, "File %s already exists", place->path);
  else if (g_hash_table_contains (s->to->checksums, new_path))
    note (s, "Will not replace %s as it was manually modified; the new version is %s", place->path,
          new_path);
  else
    note (s, "Will not replace %s as it was manually modified.", place->path);
}

/* Whether somebody changed the file while ours was written. */
static gboolean
is_as_it_was (const Place *place)
{
  const struct stat *was = &place->object.st;
  struct stat st;

  return fstatat (place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0
         && st.st_ino == was->st_ino && st.st_dev == was->st_dev && st.st_size == was->st_size
         && st.st_mtim.tv_sec == was->st_mtim.tv_sec && st.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

/* Somebody made the file meanwhile, or it is immutable: trying again mends neither. */
static gboolean
is_obstacle (int code)
{
  return code == EEXIST || code == EPERM || code == EROFS || code == EBUSY || code == EISDIR
         || code == ENOTDIR;
}

static gboolean
publish_temporary (Switch *s, Place *place, GError **error)
{
  gboolean replaces = place->object.kind != ATM_HOST_NOTHING;
  int result = 0;

  if (replaces && !is_as_it_was (place))
    {
      note_kept (s, place);
      return remove_temporary (s, place, error);
    }
  result = renameat2 (place->dir_fd, place->temporary, place->dir_fd, place->name,
                      replaces ? 0 : RENAME_NOREPLACE);
  if (result < 0 && !is_obstacle (errno))
    return atm_throw_errno (error, "Naming %s", place->path);
  if (result < 0)
    {
      if (errno == EEXIST)
        note (s, "File %s already exists", place->path);
      else
        note (s, "Replacing %s: %s, going on without it", place->path, g_strerror (errno));
      return remove_temporary (s, place, error);
    }
  if (s->created != NULL)
    g_ptr_array_add (s->created, g_strdup (place->path));
  return mark_changed (s, place, error);
}

static gboolean
put_in_place (Switch *s, Place *place, GError **error)
{
  gboolean intact = FALSE;

  if (!place->to.staged)
    {
      note (s, "The deployment has no copy of %s, going on without it", place->path);
      return TRUE;
    }
  if (place->dir_fd < 0)
    {
      g_clear_pointer (&place->name, g_free);
      if (!atm_host_path_open_folder (s->host_fd, place->path, TRUE, &place->dir_fd, &place->name,
                                      error)
          || !remove_temporary (s, place, error))
        return FALSE;
    }
  if (!write_temporary (s, place, &intact, error))
    {
      (void) !remove_temporary (s, place, NULL);
      return FALSE;
    }
  if (!intact)
    {
      note (s, "The deployment's copy of %s is damaged, going on without it", place->path);
      return remove_temporary (s, place, error);
    }
  if (!publish_temporary (s, place, error))
    {
      (void) !remove_temporary (s, place, NULL);
      return FALSE;
    }
  return TRUE;
}

static gboolean
take_away (Switch *s, Place *place, GError **error)
{
  if (unlinkat (place->dir_fd, place->name, 0) < 0 && errno != ENOENT)
    {
      if (!is_obstacle (errno))
        return atm_throw_errno (error, "Removing %s", place->path);
      note (s, "Removing %s: %s, going on without it", place->path, g_strerror (errno));
    }
  return mark_changed (s, place, error);
}

/* Of a file with the right content, whether the image changed the mode, and nobody else did. */
static gboolean
mode_follows (const Place *place)
{
  return place->object.kind == ATM_HOST_FILE && place->from.copy.kind == ATM_HOST_FILE
         && place->to.copy.kind == ATM_HOST_FILE
         && place->object.st.st_mode == place->from.copy.st.st_mode
         && place->object.st.st_mode != place->to.copy.st.st_mode;
}

/* Who else needs the file that @from has. One who has other content for it has lost already. */
static const AtmHostOwner *
find_sharer (const Switch *s, const Place *place)
{
  const AtmHostOwner *owner = atm_host_owner_find (s->others, s->host_fd, place->path);

  return owner != NULL && g_strcmp0 (owner->content, place->from.content) == 0 ? owner : NULL;
}

static gboolean
switch_wanted (Switch *s, Place *place, GError **error)
{
  const AtmHostOwner *owner = find_sharer (s, place);
  gboolean differs = g_strcmp0 (place->from.content, place->to.content) != 0
                     || place->from.copy.st.st_mode != place->to.copy.st.st_mode;

  if (atm_host_version_matches (&place->to, s->host_fd, place->path, &place->object))
    {
      if (mode_follows (place))
        return put_in_place (s, place, error);
      /* may be the work of a run that was killed before it synced */
      return !differs || mark_changed (s, place, error);
    }
  if (place->object.kind == ATM_HOST_NOTHING)
    return put_in_place (s, place, error);
  if (!atm_host_version_matches (&place->from, s->host_fd, place->path, &place->object)
      || (place->object.kind == ATM_HOST_FOLDER) != (place->to.copy.kind == ATM_HOST_FOLDER))
    note_kept (s, place);
  else if (owner != NULL)
    note (s, "Will not replace %s, which the container %s has, too", place->path, owner->container);
  else
    return put_in_place (s, place, error);
  return TRUE;
}

static gboolean
switch_unwanted (Switch *s, Place *place, GError **error)
{
  if (place->object.kind == ATM_HOST_NOTHING)
    return place->dir_fd < 0 || mark_changed (s, place, error);
  if (!atm_host_version_matches (&place->from, s->host_fd, place->path, &place->object))
    {
      note_kept (s, place);
      return TRUE;
    }
  if (place->object.kind == ATM_HOST_FOLDER || find_sharer (s, place) != NULL)
    return TRUE;
  return take_away (s, place, error);
}

/* What is there, and what is ours of it. */
static gboolean
find_place (Switch *s, Place *place, GError **error)
{
  g_autoptr (GError) local = NULL;

  if ((place->from_path != NULL
       && !atm_host_version_find (s->from, place->from_path, &place->from, error))
      || (place->to_path != NULL
          && !atm_host_version_find (s->to, place->to_path, &place->to, error)))
    return FALSE;
  if (!atm_host_path_open_folder (s->host_fd, place->path, FALSE, &place->dir_fd, &place->name,
                                  &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!remove_temporary (s, place, error))
    return FALSE;
  return atm_host_object_look (place->dir_fd, place->name, TRUE, &place->object, error)
         || atm_prefix_error (error, "%s", place->path);
}

static gboolean
switch_place (Switch *s, Place *place, GError **error)
{
  g_autoptr (GError) local = NULL;
  gboolean ok = find_place (s, place, &local);

  /* one that is only remembered has no copy */
  if (ok && place->to.recorded && (place->to.staged || *place->to.content != '\0'))
    ok = switch_wanted (s, place, &local);
  else if (ok)
    ok = switch_unwanted (s, place, &local);
  atm_fd_clear (&place->dir_fd); /* there may be more places than descriptors */
  if (ok)
    return TRUE;
  if (g_error_matches (local, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED))
    {
      note (s, "%s, going on without it", local->message);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static void
add_places (Switch *s, const AtmHostSet *set, gboolean to, GHashTable *places, GPtrArray *order)
{
  GHashTableIter iter;
  gpointer path;

  if (set == NULL)
    return;
  g_hash_table_iter_init (&iter, set->checksums);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      g_autofree char *resolved = NULL;
      g_autoptr (GError) error = NULL;
      Place *place = NULL;

      if (!atm_host_path_check (path, &error))
        {
          note (s, "%s, going on without it", error->message);
          continue;
        }
      resolved = atm_host_path_resolve (s->host_fd, path);
      place = g_hash_table_lookup (places, resolved);
      if (place == NULL)
        {
          place = place_new (resolved);
          g_ptr_array_add (order, place);
          g_hash_table_insert (places, g_steal_pointer (&resolved), place);
        }
      place->path = path;
      if (to)
        place->to_path = path;
      else
        place->from_path = path;
    }
}

static int
compare_places (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(Place *const *) a)->path, (*(Place *const *) b)->path);
}

gboolean
atm_hostfiles_switch (int host_fd, const AtmHostSet *from, const AtmHostSet *to, GHashTable *others,
                      GPtrArray *created, GPtrArray *notices, gboolean *changed_out,
                      GCancellable *cancellable, GError **error)
{
  g_auto (Switch) s = {
    .host_fd = host_fd,
    .from = from,
    .to = to,
    .others = others,
    .created = created,
    .notices = notices,
    .changed_fd = -1,
  };
  g_autoptr (GHashTable) places = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) order = g_ptr_array_new_with_free_func ((GDestroyNotify) place_free);

  add_places (&s, from, FALSE, places, order);
  add_places (&s, to, TRUE, places, order);
  g_ptr_array_sort (order, compare_places);
  for (guint i = 0; i < order->len; i++)
    if (g_cancellable_set_error_if_cancelled (cancellable, error)
        || !switch_place (&s, order->pdata[i], error))
      return FALSE;
  if (!sync_changed (&s, error))
    return FALSE;
  if (changed_out != NULL)
    *changed_out = s.any;
  return TRUE;
}

gboolean
atm_hostfiles_check (int host_fd, const AtmHostSet *to, GHashTable *others, GError **error)
{
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, to->checksums);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      g_auto (AtmHostVersion) version = { 0 };

      if (!atm_host_path_check (path, error) || !atm_host_version_find (to, path, &version, error))
        return FALSE;
      if (!version.staged && *version.content != '\0')
        return atm_throw (error, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_DAMAGED,
                          "The deployment has no copy of the host file %s", (const char *) path);
      if (version.staged && !atm_host_owner_check (others, host_fd, path, version.content, error))
        return FALSE;
    }
  return TRUE;
}
