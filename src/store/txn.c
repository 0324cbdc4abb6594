/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

#include <unistd.h>

#include "image/name.h"
#include "store/import.h"
#include "store/layer-commit.h"
#include "store/merge.h"
#include "store/python-layer.h"
#include "store/store-private.h"
#include "util/error.h"

typedef struct
{
  AtmDigest digest;
  AtmDigest diff_id;
  guint64 size_bytes; /* of the blob */
} AddedLayer;

struct _AtmStoreTxn
{
  AtmStore *store;     /* (borrowed) */
  AtmVerdict *verdict; /* (owned) */
  AtmObjects *objects; /* (owned) (nullable) */
  AtmTree *tree;       /* (owned) (nullable): the layers so far, merged */
  GArray *added;       /* (owned) (element-type AddedLayer): base first */
  GPtrArray *drafts;   /* (owned) (element-type AtmLayerDraft): layers that get a commit */
  GHashTable *index;   /* (owned) (nullable): atm_layer_commit_index(), once it was needed */
  GPtrArray *notices;  /* (owned) (element-type utf8) */
  gboolean locked;
  gboolean prepared; /* an OSTree transaction is open */
  gboolean broken;   /* the tree is in the middle of a layer */
};

struct _AtmImportedLayer
{
  AtmLayerDraft *draft; /* (owned) (nullable): %NULL: the transaction has it */
  AtmLayer *layer;      /* (owned) */
};

static gboolean
open_objects (AtmStoreTxn *txn, GError **error)
{
  AtmStore *store = txn->store;
  AtmStaging *staging = NULL;

  txn->objects = atm_objects_new (store->repo, store->user_mode);
  if (!store->direct)
    atm_staging_remove_stale (store->repo);
  else if (!atm_staging_new (store->repo, &staging, error))
    return FALSE;
  else
    atm_objects_take_staging (txn->objects, staging);
  return TRUE;
}

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
  txn->drafts = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_layer_draft_free);
  txn->notices = g_ptr_array_new_with_free_func (g_free);

  /* From before the first look for an object until the refs are written and the caller has checked
     out: a prune between would take objects that we found and did not write (store.md 7). */
  if (!ostree_repo_lock_push (store->repo, OSTREE_REPO_LOCK_SHARED, cancellable, error))
    return atm_prefix_error (error, "Locking the repository");
  txn->locked = TRUE;
  /* Before libostree asks whether there is room: dead imports may occupy it. */
  if (!open_objects (txn, error))
    return atm_prefix_error (error, "Beginning a transaction in the repository");
  if (!ostree_repo_prepare_transaction (store->repo, NULL, cancellable, error))
    return atm_prefix_error (error, "Beginning a transaction in the repository");
  txn->prepared = store->in_transaction = TRUE;

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
  atm_objects_free (txn->objects);
  if (txn->locked)
    (void) ostree_repo_lock_pop (txn->store->repo, OSTREE_REPO_LOCK_SHARED, NULL, NULL);
  atm_tree_free (txn->tree);
  atm_verdict_unref (txn->verdict);
  g_array_unref (txn->added);
  g_ptr_array_unref (txn->drafts);
  g_clear_pointer (&txn->index, g_hash_table_unref);
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
prefix_layer (guint number, const AtmDigest *digest, GError **error)
{
  g_autofree char *text = atm_digest_to_string (digest);

  return atm_prefix_error (error, "Layer %u (%s)", number, text);
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
  AddedLayer added = { info->digest, info->diff_id, info->size_bytes };
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

/* A layer that is stored or, where an image has it twice, will be. */
typedef struct
{
  AtmLayerDraft *draft; /* (owned) (nullable) */
  AtmLayer *layer;      /* (owned) (nullable) */
  gboolean is_alias;    /* it is stored under another digest */
} Stored;

static void
stored_clear (Stored *stored)
{
  atm_layer_draft_free (stored->draft);
  atm_layer_free (stored->layer);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Stored, stored_clear)

/* @digest, @diff_id: (nullable): %NULL: any */
static const AtmLayerDraft *
find_draft (AtmStoreTxn *txn, const AtmDigest *digest, const AtmDigest *diff_id)
{
  for (guint i = 0; i < txn->drafts->len; i++)
    {
      const AtmLayerDraft *draft = txn->drafts->pdata[i];

      if ((digest == NULL || atm_digest_equal (&draft->info.digest, digest))
          && (diff_id == NULL || atm_digest_equal (&draft->info.diff_id, diff_id)))
        return draft;
    }
  return NULL;
}

/* The layer by its own digest. *stored is empty if there is none, or one that differs in what it
   says of itself: that is fetched again, and checked then. */
static gboolean
find_by_digest (AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
                Stored *stored, GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *commit = NULL, *wanted = NULL, *actual = NULL;
  g_auto (Stored) found = { 0 };
  const AtmLayerInfo *info = NULL;

  /* A ref that cannot be read is as good as none. */
  if (!ostree_repo_resolve_rev (txn->store->repo, ref, TRUE, &commit, NULL) || commit == NULL)
    return TRUE;
  if (!atm_layer_commit_load (txn->store, commit, &found.draft, &found.layer, cancellable, error))
    return FALSE;
  if (found.draft == NULL)
    return TRUE;
  info = &found.draft->info;
  if (!atm_digest_equal (&info->digest, &descriptor->digest)
      || info->size_bytes != descriptor->size_bytes
      || info->diff_id.algorithm != diff_id->algorithm)
    return TRUE;
  if (atm_digest_equal (&info->diff_id, diff_id))
    {
      *stored = found;
      found = (Stored){ 0 };
      return TRUE;
    }
  /* The word of one image against that of another: read the blob and see. */
  if (info->claimed)
    return TRUE;

  wanted = atm_digest_to_string (diff_id);
  actual = atm_digest_to_string (&info->diff_id);
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                    "It unpacks to %s, but the image configuration says %s", actual, wanted);
}

