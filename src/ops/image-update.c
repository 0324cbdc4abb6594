/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/image-info.h"

#include "image/origin.h"
#include "ops/pull.h"
#include "ops/served.h"
#include "ops/repository.h"
#include "util/error.h"

/* Images here and at their sources: versions, and pulling again; the contract is in image-info.h.
 */

void
atm_image_version_free (AtmImageVersion *version)
{
  if (version == NULL)
    return;
  g_free (version->reference);
  g_free (version->id);
  g_free (version->version);
  g_free (version->remote_id);
  g_free (version->remote_version);
  g_free (version);
}

static char *
dup_version (const AtmImageConfig *config)
{
  static const char *const labels[] = { "Version", "version", "org.opencontainers.image.version" };

  for (guint i = 0; config != NULL && i < G_N_ELEMENTS (labels); i++)
    {
      const char *value = g_hash_table_lookup (config->labels, labels[i]);

      if (value != NULL)
        return g_strdup (value);
    }
  return g_strdup ("");
}

/* Where @image came from. The scheme is not stored, so it is that of @typed, if that is a name. */
static gboolean
get_origin (const AtmStoredImage *image, const char *typed, AtmOrigin **origin_out, GError **error)
{
  g_autoptr (AtmOrigin) typed_origin = NULL;

  if (image->canonical == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "%s was stored by another program, which did not keep where it came from; "
                      "pull it again",
                      image->reference);
  if (!atm_origin_parse_stored (image->canonical, image->reference, origin_out, error))
    return FALSE;
  if (typed != NULL && atm_origin_parse (typed, &typed_origin, NULL))
    (*origin_out)->scheme = typed_origin->scheme;
  return TRUE;
}

/* The images that are meant, each with the word that named it; @typed has NULLs with @all. */
static gboolean
choose (const AtmSystem *system, char **names, gboolean all, const AtmReport *report,
        GPtrArray **images_out, GPtrArray *chosen, GPtrArray *typed, GCancellable *cancellable,
        GError **error)
{
  g_autoptr (AtmStore) store = NULL;
  g_auto (AtmStoreLock) lock = { 0 };

  if (!atm_repository_open (system, &store, cancellable, error)
      || !atm_repository_lock (system, store, FALSE, report, &lock, cancellable, error)
      || !atm_store_list_images (store, images_out, cancellable, error))
    return FALSE;
  for (guint i = 0; all && i < (*images_out)->len; i++)
    {
      g_ptr_array_add (chosen, (*images_out)->pdata[i]);
      g_ptr_array_add (typed, NULL);
    }
  for (guint n = 0; !all && names[n] != NULL; n++)
    {
      g_autoptr (GPtrArray) found = NULL;

      if (!atm_repository_find_image (*images_out, names[n], &found, error))
        return FALSE;
      for (guint i = 0; i < found->len; i++)
        {
          g_ptr_array_add (chosen, found->pdata[i]);
          g_ptr_array_add (typed, names[n]);
        }
    }
  return TRUE;
}

static gboolean
add_remote (const AtmSystem *system, const AtmStoredImage *image, const char *typed,
            const AtmReport *report, AtmImageVersion *version, GCancellable *cancellable,
            GError **error)
{
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmServedImage) remote = NULL;

  if (!get_origin (image, typed, &origin, error)
      || !atm_served_look (system, origin, report, &remote, cancellable, error))
    return FALSE;
  version->remote_id = g_strdup (remote->digest.hex);
  version->remote_version = dup_version (remote->config);
  return TRUE;
}

static AtmImageVersion *
make_version (const AtmStoredImage *image)
{
  AtmImageVersion *version = g_new0 (AtmImageVersion, 1);
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;

  version->reference = g_strdup (image->reference);
  version->id = g_strdup (image->digest.hex);
  /* What cannot be read has no version. */
  if (image->config != NULL && atm_manifest_parse (image->manifest, &manifest, NULL)
      && atm_config_parse (image->config, manifest, NULL, &config, NULL))
    version->version = dup_version (config);
  else
    version->version = g_strdup ("");
  return version;
}

gboolean
atm_image_versions (const AtmSystem *system, char **names, gboolean all, gboolean remote,
                    const AtmReport *report, GPtrArray **versions_out, GCancellable *cancellable,
                    GError **error)
{
  g_autoptr (GPtrArray) versions
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_image_version_free);
  g_autoptr (GPtrArray) images = NULL, chosen = g_ptr_array_new (), typed = g_ptr_array_new ();

  if (!choose (system, names, all, report, &images, chosen, typed, cancellable, error))
    return FALSE;
  for (guint i = 0; i < chosen->len; i++)
    {
      g_autoptr (AtmImageVersion) version = make_version (chosen->pdata[i]);
      g_autoptr (GError) local = NULL;

      if (remote
          && !add_remote (system, chosen->pdata[i], typed->pdata[i], report, version, cancellable,
                          &local))
        {
          if (!all || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            {
              g_propagate_error (error, g_steal_pointer (&local));
              return FALSE;
            }
          atm_report (report, ATM_REPORT_NOTICE, "%s", local->message);
        }
      g_ptr_array_add (versions, g_steal_pointer (&version));
    }
  *versions_out = g_steal_pointer (&versions);
  return TRUE;
}

static gboolean
update (const AtmSystem *system, const AtmStoredImage *image, const char *typed,
        const AtmReport *report, GCancellable *cancellable, GError **error)
{
  const AtmPullOptions no_options = { 0 };
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmStoredImage) pulled = NULL;

  if (!get_origin (image, typed, &origin, error)
      || !atm_pull (system, origin, &no_options, report, &pulled, cancellable, error))
    return FALSE;
  if (g_str_equal (pulled->commit, image->commit))
    atm_report (report, ATM_REPORT_STEP, "Image is up to date: %s", image->reference);
  else
    atm_report (report, ATM_REPORT_STEP, "Updated %s from %s to %s", image->reference,
                image->digest.hex, pulled->digest.hex);
  return TRUE;
}

/* A short name may mean another image by now (command.md 2.7). */
static gboolean
is_qualified (const AtmStoredImage *image)
{
  g_autoptr (AtmOrigin) origin = NULL;

  return image->canonical != NULL
         && atm_origin_parse_stored (image->canonical, image->reference, &origin, NULL)
         && (origin->transport != ATM_TRANSPORT_DOCKER || origin->name->domain_typed);
}

gboolean
atm_image_update (const AtmSystem *system, char **names, gboolean all, const AtmReport *report,
                  GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) images = NULL, chosen = g_ptr_array_new (), typed = g_ptr_array_new ();
  g_autoptr (GError) first = NULL;

  if (!choose (system, names, all, report, &images, chosen, typed, cancellable, error))
    return FALSE;
  for (guint i = 0; i < chosen->len; i++)
    {
      const AtmStoredImage *image = chosen->pdata[i];
      g_autoptr (GError) local = NULL;

      if (all && !is_qualified (image))
        {
          atm_report (report, ATM_REPORT_NOTICE, "Image %s not fully qualified: skipping",
                      image->reference);
          continue;
        }
      if (update (system, image, typed->pdata[i], report, cancellable, &local))
        continue;
      if (first != NULL)
        atm_report (report, ATM_REPORT_NOTICE, "%s", first->message);
      g_clear_error (&first);
      first = g_steal_pointer (&local);
      if (!all || g_error_matches (first, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        break;
    }
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}
