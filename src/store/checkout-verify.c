/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/checkout-verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/walk.h"
#include "util/error.h"
#include "util/fd.h"

/* What a repair that was killed leaves in a folder: a second link to an object. */
#define TEMPORARY_PREFIX ".atomic-repair."

/* In a commit (OSTREE_COMMIT_GVARIANT_STRING). */
#define COMMIT_DIRTREE 6
#define COMMIT_DIRMETA 7

void
atm_finding_free (AtmFinding *finding)
{
  if (finding == NULL)
    return;
  g_free (finding->path);
  g_free (finding->note);
  g_free (finding);
}

/* A folder of the image that waits to be compared. */
typedef struct
{
  char contents[OSTREE_SHA256_STRING_LEN + 1];
  char meta[OSTREE_SHA256_STRING_LEN + 1];
  char *path;    /* (owned): “” for the root */
  gboolean made; /* by this repair: that all below is missing was told with it */
} Folder;

static void
folder_clear (Folder *folder)
{
  g_free (folder->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Folder, folder_clear)

typedef struct
{
  AtmStore *store;                   /* (borrowed) */
  const AtmCheckoutOptions *options; /* (borrowed) */
  GPtrArray *findings;               /* (owned) (element-type AtmFinding) */
  GArray *waiting;                   /* (owned) (element-type Folder) */
  GPtrArray *extra; /* (owned) (element-type utf8): folders that are not the image's */
} Check;

static void
check_clear (Check *check)
{
  g_clear_pointer (&check->findings, g_ptr_array_unref);
  g_clear_pointer (&check->waiting, g_array_unref);
  g_clear_pointer (&check->extra, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Check, check_clear)

static AtmFinding *
add_finding (Check *check, AtmFindingKind kind, const char *path)
{
  AtmFinding *finding = g_new0 (AtmFinding, 1);

  finding->kind = kind;
  finding->path = g_strdup (*path != '\0' ? path : "/");
  g_ptr_array_add (check->findings, finding);
  return finding;
}

/* ---- files and links ---- */

/* Replaces @name in one step. Why it cannot is a note, for the others are to be repaired, too. */
static char *
place_object (Check *check, const char *checksum, int folder_fd, const char *name)
{
  g_autofree char *temporary = g_strdup_printf (TEMPORARY_PREFIX "%08x", g_random_int ());
  char object[ATM_OBJECT_PATH_BYTES];
  char *note = NULL;

  atm_object_path (OSTREE_OBJECT_TYPE_FILE, checksum, object);
  if (linkat (ostree_repo_get_dfd (check->store->repo), object, folder_fd, temporary, 0) < 0)
    return g_strdup_printf ("linking it from the store: %s", g_strerror (errno));
  if (renameat (folder_fd, temporary, folder_fd, name) == 0)
    return NULL;
  note = errno == EISDIR || errno == EEXIST || errno == ENOTEMPTY
             ? g_strdup ("a folder is in its place; move it away")
             : g_strdup_printf ("replacing it: %s", g_strerror (errno));
  (void) unlinkat (folder_fd, temporary, 0);
  return note;
}

static gboolean
has_file (GHashTable *damages, const char *checksum)
{
  g_autofree char *object = ostree_object_to_string (checksum, OSTREE_OBJECT_TYPE_FILE);

  return g_hash_table_contains (damages, object);
}

static void
tell_file (Check *check, AtmFindingKind kind, const Folder *folder, int folder_fd, const char *name,
           const char *checksum)
{
  g_autofree char *path = g_strconcat (folder->path, "/", name, NULL);
  AtmFinding *finding = NULL;
  char *note = NULL;

  if (check->options->repair)
    note = has_file (check->options->damages, checksum)
               ? g_strdup ("the object in the store is damaged, too")
               : place_object (check, checksum, folder_fd, name);
  if (folder->made && note == NULL)
    return;
  finding = add_finding (check, kind, path);
  finding->shared = has_file (check->options->before, checksum);
  finding->note = note;
  finding->repaired = check->options->repair && note == NULL;
}

static gboolean
check_file (Check *check, const Folder *folder, int folder_fd, const char *name,
            const char *checksum, GCancellable *cancellable, GError **error)
{
  char object[ATM_OBJECT_PATH_BYTES];
  struct stat st, object_st;
  gboolean matches = FALSE;

  if (check->options->only_before && !has_file (check->options->before, checksum))
    return TRUE;
  atm_object_path (OSTREE_OBJECT_TYPE_FILE, checksum, object);
  if (fstatat (folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    {
      if (errno != ENOENT)
        return atm_throw_errno (error, "Looking at %s/%s", folder->path, name);
      tell_file (check, ATM_FINDING_MISSING, folder, folder_fd, name, checksum);
      return TRUE;
    }
  if (fstatat (ostree_repo_get_dfd (check->store->repo), object, &object_st, AT_SYMLINK_NOFOLLOW)
          == 0
      && st.st_dev == object_st.st_dev && st.st_ino == object_st.st_ino)
    {
      if (has_file (check->options->damages, checksum))
        tell_file (check, ATM_FINDING_CHANGED, folder, folder_fd, name, checksum);
      return TRUE;
    }
  /* A copy, as OSTree makes of empty files, or the link to an object of an earlier import. */
  if (!atm_content_matches (folder_fd, name, checksum, &matches, cancellable, error))
    return atm_prefix_error (error, "%s", folder->path);
  if (!matches)
    tell_file (check, ATM_FINDING_CHANGED, folder, folder_fd, name, checksum);
  return TRUE;
}

/* ---- folders ---- */

static gboolean
check_meta (Check *check, const Folder *folder, int fd, GError **error)
{
  g_autoptr (GVariant) meta = NULL;
  g_autoptr (GError) local = NULL;
  gboolean matches = FALSE;
  AtmFinding *finding = NULL;

  if (!atm_content_folder_matches (fd, folder->meta, &matches, error))
    return atm_prefix_error (error, "The folder %s", folder->path);
  if (matches)
    return TRUE;
  if (!atm_walk_load (check->store, OSTREE_OBJECT_TYPE_DIR_META, folder->meta, &meta, &local))
    {
      finding = add_finding (check, ATM_FINDING_UNKNOWN, folder->path);
      finding->note
          = g_strdup_printf ("owner and mode cannot be told: the object %s", local->message);
      return TRUE;
    }
  if (check->options->repair && !atm_content_set_folder (fd, meta, &local))
    {
      finding = add_finding (check, ATM_FINDING_CHANGED, folder->path);
      finding->note = g_strdup (local->message);
      return TRUE;
    }
  if (folder->made)
    return TRUE;
  finding = add_finding (check, ATM_FINDING_CHANGED, folder->path);
  finding->repaired = check->options->repair;
  return TRUE;
}

/* Whether there is a folder called @name now, so that it can be looked into. */
static gboolean
check_subfolder (Check *check, const Folder *folder, int folder_fd, const char *name, Folder *below)
{
  struct stat st;
  const gboolean there = fstatat (folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  AtmFinding *finding = NULL;

  below->made = folder->made;
  if ((there && S_ISDIR (st.st_mode)) || check->options->only_before)
    return there && S_ISDIR (st.st_mode);
  below->made = check->options->repair && (!there || unlinkat (folder_fd, name, 0) == 0)
                && mkdirat (folder_fd, name, 0700) == 0;
  if (folder->made && below->made)
    return TRUE;
  finding = add_finding (check, there ? ATM_FINDING_CHANGED : ATM_FINDING_MISSING, below->path);
  finding->repaired = below->made;
  if (check->options->repair && !below->made)
    finding->note = g_strdup (g_strerror (errno));
  return below->made;
}

static void
add_foreign (Check *check, const char *path, int folder_fd, const char *name)
{
  struct stat st;

  if (g_str_has_prefix (name, TEMPORARY_PREFIX) && check->options->repair
      && unlinkat (folder_fd, name, 0) == 0)
    return;
  if (!g_hash_table_contains (check->options->extra, path))
    (void) add_finding (check, ATM_FINDING_FOREIGN, path);
  else if (fstatat (folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode))
    g_ptr_array_add (check->extra, g_strdup (path));
  else if (!S_ISREG (st.st_mode) || st.st_size > 0)
    add_finding (check, ATM_FINDING_FOREIGN, path)->note
        = g_strdup ("a mount point is an empty file");
}

/* What is in the folder @path and not in @names. */
static gboolean
check_foreign (Check *check, const char *path, int folder_fd, GHashTable *names, GError **error)
{
  int fd = openat (folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  struct dirent *entry;
  int saved = 0;

  if (dir == NULL)
    {
      (void) atm_throw_errno (error, "Reading the folder %s", path);
      atm_fd_clear (&fd);
      return FALSE;
    }
  while ((errno = 0, entry = readdir (dir)) != NULL)
    {
      g_autofree char *below = NULL;

      if (g_str_equal (entry->d_name, ".") || g_str_equal (entry->d_name, "..")
          || (names != NULL && g_hash_table_contains (names, entry->d_name)))
        continue;
      below = g_strconcat (path, "/", entry->d_name, NULL);
      add_foreign (check, below, folder_fd, entry->d_name);
    }
  saved = errno;
  closedir (dir);
  errno = saved;
  return saved == 0 || atm_throw_errno (error, "Reading the folder %s", path);
}

static gboolean
check_contents (Check *check, const Folder *folder, int fd, GVariant *tree,
                GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  g_autoptr (GVariant) folders = g_variant_get_child_value (tree, 1);
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (gsize i = 0; i < g_variant_n_children (files); i++)
    {
      g_autoptr (GVariant) checksum = NULL;
      const char *name = NULL;
      char hex[OSTREE_SHA256_STRING_LEN + 1];

      g_variant_get_child (files, i, "(&s@ay)", &name, &checksum);
      ostree_checksum_inplace_from_bytes (g_variant_get_data (checksum), hex);
      g_hash_table_add (names, g_strdup (name));
      if (!check_file (check, folder, fd, name, hex, cancellable, error))
        return FALSE;
    }
  for (gsize i = 0; i < g_variant_n_children (folders); i++)
    {
      g_autoptr (GVariant) contents = NULL, meta = NULL;
      const char *name = NULL;
      Folder below = { .made = FALSE };

      g_variant_get_child (folders, i, "(&s@ay@ay)", &name, &contents, &meta);
      ostree_checksum_inplace_from_bytes (g_variant_get_data (contents), below.contents);
      ostree_checksum_inplace_from_bytes (g_variant_get_data (meta), below.meta);
      below.path = g_strconcat (folder->path, "/", name, NULL);
      g_hash_table_add (names, g_strdup (name));
      if (check_subfolder (check, folder, fd, name, &below))
        g_array_append_val (check->waiting, below);
      else
        folder_clear (&below);
    }
  return check->options->only_before || check_foreign (check, folder->path, fd, names, error);
}

static gboolean
open_folder (Check *check, const char *path, int *fd_out, GError **error)
{
  return atm_open_beneath (check->options->rootfs_fd, *path != '\0' ? path + 1 : ".",
                           O_RDONLY | O_DIRECTORY, fd_out, error);
}

static gboolean
check_folder (Check *check, const Folder *folder, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) tree = NULL;
  g_autoptr (GError) local = NULL;
  atm_autofd int fd = -1;

  if (!open_folder (check, folder->path, &fd, error)
      || (!check->options->only_before && !check_meta (check, folder, fd, error)))
    return FALSE;
  if (!atm_walk_load (check->store, OSTREE_OBJECT_TYPE_DIR_TREE, folder->contents, &tree, &local))
    {
      add_finding (check, ATM_FINDING_UNKNOWN, folder->path)->note
          = g_strdup_printf ("what is in it cannot be told: the object %s", local->message);
      return TRUE;
    }
  return check_contents (check, folder, fd, tree, cancellable, error);
}

static gboolean
check_extra (Check *check, GError **error)
{
  while (check->extra->len > 0)
    {
      g_autofree char *path = g_ptr_array_steal_index_fast (check->extra, check->extra->len - 1);
      atm_autofd int fd = -1;

      if (!open_folder (check, path, &fd, error) || !check_foreign (check, path, fd, NULL, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
load_root (AtmStore *store, const char *commit, Folder *root, GError **error)
{
  g_autoptr (GVariant) variant = NULL, metadata = NULL, contents = NULL, meta = NULL;
  g_autoptr (GError) local = NULL;
  guint32 format = 0;

  if (store->user_mode)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "Checkouts of a user's repository have not the owners and modes of the image "
                      "and cannot be compared with it");
  if (!ostree_validate_checksum_string (commit, error))
    return FALSE;
  if (!atm_walk_load (store, OSTREE_OBJECT_TYPE_COMMIT, commit, &variant, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                          "The store has not the commit %s any more", commit);
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "The commit %s is damaged: %s",
                        commit, local->message);
    }
  metadata = g_variant_get_child_value (variant, 0);
  if (!g_variant_lookup (metadata, ATM_KEY_IMAGE_FORMAT, "u", &format)
      || format != ATM_IMAGE_FORMAT)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "The image %s was stored by another program, without its merged tree",
                      commit);
  contents = g_variant_get_child_value (variant, COMMIT_DIRTREE);
  meta = g_variant_get_child_value (variant, COMMIT_DIRMETA);
  ostree_checksum_inplace_from_bytes (g_variant_get_data (contents), root->contents);
  ostree_checksum_inplace_from_bytes (g_variant_get_data (meta), root->meta);
  root->path = g_strdup ("");
  return TRUE;
}

gboolean
atm_checkout_verify (AtmStore *store, const AtmCheckoutOptions *options, GPtrArray **findings_out,
                     GCancellable *cancellable, GError **error)
{
  g_auto (Check) check = {
    .store = store,
    .options = options,
    .findings = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_finding_free),
    .waiting = g_array_new (FALSE, FALSE, sizeof (Folder)),
    .extra = g_ptr_array_new_with_free_func (g_free),
  };
  Folder root = { .made = FALSE };

  g_array_set_clear_func (check.waiting, (GDestroyNotify) folder_clear);
  if (!load_root (store, options->commit, &root, error))
    return FALSE;
  g_array_append_val (check.waiting, root);
  while (check.waiting->len > 0)
    {
      g_auto (Folder) folder = g_array_index (check.waiting, Folder, check.waiting->len - 1);

      g_array_index (check.waiting, Folder, check.waiting->len - 1).path = NULL;
      g_array_set_size (check.waiting, check.waiting->len - 1);
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !check_folder (&check, &folder, cancellable, error))
        return FALSE;
    }
  if (!check_extra (&check, error))
    return FALSE;
  *findings_out = g_steal_pointer (&check.findings);
  return TRUE;
}
