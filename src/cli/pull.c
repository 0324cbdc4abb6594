/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/pull-options.h"
#include "image/origin.h"
#include "ops/pull.h"

/* atomic pull [OPTION…] IMAGE; keep man/atomic-pull.1 in step */
gboolean
atm_cmd_pull (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_autofree char *type = NULL;
  const GOptionEntry options[] = {
    { "type", 't', 0, G_OPTION_ARG_STRING, &type, "Obsolete, has no effect", "TYPE" },
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmCliPull) pull = { 0 };
  g_autoptr (AtmOrigin) origin = NULL;

  if (!atm_cli_parse_pull (cli, options, "IMAGE",
                           "Pulls IMAGE into the store, if the trust policy allows it. IMAGE is\n"
                           "  [http:|https:]HOST[:PORT]/PATH[:TAG|@DIGEST]   in a registry\n"
                           "  oci:/DIR[:TAG]                                 in an OCI layout "
                           "folder",
                           1, 1, &argc, &argv, &pull, error))
    return FALSE;
  if (type != NULL)
    atm_report (&cli->report, ATM_REPORT_NOTICE, "--type=%s is obsolete and has no effect", type);
  return atm_origin_parse (argv[1], &origin, error)
         && atm_pull (cli->system, origin, &pull.pull, &cli->report, NULL, cli->cancellable, error);
}
