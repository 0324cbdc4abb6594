/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli/cli.h"
#include "ops/pull.h"

/* The options of all commands that may pull. */

typedef struct
{
  AtmPullOptions pull; /* what they say; its strings are those below */
  char *storage;       /* (owned) (nullable): checked already */
  char *creds;         /* (owned) (nullable): secret */
  char *creds_file;    /* (owned) (nullable) */
  char *authfile;      /* (owned) (nullable) */
  char *cert_dir;      /* (owned) (nullable) */
} AtmCliPull;

/* Overwrites what is secret, too. */
void atm_cli_pull_clear (AtmCliPull *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmCliPull, atm_cli_pull_clear)

/**
 * atm_cli_parse_pull:
 * @options: of the command alone
 * @pull_out: (out caller-allocates): what all commands that pull have in common
 * @error: %ATM_CLI_ERROR_USAGE; %G_IO_ERROR if a password cannot be asked for
 *
 * As atm_cli_parse(). A password among the arguments is overwritten, so that lists of processes do
 * not show it any longer, and the process keeps no core dump from now on.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_cli_parse_pull (AtmCli *cli, const GOptionEntry *options, const char *parameters,
                             const char *summary, int n_min, int n_max, int *argc, char ***argv,
                             AtmCliPull *pull_out, GError **error);

/**
 * atm_cli_parse_size:
 * @text: a number of bytes, with a suffix K, M, G or T for powers of 1024 or none
 * @size_out: (out): in bytes, at least 1
 *
 * Returns: whether @text is one
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_cli_parse_size (const char *text, guint64 *size_out);
