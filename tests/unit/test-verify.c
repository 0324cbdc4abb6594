/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <ostree.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "store/checkout-verify.h"
#include "store/layer-commit.h"
#include "store/repair.h"
#include "store/usage.h"
#include "store/verify.h"
#include "store/walk.h"
#include "util/fd.h"

#define REFERENCE "image:1"

/* An image, where it is, and a container's checkout of it. */
typedef struct
{
  AtmTestStore *store; /* (owned) */
  AtmTestImage *image; /* (owned) */
  char *commit;        /* (owned) */
  char *rootfs;        /* (owned) */
} Fixture;

static void
fixture_clear (Fixture *fixture)
{
  atm_test_store_free (fixture->store);
  atm_test_image_free (fixture->image);
  g_free (fixture->commit);
  g_free (fixture->rootfs);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

/* The link of the second layer hides a file of the first, which is in that layer only. */
static void
fixture_init (Fixture *fixture)
{
  fixture->store = atm_test_store_new ();
  fixture->image = atm_test_image_new ();
  atm_test_image_add (fixture->image, "d etc\nf etc/a one\nf etc/hidden secret\nf etc/empty");
  atm_test_image_add (fixture->image, "d usr\nd usr/bin\nf usr/bin/b two\nl usr/bin/l b\n"
                                      "f usr/copy two\nf etc/.wh.hidden\nf etc/c three");
  /* libostree's time for commits: a repair comes later, and its records have other names. */
  g_setenv ("SOURCE_DATE_EPOCH", "1500000000", TRUE);
  fixture->commit = atm_test_import_ok (fixture->store, fixture->image, REFERENCE);
  g_unsetenv ("SOURCE_DATE_EPOCH");
  fixture->rootfs = atm_test_check_out (fixture->store, fixture->commit);
}

/* ---- damage ---- */

typedef struct
{
  OstreeObjectType type;
  const char *path;
  char *found; /* (owned) (nullable) */
} Find;

static gboolean
find_object (OstreeObjectType type, const char *checksum, const char *path, gpointer data)
{
  Find *find = data;

  if (type == find->type && g_str_equal (path, find->path))
    {
      g_free (find->found);
      find->found = g_strdup (checksum);
    }
  return TRUE;
}

/* The file of an object in the repository. */
static char *
object_file (Fixture *fixture, const char *commit, OstreeObjectType type, const char *path)
{
  static const AtmWalkFuncs funcs = { .need = find_object };
  Find find = { .type = type, .path = path };
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;
  char object[ATM_OBJECT_PATH_BYTES];

  g_assert_true (atm_walk_commit (fixture->store->store, commit, &funcs, &find, NULL, &error));
  g_assert_nonnull (find.found);
  found = find.found;
  atm_object_path (type, found, object);
  return g_build_filename (fixture->store->path, object, NULL);
}

static char *
layer_commit (Fixture *fixture, guint number)
{
  const AtmDescriptor *descriptor = fixture->image->descriptors->pdata[number];
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autoptr (GError) error = NULL;
  char *commit = NULL;

  g_assert_true (
      ostree_repo_resolve_rev (fixture->store->store->repo, ref, FALSE, &commit, &error));
  return commit;
}

static void
flip (const char *path)
{
  atm_autofd int fd = open (path, O_RDWR | O_CLOEXEC);
  char byte = 0;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pread (fd, &byte, 1, 0), ==, 1);
  byte ^= 1;
  g_assert_cmpint (pwrite (fd, &byte, 1, 0), ==, 1);
}

static void
grow (const char *path)
{
  g_assert_cmpint (truncate (path, 1000), ==, 0);
}

static void
lose (const char *path)
{
  g_assert_cmpint (unlink (path), ==, 0);
}

static void
make_writable (const char *path)
{
  g_assert_cmpint (chmod (path, 0666), ==, 0);
}

static void
give_away (const char *path)
{
  g_assert_cmpint (lchown (path, 12, 34), ==, 0);
}

