/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <ostree.h>

#include "store/limits.h"
#include "store/objects.h"
#include "store/store.h"
#include "store/tree.h"

/* What the files of store/ share; internal to store/ and its tests. */

/* Keys in the metadata of commits: man/atomic-store.5 has the table. */
#define ATM_KEY_MANIFEST "docker.manifest"
#define ATM_KEY_DIGEST "docker.digest"
#define ATM_KEY_SIGNATURE_COUNT "signatures"
#define ATM_KEY_IMAGE_FORMAT "atomic.image.format"
#define ATM_KEY_IMAGE_REFERENCE "atomic.image.reference"
#define ATM_KEY_IMAGE_CANONICAL "atomic.image.canonical"
#define ATM_KEY_IMAGE_CONFIG "atomic.image.config"
#define ATM_KEY_IMAGE_DIFF_IDS "atomic.image.diff-ids"
#define ATM_KEY_IMAGE_SIGNATURES "atomic.image.signatures"
#define ATM_KEY_IMAGE_VERDICT "atomic.image.verdict"
#define ATM_KEY_IMAGE_NOTICE "atomic.image.notice"
#define ATM_KEY_IMAGE_SITE_COMMIT "atomic.image.site-commit"
#define ATM_KEY_IMAGE_SITE_SIGNATURES "atomic.image.site-signatures"
#define ATM_KEY_SIZE "docker.size"
#define ATM_KEY_UNCOMPRESSED_SIZE "docker.uncompressed_size"
#define ATM_KEY_UNCOMPRESSED_DIGEST "docker.uncompressed_digest"
#define ATM_KEY_LAYER_FORMAT "atomic.layer.format"
#define ATM_KEY_LAYER_DIGEST "atomic.layer.digest"
#define ATM_KEY_LAYER_MEDIA_TYPE "atomic.layer.media-type"
#define ATM_KEY_LAYER_ENTRIES "atomic.layer.entries-digest"
#define ATM_KEY_LAYER_NOTICE "atomic.layer.notice"

/* What the format keys say today; commits with another number are not ours to read. */
#define ATM_IMAGE_FORMAT 1
#define ATM_LAYER_FORMAT 1

#define ATM_REF_PREFIX "ociimage"

struct _AtmStore
{
  OstreeRepo *repo; /* (owned) */
  AtmStoreLimits limits;
  gboolean user_mode; /* not root's: bare-user */
  gboolean in_transaction;
};

/* (transfer full): the repository @file, not opened yet; it knows the remotes in
   SYSCONFDIR/ostree/remotes.d besides its own, so that a host can have them before its repository.
 */
OstreeRepo *atm_repo_new (GFile *file);

/**
 * atm_store_get_limits:
 *
 * Returns: (transfer none): the bounds for layers, which tests make smaller
 */
AtmStoreLimits *atm_store_get_limits (AtmStore *store);

/**
 * atm_commit_write:
 * @tree: (borrowed): the tree of the commit
 * @metadata: (transfer floating): a{sv}
 * @commit_out: (out) (transfer full): checksum of the commit, which has no ref yet
 * @error: %ATM_STORE_ERROR_UNSUPPORTED if @metadata is larger than OSTree allows; %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_write (AtmStore *store, AtmObjects *objects, AtmTree *tree, GVariant *metadata,
                           char **commit_out, GCancellable *cancellable, GError **error);

/**
 * atm_commit_write_tree:
 * @contents: checksum of the root's dirtree object
 * @meta: checksum of its dirmeta object
 *
 * As atm_commit_write(), of a tree that the repository has.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_write_tree (AtmStore *store, const char *contents, const char *meta,
                                GVariant *metadata, char **commit_out, GCancellable *cancellable,
                                GError **error);

/**
 * atm_image_metadata_new:
 * @verdict: (borrowed): why the image is allowed
 * @reference: as typed
 * @canonical: atm_origin_to_string()
 * @manifest: (borrowed): UTF-8 without NUL, as the reader of manifests makes sure
 * @diff_ids: (borrowed) (element-type AtmDigest): base first
 * @notice: (nullable): what was left out
 *
 * Returns: (transfer floating): the metadata of an image commit (man/atomic-store.5)
 */
GVariant *atm_image_metadata_new (const AtmVerdict *verdict, const char *reference,
                                  const char *canonical, GBytes *manifest, GBytes *config,
                                  const GArray *diff_ids, const char *notice);

/* (transfer full) (nullable): the value of type ay. */
GBytes *atm_metadata_lookup_bytes (GVariant *metadata, const char *key);

/* (transfer full) (element-type GBytes): the value of type aay; empty if there is none. */
GPtrArray *atm_metadata_lookup_blobs (GVariant *metadata, const char *key);

/**
 * atm_commit_load:
 * @metadata_out: (out) (transfer full) (nullable): a{sv}; %NULL if objects of the commit are known
 *   to be missing
 * @created_unix_out: (out) (optional): the commit's time
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_load (AtmStore *store, const char *commit, GVariant **metadata_out,
                          guint64 *created_unix_out, GError **error);
