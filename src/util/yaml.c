/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/yaml.h"

#include <string.h>
#include <yaml.h>

#include "util/error.h"

/* Events, not libyaml's document tree: the tree keeps only the last of two equal keys and expands
   aliases, and both would have to be found again afterwards. */

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (yaml_parser_t, yaml_parser_delete)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (yaml_event_t, yaml_event_delete)

typedef struct
{
  JsonObject *levels[ATM_YAML_DEPTH_MAX]; /* (owned): the open mappings */
  char *keys[ATM_YAML_DEPTH_MAX];         /* (owned) (nullable): a key that waits for its value */
  guint depth;
  guint documents;
  JsonObject *document; /* (owned) (nullable) */
} Reader;

static void
reader_clear (Reader *reader)
{
  while (reader->depth > 0)
    {
      reader->depth--;
      g_clear_pointer (&reader->levels[reader->depth], json_object_unref);
      g_clear_pointer (&reader->keys[reader->depth], g_free);
    }
  g_clear_pointer (&reader->document, json_object_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reader, reader_clear)

static gboolean
fail (yaml_mark_t mark, const char *why, GError **error)
{
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    "Invalid YAML in line %" G_GSIZE_FORMAT ": %s", mark.line + 1, why);
}

static gboolean
is_null (const yaml_event_t *event)
{
  const char *text = (const char *) event->data.scalar.value;

  return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
         && (*text == '\0' || g_str_equal (text, "~") || g_ascii_strcasecmp (text, "null") == 0);
}

static gboolean
read_key (Reader *reader, const yaml_event_t *event, GError **error)
{
  const char *text = (const char *) event->data.scalar.value;

  if (is_null (event))
    return fail (event->start_mark, "a key is empty", error);
  /* In YAML 1.1 this key merges another mapping into its own. */
  if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && g_str_equal (text, "<<"))
    return fail (event->start_mark, "merge keys are not supported", error);
  if (json_object_has_member (reader->levels[reader->depth - 1], text))
    return fail (event->start_mark, "the key is there twice", error);
  reader->keys[reader->depth - 1] = g_strdup (text);
  return TRUE;
}

static gboolean
read_scalar (Reader *reader, const yaml_event_t *event, GError **error)
{
  const char *text = (const char *) event->data.scalar.value;
  g_autofree char *key = NULL;

  if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
    return fail (event->start_mark, "anchors and tags are not supported", error);
  if (strlen (text) != event->data.scalar.length)
    return fail (event->start_mark, "U+0000 in a scalar", error);
  if (reader->depth == 0)
    {
      if (!is_null (event))
        return fail (event->start_mark, "the document is no mapping", error);
      reader->document = json_object_new ();
      return TRUE;
    }
  if (reader->keys[reader->depth - 1] == NULL)
    return read_key (reader, event, error);

  key = g_steal_pointer (&reader->keys[reader->depth - 1]);
  if (is_null (event))
    json_object_set_null_member (reader->levels[reader->depth - 1], key);
  else
    json_object_set_string_member (reader->levels[reader->depth - 1], key, text);
  return TRUE;
}

static gboolean
open_mapping (Reader *reader, const yaml_event_t *event, GError **error)
{
  if (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL)
    return fail (event->start_mark, "anchors and tags are not supported", error);
  if (reader->depth > 0 && reader->keys[reader->depth - 1] == NULL)
    return fail (event->start_mark, "a key is no scalar", error);
  if (reader->depth == ATM_YAML_DEPTH_MAX)
    return fail (event->start_mark, "nested too deep", error);
  reader->levels[reader->depth++] = json_object_new ();
  return TRUE;
}

static void
close_mapping (Reader *reader)
{
  g_autoptr (JsonObject) object = g_steal_pointer (&reader->levels[--reader->depth]);

  if (reader->depth == 0)
    reader->document = g_steal_pointer (&object);
  else
    {
      g_autofree char *key = g_steal_pointer (&reader->keys[reader->depth - 1]);

      json_object_set_object_member (reader->levels[reader->depth - 1], key,
                                     g_steal_pointer (&object));
    }
}

static gboolean
read_event (Reader *reader, const yaml_event_t *event, GError **error)
{
  switch (event->type)
    {
    case YAML_DOCUMENT_START_EVENT:
      if (event->data.document_start.tag_directives.start
          != event->data.document_start.tag_directives.end)
        return fail (event->start_mark, "anchors and tags are not supported", error);
      if (reader->documents++ > 0)
        return fail (event->start_mark, "a second document", error);
      return TRUE;
    case YAML_SCALAR_EVENT:
      return read_scalar (reader, event, error);
    case YAML_MAPPING_START_EVENT:
      return open_mapping (reader, event, error);
    case YAML_MAPPING_END_EVENT:
      close_mapping (reader);
      return TRUE;
    case YAML_SEQUENCE_START_EVENT:
      return fail (event->start_mark, "lists are not supported", error);
    case YAML_ALIAS_EVENT:
      return fail (event->start_mark, "aliases are not supported", error);
    default:
      return TRUE;
    }
}

gboolean
atm_yaml_parse (GBytes *bytes, JsonObject **object_out, GError **error)
{
  gsize length = 0;
  const unsigned char *text = g_bytes_get_data (bytes, &length);
  g_auto (yaml_parser_t) parser = { 0 };
  g_auto (Reader) reader = { 0 };
  gboolean ended = FALSE;

  if (length > ATM_YAML_MAX_BYTES)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "Invalid YAML: larger than %d bytes", ATM_YAML_MAX_BYTES);
  if (!yaml_parser_initialize (&parser))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "libyaml has no memory");
  yaml_parser_set_encoding (&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string (&parser, text != NULL ? text : (const unsigned char *) "", length);

  while (!ended)
    {
      g_auto (yaml_event_t) event = { 0 };

      if (!yaml_parser_parse (&parser, &event))
        return fail (parser.problem_mark, parser.problem != NULL ? parser.problem : "not YAML",
                     error);
      ended = event.type == YAML_STREAM_END_EVENT;
      if (!read_event (&reader, &event, error))
        return FALSE;
    }

  *object_out = reader.document != NULL ? g_steal_pointer (&reader.document) : json_object_new ();
  return TRUE;
}
