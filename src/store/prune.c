/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/prune.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "image/name.h"
#include "store/commit.h"
#include "store/usage.h"
#include "store/walk.h"
#include "util/error.h"
#include "util/text.h"

void
atm_pruned_clear (AtmPruned *pruned)
{
  g_clear_pointer (&pruned->refs, g_ptr_array_unref);
}

gboolean
atm_store_delete_image (AtmStore *store, const char *reference, GCancellable *cancellable,
                        GError **error)
{
  g_autofree char *ref = atm_ref_encode (reference);
  g_autofree char *commit = NULL;

  if (!ostree_repo_resolve_rev (store->repo, ref, TRUE, &commit, error))
    return FALSE;
  if (commit == NULL)
    {
      g_autofree char *shown = atm_text_escape (reference);

      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                        "The image %s is not in the store", shown);
    }
  return ostree_repo_set_ref_immediate (store->repo, NULL, ref, NULL, cancellable, error)
         || atm_prefix_error (error, "Deleting %s", ref);
}

gboolean
atm_store_tag_image (AtmStore *store, const AtmStoredImage *image, const char *reference,
                     GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_ref_encode (reference);
  g_autofree char *decoded = atm_ref_decode (ref);

  /* The whole name of a hashed ref is in its commit, and this commit has another one. */
  if (!g_str_equal (decoded, reference))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "The name %s is too long for a second name of an image; choose a shorter one",
                      reference);
  return ostree_repo_set_ref_immediate (store->repo, NULL, ref, image->commit, cancellable, error)
         || atm_prefix_error (error, "Tagging %s as %s", image->reference, reference);
}

/* ---- what is needed ---- */

typedef struct
{
  AtmStore *store;       /* (borrowed) */
  GHashTable *refs;      /* (owned) (element-type utf8 utf8): all below ociimage/ */
  GHashTable *blobs;     /* (owned) (element-type utf8): hex of what images name */
  GHashTable *reachable; /* (owned) (element-type GVariant): as libostree names objects */
  AtmPruned *pruned;     /* (borrowed) */
} Prune;

static void
prune_clear (Prune *prune)
{
  g_clear_pointer (&prune->refs, g_hash_table_unref);
  g_clear_pointer (&prune->blobs, g_hash_table_unref);
  g_clear_pointer (&prune->reachable, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Prune, prune_clear)

static gboolean
is_blob_ref (const char *ref)
{
  const char *hex = strchr (ref, '/');
  const gsize length = hex != NULL ? strlen (hex + 1) : 0;

  return (length == 64 || length == 128) && strspn (hex + 1, "0123456789abcdef") == length;
}

/* What images name. One that cannot be read may name anything, so nothing can go then. */
static gboolean
collect_blobs (Prune *prune, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) images = NULL;

  if (!atm_store_list_images (prune->store, &images, cancellable, error))
    return FALSE;
  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *image = images->pdata[i];
      g_autofree char *ref = atm_ref_encode (image->reference);

      if (image->manifest != NULL)
        atm_usage_add_blobs (image->manifest, prune->blobs);
      else if (!is_blob_ref (ref))
        {
          g_autofree char *shown = atm_text_escape (image->reference);

          return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                            "The image %s cannot be read, so it is not known which layers it needs "
                            "(%s); nothing was removed. Delete the image or pull it again first",
                            shown, image->problem);
        }
    }
  return TRUE;
}

/* A ref is that of a layer or of a configuration by its commit, never by its name alone: an image
   may be called like a number (command.md 7, row 9). */
