/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <string.h>

#include "container/record.h"
#include "util/error.h"
#include "util/json.h"

/* Records as JSON; the contract is in record.h. */

static const char *const results[] = { "done", "undone", "switched-back" };

const char *
atm_record_result_to_string (AtmRecordResult result)
{
  return results[result];
}

/* ---- from JSON ---- */

static gboolean
check_range (gint64 value, gint64 min, gint64 max, const char *where, const char *member,
             GError **error)
{
  return (value >= min && value <= max)
         || atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s%s” is out of range",
                       where, member);
}

static gboolean
read_refusal (JsonObject *object, const char *where, AtmRecord *record, GError **error)
{
  typedef struct
  {
    char *digest, *reason;
    gint64 time_unix;
  } Refusal;
  const AtmJsonField fields[] = {
    { "digest", ATM_JSON_STRING, G_STRUCT_OFFSET (Refusal, digest), ATM_JSON_MANDATORY },
    { "time", ATM_JSON_INT, G_STRUCT_OFFSET (Refusal, time_unix), ATM_JSON_MANDATORY },
    { "reason", ATM_JSON_STRING, G_STRUCT_OFFSET (Refusal, reason), ATM_JSON_MANDATORY },
  };
  Refusal refusal = { 0 };
  gboolean ok = atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, where,
                               &refusal, error);
  g_autofree char *digest = refusal.digest, *reason = refusal.reason;

  if (!ok || !check_range (refusal.time_unix, 0, G_MAXINT64, where, ".time", error))
    return FALSE;
  atm_record_refuse (record, digest, reason);
  ((AtmRecordRefusal *) record->refused->pdata[record->refused->len - 1])->time_unix
      = refusal.time_unix;
  return TRUE;
}

static gboolean
read_version (JsonObject *entry, const char *name, const char *entry_where,
              AtmRecordVersion *version, GError **error)
{
  typedef struct
  {
    AtmRecordVersion *version;
    gint64 deployment;
  } Version;
  const AtmJsonField fields[] = {
    { "image", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmRecordVersion, image), ATM_JSON_NULLABLE },
    { "digest", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmRecordVersion, digest), ATM_JSON_NULLABLE },
  };
  const AtmJsonField numbers[] = {
    { "deployment", ATM_JSON_INT, G_STRUCT_OFFSET (Version, deployment), ATM_JSON_MANDATORY },
  };
  g_autofree char *where = g_strconcat (entry_where, ".", name, NULL);
  JsonNode *node = json_object_get_member (entry, name);
  Version read = { version, -1 };

  version->deployment = -1;
  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s” has the wrong type",
                      where);
  if (!atm_json_read (json_node_get_object (node), fields, G_N_ELEMENTS (fields),
                      ATM_JSON_ALLOW_UNKNOWN, where, version, error)
      || !atm_json_read (json_node_get_object (node), numbers, G_N_ELEMENTS (numbers),
                         ATM_JSON_ALLOW_UNKNOWN, where, &read, error)
      || !check_range (read.deployment, 0, 1, where, ".deployment", error))
    return FALSE;
  version->deployment = (int) read.deployment;
  return TRUE;
}

static gboolean
read_result (const char *text, const char *where, AtmRecordResult *result_out, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    if (g_str_equal (results[i], text))
      {
        *result_out = i;
        return TRUE;
      }
  return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s.result” is unknown", where);
}

static gboolean
read_entry (JsonObject *object, const char *where, AtmRecord *record, GError **error)
{
  const AtmJsonField fields[] = {
    { "plan", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmRecordEntry, plan_id), ATM_JSON_MANDATORY },
    { "time", ATM_JSON_INT, G_STRUCT_OFFSET (AtmRecordEntry, time_unix), ATM_JSON_MANDATORY },
    { "verb", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmRecordEntry, verb), ATM_JSON_MANDATORY },
    { "accepted-by", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (AtmRecordEntry, accepted_by),
      ATM_JSON_NULLABLE },
    { "note", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmRecordEntry, note), ATM_JSON_NULLABLE },
  };
  typedef struct
  {
    char *text;
  } Result;
  const AtmJsonField result_fields[] = {
    { "result", ATM_JSON_STRING, G_STRUCT_OFFSET (Result, text), ATM_JSON_MANDATORY },
  };
  g_autoptr (AtmRecordEntry) entry = g_new0 (AtmRecordEntry, 1);
  g_autofree char *text = NULL;
  Result result = { NULL };
  gboolean ok = atm_json_read (object, result_fields, G_N_ELEMENTS (result_fields),
                               ATM_JSON_ALLOW_UNKNOWN, where, &result, error);

  text = result.text;
  if (!ok || !read_result (text, where, &entry->result, error)
      || !atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, where,
                         entry, error)
      || !check_range (entry->time_unix, 0, G_MAXINT64, where, ".time", error)
      || !read_version (object, "from", where, &entry->from, error)
      || !read_version (object, "to", where, &entry->to, error))
    return FALSE;
  atm_record_add (record, g_steal_pointer (&entry));
  return TRUE;
}

typedef gboolean (*ReadFunc) (JsonObject *object, const char *where, AtmRecord *record,
                              GError **error);