/* A layer that was only compressed again: the same under another digest. */
static gboolean
find_by_diff_id (AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
                 Stored *stored, GCancellable *cancellable, GError **error)
{
  g_autofree char *key = atm_digest_to_string (diff_id);
  const AtmLayerDraft *draft = find_draft (txn, NULL, diff_id);
  const char *commit = NULL;
  g_auto (Stored) found = { 0 };

  if (draft != NULL)
    {
      if (!atm_layer_draft_read (txn->store, txn->objects, draft, &stored->layer, cancellable,
                                 error))
        return FALSE;
      stored->draft = atm_layer_draft_new_alias (draft, descriptor);
      stored->is_alias = TRUE;
      return TRUE;
    }

  if (txn->index == NULL && !atm_layer_commit_index (txn->store, &txn->index, cancellable, error))
    return FALSE;
  commit = g_hash_table_lookup (txn->index, key);
  if (commit == NULL)
    return TRUE;
  if (!atm_layer_commit_load (txn->store, commit, &found.draft, &found.layer, cancellable, error))
    return FALSE;
  if (found.draft == NULL || !atm_digest_equal (&found.draft->info.diff_id, diff_id))
    return TRUE;
  stored->draft = atm_layer_draft_new_alias (found.draft, descriptor);
  stored->layer = g_steal_pointer (&found.layer);
  stored->is_alias = TRUE;
  return TRUE;
}

/* The layer by its digest or by its diff ID. */
static gboolean
find_stored (AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
             Stored *stored, GCancellable *cancellable, GError **error)
{
  return find_by_digest (txn, descriptor, diff_id, stored, cancellable, error)
         && (stored->layer != NULL
             || find_by_diff_id (txn, descriptor, diff_id, stored, cancellable, error));
}

static gboolean
add_stored_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
                  gboolean *found_out, GCancellable *cancellable, GError **error)
{
  const AtmLayerDraft *draft = find_draft (txn, &descriptor->digest, diff_id);
  g_auto (Stored) stored = { 0 };

  if (draft != NULL)
    {
      if (!atm_layer_draft_read (txn->store, txn->objects, draft, &stored.layer, cancellable, error)
          || !merge (txn, stored.layer, &draft->info, cancellable, error))
        return FALSE;
      *found_out = TRUE;
      return TRUE;
    }

  if (!find_stored (txn, descriptor, diff_id, &stored, cancellable, error))
    return FALSE;
  *found_out = stored.layer != NULL;
  if (stored.layer == NULL)
    return TRUE;
  if (!merge (txn, stored.layer, &stored.draft->info, cancellable, error))
    return FALSE;
  if (stored.is_alias)
    g_ptr_array_add (txn->drafts, g_steal_pointer (&stored.draft));
  return TRUE;
}

gboolean
atm_store_txn_has_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                         const AtmDigest *diff_id, gboolean *found_out, GCancellable *cancellable,
                         GError **error)
{
  g_auto (Stored) stored = { 0 };

  if (!check_open (txn, error)
      || !find_stored (txn, descriptor, diff_id, &stored, cancellable, error))
    return FALSE;
  *found_out = stored.layer != NULL;
  return TRUE;
}

gboolean
atm_store_txn_add_stored_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                                const AtmDigest *diff_id, gboolean *found_out,
                                GCancellable *cancellable, GError **error)
{
  if (!check_open (txn, error))
    return FALSE;
  if (!add_stored_layer (txn, descriptor, diff_id, found_out, cancellable, error))
    return prefix_layer (txn->added->len + 1, &descriptor->digest, error);
  return TRUE;
}

