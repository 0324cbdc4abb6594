/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/text.h"

#define BAR_WIDTH 24
#define COLUMNS_DEFAULT 80
#define REDRAW_USEC (G_USEC_PER_SEC / 10)
#define SIGN_OF_LIFE_USEC (30 * G_USEC_PER_SEC)
/* “sha256:” and the first twelve digits tell layers apart. */
#define LABEL_WIDTH 19
/* As many as there may be downloads at once. */
#define BARS_MAX 16

#define TOTAL_LABEL "total"

/* One transfer, or all of them. */
typedef struct
{
  char *what;          /* (owned) */
  gint64 started_usec; /* monotonic; 0: announced, not running */
  guint64 start_bytes; /* what was there when it started */
  guint64 done_bytes;
  guint64 total_bytes;
} Transfer;

typedef struct
{
  GMutex lock; /* of all below and of the output */
  gboolean terminal;
  guint n_drawn;        /* lines of bars, the last one without its end */
  GPtrArray *transfers; /* (owned) (element-type Transfer) */
  gint64 last_usec;     /* monotonic: when it was drawn or told */
} Progress;

static void
transfer_free (gpointer data)
{
  Transfer *transfer = data;

  g_free (transfer->what);
  g_free (transfer);
}

static gboolean
is_running (const Transfer *transfer)
{
  return transfer->started_usec != 0 && transfer->done_bytes < transfer->total_bytes;
}

/* ---- bars ---- */

static void
erase (Progress *progress)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (progress->n_drawn == 0)
    return;
  g_string_append (text, "\r\033[K");
  for (guint i = 1; i < progress->n_drawn; i++)
    g_string_append (text, "\033[A\033[K");
  g_printerr ("%s", text->str);
  progress->n_drawn = 0;
}

/* A line that is broken in two could not be erased. */
static guint
get_columns (void)
{
  struct winsize size;

  return ioctl (STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col
                                                                          : COLUMNS_DEFAULT;
}

static char *
format_rate (const Transfer *transfer, gint64 now_usec)
{
  double seconds = (double) (now_usec - transfer->started_usec) / G_USEC_PER_SEC;
  double bytes = (double) (transfer->done_bytes - transfer->start_bytes);

  return atm_text_size (seconds > 0.0 ? (guint64) (bytes / seconds) : 0);
}

static void
append_bar (GString *text, const Transfer *transfer, gint64 now_usec)
{
  double part = transfer->total_bytes > 0
                    ? (double) transfer->done_bytes / (double) transfer->total_bytes
                    : 0.0;
  guint filled = MIN ((guint) (part * BAR_WIDTH), BAR_WIDTH);
  g_autofree char *bar = g_strnfill (BAR_WIDTH, ' ');
  g_autofree char *done = atm_text_size (transfer->done_bytes);
  g_autofree char *total = atm_text_size (transfer->total_bytes);
  g_autofree char *rate = format_rate (transfer, now_usec);
  g_autofree char *line = NULL;

  memset (bar, '=', filled);
  line = g_strdup_printf ("%-*.*s [%s] %s of %s, %s/s", LABEL_WIDTH, LABEL_WIDTH, transfer->what,
                          bar, done, total, rate);
  g_string_append_len (text, line, (gssize) MIN (strlen (line), get_columns () - 1));
}

static Transfer
sum_up (const Progress *progress)
{
  Transfer sum = { .what = (char *) TOTAL_LABEL };

  for (guint i = 0; i < progress->transfers->len; i++)
    {
      const Transfer *transfer = progress->transfers->pdata[i];

      sum.total_bytes += transfer->total_bytes;
      sum.done_bytes += transfer->done_bytes;
      sum.start_bytes += transfer->start_bytes;
      if (transfer->started_usec != 0
          && (sum.started_usec == 0 || transfer->started_usec < sum.started_usec))
        sum.started_usec = transfer->started_usec;
    }
  return sum;
}

static void
draw (Progress *progress, gint64 now_usec)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const Transfer sum = sum_up (progress);
  guint n = 0;

  for (guint i = 0; i < progress->transfers->len && n < BARS_MAX; i++)
    if (is_running (progress->transfers->pdata[i]))
      {
        g_string_append (text, n > 0 ? "\n" : "");
        append_bar (text, progress->transfers->pdata[i], now_usec);
        n++;
      }
  if (progress->transfers->len > 1 && n > 0)
    {
      g_string_append_c (text, '\n');
      append_bar (text, &sum, now_usec);
      n++;
    }
  erase (progress);
  g_printerr ("%s", text->str);
  progress->n_drawn = n;
}

static void
tell (const Progress *progress, gint64 now_usec)
{
  const Transfer sum = sum_up (progress);
  g_autofree char *done = atm_text_size (sum.done_bytes);
  g_autofree char *total = atm_text_size (sum.total_bytes);
  g_autofree char *rate = format_rate (&sum, now_usec);

  g_printerr ("%s of %s, %s/s\n", done, total, rate);
}

/* ---- the report ---- */

static void
print_line (AtmReportKind kind, const char *text, gpointer data)
{
  Progress *progress = data;
  g_autofree char *safe = atm_text_escape (text);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&progress->lock);

  erase (progress);
  if (kind == ATM_REPORT_STEP)
    g_print ("%s\n", safe);
  else
    g_printerr ("%s\n", safe);
}

static Transfer *
find_transfer (Progress *progress, const char *what)
{
  Transfer *transfer = NULL;

  for (guint i = 0; i < progress->transfers->len; i++)
    {
      transfer = progress->transfers->pdata[i];
      if (g_str_equal (transfer->what, what))
        return transfer;
    }
  transfer = g_new0 (Transfer, 1);
  transfer->what = g_strdup (what);
  g_ptr_array_add (progress->transfers, transfer);
  return transfer;
}

static void
show_progress (const char *what, guint64 done_bytes, guint64 total_bytes, gpointer data)
{
  Progress *progress = data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&progress->lock);
  Transfer *transfer = find_transfer (progress, what);
  gint64 now_usec = g_get_monotonic_time ();

  transfer->total_bytes = total_bytes;
  if (done_bytes == 0)
    return;
  if (transfer->started_usec == 0)
    {
      transfer->started_usec = now_usec;
      transfer->start_bytes = done_bytes;
    }
  /* A transfer that began again has less than before. */
  transfer->start_bytes = MIN (transfer->start_bytes, done_bytes);
  transfer->done_bytes = done_bytes;

  if (progress->last_usec == 0)
    progress->last_usec = now_usec;
  if (now_usec - progress->last_usec < (progress->terminal ? REDRAW_USEC : SIGN_OF_LIFE_USEC))
    return;
  progress->last_usec = now_usec;
  if (progress->terminal)
    draw (progress, now_usec);
  else
    tell (progress, now_usec);
}

void
atm_cli_report_init (AtmReport *report_out)
{
  static Progress progress;

  progress.terminal = isatty (STDERR_FILENO) == 1;
  progress.transfers = g_ptr_array_new_with_free_func (transfer_free);
  report_out->line = print_line;
  report_out->progress = show_progress;
  report_out->data = &progress;
}

void
atm_cli_report_end (const AtmReport *report)
{
  Progress *progress = report->data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&progress->lock);

  erase (progress);
  g_ptr_array_set_size (progress->transfers, 0);
  progress->last_usec = 0;
}
