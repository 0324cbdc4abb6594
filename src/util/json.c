/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/json.h"

#include "util/error.h"
#include "util/json-scan.h"

G_DEFINE_QUARK (atm_json_error, atm_json_error)

gboolean
atm_json_parse (GBytes *bytes, JsonNode **node_out, GError **error)
{
  gsize length = 0;
  const char *text = g_bytes_get_data (bytes, &length);

  return atm_json_scan (text != NULL ? text : "", length, NULL, FALSE, node_out, error);
}

gboolean
atm_json_find (GBytes *bytes, const char *const *path, JsonNode **node_out, GError **error)
{
  gsize length = 0;
  const char *text = g_bytes_get_data (bytes, &length);

  return atm_json_scan (text != NULL ? text : "", length, path, FALSE, node_out, error);
}

static gboolean
parse_object (GBytes *bytes, gboolean summary, JsonObject **object_out, GError **error)
{
  g_autoptr (JsonNode) node = NULL;
  gsize length = 0;
  const char *text = g_bytes_get_data (bytes, &length);

  if (!atm_json_scan (text != NULL ? text : "", length, NULL, summary, &node, error))
    return FALSE;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "Not a JSON object");
  *object_out = json_node_dup_object (node);
  return TRUE;
}

gboolean
atm_json_parse_object (GBytes *bytes, JsonObject **object_out, GError **error)
{
  return parse_object (bytes, FALSE, object_out, error);
}

gboolean
atm_json_parse_summary (GBytes *bytes, JsonObject **object_out, GError **error)
{
  return parse_object (bytes, TRUE, object_out, error);
}

static gboolean
read_string_array (JsonNode *node, char ***strings_out)
{
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  JsonArray *array = NULL;

  if (!JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  array = json_node_get_array (node);
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      JsonNode *element = json_array_get_element (array, i);

      if (json_node_get_value_type (element) != G_TYPE_STRING)
        return FALSE;
      g_ptr_array_add (strings, json_node_dup_string (element));
    }
  g_ptr_array_add (strings, NULL);
  *strings_out = (char **) g_ptr_array_free (g_steal_pointer (&strings), FALSE);
  return TRUE;
}

static gboolean
read_string_map (JsonNode *node, GHashTable **map_out)
{
  g_autoptr (GHashTable) map = NULL;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return FALSE;
  map = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  json_object_iter_init (&iter, json_node_get_object (node));
  while (json_object_iter_next (&iter, &name, &value))
    {
      if (json_node_get_value_type (value) != G_TYPE_STRING)
        return FALSE;
      g_hash_table_insert (map, g_strdup (name), json_node_dup_string (value));
    }
  *map_out = g_steal_pointer (&map);
  return TRUE;
}

static gboolean
read_value (JsonNode *node, AtmJsonType type, gpointer place)
{
  GType value_type = json_node_get_value_type (node);

  switch (type)
    {
    case ATM_JSON_STRING:
      if (value_type != G_TYPE_STRING)
        return FALSE;
      *(char **) place = json_node_dup_string (node);
      return TRUE;
    case ATM_JSON_INT:
      if (value_type != G_TYPE_INT64)
        return FALSE;
      *(gint64 *) place = json_node_get_int (node);
      return TRUE;
    case ATM_JSON_BOOLEAN:
      if (value_type != G_TYPE_BOOLEAN)
        return FALSE;
      *(gboolean *) place = json_node_get_boolean (node);
      return TRUE;
    case ATM_JSON_OBJECT:
      if (!JSON_NODE_HOLDS_OBJECT (node))
        return FALSE;
      *(JsonObject **) place = json_node_dup_object (node);
      return TRUE;
    case ATM_JSON_ARRAY:
      if (!JSON_NODE_HOLDS_ARRAY (node))
        return FALSE;
      *(JsonArray **) place = json_node_dup_array (node);
      return TRUE;
    case ATM_JSON_STRING_ARRAY:
      return read_string_array (node, place);
    case ATM_JSON_STRING_MAP:
      return read_string_map (node, place);
    }
  return FALSE;
}

gboolean
atm_json_read (JsonObject *object, const AtmJsonField *fields, gsize n_fields,
               AtmJsonUnknown unknown, const char *where, gpointer target, GError **error)
{
  const char *dot = *where != '\0' ? "." : "";
  guint n_known = 0;

  for (gsize i = 0; i < n_fields; i++)
    {
      const AtmJsonField *field = &fields[i];
      JsonNode *node = json_object_get_member (object, field->name);

      n_known += node != NULL;
      if (node != NULL && JSON_NODE_HOLDS_NULL (node)
          && (field->flags & (ATM_JSON_NULLABLE | ATM_JSON_LENIENT)) != 0)
        node = NULL;
      if (node == NULL && (field->flags & ATM_JSON_MANDATORY) != 0)
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s%s%s” is missing",
                          where, dot, field->name);
      if (node != NULL && !read_value (node, field->type, (char *) target + field->offset)
          && (field->flags & ATM_JSON_LENIENT) == 0)
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                          "“%s%s%s” has the wrong type", where, dot, field->name);
    }

  if (unknown == ATM_JSON_REFUSE_UNKNOWN && n_known < json_object_get_size (object))
    {
      g_autoptr (GList) names = json_object_get_members (object);

      for (GList *l = names; l != NULL; l = l->next)
        {
          gsize i = 0;

          while (i < n_fields && !g_str_equal (fields[i].name, l->data))
            i++;
          if (i == n_fields)
            return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                              "unknown member “%s%s%s”", where, dot, (const char *) l->data);
        }
    }
  return TRUE;
}

char *
atm_json_to_text (JsonNode *node, gboolean pretty)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autofree char *text = NULL;

  json_generator_set_root (generator, node);
  json_generator_set_pretty (generator, pretty);
  json_generator_set_indent (generator, 4);
  text = json_generator_to_data (generator, NULL);
  return pretty ? g_strconcat (text, "\n", NULL) : g_steal_pointer (&text);
}

void
atm_json_add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

void
atm_json_add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

void
atm_json_add_boolean (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

void
atm_json_add_strings (JsonBuilder *builder, const char *name, char **values)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (char **value = values; value != NULL && *value != NULL; value++)
    json_builder_add_string_value (builder, *value);
  json_builder_end_array (builder);
}
