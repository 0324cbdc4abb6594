/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "container/deployment.h"
#include "ops/list.h"
#include "ops/preinstalled.h"
#include "store/store.h"
#include "store/usage.h"
#include "util/error.h"
#include "util/fd.h"

/* The list of images; the contract is in list.h. */

void
atm_image_row_free (AtmImageRow *row)
{
  if (row == NULL)
    return;
  g_free (row->reference);
  g_free (row->id);
  g_free (row);
}

/* The references that containers were installed from. */
static gboolean
find_used (const AtmSystem *system, GHashTable **used_out, GError **error)
{
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GHashTable) used = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) containers = NULL;

  if (checkout_fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!atm_container_list_summaries (checkout_fd, &containers, error)
      || !atm_preinstalled_add (system, containers, error))
    return FALSE;
  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];

      if (container->info != NULL)
        g_hash_table_add (used, g_strdup (container->info->image));
    }
  *used_out = g_steal_pointer (&used);
  return TRUE;
}

static void
add_images (GPtrArray *images, GHashTable *used, const AtmReport *report, GPtrArray *rows)
{
  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *image = images->pdata[i];
      AtmImageRow *row = g_new0 (AtmImageRow, 1);

      if (image->problem != NULL)
        atm_report (report, ATM_REPORT_NOTICE, "image %s is damaged: %s", image->reference,
                    image->problem);
      row->reference = g_strdup (image->reference);
      row->id = g_strdup (image->digest.hex);
      row->created_unix = (gint64) image->created_unix;
      row->size_bytes = image->size_bytes;
      row->used = g_hash_table_contains (used, image->reference);
      g_ptr_array_add (rows, row);
    }
}

/* @rows begins with those of @images. */
static gboolean
add_sizes (AtmStore *store, GPtrArray *images, GPtrArray *rows, GCancellable *cancellable,
           GError **error)
{
  g_autoptr (GArray) unique = NULL;

  if (!atm_usage_measure (store, images, &unique, cancellable, error))
    return FALSE;
  for (guint i = 0; i < unique->len; i++)
    ((AtmImageRow *) rows->pdata[i])->unique_bytes = g_array_index (unique, guint64, i);
  return TRUE;
}

static gboolean
add_layers (AtmStore *store, GPtrArray *images, GPtrArray *rows, GCancellable *cancellable,
            GError **error)
{
  g_autoptr (GHashTable) needed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) layers = NULL;

  if (!atm_store_list_layers (store, &layers, cancellable, error))
    return FALSE;
  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *image = images->pdata[i];

      if (image->manifest != NULL)
        atm_usage_add_blobs (image->manifest, needed);
    }
  for (guint i = 0; i < layers->len; i++)
    {
      const AtmStoredLayer *layer = layers->pdata[i];
      AtmImageRow *row = g_new0 (AtmImageRow, 1);

      row->id = g_strdup (layer->hex);
      row->created_unix = (gint64) layer->created_unix;
      row->size_bytes = layer->size_bytes;
      row->dangling = !g_hash_table_contains (needed, layer->hex);
      g_ptr_array_add (rows, row);
    }
  return TRUE;
}

gboolean
atm_list_images (const AtmSystem *system, AtmListFlags flags, const AtmReport *report,
                 GPtrArray **rows_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_image_row_free);
  g_autoptr (GPtrArray) images = NULL;
  g_autoptr (GHashTable) used = NULL;
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_store_open (system->repository, FALSE, &store, cancellable, &local))
    {
      if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      *rows_out = g_steal_pointer (&rows);
      return TRUE;
    }
  if (!atm_store_list_images (store, &images, cancellable, error)
      || !find_used (system, &used, error))
    return FALSE;
  add_images (images, used, report, rows);
  if ((flags & ATM_LIST_UNIQUE_SIZES) != 0 && !add_sizes (store, images, rows, cancellable, error))
    return FALSE;
  if ((flags & ATM_LIST_LAYERS) != 0 && !add_layers (store, images, rows, cancellable, error))
    return FALSE;
  *rows_out = g_steal_pointer (&rows);
  return TRUE;
}
