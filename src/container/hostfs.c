/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/hostfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/host-entry.h"
#include "container/host-version.h"
#include "container/template.h"
#include "util/error.h"
#include "util/fd.h"

/* Room for the suffix of a new version beside the file. */
#define NAME_MAX_BYTES (NAME_MAX - strlen (ATM_HOSTFILES_NEW_SUFFIX))

struct _AtmHostPlan
{
  int hostfs_fd;         /* (owned): -1 if the image has no such folder */
  int host_fd;           /* (owned) */
  GPtrArray *entries;    /* (owned) (element-type AtmHostEntry) */
  GHashTable *by_place;  /* (owned): resolved path to AtmHostEntry */
  GHashTable *checksums; /* (owned): host path to checksum, for the record */
  GHashTable *renames;   /* (owned) */
  GPtrArray *notices;    /* (owned) (element-type utf8) */

  /* while it is made */
  const AtmHostSet *current; /* (borrowed) (nullable) */
  GHashTable *current_paths; /* (owned): resolved path to path in @current */
  GHashTable *others;        /* (borrowed) (nullable) */
};

void
atm_host_plan_free (AtmHostPlan *plan)
{
  if (plan == NULL)
    return;
  atm_fd_clear (&plan->hostfs_fd);
  atm_fd_clear (&plan->host_fd);
  g_clear_pointer (&plan->by_place, g_hash_table_unref);
  g_clear_pointer (&plan->entries, g_ptr_array_unref);
  g_clear_pointer (&plan->checksums, g_hash_table_unref);
  g_clear_pointer (&plan->renames, g_hash_table_unref);
  g_clear_pointer (&plan->notices, g_ptr_array_unref);
  g_clear_pointer (&plan->current_paths, g_hash_table_unref);
  g_free (plan);
}

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

/* ---- what becomes of it on this host ---- */

static gboolean
add_entry (AtmHostPlan *plan, AtmHostEntry *taken, GError **error)
{
  g_autoptr (AtmHostEntry) entry = taken;
  g_autofree char *resolved = atm_host_path_resolve (plan->host_fd, entry->path);

  if (g_hash_table_contains (plan->by_place, resolved))
    return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                      "the image brings %s twice", entry->path);
  g_hash_table_insert (plan->by_place, g_steal_pointer (&resolved), entry);
  g_ptr_array_add (plan->entries, g_steal_pointer (&entry));
  return TRUE;
}

static gboolean
throw_blocked (const AtmHostEntry *entry, const AtmHostObject *object, GError **error)
{
  const char *there = object->kind == ATM_HOST_FOLDER ? "a folder"
                      : object->kind == ATM_HOST_LINK ? "a symbolic link"
                      : object->kind == ATM_HOST_FILE ? "a file"
                                                      : "no regular file";

  return atm_throw (error, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
                    "%s on the host is %s, and the image brings %s of this name; move it away",
                    entry->path, there, entry->kind == ATM_HOST_FOLDER ? "a folder" : "a file");
}

static gboolean
is_link_to_folder (const AtmHostPlan *plan, const char *path)
{
  atm_autofd int fd = -1;

  return atm_open_in_root (plan->host_fd, path, O_PATH | O_DIRECTORY, &fd, NULL);
}

/* Something of nobody's is there. */
static gboolean
leave_alone (AtmHostPlan *plan, const AtmHostEntry *entry, const AtmHostObject *object,
             GError **error)
{
  if (entry->kind == ATM_HOST_FOLDER)
    return object->kind == ATM_HOST_FOLDER
           || (object->kind == ATM_HOST_LINK && is_link_to_folder (plan, entry->path))
           || throw_blocked (entry, object, error);
  if (object->kind != ATM_HOST_FILE
      && (object->kind != ATM_HOST_LINK || entry->kind != ATM_HOST_LINK))
    return throw_blocked (entry, object, error);
  g_ptr_array_add (plan->notices, g_strdup_printf ("File %s already exists", entry->path));
  return TRUE;
}

static gboolean
find_current (const AtmHostPlan *plan, const char *path, AtmHostVersion *version_out,
              GError **error)
{
  g_autofree char *resolved = atm_host_path_resolve (plan->host_fd, path);
  const char *recorded = g_hash_table_lookup (plan->current_paths, resolved);

  return recorded == NULL || atm_host_version_find (plan->current, recorded, version_out, error);
}

/* Whether the new version that an earlier update brought is still waiting beside @entry. */
static gboolean
find_waiting (const AtmHostPlan *plan, const AtmHostEntry *beside, gboolean *waiting_out,
              GError **error)
{
  g_auto (AtmHostVersion) version = { 0 };
  g_auto (AtmHostObject) object = { 0 };

  if (!find_current (plan, beside->path, &version, error)
      || !atm_host_path_look (plan->host_fd, beside->path, &object, error))
    return FALSE;
  *waiting_out = version.recorded && object.kind != ATM_HOST_NOTHING;
  return TRUE;
}