static void
label (const char *path)
{
  g_assert_cmpint (setxattr (path, "user.test", "x", 1, 0), ==, 0);
}

static void
turn (const char *path)
{
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (symlink ("/etc/passwd", path), ==, 0);
}

static void
make_folder (const char *path)
{
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (mkdir (path, 0755), ==, 0);
}

/* @where: -1: the image; else a layer. @use: where the damage is told to be; @n_fetched: layers
   that must be read again. @shared: what differs in the checkout. */
static const struct
{
  const char *name;
  int where;
  OstreeObjectType type;
  const char *path;
  void (*damage) (const char *path);
  const char *use;
  guint n_fetched;
  guint n_shared;
} damages[] = {
  { "content", -1, OSTREE_OBJECT_TYPE_FILE, "/etc/a", flip, REFERENCE ":/etc/a", 1, 1 },
  { "content of two files", -1, OSTREE_OBJECT_TYPE_FILE, "/usr/bin/b", flip, REFERENCE ":/usr/copy",
    1, 2 },
  { "length", -1, OSTREE_OBJECT_TYPE_FILE, "/etc/c", grow, REFERENCE ":/etc/c", 1, 1 },
  { "lost file", -1, OSTREE_OBJECT_TYPE_FILE, "/etc/a", lose, REFERENCE ":/etc/a", 1, 0 },
  { "mode", -1, OSTREE_OBJECT_TYPE_FILE, "/etc/a", make_writable, REFERENCE ":/etc/a", 1, 1 },
  { "owner", -1, OSTREE_OBJECT_TYPE_FILE, "/etc/a", give_away, REFERENCE ":/etc/a", 1, 1 },
  { "attribute", -1, OSTREE_OBJECT_TYPE_FILE, "/etc/a", label, REFERENCE ":/etc/a", 1, 1 },
  { "owner of a link", -1, OSTREE_OBJECT_TYPE_FILE, "/usr/bin/l", give_away,
    REFERENCE ":/usr/bin/l", 1, 1 },
  { "file that became a link", -1, OSTREE_OBJECT_TYPE_FILE, "/etc/a", turn, REFERENCE ":/etc/a", 1,
    0 },
  { "merged folder", -1, OSTREE_OBJECT_TYPE_DIR_TREE, "/etc", flip, REFERENCE ":/etc", 0, 0 },
  { "lost merged folder", -1, OSTREE_OBJECT_TYPE_DIR_TREE, "/", lose, REFERENCE ":/", 0, 0 },
  { "folder's owner", -1, OSTREE_OBJECT_TYPE_DIR_META, "/usr", flip, REFERENCE ":/", 2, 0 },
  { "hidden file", 0, OSTREE_OBJECT_TYPE_FILE, "/etc/hidden", flip, ":/etc/hidden", 1, 0 },
  { "folder of a layer", 1, OSTREE_OBJECT_TYPE_DIR_TREE, "/etc", flip, ":/etc", 1, 0 },
  { "list of entries", 1, OSTREE_OBJECT_TYPE_FILE, "/" ATM_LAYER_ENTRIES_NAME, flip,
    ":/" ATM_LAYER_ENTRIES_NAME, 1, 0 },
  { "record of a layer", 0, OSTREE_OBJECT_TYPE_COMMIT, "", flip, ":", 1, 0 },
  { "lost record of a layer", 1, OSTREE_OBJECT_TYPE_COMMIT, "", lose, ":", 1, 0 },
};

static void
verify (Fixture *fixture, AtmVerification *verification)
{
  g_autoptr (GPtrArray) images = NULL;
  g_autoptr (AtmStoredImage) image = NULL;
  g_auto (GStrv) commits = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_store_load_image (fixture->store->store, REFERENCE, &image, NULL, &error));
  commits = atm_usage_dup_commits (fixture->store->store, image);
  images = g_ptr_array_new ();
  g_ptr_array_add (images, image);
  g_assert_true (atm_store_verify (fixture->store->store, (const char *const *) commits,
                                   verification, NULL, &error));
  g_assert_true (
      atm_verify_find_uses (fixture->store->store, verification->damages, images, NULL, &error));
}

