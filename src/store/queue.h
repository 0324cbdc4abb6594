/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Queues: what one thread hands to the next, in order and never more than a bound, so that the
   slowest stage sets the pace of all (STYLE.md 8). Every function may be called from any thread.
   Internal to store/. */

typedef struct _AtmQueue AtmQueue;

/**
 * atm_queue_new:
 * @weight_max: how much may wait, in a unit of the caller's; one item may always wait
 * @free_item: for what nobody takes
 *
 * Returns: (transfer full): an empty queue
 */
AtmQueue *atm_queue_new (gsize weight_max, GDestroyNotify free_item);

/* No thread may use the queue any more. */
void atm_queue_free (AtmQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmQueue, atm_queue_free)

/**
 * atm_queue_push:
 * @item: (transfer full): not %NULL
 * @weight: of @item
 *
 * Waits until there is room.
 *
 * Returns: %FALSE if the queue was stopped; @item is freed then
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_queue_push (AtmQueue *queue, gpointer item, gsize weight);

/**
 * atm_queue_end:
 *
 * Says that nothing will follow what was pushed.
 */
void atm_queue_end (AtmQueue *queue);

/**
 * atm_queue_pop:
 * @item_out: (out) (transfer full) (nullable): the oldest item; %NULL when the queue has ended and
 *   all were taken
 *
 * Waits until there is something to take.
 *
 * Returns: %FALSE if the queue was stopped
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_queue_pop (AtmQueue *queue, gpointer *item_out);

/**
 * atm_queue_stop:
 *
 * Wakes all who wait, and refuses from now on; for when something has failed. Twice is once.
 */
void atm_queue_stop (AtmQueue *queue);
