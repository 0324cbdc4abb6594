/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/remote.h"

#include <fcntl.h>

#include "image/name.h"
#include "store/commit.h"
#include "store/remote-commit.h"
#include "store/remote-tree.h"
#include "store/store-private.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"
#include "util/text.h"

/* Where libostree keeps signatures of a commit in its detached metadata. */
#define KEY_GPG_SIGNATURES "ostree.gpgsigs"

void
atm_remote_image_free (AtmRemoteImage *image)
{
  if (image == NULL)
    return;
  g_clear_pointer (&image->commit, g_bytes_unref);
  g_clear_pointer (&image->commit_signatures, g_ptr_array_unref);
  g_clear_pointer (&image->manifest, g_bytes_unref);
  g_clear_pointer (&image->signatures, g_ptr_array_unref);
  g_free (image);
}

/* ---- what libostree says and is told ---- */

static gboolean
is_local (const AtmOrigin *origin)
{
  return origin->site[0] == '/';
}

/* libostree quotes URLs whole, and a remote may have its password in the URL. */
static gboolean
prefix_site (GError **error, const AtmOrigin *origin)
{
  g_autoptr (GRegex) secret = g_regex_new ("://[^/@\\s]*@", G_REGEX_DEFAULT, 0, NULL);
  g_autofree char *what = atm_origin_to_string (origin);

  if (error != NULL)
    {
      g_autofree char *clean
          = g_regex_replace_literal (secret, (*error)->message, -1, 0, "://", 0, NULL);

      if (clean != NULL)
        {
          g_free ((*error)->message);
          (*error)->message = g_steal_pointer (&clean);
        }
    }
  return atm_prefix_error (error, "Fetching %s", what);
}

static gboolean
throw_no_image (const AtmOrigin *origin, GError **error)
{
  return atm_throw (
      error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
      "the site has no image %s; pull it there first, or look with “ostree refs” under "
      "which name it has it",
      origin->name->familiar);
}

static gboolean
check_remote (AtmStore *store, const AtmOrigin *origin, GError **error)
{
  g_autofree char *url = NULL;
  g_autofree char *path = NULL;

  if (is_local (origin))
    return TRUE;
  if (!ostree_repo_remote_get_url (store->repo, origin->site, &url, NULL))
    {
      path = g_file_get_path (ostree_repo_get_path (store->repo));
      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                        "there is no remote “%s” for %s; add it with “ostree remote add --repo=%s "
                        "%s URL” or as a file in " ATM_SYSCONFDIR "/ostree/remotes.d",
                        origin->site, path, path, origin->site);
    }
  /* libostree would link its objects into the store: remote-tree.h. */
  if (g_str_has_prefix (url, "file:"))
    return atm_throw (
        error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
        "the remote “%s” is a repository of this host; write ostree:/PATH:%s with its "
        "path",
        origin->site, origin->name->familiar);
  return TRUE;
}

/* The policy says who must sign; who has written gpg-verify=true down gets libostree's check with
   its keys, too. (Without the key libostree would ask for keys that nobody has named.) */
static gboolean
wants_gpg_verify (AtmStore *store, const AtmOrigin *origin)
{
  g_autofree char *value = NULL;

  return ostree_repo_get_remote_option (store->repo, origin->site, "gpg-verify", NULL, &value, NULL)
         && value != NULL && !g_str_equal (value, "false") && !g_str_equal (value, "0");
}

/* @what: a ref or the checksum of a commit. */
static gboolean
pull (OstreeRepo *repo, const AtmOrigin *origin, const char *what, OstreeRepoPullFlags flags,
      gboolean in_transaction, gboolean gpg_verify, GCancellable *cancellable, GError **error)
{
  const char *const refs[] = { what, NULL };
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) options = NULL;

  g_variant_builder_add (&builder, "{sv}", "refs", g_variant_new_strv (refs, -1));
  g_variant_builder_add (&builder, "{sv}", "depth", g_variant_new_int32 (0));
  /* UNTRUSTED: objects of a local repository are copied and hashed, not linked: a link could be
     written from both ends. */
  g_variant_builder_add (&builder, "{sv}", "flags",
                         g_variant_new_int32 ((gint32) (flags | OSTREE_REPO_PULL_FLAGS_UNTRUSTED)));
  g_variant_builder_add (&builder, "{sv}", "inherit-transaction",
                         g_variant_new_boolean (in_transaction));
  /* A delta is not covered by the signature of the commit: its parts are believed before objects
     are made of them. */
  g_variant_builder_add (&builder, "{sv}", "disable-static-deltas", g_variant_new_boolean (TRUE));
  g_variant_builder_add (&builder, "{sv}", "gpg-verify", g_variant_new_boolean (gpg_verify));
  options = g_variant_ref_sink (g_variant_builder_end (&builder));
  return ostree_repo_pull_with_options (repo, origin->site, options, NULL, cancellable, error);
}

