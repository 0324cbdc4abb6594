/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

#include "image/name.h"
#include "store/inflate.h"
#include "store/layer-commit.h"
#include "store/merge.h"
#include "store/store-private.h"
#include "store/tar.h"
#include "util/error.h"

typedef struct
{
  AtmDigest digest;
  AtmDigest diff_id;
} AddedLayer;

struct _AtmStoreTxn
{
  AtmStore *store;     /* (borrowed) */
  AtmVerdict *verdict; /* (owned) */
  AtmObjects *objects; /* (owned) (nullable) */
  AtmTree *tree;       /* (owned) (nullable): the layers so far, merged */
  GArray *added;       /* (owned) (element-type AddedLayer): base first */
  GHashTable *commits; /* (owned) (element-type utf8 utf8): refs of new layers to their commits */
  GPtrArray *notices;  /* (owned) (element-type utf8) */
  gboolean locked;
  gboolean prepared; /* an OSTree transaction is open */
  gboolean broken;   /* the tree is in the middle of a layer */
};

gboolean
atm_store_txn_begin (AtmStore *store, AtmVerdict *verdict, AtmStoreTxn **txn_out,
                     GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmStoreTxn) txn = NULL;
  const AtmInode folder_inode = { .mode = 0755 };
  guint8 folder[ATM_CHECKSUM_BYTES];

  if (store->in_transaction)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_BUSY,
                      "Another image is being imported through the same store");

  txn = g_new0 (AtmStoreTxn, 1);
  txn->store = store;
  txn->verdict = atm_verdict_ref (verdict);
  txn->added = g_array_new (FALSE, FALSE, sizeof (AddedLayer));
  txn->commits = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  txn->notices = g_ptr_array_new_with_free_func (g_free);

  /* From before the first look for an object until the refs are written and the caller has checked
     out: a prune between would take objects that we found and did not write (store.md 7). */
  if (!ostree_repo_lock_push (store->repo, OSTREE_REPO_LOCK_SHARED, cancellable, error))
    return atm_prefix_error (error, "Locking the repository");
  txn->locked = TRUE;
  if (!ostree_repo_prepare_transaction (store->repo, NULL, cancellable, error))
    return atm_prefix_error (error, "Beginning a transaction in the repository");
  txn->prepared = store->in_transaction = TRUE;

  txn->objects = atm_objects_new (store->repo, store->user_mode, &store->limits);
  if (!atm_objects_put_dirmeta (txn->objects, &folder_inode, folder, cancellable, error))
    return FALSE;
  txn->tree = atm_tree_new (folder, &store->limits);
  *txn_out = g_steal_pointer (&txn);
  return TRUE;
}

static void
end_transaction (AtmStoreTxn *txn)
{
  if (!txn->prepared)
    return;
  /* What an abort leaves behind is in tmp/, where the next commit of anybody removes it. */
  (void) ostree_repo_abort_transaction (txn->store->repo, NULL, NULL);
  txn->prepared = txn->store->in_transaction = FALSE;
}

void
atm_store_txn_free (AtmStoreTxn *txn)
{
  if (txn == NULL)
    return;
  end_transaction (txn);
  if (txn->locked)
    (void) ostree_repo_lock_pop (txn->store->repo, OSTREE_REPO_LOCK_SHARED, NULL, NULL);
  atm_objects_free (txn->objects);
  atm_tree_free (txn->tree);
  atm_verdict_unref (txn->verdict);
  g_array_unref (txn->added);
  g_hash_table_unref (txn->commits);
  g_ptr_array_unref (txn->notices);
  g_free (txn);
}

static gboolean
check_open (AtmStoreTxn *txn, GError **error)
{
  if (!txn->prepared || txn->broken)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                      "The import has ended or has failed before; begin it again");
  if (txn->added->len >= ATM_LAYERS_MAX)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The image has more than %d layers", ATM_LAYERS_MAX);
  return TRUE;
}

