/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/conf-file.h"

#include <string.h>

#include "image/name.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"
#include "util/toml.h"

#define UNKNOWN_SHOWN_MAX 10

static void
mirror_free (AtmConfMirror *mirror)
{
  g_free (mirror->location);
  g_free (mirror);
}

void
atm_conf_table_free (AtmConfTable *table)
{
  if (table == NULL)
    return;
  g_free (table->prefix);
  g_free (table->location);
  g_ptr_array_unref (table->mirrors);
  g_free (table->file);
  g_free (table);
}

static AtmConfTable *
table_new (const char *file)
{
  AtmConfTable *table = g_new0 (AtmConfTable, 1);

  table->mirrors = g_ptr_array_new_with_free_func ((GDestroyNotify) mirror_free);
  table->file = g_strdup (file);
  return table;
}

AtmConfTable *
atm_conf_find_table (GPtrArray *tables, const char *prefix)
{
  for (guint i = 0; i < tables->len; i++)
    {
      AtmConfTable *table = g_ptr_array_index (tables, i);

      if (g_str_equal (table->prefix, prefix))
        return table;
    }
  return NULL;
}

void
atm_conf_file_free (AtmConfFile *part)
{
  if (part == NULL)
    return;
  g_free (part->file);
  g_ptr_array_unref (part->tables);
  g_clear_pointer (&part->aliases, g_hash_table_unref);
  g_strfreev (part->search);
  g_strfreev (part->helpers);
  g_ptr_array_unref (part->warnings);
  g_free (part);
}

/* ---- the documents, by table ---- */

typedef struct
{
  char *prefix;             /* (owned) (nullable) */
  char *location;           /* (owned) (nullable) */
  char *pull_from_mirror;   /* (owned) (nullable) */
  JsonArray *mirror;        /* (owned) (nullable) */
  JsonArray *registry;      /* (owned) (nullable) */
  JsonObject *registries;   /* (owned) (nullable) */
  JsonObject *v1_search;    /* (owned) (nullable) */
  JsonObject *v1_insecure;  /* (owned) (nullable) */
  JsonObject *v1_block;     /* (owned) (nullable) */
  char **v1_list;           /* (owned) (nullable) */
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
  g_clear_pointer (&fields->v1_search, json_object_unref);
  g_clear_pointer (&fields->v1_insecure, json_object_unref);
  g_clear_pointer (&fields->v1_block, json_object_unref);
  g_strfreev (fields->v1_list);
  g_clear_pointer (&fields->aliases, g_hash_table_unref);
  g_strfreev (fields->search);
  g_strfreev (fields->helpers);
  g_free (fields->short_name_mode);
  g_free (fields->layer_store_helper);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fields, fields_clear)

/* The wrong type is refused everywhere, also where the value is not used: a security setting must
   not be lost because of a slip. Keys that nobody knows are told of. */
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
static const AtmJsonField v1_fields[] = {
  { "search", ATM_JSON_OBJECT, OFFSET (v1_search), ATM_JSON_OPTIONAL },
  { "insecure", ATM_JSON_OBJECT, OFFSET (v1_insecure), ATM_JSON_OPTIONAL },
  { "block", ATM_JSON_OBJECT, OFFSET (v1_block), ATM_JSON_OPTIONAL },
};
static const AtmJsonField v1_list_fields[] = {
  { "registries", ATM_JSON_STRING_ARRAY, OFFSET (v1_list), ATM_JSON_OPTIONAL },
};

/* A file that is being read. */
typedef struct
{
  AtmConfFile *part;  /* (owned) */
  GPtrArray *unknown; /* (owned) (element-type utf8): paths of keys */
} Reader;

static void
reader_clear (Reader *reader)
{
  g_clear_pointer (&reader->part, atm_conf_file_free);
  g_clear_pointer (&reader->unknown, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reader, reader_clear)

static gboolean
throw_key (GError **error, const char *where, const char *key, const char *value, const char *why)
{
  g_autofree char *shown = atm_text_escape (value);

  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s%s%s” is “%s”: %s", where,
                    *where != '\0' ? "." : "", key, shown, why);
}

