/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

#include <string.h>

#include "image/name.h"
#include "store/commit.h"
#include "store/usage.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

/* Signatures in the tree of an image commit of the Python tool. */
#define TREE_SIGNATURES_MAX 256
#define TREE_SIGNATURE_MAX_BYTES (1024 * 1024)

void
atm_stored_image_free (AtmStoredImage *image)
{
  if (image == NULL)
    return;
  g_free (image->reference);
  g_free (image->canonical);
  g_free (image->commit);
  g_clear_pointer (&image->manifest, g_bytes_unref);
  g_clear_pointer (&image->config, g_bytes_unref);
  g_clear_pointer (&image->signatures, g_ptr_array_unref);
  g_clear_pointer (&image->site_commit, g_bytes_unref);
  g_clear_pointer (&image->site_signatures, g_ptr_array_unref);
  g_free (image->verdict);
  g_free (image->notice);
  g_free (image->problem);
  g_free (image);
}

static gboolean
throw_damaged (GError **error, const char *reference)
{
  g_autofree char *shown = atm_text_escape (reference);

  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    "The metadata of the image %s in the store is damaged; pull it again", shown);
}

static guint64
sum_layers (GBytes *manifest)
{
  g_autoptr (AtmManifest) parsed = NULL;
  guint64 sum = 0;

  /* A repository of the Python tool may hold schema 1, which states no sizes. */
  if (!atm_manifest_parse (manifest, &parsed, NULL))
    return 0;
  for (guint i = 0; i < parsed->layers->len; i++)
    sum += ((const AtmDescriptor *) parsed->layers->pdata[i])->size_bytes;
  return sum;
}

/* The Python tool: /signature-1 to /signature-N in the tree (system-image.md 9.3). */
static gboolean
read_tree_signatures (AtmStore *store, const char *commit, GVariant *metadata,
                      GPtrArray *signatures, GCancellable *cancellable, GError **error)
{
  g_autoptr (GFile) root = NULL;
  const char *text = NULL;
  guint64 count = 0;

  if (!g_variant_lookup (metadata, ATM_KEY_SIGNATURE_COUNT, "&s", &text)
      || !g_ascii_string_to_unsigned (text, 10, 0, TREE_SIGNATURES_MAX, &count, NULL) || count == 0)
    return TRUE;
  if (!ostree_repo_read_commit (store->repo, commit, &root, NULL, cancellable, error))
    return FALSE;
  for (guint64 i = 1; i <= count; i++)
    {
      g_autofree char *name = g_strdup_printf ("signature-%" G_GUINT64_FORMAT, i);
      g_autoptr (GFile) file = g_file_get_child (root, name);
      g_autoptr (GFileInputStream) stream = g_file_read (file, cancellable, error);
      GBytes *bytes = NULL;

      if (stream == NULL
          || !atm_read_stream (G_INPUT_STREAM (stream), TREE_SIGNATURE_MAX_BYTES, &bytes,
                               cancellable, error))
        return atm_prefix_error (error, "Reading %s", name);
      g_ptr_array_add (signatures, bytes);
    }
  return TRUE;
}

/* All values by key, so that the metadata is walked through once; where a key is there twice, the
   first value counts, as for g_variant_lookup(). Keys are borrowed from @metadata. */
static GHashTable *
index_metadata (GVariant *metadata)
{
  GHashTable *index
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_variant_unref);
  GVariantIter iter;
  const char *key;
  GVariant *value;

  g_variant_iter_init (&iter, metadata);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &value))
    if (g_hash_table_contains (index, key))
      g_variant_unref (value);
    else
      g_hash_table_insert (index, (gpointer) key, value);
  return index;
}

/* %NULL if there is none of that type. */
static GVariant *
get_value (GHashTable *index, const char *key, const GVariantType *type)
{
  GVariant *value = g_hash_table_lookup (index, key);

  return value != NULL && g_variant_is_of_type (value, type) ? value : NULL;
}

static const char *
get_string (GHashTable *index, const char *key)
{
  GVariant *value = get_value (index, key, G_VARIANT_TYPE_STRING);

  return value != NULL ? g_variant_get_string (value, NULL) : NULL;
}

static GBytes *
dup_bytes (GHashTable *index, const char *key)
{
  GVariant *value = get_value (index, key, G_VARIANT_TYPE_BYTESTRING);

  return value != NULL ? g_variant_get_data_as_bytes (value) : NULL;
}

/* What only our own commits say. */
static gboolean
read_ours (AtmStoredImage *image, GHashTable *index, gboolean is_hashed, GError **error)
{
  const char *reference = image->reference;
  AtmDigest actual;
  const char *stored = get_string (index, ATM_KEY_IMAGE_REFERENCE);

  image->canonical = g_strdup (get_string (index, ATM_KEY_IMAGE_CANONICAL));
  if (stored == NULL || image->canonical == NULL)
    return throw_damaged (error, reference);
  atm_digest_of (image->digest.algorithm, image->manifest, &actual);
  if (!atm_digest_equal (&actual, &image->digest))
    return throw_damaged (error, reference);

  /* The ref is the name, for an image may have several (`atomic images tag`); only a hashed one
     needs the commit to tell it. */
  if (is_hashed)
    {
      g_free (image->reference);
      image->reference = g_strdup (stored);
    }
  image->config = dup_bytes (index, ATM_KEY_IMAGE_CONFIG);
  g_ptr_array_unref (image->signatures);
  image->signatures
      = atm_metadata_read_blobs (g_hash_table_lookup (index, ATM_KEY_IMAGE_SIGNATURES));
  image->site_commit = dup_bytes (index, ATM_KEY_IMAGE_SITE_COMMIT);
  image->site_signatures
      = atm_metadata_read_blobs (g_hash_table_lookup (index, ATM_KEY_IMAGE_SITE_SIGNATURES));
  image->verdict = g_strdup (get_string (index, ATM_KEY_IMAGE_VERDICT));
  image->notice = g_strdup (get_string (index, ATM_KEY_IMAGE_NOTICE));
  return TRUE;
}

