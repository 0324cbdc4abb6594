/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/progress.h"
#include "util/text.h"

#define FILES_WANTED 4096

/* ---- signals ---- */

/* Signals are blocked in all threads, so that also the programs we run finish what they began; one
   thread waits for them. The first asks the operation to undo and end, the second ends us now. */
static int received_signal;

static gpointer
wait_for_signals (gpointer data)
{
  GCancellable *cancellable = data;
  sigset_t set;
  int number = 0;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGHUP);
  for (;;)
    {
      if (sigwait (&set, &number) != 0)
        continue;
      if (g_atomic_int_get (&received_signal) != 0)
        _exit (ATM_CLI_STATUS_SIGNAL + number);
      g_atomic_int_set (&received_signal, number);
      g_cancellable_cancel (cancellable);
    }
  return NULL;
}

static void
watch_signals (GCancellable *cancellable)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGHUP);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  signal (SIGPIPE, SIG_IGN);
  /* The thread keeps its reference to the end of the process. */
  g_thread_unref (g_thread_new ("signals", wait_for_signals, g_object_ref (cancellable)));
}

/* ---- errors ---- */

int
atm_cli_report_usage (const char *command, const char *message)
{
  g_autofree char *safe = atm_text_escape (message);

  g_printerr ("atomic: %s\nTry 'atomic%s%s --help' for more information.\n", safe,
              command[0] != '\0' ? " " : "", command);
  return ATM_CLI_STATUS_USAGE;
}

static int
report_error (const AtmCommand *command, const GError *error)
{
  g_autofree char *safe = atm_text_escape (error->message);
  int number = g_atomic_int_get (&received_signal);

  if (number != 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_printerr ("atomic: %s: interrupted\n", command->name);
      return ATM_CLI_STATUS_SIGNAL + number;
    }
  if (g_error_matches (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE))
    return atm_cli_report_usage (command->name, error->message);
  if (g_error_matches (error, ATM_CLI_ERROR, ATM_CLI_ERROR_ABORTED))
    {
      g_printerr ("atomic: %s\n", safe);
      return ATM_CLI_STATUS_USAGE;
    }
  g_printerr ("atomic: %s\n", safe);
  if (command->needs_root && geteuid () != 0)
    g_printerr ("Some operations for '%s' require root access.\n", command->name);
  return ATM_CLI_STATUS_ERROR;
}

/* ---- a command ---- */

/* A blob that is fetched ahead has an open file, and an image may have a thousand of them. */
static void
raise_files_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_WANTED)
    return;
  limit.rlim_cur = MIN (limit.rlim_max, FILES_WANTED);
  (void) setrlimit (RLIMIT_NOFILE, &limit);
}

int
atm_cli_run (const AtmCommand *command, gboolean assume_yes, int argc, char **argv)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *program = g_strconcat ("atomic ", command->name, NULL);
  AtmCli cli = { .cancellable = cancellable, .assume_yes = assume_yes };
  int status = ATM_CLI_STATUS_OK;
  gboolean done = FALSE;

  g_set_prgname (program); /* --help of the command prints it */
  watch_signals (cancellable);
  atm_cli_report_init (&cli.report);
  raise_files_limit ();
  done = atm_system_new (&cli.system, &error) && command->run (&cli, argc, argv, &error);
  atm_cli_report_end (&cli.report);
  status = done ? cli.status : report_error (command, error);
  if (status == ATM_CLI_STATUS_ERROR && cli.error_status != 0)
    status = cli.error_status;
  atm_system_free (cli.system);
  return status;
}

/* ---- the process ---- */

void
atm_cli_begin (void)
{
  /* libarchive reads names of tar entries by the locale's character set; ours are UTF-8 in all
     locales, and messages are never translated (command.md, introduction). */
  if (setlocale (LC_CTYPE, "C.UTF-8") == NULL)
    (void) setlocale (LC_CTYPE, "en_US.UTF-8");
  umask (022);
  /* GIO would load a resolver of the desktop beside ours, and that one ends the process where its
     settings are not installed. */
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", FALSE);
  g_set_prgname ("atomic");
  g_log_writer_default_set_use_stderr (TRUE);
}

/* What could not be printed was not done, for a script that reads it. */
int
atm_cli_end (int status)
{
  if (fflush (stdout) == 0 && !ferror (stdout))
    return status;
  g_printerr ("atomic: Writing to standard output: %s\n", g_strerror (errno));
  return status == ATM_CLI_STATUS_OK ? ATM_CLI_STATUS_ERROR : status;
}