static gboolean plan_entry (AtmHostPlan *plan, AtmHostEntry *taken, gboolean beside,
                            GError **error);

/* The administrator's version stays, and the image's stands beside it if it is a new one. */
static gboolean
plan_beside (AtmHostPlan *plan, const AtmHostEntry *entry, const AtmHostVersion *current,
             GError **error)
{
  g_autofree char *path = g_strconcat (entry->path, ATM_HOSTFILES_NEW_SUFFIX, NULL);
  g_autoptr (AtmHostEntry) beside = atm_host_entry_copy (entry, path);
  gboolean wanted = !g_str_equal (current->content, entry->content);

  if (!wanted && !find_waiting (plan, beside, &wanted, error))
    return FALSE;
  return !wanted || plan_entry (plan, g_steal_pointer (&beside), TRUE, error);
}

/* @beside: it is a new version beside a changed file, which has none beside itself. */
static gboolean
plan_entry (AtmHostPlan *plan, AtmHostEntry *taken, gboolean beside, GError **error)
{
  g_autoptr (AtmHostEntry) entry = taken;
  g_auto (AtmHostObject) object = { 0 };
  g_auto (AtmHostVersion) current = { 0 };
  gboolean as_it_was = FALSE, as_it_will_be = FALSE, shared = FALSE;

  if (!atm_host_owner_check (plan->others, plan->host_fd, entry->path, entry->content, error)
      || !find_current (plan, entry->path, &current, error)
      || !atm_host_path_look (plan->host_fd, entry->path, &object, error))
    return FALSE;
  shared = atm_host_owner_find (plan->others, plan->host_fd, entry->path) != NULL;
  if (!current.recorded && !shared && object.kind != ATM_HOST_NOTHING)
    return leave_alone (plan, entry, &object, error);

  as_it_was = atm_host_version_matches (&current, plan->host_fd, entry->path, &object);
  as_it_will_be = g_strcmp0 (object.content, entry->content) == 0;
  if (as_it_was && (object.kind == ATM_HOST_FOLDER) != (entry->kind == ATM_HOST_FOLDER))
    return throw_blocked (entry, &object, error);
  if (object.kind != ATM_HOST_NOTHING && current.recorded && !as_it_was && !as_it_will_be && !beside
      && entry->kind != ATM_HOST_FOLDER && !plan_beside (plan, entry, &current, error))
    return FALSE;
  return add_entry (plan, g_steal_pointer (&entry), error);
}

/* Names that this program gives to files of its own. */
static gboolean
check_name (const AtmHostEntry *entry, GError **error)
{
  g_autofree char *name = g_path_get_basename (entry->path);

  if (strlen (name) > NAME_MAX_BYTES)
    return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                      "the name of the host file %s is longer than %zu bytes", entry->path,
                      NAME_MAX_BYTES);
  if (g_str_has_prefix (name, ".atomic-") || g_str_has_suffix (name, ATM_HOSTFILES_NEW_SUFFIX))
    return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                      "the name of the host file %s is reserved", entry->path);
  return TRUE;
}

/* Renames can make a file stand where others need a folder. */
static gboolean
check_nesting (const AtmHostPlan *plan, GError **error)
{
  for (guint i = 0; i < plan->entries->len; i++)
    {
      const AtmHostEntry *entry = plan->entries->pdata[i];
      g_autofree char *above = atm_host_path_resolve (plan->host_fd, entry->path);

      for (char *end = strrchr (above, '/'); end != above; end = strrchr (above, '/'))
        {
          const AtmHostEntry *other = NULL;

          *end = '\0';
          other = g_hash_table_lookup (plan->by_place, above);
          if (other != NULL && other->kind != ATM_HOST_FOLDER)
            return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                              "the image brings %s, and %s as a file", entry->path, other->path);
        }
    }
  return TRUE;
}

/* The record of a file that an administrator changed is kept though the image has it no more: a
   later version may have it again. */
