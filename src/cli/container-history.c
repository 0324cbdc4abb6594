/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/record.h"
#include "ops/describe.h"

/* atomic containers history [OPTION…] NAME; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_history (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean json = FALSE;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (AtmRecord) record = NULL;

  if (!atm_cli_parse (options, "NAME",
                      "Tells what was done with the container NAME, the latest last.", 1, 1, &argc,
                      &argv, error)
      || !atm_describe_record (cli->system, argv[1], &cli->report, &record, error))
    return FALSE;

  json_builder_begin_array (builder);
  for (guint i = 0; i < record->history->len; i++)
    if (json)
      atm_cli_add_entry (builder, record->history->pdata[i]);
    else
      atm_cli_print_entry (record->history->pdata[i], "");
  json_builder_end_array (builder);
  if (json)
    atm_cli_print_json (builder);
  return TRUE;
}
