/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/commit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/content.h"
#include "util/error.h"
#include "util/fd.h"

/* Commits hold a little more than their metadata. */
#define COMMIT_OVERHEAD_BYTES 4096

#define REFS_FOLDER "refs/heads/" ATM_REF_PREFIX

void
atm_commit_draft_clear (AtmCommitDraft *draft)
{
  g_clear_pointer (&draft->metadata, g_variant_unref);
}

static gboolean
take_metadata (GVariant *metadata, AtmCommitDraft *draft_out, GError **error)
{
  g_autoptr (GVariant) sunk = g_variant_ref_sink (metadata);

  if (g_variant_get_size (sunk) > OSTREE_MAX_METADATA_SIZE - COMMIT_OVERHEAD_BYTES)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "Manifest, configuration, signatures and verdict together are larger than "
                      "the %d MiB that OSTree can store",
                      OSTREE_MAX_METADATA_SIZE / (1024 * 1024));
  draft_out->metadata = g_steal_pointer (&sunk);
  return TRUE;
}

gboolean
atm_commit_draft (AtmObjects *objects, AtmTree *tree, GVariant *metadata, AtmCommitDraft *draft_out,
                  GCancellable *cancellable, GError **error)
{
  memcpy (draft_out->folder, atm_tree_get_root (tree)->checksum, ATM_CHECKSUM_BYTES);
  return take_metadata (metadata, draft_out, error)
         && atm_tree_write (tree, objects, draft_out->contents, cancellable, error);
}

gboolean
atm_commit_draft_stored (const char *contents, const char *folder, GVariant *metadata,
                         AtmCommitDraft *draft_out, GError **error)
{
  ostree_checksum_inplace_to_bytes (contents, draft_out->contents);
  ostree_checksum_inplace_to_bytes (folder, draft_out->folder);
  return take_metadata (metadata, draft_out, error);
}

gboolean
atm_commit_write (AtmStore *store, const AtmCommitDraft *draft, char **commit_out,
                  GCancellable *cancellable, GError **error)
{
  g_autoptr (OstreeMutableTree) mtree = NULL;
  g_autoptr (GFile) root = NULL;
  char contents[OSTREE_SHA256_STRING_LEN + 1], folder[OSTREE_SHA256_STRING_LEN + 1];

  ostree_checksum_inplace_from_bytes (draft->contents, contents);
  ostree_checksum_inplace_from_bytes (draft->folder, folder);
  mtree = ostree_mutable_tree_new_from_checksum (store->repo, contents, folder);
  return ostree_repo_write_mtree (store->repo, mtree, &root, cancellable, error)
         && ostree_repo_write_commit (store->repo, NULL, NULL, NULL, draft->metadata,
                                      OSTREE_REPO_FILE (root), commit_out, cancellable, error);
}

/* As ostree_repo_load_commit(), with half of the system calls: lists read hundreds of commits. What
   is not among the objects of this repository (a transaction is writing it, or a parent has it) is
   left to libostree, and so is what is wrong. */
