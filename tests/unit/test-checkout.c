/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <locale.h>
#include <ostree.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "store/checkout.h"
#include "store/commit.h"
#include "util/fd.h"

/* A store with one image; the image is made of @tar. */
static AtmTestStore *
new_store (GBytes *tar, char **commit_out)
{
  AtmTestStore *store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = atm_test_image_new ();

  atm_test_image_take (image, g_bytes_ref (tar), g_bytes_ref (tar));
  *commit_out = atm_test_import_ok (store, image, "image:1");
  return store;
}

static gboolean
skip_unless_root (void)
{
  if (geteuid () == 0)
    return FALSE;
  g_test_skip ("objects with owners can only be written by root");
  return TRUE;
}

static char *
run (const char *command)
{
  char *output = NULL;
  int status = -1;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_spawn_command_line_sync (command, &output, NULL, &status, &error));
  g_assert_cmpint (status, ==, 0);
  return output;
}

/* What the tools of the system see of a tree; times of links and empty files are not compared, as
   libostree leaves them as they come. */
static char *
describe (const char *path)
{
  g_autofree char *command = g_strdup_printf (
      "sh -c 'cd %s && find . -type l -printf \"%%p l %%l %%U %%G\\n\" -o -type d -printf \"%%p d "
      "%%m %%U %%G\\n\" -o -printf \"%%p f %%m %%U %%G %%s\\n\" | sort; find . -type f -size +0 "
      "-printf \"%%p %%T@ %%i\\n\" | sort'",
      path);

  return run (command);
}

static void
assert_xattr (const char *root, const char *path, const char *name, gconstpointer value,
              gsize length)
{
  g_autofree char *full = g_build_filename (root, path, NULL);
  char buffer[256];
  const ssize_t n = lgetxattr (full, name, buffer, sizeof buffer);

  g_assert_cmpmem (buffer, (gsize) MAX (n, 0), value, length);
}

/* The reference is libostree's checkout. */
static void
test_like_libostree (void)
{
  const char capability[20] = "\x01\x00\x00\x02\x00\x04";
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (AtmTestStore) store = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *commit = NULL, *ours = NULL, *theirs = NULL, *our_text = NULL,
                  *their_text = NULL;

  if (skip_unless_root ())
    return;
  atm_test_tar_add (tar, '5', "./", 0711, NULL, NULL);
  atm_test_tar_owner (tar, 1000, 2000);
  atm_test_tar_pax (tar, "SCHILY.xattr.user.d", "2", 1);
  atm_test_tar_add (tar, '5', "sticky", 01777, NULL, NULL);
  atm_test_tar_add (tar, '5', "closed", 0, NULL, NULL);
  atm_test_tar_add (tar, '0', "closed/file", 0, NULL, "x");
  atm_test_tar_owner (tar, 3, 4);
  atm_test_tar_pax (tar, "SCHILY.xattr.security.capability", capability, sizeof capability);
  atm_test_tar_pax (tar, "SCHILY.xattr.user.a", "a\0b", 3);
  atm_test_tar_add (tar, '0', "sticky/suid", 06755, NULL, "y");
  atm_test_tar_owner (tar, 5, 6);
  atm_test_tar_add (tar, '2', "sticky/link", 0777, "../nowhere", NULL);
  atm_test_tar_add (tar, '0', "empty", 0640, NULL, NULL);
  atm_test_tar_add_lines (tar, "f a/b/c/d 1\nf a/b/e 2\nf a/f 3\nd a/g\nh hard a/f\nf none");
  bytes = atm_test_tar_end (tar);
  store = new_store (bytes, &commit);

  store->store->direct = TRUE;
  ours = atm_test_check_out (store, commit);
  store->store->direct = FALSE;
  theirs = atm_test_check_out (store, commit);
  our_text = describe (ours);
  their_text = describe (theirs);
  g_assert_cmpstr (our_text, ==, their_text);
  g_assert_nonnull (strstr (our_text, "./sticky/suid f 6755 3 4 1"));
  assert_xattr (ours, "sticky", "user.d", "2", 1);
  assert_xattr (ours, "sticky/suid", "user.a", "a\0b", 3);
  assert_xattr (ours, "sticky/suid", "security.capability", capability, sizeof capability);
}

