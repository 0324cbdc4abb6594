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
#define ATM_KEY_IMAGE_SIZE "atomic.image.size"
#define ATM_KEY_SIZE "docker.size"
#define ATM_KEY_UNCOMPRESSED_SIZE "docker.uncompressed_size"
#define ATM_KEY_UNCOMPRESSED_DIGEST "docker.uncompressed_digest"
#define ATM_KEY_LAYER_FORMAT "atomic.layer.format"
#define ATM_KEY_LAYER_DIGEST "atomic.layer.digest"
#define ATM_KEY_LAYER_MEDIA_TYPE "atomic.layer.media-type"
#define ATM_KEY_LAYER_ENTRIES "atomic.layer.entries-digest"
#define ATM_KEY_LAYER_CLAIMED "atomic.layer.claimed"
#define ATM_KEY_LAYER_NOTICE "atomic.layer.notice"

/* What the format keys say today; commits with another number are not ours to read. */
#define ATM_IMAGE_FORMAT 1
#define ATM_LAYER_FORMAT 1

#define ATM_REF_PREFIX "ociimage"

/* “own” or “libostree”; for tests of the fall-back. ATM_OBJECT_WRITER, of configure, is the
 * default. */
#define ATM_OBJECT_WRITER_VARIABLE "ATOMIC_OBJECT_WRITER"

struct _AtmStore
{
  OstreeRepo *repo; /* (owned) */
  AtmStoreLimits limits;
  gboolean user_mode; /* not root's: bare-user */
  gboolean direct;    /* content objects are written and linked by us, not by libostree */
  gboolean in_transaction;
};

/* (transfer full): the repository @file, not opened yet; it knows the remotes in
   SYSCONFDIR/ostree/remotes.d besides its own, so that a host can have them before its repository.
 */
OstreeRepo *atm_repo_new (GFile *file);

/**
 * atm_ref_is_blob:
 * @ref: below %ATM_REF_PREFIX
 *
 * Returns: whether it has the name of a layer, or of a configuration in repositories of the Python
 *   tool: an image has a “_” or a “=” in its, because its reference has a tag or a digest
 */
gboolean atm_ref_is_blob (const char *ref);

/**
 * atm_store_get_limits:
 *
 * Returns: (transfer none): the bounds for layers, which tests make smaller
 */
AtmStoreLimits *atm_store_get_limits (AtmStore *store);

/**
 * atm_image_metadata_new:
 * @verdict: (borrowed): why the image is allowed
 * @reference: as typed
 * @canonical: atm_origin_to_string()
 * @manifest: (borrowed): UTF-8 without NUL, as the reader of manifests makes sure
 * @diff_ids: (borrowed) (element-type AtmDigest): base first
 * @size_bytes: of all layers as transferred
 * @notice: (nullable): what was left out
 *
 * Returns: (transfer floating): the metadata of an image commit (man/atomic-store.5)
 */
GVariant *atm_image_metadata_new (const AtmVerdict *verdict, const char *reference,
                                  const char *canonical, GBytes *manifest, GBytes *config,
                                  const GArray *diff_ids, guint64 size_bytes, const char *notice);

/* (transfer full) (nullable): the value of type ay. */
GBytes *atm_metadata_lookup_bytes (GVariant *metadata, const char *key);

/* (transfer full) (element-type GBytes): the value of type aay; empty if there is none. */
GPtrArray *atm_metadata_lookup_blobs (GVariant *metadata, const char *key);

/* The same of the value itself; (nullable). */
GPtrArray *atm_metadata_read_blobs (GVariant *values);
