/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/conf-private.h"
#include "registry/home.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/toml.h"

/* Shared with the other container tools, so it does not move with our own prefix. */
#define SYSTEM_FILE "/etc/containers/registries.conf"
#define SYSTEM_FOLDER "/etc/containers/registries.conf.d"
#define USER_FILE ".config/containers/registries.conf"
#define USER_FOLDER ".config/containers/registries.conf.d"
#define ALIAS_CACHE "/var/cache/containers/short-name-aliases.conf"
#define ENVIRONMENT "CONTAINERS_REGISTRIES_CONF"

#define DROP_INS_MAX 1000

static gboolean
merge_bytes (AtmRegistriesConf *conf, GBytes *bytes, const char *file, gboolean is_drop_in,
             GError **error)
{
  AtmConfFile *part = NULL;

  if (!atm_conf_file_parse (bytes, file, is_drop_in, &part, error))
    return FALSE;
  atm_registries_conf_merge (conf, part);
  return TRUE;
}

/* @found_out: NULL: it must exist. */
static gboolean
merge_file (AtmRegistriesConf *conf, const char *path, gboolean is_drop_in, gboolean *found_out,
            GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_read_file_at (AT_FDCWD, path, TRUE, ATM_TOML_MAX_BYTES, &bytes, &local))
    {
      if (found_out != NULL && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        {
          *found_out = FALSE;
          g_ptr_array_add (conf->absent, g_strdup (path));
          return TRUE;
        }
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (found_out != NULL)
    *found_out = TRUE;
  return merge_bytes (conf, bytes, path, is_drop_in, error);
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
merge_drop_ins (AtmRegistriesConf *conf, const char *folder, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &local);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const char *name = NULL;

  if (dir == NULL)
    {
      if (g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return TRUE;
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", local->message);
    }
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (!g_str_has_suffix (name, ".conf") || g_file_test (path, G_FILE_TEST_IS_DIR))
        continue;
      if (paths->len >= DROP_INS_MAX)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: more than %d files",
                          folder, DROP_INS_MAX);
      g_ptr_array_add (paths, g_steal_pointer (&path));
    }
  g_ptr_array_sort (paths, compare_paths);
  for (guint i = 0; i < paths->len; i++)
    if (!merge_file (conf, g_ptr_array_index (paths, i), TRUE, NULL, error))
      return FALSE;
  return TRUE;
}

/* What podman noted when somebody chose a registry; only aliases are ever in it. */
static gboolean
merge_cache (AtmRegistriesConf *conf, const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (AtmConfFile) part = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_read_file_at (AT_FDCWD, path, TRUE, ATM_TOML_MAX_BYTES, &bytes, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!atm_conf_file_parse (bytes, path, TRUE, &part, error))
    return FALSE;
  if (part->aliases != NULL)
    atm_registries_conf_merge_aliases (conf, part);
  g_ptr_array_add (conf->files, g_strdup (path));
  return TRUE;
}

gboolean
atm_registries_conf_load_places (const AtmRegistriesPlaces *places, AtmRegistriesConf **conf_out,
                                 GError **error)
{
  g_autoptr (AtmRegistriesConf) conf = atm_registries_conf_new ();
  gboolean found = FALSE;

  if (places->user_file != NULL && !merge_file (conf, places->user_file, FALSE, &found, error))
    return FALSE;
  if (!found
      && ((places->system_file != NULL
           && !merge_file (conf, places->system_file, FALSE, &found, error))
          || (places->system_folder != NULL
              && !merge_drop_ins (conf, places->system_folder, error))))
    return FALSE;
  if ((places->user_folder != NULL && !merge_drop_ins (conf, places->user_folder, error))
      || (places->alias_cache != NULL && !merge_cache (conf, places->alias_cache, error))
      || !atm_registries_conf_check (conf, error))
    return FALSE;
  *conf_out = g_steal_pointer (&conf);
  return TRUE;
}

gboolean
atm_registries_conf_load (const char *path, AtmRegistriesConf **conf_out, GError **error)
{
  g_autoptr (AtmRegistriesConf) conf = NULL;
  const char *explicit_path = path != NULL ? path : g_getenv (ENVIRONMENT);
  const char *home = NULL;
  g_autofree char *user_file = NULL, *user_folder = NULL;

  if (explicit_path == NULL || *explicit_path == '\0')
    {
      home = atm_home_get_own ();
      user_file = home != NULL ? g_build_filename (home, USER_FILE, NULL) : NULL;
      user_folder = home != NULL ? g_build_filename (home, USER_FOLDER, NULL) : NULL;
      return atm_registries_conf_load_places (
          &(AtmRegistriesPlaces){ .user_file = user_file,
                                  .system_file = SYSTEM_FILE,
                                  .system_folder = SYSTEM_FOLDER,
                                  .user_folder = user_folder,
                                  .alias_cache = ALIAS_CACHE },
          conf_out, error);
    }

  conf = atm_registries_conf_new ();
  if (!merge_file (conf, explicit_path, FALSE, NULL, error)
      || !atm_registries_conf_check (conf, error))
    return FALSE;
  *conf_out = g_steal_pointer (&conf);
  return TRUE;
}

gboolean
atm_registries_conf_parse (GBytes *bytes, const char *file, AtmRegistriesConf **conf_out,
                           GError **error)
{
  g_autoptr (AtmRegistriesConf) conf = atm_registries_conf_new ();

  if (!merge_bytes (conf, bytes, file, FALSE, error) || !atm_registries_conf_check (conf, error))
    return FALSE;
  *conf_out = g_steal_pointer (&conf);
  return TRUE;
}
