/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/conf.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/text.h"
#include "util/toml.h"

/* Shared with the other container tools, so it does not move with our own prefix. */
#define SYSTEM_FILE "/etc/containers/registries.conf"
#define SYSTEM_FOLDER "/etc/containers/registries.conf.d"
#define USER_FILE ".config/containers/registries.conf"
#define USER_FOLDER ".config/containers/registries.conf.d"
#define ENVIRONMENT "CONTAINERS_REGISTRIES_CONF"

#define DROP_INS_MAX 1000
#define TABLES_MAX 1000

/* One [[registry]]. */
typedef struct
{
  char *prefix;   /* (owned): HOST[:PORT][/PATH…] or *.DOMAIN, domain in lower case */
  char *location; /* (owned) (nullable): NULL: nothing is rewritten */
  gboolean insecure;
  gboolean blocked;
  char *file; /* (owned): where it stands, for messages */
} Table;

static void
table_free (Table *table)
{
  g_free (table->prefix);
  g_free (table->location);
  g_free (table->file);
  g_free (table);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Table, table_free)

struct _AtmRegistriesConf
{
  GPtrArray *tables; /* (owned) (element-type Table): each prefix once */
};

typedef struct
{
  char *prefix;             /* (owned) (nullable) */
  char *location;           /* (owned) (nullable) */
  char *pull_from_mirror;   /* (owned) (nullable) */
  JsonArray *mirror;        /* (owned) (nullable) */
  JsonArray *registry;      /* (owned) (nullable) */
  JsonObject *registries;   /* (owned) (nullable) */
  GHashTable *aliases;      /* (owned) (nullable) */
  char **search;            /* (owned) (nullable) */
  char **helpers;           /* (owned) (nullable) */
  char *short_name_mode;    /* (owned) (nullable) */
  char *layer_store_helper; /* (owned) (nullable) */
  gboolean insecure;
  gboolean blocked;
  gboolean by_digest_only;
} Fields;

static void
fields_clear (Fields *fields)
{
  g_free (fields->prefix);
  g_free (fields->location);
  g_free (fields->pull_from_mirror);
  g_clear_pointer (&fields->mirror, json_array_unref);
  g_clear_pointer (&fields->registry, json_array_unref);
  g_clear_pointer (&fields->registries, json_object_unref);
  g_clear_pointer (&fields->aliases, g_hash_table_unref);
  g_strfreev (fields->search);
  g_strfreev (fields->helpers);
  g_free (fields->short_name_mode);
  g_free (fields->layer_store_helper);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fields, fields_clear)

/* The wrong type is refused everywhere, also where the value is not used yet: a security setting
   must not be lost because of a slip. Keys that nobody knows are left alone. */
#define OFFSET(member) G_STRUCT_OFFSET (Fields, member)
static const AtmJsonField top_fields[] = {
  { "registry", ATM_JSON_ARRAY, OFFSET (registry), ATM_JSON_OPTIONAL },
  { "registries", ATM_JSON_OBJECT, OFFSET (registries), ATM_JSON_OPTIONAL },
  { "aliases", ATM_JSON_STRING_MAP, OFFSET (aliases), ATM_JSON_OPTIONAL },
  { "unqualified-search-registries", ATM_JSON_STRING_ARRAY, OFFSET (search), ATM_JSON_OPTIONAL },
  { "credential-helpers", ATM_JSON_STRING_ARRAY, OFFSET (helpers), ATM_JSON_OPTIONAL },
  { "short-name-mode", ATM_JSON_STRING, OFFSET (short_name_mode), ATM_JSON_OPTIONAL },
  { "additional-layer-store-auth-helper", ATM_JSON_STRING, OFFSET (layer_store_helper),
    ATM_JSON_OPTIONAL },
};
static const AtmJsonField registry_fields[] = {
  { "prefix", ATM_JSON_STRING, OFFSET (prefix), ATM_JSON_OPTIONAL },
  { "location", ATM_JSON_STRING, OFFSET (location), ATM_JSON_OPTIONAL },
  { "insecure", ATM_JSON_BOOLEAN, OFFSET (insecure), ATM_JSON_OPTIONAL },
  { "blocked", ATM_JSON_BOOLEAN, OFFSET (blocked), ATM_JSON_OPTIONAL },
  { "mirror-by-digest-only", ATM_JSON_BOOLEAN, OFFSET (by_digest_only), ATM_JSON_OPTIONAL },
  { "mirror", ATM_JSON_ARRAY, OFFSET (mirror), ATM_JSON_OPTIONAL },
};
static const AtmJsonField mirror_fields[] = {
  { "location", ATM_JSON_STRING, OFFSET (location), ATM_JSON_MANDATORY },
  { "insecure", ATM_JSON_BOOLEAN, OFFSET (insecure), ATM_JSON_OPTIONAL },
  { "pull-from-mirror", ATM_JSON_STRING, OFFSET (pull_from_mirror), ATM_JSON_OPTIONAL },
};