void
atm_imported_layer_free (AtmImportedLayer *layer)
{
  if (layer == NULL)
    return;
  atm_layer_draft_free (layer->draft);
  atm_layer_free (layer->layer);
  g_free (layer);
}

/* @claimed: @blob is not the blob of @descriptor but what it is said to unpack to */
static gboolean
import (AtmStoreTxn *txn, const AtmDescriptor *descriptor, const AtmDigest *diff_id,
        GInputStream *blob, gboolean claimed, AtmImportedLayer **layer_out,
        GCancellable *cancellable, GError **error)
{
  AtmStore *store = txn->store;
  g_auto (AtmImported) imported = { 0 };
  g_auto (AtmLayerInfo) info = { 0 };
  AtmLayerDraft *draft = NULL;

  if (!atm_import_layer (blob, diff_id->algorithm, txn->objects, &store->limits, &imported,
                         cancellable, error))
    return FALSE;

  info.digest = descriptor->digest;
  info.size_bytes = descriptor->size_bytes;
  info.uncompressed_bytes = imported.uncompressed_bytes;
  info.media_type = g_strdup (descriptor->media_type);
  info.diff_id = imported.diff_id;
  info.notice = g_steal_pointer (&imported.notice);
  info.claimed = claimed;
  if (!atm_digest_equal (&info.diff_id, diff_id))
    {
      g_autofree char *wanted = atm_digest_to_string (diff_id);
      g_autofree char *actual = atm_digest_to_string (&info.diff_id);

      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                        "It unpacks to %s, but the image configuration says %s", actual, wanted);
    }

  if (!atm_layer_draft_new (store, txn->objects, imported.layer, &info, &draft, cancellable, error))
    return FALSE;
  *layer_out = g_new0 (AtmImportedLayer, 1);
  (*layer_out)->draft = draft;
  (*layer_out)->layer = g_steal_pointer (&imported.layer);
  return TRUE;
}

gboolean
atm_store_txn_import_layer (AtmStoreTxn *txn, guint number, const AtmDescriptor *descriptor,
                            const AtmDigest *diff_id, GInputStream *blob,
                            AtmImportedLayer **layer_out, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (txn->prepared, FALSE);
  if (!import (txn, descriptor, diff_id, blob, FALSE, layer_out, cancellable, error))
    return prefix_layer (number, &descriptor->digest, error);
  return TRUE;
}

gboolean
atm_store_txn_add_imported_layer (AtmStoreTxn *txn, AtmImportedLayer *layer,
                                  GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmImportedLayer) owned = layer;
  const AtmLayerInfo *info = &owned->draft->info;

  if (!check_open (txn, error))
    return FALSE;
  if (!merge (txn, owned->layer, info, cancellable, error))
    return prefix_layer (txn->added->len + 1, &info->digest, error);
  g_ptr_array_add (txn->drafts, g_steal_pointer (&owned->draft));
  return TRUE;
}

gboolean
atm_store_txn_add_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                         const AtmDigest *diff_id, GInputStream *blob, GCancellable *cancellable,
                         GError **error)
{
  AtmImportedLayer *layer = NULL;

  return check_open (txn, error)
         && atm_store_txn_import_layer (txn, txn->added->len + 1, descriptor, diff_id, blob, &layer,
                                        cancellable, error)
         && atm_store_txn_add_imported_layer (txn, layer, cancellable, error);
}

