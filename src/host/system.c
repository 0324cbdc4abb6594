/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/system.h"

#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/yaml.h"

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (glob_t, globfree)

#define DEFAULT_CONF "/etc/atomic.conf"
#define DOWNLOADS_MAX 16
#define HOST_REPOSITORY "/ostree/repo"

/* A set and non-empty variable. */
static const char *
get_env (const char *name)
{
  const char *value = g_getenv (name);

  return value != NULL && *value != '\0' ? value : NULL;
}

/* Flat “key: value” lines. Keys in upper case are accepted; the lower-case one wins. */
gboolean
atm_system_parse_conf (GBytes *bytes, GHashTable **settings_out, GError **error)
{
  g_autoptr (GHashTable) settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (JsonObject) object = NULL;
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;

  if (!atm_yaml_parse (bytes, &object, error))
    return FALSE;
  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, &node))
    {
      g_autofree char *key = g_ascii_strdown (name, -1);
      gboolean is_lower = g_str_equal (key, name);

      /* Nested mappings belong to keys of others; nothing of ours is one. */
      if (json_node_get_value_type (node) != G_TYPE_STRING)
        continue;
      if (*json_node_get_string (node) != '\0'
          && (is_lower || !g_hash_table_contains (settings, key)))
        g_hash_table_insert (settings, g_steal_pointer (&key), json_node_dup_string (node));
    }
  *settings_out = g_steal_pointer (&settings);
  return TRUE;
}

static gboolean
read_conf (GHashTable **settings_out, GError **error)
{
  const char *path = get_env ("ATOMIC_CONF") != NULL ? get_env ("ATOMIC_CONF") : DEFAULT_CONF;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_read_file_at (AT_FDCWD, path, TRUE, ATM_YAML_MAX_BYTES, &bytes, &local))
    {
      if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "Reading the configuration: %s", local->message);
      bytes = g_bytes_new_static ("", 0);
    }
  if (!atm_system_parse_conf (bytes, settings_out, error))
    return atm_prefix_error (error, "Reading the configuration %s", path);
  return TRUE;
}

static char *
dup_setting (GHashTable *settings, const char *key)
{
  return g_strdup (g_hash_table_lookup (settings, key));
}

/* Absolute, from the first of @env, @setting and @fallback that says something. */
static char *
dup_path (const char *env, const char *setting, const char *fallback)
{
  const char *path = env != NULL ? env : setting != NULL ? setting : fallback;

  return g_canonicalize_filename (path, NULL);
}

/* On a booted OSTree host /var is a bind mount, across which nothing can be hard-linked to
   /ostree/repo; the same folder below /ostree/deploy/OSNAME is not (system-image.md 9.1). */
static char *
dup_linkable_path (const char *path)
{
  g_auto (glob_t) found = { 0 };
  struct stat var, candidate;

  if (!g_str_has_prefix (path, "/var/") || access ("/run/ostree-booted", F_OK) < 0
      || access (HOST_REPOSITORY, F_OK) < 0 || stat ("/var", &var) < 0
      || glob ("/ostree/deploy/*/var", 0, NULL, &found) != 0)
    return g_strdup (path);
  for (gsize i = 0; i < found.gl_pathc; i++)
    if (stat (found.gl_pathv[i], &candidate) == 0 && candidate.st_dev == var.st_dev
        && candidate.st_ino == var.st_ino)
      return g_build_filename (found.gl_pathv[i], path + strlen ("/var/"), NULL);
  return g_strdup (path);
}

static char *
dup_existing_parent (const char *path)
{
  g_autofree char *parent = g_strdup (path);

  while (access (parent, F_OK) < 0 && !g_str_equal (parent, "/"))
    {
      char *up = g_path_get_dirname (parent);

      g_free (parent);
      parent = up;
    }
  return g_steal_pointer (&parent);
}

/* One file system is not enough, as two mounts of it cannot be linked across; so it is tried. */
static gboolean
can_link (const char *from_dir, const char *to_dir)
{
  g_autofree char *from = g_build_filename (from_dir, "config", NULL);
  g_autofree char *name = g_strdup_printf (".atomic-link.%08x", g_random_int ());
  g_autofree char *to = g_build_filename (to_dir, name, NULL);
  struct stat source, target;

  if (stat (from, &source) < 0 || stat (to_dir, &target) < 0 || source.st_dev != target.st_dev
      || link (from, to) < 0)
    return FALSE;
  (void) unlink (to);
  return TRUE;
}

static char *
dup_repository (GHashTable *settings, const char *checkout, gboolean root)
{
  const char *env = get_env ("ATOMIC_OSTREE_REPO");
  const char *setting = g_hash_table_lookup (settings, "ostree_repository");
  g_autofree char *storage = g_build_filename (checkout, ".storage", NULL);
  g_autofree char *parent = NULL;

  if (env != NULL || (root && setting != NULL))
    return dup_path (env, setting, NULL);
  if (!root)
    return g_build_filename (g_get_user_data_dir (), "containers", "atomic", "repo", NULL);
  parent = dup_existing_parent (storage);
  if (can_link (HOST_REPOSITORY, parent))
    return g_strdup (HOST_REPOSITORY);
  return g_build_filename (storage, "ostree", NULL);
}

