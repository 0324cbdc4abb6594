/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/watchdog.h"

struct _AtmWatchdog
{
  GMainContext *context; /* (owned) */
  GMainLoop *loop;       /* (owned) */
  GThread *thread;       /* (owned) */
};

struct _AtmTimeLimit
{
  AtmWatchdog *watchdog; /* (borrowed) */
  GCancellable *outer;   /* (owned) (nullable) */
  gulong handler;        /* of @outer; 0 for none */
  GCancellable *inner;   /* (owned) */
  GSource *source;       /* (owned) (nullable): while the clock runs */
  GCancellable *is_over; /* (owned): a flag that two threads may see */
};

static gpointer
run (gpointer data)
{
  AtmWatchdog *watchdog = data;

  g_main_context_push_thread_default (watchdog->context);
  g_main_loop_run (watchdog->loop);
  g_main_context_pop_thread_default (watchdog->context);
  return NULL;
}

AtmWatchdog *
atm_watchdog_new (void)
{
  AtmWatchdog *watchdog = g_new0 (AtmWatchdog, 1);

  watchdog->context = g_main_context_new ();
  watchdog->loop = g_main_loop_new (watchdog->context, FALSE);
  watchdog->thread = g_thread_new ("watchdog", run, watchdog);
  return watchdog;
}

static gboolean
quit (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

void
atm_watchdog_free (AtmWatchdog *watchdog)
{
  g_autoptr (GSource) source = NULL;

  if (watchdog == NULL)
    return;
  /* From within the loop: one that does not run yet would not hear g_main_loop_quit(). */
  source = g_idle_source_new ();
  g_source_set_callback (source, quit, watchdog->loop, NULL);
  (void) g_source_attach (source, watchdog->context);
  (void) g_thread_join (watchdog->thread);
  g_main_loop_unref (watchdog->loop);
  g_main_context_unref (watchdog->context);
  g_free (watchdog);
}

/* What a source of the thread holds: the limit itself may be gone by then. */
typedef struct
{
  GCancellable *inner;   /* (owned) */
  GCancellable *is_over; /* (owned) */
} Alarm;

static Alarm *
alarm_new (const AtmTimeLimit *limit)
{
  Alarm *alarm = g_new0 (Alarm, 1);

  alarm->inner = g_object_ref (limit->inner);
  alarm->is_over = g_object_ref (limit->is_over);
  return alarm;
}

static void
alarm_free (gpointer data)
{
  Alarm *alarm = data;

  g_object_unref (alarm->inner);
  g_object_unref (alarm->is_over);
  g_free (alarm);
}

static gboolean
ring (gpointer data)
{
  Alarm *alarm = data;

  g_cancellable_cancel (alarm->is_over);
  g_cancellable_cancel (alarm->inner);
  return G_SOURCE_REMOVE;
}

static void
on_outer_cancelled (GCancellable *outer, gpointer user_data)
{
  (void) outer;
  g_cancellable_cancel (user_data);
}

AtmTimeLimit *
atm_time_limit_new (AtmWatchdog *watchdog, GCancellable *cancellable)
{
  AtmTimeLimit *limit = g_new0 (AtmTimeLimit, 1);

  limit->watchdog = watchdog;
  limit->inner = g_cancellable_new ();
  limit->is_over = g_cancellable_new ();
  if (cancellable != NULL)
    {
      limit->outer = g_object_ref (cancellable);
      limit->handler = g_cancellable_connect (cancellable, G_CALLBACK (on_outer_cancelled),
                                              g_object_ref (limit->inner), g_object_unref);
    }
  return limit;
}

void
atm_time_limit_free (AtmTimeLimit *limit)
{
  if (limit == NULL)
    return;
  atm_time_limit_start (limit, 0);
  if (limit->outer != NULL)
    g_cancellable_disconnect (limit->outer, limit->handler);
  g_clear_object (&limit->outer);
  g_object_unref (limit->inner);
  g_object_unref (limit->is_over);
  g_free (limit);
}

void
atm_time_limit_start (AtmTimeLimit *limit, guint msec)
{
  if (limit->source != NULL)
    {
      g_source_destroy (limit->source);
      g_clear_pointer (&limit->source, g_source_unref);
    }
  if (msec == 0)
    return;
  limit->source = g_timeout_source_new (msec);
  g_source_set_callback (limit->source, ring, alarm_new (limit), alarm_free);
  (void) g_source_attach (limit->source, limit->watchdog->context);
}

GCancellable *
atm_time_limit_get_cancellable (AtmTimeLimit *limit)
{
  return limit->inner;
}

gboolean
atm_time_limit_is_over (AtmTimeLimit *limit)
{
  return g_cancellable_is_cancelled (limit->is_over)
         && (limit->outer == NULL || !g_cancellable_is_cancelled (limit->outer));
}