/* ---- the commit ---- */

/* What is in @repo under @checksum, copied: a local repository may change under our eyes. */
static gboolean
read_commit (OstreeRepo *repo, const char *checksum, AtmRemoteImage *image,
             GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) commit = NULL, detached = NULL;
  g_autofree char *actual = NULL;

  if (!ostree_repo_load_commit (repo, checksum, &commit, NULL, error)
      || !ostree_repo_read_commit_detached_metadata (repo, checksum, &detached, cancellable, error))
    return FALSE;
  image->commit = atm_remote_copy_variant (commit);
  if (image->commit == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "the commit %s is larger than %d bytes", checksum, OSTREE_MAX_METADATA_SIZE);
  actual = atm_sha256_hex (image->commit);
  if (!g_str_equal (actual, checksum))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "the commit %s is damaged: it hashes to %s; have the site run “ostree fsck”",
                      checksum, actual);
  if (detached != NULL)
    {
      g_autoptr (GBytes) bytes = atm_remote_copy_variant (detached);
      g_autoptr (GVariant) copy = NULL;

      if (bytes == NULL)
        return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                          "the signatures of the commit %s have more than %d bytes", checksum,
                          OSTREE_MAX_METADATA_SIZE);
      copy = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, FALSE));
      image->commit_signatures = atm_metadata_lookup_blobs (copy, KEY_GPG_SIGNATURES);
    }
  else
    image->commit_signatures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  return TRUE;
}

static gboolean
open_local (const AtmOrigin *origin, OstreeRepo **repo_out, GCancellable *cancellable,
            GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (origin->site);
  g_autoptr (OstreeRepo) repo = ostree_repo_new (file);

  if (!ostree_repo_open (repo, cancellable, error))
    return FALSE;
  *repo_out = g_steal_pointer (&repo);
  return TRUE;
}

static gboolean
fetch_local (const AtmOrigin *origin, const char *ref, AtmRemoteImage *image,
             GCancellable *cancellable, GError **error)
{
  g_autoptr (OstreeRepo) repo = NULL;
  g_autofree char *checksum = NULL;

  if (!open_local (origin, &repo, cancellable, error)
      || !ostree_repo_resolve_rev (repo, ref, TRUE, &checksum, error))
    return FALSE;
  if (checksum == NULL)
    return throw_no_image (origin, error);
  return read_commit (repo, checksum, image, cancellable, error);
}

/* A repository of its own for a commit that the policy may refuse: what an aborted transaction
   leaves behind libostree takes into the next one. @store is its parent, which has the remotes. */
static gboolean
open_scratch (AtmStore *store, const char *path, OstreeRepo **repo_out, GCancellable *cancellable,
              GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (OstreeRepo) repo = atm_repo_new (file);
  g_autofree char *parent = g_file_get_path (ostree_repo_get_path (store->repo));
  g_autoptr (GKeyFile) config = NULL;

  if (!ostree_repo_create (repo, OSTREE_REPO_MODE_ARCHIVE, cancellable, error))
    return FALSE;
  config = ostree_repo_copy_config (repo);
  g_key_file_set_string (config, "core", "parent", parent);
  if (!ostree_repo_write_config (repo, config, error)
      || !ostree_repo_reload_config (repo, cancellable, error))
    return FALSE;
  *repo_out = g_steal_pointer (&repo);
  return TRUE;
}

/* Whether @failure is that of an image that is not there. libostree has no code for a ref that the
   summary does not list, and one for any file that a server does not have. */
static gboolean
lacks_image (OstreeRepo *repo, const AtmOrigin *origin, const char *ref, const GError *failure,
             GCancellable *cancellable)
{
  g_autoptr (GHashTable) refs = NULL;

  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  return g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_FAILED)
         && ostree_repo_remote_list_refs (repo, origin->site, &refs, cancellable, NULL)
         && !g_hash_table_contains (refs, ref);
}

