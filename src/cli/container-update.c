/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/progress.h"
#include "cli/pull-options.h"
#include "cli/table.h"
#include "container/record.h"
#include "ops/update.h"
#include "util/error.h"

/* What was typed. All (owned). */
typedef struct
{
  gboolean all, automatic, fetch, check, stage, apply, json, force, allow_privileges;
  char *rebase;
  char **set;
  char *health_window;
} Typed;

static void
typed_clear (Typed *typed)
{
  g_free (typed->rebase);
  g_strfreev (typed->set);
  g_free (typed->health_window);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Typed, typed_clear)

static gboolean
throw_incompatible (const char *which, GError **error)
{
  return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                    "Incompatible options specified.  %s", which);
}

static gboolean
check_combination (const Typed *typed, gboolean named, GError **error)
{
  gboolean all = typed->all || typed->automatic;

  if (all && named)
    return throw_incompatible ("--all and --auto take no names of containers", error);
  if (all && (typed->rebase != NULL || typed->set != NULL))
    return throw_incompatible ("--all and --auto take neither --rebase nor --set", error);
  if (!all && !named)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "say either NAME… or --all or --auto");
  if (typed->check + typed->stage + typed->apply > 1
      || (typed->fetch && (typed->check || typed->stage || typed->apply)))
    return throw_incompatible ("--pull, --check, --stage and --apply exclude each other", error);
  if (typed->apply && (typed->rebase != NULL || typed->set != NULL))
    return throw_incompatible ("what was staged takes neither --rebase nor --set", error);
  return TRUE;
}

static gboolean
parse_health_window (const char *text, int *seconds_out, GError **error)
{
  gint64 seconds = 0;

  *seconds_out = ATM_HEALTH_WINDOW_DEFAULT;
  if (text == NULL)
    return TRUE;
  if (!g_ascii_string_to_signed (text, 10, 0, ATM_RECORD_HEALTH_WINDOW_MAX_SEC, &seconds, NULL))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--health-window=%s: not a number of seconds from 0 to %d", text,
                      ATM_RECORD_HEALTH_WINDOW_MAX_SEC);
  *seconds_out = (int) seconds;
  return TRUE;
}

static AtmUpdateMode
get_mode (const Typed *typed)
{
  if (typed->check)
    return ATM_UPDATE_CHECK;
  if (typed->stage)
    return ATM_UPDATE_STAGE;
  return typed->apply ? ATM_UPDATE_APPLY : ATM_UPDATE_SWITCH;
}

/* ---- printing ---- */

/* command.md 2.5 */
static const AtmColumn columns[] = {
  { "Container", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
  { "Image ID before update", NULL, NULL, ATM_COLUMN_STRING, 12, 0 },
  { "Image ID after update", NULL, NULL, ATM_COLUMN_STRING, 12, 0 },
  { "Latest image ID", NULL, NULL, ATM_COLUMN_STRING, 12, 0 },
  { "Status", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
};

static const char *
get_status (AtmUpdateState state)
{
  switch (state)
    {
    case ATM_UPDATE_STATE_CURRENT:
      return "Updated";
    case ATM_UPDATE_STATE_UPDATED:
      return "Updated now";
    case ATM_UPDATE_STATE_AVAILABLE:
    case ATM_UPDATE_STATE_REFUSED:
    case ATM_UPDATE_STATE_STAGED:
      return "Not updated";
    case ATM_UPDATE_STATE_FAILED:
      return "Failed";
    case ATM_UPDATE_STATE_UNKNOWN:
      break;
    }
  return "Unknown";
}

static gboolean
print_summary (GPtrArray *results, GError **error)
{
  const AtmTableOptions options = { 0 };
  g_auto (AtmTable) table = { 0 };

  atm_table_init (&table, columns, G_N_ELEMENTS (columns), 0);
  if (results->len == 0)
    return TRUE;
  for (guint i = 0; i < results->len; i++)
    {
      const AtmUpdateResult *result = results->pdata[i];
      char *cells[] = {
        g_strdup (result->name),
        g_strdup (result->before),
        g_strdup (result->after),
        g_strdup (result->latest),
        g_strdup (get_status (result->state)),
      };

      G_STATIC_ASSERT (G_N_ELEMENTS (cells) == G_N_ELEMENTS (columns));
      atm_table_add (&table, cells);
    }
  atm_cli_print ("%s", "");
  atm_cli_print ("SUMMARY");
  return atm_table_print (&table, &options, error);
}

/* Stable words; man/atomic-containers.1 has them. */
static const char *
get_state_name (AtmUpdateState state)
{
  switch (state)
    {
    case ATM_UPDATE_STATE_CURRENT:
      return "current";
    case ATM_UPDATE_STATE_AVAILABLE:
      return "available";
    case ATM_UPDATE_STATE_REFUSED:
      return "refused";
    case ATM_UPDATE_STATE_STAGED:
      return "staged";
    case ATM_UPDATE_STATE_UPDATED:
      return "updated";
    case ATM_UPDATE_STATE_FAILED:
      return "failed";
    case ATM_UPDATE_STATE_UNKNOWN:
      break;
    }
  return "unknown";
}

static void
print_json (GPtrArray *results)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < results->len; i++)
    {
      const AtmUpdateResult *result = results->pdata[i];

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "name", result->name);
      atm_cli_add_string (builder, "state", get_state_name (result->state));
      atm_cli_add_string (builder, "image_name", result->image);
      atm_cli_add_string (builder, "image_id_before", result->before);
      atm_cli_add_string (builder, "image_id_after", result->after);
      atm_cli_add_string (builder, "image_id_latest", result->latest);
      atm_cli_add_strings (builder, "widened", result->widened);
      atm_json_add_boolean (builder, "switched_back", result->switched_back);
      atm_cli_add_string (builder, "problem", result->problem);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  atm_cli_print_json (builder);
}

