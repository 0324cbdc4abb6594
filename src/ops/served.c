/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/served.h"

#include "ops/open.h"
#include "util/error.h"

void
atm_served_image_free (AtmServedImage *image)
{
  if (image == NULL)
    return;
  atm_manifest_free (image->manifest);
  atm_config_free (image->config);
  g_free (image);
}

gboolean
atm_served_fetch_manifest (AtmSource *source, const AtmOrigin *origin, const char *what,
                           GBytes **bytes_out, AtmPlatform **platform_out,
                           GCancellable *cancellable, GError **error)
{
  const AtmDigest *wanted = origin->transport == ATM_TRANSPORT_DOCKER && origin->name->has_digest
                                ? &origin->name->digest
                                : NULL;
  g_autoptr (AtmDescriptor) descriptor = NULL;
  g_autoptr (AtmPlatform) platform = NULL;

  for (guint depth = 0; depth <= ATM_INDEX_DEPTH_MAX; depth++)
    {
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *content_type = NULL;
      AtmManifestKind kind;

      if (!atm_source_fetch_manifest (source, descriptor, wanted, &bytes, &content_type,
                                      cancellable, error)
          || !atm_manifest_get_kind (bytes, content_type, what, &kind, error))
        return FALSE;
      if (kind == ATM_MANIFEST_KIND_IMAGE)
        {
          *bytes_out = g_steal_pointer (&bytes);
          *platform_out = g_steal_pointer (&platform);
          return TRUE;
        }
      if (platform == NULL)
        platform = atm_platform_new_host ();
      g_clear_pointer (&descriptor, atm_descriptor_free);
      if (!atm_index_choose (bytes, platform, what, &descriptor, error))
        return FALSE;
      wanted = NULL;
    }
  return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                    "%s: an index in an index in an index is not followed", what);
}

gboolean
atm_served_look (const AtmSystem *system, const AtmOrigin *origin, const AtmReport *report,
                 AtmServedImage **image_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *what = atm_origin_to_string (origin);
  g_autoptr (AtmServedImage) image = g_new0 (AtmServedImage, 1);
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GBytes) bytes = NULL, config = NULL;
  g_autoptr (AtmPlatform) platform = NULL;

  if (!atm_open_source (system, origin, NULL, report, &source, cancellable, error)
      || !atm_served_fetch_manifest (source, origin, what, &bytes, &platform, cancellable, error)
      || !atm_manifest_parse (bytes, &image->manifest, error)
      || !atm_source_fetch_blob (source, &image->manifest->config, ATM_CONFIG_MAX_BYTES, &config,
                                 cancellable, error)
      || !atm_config_parse (config, image->manifest, platform, &image->config, error))
    return FALSE;
  atm_digest_of (ATM_HASH_SHA256, bytes, &image->digest);
  *image_out = g_steal_pointer (&image);
  return TRUE;
}
