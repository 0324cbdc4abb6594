/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <unistd.h>

#include "cli/pull-options.h"
#include "ops/install.h"
#include "util/error.h"

static gboolean
check_mode (gboolean for_system, gboolean for_user, GError **error)
{
  if (for_system && for_user)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--system and --user exclude each other");
  if (for_user && geteuid () == 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "--user does not work for privileged user");
  if (for_system && geteuid () != 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                      "Only root can use --system");
  if (geteuid () != 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "containers of users are not supported; run as root with --system");
  return TRUE;
}

/* What the Python tool could do with packages is named, so that nobody waits for one. */
static gboolean
check_package_mode (const char *mode, GError **error)
{
  if (mode == NULL || g_str_equal (mode, "no") || g_str_equal (mode, "auto"))
    return TRUE;
  if (g_str_equal (mode, "yes") || g_str_equal (mode, "build"))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--system-package=%s: no packages are made; use --system-package=no", mode);
  return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                    "Invalid --system-package mode.  Accepted values: auto, yes, no, build");
}

/* atomic install [OPTION…] IMAGE; keep man/atomic-install.1 in step */
gboolean
atm_cmd_install (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean for_system = FALSE, for_user = FALSE;
  g_autofree char *name = NULL, *runtime = NULL, *package = NULL, *rootfs = NULL;
  g_auto (GStrv) set = NULL;
  const GOptionEntry options[] = {
    { "system", 0, 0, G_OPTION_ARG_NONE, &for_system, "Install a system container (default)",
      NULL },
    { "user", 0, 0, G_OPTION_ARG_NONE, &for_user, "Not supported", NULL },
    { "name", 'n', 0, G_OPTION_ARG_STRING, &name, "Name of the container and of its unit", "NAME" },
    { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &set, "Give a template variable a value",
      "VAR=VALUE" },
    { "runtime", 0, 0, G_OPTION_ARG_STRING, &runtime, "OCI runtime that runs the container",
      "PATH" },
    { "rootfs", 0, 0, G_OPTION_ARG_STRING, &rootfs, "Share the root file system there", "PATH" },
    { "system-package", 0, 0, G_OPTION_ARG_STRING, &package,
      "How host files are installed: “no” or “auto”", "MODE" },
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmCliPull) pull = { 0 };
  AtmInstallOptions install = { 0 };

  if (!atm_cli_parse_pull (
          cli, options, "IMAGE",
          "Installs IMAGE as a service of this host: pulls it unless it is stored,\n"
          "asks the trust policy, checks it out, writes and enables its unit.\n"
          "Start it with `systemctl start NAME`.",
          1, 1, &argc, &argv, &pull, error))
    return FALSE;
  install.image = argv[1];
  install.name = name;
  install.set = set;
  install.runtime = runtime;
  install.rootfs = rootfs;
  install.pull = pull.pull;
  return check_mode (for_system, for_user, error) && check_package_mode (package, error)
         && atm_install (cli->system, &install, &cli->report, cli->cancellable, error);
}
