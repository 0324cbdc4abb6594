/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/list.h"

#include <errno.h>
#include <fcntl.h>

#include "container/deployment.h"
#include "host/systemd.h"
#include "ops/preinstalled.h"
#include "store/store.h"
#include "store/usage.h"
#include "util/error.h"
#include "util/fd.h"

void
atm_container_row_free (AtmContainerRow *row)
{
  if (row == NULL)
    return;
  g_free (row->name);
  g_free (row->image_id);
  g_free (row->image_name);
  g_free (row->command);
  g_free (row->state);
  g_free (row->runtime);
  g_free (row);
}

void
atm_image_row_free (AtmImageRow *row)
{
  if (row == NULL)
    return;
  g_free (row->reference);
  g_free (row->id);
  g_free (row);
}

static gboolean
load_containers (const AtmSystem *system, GPtrArray **containers_out, GError **error)
{
  g_autoptr (GPtrArray) containers = NULL;
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (checkout_fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!atm_container_list (checkout_fd, &containers, error)
      || !atm_preinstalled_add (system, containers, error))
    return FALSE;
  *containers_out = g_steal_pointer (&containers);
  return TRUE;
}

/* One question to systemd for all containers; without an answer none is running. */
static GHashTable *
ask_states (const AtmSystem *system, GPtrArray *containers, const AtmReport *report)
{
  g_autoptr (GPtrArray) units = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autoptr (GError) error = NULL;
  GHashTable *states = NULL;

  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];

      g_ptr_array_add (units, g_strconcat (container->name, ".service", NULL));
    }
  if (units->len == 0)
    return g_hash_table_new (g_str_hash, g_str_equal);
  g_ptr_array_add (units, NULL);
  if (atm_systemd_connect (&systemd, &error)
      && atm_systemd_list_states (systemd, (const char *const *) units->pdata, system->unit_dir,
                                  &states, &error))
    return states;
  atm_report (report, ATM_REPORT_NOTICE, "%s; states are not known", error->message);
  return g_hash_table_new (g_str_hash, g_str_equal);
}

static const char *
state_of (const AtmContainer *container, GHashTable *states)
{
  g_autofree char *unit = g_strconcat (container->name, ".service", NULL);
  const char *active = g_hash_table_lookup (states, unit);

  if ((container->info != NULL && !container->info->has_service)
      || g_strcmp0 (active, "not-found") == 0)
    return "no service";
  if (active == NULL || g_str_equal (active, "inactive"))
    return "inactive";
  return g_str_equal (active, "failed") ? "failed" : "running";
}

static char *
dup_or_empty (const char *text)
{
  return g_strdup (text != NULL ? text : "");
}

static AtmContainerRow *
make_row (const AtmSystem *system, const AtmContainer *container, GHashTable *states)
{
  const AtmInfo *info = container->info;
  AtmContainerRow *row = g_new0 (AtmContainerRow, 1);

  row->name = g_strdup (container->name);
  row->image_id = dup_or_empty (info != NULL ? info->revision : NULL);
  row->image_name = dup_or_empty (info != NULL ? info->image : NULL);
  row->command = dup_or_empty (container->command);
  row->created_unix = info != NULL ? info->created_unix : 0;
  row->state = g_strdup (state_of (container, states));
  row->runtime = g_strdup (info != NULL && info->runtime != NULL ? info->runtime : system->runtime);
  return row;
}

gboolean
atm_list_containers (const AtmSystem *system, const AtmReport *report, GPtrArray **rows_out,
                     GError **error)
{
  g_autoptr (GPtrArray) containers = NULL;
  g_autoptr (GHashTable) states = NULL;
  g_autoptr (GPtrArray) rows
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_container_row_free);

  if (!load_containers (system, &containers, error))
    return FALSE;
  states = ask_states (system, containers, report);
  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];

      if (container->problem != NULL)
        atm_report (report, ATM_REPORT_NOTICE,
                    "container %s is damaged: %s; `atomic uninstall %s` removes it",
                    container->name, container->problem, container->name);
      g_ptr_array_add (rows, make_row (system, container, states));
    }
  *rows_out = g_steal_pointer (&rows);
  return TRUE;
}

/* The references that containers were installed from. */
static gboolean
find_used (const AtmSystem *system, GHashTable **used_out, GError **error)
{
  g_autoptr (GHashTable) used = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) containers = NULL;

  if (!load_containers (system, &containers, error))
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