static gboolean
throw_key (GError **error, const char *where, const char *key, const char *value, const char *why)
{
  g_autofree char *shown = atm_text_escape (value);

  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s%s%s” is “%s”: %s", where,
                    *where != '\0' ? "." : "", key, shown, why);
}

static gboolean
read_location (const char *text, const char *where, char **location_out, GError **error)
{
  g_autofree char *trimmed = g_strdup (text);
  g_autofree char *location = NULL;

  for (gsize i = strlen (trimmed); i > 0 && trimmed[i - 1] == '/'; i--)
    trimmed[i - 1] = '\0';
  location = atm_name_parse_location (trimmed);
  if (location == NULL || g_str_has_prefix (location, "*"))
    return throw_key (error, where, "location", text,
                      strstr (text, "://") != NULL
                          ? "write it without “http://” or “https://”; plain HTTP is allowed by "
                            "“insecure = true”"
                          : "it must be HOST[:PORT][/PATH]");
  *location_out = g_steal_pointer (&location);
  return TRUE;
}

/* Mirrors are not used by this version; the primary location always serves. */
static gboolean
check_mirrors (JsonArray *mirrors, const char *where, GError **error)
{
  static const char *const kinds[] = { "all", "digest-only", "tag-only", NULL };

  for (guint i = 0; mirrors != NULL && i < json_array_get_length (mirrors); i++)
    {
      JsonNode *node = json_array_get_element (mirrors, i);
      g_autofree char *inner = g_strdup_printf ("%s.mirror[%u]", where, i);
      g_autofree char *location = NULL;
      g_auto (Fields) fields = { 0 };

      if (!JSON_NODE_HOLDS_OBJECT (node))
        return throw_key (error, where, "mirror", "", "it must be an array of tables");
      if (!atm_json_read (json_node_get_object (node), mirror_fields, G_N_ELEMENTS (mirror_fields),
                          ATM_JSON_ALLOW_UNKNOWN, inner, &fields, error)
          || !read_location (fields.location, inner, &location, error))
        return FALSE;
      if (fields.pull_from_mirror != NULL && !g_strv_contains (kinds, fields.pull_from_mirror))
        return throw_key (error, inner, "pull-from-mirror", fields.pull_from_mirror,
                          "it must be “all”, “digest-only” or “tag-only”");
    }
  return TRUE;
}

static gboolean
read_table (JsonNode *node, const char *where, Table **table_out, GError **error)
{
  g_autoptr (Table) table = g_new0 (Table, 1);
  g_auto (Fields) fields = { 0 };

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return throw_key (error, "", "registry", "", "it must be an array of tables, [[registry]]");
  if (!atm_json_read (json_node_get_object (node), registry_fields, G_N_ELEMENTS (registry_fields),
                      ATM_JSON_ALLOW_UNKNOWN, where, &fields, error)
      || !check_mirrors (fields.mirror, where, error))
    return FALSE;

  if (fields.location != NULL && *fields.location != '\0'
      && !read_location (fields.location, where, &table->location, error))
    return FALSE;
  if (fields.prefix != NULL && *fields.prefix != '\0')
    {
      table->prefix = atm_name_parse_location (fields.prefix);
      if (table->prefix == NULL)
        return throw_key (error, where, "prefix", fields.prefix,
                          "it must be HOST[:PORT][/PATH[:TAG|@DIGEST]] or *.DOMAIN");
    }
  else
    table->prefix = g_strdup (table->location);
  if (table->location == NULL && (table->prefix == NULL || table->prefix[0] != '*'))
    return throw_key (error, where, "location", "", "it is needed, unless “prefix” is *.DOMAIN");

  table->insecure = fields.insecure;
  table->blocked = fields.blocked;
  *table_out = g_steal_pointer (&table);
  return TRUE;
}

static Table *
find_table (GPtrArray *tables, const char *prefix)
{
  for (guint i = 0; i < tables->len; i++)
    {
      Table *table = g_ptr_array_index (tables, i);

      if (g_str_equal (table->prefix, prefix))
        return table;
    }
  return NULL;
}

