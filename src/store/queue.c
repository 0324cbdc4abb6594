/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/queue.h"

typedef struct
{
  gpointer data; /* (owned) */
  gsize weight;
} Item;

struct _AtmQueue
{
  gsize weight_max;
  GDestroyNotify free_item;

  GMutex lock;  /* for everything below */
  GCond room;   /* something was taken, or the queue was stopped */
  GCond items;  /* something was pushed, or the queue has ended or was stopped */
  GArray *ring; /* (owned) (element-type Item): @n_items of it from @first on, round the end */
  guint first;
  guint n_items;
  gsize weight;
  guint n_pushing; /* threads that wait for room … */
  guint
      n_popping; /* … and for items: a signal that nobody needs costs a system call all the same */
  gboolean ended;
  gboolean stopped;
};

#define RING_MIN 16

AtmQueue *
atm_queue_new (gsize weight_max, GDestroyNotify free_item)
{
  AtmQueue *queue = g_new0 (AtmQueue, 1);

  queue->weight_max = weight_max;
  queue->free_item = free_item;
  g_mutex_init (&queue->lock);
  g_cond_init (&queue->room);
  g_cond_init (&queue->items);
  queue->ring = g_array_new (FALSE, FALSE, sizeof (Item));
  g_array_set_size (queue->ring, RING_MIN);
  return queue;
}

static Item
take_first (AtmQueue *queue)
{
  const Item item = g_array_index (queue->ring, Item, queue->first);

  queue->first = (queue->first + 1) % queue->ring->len;
  queue->n_items--;
  queue->weight -= item.weight;
  return item;
}

void
atm_queue_free (AtmQueue *queue)
{
  if (queue == NULL)
    return;
  while (queue->n_items > 0)
    queue->free_item (take_first (queue).data);
  g_array_unref (queue->ring);
  g_cond_clear (&queue->items);
  g_cond_clear (&queue->room);
  g_mutex_clear (&queue->lock);
  g_free (queue);
}

static void
grow (AtmQueue *queue)
{
  GArray *ring = g_array_sized_new (FALSE, FALSE, sizeof (Item), 2 * queue->ring->len);

  for (guint i = 0; i < queue->n_items; i++)
    g_array_append_val (ring,
                        g_array_index (queue->ring, Item, (queue->first + i) % queue->ring->len));
  g_array_set_size (ring, 2 * queue->ring->len);
  g_array_unref (queue->ring);
  queue->ring = ring;
  queue->first = 0;
}

gboolean
atm_queue_push (AtmQueue *queue, gpointer item, gsize weight)
{
  gboolean stopped;

  g_mutex_lock (&queue->lock);
  while (!queue->stopped && queue->n_items > 0
         && (weight > queue->weight_max || queue->weight > queue->weight_max - weight))
    {
      queue->n_pushing++;
      g_cond_wait (&queue->room, &queue->lock);
      queue->n_pushing--;
    }
  stopped = queue->stopped;
  if (!stopped)
    {
      if (queue->n_items == queue->ring->len)
        grow (queue);
      g_array_index (queue->ring, Item, (queue->first + queue->n_items) % queue->ring->len)
          = (Item){ item, weight };
      queue->n_items++;
      queue->weight += weight;
      if (queue->n_popping > 0)
        g_cond_signal (&queue->items);
    }
  g_mutex_unlock (&queue->lock);

  if (stopped)
    queue->free_item (item);
  return !stopped;
}

void
atm_queue_end (AtmQueue *queue)
{
  g_mutex_lock (&queue->lock);
  queue->ended = TRUE;
  g_cond_broadcast (&queue->items);
  g_mutex_unlock (&queue->lock);
}

gboolean
atm_queue_pop (AtmQueue *queue, gpointer *item_out)
{
  gpointer item = NULL;
  gboolean stopped;

  g_mutex_lock (&queue->lock);
  while (!queue->stopped && queue->n_items == 0 && !queue->ended)
    {
      queue->n_popping++;
      g_cond_wait (&queue->items, &queue->lock);
      queue->n_popping--;
    }
  stopped = queue->stopped;
  if (!stopped && queue->n_items > 0)
    item = take_first (queue).data;
  /* One who waits may need more room than this made, and another one less. */
  if (queue->n_pushing > 0)
    g_cond_broadcast (&queue->room);
  g_mutex_unlock (&queue->lock);

  if (stopped)
    return FALSE;
  *item_out = item;
  return TRUE;
}

void
atm_queue_stop (AtmQueue *queue)
{
  g_mutex_lock (&queue->lock);
  queue->stopped = TRUE;
  g_cond_broadcast (&queue->items);
  g_cond_broadcast (&queue->room);
  g_mutex_unlock (&queue->lock);
}
