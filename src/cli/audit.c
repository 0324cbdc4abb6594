/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/progress.h"
#include "cli/table.h"
#include "ops/audit.h"
#include "util/error.h"

/* man/atomic-audit.1 describes the members of the JSON */
static const AtmColumn columns[] = {
  { "STATUS", "status", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "NAME", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "container", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "deployment", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "current", NULL, ATM_COLUMN_BOOLEAN, 0, 0 },
  { NULL, "image", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "digest", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "scope", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "kind", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "REASON", "reason", NULL, ATM_COLUMN_STRING, 0, 0 },
};

static const char *const states[] = {
  [ATM_AUDIT_ACCEPTED] = "accepted",
  [ATM_AUDIT_REFUSED] = "refused",
  [ATM_AUDIT_UNKNOWN] = "unknown",
};

static char *
dup_name (const AtmAuditRow *row)
{
  if (row->container == NULL)
    return g_strdup_printf ("image %s", row->image);
  return g_strdup_printf ("container %s (%s%s)", row->container, row->deployment,
                          row->current ? ", current" : "");
}

static void
add_row (AtmTable *table, const AtmAuditRow *row)
{
  char *cells[] = {
    g_strdup (states[row->status]),
    dup_name (row),
    g_strdup (row->container),
    g_strdup (row->deployment),
    g_strdup (row->current ? "true" : "false"),
    g_strdup (row->image),
    g_strdup (row->digest),
    g_strdup (row->scope),
    g_strdup (row->kind),
    g_strdup (row->reason),
  };

  G_STATIC_ASSERT (G_N_ELEMENTS (cells) == G_N_ELEMENTS (columns));
  atm_table_add (table, cells);
}

/* atomic audit [OPTION…]; keep man/atomic-audit.1 in step */
gboolean
atm_cmd_audit (AtmCli *cli, int argc, char **argv, GError **error)
{
  AtmTableOptions table_options = { 0 };
  char *policy = NULL;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &table_options.json, "Print JSON", NULL },
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "Trust policy instead of policy.json",
      "FILE" },
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmTable) table = { 0 };
  g_autoptr (GPtrArray) rows = NULL;
  guint n_failed = 0;

  atm_table_init (&table, columns, G_N_ELEMENTS (columns), 1);
  if (!atm_cli_parse (options, "",
                      "Asks today's trust policy about all containers and images that are here,\n"
                      "without a network.",
                      0, 0, &argc, &argv, error))
    return FALSE;
  atm_cli_use_policy (cli, policy);
  if (table_options.json)
    atm_cli_report_to_stderr (&cli->report);
  if (!atm_audit (cli->system, &cli->report, &rows, &n_failed, cli->cancellable, error))
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    add_row (&table, rows->pdata[i]);
  if (!atm_table_print (&table, &table_options, error))
    return FALSE;
  return n_failed == 0
         || atm_throw (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                       "%u of %u do not pass today's policy; `atomic trust explain --stored IMAGE` "
                       "tells all about one",
                       n_failed, rows->len);
}