/* Deeper than there are descriptors, and than a path may be long. */
static void
test_deep (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (AtmTestTar) second = atm_test_tar_new ();
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = atm_test_image_new ();
  g_autoptr (GString) path = g_string_new ("d");
  g_autofree char *commit = NULL, *root = NULL;
  atm_autofd int fd = -1;
  const struct rlimit few = { 128, 128 };
  struct rlimit before;
  GBytes *bytes = NULL;
  struct stat st;
  guint depth = 0;

  for (guint i = 1; i < 1500; i++)
    g_string_append (path, "/d");
  atm_test_tar_add (tar, '5', path->str, 0751, NULL, NULL);
  atm_test_tar_add (tar, '2', "link", 0777, path->str, NULL);
  bytes = atm_test_tar_end (tar);
  atm_test_image_take (image, g_bytes_ref (bytes), bytes);
  /* A second folder beside each of the innermost ones: the way back up is gone more than once. */
  g_string_insert (path, 0, "link/");
  g_string_append (path, "/f");
  atm_test_tar_add (second, '0', path->str, 0644, NULL, "x");
  atm_test_tar_add_lines (second, "f d/d/z/f 1\nf d/z/f 2\nf z/f 3");
  bytes = atm_test_tar_end (second);
  atm_test_image_take (image, g_bytes_ref (bytes), bytes);
  commit = atm_test_import_ok (store, image, "deep:1");

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit){ few.rlim_cur, before.rlim_max }), ==,
                   0);
  root = atm_test_check_out (store, commit);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);

  fd = open (root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fstatat (fd, "z/f", &st, 0), ==, 0);
  g_assert_cmpint (fstatat (fd, "d/z/f", &st, 0), ==, 0);
  g_assert_cmpint (fstatat (fd, "d/d/z/f", &st, 0), ==, 0);
  for (;; depth++)
    {
      int inner = openat (fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

      if (inner < 0)
        break;
      atm_fd_clear (&fd);
      fd = inner;
    }
  g_assert_cmpuint (depth, ==, 3000);
  g_assert_cmpint (fstatat (fd, "f", &st, 0), ==, 0);
}

static guint64
count_links (const char *root, const char *path, ino_t *inode_out)
{
  g_autofree char *full = g_build_filename (root, path, NULL);
  struct stat st;

  g_assert_cmpint (lstat (full, &st), ==, 0);
  g_assert_cmpint (st.st_mtime, ==, 0);
  if (inode_out != NULL)
    *inode_out = st.st_ino;
  return st.st_nlink;
}

/* What has as many links as it may have is copied, with all that it has. */
static void
test_link_limit (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (AtmTestStore) store = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *commit = NULL, *first = NULL, *second = NULL, *text = NULL;
  g_autofree char *stat_command = NULL;
  ino_t a = 0, b = 0;

  if (skip_unless_root ())
    return;
  atm_test_tar_owner (tar, 7, 8);
  atm_test_tar_pax (tar, "SCHILY.xattr.user.a", "1", 1);
  atm_test_tar_add (tar, '0', "file", 04755, NULL, "content");
  atm_test_tar_owner (tar, 7, 8);
  atm_test_tar_add (tar, '2', "link", 0777, "file", NULL);
  atm_test_tar_owner (tar, 7, 8);
  atm_test_tar_add (tar, '0', "empty-of-7", 0600, NULL, NULL);
  atm_test_tar_add_lines (tar, "f empty");
  bytes = atm_test_tar_end (tar);
  store = new_store (bytes, &commit);
  store->store->direct = TRUE;
  atm_store_get_limits (store->store)->links_max = 2;

  first = atm_test_check_out (store, commit);
  second = atm_test_check_out (store, commit);
  g_assert_cmpuint (count_links (first, "file", &a), ==, 2);
  g_assert_cmpuint (count_links (second, "file", &b), ==, 1);
  g_assert_cmpuint (a, !=, b);
  g_assert_cmpuint (count_links (second, "link", NULL), ==, 1);
  g_assert_cmpuint (count_links (second, "empty-of-7", NULL), ==, 1);
  /* the usual empty files are never links */
  g_assert_cmpuint (count_links (first, "empty", NULL), ==, 1);

  stat_command = g_strdup_printf ("stat -c '%%a %%u %%g %%s' %s/file", second);
  text = run (stat_command);
  assert_xattr (second, "file", "user.a", "1", 1);
  g_assert_true (g_str_has_prefix (text, "4755 7 8 7\n"));
}