static gboolean
is_unneeded (Prune *prune, const char *ref, const char *commit)
{
  g_autoptr (GVariant) metadata = NULL;

  if (!is_blob_ref (ref) || g_hash_table_contains (prune->blobs, strchr (ref, '/') + 1))
    return FALSE;
  if (!ostree_validate_checksum_string (commit, NULL)
      || !atm_commit_load (prune->store, commit, &metadata, NULL, NULL) || metadata == NULL)
    return TRUE;
  return !g_variant_lookup (metadata, ATM_KEY_MANIFEST, "&s", NULL);
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
choose_refs (Prune *prune)
{
  GHashTableIter iter;
  gpointer ref, commit;

  g_hash_table_iter_init (&iter, prune->refs);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    if (is_unneeded (prune, ref, commit))
      g_ptr_array_add (prune->pruned->refs, g_strdup (ref));
  g_ptr_array_sort (prune->pruned->refs, compare_texts);
}

static gboolean
reach (OstreeObjectType type, const char *checksum, const char *path G_GNUC_UNUSED, gpointer data)
{
  Prune *prune = data;

  return g_hash_table_add (prune->reachable,
                           g_variant_ref_sink (ostree_object_name_serialize (checksum, type)));
}

/* Not libostree's traversal: it believes a damaged folder, and what the folder has lost from its
   list would be removed. */
static gboolean
reach_commit (Prune *prune, const char *name, const char *commit, GCancellable *cancellable,
              GError **error)
{
  static const AtmWalkFuncs funcs = { .need = reach };
  g_autoptr (GError) local = NULL;

  if (atm_walk_commit (prune->store, commit, &funcs, prune, cancellable, &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                    "%s is damaged, so it is not known what it needs (%s); nothing was removed. "
                    "Run `atomic verify --repair` first",
                    name, local->message);
}

/* A commit of an OSTree host that was fetched in part: what it lacks is no damage. */
static gboolean
is_partial (Prune *prune, const char *ref, const char *commit)
{
  OstreeRepoCommitState state = OSTREE_REPO_COMMIT_STATE_NORMAL;

  return !g_str_has_prefix (ref, ATM_REF_PREFIX "/")
         && ostree_validate_checksum_string (commit, NULL)
         && ostree_repo_load_commit (prune->store->repo, commit, NULL, &state, NULL)
         && (state & OSTREE_REPO_COMMIT_STATE_PARTIAL) != 0;
}

static gboolean
reach_refs (Prune *prune, GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) all = NULL;
  GHashTableIter iter;
  gpointer ref, commit;

  /* Other refs than ours, too: the repository may be that of an OSTree host. */
  if (!ostree_repo_list_refs (prune->store->repo, NULL, &all, cancellable, error))
    return FALSE;
  g_hash_table_iter_init (&iter, all);
  while (g_hash_table_iter_next (&iter, &ref, &commit))
    {
      if (g_ptr_array_find_with_equal_func (prune->pruned->refs, ref, g_str_equal, NULL))
        continue;
      if (is_partial (prune, ref, commit) ? !ostree_repo_traverse_commit_union (
              prune->store->repo, commit, 0, prune->reachable, cancellable, error)
                                          : !reach_commit (prune, ref, commit, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
reach_kept (Prune *prune, GHashTable *keep, GCancellable *cancellable, GError **error)
{
  GHashTableIter iter;
  gpointer commit;

  g_hash_table_iter_init (&iter, keep);
  while (g_hash_table_iter_next (&iter, &commit, NULL))
    {
      gboolean there = FALSE;

      if (!ostree_validate_checksum_string (commit, NULL))
        continue;
      if (!ostree_repo_has_object (prune->store->repo, OSTREE_OBJECT_TYPE_COMMIT, commit, &there,
                                   cancellable, error)
          || (there
              && !reach_commit (prune, "The commit of a deployment", commit, cancellable, error)))
        return FALSE;
    }
  return TRUE;
}

/* ---- removing ---- */

static gboolean
sync_repo (Prune *prune, GError **error)
{
  return syncfs (ostree_repo_get_dfd (prune->store->repo)) == 0
         || atm_throw_errno (error, "Syncing the repository");
}

static gboolean
remove_refs (Prune *prune, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < prune->pruned->refs->len; i++)
    if (!ostree_repo_set_ref_immediate (prune->store->repo, NULL, prune->pruned->refs->pdata[i],
                                        NULL, cancellable, error))
      return FALSE;
  return TRUE;
}

static gboolean
list_unreachable_commits (Prune *prune, GPtrArray *commits, guint64 *bytes,
                          GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) found = NULL;
  GHashTableIter iter;
  gpointer key;

  if (!ostree_repo_list_commit_objects_starting_with (prune->store->repo, "", &found, cancellable,
                                                      error))
    return FALSE;
  g_hash_table_iter_init (&iter, found);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      const char *checksum = NULL;
      OstreeObjectType type;
      guint64 size = 0;

      if (g_hash_table_contains (prune->reachable, key))
        continue;
      ostree_object_name_deserialize (key, &checksum, &type);
      if (ostree_repo_query_object_storage_size (prune->store->repo, type, checksum, &size,
                                                 cancellable, NULL))
        *bytes += size;
      g_ptr_array_add (commits, g_strdup (checksum));
    }
  return TRUE;
}

static gboolean
remove_objects (Prune *prune, gboolean dry_run, GCancellable *cancellable, GError **error)
{
  OstreeRepoPruneOptions options = {
    .flags = OSTREE_REPO_PRUNE_FLAGS_REFS_ONLY
             | (dry_run ? OSTREE_REPO_PRUNE_FLAGS_NO_PRUNE : OSTREE_REPO_PRUNE_FLAGS_NONE),
    .reachable = prune->reachable,
  };
  g_autoptr (GPtrArray) commits = g_ptr_array_new_with_free_func (g_free);
  guint64 commit_bytes = 0, object_bytes = 0;
  int n_total = 0, n_pruned = 0;

  if (!list_unreachable_commits (prune, commits, &commit_bytes, cancellable, error))
    return FALSE;
  for (guint i = 0; !dry_run && i < commits->len; i++)
    if (!ostree_repo_delete_object (prune->store->repo, OSTREE_OBJECT_TYPE_COMMIT,
                                    commits->pdata[i], cancellable, error))
      return FALSE;
  if ((!dry_run && commits->len > 0 && !sync_repo (prune, error))
      || !ostree_repo_prune_from_reachable (prune->store->repo, &options, &n_total, &n_pruned,
                                            &object_bytes, cancellable, error))
    return FALSE;
  prune->pruned->n_objects = (guint) n_pruned + (dry_run ? 0 : commits->len);
  prune->pruned->freed_bytes = object_bytes + (dry_run ? 0 : commit_bytes);
  return TRUE;
}

/* The order, and what a kill or a power cut between two steps leaves:
   1. everything is read; a damaged image ends it here, with nothing removed
   2. refs of layers that no image names: commits without a ref, which are whole
   3. sync: no ref can come back to a commit that is gone
   4. commits that nothing leads to: trees and files that nobody asks for
   5. sync: no commit can come back to a tree that is gone
   6. trees and files
   libostree alone removes in the order of a hash table, and `ostree fsck` looks at all commits,
   also at those without a ref: a kill in the middle would leave commits without their trees. */
gboolean
atm_store_prune (AtmStore *store, GHashTable *keep, gboolean dry_run, AtmPruned *pruned_out,
                 GCancellable *cancellable, GError **error)
{
  g_auto (AtmPruned) pruned = { .refs = g_ptr_array_new_with_free_func (g_free) };
  g_auto (Prune) prune = {
    .store = store,
    .blobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .reachable = ostree_repo_traverse_new_reachable (),
    .pruned = &pruned,
  };

  if (!ostree_repo_list_refs_ext (store->repo, ATM_REF_PREFIX, &prune.refs,
                                  OSTREE_REPO_LIST_REFS_EXT_NONE, cancellable, error)
      || !collect_blobs (&prune, cancellable, error))
    return FALSE;
  choose_refs (&prune);
  if (!reach_refs (&prune, cancellable, error) || !reach_kept (&prune, keep, cancellable, error))
    return FALSE;
  if (!dry_run && pruned.refs->len > 0
      && (!remove_refs (&prune, cancellable, error) || !sync_repo (&prune, error)))
    return FALSE;
  if (!remove_objects (&prune, dry_run, cancellable, error))
    return atm_prefix_error (error, "Removing objects that nobody needs");
  *pruned_out = pruned;
  pruned.refs = NULL;
  return TRUE;
}