/* *@image_out is NULL if the commit is that of a layer or of a configuration. */
static gboolean
load (AtmStore *store, const char *ref, const char *commit, AtmStoredImage **image_out,
      GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GVariant) metadata = NULL;
  g_autoptr (GHashTable) index = NULL;
  g_autofree char *reference = atm_ref_decode (ref);
  const char *manifest = NULL, *digest = NULL;
  GVariant *format = NULL, *size = NULL;
  guint64 created = 0;

  *image_out = NULL;
  if (!atm_commit_load (store, commit, &metadata, &created, error))
    return atm_prefix_error (error, "Reading the ref %s", ref);
  if (metadata == NULL)
    return TRUE;
  index = index_metadata (metadata);
  manifest = get_string (index, ATM_KEY_MANIFEST);
  if (manifest == NULL)
    return TRUE;

  image = g_new0 (AtmStoredImage, 1);
  image->reference = g_steal_pointer (&reference);
  image->commit = g_strdup (commit);
  image->created_unix = created;
  image->manifest = g_bytes_new (manifest, strlen (manifest));
  image->signatures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  digest = get_string (index, ATM_KEY_DIGEST);
  if (digest == NULL)
    atm_digest_of (ATM_HASH_SHA256, image->manifest, &image->digest);
  else if (!atm_digest_parse (digest, &image->digest, error))
    return atm_prefix_error (error, "The image %s in the store", image->reference);

  format = get_value (index, ATM_KEY_IMAGE_FORMAT, G_VARIANT_TYPE_UINT32);
  if (format != NULL && g_variant_get_uint32 (format) == ATM_IMAGE_FORMAT)
    {
      g_autofree char *encoded = atm_ref_encode (image->reference);

      if (!read_ours (image, index, !g_str_equal (encoded, ref), error))
        return FALSE;
    }
  else if (!read_tree_signatures (store, commit, metadata, image->signatures, cancellable, error))
    return atm_prefix_error (error, "The image %s in the store", image->reference);
  size = get_value (index, ATM_KEY_IMAGE_SIZE, G_VARIANT_TYPE_UINT64);
  image->size_bytes = size != NULL ? g_variant_get_uint64 (size) : sum_layers (image->manifest);

  *image_out = g_steal_pointer (&image);
  return TRUE;
}

gboolean
atm_store_load_image (AtmStore *store, const char *reference, AtmStoredImage **image_out,
                      GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_ref_encode (reference);
  g_autofree char *commit = NULL;
  g_autoptr (AtmStoredImage) image = NULL;

  if (!ostree_repo_resolve_rev (store->repo, ref, TRUE, &commit, error)
      || (commit != NULL && !load (store, ref, commit, &image, cancellable, error)))
    return FALSE;
  /* The stored name also differs where a hashed ref is asked for by its own text. */
  if (image == NULL || !g_str_equal (image->reference, reference))
    {
      g_autofree char *shown = atm_text_escape (reference);

      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                        "The image %s is not in the store; pull it first", shown);
    }
  *image_out = g_steal_pointer (&image);
  return TRUE;
}

gboolean
atm_store_load_image_commit (AtmStore *store, const char *commit, const char *reference,
                             AtmStoredImage **image_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_ref_encode (reference);
  g_autoptr (AtmStoredImage) image = NULL;

  if (atm_store_has_commit (store, commit)
      && !load (store, ref, commit, &image, cancellable, error))
    return FALSE;
  if (image == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                      "The image commit %s is not in the store", commit);
  *image_out = g_steal_pointer (&image);
  return TRUE;
}

static int
compare_references (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(AtmStoredImage *const *) a)->reference,
                 (*(AtmStoredImage *const *) b)->reference);
}

static AtmStoredImage *
damaged_image (const char *ref, const char *commit, const GError *error)
{
  AtmStoredImage *image = g_new0 (AtmStoredImage, 1);

  image->reference = atm_ref_decode (ref);
  image->commit = g_strdup (commit);
  image->signatures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  image->problem = g_strdup (error->message);
  return image;
}

gboolean
atm_store_list_images (AtmStore *store, GPtrArray **images_out, GCancellable *cancellable,
                       GError **error)
{
  g_autoptr (GPtrArray) images
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_stored_image_free);
  g_autoptr (GHashTable) refs = NULL;
  GHashTableIter iter;
  gpointer ref, commit;

  if (!ostree_repo_list_refs_ext (store->repo, ATM_REF_PREFIX, &refs,
                                  OSTREE_REPO_LIST_REFS_EXT_NONE, cancellable, error))
    return atm_prefix_error (error, "Listing images");
  g_hash_table_iter_init (&iter, refs);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    {
      AtmStoredImage *image = NULL;
      g_autoptr (GError) local = NULL;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      /* There are more of these than of images, and each would be read. */
      if (atm_ref_is_blob (ref))
        continue;
      if (!load (store, ref, commit, &image, cancellable, &local))
        image = damaged_image (ref, commit, local);
      if (image != NULL)
        g_ptr_array_add (images, image);
    }
  g_ptr_array_sort (images, compare_references);
  *images_out = g_steal_pointer (&images);
  return TRUE;
}
