/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/report.h"

void
atm_report (const AtmReport *report, AtmReportKind kind, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  report->line (kind, text, report->data);
}

#define ATM_TYPE_REPORT_STREAM (atm_report_stream_get_type ())
G_DECLARE_FINAL_TYPE (AtmReportStream, atm_report_stream, ATM, REPORT_STREAM, GFilterInputStream)

struct _AtmReportStream
{
  GFilterInputStream parent_instance;
  const AtmReport *report; /* (borrowed) */
  char *what;              /* (owned) */
  guint64 done_bytes;
  guint64 total_bytes;
};

G_DEFINE_TYPE (AtmReportStream, atm_report_stream, G_TYPE_FILTER_INPUT_STREAM)

static gssize
report_stream_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                    GError **error)
{
  AtmReportStream *self = ATM_REPORT_STREAM (stream);
  GInputStream *base = g_filter_input_stream_get_base_stream (G_FILTER_INPUT_STREAM (stream));
  gssize n = g_input_stream_read (base, buffer, count, cancellable, error);

  if (n > 0)
    {
      self->done_bytes += (guint64) n;
      self->report->progress (self->what, self->done_bytes, self->total_bytes, self->report->data);
    }
  return n;
}

static void
report_stream_finalize (GObject *object)
{
  g_free (ATM_REPORT_STREAM (object)->what);
  G_OBJECT_CLASS (atm_report_stream_parent_class)->finalize (object);
}

static void
atm_report_stream_class_init (AtmReportStreamClass *class)
{
  G_OBJECT_CLASS (class)->finalize = report_stream_finalize;
  G_INPUT_STREAM_CLASS (class)->read_fn = report_stream_read;
}

static void
atm_report_stream_init (AtmReportStream *self G_GNUC_UNUSED)
{
}

GInputStream *
atm_report_stream_new (const AtmReport *report, GInputStream *base, const char *what,
                       guint64 total_bytes)
{
  AtmReportStream *self = g_object_new (ATM_TYPE_REPORT_STREAM, "base-stream", base, NULL);

  self->report = report;
  self->what = g_strdup (what);
  self->total_bytes = total_bytes;
  return G_INPUT_STREAM (self);
}
