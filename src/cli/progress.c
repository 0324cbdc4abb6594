/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <unistd.h>

#include "util/text.h"

#define BAR_WIDTH 24
#define REDRAW_USEC (G_USEC_PER_SEC / 10)
/* “sha256:” and the first twelve digits tell layers apart. */
#define LABEL_WIDTH 19

typedef struct
{
  gboolean terminal;
  gboolean steps_to_stderr;
  gboolean drawn;      /* a bar stands in the last line */
  char *what;          /* (owned) (nullable): whose bar */
  gint64 started_usec; /* monotonic */
  gint64 last_usec;
} Progress;

static void
erase (Progress *progress)
{
  if (progress->drawn)
    g_printerr ("\r\033[K");
  progress->drawn = FALSE;
}

static void
print_line (AtmReportKind kind, const char *text, gpointer data)
{
  const Progress *progress = data;
  g_autofree char *safe = atm_text_escape (text);

  erase (data);
  if (kind == ATM_REPORT_STEP && !progress->steps_to_stderr)
    g_print ("%s\n", safe);
  else
    g_printerr ("%s\n", safe);
}

static void
draw (const Progress *progress, guint64 done_bytes, guint64 total_bytes, gint64 now_usec)
{
  double part = total_bytes > 0 ? (double) done_bytes / (double) total_bytes : 0.0;
  guint filled = (guint) (part * BAR_WIDTH);
  double seconds = (double) (now_usec - progress->started_usec) / G_USEC_PER_SEC;
  g_autofree char *bar = g_strnfill (BAR_WIDTH, ' ');
  g_autofree char *done = atm_text_size (done_bytes);
  g_autofree char *total = atm_text_size (total_bytes);
  g_autofree char *rate
      = atm_text_size (seconds > 0.0 ? (guint64) ((double) done_bytes / seconds) : 0);

  for (guint i = 0; i < MIN (filled, BAR_WIDTH); i++)
    bar[i] = '=';
  g_printerr ("\r\033[K%.*s [%s] %s of %s, %s/s", LABEL_WIDTH, progress->what, bar, done, total,
              rate);
}

static void
show_progress (const char *what, guint64 done_bytes, guint64 total_bytes, gpointer data)
{
  Progress *progress = data;
  gint64 now_usec = g_get_monotonic_time ();

  if (!progress->terminal)
    return;
  if (g_strcmp0 (progress->what, what) != 0)
    {
      g_free (progress->what);
      progress->what = g_strdup (what);
      progress->started_usec = now_usec;
      progress->last_usec = now_usec;
    }
  if (done_bytes >= total_bytes)
    erase (progress);
  else if (now_usec - progress->last_usec >= REDRAW_USEC)
    {
      progress->last_usec = now_usec;
      draw (progress, done_bytes, total_bytes, now_usec);
      progress->drawn = TRUE;
    }
}

void
atm_cli_report_init (AtmReport *report_out)
{
  static Progress progress;

  progress.terminal = isatty (STDERR_FILENO) == 1;
  report_out->line = print_line;
  report_out->progress = show_progress;
  report_out->data = &progress;
}

void
atm_cli_report_to_stderr (AtmReport *report)
{
  ((Progress *) report->data)->steps_to_stderr = TRUE;
}
