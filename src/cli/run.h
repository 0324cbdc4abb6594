/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli/cli.h"

/* From main() to a command and back: what the programs atomic and its front have in common. */

/* man/atomic.1 lists them */
typedef enum
{
  ATM_CLI_STATUS_OK = 0,
  ATM_CLI_STATUS_ERROR = 1,
  ATM_CLI_STATUS_USAGE = 2,
  ATM_CLI_STATUS_SIGNAL = 128 /* and the number of the signal */
} AtmCliStatus;

/**
 * atm_cli_begin:
 *
 * Makes the process what all commands expect; the first thing that main() does.
 */
void atm_cli_begin (void);

/**
 * atm_cli_run:
 * @assume_yes: --assumeyes
 * @argc: of the command, whose name is argv[0]
 *
 * Returns: the exit status; what went wrong has been printed
 */
int atm_cli_run (const AtmCommand *command, gboolean assume_yes, int argc, char **argv);

/**
 * atm_cli_report_usage:
 * @command: “containers list”, or "" if it is not that of a command
 *
 * Returns: the exit status
 */
int atm_cli_report_usage (const char *command, const char *message);

/**
 * atm_cli_end:
 *
 * Returns: @status, or an error where standard output could not be written; for main() to return
 */
int atm_cli_end (int status);
