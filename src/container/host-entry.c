/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/host-entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "container/exports.h"
#include "container/hostfs.h"
#include "container/template.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"

/* One reading of a tree. */
typedef struct
{
  int hostfs_fd;       /* (borrowed) */
  GHashTable *renames; /* (borrowed) */
  char **templates;    /* (borrowed) (nullable) */
  GHashTable *values;  /* (borrowed) */
  gboolean lenient;
  GPtrArray *folders; /* (borrowed) (element-type utf8): still to be read */
  GPtrArray *entries; /* (borrowed) (element-type AtmHostEntry): what was found */
} Walk;

void
atm_host_entry_free (AtmHostEntry *entry)
{
  if (entry == NULL)
    return;
  g_free (entry->source);
  g_free (entry->path);
  g_clear_pointer (&entry->rendered, g_bytes_unref);
  g_free (entry->target);
  g_free (entry->content);
  g_free (entry);
}

AtmHostEntry *
atm_host_entry_copy (const AtmHostEntry *entry, const char *path)
{
  AtmHostEntry *copy = g_new0 (AtmHostEntry, 1);

  copy->kind = entry->kind;
  copy->source = g_strdup (entry->source);
  copy->path = g_strdup (path);
  copy->mode = entry->mode;
  copy->rendered = entry->rendered != NULL ? g_bytes_ref (entry->rendered) : NULL;
  copy->target = g_strdup (entry->target);
  copy->content = g_strdup (entry->content);
  return copy;
}

/* 5.3: the path grows by one component at a time, and is looked up each time. */
static char *
rename_path (GHashTable *renames, const char *path)
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
      other = g_hash_table_lookup (renames, longer);
      g_free (renamed);
      renamed = other != NULL ? g_strdup (other) : g_steal_pointer (&longer);
    }
  return g_steal_pointer (&renamed);
}

static gboolean
render (AtmHostEntry *entry, GHashTable *values, int dir_fd, const char *name, GError **error)
{
  g_autoptr (GBytes) template = NULL;

  if (!atm_read_file_at (dir_fd, name, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &template, error)
      || !atm_template_substitute (template, values, entry->path, &entry->rendered, error))
    return FALSE;
  entry->content = atm_sha256_hex (entry->rendered);
  return TRUE;
}

/* %NULL in @entry_out: a device or the like. */
static gboolean
describe (const Walk *walk, int dir_fd, const char *name, const char *source,
          AtmHostEntry **entry_out, GError **error)
{
  g_autofree char *unrenamed = g_strconcat ("/", source, NULL);
  g_autoptr (AtmHostEntry) entry = g_new0 (AtmHostEntry, 1);
  g_auto (AtmHostObject) object = { 0 };
  gboolean template = FALSE;

  entry->source = g_strdup (source);
  entry->path = rename_path (walk->renames, unrenamed);
  if (!atm_host_path_check (entry->path, error))
    return FALSE;
  template = walk->templates
             != NULL &&g_strv_contains ((const char *const *) walk->templates, entry->path);
  if (!atm_host_object_look (dir_fd, name, !template, &object, error))
    return atm_prefix_error (error, "%s", entry->source);
  entry->kind = object.kind;
  entry->mode = object.st.st_mode & 07777;
  entry->content = g_steal_pointer (&object.content);
  entry->target = g_steal_pointer (&object.target);
  if (entry->kind == ATM_HOST_FILE && template
      && !render (entry, walk->values, dir_fd, name, error))
    return FALSE;
  *entry_out = entry->content != NULL ? g_steal_pointer (&entry) : NULL;
  return TRUE;
}

static gboolean
read_object (const Walk *walk, int dir_fd, const char *name, const char *source, GError **error)
{
  g_autoptr (AtmHostEntry) entry = NULL;
  g_autoptr (GError) local = NULL;

  if (!describe (walk, dir_fd, name, source, &entry, &local))
    {
      if (walk->lenient && local->domain != G_IO_ERROR)
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (entry == NULL)
    return TRUE;
  if (walk->entries->len >= ATM_HOSTFS_ENTRIES_MAX)
    return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                      "the image brings more than %d host files", ATM_HOSTFS_ENTRIES_MAX);
  g_ptr_array_add (walk->entries, g_steal_pointer (&entry));
  return TRUE;
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

static gboolean
read_folder (const Walk *walk, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = NULL;
  atm_autofd int fd = -1;
  struct stat st;

  if (!list_folder (walk->hostfs_fd, folder, &fd, &names, error))
    return FALSE;
  if (names->len == 0 && *folder != '\0')
    return read_object (walk, fd, ".", folder, error);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = names->pdata[i];
      g_autofree char *source
          = *folder == '\0' ? g_strdup (name) : g_build_filename (folder, name, NULL);

      if (fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return atm_throw_errno (error, "Looking at %s", source);
      if (S_ISDIR (st.st_mode))
        g_ptr_array_add (walk->folders, g_steal_pointer (&source));
      else if (!read_object (walk, fd, name, source, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_host_entries_read (int hostfs_fd, GHashTable *renames, char **templates, GHashTable *values,
                       gboolean lenient, GPtrArray **entries_out, GError **error)
{
  g_autoptr (GPtrArray) folders = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) entries
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_host_entry_free);
  const Walk walk = {
    .hostfs_fd = hostfs_fd,
    .renames = renames,
    .templates = templates,
    .values = values,
    .lenient = lenient,
    .folders = folders,
    .entries = entries,
  };

  g_ptr_array_add (folders, g_strdup (""));
  for (guint i = 0; i < folders->len; i++)
    if (!read_folder (&walk, folders->pdata[i], error))
      return FALSE;
  *entries_out = g_steal_pointer (&entries);
  return TRUE;
}
