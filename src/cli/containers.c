/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/table.h"
#include "cli/time.h"
#include "ops/list.h"

/* command.md 2.4; man/atomic-containers.1 describes the members of the JSON */
static const AtmColumn columns[] = {
  { "", NULL, NULL, ATM_COLUMN_STRING, 0, 2 },
  { "CONTAINER ID", "id", "container", ATM_COLUMN_STRING, 12, 0 },
  { NULL, "image_id", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "IMAGE", "image_name", "image", ATM_COLUMN_STRING, 20, 0 },
  { "NAME", "name", NULL, ATM_COLUMN_STRING, 10, 0 },
  { "COMMAND", "command", "command", ATM_COLUMN_STRING, 10, 0 },
  { "CREATED", "created", "created", ATM_COLUMN_STRING, 16, 0 },
  { "STATE", "state", "state", ATM_COLUMN_STRING, 10, 0 },
  { "BACKEND", "backend", "backend", ATM_COLUMN_STRING, 10, 0 },
  { "RUNTIME", "runtime", "runtime", ATM_COLUMN_STRING, 10, 0 },
  { NULL, "vulnerable", NULL, ATM_COLUMN_BOOLEAN, 0, 0 },
  { NULL, "running", NULL, ATM_COLUMN_BOOLEAN, 0, 0 },
  { NULL, "active_state", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "deployment", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "accepted_by", NULL, ATM_COLUMN_WORDS, 0, 0 },
  { NULL, "auto_update", NULL, ATM_COLUMN_BOOLEAN, 0, 0 },
};

#define ID_COLUMN 1

static void
add_row (AtmTable *table, const AtmContainerRow *row, gboolean running)
{
  char *cells[] = {
    NULL,
    g_strdup (row->name),
    g_strdup (row->image_id),
    g_strdup (row->image_name),
    g_strdup (row->name),
    g_strdup (row->command),
    atm_cli_format_time (row->created_unix),
    g_strdup (row->state),
    g_strdup ("ostree"),
    g_strdup (row->runtime),
    g_strdup ("false"),
    g_strdup (running ? "true" : "false"),
    g_strdup (row->active_state),
    g_strdup (row->deployment),
    row->accepted_by != NULL ? g_strjoinv (" ", row->accepted_by) : NULL,
    g_strdup (row->auto_update ? "true" : "false"),
  };

  G_STATIC_ASSERT (G_N_ELEMENTS (cells) == G_N_ELEMENTS (columns));
  atm_table_add (table, cells);
}

/* atomic containers list [OPTION…]; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_list (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_auto (AtmTableOptions) options = { 0 };
  g_auto (AtmTable) table = { 0 };
  g_autoptr (GPtrArray) rows = NULL;

  atm_table_init (&table, columns, G_N_ELEMENTS (columns), ID_COLUMN);
  if (!atm_table_parse_options ("Lists the containers that are running.",
                                "List those that are not running, too", NULL, argc, argv, &options,
                                error)
      || !atm_list_containers (cli->system, &cli->report, &rows, error))
    return FALSE;
  if (options.json)
    atm_list_add_records (cli->system, rows, &cli->report);

  for (guint i = 0; i < rows->len; i++)
    {
      const AtmContainerRow *row = rows->pdata[i];
      gboolean running = !g_str_equal (row->state, "inactive");

      if (running || options.all)
        add_row (&table, row, running);
    }
  return atm_table_print (&table, &options, error);
}
