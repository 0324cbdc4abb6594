/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Reports: what an operation tells while it works. Operations do not print; whoever calls them
   decides what becomes of a line. All of it may be called from any thread. */

typedef enum
{
  ATM_REPORT_STEP,  /* something was done; scripts look for these (command.md 6) */
  ATM_REPORT_NOTICE /* something that a person should know, and that was survived */
} AtmReportKind;

typedef struct
{
  void (*line) (AtmReportKind kind, const char *text, gpointer data);
  /* @total_bytes 0: the size is not known; @done_bytes = @total_bytes: this one has ended; 0: it is
     announced, and has not begun */
  void (*progress) (const char *what, guint64 done_bytes, guint64 total_bytes, gpointer data);
  gpointer data; /* (borrowed) */
} AtmReport;

void atm_report (const AtmReport *report, AtmReportKind kind, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/**
 * atm_report_stream_new:
 * @report: (borrowed): must outlive the stream
 * @base: (borrowed): what is read
 * @what: how the progress is called
 * @total_bytes: what @base will give
 *
 * Returns: (transfer full): @base, with progress reported for every read
 */
GInputStream *atm_report_stream_new (const AtmReport *report, GInputStream *base, const char *what,
                                     guint64 total_bytes);
