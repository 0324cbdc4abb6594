/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/table.h"
#include "ops/list.h"
#include "ops/uninstall.h"
#include "util/error.h"

#define ID_LENGTH 12

static const AtmColumn columns[] = {
  { "ID", NULL, NULL, ATM_COLUMN_STRING, ID_LENGTH, 0 },
  { "NAME", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
  { "IMAGE_NAME", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
  { "STORAGE", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
};

static const AtmContainerRow *
find_row (GPtrArray *rows, const char *name)
{
  for (guint i = 0; i < rows->len; i++)
    if (g_str_equal (((AtmContainerRow *) rows->pdata[i])->name, name))
      return rows->pdata[i];
  return NULL;
}

/* Those that are named, each once, or all; *doomed_out borrows from @rows. */
static gboolean
choose (GPtrArray *rows, char **names, GPtrArray **doomed_out, GError **error)
{
  g_autoptr (GPtrArray) doomed = g_ptr_array_new ();

  for (guint i = 0; *names == NULL && i < rows->len; i++)
    g_ptr_array_add (doomed, rows->pdata[i]);
  for (char **name = names; *name != NULL; name++)
    {
      const AtmContainerRow *row = find_row (rows, *name);

      if (row == NULL)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                          "Unable to find '%s' in the following backends: ostree", *name);
      if (!g_ptr_array_find (doomed, row, NULL))
        g_ptr_array_add (doomed, (gpointer) row);
    }
  *doomed_out = g_steal_pointer (&doomed);
  return TRUE;
}

static gboolean
confirm (const AtmCli *cli, GPtrArray *doomed, GError **error)
{
  g_auto (AtmTable) table = { 0 };
  AtmTableOptions options = { 0 };
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  atm_table_init (&table, columns, G_N_ELEMENTS (columns), 0);
  for (guint i = 0; i < doomed->len; i++)
    {
      const AtmContainerRow *row = doomed->pdata[i];
      char *cells[] = { g_strdup (row->name), g_strdup (row->name), g_strdup (row->image_name),
                        g_strdup ("ostree") };

      atm_table_add (&table, cells);
      g_ptr_array_add (names, row->name);
    }
  g_print ("The following containers will be deleted.\n");
  return atm_table_print (&table, &options, error) && atm_cli_confirm_delete (cli, names, error);
}

/* atomic containers delete [OPTION…] NAME…; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_delete (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean all = FALSE, force = FALSE, purge = FALSE;
  g_autofree char *storage = NULL;
  const GOptionEntry options[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "All containers", NULL },
    { "force", 'f', 0, G_OPTION_ARG_NONE, &force, "Accepted without effect", NULL },
    { "purge-state", 0, 0, G_OPTION_ARG_NONE, &purge, "Remove their state folders, too", NULL },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (GPtrArray) doomed = NULL;

  if (!atm_cli_parse (options, "NAME…", "Asks, then uninstalls containers.", 0, G_MAXINT, &argc,
                      &argv, error)
      || !atm_cli_check_storage (storage, error))
    return FALSE;
  if (all != (argc == 1))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "say either NAME… or --all");
  if (!atm_list_containers (cli->system, &cli->report, &rows, error)
      || !choose (rows, argv + 1, &doomed, error))
    return FALSE;
  if (doomed->len == 0)
    return TRUE;
  if (!confirm (cli, doomed, error))
    return FALSE;
  for (guint i = 0; i < doomed->len; i++)
    if (!atm_uninstall (cli->system, ((AtmContainerRow *) doomed->pdata[i])->name,
                        purge ? ATM_UNINSTALL_PURGE_STATE : 0, &cli->report, cli->cancellable,
                        error))
      return FALSE;
  return TRUE;
}
