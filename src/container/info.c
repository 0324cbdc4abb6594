/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/info.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "util/error.h"
#include "util/json.h"

/* As it is in the file; what needs a look at its type is kept as JSON. */
typedef struct
{
  AtmInfo *info;
  JsonObject *values;
  char **installed_files;
  char *rpm_installed;
} Document;

static void
document_clear (Document *document)
{
  g_clear_pointer (&document->info, atm_info_free);
  g_clear_pointer (&document->values, json_object_unref);
  g_clear_pointer (&document->installed_files, g_strfreev);
  g_clear_pointer (&document->rpm_installed, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Document, document_clear)

static GHashTable *
new_map (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

AtmInfo *
atm_info_new (void)
{
  AtmInfo *info = g_new0 (AtmInfo, 1);

  info->image = g_strdup ("");
  info->values = new_map ();
  info->installed_files = new_map ();
  info->has_service = TRUE;
  return info;
}

/* The Python tool wrote HOST_UID and HOST_GID as numbers. */
static gboolean
read_values (JsonObject *object, GHashTable *values, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;

  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, &node))
    {
      GType type = json_node_get_value_type (node);

      if (type == G_TYPE_STRING)
        g_hash_table_insert (values, g_strdup (name), json_node_dup_string (node));
      else if (type == G_TYPE_INT64)
        g_hash_table_insert (values, g_strdup (name),
                             g_strdup_printf ("%" G_GINT64_FORMAT, json_node_get_int (node)));
      else
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                          "“values.%s” has the wrong type", name);
    }
  return TRUE;
}

/* The Python tool kept a reference as typed; refs, and what we record, end in a tag or a digest. */
static char *
complete_reference (const char *image)
{
  const char *last = image != NULL ? strrchr (image, '/') : NULL;

  last = last != NULL ? last + 1 : image;
  return last == NULL || *last == '\0' || strpbrk (last, ":@") != NULL
             ? g_strdup (image != NULL ? image : "")
             : g_strconcat (image, ":latest", NULL);
}

static gboolean
read_info (JsonObject *object, AtmInfo **info_out, GError **error)
{
  const AtmJsonField info_fields[] = {
    { "image", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmInfo, image), ATM_JSON_NULLABLE },
    { "revision", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmInfo, revision), ATM_JSON_NULLABLE },
    { "ostree-commit", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmInfo, commit), ATM_JSON_NULLABLE },
    { "accepted-by", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (AtmInfo, accepted_by),
      ATM_JSON_NULLABLE },
    { "created", ATM_JSON_INT, G_STRUCT_OFFSET (AtmInfo, created_unix), ATM_JSON_NULLABLE },
    { "has-container-service", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (AtmInfo, has_service),
      ATM_JSON_NULLABLE },
    { "installed-files-checksum", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (AtmInfo, installed_files),
      ATM_JSON_NULLABLE },
    { "installed-files-template", ATM_JSON_STRING_ARRAY,
      G_STRUCT_OFFSET (AtmInfo, installed_templates), ATM_JSON_NULLABLE },
    { "rename-installed-files", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (AtmInfo, rename_files),
      ATM_JSON_NULLABLE },
    { "system-package", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmInfo, system_package),
      ATM_JSON_NULLABLE },
    { "remote", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmInfo, remote), ATM_JSON_NULLABLE },
    { "use-links", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (AtmInfo, use_links), ATM_JSON_NULLABLE },
    { "runtime", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmInfo, runtime), ATM_JSON_NULLABLE },
    { "volumes", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (AtmInfo, volumes), ATM_JSON_NULLABLE },
  };
  const AtmJsonField fields[] = {
    { "values", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Document, values), ATM_JSON_MANDATORY },
    { "installed-files", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (Document, installed_files),
      ATM_JSON_NULLABLE },
    { "rpm-installed", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, rpm_installed),
      ATM_JSON_NULLABLE },
  };
  g_auto (Document) document = { 0 };
  AtmInfo *info = NULL;
  char *image = NULL;

  if (!atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, "", &document,
                      error))
    return FALSE;

  info = document.info = g_new0 (AtmInfo, 1);
  info->has_service = TRUE;
  if (!atm_json_read (object, info_fields, G_N_ELEMENTS (info_fields), ATM_JSON_ALLOW_UNKNOWN, "",
                      info, error))
    return FALSE;
  info->values = new_map ();
  if (!read_values (document.values, info->values, error))
    return FALSE;
  image = complete_reference (info->image);
  g_free (info->image);
  info->image = image;
  if (info->system_package == NULL)
    info->system_package = g_strdup (document.rpm_installed != NULL ? "yes" : "no");

  if (info->installed_files == NULL)
    {
      if (document.installed_files == NULL)
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                          "“installed-files” is missing");
      /* "" is no checksum of anything: such a file counts as changed and is kept. */
      info->installed_files = new_map ();
      for (guint i = 0; document.installed_files[i] != NULL; i++)
        g_hash_table_insert (info->installed_files, g_strdup (document.installed_files[i]),
                             g_strdup (""));
    }

  *info_out = g_steal_pointer (&document.info);
  return TRUE;
}