/* A script that asks what there is gets its answer as the exit status, as with other package
   managers; and one that updates can tell a version that did not work from all other errors. */
static void
set_status (AtmCli *cli, GPtrArray *results)
{
  for (guint i = 0; i < results->len; i++)
    {
      const AtmUpdateResult *result = results->pdata[i];

      if (result->switched_back)
        cli->error_status = ATM_CLI_STATUS_SWITCHED_BACK;
      else if (result->state == ATM_UPDATE_STATE_AVAILABLE)
        cli->status = ATM_CLI_STATUS_AVAILABLE;
    }
}

static gboolean
update (AtmCli *cli, const Typed *typed, const AtmUpdateOptions *options, GError **error)
{
  g_autoptr (GPtrArray) results = NULL;
  g_autoptr (GError) printing = NULL;
  gboolean done = FALSE;

  if (typed->json)
    atm_cli_report_to_stderr (&cli->report);
  done = atm_update (cli->system, options, &cli->report, &results, cli->cancellable, error);
  if (typed->json)
    print_json (results);
  else if (options->names == NULL && options->mode != ATM_UPDATE_CHECK
           && !print_summary (results, done ? error : &printing))
    return FALSE;
  if (typed->check || !done)
    set_status (cli, results);
  return done;
}

/* atomic containers update [OPTION…] NAME…; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_update (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_auto (Typed) typed = { 0 };
  const GOptionEntry entries[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &typed.all, "All containers, each for itself", NULL },
    { "auto", 0, 0, G_OPTION_ARG_NONE, &typed.automatic,
      "All whose settings allow automatic updates, after a pull", NULL },
    { "rebase", 0, 0, G_OPTION_ARG_STRING, &typed.rebase, "Follow another image from now on",
      "IMAGE" },
    { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &typed.set, "Give a template variable a value",
      "VAR=VALUE" },
    { "pull", 0, 0, G_OPTION_ARG_NONE, &typed.fetch, "Pull the image first", NULL },
    { "check", 0, 0, G_OPTION_ARG_NONE, &typed.check,
      "Only ask the registry: exit status 100 if there is something new", NULL },
    { "stage", 0, 0, G_OPTION_ARG_NONE, &typed.stage, "Pull and build the new version, no more",
      NULL },
    { "apply", 0, 0, G_OPTION_ARG_NONE, &typed.apply, "Switch to what was staged", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &typed.json, "Print JSON", NULL },
    { "force", 'f', 0, G_OPTION_ARG_NONE, &typed.force,
      "Also to a version that did not work here before", NULL },
    { "health-window", 0, 0, G_OPTION_ARG_STRING, &typed.health_window,
      "How long the new version must stay up", "SECONDS" },
    { "allow-privileges", 0, 0, G_OPTION_ARG_NONE, &typed.allow_privileges,
      "With --all: also to a version that may do more", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmCliPull) pull = { 0 };
  AtmUpdateOptions options = { 0 };

  if (!atm_cli_parse_pull (
          cli, entries, "NAME…",
          "Switches containers to the version of their image that is in the store.\n"
          "The new version is built and checked while the old one runs. If it does not\n"
          "work, the old one runs again and the exit status is 3.",
          0, G_MAXINT, &argc, &argv, &pull, error)
      || !check_combination (&typed, argc > 1, error)
      || !parse_health_window (typed.health_window, &options.health_window_sec, error))
    return FALSE;
  options.names = argc > 1 ? argv + 1 : NULL;
  options.automatic = typed.automatic;
  options.mode = get_mode (&typed);
  options.fetch = typed.fetch || (typed.automatic && !typed.apply);
  options.rebase = typed.rebase;
  options.set = typed.set;
  options.force = typed.force;
  options.allow_privileges = typed.allow_privileges;
  options.pull = pull.pull;
  return update (cli, &typed, &options, error);
}
