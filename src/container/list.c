/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/exports.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

/* The containers of a checkout folder; the contract is in deployment.h. */

#define NAME_LENGTH_MAX 200 /* leaves room in a file name for “.”, “.service” and random digits */

G_DEFINE_QUARK (atm_container_error, atm_container_error)

gboolean
atm_container_check_name (const char *name, GError **error)
{
  gsize length = strlen (name);

  if (length >= 1 && length <= NAME_LENGTH_MAX
      && strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.-") == length
      && (g_ascii_isalnum (name[0]) || name[0] == '_'))
    return TRUE;
  return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NAME,
                    "“%s” cannot be the name of a container: it takes 1 to %u of A-Z a-z 0-9 _ . - "
                    "and begins with a letter, a digit or _; choose one with --name",
                    name, NAME_LENGTH_MAX);
}

void
atm_container_free (AtmContainer *container)
{
  if (container == NULL)
    return;
  g_free (container->name);
  g_free (container->deployment);
  atm_info_free (container->info);
  g_free (container->command);
  g_free (container->problem);
  g_free (container);
}

static gboolean
is_link (int checkout_fd, const char *name)
{
  struct stat st;

  return fstatat (checkout_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK (st.st_mode);
}

static void
take_problem (AtmContainer *container, GError *error)
{
  g_autoptr (GError) owned = error;

  if (container->problem == NULL)
    container->problem = g_strdup (owned->message);
}

/* process.args of config.json; whatever is wrong with it, the list can do without. */
static char *
read_command (int fd)
{
  const char *const path[] = { "process", "args", NULL };
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (JsonNode) args = NULL;
  GString *command = g_string_new (NULL);

  if (!atm_read_file_at (fd, "config.json", FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &bytes, NULL)
      || !atm_json_find (bytes, path, &args, NULL) || args == NULL || !JSON_NODE_HOLDS_ARRAY (args))
    return g_string_free (command, FALSE);
  for (guint i = 0; i < json_array_get_length (json_node_get_array (args)); i++)
    {
      JsonNode *arg = json_array_get_element (json_node_get_array (args), i);

      if (json_node_get_value_type (arg) == G_TYPE_STRING)
        g_string_append_printf (command, "%s%s", i > 0 ? " " : "", json_node_get_string (arg));
    }
  return g_string_free (command, FALSE);
}

static void
read_deployment (int checkout_fd, AtmContainer *container, char *entry)
{
  g_autofree char *owned = entry;
  g_autoptr (GBytes) bytes = NULL;
  atm_autofd int fd = -1;
  GError *error = NULL;

  if (!atm_open_dir_at (checkout_fd, owned, &fd, &error))
    {
      take_problem (container, error);
      return;
    }
  container->deployment = g_steal_pointer (&owned);
  g_free (container->command);
  container->command = read_command (fd);
  if (!atm_read_file_at (fd, "info", FALSE, ATM_INFO_MAX_BYTES, &bytes, &error)
      || !atm_info_parse (bytes, &container->info, &error))
    take_problem (container, error);
}

/* Where the link NAME leads. Only the last component counts: the folder may be reached under
   another path than the one it was written with. */
static gboolean
read_target (int checkout_fd, const char *name, char **entry_out, GError **error)
{
  char target[PATH_MAX];
  ssize_t length = readlinkat (checkout_fd, name, target, sizeof target - 1);
  g_autofree char *entry = NULL, *first = g_strconcat (name, ".0", NULL),
                  *second = g_strconcat (name, ".1", NULL);

  if (length < 0)
    return atm_throw_errno (error, "Reading the link %s", name);
  target[length] = '\0';
  entry = g_path_get_basename (target);
  if (!g_str_equal (entry, first) && !g_str_equal (entry, second))
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "The link %s leads to %s, which is no deployment of it", name, target);
  *entry_out = g_steal_pointer (&entry);
  return TRUE;
}

