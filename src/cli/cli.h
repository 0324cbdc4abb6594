/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "host/system.h"
#include "ops/report.h"

/* What every subcommand is given, and the table of them. */

#define ATM_CLI_ERROR (atm_cli_error_quark ())
GQuark atm_cli_error_quark (void);

typedef enum
{
  ATM_CLI_ERROR_USAGE,  /* exit status 2 */
  ATM_CLI_ERROR_ABORTED /* the user did not say yes: exit status 2 */
} AtmCliError;

/* Exit statuses of single commands; man/atomic.1 lists them. */
#define ATM_CLI_STATUS_SWITCHED_BACK 3 /* a new version did not work, the old one runs again */
#define ATM_CLI_STATUS_AVAILABLE 100   /* there is something new */

typedef struct
{
  AtmSystem *system;         /* (owned) */
  GCancellable *cancellable; /* (owned): cancelled by SIGINT and SIGTERM */
  AtmReport report;
  gboolean assume_yes; /* --assumeyes */
  int status;          /* exit status of a command that succeeds; 0 unless it says otherwise */
  int error_status;    /* and of one that fails; 0: 1 */
} AtmCli;

typedef gboolean (*AtmCommandFunc) (AtmCli *cli, int argc, char **argv, GError **error);

typedef struct
{
  const char *name; /* “containers list”: a group and a verb */
  AtmCommandFunc run;
  gboolean needs_root;
  const char *summary;
} AtmCommand;

gboolean atm_cmd_audit (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_install (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_uninstall (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_pull (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_check (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_list (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_configure (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_history (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_info (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_delete (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_recover (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_rollback (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_containers_update (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_list (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_info (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_version (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_tag (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_pin (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_unpin (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_delete (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_prune (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_update (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_images_verify (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_sign (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_trust_add (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_trust_default (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_trust_delete (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_trust_explain (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_trust_reset (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_trust_show (AtmCli *cli, int argc, char **argv, GError **error);
gboolean atm_cmd_verify (AtmCli *cli, int argc, char **argv, GError **error);

/* An option of each command that changes something. */
#define ATM_CLI_NO_WAIT(cli)                                                                       \
  {                                                                                                \
    "no-wait", 0, 0, G_OPTION_ARG_NONE, &(cli)->system->no_wait,                                   \
        "Fail rather than wait for another atomic process", NULL                                   \
  }

/**
 * atm_cli_parse:
 * @parameters: what follows the options in the usage line, as “IMAGE”
 * @summary: one sentence for --help
 * @n_min: fewest and
 * @n_max: most parameters
 * @argc: (inout): only the parameters remain in @argv, from index 1
 * @error: %ATM_CLI_ERROR_USAGE
 *
 * Parses the options of a subcommand; they may stand between the parameters, too.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_cli_parse (const GOptionEntry *options, const char *parameters, const char *summary,
                        int n_min, int n_max, int *argc, char ***argv, GError **error);

/**
 * atm_cli_check_storage:
 * @storage: (nullable): of --storage
 * @error: %ATM_CLI_ERROR_USAGE for all but “ostree”
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_cli_check_storage (const char *storage, GError **error);

/**
 * atm_cli_use_policy:
 * @path: (nullable) (transfer full): of --policy
 */
void atm_cli_use_policy (AtmCli *cli, char *path);

/**
 * atm_cli_confirm:
 * @action: for the message, as in “removal of all trust entries”
 * @error: %ATM_CLI_ERROR_ABORTED: the answer was not yes, or there is nobody to answer
 *
 * Asks “Confirm (y/N)” on a terminal; with --assumeyes nobody is asked (command.md 2.5).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_cli_confirm (const AtmCli *cli, const char *action, GError **error);

/* The same for what is to be deleted. @names: (element-type utf8) */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_cli_confirm_delete (const AtmCli *cli, GPtrArray *names, GError **error);

/**
 * atm_cli_print:
 *
 * Prints one line of text that may have foreign words in it, which are escaped.
 */
void atm_cli_print (const char *format, ...) G_GNUC_PRINTF (1, 2);
