/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/hostfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/template.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"

#define LINK_MAX_BYTES 4096
#define READ_BYTES 65536

typedef enum
{
  ENTRY_FILE,
  ENTRY_FOLDER, /* an empty one; others come with what is in them, wherever that is renamed to */
  ENTRY_LINK
} EntryKind;

typedef struct
{
  EntryKind kind;
  char *source; /* (owned): below hostfs */
  char *path;   /* (owned): on the host, absolute, renamed */
  mode_t mode;
  GBytes *rendered; /* (owned) (nullable): the text of a template */
  char *target;     /* (owned) (nullable): of a link */
  char *checksum;   /* (owned) */
} Entry;

struct _AtmHostPlan
{
  int hostfs_fd;       /* (owned): -1 if the image has no such folder */
  int host_fd;         /* (owned) */
  GPtrArray *entries;  /* (owned) (element-type Entry) */
  GHashTable *renames; /* (owned) */
  GPtrArray *notices;  /* (owned) (element-type utf8) */
};

static void
entry_free (Entry *entry)
{
  if (entry == NULL)
    return;
  g_free (entry->source);
  g_free (entry->path);
  g_clear_pointer (&entry->rendered, g_bytes_unref);
  g_free (entry->target);
  g_free (entry->checksum);
  g_free (entry);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Entry, entry_free)

void
atm_host_plan_free (AtmHostPlan *plan)
{
  if (plan == NULL)
    return;
  atm_fd_clear (&plan->hostfs_fd);
  atm_fd_clear (&plan->host_fd);
  g_clear_pointer (&plan->entries, g_ptr_array_unref);
  g_clear_pointer (&plan->renames, g_hash_table_unref);
  g_clear_pointer (&plan->notices, g_ptr_array_unref);
  g_free (plan);
}

/* ---- checksums (5.4) ---- */

static gboolean
hash_fd (int fd, char **checksum_out, GError **error)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  guint8 buffer[READ_BYTES];
  gssize n = 0;

  while ((n = read (fd, buffer, sizeof buffer)) != 0)
    {
      if (n < 0 && errno != EINTR)
        return atm_throw_errno (error, "Reading");
      if (n > 0)
        atm_hash_update (hash, buffer, (gsize) n);
    }
  *checksum_out = atm_hash_finish (hash);
  return TRUE;
}

/* Of what is at @path now: of a link what it leads to; “0” for nothing and for a folder; "", which
   matches no record, for what cannot be read. */
static char *
checksum_on_host (int host_fd, const char *path)
{
  atm_autofd int fd = -1;
  g_autoptr (GError) error = NULL;
  char *checksum = NULL;
  struct stat st;

  if (!atm_open_in_root (host_fd, path, O_RDONLY | O_NONBLOCK, &fd, &error))
    return g_strdup (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ? "0" : "");
  if (fstat (fd, &st) == 0 && S_ISDIR (st.st_mode))
    return g_strdup ("0");
  if (!S_ISREG (st.st_mode) || !hash_fd (fd, &checksum, NULL))
    return g_strdup ("");
  return checksum;
}

/* ---- places on the host ---- */

/* The folder that @path is in, and its last component; “.” for one directly below the root.
   “/bin/x” is in “usr/bin” where the host's own /bin is a link to there: this is the one kind of
   link that is followed, because the distribution made it and images cannot know. */
static gboolean
split_path (int host_fd, const char *path, char **folder_out, char **name_out, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path + strspn (path, "/"));
  g_autofree char *top = g_strndup (folder, strcspn (folder, "/"));
  char target[LINK_MAX_BYTES];
  gssize length = readlinkat (host_fd, top, target, sizeof target - 1);

  if (*path != '/' || strstr (path, "/../") != NULL || g_str_has_suffix (path, "/..")
      || g_str_has_suffix (path, "/") || strstr (path, "/./") != NULL)
    return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                      "%s is no plain absolute path of a host file", path);
  *name_out = g_path_get_basename (path);
  if (length > 0)
    {
      target[length] = '\0';
      *folder_out = g_strconcat (target + strspn (target, "/"), folder + strlen (top), NULL);
    }
  else
    *folder_out = g_steal_pointer (&folder);
  return TRUE;
}

