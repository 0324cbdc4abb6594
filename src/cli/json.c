/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json.h"

#include <string.h>

static void
add_text (JsonBuilder *builder, const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : g_strdup ("");

  json_builder_add_string_value (builder, valid);
}

void
atm_cli_add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  add_text (builder, value);
}

void
atm_cli_add_number (JsonBuilder *builder, const char *name, guint64 value)
{
  atm_json_add_int (builder, name, (gint64) MIN (value, G_MAXINT64));
}

void
atm_cli_add_strings (JsonBuilder *builder, const char *name, char **values)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (guint i = 0; values != NULL && values[i] != NULL; i++)
    add_text (builder, values[i]);
  json_builder_end_array (builder);
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (a, b);
}

void
atm_cli_add_map (JsonBuilder *builder, const char *name, GHashTable *map)
{
  g_autoptr (GList) keys
      = map != NULL ? g_list_sort (g_hash_table_get_keys (map), compare_texts) : NULL;

  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  for (GList *key = keys; key != NULL; key = key->next)
    {
      g_autofree char *valid = g_utf8_make_valid (key->data, -1);

      atm_cli_add_string (builder, valid, g_hash_table_lookup (map, key->data));
    }
  json_builder_end_object (builder);
}

void
atm_cli_print_json (JsonBuilder *builder)
{
  g_autoptr (JsonNode) node = json_builder_get_root (builder);
  g_autofree char *text = atm_json_to_text (node, TRUE);

  g_print ("%s", text);
}
