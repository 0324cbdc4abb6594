/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/layout-index.h"

#include "image/manifest.h"
#include "image/source.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define VERSION_MAJOR "1."
#define NAMES_SHOWN_MAX 32

gboolean
atm_layout_check_version (GBytes *bytes, GError **error)
{
  static const AtmJsonField table[] = {
    { "imageLayoutVersion", ATM_JSON_STRING, 0, ATM_JSON_MANDATORY },
  };
  g_autoptr (JsonObject) object = NULL;
  g_autofree char *version = NULL, *shown = NULL;

  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "", &version,
                         error))
    return FALSE;
  if (g_str_has_prefix (version, VERSION_MAJOR))
    return TRUE;
  shown = atm_text_escape (version);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "The layout has version “%s”; this program reads version 1", shown);
}

static const char *
get_ref_name (JsonObject *entry)
{
  JsonNode *annotations = json_object_get_member (entry, "annotations");

  if (annotations == NULL || !JSON_NODE_HOLDS_OBJECT (annotations))
    return NULL;
  return json_object_get_string_member_with_default (json_node_get_object (annotations), REF_NAME,
                                                     NULL);
}

static gboolean
throw_choice (GError **error, JsonArray *manifests, const char *why)
{
  GString *names = g_string_new (NULL);
  g_autofree char *list = NULL;
  guint length = json_array_get_length (manifests);

  for (guint i = 0; i < MIN (length, NAMES_SHOWN_MAX); i++)
    {
      const char *name = get_ref_name (json_array_get_object_element (manifests, i));
      g_autofree char *shown = atm_text_escape (name);

      g_string_append (names, i > 0 ? ", " : "");
      if (name != NULL)
        g_string_append (names, shown);
      else
        g_string_append_printf (names, "@%u", i);
    }
  if (length > NAMES_SHOWN_MAX)
    g_string_append (names, ", …");
  list = g_string_free (names, FALSE);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND, "%s; index.json has: %s",
                    why, length > 0 ? list : "nothing");
}

/* Which entry @tag means; -1 and an error that lists the entries if none, or more than one. */
static int
find_entry (JsonArray *manifests, const char *tag, GError **error)
{
  guint length = json_array_get_length (manifests), found = 0, index = 0;
  g_autofree char *shown = atm_text_escape (tag), *why = NULL;

  if (tag != NULL && tag[0] == '@')
    {
      guint64 number = 0;

      if (g_ascii_string_to_unsigned (tag + 1, 10, 0, G_MAXUINT, &number, NULL) && number < length)
        return (int) number;
      why = g_strdup_printf ("There is no entry number “%s”", shown + 1);
      return throw_choice (error, manifests, why) ? 0 : -1;
    }

  for (guint i = 0; i < length; i++)
    if (tag == NULL
        || g_strcmp0 (get_ref_name (json_array_get_object_element (manifests, i)), tag) == 0)
      {
        index = i;
        found++;
      }
  if (found == 1)
    return (int) index;
  if (tag == NULL)
    why = g_strdup_printf ("There are %u images; say which one by “:TAG” or “:@INDEX”", length);
  else
    why = g_strdup_printf (found == 0 ? "There is no image “%s”"
                                      : "There is more than one image “%s”; choose by “:@INDEX”",
                           shown);
  return throw_choice (error, manifests, why) ? 0 : -1;
}

gboolean
atm_layout_index_choose (GBytes *bytes, const char *tag, AtmDescriptor **descriptor_out,
                         GError **error)
{
  static const AtmJsonField table[] = {
    { "manifests", ATM_JSON_ARRAY, 0, ATM_JSON_MANDATORY },
  };
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (JsonArray) manifests = NULL;
  g_autoptr (AtmDescriptor) descriptor = NULL;
  g_autofree char *where = NULL;
  int chosen = -1;

  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_descriptor_check_members (object, "", error)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "",
                         &manifests, error))
    return atm_prefix_error (error, "index.json");
  if (json_array_get_length (manifests) > ATM_INDEX_ENTRIES_MAX)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "index.json has %u entries, more than %d", json_array_get_length (manifests),
                      ATM_INDEX_ENTRIES_MAX);
  for (guint i = 0; i < json_array_get_length (manifests); i++)
    if (!JSON_NODE_HOLDS_OBJECT (json_array_get_element (manifests, i)))
      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                        "index.json: “manifests[%u]” is no object", i);

  chosen = find_entry (manifests, tag, error);
  if (chosen < 0)
    return FALSE;
  where = g_strdup_printf ("manifests[%d]", chosen);
  if (!atm_descriptor_read (json_array_get_object_element (manifests, (guint) chosen), where,
                            &descriptor, error))
    return atm_prefix_error (error, "index.json");
  *descriptor_out = g_steal_pointer (&descriptor);
  return TRUE;
}