/* Member @name of @object: an array of objects, each of which @read takes, or nothing. */
static gboolean
read_objects (JsonObject *object, const char *name, ReadFunc read, AtmRecord *record,
              GError **error)
{
  JsonNode *node = json_object_get_member (object, name);
  JsonArray *array = NULL;

  if (node != NULL && !JSON_NODE_HOLDS_ARRAY (node))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s” has the wrong type",
                      name);
  array = node != NULL ? json_node_get_array (node) : NULL;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      g_autofree char *where = g_strdup_printf ("%s[%u]", name, i);
      JsonNode *element = json_array_get_element (array, i);

      if (!JSON_NODE_HOLDS_OBJECT (element))
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s” has the wrong type",
                          where);
      if (!read (json_node_get_object (element), where, record, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_record_parse (GBytes *bytes, AtmRecord **record_out, GError **error)
{
  typedef struct
  {
    gboolean auto_update;
    gint64 health_window_sec;
  } Settings;
  const AtmJsonField fields[] = {
    { "auto-update", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (Settings, auto_update), ATM_JSON_OPTIONAL },
    { "health-window", ATM_JSON_INT, G_STRUCT_OFFSET (Settings, health_window_sec),
      ATM_JSON_NULLABLE },
  };
  g_autoptr (AtmRecord) record = atm_record_new ();
  g_autoptr (JsonObject) object = NULL;
  Settings settings = { FALSE, ATM_RECORD_HEALTH_WINDOW_DEFAULT };
  JsonNode *window = NULL;

  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, "",
                         &settings, error))
    return FALSE;
  window = json_object_get_member (object, "health-window");
  if ((window != NULL && !JSON_NODE_HOLDS_NULL (window)
       && !check_range (settings.health_window_sec, 0, ATM_RECORD_HEALTH_WINDOW_MAX_SEC, "",
                        "health-window", error))
      || !read_objects (object, "refused", read_refusal, record, error)
      || !read_objects (object, "history", read_entry, record, error))
    return FALSE;
  record->auto_update = settings.auto_update;
  record->health_window_sec = (int) settings.health_window_sec;
  *record_out = g_steal_pointer (&record);
  return TRUE;
}

/* ---- to JSON ---- */

/* Texts come from images and from errors; cut so that a record cannot grow without end. */
static void
add_text (JsonBuilder *builder, const char *text)
{
  gsize length = strnlen (text, ATM_RECORD_TEXT_MAX_BYTES + 1);
  g_autofree char *cut = NULL, *valid = NULL;

  if (length > ATM_RECORD_TEXT_MAX_BYTES)
    for (length = ATM_RECORD_TEXT_MAX_BYTES; length > 0 && (text[length] & 0xc0) == 0x80; length--)
      ;
  cut = g_strndup (text, length);
  valid = g_utf8_make_valid (cut, -1);
  json_builder_add_string_value (builder, valid);
}

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    add_text (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
add_version (JsonBuilder *builder, const char *name, const AtmRecordVersion *version)
{
  json_builder_set_member_name (builder, name);
  if (version->deployment < 0)
    {
      json_builder_add_null_value (builder);
      return;
    }
  json_builder_begin_object (builder);
  add_string (builder, "image", version->image);
  add_string (builder, "digest", version->digest);
  atm_json_add_int (builder, "deployment", version->deployment);
  json_builder_end_object (builder);
}

static void
add_entry (JsonBuilder *builder, const AtmRecordEntry *entry)
{
  json_builder_begin_object (builder);
  add_string (builder, "plan", entry->plan_id);
  atm_json_add_int (builder, "time", entry->time_unix);
  add_string (builder, "verb", entry->verb);
  add_string (builder, "result", results[entry->result]);
  add_version (builder, "from", &entry->from);
  add_version (builder, "to", &entry->to);
  json_builder_set_member_name (builder, "accepted-by");
  json_builder_begin_array (builder);
  for (guint i = 0;
       entry->accepted_by != NULL && entry->accepted_by[i] != NULL && i < ATM_RECORD_ACCEPTED_MAX;
       i++)
    add_text (builder, entry->accepted_by[i]);
  json_builder_end_array (builder);
  add_string (builder, "note", entry->note);
  json_builder_end_object (builder);
}

static GBytes *
to_bytes (const AtmRecord *record, guint first_entry)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  char *text = NULL;

  json_builder_begin_object (builder);
  atm_json_add_boolean (builder, "auto-update", record->auto_update);
  json_builder_set_member_name (builder, "health-window");
  if (record->health_window_sec == ATM_RECORD_HEALTH_WINDOW_DEFAULT)
    json_builder_add_null_value (builder);
  else
    json_builder_add_int_value (builder, record->health_window_sec);

  json_builder_set_member_name (builder, "refused");
  json_builder_begin_array (builder);
  for (guint i = 0; i < record->refused->len; i++)
    {
      const AtmRecordRefusal *refusal = record->refused->pdata[i];

      json_builder_begin_object (builder);
      add_string (builder, "digest", refusal->digest);
      atm_json_add_int (builder, "time", refusal->time_unix);
      add_string (builder, "reason", refusal->reason);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);

  json_builder_set_member_name (builder, "history");
  json_builder_begin_array (builder);
  for (guint i = first_entry; i < record->history->len; i++)
    add_entry (builder, record->history->pdata[i]);
  json_builder_end_array (builder);
  json_builder_end_object (builder);

  root = json_builder_get_root (builder);
  text = atm_json_to_text (root, TRUE);
  return g_bytes_new_take (text, strlen (text));
}

GBytes *
atm_record_to_bytes (const AtmRecord *record)
{
  guint first = 0;
  GBytes *bytes = to_bytes (record, first);

  while (g_bytes_get_size (bytes) > ATM_RECORD_MAX_BYTES && first < record->history->len)
    {
      const gsize excess_bytes = g_bytes_get_size (bytes) - ATM_RECORD_MAX_BYTES;

      /* about as many of the entries as there are bytes too many of all */
      first += MAX (1, (record->history->len - first) * excess_bytes / g_bytes_get_size (bytes));
      g_bytes_unref (bytes);
      bytes = to_bytes (record, first);
    }
  return bytes;
}
