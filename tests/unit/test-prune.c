/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <ostree.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "store/layer-commit.h"
#include "store/prune.h"
#include "store/repair.h"
#include "store/usage.h"
#include "store/walk.h"
#include "util/fd.h"

/* An image of the layers @first and @second; %NULL: none. */
static char *
store_image (AtmTestStore *store, const char *reference, const char *first, const char *second)
{
  g_autoptr (AtmTestImage) image = atm_test_image_new ();

  atm_test_image_add (image, first);
  if (second != NULL)
    atm_test_image_add (image, second);
  return atm_test_import_ok (store, image, reference);
}

static void
prune (AtmTestStore *store, const char *keep, gboolean dry_run, AtmPruned *pruned)
{
  g_autoptr (GHashTable) commits = g_hash_table_new (g_str_hash, g_str_equal);
  g_auto (AtmStoreLock) lock = { 0 };
  g_autoptr (GError) error = NULL;

  if (keep != NULL)
    g_hash_table_add (commits, (char *) keep);
  g_assert_true (atm_store_lock_take (&lock, store->store, TRUE, NULL, &error));
  g_assert_true (atm_store_prune (store->store, commits, dry_run, pruned, NULL, &error)
                 || (g_printerr ("# %s\n", error->message), FALSE));
  atm_test_fsck (store);
}

static void delete (AtmTestStore *store, const char *reference)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_store_delete_image (store->store, reference, NULL, &error));
  g_assert_no_error (error);
}

static void
test_shared_layers (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *a = store_image (store, "a:1", "f base 1", "f a only-in-a");
  g_autofree char *b = store_image (store, "b:1", "f base 1", "f b only-in-b");
  g_autofree char *list = NULL;
  g_auto (AtmPruned) first = { 0 }, nothing = { 0 }, dry = { 0 }, done = { 0 }, again = { 0 };

  prune (store, NULL, FALSE, &first); /* an import may leave an empty file that nobody needs */
  g_assert_cmpuint (first.refs->len, ==, 0);
  g_assert_cmpuint (first.freed_bytes, ==, 0);
  prune (store, NULL, FALSE, &nothing);
  g_assert_cmpuint (nothing.n_objects, ==, 0);

  delete (store, "a:1");
  g_assert_cmpuint (atm_test_count_refs (store), ==, 4);
  prune (store, NULL, TRUE, &dry);
  g_assert_cmpuint (dry.refs->len, ==, 1);
  g_assert_cmpuint (dry.n_objects, >, 0);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 4);
  prune (store, NULL, FALSE, &done);
  g_assert_cmpuint (done.refs->len, ==, 1);
  g_assert_cmpuint (done.n_objects, ==, dry.n_objects);
  g_assert_cmpuint (done.freed_bytes, ==, dry.freed_bytes);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 3);
  prune (store, NULL, FALSE, &again);
  g_assert_cmpuint (again.n_objects, ==, 0);
  list = atm_test_list (store, b);
  g_assert_cmpstr (list, ==, "b=only-in-b base=1");
  g_assert_false (atm_store_has_commit (store->store, a));
}

