/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* JSON: one strict reader for what comes from outside, documents read by table, and what json-glib
   leaves to be said for writing them. */

#define ATM_JSON_ERROR (atm_json_error_quark ())
GQuark atm_json_error_quark (void);

typedef enum
{
  ATM_JSON_ERROR_SYNTAX, /* not RFC 8259, or refused by the strict reader */
  ATM_JSON_ERROR_MEMBER  /* a member is missing, unknown or of a wrong type */
} AtmJsonError;

/* More nesting than any document of the formats we read has (spec: trust.md 3.3). */
#define ATM_JSON_DEPTH_MAX 32

/**
 * atm_json_parse:
 * @bytes: (borrowed): untrusted text; the caller has limited its size
 * @node_out: (out) (transfer full): the value
 * @error: %ATM_JSON_ERROR_SYNTAX, with line and column
 *
 * json-glib's parser takes comments, repeated members, trailing documents and numbers that
 * overflow, cuts strings at U+0000 and recurses without a limit; so this is our own, which fills
 * the same tree in a fifth of the time: UTF-8 without byte order mark, RFC 8259 grammar, one value,
 * depth up to %ATM_JSON_DEPTH_MAX, no member twice in an object (compared after unescaping), no
 * U+0000, integers within 64 bits, no lone surrogates.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_json_parse (GBytes *bytes, JsonNode **node_out, GError **error);

/**
 * atm_json_find:
 * @path: (array zero-terminated=1): the names of members, from the top, at least one
 * @node_out: (out) (transfer full) (nullable): the value there; %NULL if there is none
 *
 * As atm_json_parse(), for a document of which one value is wanted; the whole of it must be valid.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_json_find (GBytes *bytes, const char *const *path, JsonNode **node_out,
                        GError **error);

/**
 * atm_json_parse_object:
 *
 * As atm_json_parse(), for a document that must be an object.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_json_parse_object (GBytes *bytes, JsonObject **object_out, GError **error);

/**
 * atm_json_parse_summary:
 *
 * As atm_json_parse_object(), but members that are objects come empty: for whoever reads many
 * documents and wants a few words of each. All of the text must be valid nevertheless.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_json_parse_summary (GBytes *bytes, JsonObject **object_out, GError **error);

typedef enum
{
  ATM_JSON_STRING,       /* char *, owned */
  ATM_JSON_INT,          /* gint64; a fraction or an exponent is a wrong type */
  ATM_JSON_BOOLEAN,      /* gboolean */
  ATM_JSON_OBJECT,       /* JsonObject *, a reference */
  ATM_JSON_ARRAY,        /* JsonArray *, a reference */
  ATM_JSON_STRING_ARRAY, /* char **, owned */
  ATM_JSON_STRING_MAP    /* GHashTable * of char * to char *, owned */
} AtmJsonType;

typedef enum
{
  ATM_JSON_OPTIONAL = 0,
  ATM_JSON_MANDATORY = 1 << 0,
  ATM_JSON_NULLABLE = 1 << 1, /* null counts as absent */
  ATM_JSON_LENIENT = 1 << 2   /* so does a wrong type (registry.md 4.6) */
} AtmJsonFlags;

/* One member of a document: where it goes in the struct that is filled. */
typedef struct
{
  const char *name;
  AtmJsonType type;
  gsize offset;
  AtmJsonFlags flags;
} AtmJsonField;

typedef enum
{
  ATM_JSON_ALLOW_UNKNOWN,
  ATM_JSON_REFUSE_UNKNOWN
} AtmJsonUnknown;

/**
 * atm_json_read:
 * @object: (borrowed): the document, or a part of it
 * @fields: (array length=n_fields): what it may hold
 * @unknown: what becomes of members that @fields does not name
 * @where: the path of @object for messages, as in “layers[2]”; "" at the top
 * @target: the struct; it must be zeroed, and its own free function works after a failure too
 * @error: %ATM_JSON_ERROR_MEMBER
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_json_read (JsonObject *object, const AtmJsonField *fields, gsize n_fields,
                        AtmJsonUnknown unknown, const char *where, gpointer target, GError **error);

/**
 * atm_json_to_text:
 * @node: (borrowed): ours, to be written
 * @pretty: indented by four spaces, with a final newline; else compact, without
 *
 * Returns: (transfer full): the text
 */
char *atm_json_to_text (JsonNode *node, gboolean pretty);

/* One member of the object that @builder is in. */
void atm_json_add_string (JsonBuilder *builder, const char *name,
                          const char *value); /* in UTF-8; %NULL: null */
void atm_json_add_int (JsonBuilder *builder, const char *name, gint64 value);
void atm_json_add_boolean (JsonBuilder *builder, const char *name, gboolean value);
void atm_json_add_strings (JsonBuilder *builder, const char *name, char **values); /* %NULL: [] */
