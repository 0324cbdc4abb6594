/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "ops/uninstall.h"
#include "util/error.h"

/* atomic uninstall [OPTION…] NAME; keep man/atomic-uninstall.1 in step */
gboolean
atm_cmd_uninstall (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean for_system = FALSE, force = FALSE, purge = FALSE;
  g_autofree char *name = NULL, *storage = NULL;
  const GOptionEntry options[] = {
    { "system", 0, 0, G_OPTION_ARG_NONE, &for_system, "Accepted; there is nothing else", NULL },
    { "force", 'f', 0, G_OPTION_ARG_NONE, &force, "Accepted without effect", NULL },
    { "name", 'n', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &name, NULL, NULL },
    { "purge-state", 0, 0, G_OPTION_ARG_NONE, &purge, "Remove its state folders, too", NULL },
    ATM_CLI_NO_WAIT (cli),
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    G_OPTION_ENTRY_NULL,
  };

  if (!atm_cli_parse (options, "NAME",
                      "Stops and disables the container NAME and removes it from this host.\n"
                      "Its image stays, and so does the data in its state folders.",
                      1, 1, &argc, &argv, error))
    return FALSE;
  if (name != NULL)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "System containers do not support --name. Please use atomic uninstall NAME");
  return atm_cli_check_storage (storage, error)
         && atm_uninstall (cli->system, argv[1], purge ? ATM_UNINSTALL_PURGE_STATE : 0,
                           &cli->report, cli->cancellable, error);
}