static gboolean
check_top (const Fields *fields, GError **error)
{
  static const char *const modes[] = { "enforcing", "permissive", "disabled", NULL };

  if (fields->registries != NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "it is written in the old format, version 1 (“[registries.…]”); write one "
                      "[[registry]] table with “location” and “insecure” or “blocked” for each "
                      "registry instead (containers-registries.conf(5))");
  if (fields->short_name_mode != NULL && !g_strv_contains (modes, fields->short_name_mode))
    return throw_key (error, "", "short-name-mode", fields->short_name_mode,
                      "it must be “enforcing”, “permissive” or “disabled”");
  for (guint i = 0; fields->search != NULL && fields->search[i] != NULL; i++)
    {
      g_autofree char *location = atm_name_parse_location (fields->search[i]);

      if (location == NULL || strpbrk (location, "/*") != NULL)
        return throw_key (error, "", "unqualified-search-registries", fields->search[i],
                          "it must be HOST[:PORT]");
    }
  return TRUE;
}

/* The tables of one file replace those of earlier files; within a file the first one holds. */
static gboolean
merge (AtmRegistriesConf *conf, GBytes *bytes, const char *file, GError **error)
{
  g_autoptr (GPtrArray) tables = g_ptr_array_new_with_free_func ((GDestroyNotify) table_free);
  g_autoptr (JsonObject) object = NULL;
  g_auto (Fields) fields = { 0 };

  if (!atm_toml_parse (bytes, &object, error)
      || !atm_json_read (object, top_fields, G_N_ELEMENTS (top_fields), ATM_JSON_ALLOW_UNKNOWN, "",
                         &fields, error)
      || !check_top (&fields, error))
    return FALSE;
  for (guint i = 0; fields.registry != NULL && i < json_array_get_length (fields.registry); i++)
    {
      g_autofree char *where = g_strdup_printf ("registry[%u]", i);
      g_autoptr (Table) table = NULL;

      if (tables->len >= TABLES_MAX)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "more than %d registries",
                          TABLES_MAX);
      if (!read_table (json_array_get_element (fields.registry, i), where, &table, error))
        return FALSE;
      table->file = g_strdup (file);
      if (find_table (tables, table->prefix) == NULL)
        g_ptr_array_add (tables, g_steal_pointer (&table));
    }

  for (guint i = 0; i < conf->tables->len; i++)
    {
      Table *earlier = g_ptr_array_index (conf->tables, i);

      if (find_table (tables, earlier->prefix) != NULL)
        g_ptr_array_remove_index (conf->tables, i--);
    }
  g_ptr_array_extend_and_steal (conf->tables, g_steal_pointer (&tables));
  return TRUE;
}

/* Two tables that lead to one place must agree on how it is reached. */
static gboolean
check_conflicts (const AtmRegistriesConf *conf, GError **error)
{
  g_autoptr (GHashTable) places = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < conf->tables->len; i++)
    {
      Table *table = g_ptr_array_index (conf->tables, i), *other = NULL;

      if (table->location == NULL)
        continue;
      other = g_hash_table_lookup (places, table->location);
      if (other != NULL && (other->insecure != table->insecure || other->blocked != table->blocked))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "%s: the location “%s” is “insecure” or “blocked” in one [[registry]] "
                          "and not in another (%s)",
                          table->file, table->location, other->file);
      g_hash_table_insert (places, table->location, table);
    }
  return TRUE;
}

static gboolean
merge_named (AtmRegistriesConf *conf, GBytes *bytes, const char *file, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (merge (conf, bytes, file, &local))
    return TRUE;
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: %s", file, local->message);
}

static gboolean
merge_file (AtmRegistriesConf *conf, const char *path, gboolean must_exist, gboolean *found_out,
            GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_read_file_at (AT_FDCWD, path, TRUE, ATM_TOML_MAX_BYTES, &bytes, &local))
    {
      if (!must_exist && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (found_out != NULL)
    *found_out = TRUE;
  return merge_named (conf, bytes, path, error);
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
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
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
      if (names->len >= DROP_INS_MAX)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: more than %d files",
                          folder, DROP_INS_MAX);
      g_ptr_array_add (names, g_steal_pointer (&path));
    }
  g_ptr_array_sort (names, compare_paths);
  for (guint i = 0; i < names->len; i++)
    if (!merge_file (conf, g_ptr_array_index (names, i), TRUE, NULL, error))
      return FALSE;
  return TRUE;
}

/* The caller's own home; not that of another user whose HOME sudo has kept. */
static const char *
get_home (void)
{
  const char *home = g_get_home_dir ();
  struct stat st;

  if (stat (home, &st) == 0 && st.st_uid == getuid ())
    return home;
  g_debug ("%s does not belong to this user, so its configuration is left out", home);
  return NULL;
}

static gboolean
merge_places (AtmRegistriesConf *conf, GError **error)
{
  const char *home = get_home ();
  g_autofree char *user_file = home != NULL ? g_build_filename (home, USER_FILE, NULL) : NULL;
  g_autofree char *user_folder = home != NULL ? g_build_filename (home, USER_FOLDER, NULL) : NULL;
  gboolean has_user_file = FALSE;

  if (user_file != NULL && !merge_file (conf, user_file, FALSE, &has_user_file, error))
    return FALSE;
  if (!has_user_file
      && (!merge_file (conf, SYSTEM_FILE, FALSE, NULL, error)
          || !merge_drop_ins (conf, SYSTEM_FOLDER, error)))
    return FALSE;
  return user_folder == NULL || merge_drop_ins (conf, user_folder, error);
}