/* As ops/repair.c does; the number of layers that were not lent. */
static guint
repair (Fixture *fixture, GPtrArray *found)
{
  g_autoptr (AtmRepair) repair = NULL;
  g_autoptr (AtmVerdict) verdict = atm_test_image_judge (fixture->image);
  g_autoptr (AtmStoreTxn) txn = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = NULL;
  guint n_fetched = 0;

  g_assert_true (atm_repair_begin (fixture->store->store, found, &repair, NULL, &error));
  g_assert_true (atm_store_txn_begin (atm_repair_get_store (repair), verdict, &txn, NULL, &error));
  for (guint i = 0; i < fixture->image->blobs->len; i++)
    {
      const AtmDescriptor *descriptor = fixture->image->descriptors->pdata[i];
      const AtmDigest *diff_id = &g_array_index (fixture->image->diff_ids, AtmDigest, i);
      g_autoptr (GInputStream) blob
          = g_memory_input_stream_new_from_bytes (fixture->image->blobs->pdata[i]);
      gboolean there = FALSE;

      g_assert_true (atm_repair_lend_layer (repair, descriptor, NULL, &error));
      g_assert_true (
          atm_store_txn_add_stored_layer (txn, descriptor, diff_id, &there, NULL, &error));
      g_assert_true (there
                     || atm_store_txn_add_layer (txn, descriptor, diff_id, blob, NULL, &error));
      n_fetched += there ? 0 : 1;
    }
  g_assert_true (atm_store_txn_commit (txn, REFERENCE, "registry.example.org/test:1",
                                       fixture->image->manifest, fixture->image->config, &commit,
                                       NULL, &error));
  g_clear_pointer (&txn, atm_store_txn_free);
  g_assert_true (atm_repair_apply (repair, NULL, &error));
  g_assert_no_error (error);
  return n_fetched;
}

static GPtrArray *
compare (Fixture *fixture, GPtrArray *found, GPtrArray *before, gboolean fix)
{
  g_autoptr (GHashTable) damaged = atm_verify_dup_table (found);
  g_autoptr (GHashTable) old = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) extra = g_hash_table_new (g_str_hash, g_str_equal);
  atm_autofd int fd = open (fixture->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) error = NULL;
  GPtrArray *findings = NULL;
  const AtmCheckoutOptions options = {
    .commit = fixture->commit,
    .rootfs_fd = fd,
    .damages = damaged,
    .before = old,
    .extra = extra,
    .repair = fix,
  };

  for (guint i = 0; before != NULL && i < before->len; i++)
    g_hash_table_add (old, ((AtmDamage *) before->pdata[i])->object);
  g_hash_table_add (extra, (char *) "/mnt");
  g_hash_table_add (extra, (char *) "/mnt/file");
  g_assert_true (atm_checkout_verify (fixture->store->store, &options, &findings, NULL, &error)
                 || (g_printerr ("# %s\n", error->message), FALSE));
  return findings;
}

static ino_t
inode_of (const char *path)
{
  struct stat st;

  g_assert_cmpint (lstat (path, &st), ==, 0);
  return st.st_ino;
}

static void
check_use (const AtmDamage *damage, const char *use)
{
  const AtmDamageUse *first = NULL;
  g_autofree char *text = NULL;

  g_assert_cmpuint (damage->uses->len, >, 0);
  first = damage->uses->pdata[0];
  text = g_strconcat (first->image != NULL ? first->image : "", ":", first->path, NULL);
  g_assert_cmpstr (text, ==, use);
  g_assert_true (first->image != NULL || first->layer != NULL);
}

