/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store-private.h"

static void
add_bytes (GVariantBuilder *builder, const char *key, GBytes *bytes)
{
  g_variant_builder_add (builder, "{sv}", key,
                         g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
}

static void
add_blobs (GVariantBuilder *builder, const char *key, const GPtrArray *blobs)
{
  g_auto (GVariantBuilder) values = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("aay"));

  for (guint i = 0; i < blobs->len; i++)
    g_variant_builder_add_value (
        &values, g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, blobs->pdata[i], TRUE));
  g_variant_builder_add (builder, "{sv}", key, g_variant_builder_end (&values));
}

static void
add_string (GVariantBuilder *builder, const char *key, const char *value)
{
  g_variant_builder_add (builder, "{sv}", key, g_variant_new_string (value));
}

GVariant *
atm_image_metadata_new (const AtmVerdict *verdict, const char *reference, const char *canonical,
                        GBytes *manifest, GBytes *config, const GArray *diff_ids,
                        guint64 size_bytes, const char *notice)
{
  GPtrArray *signatures = atm_verdict_get_signatures (verdict);
  GBytes *site_commit = atm_verdict_get_site_commit (verdict);
  g_autofree char *digest = atm_digest_to_string (atm_verdict_get_digest (verdict));
  g_autofree char *reasons = atm_verdict_to_json (verdict);
  g_autofree char *count = g_strdup_printf ("%u", signatures->len);
  g_autofree char *text
      = g_strndup (g_bytes_get_data (manifest, NULL), g_bytes_get_size (manifest));
  g_auto (GVariantBuilder) metadata = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_auto (GVariantBuilder) ids = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_STRING_ARRAY);

  add_string (&metadata, ATM_KEY_MANIFEST, text);
  add_string (&metadata, ATM_KEY_DIGEST, digest);
  add_string (&metadata, ATM_KEY_SIGNATURE_COUNT, count);
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_IMAGE_FORMAT,
                         g_variant_new_uint32 (ATM_IMAGE_FORMAT));
  add_string (&metadata, ATM_KEY_IMAGE_REFERENCE, reference);
  add_string (&metadata, ATM_KEY_IMAGE_CANONICAL, canonical);
  add_bytes (&metadata, ATM_KEY_IMAGE_CONFIG, config);
  for (guint i = 0; i < diff_ids->len; i++)
    {
      g_autofree char *diff_id = atm_digest_to_string (&g_array_index (diff_ids, AtmDigest, i));

      g_variant_builder_add (&ids, "s", diff_id);
    }
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_IMAGE_DIFF_IDS, g_variant_builder_end (&ids));
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_IMAGE_SIZE, g_variant_new_uint64 (size_bytes));
  add_blobs (&metadata, ATM_KEY_IMAGE_SIGNATURES, signatures);
  add_string (&metadata, ATM_KEY_IMAGE_VERDICT, reasons);
  if (site_commit != NULL)
    {
      add_bytes (&metadata, ATM_KEY_IMAGE_SITE_COMMIT, site_commit);
      add_blobs (&metadata, ATM_KEY_IMAGE_SITE_SIGNATURES,
                 atm_verdict_get_site_signatures (verdict));
    }
  if (notice != NULL)
    add_string (&metadata, ATM_KEY_IMAGE_NOTICE, notice);
  return g_variant_builder_end (&metadata);
}

GBytes *
atm_metadata_lookup_bytes (GVariant *metadata, const char *key)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (metadata, key, G_VARIANT_TYPE_BYTESTRING);

  return value != NULL ? g_variant_get_data_as_bytes (value) : NULL;
}

GPtrArray *
atm_metadata_lookup_blobs (GVariant *metadata, const char *key)
{
  g_autoptr (GVariant) values = g_variant_lookup_value (metadata, key, G_VARIANT_TYPE ("aay"));

  return atm_metadata_read_blobs (values);
}

GPtrArray *
atm_metadata_read_blobs (GVariant *values)
{
  GPtrArray *blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  const gboolean are_blobs
      = values != NULL && g_variant_is_of_type (values, G_VARIANT_TYPE ("aay"));

  for (gsize i = 0; are_blobs && i < g_variant_n_children (values); i++)
    {
      g_autoptr (GVariant) value = g_variant_get_child_value (values, i);

      g_ptr_array_add (blobs, g_variant_get_data_as_bytes (value));
    }
  return blobs;
}