static gboolean
load_variant (AtmStore *store, const char *commit, GVariant **variant_out, gboolean *partial_out,
              GError **error)
{
  int repo_fd = ostree_repo_get_dfd (store->repo);
  char path[ATM_OBJECT_PATH_BYTES], partial[ATM_OBJECT_PATH_BYTES];
  OstreeRepoCommitState state = OSTREE_REPO_COMMIT_STATE_NORMAL;
  g_autoptr (GBytes) bytes = NULL;

  atm_object_path (OSTREE_OBJECT_TYPE_COMMIT, commit, path);
  if (store->direct
      && atm_read_file_at (repo_fd, path, FALSE, OSTREE_MAX_METADATA_SIZE, &bytes, NULL))
    {
      g_snprintf (partial, sizeof partial, "state/%s.commitpartial", commit);
      *partial_out = faccessat (repo_fd, partial, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
      *variant_out = g_variant_ref_sink (
          g_variant_new_from_bytes (OSTREE_COMMIT_GVARIANT_FORMAT, bytes, FALSE));
      return TRUE;
    }
  if (!ostree_repo_load_commit (store->repo, commit, variant_out, &state, error))
    return FALSE;
  *partial_out = (state & OSTREE_REPO_COMMIT_STATE_PARTIAL) != 0;
  return TRUE;
}

gboolean
atm_commit_load (AtmStore *store, const char *commit, GVariant **metadata_out,
                 guint64 *created_unix_out, GError **error)
{
  g_autoptr (GVariant) variant = NULL;
  gboolean partial = FALSE;

  /* Lists of refs say what the files say, and a power cut may have left one empty; libostree reads
     64 digits whatever there is. */
  if (!ostree_validate_structureof_checksum_string (commit, error)
      || !load_variant (store, commit, &variant, &partial, error))
    return FALSE;
  if (created_unix_out != NULL)
    *created_unix_out = ostree_commit_get_timestamp (variant);
  *metadata_out = !partial ? g_variant_get_child_value (variant, 0) : NULL;
  return TRUE;
}

/* A checksum in a commit; %FALSE if it is none. */
static gboolean
read_checksum (GVariant *commit, gsize child, guint8 *checksum_out)
{
  g_autoptr (GVariant) value = g_variant_get_child_value (commit, child);
  gsize length = 0;
  gconstpointer data = g_variant_get_fixed_array (value, &length, 1);

  if (length != ATM_CHECKSUM_BYTES)
    return FALSE;
  memcpy (checksum_out, data, ATM_CHECKSUM_BYTES);
  return TRUE;
}

gboolean
atm_commit_load_draft (AtmStore *store, const char *commit, AtmCommitDraft *draft_out,
                       GError **error)
{
  g_autoptr (GVariant) variant = NULL;

  if (!ostree_validate_structureof_checksum_string (commit, error)
      || !ostree_repo_load_commit (store->repo, commit, &variant, NULL, error))
    return FALSE;
  /* (a{sv}aya(say)sstayay), as libostree documents it */
  if (!read_checksum (variant, 6, draft_out->contents)
      || !read_checksum (variant, 7, draft_out->folder))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "The commit %s is damaged",
                      commit);
  draft_out->metadata = g_variant_get_child_value (variant, 0);
  return TRUE;
}

/* Whoever reads a ref finds the old one or the new one whole. libostree leaves it to the file
   system whether that is so after a power cut, where a ref is replaced. */
static gboolean
replace_ref (int repo_fd, int refs_fd, const char *name, const char *commit, gboolean sync,
             GError **error)
{
  /* In tmp/, where libostree removes it one day if we cannot. */
  g_autofree char *temporary
      = g_strdup_printf ("tmp/" ATM_REF_TEMPORARY_PREFIX "%08x", g_random_int ());
  g_autofree char *line = g_strconcat (commit, "\n", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static (line, strlen (line));
  atm_autofd int fd
      = openat (repo_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

  if (fd < 0)
    return atm_throw_errno (error, "Creating a file in tmp/ of the repository");
  if (!atm_write_all (fd, bytes, error))
    {
      (void) unlinkat (repo_fd, temporary, 0);
      return FALSE;
    }
  if ((sync && fdatasync (fd) < 0) || renameat (repo_fd, temporary, refs_fd, name) < 0)
    {
      (void) atm_throw_errno (error, "Writing the ref %s", name);
      (void) unlinkat (repo_fd, temporary, 0);
      return FALSE;
    }
  return TRUE;
}

static gboolean
open_refs (AtmStore *store, int *refs_fd_out, GError **error)
{
  const int repo_fd = ostree_repo_get_dfd (store->repo);

  if (mkdirat (repo_fd, REFS_FOLDER, 0755) < 0 && errno != EEXIST)
    return atm_throw_errno (error, "Creating the folder " REFS_FOLDER " of the repository");
  return atm_open_dir_at (repo_fd, REFS_FOLDER, refs_fd_out, error);
}

gboolean
atm_commit_put_ref (AtmStore *store, const char *ref, const char *commit, GCancellable *cancellable,
                    GError **error)
{
  atm_autofd int refs_fd = -1;

  return !g_cancellable_set_error_if_cancelled (cancellable, error)
         && open_refs (store, &refs_fd, error)
         && replace_ref (ostree_repo_get_dfd (store->repo), refs_fd,
                         ref + strlen (ATM_REF_PREFIX "/"), commit,
                         !ostree_repo_get_disable_fsync (store->repo), error);
}

gboolean
atm_commit_set_ref (AtmStore *store, const char *ref, const char *commit, GCancellable *cancellable,
                    GError **error)
{
  const gboolean sync = !ostree_repo_get_disable_fsync (store->repo);
  atm_autofd int refs_fd = -1;

  if (!open_refs (store, &refs_fd, error))
    return FALSE;
  /* The first time for the refs that come before this one. */
  if (sync && fsync (refs_fd) < 0)
    return atm_throw_errno (error, "Syncing the refs of the repository");
  if (!atm_commit_put_ref (store, ref, commit, cancellable, error))
    return FALSE;
  if (sync && fsync (refs_fd) < 0)
    return atm_throw_errno (error, "Syncing the refs of the repository");
  return TRUE;
}