/* command.md 2.7: layers of an image that has another name stay. */
static void
test_second_name (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *commit = store_image (store, "a:1", "f a 1", NULL);
  g_autofree char *long_name = g_strnfill (240, 'a');
  g_autoptr (AtmStoredImage) image = NULL, tagged = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (AtmPruned) first = { 0 }, pruned = { 0 };

  prune (store, NULL, FALSE, &first);
  g_assert_true (atm_store_load_image (store->store, "a:1", &image, NULL, &error));
  g_assert_true (atm_store_tag_image (store->store, image, "other/name:2", NULL, &error));
  g_assert_false (atm_store_tag_image (store->store, image, long_name, NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  delete (store, "a:1");
  prune (store, NULL, FALSE, &pruned);
  g_assert_cmpuint (pruned.n_objects, ==, 0);
  g_assert_true (atm_store_load_image (store->store, "other/name:2", &tagged, NULL, &error));
  g_assert_cmpstr (tagged->reference, ==, "other/name:2");
  g_assert_cmpstr (tagged->commit, ==, commit);
  g_assert_true (atm_digest_equal (&tagged->digest, &image->digest));
}

/* A deployment keeps its commit without a name; the layers go nevertheless. */
static void
test_deployment (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *commit = store_image (store, "a:1", "f a 1\nf b 2", NULL);
  g_autofree char *list = NULL;
  g_auto (AtmPruned) kept = { 0 }, gone = { 0 };

  delete (store, "a:1");
  prune (store, commit, FALSE, &kept);
  g_assert_cmpuint (kept.refs->len, ==, 1);
  list = atm_test_list (store, commit);
  g_assert_cmpstr (list, ==, "a=1 b=2");
  prune (store, "not a commit", FALSE, &gone);
  g_assert_false (atm_store_has_commit (store->store, commit));
}

/* A commit as the Python tool wrote it (system-image.md 9.3), with a tree of one folder. */
static void
put_python_ref (AtmTestStore *store, const char *ref, const char *key, const char *value)
{
  OstreeRepo *repo = store->store->repo;
  g_autofree char *folder = atm_test_scratch_path (), *commit = NULL;
  g_autofree char *name = g_build_filename (folder, "content", NULL);
  g_autoptr (OstreeMutableTree) mtree = ostree_mutable_tree_new ();
  g_autoptr (GFile) file = g_file_new_for_path (folder), root = NULL;
  g_auto (GVariantDict) keys = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GVariant) metadata = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (name, ref, -1, &error));
  g_variant_dict_insert (&keys, key, "s", value);
  metadata = g_variant_ref_sink (g_variant_dict_end (&keys));
  g_assert_true (ostree_repo_prepare_transaction (repo, NULL, NULL, &error));
  g_assert_true (ostree_repo_write_directory_to_mtree (repo, file, mtree, NULL, NULL, &error));
  g_assert_true (ostree_repo_write_mtree (repo, mtree, &root, NULL, &error));
  g_assert_true (ostree_repo_write_commit (repo, NULL, NULL, NULL, metadata,
                                           OSTREE_REPO_FILE (root), &commit, NULL, &error));
  ostree_repo_transaction_set_ref (repo, NULL, ref, commit);
  g_assert_true (ostree_repo_commit_transaction (repo, NULL, NULL, &error));
}

/* command.md 7, row 9: configurations are needed, and a name that looks like a number is a name. */
static void
test_python_repository (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *config = g_strnfill (64, 'a'), *layer = g_strnfill (64, 'b'),
                  *old_layer = g_strnfill (64, 'c'), *unneeded = g_strnfill (64, 'd'),
                  *hex_name = g_strnfill (64, 'e');
  g_autofree char *manifest
      = g_strdup_printf ("{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:%s\"},\"layers\":[{"
                         "\"digest\":\"sha256:%s\"}]}",
                         config, layer);
  g_autofree char *schema1 = g_strdup_printf (
      "{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"sha256:%s\"}]}", old_layer);
  const char *blobs[] = { config, layer, old_layer, unneeded };
  g_autofree char *hex_ref = g_strconcat ("ociimage/", hex_name, NULL);
  g_autofree char *unneeded_ref = g_strconcat ("ociimage/", unneeded, NULL);
  g_auto (AtmPruned) pruned = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (blobs); i++)
    {
      g_autofree char *ref = g_strconcat ("ociimage/", blobs[i], NULL);

      put_python_ref (store, ref, "docker.size", "7");
    }
  put_python_ref (store, "ociimage/busybox_3Alatest", "docker.manifest", manifest);
  put_python_ref (store, "ociimage/cafe_3A27", "docker.manifest", schema1);
  put_python_ref (store, hex_ref, "docker.manifest", schema1);
  put_python_ref (store, "fedora/stable", "version", "1");
  put_python_ref (store, "ociimage/something-else", "docker.size", "7");
  prune (store, NULL, FALSE, &pruned);
  g_assert_cmpuint (pruned.refs->len, ==, 1);
  g_assert_cmpstr (pruned.refs->pdata[0], ==, unneeded_ref);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 8);
}

