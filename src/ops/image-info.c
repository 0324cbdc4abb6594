/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/image-info.h"

#include <string.h>

#include "container/exports.h"
#include "container/template.h"
#include "container/values.h"
#include "image/name.h"
#include "image/origin.h"
#include "ops/pin.h"
#include "ops/open.h"
#include "ops/served.h"
#include "ops/repository.h"
#include "store/file.h"
#include "store/usage.h"
#include "util/error.h"

static void
layer_free (AtmImageLayer *layer)
{
  g_free (layer->digest);
  g_free (layer->diff_id);
  g_free (layer);
}

void
atm_image_info_free (AtmImageInfo *info)
{
  if (info == NULL)
    return;
  g_free (info->reference);
  g_free (info->canonical);
  g_free (info->digest);
  g_free (info->config_digest);
  g_clear_pointer (&info->layers, g_ptr_array_unref);
  atm_config_free (info->config);
  g_strfreev (info->other_names);
  g_clear_pointer (&info->defaults, g_hash_table_unref);
  g_strfreev (info->supplied);
  g_strfreev (info->required);
  g_free (info->verdict);
  g_strfreev (info->used_by);
  g_free (info->notice);
  g_free (info);
}

static AtmImageInfo *
info_new (void)
{
  AtmImageInfo *info = g_new0 (AtmImageInfo, 1);

  info->layers = g_ptr_array_new_with_free_func ((GDestroyNotify) layer_free);
  info->defaults = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  info->other_names = g_new0 (char *, 1);
  info->supplied = g_new0 (char *, 1);
  info->required = g_new0 (char *, 1);
  info->used_by = g_new0 (char *, 1);
  return info;
}

static void
add_layers (AtmImageInfo *info, const AtmManifest *manifest, GHashTable *stored)
{
  info->config_digest = atm_digest_to_string (&manifest->config.digest);
  for (guint i = 0; i < manifest->layers->len; i++)
    {
      const AtmDescriptor *descriptor = manifest->layers->pdata[i];
      AtmImageLayer *layer = g_new0 (AtmImageLayer, 1);

      layer->digest = atm_digest_to_string (&descriptor->digest);
      layer->size_bytes = descriptor->size_bytes;
      if (info->config != NULL && i < info->config->diff_ids->len)
        layer->diff_id
            = atm_digest_to_string (&g_array_index (info->config->diff_ids, AtmDigest, i));
      layer->stored = stored != NULL && g_hash_table_contains (stored, descriptor->digest.hex);
      g_ptr_array_add (info->layers, layer);
    }
}

/* ---- variables ---- */

static gboolean
read_export (AtmStore *store, const AtmStoredImage *image, const char *path, GBytes **bytes_out,
             GCancellable *cancellable, GError **error)
{
  return atm_store_read_file (store, image->commit, path, ATM_EXPORTS_FILE_MAX_BYTES, bytes_out,
                              cancellable, error);
}

/* What templates use, host files that are templates included; not what they stand for. */
static gboolean
collect_names (AtmStore *store, const AtmStoredImage *image, AtmExports *exports, GHashTable *names,
               gboolean *found_out, GCancellable *cancellable, GError **error)
{
  static const char *const templates[] = {
    "/exports/config.json", /* no template, but no other is read beside it */
    "/exports/config.json.template",
    "/exports/service.template",
    "/exports/tmpfiles.template",
  };
  g_autoptr (GBytes) manifest = NULL;

  if (!read_export (store, image, "/exports/manifest.json", &manifest, cancellable, error)
      || (manifest != NULL && !atm_exports_parse_manifest (exports, manifest, error)))
    return FALSE;
  *found_out = manifest != NULL;
  for (guint i = 0; i < G_N_ELEMENTS (templates); i++)
    {
      g_autoptr (GBytes) bytes = NULL;

      if (!read_export (store, image, templates[i], &bytes, cancellable, error))
        return FALSE;
      *found_out |= bytes != NULL;
      if (bytes != NULL && i > 0)
        atm_template_add_names (bytes, names);
    }
  for (guint i = 0; exports->installed_templates != NULL && exports->installed_templates[i] != NULL;
       i++)
    {
      g_autofree char *path
          = g_strconcat ("/exports/hostfs/", exports->installed_templates[i], NULL);
      g_autoptr (GBytes) bytes = NULL;

      if (!read_export (store, image, path, &bytes, cancellable, error))
        return FALSE;
      if (bytes != NULL)
        atm_template_add_names (bytes, names);
    }
  return TRUE;
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static char **
to_sorted_texts (GPtrArray *texts)
{
  g_ptr_array_sort (texts, compare_texts);
  g_ptr_array_add (texts, NULL);
  return (char **) g_ptr_array_free (texts, FALSE);
}

static void
sort_names (AtmImageInfo *info, GHashTable *names, GHashTable *defaults)
{
  GPtrArray *supplied = g_ptr_array_new (), *required = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, defaults);
  while (g_hash_table_iter_next (&iter, &name, &value))
    if (atm_values_get_kind (name) == ATM_VALUE_OF_IMAGE)
      g_hash_table_insert (info->defaults, g_strdup (name), g_strdup (value));
  g_hash_table_iter_init (&iter, names);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      const AtmValueKind kind = atm_values_get_kind (name);

      if (kind == ATM_VALUE_SUPPLIED)
        g_ptr_array_add (supplied, g_strdup (name));
      else if (kind == ATM_VALUE_OF_IMAGE && !g_hash_table_contains (defaults, name))
        g_ptr_array_add (required, g_strdup (name));
    }
  g_strfreev (info->supplied);
  g_strfreev (info->required);
  info->supplied = to_sorted_texts (supplied);
  info->required = to_sorted_texts (required);
}

