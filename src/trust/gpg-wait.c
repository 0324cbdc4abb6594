/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/gpg-wait.h"

#include <errno.h>

#include "trust/trust.h"
#include "util/error.h"

/* A descriptor that gpgme wants to hear about. */
typedef struct
{
  int fd;
  gboolean reading;
  gpgme_io_cb_t callback;
  void *data;
} Watch;

struct _AtmGpgWait
{
  gpgme_ctx_t context; /* (borrowed) */
  GPtrArray *watches;  /* (owned) (element-type Watch) */
  gboolean done;
  gpgme_error_t result; /* valid if done */
};

static gpgme_error_t
add_watch (void *data, int fd, int direction, gpgme_io_cb_t callback, void *callback_data,
           void **tag_out)
{
  AtmGpgWait *wait = data;
  Watch *watch = g_new0 (Watch, 1);

  watch->fd = fd;
  watch->reading = direction != 0;
  watch->callback = callback;
  watch->data = callback_data;
  g_ptr_array_add (wait->watches, watch);
  *tag_out = watch;
  return 0;
}

static void
remove_watch (void *tag)
{
  Watch *watch = tag;

  /* It may be one that dispatch() has still to look at, so it goes later. */
  watch->callback = NULL;
}

static void
on_event (void *data, gpgme_event_io_t type, void *type_data)
{
  AtmGpgWait *wait = data;
  gpgme_io_event_done_data_t done = type_data;

  if (type != GPGME_EVENT_DONE)
    return;
  wait->done = TRUE;
  wait->result = done->err != 0 ? done->err : done->op_err;
}

AtmGpgWait *
atm_gpg_wait_new (gpgme_ctx_t context)
{
  AtmGpgWait *wait = g_new0 (AtmGpgWait, 1);
  struct gpgme_io_cbs callbacks = { .add = add_watch,
                                    .add_priv = wait,
                                    .remove = remove_watch,
                                    .event = on_event,
                                    .event_priv = wait };

  wait->context = context;
  wait->watches = g_ptr_array_new_with_free_func (g_free);
  gpgme_set_io_cbs (context, &callbacks);
  return wait;
}

void
atm_gpg_wait_free (AtmGpgWait *wait)
{
  if (wait == NULL)
    return;
  g_clear_pointer (&wait->watches, g_ptr_array_unref);
  g_free (wait);
}

static void
forget_removed (AtmGpgWait *wait)
{
  for (guint i = wait->watches->len; i > 0; i--)
    {
      const Watch *watch = g_ptr_array_index (wait->watches, i - 1);

      if (watch->callback == NULL)
        g_ptr_array_remove_index (wait->watches, i - 1);
    }
}

/* Calls back for what is ready. A callback may remove watches, also those that come after it. */
static void
dispatch (AtmGpgWait *wait, const GPollFD *polled, guint n_watches)
{
  for (guint i = 0; i < n_watches && !wait->done; i++)
    {
      const Watch *watch = g_ptr_array_index (wait->watches, i);

      if (polled[i].revents != 0 && watch->callback != NULL)
        (void) watch->callback (watch->data, watch->fd);
    }
}

/* One round; FALSE when the time is up, when the user has had enough, or when poll() fails. */
static gboolean
wait_once (AtmGpgWait *wait, gint64 end_usec, GCancellable *cancellable, GError **error)
{
  guint n_watches = wait->watches->len;
  gboolean cancels = FALSE;
  gint64 left_usec = end_usec - g_get_monotonic_time ();
  g_autofree GPollFD *polled = g_new0 (GPollFD, n_watches + 1);
  int n = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (left_usec <= 0)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "gpg did not finish one signature in time; try again when the machine is "
                      "less busy, or ask the publisher for another signature");
  for (guint i = 0; i < n_watches; i++)
    {
      const Watch *watch = g_ptr_array_index (wait->watches, i);

      polled[i].fd = watch->fd;
      polled[i].events = watch->reading ? G_IO_IN : G_IO_OUT;
    }
  if (cancellable != NULL)
    cancels = g_cancellable_make_pollfd (cancellable, &polled[n_watches]);
  n = g_poll (polled, n_watches + (cancels ? 1 : 0), (int) (left_usec / 1000) + 1);
  if (cancels)
    g_cancellable_release_fd (cancellable);
  if (n < 0 && errno != EINTR)
    return atm_throw_errno (error, "Waiting for gpg");
  if (n > 0)
    dispatch (wait, polled, n_watches);
  forget_removed (wait);
  return TRUE;
}

gboolean
atm_gpg_wait_run (AtmGpgWait *wait, guint seconds_max, gpgme_error_t *result_out,
                  GCancellable *cancellable, GError **error)
{
  gint64 end_usec = g_get_monotonic_time () + (gint64) seconds_max * G_USEC_PER_SEC;

  while (!wait->done)
    if (!wait_once (wait, end_usec, cancellable, error))
      {
        (void) gpgme_cancel (wait->context);
        forget_removed (wait);
        wait->done = FALSE;
        return FALSE;
      }
  wait->done = FALSE;
  *result_out = wait->result;
  return TRUE;
}