static gboolean
prefix_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor, GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);

  return atm_prefix_error (error, "Layer %u (%s)", txn->added->len + 1, digest);
}

static void
add_notice (AtmStoreTxn *txn, const char *notice)
{
  if (notice != NULL)
    g_ptr_array_add (txn->notices, g_strdup_printf ("layer %u: %s", txn->added->len + 1, notice));
}

static gboolean
merge (AtmStoreTxn *txn, const AtmLayer *layer, const AtmLayerInfo *info, GCancellable *cancellable,
       GError **error)
{
  AddedLayer added = { info->digest, info->diff_id };
  g_autofree char *notice = NULL;

  txn->broken = TRUE;
  if (!atm_merge_layer (txn->tree, layer, txn->added->len + 1, &txn->store->limits, &notice,
                        cancellable, error))
    return FALSE;
  txn->broken = FALSE;
  add_notice (txn, info->notice);
  add_notice (txn, notice);
  g_array_append_val (txn->added, added);
  return TRUE;
}

/* Whether what the store has under the digest is the layer; one that differs in what it says of
   itself is fetched again, and checked then. */
static gboolean
find_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
            AtmLayerInfo *info_out, AtmLayer **layer_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *commit = NULL;
  g_auto (AtmLayerInfo) info = { 0 };
  g_autoptr (AtmLayer) layer = NULL;

  /* An image may have a layer twice, and refs are written at the end. */
  commit = g_strdup (g_hash_table_lookup (txn->commits, ref));
  if (commit == NULL && !ostree_repo_resolve_rev (txn->store->repo, ref, TRUE, &commit, error))
    return FALSE;
  if (commit != NULL
      && !atm_layer_commit_load (txn->store, commit, &info, &layer, cancellable, error))
    return FALSE;
  if (layer == NULL || !atm_digest_equal (&info.digest, &descriptor->digest)
      || info.size_bytes != descriptor->size_bytes || info.diff_id.algorithm != diff_id->algorithm)
    return TRUE;
  *info_out = info;
  info = (AtmLayerInfo){ 0 };
  *layer_out = g_steal_pointer (&layer);
  return TRUE;
}

gboolean
atm_store_txn_has_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                         const AtmDigest *diff_id, gboolean *found_out, GCancellable *cancellable,
                         GError **error)
{
  g_auto (AtmLayerInfo) info = { 0 };
  g_autoptr (AtmLayer) layer = NULL;

  if (!check_open (txn, error)
      || !find_layer (txn, descriptor, diff_id, &info, &layer, cancellable, error))
    return FALSE;
  *found_out = layer != NULL;
  return TRUE;
}

gboolean
atm_store_txn_add_stored_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                                const AtmDigest *diff_id, gboolean *found_out,
                                GCancellable *cancellable, GError **error)
{
  g_auto (AtmLayerInfo) info = { 0 };
  g_autoptr (AtmLayer) layer = NULL;

  if (!check_open (txn, error))
    return FALSE;
  if (!find_layer (txn, descriptor, diff_id, &info, &layer, cancellable, error))
    return prefix_layer (txn, descriptor, error);
  if (layer == NULL)
    {
      *found_out = FALSE;
      return TRUE;
    }
  if (!atm_digest_equal (&info.diff_id, diff_id))
    {
      g_autofree char *wanted = atm_digest_to_string (diff_id);
      g_autofree char *actual = atm_digest_to_string (&info.diff_id);

      (void) atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                        "It unpacks to %s, but the image configuration says %s", actual, wanted);
      return prefix_layer (txn, descriptor, error);
    }
  if (!merge (txn, layer, &info, cancellable, error))
    return prefix_layer (txn, descriptor, error);
  *found_out = TRUE;
  return TRUE;
}