/* Opens the folder of @path; missing ones are made if @make. */
static gboolean
open_folder (int host_fd, const char *path, gboolean make, int *fd_out, char **name_out,
             GError **error)
{
  g_autofree char *folder = NULL, *name = NULL;
  g_auto (GStrv) parts = NULL;
  atm_autofd int fd = -1;

  if (!split_path (host_fd, path, &folder, &name, error)
      || !atm_open_beneath (host_fd, ".", O_RDONLY | O_DIRECTORY, &fd, error))
    return FALSE;
  parts = g_strsplit (folder, "/", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      int next = -1;

      if (*parts[i] == '\0' || g_str_equal (parts[i], "."))
        continue;
      if (g_str_equal (parts[i], ".."))
        return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                          "%s leads through “..”", path);
      if (make && mkdirat (fd, parts[i], 0755) < 0 && errno != EEXIST)
        return atm_throw_errno (error, "Creating the folder of %s", path);
      if (!atm_open_dir_at (fd, parts[i], &next, error))
        return atm_prefix_error (error, "%s: host files are not written through links", path);
      atm_fd_clear (&fd);
      fd = next;
    }
  *fd_out = g_steal_fd (&fd);
  *name_out = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
exists_on_host (int host_fd, const char *path, gboolean *exists_out, GError **error)
{
  atm_autofd int fd = -1;
  g_autofree char *name = NULL;
  g_autoptr (GError) local = NULL;
  struct stat st;

  *exists_out = FALSE;
  if (!open_folder (host_fd, path, FALSE, &fd, &name, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  *exists_out = fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  return TRUE;
}

/* ---- the plan ---- */

static gboolean
render_renames (AtmHostPlan *plan, const AtmExports *exports, GHashTable *values, GError **error)
{
  GHashTableIter iter;
  gpointer from, to;

  g_hash_table_iter_init (&iter, exports->rename_files);
  while (g_hash_table_iter_next (&iter, &from, &to))
    {
      g_autoptr (GBytes) template = g_bytes_new (to, strlen (to));
      g_autoptr (GBytes) text = NULL;
      gsize length = 0;
      const char *data = NULL;

      if (!atm_template_substitute (template, values, "manifest.json", &text, error))
        return FALSE;
      data = g_bytes_get_data (text, &length);
      g_hash_table_insert (plan->renames, g_strdup (from), g_strndup (data, length));
    }
  return TRUE;
}

/* 5.3: the path grows by one component at a time, and is looked up each time. */
static char *
rename_path (const AtmHostPlan *plan, const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);
  g_autofree char *renamed = g_strdup ("");

  for (guint i = 0; parts[i] != NULL; i++)
    {
      g_autofree char *longer = NULL;
      const char *other = NULL;

      if (*parts[i] == '\0')
        continue;
      longer = g_strconcat (renamed, "/", parts[i], NULL);
      other = g_hash_table_lookup (plan->renames, longer);
      g_free (renamed);
      renamed = other != NULL ? g_strdup (other) : g_steal_pointer (&longer);
    }
  return g_steal_pointer (&renamed);
}

static gboolean
read_link (int dir_fd, const char *name, char **target_out, GError **error)
{
  char target[LINK_MAX_BYTES];
  gssize length = readlinkat (dir_fd, name, target, sizeof target);

  if (length < 0)
    return atm_throw_errno (error, "Reading the link %s", name);
  if ((gsize) length == sizeof target)
    return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                      "the target of the link %s is too long", name);
  *target_out = g_strndup (target, (gsize) length);
  return TRUE;
}

static gboolean
describe_file (const AtmExports *exports, GHashTable *values, int dir_fd, const char *name,
               Entry *entry, GError **error)
{
  if (g_strv_contains ((const char *const *) exports->installed_templates, entry->path))
    {
      g_autoptr (GBytes) template = NULL;

      if (!atm_read_file_at (dir_fd, name, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &template, error)
          || !atm_template_substitute (template, values, entry->path, &entry->rendered, error))
        return FALSE;
      entry->checksum = atm_sha256_hex (entry->rendered);
      return TRUE;
    }
  {
    atm_autofd int fd = openat (dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
      return atm_throw_errno (error, "Opening %s", entry->source);
    return hash_fd (fd, &entry->checksum, error) || atm_prefix_error (error, "%s", entry->source);
  }
}

static gboolean
add_entry (AtmHostPlan *plan, Entry *entry, GError **error)
{
  if (plan->entries->len >= ATM_HOSTFS_ENTRIES_MAX)
    {
      entry_free (entry);
      return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                        "the image brings more than %d host files", ATM_HOSTFS_ENTRIES_MAX);
    }
  g_ptr_array_add (plan->entries, entry);
  return TRUE;
}

static Entry *
entry_new (const AtmHostPlan *plan, EntryKind kind, const char *source, mode_t mode)
{
  g_autofree char *unrenamed = g_strconcat ("/", source, NULL);
  Entry *entry = g_new0 (Entry, 1);

  entry->kind = kind;
  entry->source = g_strdup (source);
  entry->path = rename_path (plan, unrenamed);
  entry->mode = mode & 07777;
  return entry;
}