static gboolean
read_fields (Reader *reader, JsonObject *object, const AtmJsonField *known, gsize n_known,
             const char *where, Fields *fields, GError **error)
{
  g_autoptr (GList) names = json_object_get_members (object);

  for (GList *l = names; l != NULL; l = l->next)
    {
      gsize i = 0;

      while (i < n_known && !g_str_equal (known[i].name, l->data))
        i++;
      if (i == n_known)
        {
          g_autofree char *name = atm_text_escape (l->data);

          g_ptr_array_add (reader->unknown,
                           g_strconcat (where, *where != '\0' ? "." : "", name, NULL));
        }
    }
  return atm_json_read (object, known, n_known, ATM_JSON_ALLOW_UNKNOWN, where, fields, error);
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

/* ---- [[registry]] ---- */

static gboolean
read_mirror (Reader *reader, JsonNode *node, const char *where, const Fields *outer,
             AtmConfMirror **mirror_out, GError **error)
{
  static const char *const kinds[] = { "all", "digest-only", "tag-only" };
  g_autofree char *location = NULL;
  g_auto (Fields) fields = { 0 };
  AtmMirrorKind kind = outer->by_digest_only ? ATM_MIRROR_DIGEST_ONLY : ATM_MIRROR_ALL;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return throw_key (error, where, "mirror", "", "it must be an array of tables");
  if (!read_fields (reader, json_node_get_object (node), mirror_fields,
                    G_N_ELEMENTS (mirror_fields), where, &fields, error)
      || !read_location (fields.location, where, &location, error))
    return FALSE;
  if (fields.pull_from_mirror != NULL)
    {
      gsize i = 0;

      while (i < G_N_ELEMENTS (kinds) && !g_str_equal (kinds[i], fields.pull_from_mirror))
        i++;
      if (i == G_N_ELEMENTS (kinds))
        return throw_key (error, where, "pull-from-mirror", fields.pull_from_mirror,
                          "it must be “all”, “digest-only” or “tag-only”");
      if (outer->by_digest_only)
        return throw_key (error, where, "pull-from-mirror", fields.pull_from_mirror,
                          "“mirror-by-digest-only” is set too; keep one of the two");
      kind = (AtmMirrorKind) i;
    }

  *mirror_out = g_new0 (AtmConfMirror, 1);
  (*mirror_out)->location = g_steal_pointer (&location);
  (*mirror_out)->insecure = fields.insecure;
  (*mirror_out)->kind = kind;
  return TRUE;
}

static gboolean
read_mirrors (Reader *reader, const Fields *fields, const char *where, GPtrArray *mirrors,
              GError **error)
{
  guint n_mirrors = fields->mirror != NULL ? json_array_get_length (fields->mirror) : 0;

  if (n_mirrors > ATM_CONF_MIRRORS_MAX)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s”: more than %d mirrors",
                      where, ATM_CONF_MIRRORS_MAX);
  for (guint i = 0; i < n_mirrors; i++)
    {
      g_autofree char *inner = g_strdup_printf ("%s.mirror[%u]", where, i);
      AtmConfMirror *mirror = NULL;

      if (!read_mirror (reader, json_array_get_element (fields->mirror, i), inner, fields, &mirror,
                        error))
        return FALSE;
      g_ptr_array_add (mirrors, mirror);
    }
  return TRUE;
}

static gboolean
read_table (Reader *reader, JsonNode *node, const char *where, AtmConfTable **table_out,
            GError **error)
{
  g_autoptr (AtmConfTable) table = table_new (reader->part->file);
  g_auto (Fields) fields = { 0 };

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return throw_key (error, "", "registry", "", "it must be an array of tables, [[registry]]");
  if (!read_fields (reader, json_node_get_object (node), registry_fields,
                    G_N_ELEMENTS (registry_fields), where, &fields, error)
      || !read_mirrors (reader, &fields, where, table->mirrors, error))
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

static gboolean
read_tables (Reader *reader, JsonArray *array, GError **error)
{
  AtmConfFile *part = reader->part;
  guint n_tables = array != NULL ? json_array_get_length (array) : 0;

  if (n_tables > ATM_CONF_TABLES_MAX)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "more than %d registries",
                      ATM_CONF_TABLES_MAX);
  for (guint i = 0; i < n_tables; i++)
    {
      g_autofree char *where = g_strdup_printf ("registry[%u]", i);
      g_autoptr (AtmConfTable) table = NULL;

      if (!read_table (reader, json_array_get_element (array, i), where, &table, error))
        return FALSE;
      if (atm_conf_find_table (part->tables, table->prefix) == NULL)
        g_ptr_array_add (part->tables, g_steal_pointer (&table));
      else
        g_ptr_array_add (part->warnings,
                         g_strdup_printf ("%s: there is more than one [[registry]] for “%s”; the "
                                          "first one holds",
                                          part->file, table->prefix));
    }
  return TRUE;
}

