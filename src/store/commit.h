/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store-private.h"

/* Commits: a tree with metadata. Internal to store/. */

/* What a ref is called in tmp/ of the repository until it replaces the old one. */
#define ATM_REF_TEMPORARY_PREFIX "atomic-ref-"

/* A commit that is still to be written: its folders are stored, and nothing refers to them. Commits
   are written when the content of all files has its name; one that lies about is found by fsck,
   also if no ref leads to it. */
typedef struct
{
  guint8 contents[ATM_CHECKSUM_BYTES]; /* dirtree of the root */
  guint8 folder[ATM_CHECKSUM_BYTES];   /* dirmeta of the root */
  GVariant *metadata;                  /* (owned): a{sv} */
} AtmCommitDraft;

void atm_commit_draft_clear (AtmCommitDraft *draft);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmCommitDraft, atm_commit_draft_clear)

/**
 * atm_commit_draft:
 * @tree: (borrowed): its folders are written
 * @metadata: (transfer floating): a{sv}
 * @draft_out: (out caller-allocates): the draft
 * @error: %ATM_STORE_ERROR_UNSUPPORTED if @metadata is larger than OSTree allows; %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_draft (AtmObjects *objects, AtmTree *tree, GVariant *metadata,
                           AtmCommitDraft *draft_out, GCancellable *cancellable, GError **error);

/**
 * atm_commit_draft_stored:
 * @contents: checksum of a dirtree that the repository has
 * @folder: checksum of a dirmeta that it has
 *
 * As atm_commit_draft(), of a tree that is stored already.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_draft_stored (const char *contents, const char *folder, GVariant *metadata,
                                  AtmCommitDraft *draft_out, GError **error);

/**
 * atm_commit_write:
 * @commit_out: (out) (transfer full): checksum of the commit, which has no ref yet
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_write (AtmStore *store, const AtmCommitDraft *draft, char **commit_out,
                           GCancellable *cancellable, GError **error);

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

/**
 * atm_commit_load_draft:
 * @draft_out: (out caller-allocates): what would make a commit with the tree and the metadata of
 *   @commit
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_load_draft (AtmStore *store, const char *commit, AtmCommitDraft *draft_out,
                                GError **error);

/**
 * atm_commit_put_ref:
 * @ref: below %ATM_REF_PREFIX; replaced in one step
 * @error: %G_IO_ERROR
 *
 * Gives @commit a name that is on the disk before that of the next atm_commit_set_ref().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_put_ref (AtmStore *store, const char *ref, const char *commit,
                             GCancellable *cancellable, GError **error);

/**
 * atm_commit_set_ref:
 * @ref: below %ATM_REF_PREFIX; replaced in one step
 * @error: %G_IO_ERROR
 *
 * Gives @commit a name that is on the disk when this returns, after all that was named before.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_commit_set_ref (AtmStore *store, const char *ref, const char *commit,
                             GCancellable *cancellable, GError **error);
