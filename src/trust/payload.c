/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/payload.h"

#include <string.h>

#include "trust/refusal.h"
#include "util/error.h"
#include "util/json.h"

#define TWO_TO_63 9223372036854775808.0
#define PAYLOAD_TYPE "atomic container signature"

/* The document's objects, each read by its own table. */
typedef struct
{
  JsonObject *critical; /* (owned) (nullable) */
  JsonObject *optional; /* (owned) (nullable) */
  JsonObject *image;    /* (owned) (nullable) */
  JsonObject *identity; /* (owned) (nullable) */
  char *type;           /* (owned) (nullable) */
  char *digest;         /* (owned) (nullable) */
  char *reference;      /* (owned) (nullable) */
} Document;

static void
document_clear (Document *document)
{
  g_clear_pointer (&document->critical, json_object_unref);
  g_clear_pointer (&document->optional, json_object_unref);
  g_clear_pointer (&document->image, json_object_unref);
  g_clear_pointer (&document->identity, json_object_unref);
  g_clear_pointer (&document->type, g_free);
  g_clear_pointer (&document->digest, g_free);
  g_clear_pointer (&document->reference, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Document, document_clear)

#define FIELD(name, type, member)                                                                  \
  {                                                                                                \
    name, type, G_STRUCT_OFFSET (Document, member), ATM_JSON_MANDATORY                             \
  }

static const AtmJsonField top_fields[] = {
  FIELD ("critical", ATM_JSON_OBJECT, critical),
  FIELD ("optional", ATM_JSON_OBJECT, optional),
};

static const AtmJsonField critical_fields[] = {
  FIELD ("type", ATM_JSON_STRING, type),
  FIELD ("image", ATM_JSON_OBJECT, image),
  FIELD ("identity", ATM_JSON_OBJECT, identity),
};

static const AtmJsonField image_fields[] = {
  FIELD ("docker-manifest-digest", ATM_JSON_STRING, digest),
};

static const AtmJsonField identity_fields[] = {
  FIELD ("docker-reference", ATM_JSON_STRING, reference),
};

static gboolean
read_document (JsonObject *top, Document *document, GError **error)
{
  return atm_json_read (top, top_fields, G_N_ELEMENTS (top_fields), ATM_JSON_REFUSE_UNKNOWN, "",
                        document, error)
         && atm_json_read (document->critical, critical_fields, G_N_ELEMENTS (critical_fields),
                           ATM_JSON_REFUSE_UNKNOWN, "critical", document, error)
         && atm_json_read (document->image, image_fields, G_N_ELEMENTS (image_fields),
                           ATM_JSON_REFUSE_UNKNOWN, "critical.image", document, error)
         && atm_json_read (document->identity, identity_fields, G_N_ELEMENTS (identity_fields),
                           ATM_JSON_REFUSE_UNKNOWN, "critical.identity", document, error);
}

static gboolean
is_int64 (JsonNode *node)
{
  double value = 0;

  if (json_node_get_value_type (node) == G_TYPE_INT64)
    return TRUE;
  if (json_node_get_value_type (node) != G_TYPE_DOUBLE)
    return FALSE;
  value = json_node_get_double (node);
  /* 2^63 is the first double that no int64 has; NaN fails both comparisons. */
  return value >= -TWO_TO_63 && value < TWO_TO_63 && value == (double) (gint64) value;
}

/* Members that nobody knows are allowed here, and only here. */
static gboolean
check_optional (JsonObject *optional, GError **error)
{
  JsonNode *creator = json_object_get_member (optional, "creator");
  JsonNode *timestamp = json_object_get_member (optional, "timestamp");

  if (creator != NULL && json_node_get_value_type (creator) != G_TYPE_STRING)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“optional.creator” is no string");
  if (timestamp != NULL && !is_int64 (timestamp))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“optional.timestamp” is no whole number of 64 bits");
  return TRUE;
}

static gboolean
parse (GBytes *bytes, AtmPayload *payload, GError **error)
{
  g_autoptr (JsonObject) top = NULL;
  g_auto (Document) document = { 0 };

  if (!atm_json_parse_object (bytes, &top, error) || !read_document (top, &document, error)
      || !check_optional (document.optional, error))
    return FALSE;
  if (!g_str_equal (document.type, PAYLOAD_TYPE))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“critical.type” is not “" PAYLOAD_TYPE "”");
  if (!atm_digest_parse (document.digest, &payload->digest, error))
    return atm_prefix_error (error, "“critical.image.docker-manifest-digest”");
  payload->reference = g_steal_pointer (&document.reference);
  return TRUE;
}

gboolean
atm_payload_parse (GBytes *bytes, AtmPayload **payload_out, GError **error)
{
  g_autoptr (AtmPayload) payload = g_new0 (AtmPayload, 1);

  if (g_bytes_get_size (bytes) > ATM_PAYLOAD_MAX_BYTES)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_PAYLOAD_INVALID,
                      "the signed payload has more than %d bytes", ATM_PAYLOAD_MAX_BYTES);
  if (!parse (bytes, payload, error))
    {
      (void) atm_refusal_convert (error, ATM_TRUST_ERROR_PAYLOAD_INVALID);
      return atm_prefix_error (error, "the signed payload is no simple signature");
    }
  *payload_out = g_steal_pointer (&payload);
  return TRUE;
}

void
atm_payload_free (AtmPayload *payload)
{
  if (payload == NULL)
    return;
  g_free (payload->reference);
  g_free (payload);
}

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
begin_member (JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
}

GBytes *
atm_payload_write (const AtmDigest *digest, const char *reference, const char *creator,
                   gint64 timestamp_unix)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree char *digest_text = atm_digest_to_string (digest);
  g_autoptr (JsonNode) node = NULL;
  char *text = NULL;

  json_builder_begin_object (builder);
  begin_member (builder, "critical");
  begin_member (builder, "identity");
  add_string (builder, "docker-reference", reference);
  json_builder_end_object (builder);
  begin_member (builder, "image");
  add_string (builder, "docker-manifest-digest", digest_text);
  json_builder_end_object (builder);
  add_string (builder, "type", PAYLOAD_TYPE);
  json_builder_end_object (builder);
  begin_member (builder, "optional");
  add_string (builder, "creator", creator);
  json_builder_set_member_name (builder, "timestamp");
  json_builder_add_int_value (builder, timestamp_unix);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  node = json_builder_get_root (builder);
  text = atm_json_to_text (node, FALSE);
  return g_bytes_new_take (text, strlen (text));
}