gboolean
atm_info_parse (GBytes *bytes, AtmInfo **info_out, GError **error)
{
  g_autoptr (JsonObject) object = NULL;

  return atm_json_parse_object (bytes, &object, error) && read_info (object, info_out, error);
}

gboolean
atm_info_parse_summary (GBytes *bytes, AtmInfo **info_out, GError **error)
{
  g_autoptr (JsonObject) object = NULL;

  return atm_json_parse_summary (bytes, &object, error) && read_info (object, info_out, error);
}

void
atm_info_free (AtmInfo *info)
{
  if (info == NULL)
    return;
  g_free (info->image);
  g_free (info->revision);
  g_free (info->commit);
  g_strfreev (info->accepted_by);
  g_clear_pointer (&info->values, g_hash_table_unref);
  g_clear_pointer (&info->installed_files, g_hash_table_unref);
  g_strfreev (info->installed_templates);
  g_clear_pointer (&info->rename_files, g_hash_table_unref);
  g_free (info->system_package);
  g_free (info->remote);
  g_free (info->runtime);
  g_clear_pointer (&info->volumes, g_hash_table_unref);
  g_free (info);
}

static GList *
sorted_keys (GHashTable *map)
{
  return g_list_sort (g_hash_table_get_keys (map), (GCompareFunc) g_strcmp0);
}

static void
add_map (JsonBuilder *builder, const char *name, GHashTable *map)
{
  g_autoptr (GList) keys = map != NULL ? sorted_keys (map) : NULL;

  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  for (GList *l = keys; l != NULL; l = l->next)
    atm_json_add_string (builder, l->data, g_hash_table_lookup (map, l->data));
  json_builder_end_object (builder);
}

static void
add_file_names (JsonBuilder *builder, GHashTable *installed_files)
{
  g_autoptr (GList) keys = sorted_keys (installed_files);

  json_builder_set_member_name (builder, "installed-files");
  json_builder_begin_array (builder);
  for (GList *l = keys; l != NULL; l = l->next)
    json_builder_add_string_value (builder, l->data);
  json_builder_end_array (builder);
}

GBytes *
atm_info_to_bytes (const AtmInfo *info)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  char *text = NULL;

  json_builder_begin_object (builder);
  atm_json_add_string (builder, "image", info->image);
  atm_json_add_string (builder, "revision", info->revision);
  atm_json_add_string (builder, "ostree-commit", info->commit);
  atm_json_add_int (builder, "created", info->created_unix);
  add_map (builder, "values", info->values);
  atm_json_add_boolean (builder, "has-container-service", info->has_service);
  add_file_names (builder, info->installed_files);
  add_map (builder, "installed-files-checksum", info->installed_files);
  atm_json_add_strings (builder, "installed-files-template", info->installed_templates);
  add_map (builder, "rename-installed-files", info->rename_files);
  /* No packages of ours, but the Python tool's rollback asks. */
  atm_json_add_string (builder, "rpm-installed", NULL);
  atm_json_add_string (builder, "system-package", info->system_package);
  atm_json_add_string (builder, "remote", info->remote);
  atm_json_add_boolean (builder, "use-links", info->use_links);
  atm_json_add_string (builder, "runtime", info->runtime);
  if (info->volumes != NULL)
    add_map (builder, "volumes", info->volumes);
  if (info->accepted_by != NULL)
    atm_json_add_strings (builder, "accepted-by", info->accepted_by);
  json_builder_end_object (builder);

  root = json_builder_get_root (builder);
  text = atm_json_to_text (root, TRUE);
  return g_bytes_new_take (text, strlen (text));
}