gboolean
atm_store_txn_add_python_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                                const AtmDigest *diff_id, gboolean *found_out,
                                GCancellable *cancellable, GError **error)
{
  g_autoptr (GInputStream) tar = NULL;
  AtmImportedLayer *layer = NULL;

  if (!check_open (txn, error))
    return FALSE;
  if (!atm_python_layer_open (txn->store, &descriptor->digest, &tar, cancellable, error)
      || (tar != NULL && !import (txn, descriptor, diff_id, tar, TRUE, &layer, cancellable, error)))
    return prefix_layer (txn->added->len + 1, &descriptor->digest, error);
  if (layer != NULL && !atm_store_txn_add_imported_layer (txn, layer, cancellable, error))
    return FALSE;
  *found_out = layer != NULL;
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

static GVariant *
make_metadata (AtmStoreTxn *txn, const char *reference, const char *canonical, GBytes *manifest,
               GBytes *config)
{
  g_autoptr (GArray) diff_ids = g_array_new (FALSE, FALSE, sizeof (AtmDigest));
  g_autoptr (GString) notice = g_string_new (NULL);
  guint64 size_bytes = 0;

  for (guint i = 0; i < txn->added->len; i++)
    {
      const AddedLayer *added = &g_array_index (txn->added, AddedLayer, i);

      g_array_append_val (diff_ids, added->diff_id);
      size_bytes += added->size_bytes;
    }
  for (guint i = 0; i < txn->notices->len; i++)
    g_string_append_printf (notice, "%s%s", i > 0 ? "; " : "",
                            (const char *) txn->notices->pdata[i]);
  return atm_image_metadata_new (txn->verdict, reference, canonical, manifest, config, diff_ids,
                                 size_bytes, notice->len > 0 ? notice->str : NULL);
}

/* All that was written and named before reaches the disk before all that is named afterwards. */
static gboolean
sync_all (AtmStoreTxn *txn, GError **error)
{
  OstreeRepo *repo = txn->store->repo;

  if (!ostree_repo_get_disable_fsync (repo) && syncfs (ostree_repo_get_dfd (repo)) < 0)
    return atm_throw_errno (error, "Syncing the repository");
  return TRUE;
}

/* Names what libostree has staged, which must have been synced. libostree would sync all of the
   file system once more, and then each of the 256 folders of objects by itself; sync_all() does for
   those. */
static gboolean
commit_synced (AtmStoreTxn *txn, GCancellable *cancellable, GError **error)
{
  OstreeRepo *repo = txn->store->repo;
  const gboolean disabled = ostree_repo_get_disable_fsync (repo);
  gboolean committed = FALSE;

  ostree_repo_set_disable_fsync (repo, TRUE);
  committed = ostree_repo_commit_transaction (repo, NULL, cancellable, error);
  ostree_repo_set_disable_fsync (repo, disabled);
  if (committed)
    txn->prepared = txn->store->in_transaction = FALSE;
  return committed;
}

/* libostree names the objects of a transaction in no order. So the commits have one of their own:
   whenever the power goes, whatever a commit leads to has its name. */
static gboolean
commit_trees (AtmStoreTxn *txn, GCancellable *cancellable, GError **error)
{
  if (!sync_all (txn, error) || !atm_objects_publish (txn->objects, cancellable, error)
      || !commit_synced (txn, cancellable, error)
      || !ostree_repo_prepare_transaction (txn->store->repo, NULL, cancellable, error))
    return FALSE;
  txn->prepared = txn->store->in_transaction = TRUE;
  return TRUE;
}

/* The commits that refs lead to. */
static gboolean
commit_commits (AtmStoreTxn *txn, const AtmCommitDraft *image, GPtrArray *layers, char **commit_out,
                GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < txn->drafts->len; i++)
    {
      const AtmLayerDraft *draft = txn->drafts->pdata[i];
      char *commit = NULL;

      if (!atm_commit_write (txn->store, &draft->commit, &commit, cancellable, error))
        return FALSE;
      g_ptr_array_add (layers, commit);
    }
  return atm_commit_write (txn->store, image, commit_out, cancellable, error)
         && sync_all (txn, error) && commit_synced (txn, cancellable, error)
         && sync_all (txn, error);
}

static gboolean
put_layer_refs (AtmStoreTxn *txn, GPtrArray *layers, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < txn->drafts->len; i++)
    {
      const AtmLayerDraft *draft = txn->drafts->pdata[i];
      g_autofree char *ref = atm_layer_commit_get_ref (&draft->info.digest);

      if (!atm_commit_put_ref (txn->store, ref, layers->pdata[i], cancellable, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_store_txn_commit (AtmStoreTxn *txn, const char *reference, const char *canonical,
                      GBytes *manifest, GBytes *config, char **commit_out,
                      GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_ref_encode (reference);
  g_autofree char *commit = NULL;
  g_autoptr (GPtrArray) layers = g_ptr_array_new_with_free_func (g_free); /* commits of drafts */
  g_auto (AtmCommitDraft) image = { 0 };

  if (!txn->prepared || txn->broken)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                      "The import has ended or has failed before; begin it again");
  /* The reader of manifests has made sure that the bytes are UTF-8 without NUL. Several refs are
     not written at once; the last one says that the image is there. */
  if (!check_complete (txn, manifest, config, error)
      || !atm_commit_draft (txn->objects, txn->tree,
                            make_metadata (txn, reference, canonical, manifest, config), &image,
                            cancellable, error)
      || !commit_trees (txn, cancellable, error)
      || !commit_commits (txn, &image, layers, &commit, cancellable, error)
      || !put_layer_refs (txn, layers, cancellable, error)
      || !atm_commit_set_ref (txn->store, ref, commit, cancellable, error))
    return atm_prefix_error (error, "Importing %s", canonical);
  *commit_out = g_steal_pointer (&commit);
  return TRUE;
}