static char *
dup_runtime (GHashTable *settings, gboolean root)
{
  const char *env = get_env ("RUNC_PATH");
  const char *setting = root ? g_hash_table_lookup (settings, "runtime") : NULL;
  const char *fallback = "/usr/bin/runc";

  /* Debian has it elsewhere than where it was always looked for. */
  if (access (fallback, X_OK) < 0 && access ("/usr/sbin/runc", X_OK) == 0)
    fallback = "/usr/sbin/runc";
  return dup_path (env, setting, fallback);
}

static void
fill_paths (AtmSystem *system, GHashTable *settings, gboolean root)
{
  g_autofree char *checkout = NULL, *user_checkout = NULL;

  user_checkout = g_build_filename (g_get_user_data_dir (), "containers", "atomic", NULL);
  checkout = dup_path (get_env ("ATOMIC_OSTREE_CHECKOUT_PATH"),
                       g_hash_table_lookup (settings, "checkout_path"),
                       root ? "/var/lib/containers/atomic" : user_checkout);
  system->checkout = dup_linkable_path (checkout);
  system->repository = dup_repository (settings, system->checkout, root);
  system->unit_dir = root ? g_strdup ("/etc/systemd/system")
                          : g_build_filename (g_get_user_config_dir (), "systemd", "user", NULL);
  system->tmpfiles_dir = root
                             ? g_strdup ("/etc/tmpfiles.d")
                             : g_build_filename (g_get_user_config_dir (), "user-tmpfiles.d", NULL);
  system->run_dir = root ? g_strdup ("/run/atomic")
                         : g_build_filename (g_get_user_runtime_dir (), "atomic", NULL);
}

/* “VARIABLE” or “variable” of the environment over the configuration (command.md 4). */
static char *
dup_proxy (GHashTable *settings, const char *key)
{
  g_autofree char *upper = g_ascii_strup (key, -1);
  const char *env = get_env (key) != NULL ? get_env (key) : get_env (upper);

  return env != NULL ? g_strdup (env) : dup_setting (settings, key);
}

static gboolean
read_downloads (GHashTable *settings, guint *downloads_out, GError **error)
{
  const char *value = g_hash_table_lookup (settings, "max-parallel-downloads");
  guint64 number = 0;

  if (value == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (value, 10, 1, DOWNLOADS_MAX, &number, NULL))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "Reading the configuration: max-parallel-downloads: “%s” is no number from 1 "
                      "to %d",
                      value, DOWNLOADS_MAX);
  *downloads_out = (guint) number;
  return TRUE;
}

/* People and units know the program by the name of its front (cli/front.c). */
static gboolean
find_program (char **program_out, GError **error)
{
  const char *const whole = ATM_PKGLIBEXECDIR "/atomic";
  g_autoptr (GError) local = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", &local);

  if (self == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "Looking for this program: %s",
                      local->message);
  if (g_str_has_suffix (self, whole))
    {
      self[strlen (self) - strlen (whole)] = '\0';
      *program_out = g_strconcat (self, ATM_BINDIR "/atomic", NULL);
    }
  else
    *program_out = g_steal_pointer (&self);
  return TRUE;
}

gboolean
atm_system_new (AtmSystem **system_out, GError **error)
{
  g_autoptr (AtmSystem) system = g_new0 (AtmSystem, 1);
  g_autoptr (GHashTable) settings = NULL;
  gboolean root = geteuid () == 0;

  if (!read_conf (&settings, error) || !read_downloads (settings, &system->downloads, error))
    return FALSE;
  fill_paths (system, settings, root);
  system->runtime = dup_runtime (settings, root);
  system->registries_d = dup_setting (settings, "registry_confdir");
  system->registries_conf = g_strdup (get_env ("CONTAINERS_REGISTRIES_CONF"));
  system->force_image_id = g_strdup (get_env ("ATOMIC_OSTREE_TEST_FORCE_IMAGE_ID"));
  system->http_proxy = dup_proxy (settings, "http_proxy");
  system->https_proxy = dup_proxy (settings, "https_proxy");
  system->no_proxy = dup_proxy (settings, "no_proxy");
  system->default_signer = dup_setting (settings, "default_signer");
  system->gnupg_homedir = dup_setting (settings, "gnupg_homedir");
  if (!find_program (&system->program, error))
    return FALSE;

  *system_out = g_steal_pointer (&system);
  return TRUE;
}

void
atm_system_free (AtmSystem *system)
{
  if (system == NULL)
    return;
  g_free (system->checkout);
  g_free (system->repository);
  g_free (system->unit_dir);
  g_free (system->tmpfiles_dir);
  g_free (system->run_dir);
  g_free (system->runtime);
  g_free (system->program);
  g_free (system->policy);
  g_free (system->registries_d);
  g_free (system->registries_conf);
  g_free (system->force_image_id);
  g_free (system->http_proxy);
  g_free (system->https_proxy);
  g_free (system->no_proxy);
  g_free (system->default_signer);
  g_free (system->gnupg_homedir);
  g_free (system);
}