static gboolean
fetch_into (OstreeRepo *repo, const AtmOrigin *origin, const char *ref, AtmRemoteImage *image,
            GCancellable *cancellable, GError **error)
{
  g_autofree char *refspec = g_strconcat (origin->site, ":", ref, NULL);
  g_autofree char *checksum = NULL;
  g_autoptr (GError) local = NULL;

  if (pull (repo, origin, ref, OSTREE_REPO_PULL_FLAGS_COMMIT_ONLY, FALSE, FALSE, cancellable,
            &local))
    return ostree_repo_resolve_rev (repo, refspec, FALSE, &checksum, error)
           && read_commit (repo, checksum, image, cancellable, error);
  if (lacks_image (repo, origin, ref, local, cancellable))
    {
      (void) throw_no_image (origin, error);
      return atm_prefix_error (error, "%s", local->message);
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
fetch_remote (AtmStore *store, const AtmOrigin *origin, const char *ref, AtmRemoteImage *image,
              GCancellable *cancellable, GError **error)
{
  g_autofree char *parent = g_file_get_path (ostree_repo_get_path (store->repo));
  g_autofree char *path = g_build_filename (parent, "tmp", "atomic-remote-XXXXXX", NULL);
  g_autoptr (GError) removal = NULL;
  gboolean fetched = FALSE;

  if (g_mkdtemp_full (path, 0700) == NULL)
    return atm_throw_errno (error, "Creating a folder in %s/tmp", parent);
  {
    g_autoptr (OstreeRepo) repo = NULL;

    fetched = open_scratch (store, path, &repo, cancellable, error)
              && fetch_into (repo, origin, ref, image, cancellable, error);
  }
  /* After a crash libostree removes it, when it is a day old. */
  if (!atm_remove_tree_at (AT_FDCWD, path, &removal))
    g_debug ("%s stays behind: %s", path, removal->message);
  return fetched;
}

/* Whether the commit is about the image that was asked for. A site that names another could serve
   what one publisher signed under the name of another; a commit of an upper site is fine. */
static gboolean
check_name (const AtmRemoteCommit *commit, const AtmOrigin *origin, GError **error)
{
  g_autofree char *wanted = atm_name_to_string (origin->name);
  g_autofree char *shown = atm_text_escape (commit->canonical);
  g_autofree char *actual = NULL;
  g_autoptr (AtmOrigin) there = NULL;

  if (g_str_equal (commit->reference, origin->name->familiar)
      && atm_origin_parse_stored (commit->canonical, commit->reference, &there, NULL)
      && (there->transport == ATM_TRANSPORT_DOCKER || there->transport == ATM_TRANSPORT_OSTREE))
    actual = atm_name_to_string (there->name);
  if (g_strcmp0 (actual, wanted) == 0)
    return TRUE;
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                    "the commit that the site has under the name %s is that of the image %s, and "
                    "not of %s; have the site pull it from the registry by its full name",
                    origin->name->familiar, shown, wanted);
}

gboolean
atm_remote_fetch (AtmStore *store, const AtmOrigin *origin, AtmRemoteImage **image_out,
                  GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmRemoteImage) image = g_new0 (AtmRemoteImage, 1);
  g_autoptr (AtmRemoteCommit) commit = NULL;
  g_autofree char *ref = atm_ref_encode (origin->name->familiar);
  gboolean fetched = FALSE;

  if (is_local (origin))
    fetched = fetch_local (origin, ref, image, cancellable, error);
  else
    fetched = check_remote (store, origin, error)
              && fetch_remote (store, origin, ref, image, cancellable, error);
  if (!fetched || !atm_remote_commit_parse (image->commit, &commit, error)
      || !check_name (commit, origin, error))
    return prefix_site (error, origin);
  image->manifest = g_bytes_ref (commit->manifest);
  image->signatures = g_ptr_array_ref (commit->signatures);
  *image_out = g_steal_pointer (&image);
  return TRUE;
}

/* ---- the tree ---- */

/* Whether configuration and manifest belong to each other and to the verdict. */
static gboolean
check_image (const AtmRemoteCommit *commit, AtmVerdict *verdict, AtmManifest **manifest_out,
             AtmImageConfig **config_out, GError **error)
{
  return atm_digest_check (atm_verdict_get_digest (verdict), commit->manifest,
                           "the manifest that was judged", error)
         && atm_manifest_parse (commit->manifest, manifest_out, error)
         && atm_digest_check (&(*manifest_out)->config.digest, commit->config, "the configuration",
                              error)
         && atm_config_parse (commit->config, *manifest_out, NULL, config_out, error);
}

