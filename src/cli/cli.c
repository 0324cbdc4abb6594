/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/text.h"

#define ANSWER_MAX_BYTES 64

G_DEFINE_QUARK (atm_cli_error, atm_cli_error)

gboolean
atm_cli_parse (const GOptionEntry *options, const char *parameters, const char *summary, int n_min,
               int n_max, int *argc, char ***argv, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (parameters);
  g_autoptr (GError) local = NULL;

  g_option_context_set_summary (context, summary);
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, argc, argv, &local))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "%s", local->message);
  if (*argc > 1 && g_str_equal ((*argv)[1], "--"))
    {
      (*argv)++;
      (*argc)--;
    }
  if (*argc - 1 < n_min)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "%s is missing", parameters);
  if (*argc - 1 > n_max)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "unexpected argument “%s”",
                      (*argv)[n_max + 1]);
  return TRUE;
}

gboolean
atm_cli_check_storage (const char *storage, GError **error)
{
  if (storage == NULL || g_str_equal (storage, "ostree"))
    return TRUE;
  return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                    "--storage=%s: only the storage “ostree” is supported; use docker or podman "
                    "for images in other storages",
                    storage);
}

void
atm_cli_use_policy (AtmCli *cli, char *path)
{
  if (path == NULL)
    return;
  g_free (cli->system->policy);
  cli->system->policy = path;
}

gboolean
atm_cli_confirm (const AtmCli *cli, const char *action, GError **error)
{
  char answer[ANSWER_MAX_BYTES] = "";

  if (cli->assume_yes)
    return TRUE;
  if (isatty (STDIN_FILENO) != 1)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_ABORTED,
                      "Nobody can be asked to confirm the %s: standard input is no terminal; say "
                      "`atomic --assumeyes …`",
                      action);
  g_print ("Confirm (y/N) ");
  (void) fflush (stdout);
  if (fgets (answer, sizeof answer, stdin) != NULL)
    {
      g_strstrip (answer);
      if (g_ascii_strcasecmp (answer, "y") == 0 || g_ascii_strcasecmp (answer, "yes") == 0)
        return TRUE;
    }
  return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_ABORTED, "User aborted %s", action);
}

gboolean
atm_cli_confirm_delete (const AtmCli *cli, GPtrArray *names, GError **error)
{
  g_autoptr (GString) action = g_string_new ("delete operation for");

  for (guint i = 0; i < names->len; i++)
    g_string_append_printf (action, "%s %s", i > 0 ? "," : "", (const char *) names->pdata[i]);
  return atm_cli_confirm (cli, action->str, error);
}

void
atm_cli_print (const char *format, ...)
{
  g_autofree char *text = NULL, *safe = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  safe = atm_text_escape (text);
  g_print ("%s\n", safe);
}