gboolean
atm_container_get_current (int checkout_fd, const char *name, int *number_out, GError **error)
{
  g_autofree char *entry = NULL;
  struct stat st;

  if (fstatat (checkout_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    {
      if (errno != ENOENT)
        return atm_throw_errno (error, "Looking at container %s", name);
      *number_out = -1;
      return TRUE;
    }
  if (!S_ISLNK (st.st_mode))
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "“%s” is no link to a deployment", name);
  if (!read_target (checkout_fd, name, &entry, error))
    return FALSE;
  *number_out = entry[strlen (entry) - 1] - '0';
  return TRUE;
}

gboolean
atm_container_load (int checkout_fd, const char *name, AtmContainer **container_out, GError **error)
{
  g_autoptr (AtmContainer) container = g_new0 (AtmContainer, 1);
  struct stat st = { 0 };
  char *entry = NULL;
  GError *local = NULL;
  int result = checkout_fd < 0 ? -1 : fstatat (checkout_fd, name, &st, AT_SYMLINK_NOFOLLOW);

  if (checkout_fd < 0 || (result < 0 && errno == ENOENT)
      || (result == 0 && !S_ISLNK (st.st_mode) && !S_ISDIR (st.st_mode)))
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                      "There is no container “%s”", name);
  if (result < 0)
    return atm_throw_errno (error, "Looking at container %s", name);

  container->name = g_strdup (name);
  container->command = g_strdup ("");
  /* A folder of this name is its own deployment: one that a package owns, or an unpublished one. */
  if (S_ISDIR (st.st_mode))
    read_deployment (checkout_fd, container, g_strdup (name));
  else if (read_target (checkout_fd, name, &entry, &local))
    read_deployment (checkout_fd, container, entry);
  else
    take_problem (container, local);

  *container_out = g_steal_pointer (&container);
  return TRUE;
}

/* system-image.md 6: “container.0” is a container unless “container” is one, too. */
static gboolean
is_container_entry (int checkout_fd, const char *entry)
{
  gsize length = strlen (entry);
  g_autofree char *stem = NULL;

  if (entry[0] == '.' || !atm_container_check_name (entry, NULL))
    return FALSE;
  if (!g_str_has_suffix (entry, ".0") && !g_str_has_suffix (entry, ".1"))
    return TRUE;
  stem = g_strndup (entry, length - 2);
  return !is_link (checkout_fd, stem);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  const AtmContainer *const *left = a, *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

static gboolean
read_all (int checkout_fd, DIR *dir, GPtrArray *containers, GError **error)
{
  struct dirent *entry;

  while ((errno = 0, entry = readdir (dir)) != NULL)
    {
      g_autoptr (AtmContainer) container = NULL;
      g_autoptr (GError) local = NULL;

      if (!is_container_entry (checkout_fd, entry->d_name))
        continue;
      if (atm_container_load (checkout_fd, entry->d_name, &container, &local))
        g_ptr_array_add (containers, g_steal_pointer (&container));
      /* It is a file, or it went away meanwhile. */
      else if (!g_error_matches (local, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
  return errno == 0 || atm_throw_errno (error, "Reading the folder of containers");
}

gboolean
atm_container_list (int checkout_fd, GPtrArray **containers_out, GError **error)
{
  g_autoptr (GPtrArray) containers
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_container_free);
  gboolean ok = TRUE;

  if (checkout_fd >= 0)
    {
      int fd = openat (checkout_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;

      if (dir == NULL)
        {
          (void) atm_throw_errno (error, "Reading the folder of containers");
          atm_fd_clear (&fd);
          return FALSE;
        }
      ok = read_all (checkout_fd, dir, containers, error);
      closedir (dir);
    }
  if (!ok)
    return FALSE;
  g_ptr_array_sort (containers, compare_names);
  *containers_out = g_steal_pointer (&containers);
  return TRUE;
}
