/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/record.h"
#include "cli/time.h"
#include "ops/describe.h"

static const char *
role_to_string (AtmVersionRole role)
{
  const char *const words[] = { "current", "previous", "staged" };

  return words[role];
}

static const char *
host_file_to_string (AtmHostFileState state)
{
  const char *const words[] = { "unchanged", "changed", "missing" };

  return words[state];
}

/* ---- text ---- */

static void
print_version (const AtmVersion *version)
{
  const AtmInfo *info = version->info;
  g_autofree char *created = atm_cli_format_time (info != NULL ? info->created_unix : 0);
  g_autofree char *accepted_by = NULL;

  if (info == NULL)
    {
      atm_cli_print ("Deployment %s (%s): damaged: %s", version->folder,
                     role_to_string (version->role), version->problem);
      return;
    }
  accepted_by = info->accepted_by != NULL && info->accepted_by[0] != NULL
                    ? g_strjoinv (" ", info->accepted_by)
                    : g_strdup ("not recorded");
  atm_cli_print ("Deployment %s (%s):", version->folder, role_to_string (version->role));
  atm_cli_print ("    Image: %s", info->image);
  atm_cli_print ("    Image ID (manifest digest): %s",
                 info->revision != NULL ? info->revision : "not recorded");
  atm_cli_print ("    Deployed: %s", created);
  atm_cli_print ("    Accepted by: %s", accepted_by);
  if (info->remote != NULL && *info->remote != '\0')
    atm_cli_print ("    Root file system: %s", info->remote);
}

static void
print_unit (const AtmDescription *description)
{
  const AtmUnit *unit = &description->unit;
  g_autofree char *since = atm_cli_format_time (description->unit_known ? unit->since_unix : 0);

  atm_cli_print ("State: %s", description->state);
  if (!description->unit_known)
    return;
  atm_cli_print ("Unit: %s.service, %s (%s)%s%s%s%s", description->name, unit->active_state,
                 unit->sub_state, *since != '\0' ? " since " : "", since,
                 *unit->file_state != '\0' ? ", " : "", unit->file_state);
  if (*unit->load_error != '\0')
    atm_cli_print ("Unit cannot be loaded: %s", unit->load_error);
  if (unit->restarts > 0)
    atm_cli_print ("Restarts: %u", unit->restarts);
  if (unit->stale)
    g_print ("Unit file was changed; systemctl daemon-reload makes systemd read it\n");
}

static void
print_description (const AtmDescription *description)
{
  const AtmRecord *record = description->record;

  atm_cli_print ("Name: %s", description->name);
  if (description->problem != NULL)
    atm_cli_print ("Damaged: %s", description->problem);
  print_unit (description);
  atm_cli_print_settings (record);
  for (guint i = 0; i < description->versions->len; i++)
    print_version (description->versions->pdata[i]);
  for (guint i = 0; i < description->host_files->len; i++)
    {
      const AtmHostFile *file = description->host_files->pdata[i];

      atm_cli_print ("Host file: %s (%s)", file->path, host_file_to_string (file->state));
    }
  for (guint i = 0; i < record->refused->len; i++)
    {
      const AtmRecordRefusal *refusal = record->refused->pdata[i];
      g_autofree char *time = atm_cli_format_time (refusal->time_unix);

      atm_cli_print ("Refused: %s, %s: %s", refusal->digest, time, refusal->reason);
    }
  if (record->history->len > 0)
    {
      g_print ("Last change:\n");
      atm_cli_print_entry (record->history->pdata[record->history->len - 1], "    ");
    }
}

/* ---- JSON; man/atomic-containers.1 describes the members ---- */