static gboolean
add_variables (AtmImageInfo *info, AtmStore *store, const AtmStoredImage *image,
               GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (AtmExports) exports = atm_exports_new ();

  /* The Python tool kept no merged tree, so there are no templates to read. */
  if (image->canonical == NULL)
    return TRUE;
  if (!collect_names (store, image, exports, names, &info->has_exports, cancellable, error))
    return FALSE;
  sort_names (info, names, exports->default_values);
  return TRUE;
}

/* ---- who has it ---- */

static gboolean
add_users (AtmImageInfo *info, const AtmSystem *system, const AtmStoredImage *image, GError **error)
{
  g_autoptr (GPtrArray) installed = NULL;
  GPtrArray *users = NULL;

  if (!atm_repository_list_installed (system, &installed, error))
    return FALSE;
  users = g_ptr_array_new ();
  for (guint i = 0; i < installed->len; i++)
    {
      const AtmInstalled *deployment = installed->pdata[i];

      if (deployment->info != NULL
          && (g_strcmp0 (deployment->info->image, image->reference) == 0
              || g_strcmp0 (deployment->info->commit, image->commit) == 0))
        g_ptr_array_add (users, g_strdup (deployment->folder));
    }
  g_strfreev (info->used_by);
  info->used_by = to_sorted_texts (users);
  return TRUE;
}

static gboolean
add_usage (AtmImageInfo *info, AtmStore *store, GPtrArray *images, const AtmStoredImage *image,
           GCancellable *cancellable, GError **error)
{
  GPtrArray *names = NULL;
  g_autoptr (GArray) unique = NULL;

  if (!atm_usage_measure (store, images, &unique, cancellable, error))
    return FALSE;
  names = g_ptr_array_new ();
  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *other = images->pdata[i];

      if (other == image)
        info->unique_bytes = g_array_index (unique, guint64, i);
      else if (other->manifest != NULL && atm_digest_equal (&other->digest, &image->digest))
        g_ptr_array_add (names, g_strdup (other->reference));
    }
  g_strfreev (info->other_names);
  info->other_names = to_sorted_texts (names);
  return TRUE;
}

static gboolean
add_stored (AtmImageInfo *info, AtmStore *store, const AtmStoredImage *image,
            GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) stored = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) layers = NULL;
  g_autoptr (AtmManifest) manifest = NULL;

  if (!atm_store_list_layers (store, &layers, cancellable, error))
    return FALSE;
  for (guint i = 0; i < layers->len; i++)
    g_hash_table_add (stored, ((AtmStoredLayer *) layers->pdata[i])->hex);
  info->reference = g_strdup (image->reference);
  info->canonical = g_strdup (image->canonical);
  info->digest = atm_digest_to_string (&image->digest);
  info->verdict = g_strdup (image->verdict);
  info->n_signatures = image->signatures->len;
  info->pulled_unix = image->created_unix;
  info->size_bytes = image->size_bytes;
  info->notice = g_strdup (image->notice);
  /* An old manifest of the Python tool is of a form that names layers otherwise. */
  if (!atm_manifest_parse (image->manifest, &manifest, NULL))
    return TRUE;
  if (image->config != NULL
      && !atm_config_parse (image->config, manifest, NULL, &info->config, error))
    return FALSE;
  add_layers (info, manifest, stored);
  return TRUE;
}

static gboolean
look_at_store (const AtmSystem *system, const char *text, const AtmReport *report,
               AtmImageInfo *info, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (GPtrArray) images = NULL, found = NULL;
  const AtmStoredImage *image = NULL;
  g_auto (AtmStoreLock) lock = { 0 };

  if (!atm_repository_open (system, &store, cancellable, error)
      || !atm_repository_lock (system, store, FALSE, report, &lock, cancellable, error)
      || !atm_store_list_images (store, &images, cancellable, error)
      || !atm_repository_find_image (images, text, &found, error))
    return FALSE;
  image = found->pdata[0];
  if (image->problem != NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The record of %s is damaged (%s); delete the image and pull it again",
                      image->reference, image->problem);
  if (!add_stored (info, store, image, cancellable, error)
      || !add_variables (info, store, image, cancellable, error)
      || !add_users (info, system, image, error)
      || !add_usage (info, store, images, image, cancellable, error))
    return atm_prefix_error (error, "%s", image->reference);
  info->pinned = atm_pin_get (system, image->reference);
  return TRUE;
}

static gboolean
look_at_source (const AtmSystem *system, const char *text, const AtmReport *report,
                AtmImageInfo *info, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmServedImage) image = NULL;

  if (!atm_open_origin (text, &origin, cancellable, error)
      || !atm_served_look (system, origin, report, &image, cancellable, error))
    return FALSE;
  info->remote = TRUE;
  info->reference = g_strdup (origin->name->familiar);
  info->canonical = atm_origin_to_string (origin);
  info->digest = atm_digest_to_string (&image->digest);
  info->config = g_steal_pointer (&image->config);
  for (guint i = 0; i < image->manifest->layers->len; i++)
    info->size_bytes += ((AtmDescriptor *) image->manifest->layers->pdata[i])->size_bytes;
  add_layers (info, image->manifest, NULL);
  return TRUE;
}

gboolean
atm_image_info (const AtmSystem *system, const char *image, gboolean remote,
                const AtmReport *report, AtmImageInfo **info_out, GCancellable *cancellable,
                GError **error)
{
  g_autoptr (AtmImageInfo) info = info_new ();

  if (remote ? !look_at_source (system, image, report, info, cancellable, error)
             : !look_at_store (system, image, report, info, cancellable, error))
    return FALSE;
  *info_out = g_steal_pointer (&info);
  return TRUE;
}