static gboolean
remember_changed (AtmHostPlan *plan, GError **error)
{
  GHashTableIter iter;
  gpointer resolved, path;

  g_hash_table_iter_init (&iter, plan->current_paths);
  while (g_hash_table_iter_next (&iter, &resolved, &path))
    {
      g_auto (AtmHostVersion) version = { 0 };
      g_auto (AtmHostObject) object = { 0 };
      g_autoptr (GError) local = NULL;

      if (g_hash_table_contains (plan->by_place, resolved))
        continue;
      if (!atm_host_version_find (plan->current, path, &version, error))
        return FALSE;
      /* what is behind a link that came into the way is not ours either */
      if (!atm_host_path_look (plan->host_fd, path, &object, &local)
          && local->domain != ATM_HOSTFILES_ERROR)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      if (object.kind != ATM_HOST_NOTHING
          && !atm_host_version_matches (&version, plan->host_fd, path, &object))
        g_hash_table_insert (plan->checksums, g_strdup (path), g_strdup (""));
    }
  return TRUE;
}

/* Of what a link will lead to (5.4). */
static char *
checksum_link (const AtmHostPlan *plan, const AtmHostEntry *link)
{
  g_autofree char *folder = g_path_get_dirname (link->path);
  g_autofree char *target = g_canonicalize_filename (link->target, folder);
  g_autofree char *resolved = NULL;
  const AtmHostEntry *ours = NULL;

  if (!g_str_equal (target, "/"))
    resolved = atm_host_path_resolve (plan->host_fd, target);
  if (resolved != NULL)
    ours = g_hash_table_lookup (plan->by_place, resolved);
  if (ours != NULL && ours->kind != ATM_HOST_LINK)
    return g_strdup (ours->content);
  return atm_host_path_checksum (plan->host_fd, target);
}

static void
record_checksums (AtmHostPlan *plan)
{
  for (guint i = 0; i < plan->entries->len; i++)
    {
      const AtmHostEntry *entry = plan->entries->pdata[i];

      g_hash_table_insert (plan->checksums, g_strdup (entry->path),
                           entry->kind == ATM_HOST_LINK ? checksum_link (plan, entry)
                                                        : g_strdup (entry->content));
    }
}

static gboolean
plan_new (int host_fd, AtmHostPlan **plan_out, GError **error)
{
  g_autoptr (AtmHostPlan) plan = g_new0 (AtmHostPlan, 1);

  plan->hostfs_fd = -1;
  plan->host_fd = fcntl (host_fd, F_DUPFD_CLOEXEC, 0);
  plan->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_host_entry_free);
  plan->by_place = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  plan->checksums = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  plan->renames = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  plan->notices = g_ptr_array_new_with_free_func (g_free);
  plan->current_paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (plan->host_fd < 0)
    return atm_throw_errno (error, "Duplicating a descriptor");
  *plan_out = g_steal_pointer (&plan);
  return TRUE;
}

static void
note_current (AtmHostPlan *plan, const AtmHostSet *current)
{
  GHashTableIter iter;
  gpointer path;

  plan->current = current;
  if (current == NULL)
    return;
  g_hash_table_iter_init (&iter, current->checksums);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    if (atm_host_path_check (path, NULL))
      g_hash_table_insert (plan->current_paths, atm_host_path_resolve (plan->host_fd, path),
                           g_strdup (path));
}

static gboolean
plan_entries (AtmHostPlan *plan, GPtrArray *entries, GError **error)
{
  for (guint i = 0; i < entries->len; i++)
    {
      const AtmHostEntry *entry = entries->pdata[i];

      if (!check_name (entry, error)
          || !plan_entry (plan, atm_host_entry_copy (entry, entry->path), FALSE, error))
        return FALSE;
    }
  return check_nesting (plan, error);
}

gboolean
atm_hostfs_plan (int rootfs_fd, int host_fd, const AtmExports *exports, GHashTable *values,
                 const AtmHostSet *current, GHashTable *others, AtmHostPlan **plan_out,
                 GError **error)
{
  g_autoptr (AtmHostPlan) plan = NULL;
  g_autoptr (GPtrArray) entries = NULL;

  if (!plan_new (host_fd, &plan, error))
    return FALSE;
  note_current (plan, current);
  plan->others = others;
  if (exports->has_hostfs
      && (!render_renames (plan, exports, values, error)
          || !atm_open_in_root (rootfs_fd, "exports/hostfs", O_RDONLY | O_DIRECTORY,
                                &plan->hostfs_fd, error)
          || !atm_host_entries_read (plan->hostfs_fd, plan->renames, exports->installed_templates,
                                     values, FALSE, &entries, error)
          || !plan_entries (plan, entries, error)))
    return FALSE;
  record_checksums (plan);
  if (!remember_changed (plan, error))
    return FALSE;
  plan->current = NULL;
  plan->others = NULL;
  *plan_out = g_steal_pointer (&plan);
  return TRUE;
}

/* Whether @entry is as it was recorded. Of a link the record does not tell what it was. */
static gboolean
is_recorded (const AtmHostEntry *entry, const AtmInfo *info)
{
  const char *checksum = g_hash_table_lookup (info->installed_files, entry->path);

  return checksum != NULL
         && (entry->kind != ATM_HOST_FILE || *checksum == '\0'
             || g_str_equal (checksum, entry->content));
}