static void
add_versions (JsonBuilder *builder, GPtrArray *versions)
{
  json_builder_set_member_name (builder, "deployments");
  json_builder_begin_array (builder);
  for (guint i = 0; i < versions->len; i++)
    {
      const AtmVersion *version = versions->pdata[i];
      const AtmInfo *info = version->info;
      gint64 created_unix = info != NULL ? MAX (info->created_unix, 0) : 0;
      g_autofree char *created = atm_cli_format_time (created_unix);

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "folder", version->folder);
      atm_cli_add_string (builder, "role", role_to_string (version->role));
      atm_cli_add_string (builder, "image_name", info != NULL ? info->image : NULL);
      atm_cli_add_string (builder, "image_id", info != NULL ? info->revision : NULL);
      atm_cli_add_string (builder, "commit", info != NULL ? info->commit : NULL);
      atm_cli_add_string (builder, "created", created);
      atm_cli_add_number (builder, "created_unix", (guint64) created_unix);
      atm_cli_add_strings (builder, "accepted_by", info != NULL ? info->accepted_by : NULL);
      atm_cli_add_string (builder, "rootfs", info != NULL ? info->remote : NULL);
      atm_cli_add_string (builder, "runtime", info != NULL ? info->runtime : NULL);
      atm_cli_add_string (builder, "problem", version->problem);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

static void
add_unit (JsonBuilder *builder, const AtmDescription *description)
{
  const AtmUnit *unit = &description->unit;

  json_builder_set_member_name (builder, "unit");
  if (!description->unit_known)
    {
      json_builder_add_null_value (builder);
      return;
    }
  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "load_state", unit->load_state);
  atm_cli_add_string (builder, "load_error", unit->load_error);
  atm_cli_add_string (builder, "active_state", unit->active_state);
  atm_cli_add_string (builder, "sub_state", unit->sub_state);
  atm_cli_add_string (builder, "file_state", unit->file_state);
  atm_cli_add_string (builder, "path", unit->path);
  atm_cli_add_string (builder, "result", unit->result);
  atm_cli_add_number (builder, "restarts", unit->restarts);
  atm_cli_add_number (builder, "since_unix", (guint64) MAX (unit->since_unix, 0));
  json_builder_end_object (builder);
}

static void
add_host_files (JsonBuilder *builder, GPtrArray *files)
{
  json_builder_set_member_name (builder, "host_files");
  json_builder_begin_array (builder);
  for (guint i = 0; i < files->len; i++)
    {
      const AtmHostFile *file = files->pdata[i];

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "path", file->path);
      atm_cli_add_string (builder, "state", host_file_to_string (file->state));
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

static void
add_refused (JsonBuilder *builder, GPtrArray *refused)
{
  json_builder_set_member_name (builder, "refused");
  json_builder_begin_array (builder);
  for (guint i = 0; i < refused->len; i++)
    {
      const AtmRecordRefusal *refusal = refused->pdata[i];
      g_autofree char *time = atm_cli_format_time (refusal->time_unix);

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "image_id", refusal->digest);
      atm_cli_add_string (builder, "time", time);
      atm_cli_add_number (builder, "time_unix", (guint64) refusal->time_unix);
      atm_cli_add_string (builder, "reason", refusal->reason);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

static void
print_json (const AtmDescription *description)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  const AtmRecord *record = description->record;

  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "name", description->name);
  atm_cli_add_string (builder, "state", description->state);
  atm_cli_add_string (builder, "problem", description->problem);
  add_unit (builder, description);
  atm_cli_add_settings (builder, record);
  add_versions (builder, description->versions);
  add_host_files (builder, description->host_files);
  add_refused (builder, record->refused);
  json_builder_set_member_name (builder, "last");
  if (record->history->len > 0)
    atm_cli_add_entry (builder, record->history->pdata[record->history->len - 1]);
  else
    json_builder_add_null_value (builder);
  json_builder_end_object (builder);
  atm_cli_print_json (builder);
}

/* atomic containers info [OPTION…] NAME; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_info (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean json = FALSE;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (AtmDescription) description = NULL;

  if (!atm_cli_parse (options, "NAME", "Tells all about the container NAME.", 1, 1, &argc, &argv,
                      error)
      || !atm_describe_container (cli->system, argv[1], &cli->report, &description, error))
    return FALSE;
  if (json)
    print_json (description);
  else
    print_description (description);
  return TRUE;
}
