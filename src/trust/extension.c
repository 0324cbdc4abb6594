/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/extension.h"

#include "trust/refusal.h"
#include "trust/signature.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/json.h"

#define SCHEMA_VERSION 2
#define SIGNATURE_TYPE "atomic"

typedef struct
{
  JsonArray *signatures; /* (owned) (nullable) */
} Document;

static void
document_clear (Document *document)
{
  g_clear_pointer (&document->signatures, json_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Document, document_clear)

static const AtmJsonField document_fields[] = {
  { "signatures", ATM_JSON_ARRAY, G_STRUCT_OFFSET (Document, signatures), ATM_JSON_MANDATORY },
};

typedef struct
{
  gint64 schema_version;
  char *type;    /* (owned) (nullable) */
  char *name;    /* (owned) (nullable): a claim that nobody needs */
  char *content; /* (owned) (nullable) */
} Entry;

static void
entry_clear (Entry *entry)
{
  g_clear_pointer (&entry->type, g_free);
  g_clear_pointer (&entry->name, g_free);
  g_clear_pointer (&entry->content, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Entry, entry_clear)

static const AtmJsonField entry_fields[] = {
  { "schemaVersion", ATM_JSON_INT, G_STRUCT_OFFSET (Entry, schema_version), ATM_JSON_MANDATORY },
  { "type", ATM_JSON_STRING, G_STRUCT_OFFSET (Entry, type), ATM_JSON_MANDATORY },
  { "name", ATM_JSON_STRING, G_STRUCT_OFFSET (Entry, name), ATM_JSON_OPTIONAL },
  { "content", ATM_JSON_STRING, G_STRUCT_OFFSET (Entry, content), ATM_JSON_OPTIONAL },
};

/* %NULL in @blob_out: it is of another kind. */
static gboolean
read_entry (JsonNode *node, const char *where, GBytes **blob_out, GError **error)
{
  g_auto (Entry) entry = { 0 };
  GBytes *blob = NULL;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s” is no object", where);
  if (!atm_json_read (json_node_get_object (node), entry_fields, G_N_ELEMENTS (entry_fields),
                      ATM_JSON_ALLOW_UNKNOWN, where, &entry, error))
    return FALSE;
  if (entry.schema_version != SCHEMA_VERSION || !g_str_equal (entry.type, SIGNATURE_TYPE))
    return TRUE;
  blob = entry.content != NULL ? atm_base64_decode (entry.content) : NULL;
  if (blob == NULL)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“%s.content” is missing or not base64", where);
  *blob_out = blob;
  return TRUE;
}

static gboolean
read_document (GBytes *bytes, GPtrArray *blobs, GError **error)
{
  g_autoptr (JsonObject) top = NULL;
  g_auto (Document) document = { 0 };

  if (!atm_json_parse_object (bytes, &top, error)
      || !atm_json_read (top, document_fields, G_N_ELEMENTS (document_fields),
                         ATM_JSON_ALLOW_UNKNOWN, "", &document, error))
    return FALSE;
  for (guint i = 0; i < json_array_get_length (document.signatures); i++)
    {
      g_autofree char *where = g_strdup_printf ("signatures[%u]", i);
      GBytes *blob = NULL;

      if (!read_entry (json_array_get_element (document.signatures, i), where, &blob, error))
        return FALSE;
      if (blob == NULL)
        continue;
      g_ptr_array_add (blobs, blob);
      if (blobs->len > ATM_SIGNATURES_MAX)
        return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                          "there are more than %d signatures; the publisher must remove those that "
                          "nobody needs",
                          ATM_SIGNATURES_MAX);
    }
  return TRUE;
}

gboolean
atm_extension_parse (GBytes *document, GPtrArray **blobs_out, GError **error)
{
  g_autoptr (GPtrArray) blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  if (!read_document (document, blobs, error))
    return atm_refusal_convert (error, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
  *blobs_out = g_steal_pointer (&blobs);
  return TRUE;
}
