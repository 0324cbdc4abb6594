/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/purge.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "container/exports.h"
#include "ops/repository.h"
#include "ops/side.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

#define STATE_DIRECTORY_DEFAULT "/var/lib"

/* Types of tmpfiles.d(5) that make a folder. */
#define FOLDER_TYPES "dDvqQ"

static gboolean
is_at_or_below (const char *path, const char *folder)
{
  const gsize length = strlen (folder);

  return strncmp (path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* ---- what the container has ---- */

/* Only a path that means itself: no “..”, no specifier of systemd. */
static void
add_folder (GHashTable *folders, const char *path, const char *home)
{
  g_autofree char *plain = g_canonicalize_filename (path, "/");

  if (g_str_equal (plain, path) && strchr (path, '%') == NULL && is_at_or_below (path, home))
    g_hash_table_add (folders, g_strdup (path));
}

static void
add_tmpfiles (GHashTable *folders, GBytes *fragment, const char *home)
{
  gsize size = 0;
  const char *data = g_bytes_get_data (fragment, &size);
  g_autofree char *text = g_strndup (data, size);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    {
      g_auto (GStrv) words = NULL;
      int n_words = 0;

      if (g_shell_parse_argv (g_strstrip (*line), &n_words, &words, NULL) && n_words >= 2
          && strchr (FOLDER_TYPES, words[0][0]) != NULL)
        add_folder (folders, words[1], home);
    }
}

static GHashTable *
find_folders (const AtmSide *side, const char *home)
{
  GHashTable *folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer source = NULL;

  if (side->tmpfiles != NULL)
    add_tmpfiles (folders, side->tmpfiles, home);
  if (side->info->volumes != NULL)
    {
      g_hash_table_iter_init (&iter, side->info->volumes);
      while (g_hash_table_iter_next (&iter, NULL, &source))
        add_folder (folders, source, home);
    }
  return folders;
}

/* ---- what others have ---- */

/* What cannot be read binds nothing that anybody could know of; its container cannot start. */
static void
add_binds (int checkout_fd, const AtmInstalled *installed, GHashTable *binds)
{
  const char *const path[] = { "mounts", NULL };
  g_autofree char *file = g_build_filename (installed->folder, "config.json", NULL);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (JsonNode) mounts = NULL;
  JsonArray *array = NULL;

  if (!atm_read_file_at (checkout_fd, file, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &bytes, NULL)
      || !atm_json_find (bytes, path, &mounts, NULL) || mounts == NULL
      || !JSON_NODE_HOLDS_ARRAY (mounts))
    return;
  array = json_node_get_array (mounts);
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      JsonNode *mount = json_array_get_element (array, i);
      JsonNode *source = JSON_NODE_HOLDS_OBJECT (mount)
                             ? json_object_get_member (json_node_get_object (mount), "source")
                             : NULL;

      if (source != NULL && json_node_get_value_type (source) == G_TYPE_STRING
          && g_path_is_absolute (json_node_get_string (source)))
        g_hash_table_insert (binds, g_canonicalize_filename (json_node_get_string (source), "/"),
                             g_strdup (installed->container));
    }
}

static gboolean
find_binds (const AtmSystem *system, int checkout_fd, const char *name, GHashTable **binds_out,
            GError **error)
{
  g_autoptr (GHashTable) binds = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *first = g_strconcat (name, ".0", NULL), *second = g_strconcat (name, ".1", NULL);
  g_autoptr (GPtrArray) all = NULL;

  if (!atm_repository_list_installed (system, &all, error))
    return FALSE;
  for (guint i = 0; i < all->len; i++)
    {
      const AtmInstalled *installed = all->pdata[i];

      /* The link of ours is gone, so that its deployments look like containers. */
      if (!g_str_equal (installed->folder, first) && !g_str_equal (installed->folder, second))
        add_binds (checkout_fd, installed, binds);
    }
  *binds_out = g_steal_pointer (&binds);
  return TRUE;
}

/* The container that binds it, something in it, or something that it is in. */
static const char *
find_user (GHashTable *binds, const char *folder)
{
  GHashTableIter iter;
  gpointer source = NULL, container = NULL;

  g_hash_table_iter_init (&iter, binds);
  while (g_hash_table_iter_next (&iter, &source, &container))
    if (is_at_or_below (source, folder) || is_at_or_below (folder, source))
      return container;
  return NULL;
}

/* ---- removal ---- */

/* Through no link: an administrator may have put the state elsewhere, and that stays. */
static gboolean
remove_folder (int host_fd, const char *folder, gboolean only_empty, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (folder);
  g_autofree char *base = g_path_get_basename (folder);
  g_autoptr (GError) local = NULL;
  atm_autofd int fd = -1;

  if (!atm_open_beneath (host_fd, parent + 1, O_RDONLY | O_DIRECTORY, &fd, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (only_empty)
    return unlinkat (fd, base, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTEMPTY
           || errno == EEXIST || atm_throw_errno (error, "Removing %s", folder);
  return atm_remove_tree_at (fd, base, error);
}

static void
purge_folder (int host_fd, const char *folder, const char *user, const AtmReport *report)
{
  g_autoptr (GError) local = NULL;

  if (user != NULL)
    atm_report (report, ATM_REPORT_NOTICE, "%s is kept: container %s binds it", folder, user);
  else if (!g_file_test (folder, G_FILE_TEST_EXISTS))
    return;
  else if (remove_folder (host_fd, folder, FALSE, &local))
    atm_report (report, ATM_REPORT_STEP, "Removed the state folder %s", folder);
  else
    atm_report (report, ATM_REPORT_NOTICE, "%s is kept: %s", folder, local->message);
}

gboolean
atm_purge_state (const AtmSystem *system, int checkout_fd, const char *name, int number,
                 const AtmReport *report, GError **error)
{
  g_auto (AtmSide) side = ATM_SIDE_INIT;
  g_autoptr (GHashTable) folders = NULL;
  g_autoptr (GHashTable) binds = NULL;
  g_autoptr (GList) sorted = NULL;
  g_autofree char *home = NULL;
  const char *state = NULL;
  atm_autofd int host_fd = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (host_fd < 0)
    return atm_throw_errno (error, "Opening the folder /");
  if (!atm_side_load (checkout_fd, name, number, &side, error)
      || !find_binds (system, checkout_fd, name, &binds, error))
    return FALSE;
  if (side.fd < 0)
    return TRUE;
  if (side.info == NULL)
    {
      atm_report (report, ATM_REPORT_NOTICE,
                  "The state of %s is kept: it is not known which folders it has: %s", name,
                  side.problem);
      return TRUE;
    }
  state = g_hash_table_lookup (side.info->values, "STATE_DIRECTORY");
  home = g_build_filename (
      state != NULL && g_path_is_absolute (state) ? state : STATE_DIRECTORY_DEFAULT, name, NULL);
  folders = find_folders (&side, home);
  sorted = g_list_sort (g_hash_table_get_keys (folders), (GCompareFunc) g_strcmp0);
  for (GList *l = sorted; l != NULL; l = l->next)
    purge_folder (host_fd, l->data, find_user (binds, l->data), report);
  /* The folder around volumes, if nothing else is in it. */
  if (sorted != NULL && find_user (binds, home) == NULL)
    (void) !remove_folder (host_fd, home, TRUE, NULL);
  return TRUE;
}
