/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/registriesd.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "trust/lookaside.h"
#include "trust/places.h"
#include "trust/refusal.h"
#include "trust/scope.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"
#include "util/yaml.h"

typedef struct
{
  char *path;    /* (owned): the file that has it */
  char *reading; /* (owned) (nullable): URL */
  char *writing; /* (owned) (nullable): URL */
} Section;

struct _AtmRegistriesd
{
  Section *fallback;  /* (owned) (nullable): default-docker */
  GHashTable *docker; /* (owned): scope → Section */
};

static void
section_free (Section *section)
{
  if (section == NULL)
    return;
  g_free (section->path);
  g_free (section->reading);
  g_free (section->writing);
  g_free (section);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Section, section_free)

AtmRegistriesd *
atm_registriesd_new (void)
{
  AtmRegistriesd *conf = g_new0 (AtmRegistriesd, 1);

  conf->docker
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) section_free);
  return conf;
}

void
atm_registriesd_free (AtmRegistriesd *conf)
{
  if (conf == NULL)
    return;
  section_free (conf->fallback);
  g_clear_pointer (&conf->docker, g_hash_table_unref);
  g_free (conf);
}

/* ---- reading ---- */

/* In the order in which they are asked for a URL to write to; the old names come second. Only the
   last two are read from. */
static const char *const url_members[]
    = { "lookaside-staging", "sigstore-staging", "lookaside", "sigstore" };
#define FIRST_READING_MEMBER 2

static gboolean
read_url (JsonObject *object, const char *member, const char *where, char **url_out, GError **error)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (json_node_get_value_type (node) != G_TYPE_STRING)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                      "“%s.%s” is no URL", where, member);
  if (*json_node_get_string (node) == '\0')
    return TRUE;
  if (!atm_lookaside_check_url (json_node_get_string (node), url_out, error))
    return atm_prefix_error (error, "“%s.%s”", where, member);
  return TRUE;
}

static gboolean
check_flag (JsonObject *object, const char *member, const char *where, GError **error)
{
  const char *const words[] = { "true", "false", "yes", "no", "on", "off" };
  JsonNode *node = json_object_get_member (object, member);

  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    for (guint i = 0; i < G_N_ELEMENTS (words); i++)
      if (g_ascii_strcasecmp (json_node_get_string (node), words[i]) == 0)
        return TRUE;
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                    "“%s.%s” is neither true nor false", where, member);
}

static gboolean
read_section (JsonNode *node, const char *where, const char *path, Section **section_out,
              GError **error)
{
  g_autoptr (Section) section = g_new0 (Section, 1);
  JsonObject *object = NULL;

  section->path = g_strdup (path);
  if (JSON_NODE_HOLDS_OBJECT (node))
    object = json_node_get_object (node);
  else if (!JSON_NODE_HOLDS_NULL (node))
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                      "“%s” is no mapping", where);

  for (guint i = 0; object != NULL && i < G_N_ELEMENTS (url_members); i++)
    {
      g_autofree char *url = NULL;

      if (!read_url (object, url_members[i], where, &url, error))
        return FALSE;
      if (section->reading == NULL && i >= FIRST_READING_MEMBER)
        section->reading = g_strdup (url);
      if (section->writing == NULL)
        section->writing = g_steal_pointer (&url);
    }
  if (object != NULL && !check_flag (object, "use-sigstore-attachments", where, error))
    return FALSE;
  *section_out = g_steal_pointer (&section);
  return TRUE;
}

static gboolean
throw_twice (GError **error, const char *where, const Section *earlier)
{
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                    "“%s” is also in %s; keep one of the two", where, earlier->path);
}

static gboolean
add_scopes (AtmRegistriesd *conf, JsonObject *docker, const char *path, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  json_object_iter_init_ordered (&iter, docker);
  while (json_object_iter_next_ordered (&iter, &name, &value))
    {
      g_autofree char *scope = atm_scope_fold (name);
      g_autofree char *safe = atm_text_escape (scope);
      g_autofree char *where = g_strdup_printf ("docker[%s]", safe);
      g_autoptr (Section) section = NULL;
      const Section *earlier = g_hash_table_lookup (conf->docker, scope);

      if (earlier != NULL)
        return throw_twice (error, where, earlier);
      if (!read_section (value, where, path, &section, error))
        return FALSE;
      g_hash_table_insert (conf->docker, g_steal_pointer (&scope), g_steal_pointer (&section));
    }
  return TRUE;
}

static gboolean
add_document (AtmRegistriesd *conf, GBytes *bytes, const char *path, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  JsonNode *fallback = NULL, *docker = NULL;

  if (!atm_yaml_parse (bytes, &object, error))
    return FALSE;
  fallback = json_object_get_member (object, "default-docker");
  docker = json_object_get_member (object, "docker");
  if (fallback != NULL && !JSON_NODE_HOLDS_NULL (fallback))
    {
      if (conf->fallback != NULL)
        return throw_twice (error, "default-docker", conf->fallback);
      if (!read_section (fallback, "default-docker", path, &conf->fallback, error))
        return FALSE;
    }
  if (docker == NULL || JSON_NODE_HOLDS_NULL (docker))
    return TRUE;
  if (!JSON_NODE_HOLDS_OBJECT (docker))
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                      "“docker” is no mapping");
  return add_scopes (conf, json_node_get_object (docker), path, error);
}