/* ---- damage: nothing is removed while it is not known what is needed ---- */

typedef struct
{
  OstreeObjectType type;
  char *checksum; /* (owned) (nullable) */
} Last;

static gboolean
remember (OstreeObjectType type, const char *checksum, const char *path G_GNUC_UNUSED,
          gpointer data)
{
  Last *last = data;

  if (type == last->type && last->checksum == NULL)
    last->checksum = g_strdup (checksum);
  return TRUE;
}

static char *
first_object (AtmTestStore *store, const char *commit, OstreeObjectType type)
{
  static const AtmWalkFuncs funcs = { .need = remember };
  Last last = { .type = type };
  g_autofree char *checksum = NULL;
  char object[ATM_OBJECT_PATH_BYTES];

  g_assert_true (atm_walk_commit (store->store, commit, &funcs, &last, NULL, NULL));
  checksum = last.checksum;
  atm_object_path (type, checksum, object);
  return g_build_filename (store->path, object, NULL);
}

static guint
count_objects (AtmTestStore *store)
{
  g_autoptr (GHashTable) objects = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (ostree_repo_list_objects (store->store->repo, OSTREE_REPO_LIST_OBJECTS_ALL,
                                           &objects, NULL, &error));
  return g_hash_table_size (objects);
}

static void
test_damaged (gconstpointer data)
{
  const OstreeObjectType type = (OstreeObjectType) GPOINTER_TO_UINT (data);
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *commit = store_image (store, "a:1", "d etc\nf etc/a 1", NULL);
  g_autofree char *other G_GNUC_UNUSED = store_image (store, "b:1", "f unneeded 1", NULL);
  g_autofree char *object = first_object (store, commit, type);
  g_autoptr (GHashTable) none = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  AtmPruned pruned = { 0 };
  guint n_before = 0;

  delete (store, "b:1");
  g_assert_cmpint (truncate (object, 8), ==, 0);
  n_before = count_objects (store);
  g_assert_false (atm_store_prune (store->store, none, FALSE, &pruned, NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
  g_assert_nonnull (strstr (error->message, "nothing was removed"));
  g_assert_cmpuint (count_objects (store), ==, n_before);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 3);
}

/* A ref that a power cut emptied. */
static void
test_empty_refs (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *commit = store_image (store, "a:1", "f a 1", NULL);
  g_autofree char *layer = g_strnfill (64, 'a');
  g_autofree char *unneeded = g_build_filename (store->path, "refs/heads/ociimage", layer, NULL);
  g_autofree char *other = g_build_filename (store->path, "refs/heads/other", NULL);
  g_autoptr (GHashTable) none = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  g_auto (AtmPruned) pruned = { 0 };

  g_assert_true (g_file_set_contents (unneeded, "\n", 1, &error));
  g_assert_true (atm_store_prune (store->store, none, FALSE, &pruned, NULL, &error));
  g_assert_cmpuint (pruned.refs->len, ==, 1);
  g_assert_false (g_file_test (unneeded, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_set_contents (other, "\n", 1, &error));
  atm_pruned_clear (&pruned);
  g_assert_false (atm_store_prune (store->store, none, FALSE, &pruned, NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
  g_assert_true (atm_store_has_commit (store->store, commit));
}

static void
test_delete_refuses (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *commit G_GNUC_UNUSED = store_image (store, "a:1", "f a 1", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (atm_store_delete_image (store->store, "b:1", NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 2);
}

/* ---- locks ---- */

static void
test_locks (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmStore) other = NULL;
  g_auto (AtmStoreLock) lock = { 0 };
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_store_open (store->path, FALSE, &other, NULL, &error));
  g_assert_false (atm_store_would_wait (other, TRUE));
  g_assert_true (atm_store_lock_take (&lock, store->store, FALSE, NULL, &error));
  g_assert_true (atm_store_would_wait (other, TRUE));
  g_assert_false (atm_store_would_wait (other, FALSE));
  atm_store_lock_clear (&lock);
  g_assert_true (atm_store_lock_take (&lock, store->store, TRUE, NULL, &error));
  g_assert_true (atm_store_would_wait (other, FALSE));
  atm_store_lock_clear (&lock);
  g_assert_false (atm_store_would_wait (other, TRUE));
  path = atm_store_dup_lock_path (other);
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_REGULAR));
}

static void
test_sweep (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *left = g_build_filename (store->path, "tmp", "atomic-repair-12345678", NULL);
  g_autofree char *other = g_build_filename (store->path, "tmp", "cache", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (mkdir (left, 0700), ==, 0);
  g_assert_true (atm_store_sweep (store->store, &error));
  g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (other, G_FILE_TEST_EXISTS));
}

/* ---- usage ---- */

static guint64
measure (AtmTestStore *store, const char *reference)
{
  g_autoptr (GPtrArray) images = NULL;
  g_autoptr (GArray) unique = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_store_list_images (store->store, &images, NULL, &error));
  g_assert_true (atm_usage_measure (store->store, images, &unique, NULL, &error));
  for (guint i = 0; i < images->len; i++)
    if (g_str_equal (((AtmStoredImage *) images->pdata[i])->reference, reference))
      return g_array_index (unique, guint64, i);
  g_assert_not_reached ();
}

/* What is told to be unique is what a prune frees. */
static void
test_unique_size (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autofree char *big = g_strnfill (5000, 'x');
  g_autofree char *own = g_strconcat ("f own ", big, "\nf again ", big, NULL);
  g_autofree char *a G_GNUC_UNUSED = store_image (store, "a:1", "d etc\nf etc/base 1", own);
  g_autofree char *b G_GNUC_UNUSED = store_image (store, "b:1", "d etc\nf etc/base 1", NULL);
  const guint64 unique = measure (store, "a:1");
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (AtmPruned) pruned = { 0 };

  g_assert_cmpuint (unique, >, 5000);
  g_assert_cmpuint (unique, <, 10000); /* one object, which is two files */
  g_assert_cmpuint (measure (store, "b:1"), <, 5000);
  g_assert_true (atm_store_load_image (store->store, "a:1", &image, NULL, &error));
  g_assert_true (atm_store_tag_image (store->store, image, "c:1", NULL, &error));
  g_assert_cmpuint (measure (store, "a:1"), ==, unique);
  g_assert_cmpuint (measure (store, "c:1"), ==, unique);
  delete (store, "a:1");
  delete (store, "c:1");
  prune (store, NULL, FALSE, &pruned);
  g_assert_cmpuint (pruned.freed_bytes, ==, unique);
}

static void
test_blobs_of_manifests (void)
{
  static const struct
  {
    const char *manifest;
    guint n;
  } cases[] = {
    { "", 0 },
    { "sha256:", 0 },
    { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", 0 },
    { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 1 },
    { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0", 0 },
    { "\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",{{{", 1 },
    { "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", 0 },
    { "sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GHashTable) blobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].manifest);

      atm_usage_add_blobs (bytes, blobs);
      g_assert_cmpuint (g_hash_table_size (blobs), ==, cases[i].n);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/prune/shared-layers", test_shared_layers);
  g_test_add_func ("/prune/second-name", test_second_name);
  g_test_add_func ("/prune/deployment", test_deployment);
  g_test_add_func ("/prune/python-repository", test_python_repository);
  g_test_add_data_func ("/prune/damaged-folder", GUINT_TO_POINTER (OSTREE_OBJECT_TYPE_DIR_TREE),
                        test_damaged);
  g_test_add_data_func ("/prune/damaged-record", GUINT_TO_POINTER (OSTREE_OBJECT_TYPE_COMMIT),
                        test_damaged);
  g_test_add_func ("/prune/empty-refs", test_empty_refs);
  g_test_add_func ("/prune/delete-refuses", test_delete_refuses);
  g_test_add_func ("/prune/locks", test_locks);
  g_test_add_func ("/prune/sweep", test_sweep);
  g_test_add_func ("/usage/unique-size", test_unique_size);
  g_test_add_func ("/usage/blobs-of-manifests", test_blobs_of_manifests);
  return g_test_run ();
}