static gboolean
import (AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
        GInputStream *blob, GCancellable *cancellable, GError **error)
{
  AtmStore *store = txn->store;
  g_autoptr (AtmInflate) inflate = atm_inflate_new (blob, diff_id->algorithm, &store->limits);
  g_autoptr (AtmLayer) layer = NULL;
  g_auto (AtmLayerInfo) info = { 0 };
  g_autofree char *commit = NULL;

  if (!atm_tar_read (inflate, txn->objects, &store->limits, &layer, &info.notice, cancellable,
                     error))
    return FALSE;

  info.digest = descriptor->digest;
  info.size_bytes = descriptor->size_bytes;
  info.uncompressed_bytes = atm_inflate_get_size (inflate);
  info.media_type = g_strdup (descriptor->media_type);
  atm_inflate_finish (inflate, &info.diff_id);
  if (!atm_digest_equal (&info.diff_id, diff_id))
    {
      g_autofree char *wanted = atm_digest_to_string (diff_id);
      g_autofree char *actual = atm_digest_to_string (&info.diff_id);

      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                        "It unpacks to %s, but the image configuration says %s", actual, wanted);
    }

  if (!atm_layer_commit_write (store, txn->objects, layer, &info, &commit, cancellable, error)
      || !merge (txn, layer, &info, cancellable, error))
    return FALSE;
  g_hash_table_replace (txn->commits, atm_layer_commit_get_ref (&info.digest),
                        g_steal_pointer (&commit));
  return TRUE;
}

gboolean
atm_store_txn_add_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                         const AtmDigest *diff_id, GInputStream *blob, GCancellable *cancellable,
                         GError **error)
{
  if (!check_open (txn, error))
    return FALSE;
  if (!import (txn, descriptor, diff_id, blob, cancellable, error))
    return prefix_layer (txn, descriptor, error);
  return TRUE;
}

/* Whether manifest and configuration are those that the verdict and the layers belong to. */
static gboolean
check_complete (AtmStoreTxn *txn, GBytes *manifest, GBytes *config, GError **error)
{
  g_autoptr (AtmManifest) parsed = NULL;
  g_autoptr (AtmImageConfig) parsed_config = NULL;

  if (!atm_digest_check (atm_verdict_get_digest (txn->verdict), manifest,
                         "the manifest that was judged", error)
      || !atm_manifest_parse (manifest, &parsed, error)
      || !atm_digest_check (&parsed->config.digest, config, "the configuration", error)
      || !atm_config_parse (config, parsed, NULL, &parsed_config, error))
    return FALSE;

  if (parsed->layers->len != txn->added->len || parsed_config->diff_ids->len != txn->added->len)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The manifest has %u layers, but %u were imported", parsed->layers->len,
                      txn->added->len);
  for (guint i = 0; i < txn->added->len; i++)
    {
      const AddedLayer *added = &g_array_index (txn->added, AddedLayer, i);
      const AtmDescriptor *descriptor = parsed->layers->pdata[i];

      if (!atm_digest_equal (&added->digest, &descriptor->digest)
          || !atm_digest_equal (&added->diff_id,
                                &g_array_index (parsed_config->diff_ids, AtmDigest, i)))
        return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                          "Layer %u that was imported is not that of the manifest", i + 1);
    }
  return TRUE;
}