static void
test_damage (gconstpointer data)
{
  const guint n = GPOINTER_TO_UINT (data);
  g_auto (Fixture) fixture = { 0 };
  g_auto (AtmVerification) healthy = { 0 }, before = { 0 }, after = { 0 };
  g_autoptr (GPtrArray) findings = NULL, left = NULL;
  g_autofree char *commit = NULL, *object = NULL, *other = NULL;
  ino_t other_inode = 0;
  guint n_shared = 0;

  fixture_init (&fixture);
  commit = damages[n].where < 0 ? g_strdup (fixture.commit)
                                : layer_commit (&fixture, (guint) damages[n].where);
  object = object_file (&fixture, commit, damages[n].type, damages[n].path);
  other = object_file (&fixture, fixture.commit, OSTREE_OBJECT_TYPE_FILE, "/etc/empty");
  other_inode = inode_of (other);
  verify (&fixture, &healthy);
  g_assert_cmpuint (healthy.damages->len, ==, 0);

  damages[n].damage (object);
  verify (&fixture, &before);
  g_assert_cmpuint (before.damages->len, ==, 1);
  g_assert_nonnull (strstr (object + strlen (object) - 8,
                            strrchr (((AtmDamage *) before.damages->pdata[0])->object, '.')));
  g_assert_cmpint (((AtmDamage *) before.damages->pdata[0])->missing, ==,
                   damages[n].damage == lose);
  check_use (before.damages->pdata[0], damages[n].use);

  g_assert_cmpuint (repair (&fixture, before.damages), ==, damages[n].n_fetched);
  g_assert_true (((AtmDamage *) before.damages->pdata[0])->repaired);
  verify (&fixture, &after);
  g_assert_cmpuint (after.damages->len, ==, 0);
  atm_test_fsck (fixture.store);
  g_assert_cmpuint (inode_of (other), ==, other_inode);

  /* The checkout still has the damaged file, until it is put right from the store. */
  findings = compare (&fixture, after.damages, before.damages, TRUE);
  for (guint i = 0; i < findings->len; i++)
    {
      const AtmFinding *finding = findings->pdata[i];

      g_assert_true (finding->repaired && finding->shared);
      g_assert_cmpint (finding->kind, ==, ATM_FINDING_CHANGED);
      n_shared++;
    }
  g_assert_cmpuint (n_shared, ==, damages[n].n_shared);
  left = compare (&fixture, after.damages, NULL, FALSE);
  g_assert_cmpuint (left->len, ==, 0);
}

/* What a record that is damaged says is not relied on, and a repair leaves it alone. */
static void
test_damaged_record (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_auto (AtmVerification) found = { 0 };
  g_autofree char *object = NULL;
  const char *commits[] = { NULL, NULL };
  g_autoptr (GError) error = NULL;

  fixture_init (&fixture);
  object = object_file (&fixture, fixture.commit, OSTREE_OBJECT_TYPE_COMMIT, "");
  g_assert_cmpint (truncate (object, 20), ==, 0);
  commits[0] = fixture.commit;
  g_assert_true (atm_store_verify (fixture.store->store, commits, &found, NULL, &error));
  g_assert_cmpuint (found.damages->len, ==, 1);
  g_assert_cmpuint (found.n_objects, ==, 1); /* nothing below it was looked at */
  (void) repair (&fixture, found.damages);
  g_assert_false (((AtmDamage *) found.damages->pdata[0])->repaired);
}