gboolean
atm_hostfs_plan_recorded (int rootfs_fd, int host_fd, const AtmInfo *info, AtmHostPlan **plan_out,
                          GError **error)
{
  g_autoptr (AtmHostPlan) plan = NULL;
  g_autoptr (GPtrArray) entries = NULL;

  if (!plan_new (host_fd, &plan, error)
      || !atm_open_in_root (rootfs_fd, "exports/hostfs", O_RDONLY | O_DIRECTORY, &plan->hostfs_fd,
                            error))
    return FALSE;
  if (info->rename_files != NULL)
    {
      g_hash_table_unref (plan->renames);
      plan->renames = g_hash_table_ref (info->rename_files);
    }
  if (!atm_host_entries_read (plan->hostfs_fd, plan->renames, info->installed_templates,
                              info->values, TRUE, &entries, error))
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      const AtmHostEntry *entry = entries->pdata[i];
      g_autofree char *resolved = atm_host_path_resolve (plan->host_fd, entry->path);

      /* of two the Python tool took the first */
      if (is_recorded (entry, info) && !g_hash_table_contains (plan->by_place, resolved)
          && !add_entry (plan, atm_host_entry_copy (entry, entry->path), error))
        return FALSE;
    }
  if (!check_nesting (plan, error))
    return FALSE;
  *plan_out = g_steal_pointer (&plan);
  return TRUE;
}

GHashTable *
atm_host_plan_dup_checksums (const AtmHostPlan *plan)
{
  return g_hash_table_ref (plan->checksums);
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

/* ---- the copies in the deployment ---- */

/* Whether the rootfs is the deployment's own, and not one that others may change (--rootfs). */
static gboolean
owns_rootfs (int deployment_fd)
{
  struct stat st;

  return fstatat (deployment_fd, "rootfs", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
}

static gboolean
stage_file (const AtmHostPlan *plan, const AtmHostEntry *entry, gboolean may_link, int dir_fd,
            const char *name, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (entry->source);
  g_autofree char *source = g_path_get_basename (entry->source);
  atm_autofd int source_fd = -1, from_fd = -1;

  if (entry->rendered != NULL)
    return atm_create_file_at (dir_fd, name, entry->rendered, entry->mode, error);
  if (!atm_open_beneath (plan->hostfs_fd, folder, O_RDONLY | O_DIRECTORY, &source_fd, error))
    return FALSE;
  if (may_link && linkat (source_fd, source, dir_fd, name, 0) == 0)
    return TRUE;
  /* another file system, or more links than it can count */
  return atm_open_beneath (source_fd, source, O_RDONLY | O_NOFOLLOW, &from_fd, error)
         && atm_copy_file_at (from_fd, dir_fd, name, entry->mode, error);
}

static gboolean
stage_entry (const AtmHostPlan *plan, const AtmHostEntry *entry, gboolean may_link, int root_fd,
             GError **error)
{
  g_autofree char *name = NULL;
  atm_autofd int dir_fd = -1;

  if (!atm_host_path_open_folder (root_fd, entry->path, TRUE, &dir_fd, &name, error))
    return FALSE;
  if (entry->kind == ATM_HOST_FILE)
    return stage_file (plan, entry, may_link, dir_fd, name, error);
  if (entry->kind == ATM_HOST_LINK)
    return symlinkat (entry->target, dir_fd, name) == 0
           || atm_throw_errno (error, "Creating the link %s", entry->path);
  if ((mkdirat (dir_fd, name, 0700) < 0 && errno != EEXIST)
      || fchmodat (dir_fd, name, entry->mode, 0) < 0)
    return atm_throw_errno (error, "Creating the folder %s", entry->path);
  return TRUE;
}

gboolean
atm_host_plan_stage (const AtmHostPlan *plan, int deployment_fd, GError **error)
{
  gboolean may_link = owns_rootfs (deployment_fd);
  atm_autofd int root_fd = -1;

  if (mkdirat (deployment_fd, ATM_HOSTFILES_FOLDER, 0700) < 0)
    return atm_throw_errno (error, "Creating the folder of host files in the deployment");
  if (!atm_open_dir_at (deployment_fd, ATM_HOSTFILES_FOLDER, &root_fd, error))
    return FALSE;
  for (guint i = 0; i < plan->entries->len; i++)
    {
      const AtmHostEntry *entry = plan->entries->pdata[i];

      if (!stage_entry (plan, entry, may_link, root_fd, error))
        return atm_prefix_error (error, "Keeping the host file %s in the deployment", entry->path);
    }
  return TRUE;
}
