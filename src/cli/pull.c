/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/pull-options.h"
#include "ops/open.h"
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

  if (!atm_cli_parse_pull (
          cli, options, "IMAGE",
          "Pulls IMAGE into the store, if the trust policy allows it. IMAGE is\n"
          "  [http:|https:]HOST[:PORT]/PATH[:TAG|@DIGEST]   in a registry\n"
          "  docker:NAME[:TAG]                              in a Docker daemon\n"
          "  dockertar:FILE[:REFERENCE]                     in a file of `docker save`\n"
          "  oci:/DIR[:TAG], oci-archive:FILE[:TAG]         in an OCI layout\n"
          "  dir:DIR                                        in a folder of skopeo's\n"
          "  ostree:REMOTE:IMAGE, ostree:/DIR:IMAGE         unpacked by a site",
          1, 1, &argc, &argv, &pull, error))
    return FALSE;
  if (type != NULL)
    atm_report (&cli->report, ATM_REPORT_NOTICE, "--type=%s is obsolete and has no effect", type);
  return atm_open_origin (argv[1], &origin, cli->cancellable, error)
         && atm_pull (cli->system, origin, &pull.pull, &cli->report, NULL, cli->cancellable, error);
}