static void
test_cancelled (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_auto (AtmVerification) found = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  const char *commits[] = { NULL, NULL };
  g_autoptr (GError) error = NULL;

  fixture_init (&fixture);
  commits[0] = fixture.commit;
  g_cancellable_cancel (cancellable);
  g_assert_false (atm_store_verify (fixture.store->store, commits, &found, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* ---- checkouts ---- */

static void
replace (const char *path)
{
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_true (g_file_set_contents (path, "another", -1, NULL));
}

static void
add (const char *path)
{
  g_assert_true (g_file_set_contents (path, "new", -1, NULL));
}

static void
open_folder (const char *path)
{
  g_assert_cmpint (chmod (path, 0777), ==, 0);
}

static void
remove_folder (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path), *name = g_path_get_basename (path);
  atm_autofd int fd = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_remove_tree_at (fd, name, &error));
}

static void
link_folder (const char *path)
{
  remove_folder (path);
  g_assert_cmpint (symlink ("/etc", path), ==, 0);
}

static void
mount_point (const char *path)
{
  g_autofree char *file = g_build_filename (path, "file", NULL);

  g_assert_cmpint (mkdir (path, 0755), ==, 0);
  g_assert_true (g_file_set_contents (file, "", 0, NULL));
}

static void
used_mount_point (const char *path)
{
  g_autofree char *file = g_build_filename (path, "file", NULL);
  g_autofree char *foreign = g_build_filename (path, "foreign", NULL);

  g_assert_cmpint (mkdir (path, 0755), ==, 0);
  add (file);
  add (foreign);
}

/* @findings: “KIND PATH” of each, sorted; a “!” where a repair leaves it */
static const struct
{
  const char *name;
  const char *path;
  void (*change) (const char *path);
  const char *findings;
} changes[] = {
  { "nothing", "/mnt", mount_point, "" },
  { "replaced file", "/etc/a", replace, "1/etc/a" },
  { "replaced empty file", "/etc/empty", replace, "1/etc/empty" },
  { "lost file", "/etc/a", lose, "0/etc/a" },
  { "lost link", "/usr/bin/l", lose, "0/usr/bin/l" },
  { "another link", "/usr/bin/l", turn, "1/usr/bin/l" },
  { "file that became a link", "/etc/a", turn, "1/etc/a" },
  { "file that became a folder", "/etc/a", make_folder, "1/etc/a!" },
  { "foreign file", "/etc/foreign", add, "2/etc/foreign!" },
  { "foreign folder", "/usr/foreign", mount_point, "2/usr/foreign!" },
  { "mode of a folder", "/etc", open_folder, "1/etc" },
  { "mode of the root", "/", open_folder, "1/" },
  { "owner of a folder", "/usr/bin", give_away, "1/usr/bin" },
  { "attribute of a folder", "/usr/bin", label, "1/usr/bin" },
  { "lost folder", "/usr", remove_folder, "0/usr" },
  { "folder that became a link", "/usr/bin", link_folder, "1/usr/bin" },
  { "left by a repair that was killed", "/etc/.atomic-repair.00000000", add, "" },
  { "mount points with files", "/mnt", used_mount_point, "2/mnt/file! 2/mnt/foreign!" },
};

static int
compare_words (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static char *
to_words (GPtrArray *findings, gboolean repaired)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < findings->len; i++)
    {
      const AtmFinding *finding = findings->pdata[i];

      g_ptr_array_add (words, g_strdup_printf ("%d%s%s", finding->kind, finding->path,
                                               repaired && !finding->repaired ? "!" : ""));
    }
  g_ptr_array_sort (words, compare_words);
  g_ptr_array_add (words, NULL);
  return g_strjoinv (" ", (char **) words->pdata);
}

