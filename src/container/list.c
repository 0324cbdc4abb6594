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

/* From this number of containers on a second thread takes less time than it costs. */
#define THREADS_FROM 64
#define THREADS_MAX 4

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

typedef gboolean (*ParseInfo) (GBytes *bytes, AtmInfo **info_out, GError **error);

static void
read_deployment (int checkout_fd, AtmContainer *container, char *entry, ParseInfo parse)
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
      || !parse (bytes, &container->info, &error))
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

/* A folder of this name is its own deployment: one that a package owns, or an unpublished one. */
static AtmContainer *
read_container (int checkout_fd, const char *name, gboolean is_folder, ParseInfo parse)
{
  AtmContainer *container = g_new0 (AtmContainer, 1);
  char *entry = NULL;
  GError *local = NULL;

  container->name = g_strdup (name);
  container->command = g_strdup ("");
  if (is_folder)
    read_deployment (checkout_fd, container, g_strdup (name), parse);
  else if (read_target (checkout_fd, name, &entry, &local))
    read_deployment (checkout_fd, container, entry, parse);
  else
    take_problem (container, local);
  return container;
}

gboolean
atm_container_load (int checkout_fd, const char *name, AtmContainer **container_out, GError **error)
{
  struct stat st = { 0 };
  int result = checkout_fd < 0 ? -1 : fstatat (checkout_fd, name, &st, AT_SYMLINK_NOFOLLOW);

  if (checkout_fd < 0 || (result < 0 && errno == ENOENT)
      || (result == 0 && !S_ISLNK (st.st_mode) && !S_ISDIR (st.st_mode)))
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                      "There is no container “%s”", name);
  if (result < 0)
    return atm_throw_errno (error, "Looking at container %s", name);

  *container_out = read_container (checkout_fd, name, S_ISDIR (st.st_mode), atm_info_parse);
  return TRUE;
}

/* system-image.md 6: “container.0” is a container unless “container” is one, too. */
static gboolean
is_container (const char *entry, GHashTable *entries)
{
  gsize length = strlen (entry);
  g_autofree char *stem = NULL;

  if (!g_str_has_suffix (entry, ".0") && !g_str_has_suffix (entry, ".1"))
    return TRUE;
  stem = g_strndup (entry, length - 2);
  return GPOINTER_TO_INT (g_hash_table_lookup (entries, stem)) != DT_LNK;
}

/* The links and the folders in @dir that have the name of a container. */
static gboolean
read_entries (DIR *dir, GHashTable **entries_out, GError **error)
{
  g_autoptr (GHashTable) entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  struct dirent *entry;

  while ((errno = 0, entry = readdir (dir)) != NULL)
    {
      int type = entry->d_type;
      struct stat st;

      /* Not every file system says what an entry is. */
      if (type == DT_UNKNOWN && fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        type = IFTODT (st.st_mode);
      if ((type == DT_LNK || type == DT_DIR) && atm_container_check_name (entry->d_name, NULL))
        g_hash_table_insert (entries, g_strdup (entry->d_name), GINT_TO_POINTER (type));
    }
  if (errno != 0)
    return atm_throw_errno (error, "Reading the folder of containers");
  *entries_out = g_steal_pointer (&entries);
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  const AtmContainer *const *left = a, *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

/* Containers that several threads read, each the next one that nobody has begun. */
typedef struct
{
  int checkout_fd;
  ParseInfo parse;
  GHashTable *entries;   /* (borrowed) */
  GPtrArray *names;      /* (owned) (element-type utf8): of @entries */
  GPtrArray *containers; /* (owned) (element-type AtmContainer): of @names */
  int next;
} Reading;

static void
reading_clear (Reading *reading)
{
  g_clear_pointer (&reading->names, g_ptr_array_unref);
  g_clear_pointer (&reading->containers, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reading, reading_clear)

static gpointer
read_some (gpointer data)
{
  Reading *reading = data;
  guint i = 0;

  while ((i = (guint) g_atomic_int_add (&reading->next, 1)) < reading->names->len)
    {
      const char *name = reading->names->pdata[i];
      const gboolean is_folder
          = GPOINTER_TO_INT (g_hash_table_lookup (reading->entries, name)) == DT_DIR;

      reading->containers->pdata[i]
          = read_container (reading->checkout_fd, name, is_folder, reading->parse);
    }
  return NULL;
}

static GPtrArray *
read_all (int checkout_fd, GHashTable *entries, ParseInfo parse)
{
  g_auto (Reading) reading = { .checkout_fd = checkout_fd, .parse = parse, .entries = entries };
  GThread *threads[THREADS_MAX - 1];
  guint n_threads = 0;
  GHashTableIter iter;
  gpointer name;

  reading.names = g_ptr_array_new ();
  reading.containers = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_container_free);
  g_hash_table_iter_init (&iter, entries);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (is_container (name, entries))
      g_ptr_array_add (reading.names, name);
  g_ptr_array_set_size (reading.containers, (int) reading.names->len);

  for (; reading.names->len >= THREADS_FROM && n_threads < G_N_ELEMENTS (threads)
         && n_threads + 1 < g_get_num_processors ();
       n_threads++)
    threads[n_threads] = g_thread_new ("read", read_some, &reading);
  (void) read_some (&reading);
  for (guint i = 0; i < n_threads; i++)
    g_thread_join (threads[i]);
  return g_steal_pointer (&reading.containers);
}

static gboolean
list (int checkout_fd, ParseInfo parse, GPtrArray **containers_out, GError **error)
{
  g_autoptr (GPtrArray) containers
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_container_free);
  g_autoptr (GHashTable) entries = NULL;

  if (checkout_fd >= 0)
    {
      int fd = openat (checkout_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
      gboolean ok = FALSE;

      if (dir == NULL)
        {
          (void) atm_throw_errno (error, "Reading the folder of containers");
          atm_fd_clear (&fd);
          return FALSE;
        }
      ok = read_entries (dir, &entries, error);
      closedir (dir);
      if (!ok)
        return FALSE;
      g_ptr_array_unref (containers);
      containers = read_all (checkout_fd, entries, parse);
    }
  g_ptr_array_sort (containers, compare_names);
  *containers_out = g_steal_pointer (&containers);
  return TRUE;
}

gboolean
atm_container_list (int checkout_fd, GPtrArray **containers_out, GError **error)
{
  return list (checkout_fd, atm_info_parse, containers_out, error);
}

gboolean
atm_container_list_summaries (int checkout_fd, GPtrArray **containers_out, GError **error)
{
  return list (checkout_fd, atm_info_parse_summary, containers_out, error);
}