static void
add_bytes (GVariantBuilder *builder, const char *key, GBytes *bytes)
{
  g_variant_builder_add (builder, "{sv}", key,
                         g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
}

static void
add_string (GVariantBuilder *builder, const char *key, const char *value)
{
  g_variant_builder_add (builder, "{sv}", key, g_variant_new_string (value));
}

static GVariant *
make_metadata (AtmStoreTxn *txn, const char *reference, const char *canonical, GBytes *manifest,
               GBytes *config)
{
  GPtrArray *signatures = atm_verdict_get_signatures (txn->verdict);
  g_autofree char *digest = atm_digest_to_string (atm_verdict_get_digest (txn->verdict));
  g_autofree char *verdict = atm_verdict_to_json (txn->verdict);
  g_autofree char *count = g_strdup_printf ("%u", signatures->len);
  g_autofree char *text
      = g_strndup (g_bytes_get_data (manifest, NULL), g_bytes_get_size (manifest));
  g_auto (GVariantBuilder) metadata = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_auto (GVariantBuilder) diff_ids = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_STRING_ARRAY);
  g_auto (GVariantBuilder) blobs = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("aay"));

  add_string (&metadata, ATM_KEY_MANIFEST, text);
  add_string (&metadata, ATM_KEY_DIGEST, digest);
  add_string (&metadata, ATM_KEY_SIGNATURE_COUNT, count);
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_IMAGE_FORMAT,
                         g_variant_new_uint32 (ATM_IMAGE_FORMAT));
  add_string (&metadata, ATM_KEY_IMAGE_REFERENCE, reference);
  add_string (&metadata, ATM_KEY_IMAGE_CANONICAL, canonical);
  add_bytes (&metadata, ATM_KEY_IMAGE_CONFIG, config);
  for (guint i = 0; i < txn->added->len; i++)
    {
      g_autofree char *diff_id
          = atm_digest_to_string (&g_array_index (txn->added, AddedLayer, i).diff_id);

      g_variant_builder_add (&diff_ids, "s", diff_id);
    }
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_IMAGE_DIFF_IDS,
                         g_variant_builder_end (&diff_ids));
  for (guint i = 0; i < signatures->len; i++)
    g_variant_builder_add_value (
        &blobs, g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, signatures->pdata[i], TRUE));
  g_variant_builder_add (&metadata, "{sv}", ATM_KEY_IMAGE_SIGNATURES,
                         g_variant_builder_end (&blobs));
  add_string (&metadata, ATM_KEY_IMAGE_VERDICT, verdict);
  if (txn->notices->len > 0)
    {
      g_autoptr (GString) notice = g_string_new (NULL);

      for (guint i = 0; i < txn->notices->len; i++)
        g_string_append_printf (notice, "%s%s", i > 0 ? "; " : "",
                                (const char *) txn->notices->pdata[i]);
      add_string (&metadata, ATM_KEY_IMAGE_NOTICE, notice->str);
    }
  return g_variant_builder_end (&metadata);
}

gboolean
atm_store_txn_commit (AtmStoreTxn *txn, const char *reference, const char *canonical,
                      GBytes *manifest, GBytes *config, char **commit_out,
                      GCancellable *cancellable, GError **error)
{
  OstreeRepo *repo = txn->store->repo;
  g_autofree char *ref = atm_ref_encode (reference);
  g_autofree char *commit = NULL;
  GHashTableIter iter;
  gpointer layer_ref, layer_commit;

  if (!txn->prepared || txn->broken)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                      "The import has ended or has failed before; begin it again");
  /* The reader of manifests has made sure that the bytes are UTF-8 without NUL. */
  if (!check_complete (txn, manifest, config, error)
      || !atm_commit_write (txn->store, txn->objects, txn->tree,
                            make_metadata (txn, reference, canonical, manifest, config), &commit,
                            cancellable, error))
    return atm_prefix_error (error, "Importing %s", canonical);

  g_hash_table_iter_init (&iter, txn->commits);
  while (g_hash_table_iter_next (&iter, &layer_ref, &layer_commit))
    ostree_repo_transaction_set_ref (repo, NULL, layer_ref, layer_commit);
  if (!ostree_repo_commit_transaction (repo, NULL, cancellable, error))
    return atm_prefix_error (error, "Importing %s", canonical);
  txn->prepared = txn->store->in_transaction = FALSE;

  /* Several refs are not written at once; this one says that the image is there. */
  if (!ostree_repo_set_ref_immediate (repo, NULL, ref, commit, cancellable, error))
    return atm_prefix_error (error, "Importing %s", canonical);
  *commit_out = g_steal_pointer (&commit);
  return TRUE;
}
