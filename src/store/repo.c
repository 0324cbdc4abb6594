/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

#include <string.h>
#include <unistd.h>

#include "store/checkout.h"
#include "store/commit.h"
#include "util/error.h"
#include "util/fd.h"

G_DEFINE_QUARK (atm_store_error, atm_store_error)

/* store.md 7; the rest is as libostree has it. */
static const struct
{
  const char *key;
  const char *value;
} config_keys[] = {
  { "lock-timeout-secs", "300" }, /* a prune waits for a long pull */
  { "min-free-space-size", "500MB" },
};

OstreeRepo *
atm_repo_new (GFile *file)
{
  return g_object_new (OSTREE_TYPE_REPO, "path", file, "remotes-config-dir",
                       ATM_SYSCONFDIR "/ostree/remotes.d", NULL);
}

/* libostree does not sync a configuration that is new, only one that replaces another, and leaves
   one alone that it finds. So there is one before it begins: after a power cut its name may be
   there without its content, and such a repository cannot be opened any more. */
static gboolean
create_config (int repo_fd, GError **error)
{
  const char *text = geteuid () == 0 ? "[core]\nrepo_version=1\nmode=bare\n"
                                     : "[core]\nrepo_version=1\nmode=bare-user\n";
  g_autoptr (GBytes) bytes = g_bytes_new_static (text, strlen (text));
  g_autoptr (GError) local = NULL;

  if (atm_create_file_at (repo_fd, "config", bytes, 0644, &local)
      || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_EXISTS))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
create_repo (OstreeRepo *repo, const char *path, GCancellable *cancellable, GError **error)
{
  g_autoptr (GKeyFile) config = NULL;
  atm_autofd int repo_fd = -1;

  /* Objects are set-uid where an image's files are; only root may get at them. */
  if (!atm_make_dirs (path, 0700, &repo_fd, error) || !create_config (repo_fd, error)
      || !ostree_repo_create (repo,
                              geteuid () == 0 ? OSTREE_REPO_MODE_BARE : OSTREE_REPO_MODE_BARE_USER,
                              cancellable, error))
    return FALSE;
  config = ostree_repo_copy_config (repo);
  for (guint i = 0; i < G_N_ELEMENTS (config_keys); i++)
    g_key_file_set_string (config, "core", config_keys[i].key, config_keys[i].value);
  return ostree_repo_write_config (repo, config, error)
         && ostree_repo_reload_config (repo, cancellable, error);
}

/* Whether the layout of the repository is one that we write ourselves: libostree would find objects
   in a parent repository, too. */
static gboolean
is_direct (OstreeRepo *repo)
{
  const char *writer = g_getenv (ATM_OBJECT_WRITER_VARIABLE);

  return ostree_repo_get_parent (repo) == NULL
         && !g_str_equal (writer != NULL ? writer : ATM_OBJECT_WRITER, "libostree");
}

gboolean
atm_store_open (const char *path, gboolean create, AtmStore **store_out, GCancellable *cancellable,
                GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (OstreeRepo) repo = atm_repo_new (file);
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (GError) local_error = NULL;
  OstreeRepoMode mode;

  if (!ostree_repo_open (repo, cancellable, &local_error))
    {
      if (!create || !g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return atm_prefix_error (error, "Opening the repository %s", path);
        }
      /* libostree leaks where an object is opened after it failed to open. */
      g_object_unref (repo);
      repo = atm_repo_new (file);
      if (!create_repo (repo, path, cancellable, error))
        return atm_prefix_error (error, "Creating the repository %s", path);
    }

  mode = ostree_repo_get_mode (repo);
  if (mode != OSTREE_REPO_MODE_BARE && mode != OSTREE_REPO_MODE_BARE_USER)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "The repository %s is neither of mode bare nor bare-user, so no root file "
                      "system can be linked from it; choose another repository",
                      path);

  store = g_new0 (AtmStore, 1);
  store->repo = g_steal_pointer (&repo);
  store->limits = (AtmStoreLimits) ATM_STORE_LIMITS_INIT;
  store->user_mode = mode != OSTREE_REPO_MODE_BARE;
  store->direct = !store->user_mode && is_direct (store->repo);
  *store_out = g_steal_pointer (&store);
  return TRUE;
}

