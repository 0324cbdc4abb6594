/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "ops/recover.h"
#include "ops/rollback.h"

/* atomic containers rollback [OPTION…] NAME; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_rollback (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_autofree char *policy = NULL;
  const GOptionEntry options[] = {
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "Use the trust policy there", "PATH" },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };

  if (!atm_cli_parse (options, "NAME",
                      "Switches the container NAME to its other deployment: that before the last\n"
                      "update or rollback.",
                      1, 1, &argc, &argv, error))
    return FALSE;
  atm_cli_use_policy (cli, g_steal_pointer (&policy));
  return atm_rollback (cli->system, argv[1], &cli->report, cli->cancellable, error);
}

/* atomic containers recover [OPTION…]; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_recover (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean at_boot = FALSE;
  const GOptionEntry options[] = {
    { "boot", 0, 0, G_OPTION_ARG_NONE, &at_boot,
      "Start and stop nothing after a reboot: systemd is about to", NULL },
    G_OPTION_ENTRY_NULL,
  };

  return atm_cli_parse (options, NULL,
                        "Finishes or undoes what interrupted commands left. Every command that\n"
                        "changes containers does so, too.",
                        0, 0, &argc, &argv, error)
         && atm_recover (cli->system, at_boot, &cli->report, error);
}
