/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/record.h"
#include "ops/configure.h"
#include "ops/describe.h"
#include "util/error.h"

static gboolean
parse_auto_update (const char *text, AtmSettings *settings, GError **error)
{
  if (text == NULL)
    return TRUE;
  settings->set_auto_update = TRUE;
  settings->auto_update = g_str_equal (text, "yes");
  return settings->auto_update || g_str_equal (text, "no")
         || atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                       "--auto-update is “yes” or “no”, not “%s”", text);
}

static gboolean
parse_health_window (const char *text, AtmSettings *settings, GError **error)
{
  guint64 seconds = 0;

  if (text == NULL)
    return TRUE;
  settings->set_health_window = TRUE;
  settings->health_window_sec = ATM_RECORD_HEALTH_WINDOW_DEFAULT;
  if (g_str_equal (text, "default"))
    return TRUE;
  if (!g_ascii_string_to_unsigned (text, 10, 0, ATM_RECORD_HEALTH_WINDOW_MAX_SEC, &seconds, NULL))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--health-window is “default” or a number of seconds from 0 to %d, not “%s”",
                      ATM_RECORD_HEALTH_WINDOW_MAX_SEC, text);
  settings->health_window_sec = (int) seconds;
  return TRUE;
}

static void
print (const AtmRecord *record, gboolean json)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!json)
    {
      atm_cli_print_settings (record);
      return;
    }
  json_builder_begin_object (builder);
  atm_cli_add_settings (builder, record);
  json_builder_end_object (builder);
  atm_cli_print_json (builder);
}

/* atomic containers configure [OPTION…] NAME; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_configure (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean json = FALSE, done = FALSE;
  g_autofree char *auto_update = NULL, *health_window = NULL;
  const GOptionEntry options[] = {
    { "auto-update", 0, 0, G_OPTION_ARG_STRING, &auto_update,
      "Whether atomic-auto-update.timer may update it", "yes|no" },
    { "health-window", 0, 0, G_OPTION_ARG_STRING, &health_window,
      "How long a new version must run to be kept, in seconds", "SECONDS|default" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };
  AtmSettings settings = { 0 };
  g_autoptr (AtmRecord) record = NULL;

  if (!atm_cli_parse (options, "NAME",
                      "Changes settings of the container NAME and shows them. "
                      "Without options, shows them.",
                      1, 1, &argc, &argv, error)
      || !parse_auto_update (auto_update, &settings, error)
      || !parse_health_window (health_window, &settings, error))
    return FALSE;
  if (settings.set_auto_update || settings.set_health_window)
    done = atm_configure (cli->system, argv[1], &settings, &cli->report, &record, cli->cancellable,
                          error);
  else
    done = atm_describe_record (cli->system, argv[1], &cli->report, &record, error);
  if (done)
    print (record, json);
  return done;
}