gboolean
atm_registriesd_add (AtmRegistriesd *conf, GBytes *bytes, const char *path, GError **error)
{
  if (add_document (conf, bytes, path, error))
    return TRUE;
  (void) atm_refusal_convert (error, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
  return atm_prefix_error (error, "%s cannot be used until this is corrected", path);
}

/* ---- finding ---- */

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
list_files (const char *folder, int *dir_fd_out, GPtrArray *names, GError **error)
{
  atm_autofd int dir_fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = NULL;
  struct dirent *entry;
  int saved_errno = 0;

  if (dir_fd < 0)
    return errno == ENOENT ? TRUE : atm_throw_errno (error, "Opening the folder %s", folder);
  dir = fdopendir (dup (dir_fd));
  if (dir == NULL)
    return atm_throw_errno (error, "Reading the folder %s", folder);
  while ((errno = 0, entry = readdir (dir)) != NULL)
    if (g_str_has_suffix (entry->d_name, ".yaml"))
      g_ptr_array_add (names, g_strdup (entry->d_name));
  saved_errno = errno;
  closedir (dir);
  errno = saved_errno;
  if (saved_errno != 0)
    return atm_throw_errno (error, "Reading the folder %s", folder);
  *dir_fd_out = g_steal_fd (&dir_fd);
  return TRUE;
}

static gboolean
load_folder (AtmRegistriesd *conf, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  atm_autofd int dir_fd = -1;

  if (!list_files (folder, &dir_fd, names, error))
    return FALSE;
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) local = NULL;

      if (!atm_read_file_at (dir_fd, name, TRUE, ATM_YAML_MAX_BYTES, &bytes, &local))
        {
          /* Removed since the folder was listed. */
          if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
            continue;
          g_propagate_error (error, g_steal_pointer (&local));
          return atm_prefix_error (error, "In the folder %s", folder);
        }
      if (!atm_registriesd_add (conf, bytes, path, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_registriesd_load_folder (const char *folder, AtmRegistriesd **conf_out, GError **error)
{
  g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();

  if (!load_folder (conf, folder, error))
    return atm_refusal_convert (error, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
  *conf_out = g_steal_pointer (&conf);
  return TRUE;
}

gboolean
atm_registriesd_load (const char *named, const char *config_dir, AtmRegistriesd **conf_out,
                      GError **error)
{
  g_autofree char *home = atm_places_dup_home ();
  g_autofree char *folder = g_strdup (named);

  if (folder == NULL && home != NULL)
    {
      folder = g_build_filename (home, ".config", "containers", "registries.d", NULL);
      if (!g_file_test (folder, G_FILE_TEST_EXISTS))
        g_clear_pointer (&folder, g_free);
    }
  if (folder == NULL)
    folder = g_build_filename (config_dir, "registries.d", NULL);
  return atm_registriesd_load_folder (folder, conf_out, error);
}

/* An entry that says nothing of what is asked for hides no broader one. */
static const char *
find_url (const AtmRegistriesd *conf, char **scopes, gboolean writing)
{
  for (char **scope = scopes; *scope != NULL; scope++)
    {
      const Section *section = g_hash_table_lookup (conf->docker, *scope);
      const char *url = section == NULL ? NULL : writing ? section->writing : section->reading;

      if (url != NULL)
        return url;
    }
  return NULL;
}

const char *
atm_registriesd_look_up (const AtmRegistriesd *conf, const AtmImageName *name)
{
  g_auto (GStrv) scopes = atm_name_dup_scopes (name, TRUE);
  const char *url = find_url (conf, scopes, FALSE);

  return url != NULL || conf->fallback == NULL ? url : conf->fallback->reading;
}

const char *
atm_registriesd_look_up_writing (const AtmRegistriesd *conf, const AtmImageName *name)
{
  g_auto (GStrv) scopes = atm_name_dup_scopes (name, TRUE);
  const char *url = find_url (conf, scopes, TRUE);

  return url != NULL || conf->fallback == NULL ? url : conf->fallback->writing;
}

const char *
atm_registriesd_look_up_scope (const AtmRegistriesd *conf, const char *scope)
{
  g_auto (GStrv) scopes = atm_scope_dup_broader (scope);

  return find_url (conf, scopes, FALSE);
}

const char *
atm_registriesd_get_file (const AtmRegistriesd *conf, const char *scope)
{
  g_autofree char *folded = atm_scope_fold (scope);
  const Section *section = g_hash_table_lookup (conf->docker, folded);

  return section != NULL ? section->path : NULL;
}
