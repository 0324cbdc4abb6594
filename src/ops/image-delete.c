/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/image-delete.h"

#include <string.h>

#include "image/origin.h"
#include "ops/pin.h"
#include "ops/repository.h"
#include "store/prune.h"
#include "util/error.h"
#include "util/text.h"

void
atm_doomed_image_free (AtmDoomedImage *image)
{
  if (image == NULL)
    return;
  g_free (image->reference);
  g_free (image->id);
  g_free (image);
}

/* The containers that were installed from @reference, as words; %NULL if there are none. */
static char *
dup_users (GPtrArray *installed, const char *reference)
{
  g_autoptr (GString) users = g_string_new (NULL);
  const char *last = NULL;

  for (guint i = 0; i < installed->len; i++)
    {
      const AtmInstalled *deployment = installed->pdata[i];

      if (deployment->info == NULL || g_strcmp0 (deployment->info->image, reference) != 0
          || g_strcmp0 (last, deployment->container) == 0)
        continue;
      last = deployment->container;
      g_string_append_printf (users, "%s%s", users->len > 0 ? ", " : "", last);
    }
  return users->len > 0 ? g_strdup (users->str) : NULL;
}

/* Why the image must stay, for people; %NULL if it may go. */
static char *
dup_reason_to_stay (const AtmSystem *system, GPtrArray *installed, const char *reference,
                    gboolean force)
{
  g_autofree char *users = force ? NULL : dup_users (installed, reference);

  if (atm_pin_get (system, reference))
    return g_strdup_printf ("it is pinned; `atomic images unpin %s` first", reference);
  if (users != NULL)
    return g_strdup_printf ("it is in use by %s; uninstall that first, or use --force", users);
  return NULL;
}

static gboolean
add_doomed (const AtmSystem *system, GPtrArray *installed, const AtmStoredImage *image,
            gboolean skip, gboolean force, const AtmReport *report, GPtrArray *doomed,
            GError **error)
{
  g_autofree char *reason = dup_reason_to_stay (system, installed, image->reference, force);
  AtmDoomedImage *entry = NULL;

  for (guint i = 0; i < doomed->len; i++)
    if (g_str_equal (((AtmDoomedImage *) doomed->pdata[i])->reference, image->reference))
      return TRUE;
  if (reason != NULL && !skip)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_BUSY, "The image %s cannot be deleted: %s",
                      image->reference, reason);
  if (reason != NULL)
    {
      atm_report (report, ATM_REPORT_NOTICE, "%s stays: %s", image->reference, reason);
      return TRUE;
    }
  entry = g_new0 (AtmDoomedImage, 1);
  entry->reference = g_strdup (image->reference);
  entry->id = g_strdup (image->digest.hex);
  g_ptr_array_add (doomed, entry);
  return TRUE;
}

static gboolean
plan (const AtmSystem *system, AtmStore *store, char **names, gboolean all, gboolean force,
      const AtmReport *report, GPtrArray *doomed, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) images = NULL, installed = NULL;

  if (!atm_store_list_images (store, &images, cancellable, error)
      || !atm_repository_list_installed (system, &installed, error))
    return FALSE;
  for (guint i = 0; all && i < images->len; i++)
    if (!add_doomed (system, installed, images->pdata[i], TRUE, force, report, doomed, error))
      return FALSE;
  for (guint n = 0; !all && names[n] != NULL; n++)
    {
      g_autoptr (GPtrArray) found = NULL;

      if (!atm_repository_find_image (images, names[n], &found, error))
        return FALSE;
      for (guint i = 0; i < found->len; i++)
        if (!add_doomed (system, installed, found->pdata[i], FALSE, force, report, doomed, error))
          return FALSE;
    }
  return TRUE;
}

gboolean
atm_image_delete_plan (const AtmSystem *system, char **names, gboolean all, gboolean force,
                       const AtmReport *report, GPtrArray **doomed_out, GCancellable *cancellable,
                       GError **error)
{
  g_autoptr (GPtrArray) doomed
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_doomed_image_free);
  g_autoptr (AtmStore) store = NULL;

  if (!atm_repository_open (system, &store, cancellable, error)
      || !plan (system, store, names, all, force, report, doomed, cancellable, error))
    return FALSE;
  *doomed_out = g_steal_pointer (&doomed);
  return TRUE;
}

gboolean
atm_image_delete (const AtmSystem *system, GPtrArray *doomed, gboolean force,
                  const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (GPtrArray) installed = NULL;
  g_auto (AtmStoreLock) lock = { 0 };

  if (doomed->len == 0)
    return TRUE;
  if (!atm_repository_open (system, &store, cancellable, error)
      || !atm_repository_lock (system, store, TRUE, report, &lock, cancellable, error)
      || !atm_repository_list_installed (system, &installed, error))
    return FALSE;
  /* Somebody may have installed one while the user was asked. */
  for (guint i = 0; i < doomed->len; i++)
    {
      const AtmDoomedImage *image = doomed->pdata[i];
      g_autofree char *reason = dup_reason_to_stay (system, installed, image->reference, force);

      if (reason != NULL)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_BUSY, "The image %s cannot be deleted: %s",
                          image->reference, reason);
    }
  for (guint i = 0; i < doomed->len; i++)
    {
      const AtmDoomedImage *image = doomed->pdata[i];
      g_autofree char *users = dup_users (installed, image->reference);

      if (!atm_store_delete_image (store, image->reference, cancellable, error))
        return FALSE;
      if (users != NULL)
        atm_report (report, ATM_REPORT_NOTICE,
                    "%s was in use by %s, which keeps what it has; its next update has to pull",
                    image->reference, users);
    }
  return TRUE;
}

gboolean
atm_image_tag (const AtmSystem *system, const char *image, const char *target,
               const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (GPtrArray) images = NULL, found = NULL;
  g_autoptr (AtmImageName) name = NULL;
  g_autoptr (GError) local = NULL;
  g_auto (AtmStoreLock) lock = { 0 };

  if (!atm_name_parse (target, TRUE, &name, error)
      || !atm_repository_open (system, &store, cancellable, error)
      || !atm_repository_lock (system, store, FALSE, report, &lock, cancellable, error)
      || !atm_store_list_images (store, &images, cancellable, error))
    return FALSE;
  if (name->has_digest)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "%s has a digest, which only the image itself can have; choose a tag",
                      target);
  if (!atm_repository_find_image (images, image, &found, &local))
    {
      g_autofree char *shown = atm_text_escape (image);

      if (g_error_matches (local, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND))
        return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                          "Cannot find image %s.", shown);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return atm_store_tag_image (store, found->pdata[0], name->familiar, cancellable, error);
}

gboolean
atm_image_pin (const AtmSystem *system, const char *image, gboolean pinned, const AtmReport *report,
               GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (GPtrArray) images = NULL, found = NULL;
  g_auto (AtmStoreLock) lock = { 0 };

  /* shared: a deletion, which has the lock alone, sees the pin or comes before it */
  if (!atm_repository_open (system, &store, cancellable, error)
      || !atm_repository_lock (system, store, FALSE, report, &lock, cancellable, error)
      || !atm_store_list_images (store, &images, cancellable, error)
      || !atm_repository_find_image (images, image, &found, error))
    return FALSE;
  for (guint i = 0; i < found->len; i++)
    if (!atm_pin_set (system, ((AtmStoredImage *) found->pdata[i])->reference, pinned, error))
      return FALSE;
  return TRUE;
}