static AtmRegistriesConf *
conf_new (void)
{
  AtmRegistriesConf *conf = g_new0 (AtmRegistriesConf, 1);

  conf->tables = g_ptr_array_new_with_free_func ((GDestroyNotify) table_free);
  return conf;
}

gboolean
atm_registries_conf_load (const char *path, AtmRegistriesConf **conf_out, GError **error)
{
  g_autoptr (AtmRegistriesConf) conf = conf_new ();
  const char *explicit_path = path != NULL ? path : g_getenv (ENVIRONMENT);

  if (explicit_path != NULL && *explicit_path != '\0')
    {
      if (!merge_file (conf, explicit_path, TRUE, NULL, error))
        return FALSE;
    }
  else if (!merge_places (conf, error))
    return FALSE;
  if (!check_conflicts (conf, error))
    return FALSE;
  *conf_out = g_steal_pointer (&conf);
  return TRUE;
}

gboolean
atm_registries_conf_parse (GBytes *bytes, const char *file, AtmRegistriesConf **conf_out,
                           GError **error)
{
  g_autoptr (AtmRegistriesConf) conf = conf_new ();

  if (!merge_named (conf, bytes, file, error) || !check_conflicts (conf, error))
    return FALSE;
  *conf_out = g_steal_pointer (&conf);
  return TRUE;
}

void
atm_registries_conf_free (AtmRegistriesConf *conf)
{
  if (conf == NULL)
    return;
  g_ptr_array_unref (conf->tables);
  g_free (conf);
}

void
atm_registry_endpoint_clear (AtmRegistryEndpoint *endpoint)
{
  g_clear_pointer (&endpoint->physical, atm_name_free);
}

/* How many bytes of @reference, whose host is @host_length long, @prefix covers; 0 for none. */
static gsize
match (const char *prefix, const char *reference, gsize host_length)
{
  gsize length = strlen (prefix);

  if (prefix[0] == '*')
    {
      /* “*.example.com” is for what stands before “.example.com”, never for that itself. */
      const char *suffix = prefix + 1;

      length--;
      return host_length > length && strncmp (reference + host_length - length, suffix, length) == 0
                 ? host_length
                 : 0;
    }
  if (!g_str_has_prefix (reference, prefix))
    return 0;
  /* A host alone is not the same host with a port, so “:” counts only after a path. */
  if (reference[length] == '/' || reference[length] == '\0')
    return length;
  return strchr (prefix, '/') != NULL && strchr (":@", reference[length]) != NULL ? length : 0;
}

static gsize
get_host_length (const AtmImageName *name)
{
  if (name->domain[0] == '[')
    return strcspn (name->domain, "]") + 1;
  return strcspn (name->domain, ":");
}

gboolean
atm_registries_conf_look_up (const AtmRegistriesConf *conf, const AtmImageName *name,
                             AtmRegistryEndpoint *endpoint_out, GError **error)
{
  g_autofree char *reference = atm_name_to_string (name), *rewritten = NULL;
  const Table *best = NULL;
  gsize best_length = 0;

  for (guint i = 0; i < conf->tables->len; i++)
    {
      const Table *table = g_ptr_array_index (conf->tables, i);
      gsize length = match (table->prefix, reference, get_host_length (name));

      if (length > 0 && (best == NULL || strlen (table->prefix) > strlen (best->prefix)))
        {
          best = table;
          best_length = length;
        }
    }

  if (best == NULL || best->location == NULL || g_str_equal (best->location, best->prefix))
    endpoint_out->physical = atm_name_copy (name);
  else
    {
      g_autoptr (GError) local = NULL;
      g_autoptr (AtmImageName) physical = NULL;

      rewritten = g_strconcat (best->location, reference + best_length, NULL);
      if (!atm_name_parse (rewritten, FALSE, &physical, &local)
          || (physical->tag == NULL && !physical->has_digest))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "%s: the location “%s” turns %s into “%s”, which is no name of an image",
                          best->file, best->location, reference, rewritten);
      /* A location such as “mirror” would be taken for a path on docker.io. */
      if (!physical->domain_typed)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "%s: the location “%s” begins with no host name; write HOST:PORT, or a "
                          "host with a “.”",
                          best->file, best->location);
      endpoint_out->physical = g_steal_pointer (&physical);
    }
  endpoint_out->blocked = best != NULL && best->blocked;
  endpoint_out->insecure = best != NULL && best->insecure;
  return TRUE;
}
