/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/descriptor.h"

#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

typedef struct
{
  char *media_type; /* (owned) (nullable) */
  char *digest;     /* (owned) (nullable) */
  gint64 size;
} Fields;

static void
fields_clear (Fields *fields)
{
  g_free (fields->media_type);
  g_free (fields->digest);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fields, fields_clear)

gboolean
atm_descriptor_read (JsonObject *object, const char *where, AtmDescriptor **descriptor_out,
                     GError **error)
{
  static const AtmJsonField table[] = {
    { "mediaType", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, media_type), ATM_JSON_OPTIONAL },
    { "digest", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, digest), ATM_JSON_MANDATORY },
    { "size", ATM_JSON_INT, G_STRUCT_OFFSET (Fields, size), ATM_JSON_MANDATORY },
  };
  g_auto (Fields) fields = { 0 };
  g_autoptr (AtmDescriptor) descriptor = g_new0 (AtmDescriptor, 1);

  if (!atm_descriptor_check_members (object, where, error)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, where,
                         &fields, error))
    return FALSE;
  if (fields.size < 0 || fields.size > ATM_DESCRIPTOR_SIZE_MAX)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“%s.size” is %" G_GINT64_FORMAT ", which is no size", where, fields.size);
  if (!atm_digest_parse (fields.digest, &descriptor->digest, error))
    return atm_prefix_error (error, "“%s.digest”", where);
  descriptor->media_type = g_steal_pointer (&fields.media_type);
  descriptor->size_bytes = (guint64) fields.size;
  *descriptor_out = g_steal_pointer (&descriptor);
  return TRUE;
}

AtmDescriptor *
atm_descriptor_copy (const AtmDescriptor *descriptor)
{
  AtmDescriptor *copy = g_new0 (AtmDescriptor, 1);

  *copy = *descriptor;
  copy->media_type = g_strdup (descriptor->media_type);
  return copy;
}

void
atm_descriptor_free (AtmDescriptor *descriptor)
{
  if (descriptor == NULL)
    return;
  g_free (descriptor->media_type);
  g_free (descriptor);
}

gboolean
atm_descriptor_check_members (JsonObject *object, const char *where, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  JsonObjectIter iter;
  const char *name;

  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, NULL))
    {
      /* Readers that ignore case fold by Unicode, where also U+017F is an “s”. */
      g_autofree char *upper = g_utf8_strup (name, -1);

      if (!g_hash_table_add (seen, g_utf8_casefold (upper, -1)))
        {
          g_autofree char *shown = atm_text_escape (name);

          return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                            "“%s%s%s” is there twice, in different case", where,
                            *where != '\0' ? "." : "", shown);
        }
    }
  return TRUE;
}