static void
test_checkout (gconstpointer data)
{
  const guint n = GPOINTER_TO_UINT (data);
  g_auto (Fixture) fixture = { 0 };
  g_autoptr (GPtrArray) none = g_ptr_array_new (), first = NULL, found = NULL, second = NULL;
  g_autofree char *path = NULL, *told = NULL, *repaired = NULL, *left = NULL;
  g_autoptr (GString) wanted_left = g_string_new (NULL);
  g_auto (GStrv) words = g_strsplit (changes[n].findings, " ", -1);
  g_auto (AtmVerification) store = { 0 };

  fixture_init (&fixture);
  first = compare (&fixture, none, NULL, FALSE);
  g_assert_cmpuint (first->len, ==, 0);
  path = g_build_filename (fixture.rootfs, changes[n].path, NULL);
  changes[n].change (path);

  found = compare (&fixture, none, NULL, FALSE);
  told = to_words (found, FALSE);
  if (!g_str_has_prefix (changes[n].name, "left by"))
    {
      g_autofree char *plain = g_strdelimit (g_strdup (changes[n].findings), "!", ' ');
      g_autofree char *spaced = g_strdelimit (g_strdup (told), "!", ' ');
      g_auto (GStrv) a = g_strsplit_set (plain, " ", -1), b = g_strsplit_set (spaced, " ", -1);
      g_autofree char *joined_a = g_strjoinv ("", a), *joined_b = g_strjoinv ("", b);

      g_assert_cmpstr (joined_b, ==, joined_a);
    }
  g_ptr_array_unref (found);
  found = compare (&fixture, none, NULL, TRUE);
  repaired = to_words (found, TRUE);
  g_assert_cmpstr (repaired, ==, changes[n].findings);

  second = compare (&fixture, none, NULL, FALSE);
  left = to_words (second, FALSE);
  for (guint i = 0; words[i] != NULL; i++)
    if (g_str_has_suffix (words[i], "!"))
      g_string_append_printf (wanted_left, "%s%.*s", wanted_left->len > 0 ? " " : "",
                              (int) strlen (words[i]) - 1, words[i]);
  g_assert_cmpstr (left, ==, wanted_left->str);
  verify (&fixture, &store);
  g_assert_cmpuint (store.damages->len, ==, 0);
}

/* A file whose object is damaged cannot be put right, and says why. */
static void
test_checkout_of_damage (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_auto (AtmVerification) found = { 0 };
  g_autoptr (GPtrArray) findings = NULL;
  g_autofree char *object = NULL;
  const AtmFinding *finding = NULL;

  fixture_init (&fixture);
  object = object_file (&fixture, fixture.commit, OSTREE_OBJECT_TYPE_FILE, "/etc/a");
  flip (object);
  verify (&fixture, &found);
  findings = compare (&fixture, found.damages, found.damages, TRUE);
  g_assert_cmpuint (findings->len, ==, 1);
  finding = findings->pdata[0];
  g_assert_cmpstr (finding->path, ==, "/etc/a");
  g_assert_true (finding->shared);
  g_assert_false (finding->repaired);
  g_assert_nonnull (strstr (finding->note, "damaged"));
}

static void
test_checkout_refuses (void)
{
  g_auto (Fixture) fixture = { 0 };
  g_autofree char *layer = NULL;
  g_autoptr (GHashTable) none = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = atm_test_scratch_dir ();
  AtmCheckoutOptions options = { .rootfs_fd = fd, .damages = none, .before = none, .extra = none };
  GPtrArray *findings = NULL;

  fixture_init (&fixture);
  layer = layer_commit (&fixture, 0);
  options.commit = "0000000000000000000000000000000000000000000000000000000000000000";
  g_assert_false (atm_checkout_verify (fixture.store->store, &options, &findings, NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  options.commit = layer;
  g_assert_false (atm_checkout_verify (fixture.store->store, &options, &findings, NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  options.commit = "../../etc/passwd";
  g_assert_false (atm_checkout_verify (fixture.store->store, &options, &findings, NULL, &error));
  g_assert_nonnull (error);
  g_assert_null (findings);
}

static void
add_tests (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (damages); i++)
    {
      g_autofree char *path = g_strdup_printf ("/verify/damage/%s", damages[i].name);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_damage);
    }
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/verify/checkout/%s", changes[i].name);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_checkout);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  if (geteuid () != 0)
    {
      g_print ("1..0 # SKIP owners and modes are those of the image only where root stores it\n");
      return 0;
    }
  add_tests ();
  g_test_add_func ("/verify/damaged-record", test_damaged_record);
  g_test_add_func ("/verify/cancelled", test_cancelled);
  g_test_add_func ("/verify/checkout-of-damage", test_checkout_of_damage);
  g_test_add_func ("/verify/checkout-refuses", test_checkout_refuses);
  return g_test_run ();
}
