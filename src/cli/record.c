/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/record.h"

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/time.h"

#define ID_SHOWN 12

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
  atm_cli_add_string (builder, "image_name", version->image);
  atm_cli_add_string (builder, "image_id", version->digest);
  atm_cli_add_number (builder, "number", (guint64) version->deployment);
  json_builder_end_object (builder);
}

void
atm_cli_add_entry (JsonBuilder *builder, const AtmRecordEntry *entry)
{
  g_autofree char *time = atm_cli_format_time (entry->time_unix);

  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "time", time);
  atm_cli_add_number (builder, "time_unix", (guint64) entry->time_unix);
  atm_cli_add_string (builder, "verb", entry->verb);
  atm_cli_add_string (builder, "result", atm_record_result_to_string (entry->result));
  add_version (builder, "from", &entry->from);
  add_version (builder, "to", &entry->to);
  atm_cli_add_strings (builder, "accepted_by", entry->accepted_by);
  atm_cli_add_string (builder, "note", entry->note);
  json_builder_end_object (builder);
}

static char *
dup_version (const AtmRecordVersion *version)
{
  if (version->deployment < 0)
    return g_strdup ("nothing");
  return g_strdup_printf ("%s %.*s (.%d)", version->image != NULL ? version->image : "an image",
                          ID_SHOWN, version->digest != NULL ? version->digest : "",
                          version->deployment);
}

void
atm_cli_print_entry (const AtmRecordEntry *entry, const char *indent)
{
  g_autofree char *time = atm_cli_format_time (entry->time_unix);
  g_autofree char *from = dup_version (&entry->from), *to = dup_version (&entry->to);

  atm_cli_print ("%s%s  %s, %s: from %s to %s", indent, time, entry->verb,
                 atm_record_result_to_string (entry->result), from, to);
  if (entry->note != NULL && *entry->note != '\0')
    atm_cli_print ("%s    %s", indent, entry->note);
}

void
atm_cli_add_settings (JsonBuilder *builder, const AtmRecord *record)
{
  json_builder_set_member_name (builder, "settings");
  json_builder_begin_object (builder);
  atm_json_add_boolean (builder, "auto_update", record->auto_update);
  json_builder_set_member_name (builder, "health_window");
  if (record->health_window_sec == ATM_RECORD_HEALTH_WINDOW_DEFAULT)
    json_builder_add_null_value (builder);
  else
    json_builder_add_int_value (builder, record->health_window_sec);
  json_builder_end_object (builder);
}

void
atm_cli_print_settings (const AtmRecord *record)
{
  g_print ("Automatic update: %s\n", record->auto_update ? "yes" : "no");
  if (record->health_window_sec == ATM_RECORD_HEALTH_WINDOW_DEFAULT)
    g_print ("Health window: default\n");
  else
    g_print ("Health window: %d s\n", record->health_window_sec);
}
