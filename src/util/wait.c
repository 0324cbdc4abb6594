/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/wait.h"

#include <errno.h>

#include "util/fd.h"

gboolean
atm_wait (gint64 usec, GCancellable *cancellable, GError **error)
{
  gint64 until_usec = g_get_monotonic_time () + usec;
  GPollFD poll_fd = { .fd = -1 };
  gboolean can_poll
      = usec > 0 && cancellable != NULL && g_cancellable_make_pollfd (cancellable, &poll_fd);

  while (!g_cancellable_is_cancelled (cancellable))
    {
      gint64 left_usec = until_usec - g_get_monotonic_time ();

      if (left_usec <= 0)
        break;
      /* Rounded up, or the last millisecond would be spent in a busy loop. */
      (void) g_poll (&poll_fd, can_poll ? 1 : 0, (int) MIN (left_usec / 1000 + 1, G_MAXINT));
    }
  if (can_poll)
    g_cancellable_release_fd (cancellable);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* All of it belongs to the thread. */
typedef struct
{
  AtmBlockingFunc block;
  int fd;                   /* (owned) */
  gpointer data;            /* (owned) */
  GDestroyNotify free_data; /* (nullable) */
} Blocking;

static void
blocking_free (gpointer data)
{
  Blocking *blocking = data;

  atm_fd_clear (&blocking->fd);
  if (blocking->free_data != NULL)
    blocking->free_data (blocking->data);
  g_free (blocking);
}

static void
block_in_thread (GTask *task, gpointer source G_GNUC_UNUSED, gpointer data,
                 GCancellable *cancellable G_GNUC_UNUSED)
{
  Blocking *blocking = data;

  if (blocking->block (blocking->fd, blocking->data))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_new_error (task, G_IO_ERROR, (int) g_io_error_from_errno (errno), "%s",
                             g_strerror (errno));
}

static void
waited (GObject *source G_GNUC_UNUSED, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

gboolean
atm_wait_for (AtmBlockingFunc block, int fd, gpointer data, GDestroyNotify free_data,
              GCancellable *cancellable, GError **error)
{
  /* A context of our own: nothing else is dispatched while we wait. */
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GTask) task = NULL;
  Blocking *blocking = g_new0 (Blocking, 1);

  blocking->block = block;
  blocking->fd = fd;
  blocking->data = data;
  blocking->free_data = free_data;

  g_main_context_push_thread_default (context);
  task = g_task_new (NULL, cancellable, waited, &result);
  g_task_set_task_data (task, blocking, blocking_free);
  g_task_set_return_on_cancel (task, TRUE);
  g_task_run_in_thread (task, block_in_thread);
  while (result == NULL)
    (void) g_main_context_iteration (context, TRUE);
  g_main_context_pop_thread_default (context);
  return g_task_propagate_boolean (task, error);
}
