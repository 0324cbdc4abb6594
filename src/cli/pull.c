/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "image/origin.h"
#include "ops/pull.h"

/* atomic pull [OPTION…] IMAGE; keep man/atomic-pull.1 in step */
gboolean
atm_cmd_pull (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean downgrade = FALSE;
  g_autofree char *storage = NULL;
  char *policy = NULL;
  const GOptionEntry options[] = {
    { "allow-downgrade", 0, 0, G_OPTION_ARG_NONE, &downgrade,
      "Accept an image signed before the stored one", NULL },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    { "policy", 0, 0, G_OPTION_ARG_STRING, &policy, "Trust policy instead of policy.json", "FILE" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (AtmOrigin) origin = NULL;
  AtmPullOptions pull = { 0 };

  if (!atm_cli_parse (options, "IMAGE",
                      "Pulls IMAGE into the store, if the trust policy allows it. IMAGE is\n"
                      "  [http:|https:]HOST[:PORT]/PATH[:TAG|@DIGEST]   in a registry\n"
                      "  oci:/DIR[:TAG]                                 in an OCI layout folder",
                      1, 1, &argc, &argv, error))
    return FALSE;
  atm_cli_use_policy (cli, policy);
  return atm_cli_check_storage (storage, error) && atm_origin_parse (argv[1], &origin, error)
         && atm_pull (cli->system, origin, &pull, &cli->report, NULL, cli->cancellable, error);
}