/* What the store has not of the tree of @commit, whose name is @checksum. */
static gboolean
fetch_tree (AtmStore *store, const AtmOrigin *origin, const char *checksum,
            const AtmRemoteCommit *commit, GCancellable *cancellable, GError **error)
{
  g_autoptr (OstreeRepo) from = NULL;

  if (is_local (origin))
    return open_local (origin, &from, cancellable, error)
           && atm_remote_tree_take (store, from, commit->contents, commit->meta, cancellable,
                                    error);
  return pull (store->repo, origin, checksum, OSTREE_REPO_PULL_FLAGS_NONE, TRUE,
               wants_gpg_verify (store, origin), cancellable, error)
         && atm_remote_tree_take (store, NULL, commit->contents, commit->meta, cancellable, error);
}

/* In an open transaction: the tree, and what is to become its commit. */
static gboolean
import_tree (AtmStore *store, const AtmOrigin *origin, AtmVerdict *verdict,
             AtmCommitDraft *draft_out, GCancellable *cancellable, GError **error)
{
  GBytes *bytes = atm_verdict_get_site_commit (verdict);
  g_autofree char *checksum = atm_sha256_hex (bytes);
  g_autofree char *canonical = atm_origin_to_string (origin);
  g_autoptr (AtmRemoteCommit) commit = NULL;
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;
  guint64 size_bytes = 0;

  if (!atm_remote_commit_parse (bytes, &commit, error)
      || !check_image (commit, verdict, &manifest, &config, error)
      || !fetch_tree (store, origin, checksum, commit, cancellable, error))
    return FALSE;
  for (guint i = 0; i < manifest->layers->len; i++)
    size_bytes += ((AtmDescriptor *) manifest->layers->pdata[i])->size_bytes;
  return atm_commit_draft_stored (
             commit->contents, commit->meta,
             atm_image_metadata_new (verdict, origin->name->familiar, canonical, commit->manifest,
                                     commit->config, config->diff_ids, size_bytes, commit->notice),
             draft_out, error)
         && ostree_repo_commit_transaction (store->repo, NULL, cancellable, error);
}

/* Under the shared lock of the repository. The commit comes when all that it leads to has a name
   (see atm_store_txn_commit()). */
static gboolean
import (AtmStore *store, const AtmOrigin *origin, AtmVerdict *verdict, char **commit_out,
        GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_ref_encode (origin->name->familiar);
  g_autofree char *commit = NULL;
  g_auto (AtmCommitDraft) draft = { 0 };

  if (!ostree_repo_prepare_transaction (store->repo, NULL, cancellable, error))
    return FALSE;
  if (!import_tree (store, origin, verdict, &draft, cancellable, error)
      || !ostree_repo_prepare_transaction (store->repo, NULL, cancellable, error)
      || !atm_commit_write (store, &draft, &commit, cancellable, error)
      || !ostree_repo_commit_transaction (store->repo, NULL, cancellable, error))
    {
      (void) ostree_repo_abort_transaction (store->repo, NULL, NULL);
      return FALSE;
    }
  if (!atm_commit_set_ref (store, ref, commit, cancellable, error))
    return FALSE;
  *commit_out = g_steal_pointer (&commit);
  return TRUE;
}

gboolean
atm_remote_import (AtmStore *store, const AtmOrigin *origin, AtmVerdict *verdict, char **commit_out,
                   GCancellable *cancellable, GError **error)
{
  gboolean imported = FALSE;

  if (store->in_transaction)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_BUSY,
                      "Another image is being imported through the same store");
  if (atm_verdict_get_site_commit (verdict) == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "The verdict on %s is about no commit of a site",
                      atm_verdict_get_reference (verdict));
  /* A prune between the look for objects and the ref would take what we did not fetch. */
  if (!check_remote (store, origin, error)
      || !ostree_repo_lock_push (store->repo, OSTREE_REPO_LOCK_SHARED, cancellable, error))
    return prefix_site (error, origin);
  imported = import (store, origin, verdict, commit_out, cancellable, error);
  (void) ostree_repo_lock_pop (store->repo, OSTREE_REPO_LOCK_SHARED, NULL, NULL);
  return imported || prefix_site (error, origin);
}
