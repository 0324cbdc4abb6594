/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/descriptor.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

/* Only these types may be elsewhere (registry.md 4.5). */
#define OCI_FOREIGN_PREFIX "application/vnd.oci.image.layer.nondistributable."
#define DOCKER_FOREIGN_PREFIX "application/vnd.docker.image.rootfs.foreign."

typedef struct
{
  char *media_type; /* (owned) (nullable) */
  char *digest;     /* (owned) (nullable) */
  gint64 size;
  char **urls; /* (owned) (nullable) */
} Fields;

static void
fields_clear (Fields *fields)
{
  g_free (fields->media_type);
  g_free (fields->digest);
  g_strfreev (fields->urls);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fields, fields_clear)

static gboolean
is_foreign (const char *media_type)
{
  return media_type != NULL
         && (g_str_has_prefix (media_type, OCI_FOREIGN_PREFIX)
             || g_str_has_prefix (media_type, DOCKER_FOREIGN_PREFIX));
}

static char **
choose_urls (char **urls)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) chosen = NULL;
  guint count = 0;

  for (guint i = 0; urls != NULL && urls[i] != NULL && count < ATM_DESCRIPTOR_URLS_MAX; i++)
    if (strlen (urls[i]) <= ATM_DESCRIPTOR_URL_MAX_BYTES
        && (g_str_has_prefix (urls[i], "https://") || g_str_has_prefix (urls[i], "http://")))
      {
        g_strv_builder_add (builder, urls[i]);
        count++;
      }
  chosen = g_strv_builder_end (builder);
  return count > 0 ? g_steal_pointer (&chosen) : NULL;
}

gboolean
atm_descriptor_read (JsonObject *object, const char *where, AtmDescriptor **descriptor_out,
                     GError **error)
{
  static const AtmJsonField table[] = {
    { "mediaType", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, media_type), ATM_JSON_OPTIONAL },
    { "digest", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, digest), ATM_JSON_MANDATORY },
    { "size", ATM_JSON_INT, G_STRUCT_OFFSET (Fields, size), ATM_JSON_MANDATORY },
    { "urls", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (Fields, urls), ATM_JSON_LENIENT },
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
  if (is_foreign (descriptor->media_type))
    descriptor->urls = choose_urls (fields.urls);
  *descriptor_out = g_steal_pointer (&descriptor);
  return TRUE;
}

AtmDescriptor *
atm_descriptor_copy (const AtmDescriptor *descriptor)
{
  AtmDescriptor *copy = g_new0 (AtmDescriptor, 1);

  *copy = *descriptor;
  copy->media_type = g_strdup (descriptor->media_type);
  copy->urls = g_strdupv (descriptor->urls);
  copy->data = descriptor->data != NULL ? g_bytes_ref (descriptor->data) : NULL;
  return copy;
}

void
atm_descriptor_take_data (AtmDescriptor *descriptor, JsonObject *object)
{
  JsonNode *node = json_object_get_member (object, "data");
  g_autoptr (GBytes) bytes = NULL;
  guint8 *data = NULL;
  gsize length = 0;

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_STRING)
    return;
  data = g_base64_decode (json_node_get_string (node), &length);
  bytes = g_bytes_new_take (data, length);
  if (length == descriptor->size_bytes && atm_digest_check (&descriptor->digest, bytes, "", NULL))
    descriptor->data = g_steal_pointer (&bytes);
}

void
atm_descriptor_clear (AtmDescriptor *descriptor)
{
  g_clear_pointer (&descriptor->media_type, g_free);
  g_clear_pointer (&descriptor->urls, g_strfreev);
  g_clear_pointer (&descriptor->data, g_bytes_unref);
}

void
atm_descriptor_free (AtmDescriptor *descriptor)
{
  if (descriptor == NULL)
    return;
  atm_descriptor_clear (descriptor);
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