/* ---- the other keys ---- */

/* Whether @text is a registry that can stand before a short name: “REGISTRY/x” must not be taken
   for a path on docker.io. */
static gboolean
read_search (char **search, const char *key, GError **error)
{
  for (guint i = 0; search[i] != NULL; i++)
    {
      g_autofree char *lower = g_ascii_strdown (search[i], -1);
      g_autofree char *trial = g_strconcat (lower, "/x", NULL);
      g_autoptr (AtmImageName) name = NULL;

      /* in lower case, as the domain of a name is kept: only capitals would make “EXAMPLE” a host
       */
      if (strchr (search[i], '/') != NULL || !atm_name_parse (trial, FALSE, &name, NULL))
        return throw_key (error, "", key, search[i], "it must be HOST[:PORT]");
      if (!name->domain_typed)
        return throw_key (error, "", key, search[i],
                          "a host has a “.” or a “:PORT”, or is “localhost”");
      g_free (search[i]);
      search[i] = g_strdup (name->domain);
    }
  return TRUE;
}

static gboolean
read_aliases (GHashTable *aliases, GError **error)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, aliases);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      g_autofree char *shown = atm_text_escape (key);
      g_autoptr (AtmImageName) name = NULL;

      if (!atm_name_parse (key, FALSE, &name, NULL) || name->domain_typed || name->tag != NULL
          || name->has_digest)
        return throw_key (error, "aliases", shown, value,
                          "an alias is a name without a registry, a tag or a digest");
      if (*(const char *) value == '\0')
        continue;
      g_clear_pointer (&name, atm_name_free);
      if (!atm_name_parse (value, FALSE, &name, NULL) || !name->domain_typed || name->tag != NULL
          || name->has_digest)
        return throw_key (error, "aliases", shown, value,
                          "it must be HOST[:PORT]/PATH, without a tag or a digest, or empty");
    }
  return TRUE;
}

static gboolean
read_mode (const char *text, AtmShortNameMode *mode_out, GError **error)
{
  const struct
  {
    const char *text;
    AtmShortNameMode mode;
  } modes[] = { { "enforcing", ATM_SHORT_NAMES_ENFORCING },
                { "permissive", ATM_SHORT_NAMES_PERMISSIVE },
                { "disabled", ATM_SHORT_NAMES_DISABLED } };

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    if (g_str_equal (modes[i].text, text))
      {
        *mode_out = modes[i].mode;
        return TRUE;
      }
  return throw_key (error, "", "short-name-mode", text,
                    "it must be “enforcing”, “permissive” or “disabled”");
}

/* ---- version 1: [registries.search], [registries.insecure], [registries.block] ---- */

static gboolean
read_v1_list (Reader *reader, JsonObject *object, const char *where, char ***list_out,
              GError **error)
{
  g_auto (Fields) fields = { 0 };

  if (object == NULL)
    return TRUE;
  if (!read_fields (reader, object, v1_list_fields, G_N_ELEMENTS (v1_list_fields), where, &fields,
                    error))
    return FALSE;
  *list_out = g_steal_pointer (&fields.v1_list);
  return TRUE;
}

/* A table for each of @list, or the one that is there. */
static gboolean
take_v1_list (Reader *reader, char **list, const char *where, gsize flag_offset, GError **error)
{
  GPtrArray *tables = reader->part->tables;

  for (guint i = 0; list != NULL && list[i] != NULL; i++)
    {
      g_autofree char *location = NULL;
      AtmConfTable *table = NULL;

      if (!read_location (list[i], where, &location, error))
        return FALSE;
      table = atm_conf_find_table (tables, location);
      if (table == NULL)
        {
          if (tables->len >= ATM_CONF_TABLES_MAX)
            return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "more than %d registries",
                              ATM_CONF_TABLES_MAX);
          table = table_new (reader->part->file);
          table->prefix = g_strdup (location);
          table->location = g_steal_pointer (&location);
          g_ptr_array_add (tables, table);
        }
      G_STRUCT_MEMBER (gboolean, table, flag_offset) = TRUE;
    }
  return TRUE;
}