/* A folder of a damaged store that would write elsewhere, or has an entry twice. */
static void
test_refuses (void)
{
  const struct
  {
    const char *file;
    const char *other_file;
    const char *folder;
    const char *message;
  } cases[] = {
    { "../evil", NULL, NULL, "a name that leads elsewhere" },
    { "a/b", NULL, NULL, "a name that leads elsewhere" },
    { "..", NULL, NULL, "a name that leads elsewhere" },
    { ".", NULL, NULL, "a name that leads elsewhere" },
    { "", NULL, NULL, "a name that leads elsewhere" },
    { NULL, NULL, "..", "a name that leads elsewhere" },
    { NULL, NULL, "a/../..", "a name that leads elsewhere" },
    { "twice", "twice", NULL, "File exists" },
    { "twice", NULL, "twice", "File exists" },
    { "missing", NULL, NULL, "is missing in the store" },
  };

  if (skip_unless_root ())
    return;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) tar = atm_test_tar_of ("f a 1");
      g_autofree char *commit = NULL, *bad_commit = NULL, *tree_name = NULL;
      g_autoptr (AtmTestStore) store = new_store (tar, &commit);
      OstreeRepo *repo = store->store->repo;
      g_auto (AtmCommitDraft) draft = { 0 };
      g_auto (GVariantBuilder) files = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(say)"));
      g_auto (GVariantBuilder) folders = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sayay)"));
      g_autoptr (GVariant) old = NULL, old_files = NULL, value = NULL, tree = NULL;
      g_autoptr (GBytes) tree_bytes = NULL;
      g_autofree char *path = NULL, *contents = NULL;
      g_autoptr (GError) error = NULL;
      atm_autofd int dir_fd = atm_test_scratch_dir ();
      guint8 missing[ATM_CHECKSUM_BYTES] = { 1 };
      const guint8 *checksum = NULL;
      gsize length = 0;

      g_test_message ("case %u", i);
      g_assert_true (atm_commit_load_draft (store->store, commit, &draft, &error));
      contents = ostree_checksum_from_bytes (draft.contents);
      g_assert_true (
          ostree_repo_load_variant (repo, OSTREE_OBJECT_TYPE_DIR_TREE, contents, &old, &error));
      old_files = g_variant_get_child_value (old, 0);
      g_variant_get_child (old_files, 0, "(&s@ay)", NULL, &value);
      checksum = g_variant_get_fixed_array (value, &length, 1);
      if (g_strcmp0 (cases[i].file, "missing") == 0)
        checksum = missing;
      for (guint n = 0; n < 2; n++)
        {
          const char *name = n == 0 ? cases[i].file : cases[i].other_file;

          if (name != NULL)
            g_variant_builder_add (
                &files, "(s@ay)", name,
                g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, checksum, ATM_CHECKSUM_BYTES, 1));
        }
      if (cases[i].folder != NULL)
        g_variant_builder_add (
            &folders, "(s@ay@ay)", cases[i].folder,
            g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, draft.contents, ATM_CHECKSUM_BYTES, 1),
            g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, draft.folder, ATM_CHECKSUM_BYTES, 1));
      tree = g_variant_ref_sink (g_variant_new ("(a(say)a(sayay))", &files, &folders));

      /* libostree would not write such a folder: it is put in its place. */
      tree_bytes = g_variant_get_data_as_bytes (tree);
      tree_name = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, tree_bytes);
      path = g_strdup_printf ("%s/objects/%.2s", store->path, tree_name);
      g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
      g_free (path);
      path = g_strdup_printf ("%s/objects/%.2s/%s.dirtree", store->path, tree_name, tree_name + 2);
      g_assert_true (g_file_set_contents (path, g_bytes_get_data (tree_bytes, NULL),
                                          (gssize) g_bytes_get_size (tree_bytes), &error));
      ostree_checksum_inplace_to_bytes (tree_name, draft.contents);
      g_assert_true (ostree_repo_prepare_transaction (repo, NULL, NULL, &error));
      g_assert_true (atm_commit_write (store->store, &draft, &bad_commit, NULL, &error));
      g_assert_true (ostree_repo_commit_transaction (repo, NULL, NULL, &error));

      store->store->direct = TRUE;
      g_assert_false (
          atm_store_check_out (store->store, bad_commit, dir_fd, "rootfs", NULL, &error));
      g_assert_true (error->domain == G_IO_ERROR);
      if (strstr (error->message, cases[i].message) == NULL)
        g_error ("expected “%s”, got: %s", cases[i].message, error->message);
      g_assert_cmpint (faccessat (dir_fd, "evil", F_OK, 0), ==, -1);
    }
}

static void
test_cancelled (void)
{
  g_autoptr (GBytes) tar = atm_test_tar_of ("f a/b 1");
  g_autofree char *commit = NULL;
  g_autoptr (AtmTestStore) store = new_store (tar, &commit);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  atm_autofd int dir_fd = atm_test_scratch_dir ();

  g_cancellable_cancel (cancellable);
  g_assert_false (
      atm_store_check_out (store->store, commit, dir_fd, "rootfs", cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char *argv[])
{
  setlocale (LC_CTYPE, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/checkout/like-libostree", test_like_libostree);
  g_test_add_func ("/checkout/deep", test_deep);
  g_test_add_func ("/checkout/link-limit", test_link_limit);
  g_test_add_func ("/checkout/refuses", test_refuses);
  atm_test_add_both ("/checkout/cancelled", test_cancelled);
  return g_test_run ();
}