/* A file or link of hostfs. */
static gboolean
plan_file (AtmHostPlan *plan, const AtmExports *exports, GHashTable *values, int dir_fd,
           const char *name, const char *source, const struct stat *st, GError **error)
{
  EntryKind kind = S_ISLNK (st->st_mode) ? ENTRY_LINK : ENTRY_FILE;
  g_autoptr (Entry) entry = entry_new (plan, kind, source, st->st_mode);
  gboolean exists = FALSE;

  if (!exists_on_host (plan->host_fd, entry->path, &exists, error))
    return FALSE;
  if (exists)
    {
      g_ptr_array_add (plan->notices, g_strdup_printf ("File %s already exists", entry->path));
      return TRUE;
    }
  if (kind == ENTRY_LINK ? !read_link (dir_fd, name, &entry->target, error)
                         : !describe_file (exports, values, dir_fd, name, entry, error))
    return FALSE;
  return add_entry (plan, g_steal_pointer (&entry), error);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static gboolean
list_folder (int hostfs_fd, const char *folder, int *fd_out, GPtrArray **names_out, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  atm_autofd int fd = -1;
  DIR *dir = NULL;
  struct dirent *entry;

  if (!atm_open_beneath (hostfs_fd, *folder != '\0' ? folder : ".", O_RDONLY | O_DIRECTORY, &fd,
                         error))
    return FALSE;
  dir = fdopendir (fcntl (fd, F_DUPFD_CLOEXEC, 0));
  if (dir == NULL)
    return atm_throw_errno (error, "Reading the folder %s", folder);
  while ((entry = readdir (dir)) != NULL)
    if (!g_str_equal (entry->d_name, ".") && !g_str_equal (entry->d_name, ".."))
      g_ptr_array_add (names, g_strdup (entry->d_name));
  closedir (dir);
  g_ptr_array_sort (names, compare_names);
  *fd_out = g_steal_fd (&fd);
  *names_out = g_steal_pointer (&names);
  return TRUE;
}

/* What is in @folder; its own folders join the end of @folders. */
static gboolean
plan_folder (AtmHostPlan *plan, const AtmExports *exports, GHashTable *values, const char *folder,
             GPtrArray *folders, GError **error)
{
  g_autoptr (GPtrArray) names = NULL;
  atm_autofd int fd = -1;
  struct stat st;

  if (!list_folder (plan->hostfs_fd, folder, &fd, &names, error))
    return FALSE;
  if (names->len == 0 && *folder != '\0' && fstat (fd, &st) == 0)
    {
      Entry *entry = entry_new (plan, ENTRY_FOLDER, folder, st.st_mode);

      entry->checksum = g_strdup ("0");
      return add_entry (plan, entry, error);
    }
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = names->pdata[i];
      g_autofree char *source
          = *folder == '\0' ? g_strdup (name) : g_build_filename (folder, name, NULL);

      if (fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return atm_throw_errno (error, "Looking at %s", source);
      if (S_ISDIR (st.st_mode))
        g_ptr_array_add (folders, g_steal_pointer (&source));
      else if ((S_ISREG (st.st_mode) || S_ISLNK (st.st_mode))
               && !plan_file (plan, exports, values, fd, name, source, &st, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
plan_folders (AtmHostPlan *plan, const AtmExports *exports, GHashTable *values, GError **error)
{
  g_autoptr (GPtrArray) folders = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (folders, g_strdup (""));
  for (guint i = 0; i < folders->len; i++)
    if (!plan_folder (plan, exports, values, folders->pdata[i], folders, error))
      return FALSE;
  return TRUE;
}

/* A link's checksum is that of what it will lead to, so it comes after the files. */
static void
checksum_links (AtmHostPlan *plan)
{
  g_autoptr (GHashTable) by_path = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < plan->entries->len; i++)
    {
      Entry *entry = plan->entries->pdata[i];

      g_hash_table_insert (by_path, entry->path, entry);
    }
  for (guint i = 0; i < plan->entries->len; i++)
    {
      Entry *entry = plan->entries->pdata[i];
      g_autofree char *folder = NULL, *target = NULL;
      const Entry *ours = NULL;

      if (entry->kind != ENTRY_LINK)
        continue;
      folder = g_path_get_dirname (entry->path);
      target = g_canonicalize_filename (entry->target, folder);
      ours = g_hash_table_lookup (by_path, target);
      entry->checksum = ours != NULL && ours->checksum != NULL
                            ? g_strdup (ours->checksum)
                            : checksum_on_host (plan->host_fd, target);
    }
}

gboolean
atm_hostfs_plan (int rootfs_fd, int host_fd, const AtmExports *exports, GHashTable *values,
                 AtmHostPlan **plan_out, GError **error)
{
  g_autoptr (AtmHostPlan) plan = g_new0 (AtmHostPlan, 1);

  plan->hostfs_fd = -1;
  plan->host_fd = fcntl (host_fd, F_DUPFD_CLOEXEC, 0);
  plan->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
  plan->renames = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  plan->notices = g_ptr_array_new_with_free_func (g_free);
  if (plan->host_fd < 0)
    return atm_throw_errno (error, "Duplicating a descriptor");

  if (exports->has_hostfs)
    {
      if (!render_renames (plan, exports, values, error)
          || !atm_open_in_root (rootfs_fd, "exports/hostfs", O_RDONLY | O_DIRECTORY,
                                &plan->hostfs_fd, error)
          || !plan_folders (plan, exports, values, error))
        return FALSE;
      checksum_links (plan);
    }
  *plan_out = g_steal_pointer (&plan);
  return TRUE;
}

GHashTable *
atm_host_plan_dup_checksums (const AtmHostPlan *plan)
{
  GHashTable *checksums = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (guint i = 0; i < plan->entries->len; i++)
    {
      const Entry *entry = plan->entries->pdata[i];

      g_hash_table_insert (checksums, g_strdup (entry->path), g_strdup (entry->checksum));
    }
  return checksums;
}

GHashTable *
atm_host_plan_dup_renames (const AtmHostPlan *plan)
{
  return g_hash_table_ref (plan->renames);
}

GPtrArray *
atm_host_plan_get_notices (const AtmHostPlan *plan)
{
  return plan->notices;
}

/* ---- carrying it out ---- */

static gboolean
create_file (const AtmHostPlan *plan, const Entry *entry, int dir_fd, const char *name,
             GError **error)
{
  atm_autofd int from_fd = -1;

  if (entry->rendered != NULL
          ? !atm_create_file_at (dir_fd, name, entry->rendered, entry->mode, error)
          : !atm_open_beneath (plan->hostfs_fd, entry->source, O_RDONLY | O_NOFOLLOW, &from_fd,
                               error)
                || !atm_copy_file_at (from_fd, dir_fd, name, entry->mode, error))
    return atm_prefix_error (error, "%s", entry->path);
  return TRUE;
}

static gboolean
create_entry (const AtmHostPlan *plan, const Entry *entry, GError **error)
{
  atm_autofd int dir_fd = -1;
  g_autofree char *name = NULL;

  if (!open_folder (plan->host_fd, entry->path, TRUE, &dir_fd, &name, error))
    return FALSE;
  switch (entry->kind)
    {
    case ENTRY_FOLDER:
      if (mkdirat (dir_fd, name, entry->mode) < 0 && errno != EEXIST)
        return atm_throw_errno (error, "Creating the folder %s", entry->path);
      break;
    case ENTRY_LINK:
      if (symlinkat (entry->target, dir_fd, name) < 0)
        return atm_throw_errno (error, "Creating the link %s", entry->path);
      break;
    case ENTRY_FILE:
      if (!create_file (plan, entry, dir_fd, name, error))
        return FALSE;
      break;
    }
  if (fsync (dir_fd) < 0)
    return atm_throw_errno (error, "Syncing the folder of %s", entry->path);
  return TRUE;
}

gboolean
atm_host_plan_apply (const AtmHostPlan *plan, GPtrArray *created, GCancellable *cancellable,
                     GError **error)
{
  for (guint i = 0; i < plan->entries->len; i++)
    {
      const Entry *entry = plan->entries->pdata[i];

      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !create_entry (plan, entry, error))
        return FALSE;
      g_ptr_array_add (created, g_strdup (entry->path));
    }
  return TRUE;
}

/* ---- removal (5.1) ---- */

static void
note (GPtrArray *notices, char *text)
{
  if (notices != NULL)
    g_ptr_array_add (notices, text);
  else
    g_free (text);
}

void
atm_hostfs_remove (int host_fd, GHashTable *checksums, GPtrArray *notices)
{
  GHashTableIter iter;
  gpointer path, recorded;

  g_hash_table_iter_init (&iter, checksums);
  while (g_hash_table_iter_next (&iter, &path, &recorded))
    {
      g_autofree char *current = checksum_on_host (host_fd, path);
      g_autofree char *name = NULL;
      g_autoptr (GError) error = NULL;
      atm_autofd int dir_fd = -1;

      if (!g_str_equal (current, recorded))
        note (notices, g_strdup_printf ("Will not delete %s as it was manually modified.",
                                        (const char *) path));
      else if (!open_folder (host_fd, path, FALSE, &dir_fd, &name, &error))
        note (notices, g_strdup_printf ("%s, going on without it", error->message));
      else if (unlinkat (dir_fd, name, 0) < 0 && errno != ENOENT && errno != EISDIR
               && errno != EPERM)
        note (notices, g_strdup_printf ("Removing %s: %s, going on without it", (const char *) path,
                                        g_strerror (errno)));
    }
}