static gboolean
read_v1 (Reader *reader, JsonObject *object, GError **error)
{
  g_auto (Fields) fields = { 0 };
  g_auto (GStrv) search = NULL, insecure = NULL, block = NULL;

  if (!read_fields (reader, object, v1_fields, G_N_ELEMENTS (v1_fields), "registries", &fields,
                    error)
      || !read_v1_list (reader, fields.v1_search, "registries.search", &search, error)
      || !read_v1_list (reader, fields.v1_insecure, "registries.insecure", &insecure, error)
      || !read_v1_list (reader, fields.v1_block, "registries.block", &block, error)
      || !take_v1_list (reader, insecure, "registries.insecure",
                        G_STRUCT_OFFSET (AtmConfTable, insecure), error)
      || !take_v1_list (reader, block, "registries.block", G_STRUCT_OFFSET (AtmConfTable, blocked),
                        error))
    return FALSE;
  for (guint i = 0; search != NULL && search[i] != NULL; i++)
    while (g_str_has_suffix (search[i], "/"))
      search[i][strlen (search[i]) - 1] = '\0';
  if (search != NULL && !read_search (search, "registries.search.registries", error))
    return FALSE;
  reader->part->search = g_steal_pointer (&search);
  return TRUE;
}

/* ---- a file ---- */

static gboolean
read_file (Reader *reader, GBytes *bytes, gboolean is_drop_in, GError **error)
{
  AtmConfFile *part = reader->part;
  g_autoptr (JsonObject) object = NULL;
  g_auto (Fields) fields = { 0 };

  if (!atm_toml_parse (bytes, &object, error)
      || !read_fields (reader, object, top_fields, G_N_ELEMENTS (top_fields), "", &fields, error))
    return FALSE;
  if (fields.registries != NULL)
    {
      if (is_drop_in)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "it is written in the old format, version 1 (“[registries.…]”), which "
                          "only the main file may be; write one [[registry]] table with "
                          "“location” and “insecure” or “blocked” for each registry instead");
      if (fields.registry != NULL || fields.search != NULL || fields.aliases != NULL
          || fields.helpers != NULL || fields.short_name_mode != NULL)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "it mixes the old format, version 1 (“[registries.…]”), with version 2; "
                          "write one [[registry]] table for each registry and "
                          "“unqualified-search-registries” instead of “[registries.…]”");
      return read_v1 (reader, fields.registries, error);
    }

  if (!read_tables (reader, fields.registry, error)
      || (fields.search != NULL
          && !read_search (fields.search, "unqualified-search-registries", error))
      || (fields.aliases != NULL && !read_aliases (fields.aliases, error))
      || (fields.short_name_mode != NULL
          && !read_mode (fields.short_name_mode, &part->mode, error)))
    return FALSE;
  part->search = g_steal_pointer (&fields.search);
  part->aliases = g_steal_pointer (&fields.aliases);
  part->helpers = g_steal_pointer (&fields.helpers);
  return TRUE;
}

static void
warn_of_unknown (Reader *reader)
{
  AtmConfFile *part = reader->part;
  g_autoptr (GString) names = g_string_new (NULL);

  if (reader->unknown->len == 0)
    return;
  for (guint i = 0; i < reader->unknown->len && i < UNKNOWN_SHOWN_MAX; i++)
    g_string_append_printf (names, "%s“%s”", i > 0 ? ", " : "",
                            (const char *) g_ptr_array_index (reader->unknown, i));
  g_ptr_array_add (part->warnings,
                   g_strdup_printf ("%s: not known here, and left out: %s%s", part->file,
                                    names->str,
                                    reader->unknown->len > UNKNOWN_SHOWN_MAX ? " and more" : ""));
}

gboolean
atm_conf_file_parse (GBytes *bytes, const char *file, gboolean is_drop_in, AtmConfFile **part_out,
                     GError **error)
{
  g_auto (Reader) reader = { 0 };
  g_autoptr (GError) local = NULL;

  reader.part = g_new0 (AtmConfFile, 1);
  reader.part->file = g_strdup (file);
  reader.part->tables = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_conf_table_free);
  reader.part->warnings = g_ptr_array_new_with_free_func (g_free);
  reader.unknown = g_ptr_array_new_with_free_func (g_free);
  if (!read_file (&reader, bytes, is_drop_in, &local))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: %s", file, local->message);
  warn_of_unknown (&reader);
  *part_out = g_steal_pointer (&reader.part);
  return TRUE;
}