void
atm_store_free (AtmStore *store)
{
  if (store == NULL)
    return;
  g_clear_object (&store->repo);
  g_free (store);
}

gboolean
atm_ref_is_blob (const char *ref)
{
  const char *slash = strrchr (ref, '/');
  const char *name = slash != NULL ? slash + 1 : ref;
  const gsize length = strlen (name);

  return (length == 64 || length == 128) && strspn (name, "0123456789abcdef") == length;
}

AtmStoreLimits *
atm_store_get_limits (AtmStore *store)
{
  return &store->limits;
}

void
atm_store_set_layer_limits (AtmStore *store, guint64 layer_max_bytes, gboolean skip_invalid_names)
{
  store->limits.layer_max_bytes = layer_max_bytes > 0 ? layer_max_bytes : ATM_LAYER_MAX_BYTES;
  store->limits.skip_invalid_names = skip_invalid_names;
}

/* Whether @commit has a merged tree that can be written as @name. */
static gboolean
check_image (AtmStore *store, const char *commit, const char *name, GError **error)
{
  g_autoptr (GVariant) metadata = NULL;
  guint32 format = 0;

  if (*name == '\0' || g_str_equal (name, ".") || g_str_equal (name, "..")
      || strchr (name, '/') != NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_FILENAME,
                      "“%s” is not the name of a folder", name);
  if (!atm_commit_load (store, commit, &metadata, NULL, error))
    return atm_prefix_error (error, "Reading the image %s", commit);
  if (metadata == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The image %s is incomplete; pull it again", commit);
  if (!g_variant_lookup (metadata, ATM_KEY_IMAGE_FORMAT, "u", &format)
      || format != ATM_IMAGE_FORMAT)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "The image %s was stored by another program, without its merged tree; pull "
                      "it again",
                      commit);
  return TRUE;
}

gboolean
atm_store_check_out (AtmStore *store, const char *commit, int dir_fd, const char *name,
                     GCancellable *cancellable, GError **error)
{
  OstreeRepoCheckoutAtOptions options = { 0 };

  if (!check_image (store, commit, name, error))
    return FALSE;
  options.mode = store->user_mode ? OSTREE_REPO_CHECKOUT_MODE_USER : OSTREE_REPO_CHECKOUT_MODE_NONE;
  options.overwrite_mode = OSTREE_REPO_CHECKOUT_OVERWRITE_NONE;
  options.no_copy_fallback = TRUE;
  if (store->direct ? !atm_checkout_write (store, commit, dir_fd, name, cancellable, error)
                    : !ostree_repo_checkout_at (store->repo, &options, dir_fd, name, commit,
                                                cancellable, error))
    return atm_prefix_error (error, "Checking out the image %s as %s", commit, name);
  return TRUE;
}

gboolean
atm_store_copy_out (AtmStore *store, const char *commit, const char *path, int dir_fd,
                    const char *name, gboolean *found_out, GCancellable *cancellable,
                    GError **error)
{
  OstreeRepoCheckoutAtOptions options = { 0 };
  g_autoptr (GFile) root = NULL, folder = NULL;

  if (!check_image (store, commit, name, error)
      || !ostree_repo_read_commit (store->repo, commit, &root, NULL, cancellable, error))
    return FALSE;
  /* Not left to the checkout: it says “not found” of a lost object, too. */
  folder = g_file_resolve_relative_path (root, path + strspn (path, "/"));
  if (g_file_query_file_type (folder, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS, cancellable)
      != G_FILE_TYPE_DIRECTORY)
    {
      *found_out = FALSE;
      return TRUE;
    }
  options.mode = store->user_mode ? OSTREE_REPO_CHECKOUT_MODE_USER : OSTREE_REPO_CHECKOUT_MODE_NONE;
  options.overwrite_mode = OSTREE_REPO_CHECKOUT_OVERWRITE_NONE;
  options.force_copy = TRUE;
  options.subpath = path;
  if (!ostree_repo_checkout_at (store->repo, &options, dir_fd, name, commit, cancellable, error))
    return atm_prefix_error (error, "Copying %s of the image %s", path, commit);
  *found_out = TRUE;
  return TRUE;
}
