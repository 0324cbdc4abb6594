/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <ostree.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "image/name.h"
#include "store/layer-commit.h"
#include "util/fd.h"

static void
test_open (void)
{
  g_autofree char *scratch = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (scratch, "a", "repo", NULL);
  g_autofree char *archive = g_build_filename (scratch, "archive", NULL);
  g_autoptr (AtmStore) store = NULL, again = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) file = g_file_new_for_path (archive);
  g_autoptr (OstreeRepo) repo = ostree_repo_new (file);
  GKeyFile *config;

  g_assert_false (atm_store_open (path, FALSE, &store, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));

  g_assert_true (atm_store_open (path, TRUE, &store, NULL, &error));
  config = ostree_repo_get_config (store->repo);
  {
    g_autofree char *mode = g_key_file_get_string (config, "core", "mode", NULL);
    g_autofree char *timeout = g_key_file_get_string (config, "core", "lock-timeout-secs", NULL);
    g_autofree char *space = g_key_file_get_string (config, "core", "min-free-space-size", NULL);

    g_assert_cmpstr (mode, ==, geteuid () == 0 ? "bare" : "bare-user");
    g_assert_cmpstr (timeout, ==, "300");
    g_assert_cmpstr (space, ==, "500MB");
  }
  g_assert_true (atm_store_open (path, TRUE, &again, NULL, &error));

  g_assert_true (g_file_make_directory (file, NULL, &error));
  g_assert_true (ostree_repo_create (repo, OSTREE_REPO_MODE_ARCHIVE, NULL, &error));
  g_clear_pointer (&again, atm_store_free);
  g_assert_false (atm_store_open (archive, TRUE, &again, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
}

static AtmTestImage *
new_image (void)
{
  AtmTestImage *image = atm_test_image_new ();

  atm_test_image_add (image, "d etc\nf etc/a 1");
  atm_test_image_add (image, "f etc/b 2\nf etc/.wh.a");
  atm_test_image_end (image);
  return image;
}

static void
test_round_trip (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image ();
  g_autofree char *commit = atm_test_import_ok (store, image, "registry.example.org/test:1");
  g_autofree char *other = NULL, *third = NULL;
  g_autofree char *long_name = g_strnfill (230, 'n');
  g_autoptr (AtmStoredImage) stored = NULL;
  g_autoptr (GPtrArray) images = NULL;
  g_autoptr (GError) error = NULL;
  AtmDigest digest;

  other = atm_test_import_ok (store, image, "busybox:latest");
  third = atm_test_import_ok (store, image, long_name);
  g_assert_cmpstr (other, !=, commit);
  g_assert_cmpstr (third, !=, commit);
  g_assert_true (
      atm_store_load_image (store->store, "registry.example.org/test:1", &stored, NULL, &error));
  g_assert_cmpstr (stored->reference, ==, "registry.example.org/test:1");
  g_assert_cmpstr (stored->canonical, ==, "registry.example.org/test:1");
  g_assert_cmpstr (stored->commit, ==, commit);
  atm_digest_of (ATM_HASH_SHA256, image->manifest, &digest);
  g_assert_true (atm_digest_equal (&stored->digest, &digest));
  g_assert_true (g_bytes_equal (stored->manifest, image->manifest));
  g_assert_true (g_bytes_equal (stored->config, image->config));
  g_assert_cmpuint (stored->signatures->len, ==, 1);
  g_assert_cmpmem (g_bytes_get_data (stored->signatures->pdata[0], NULL), 12, "a signature\xff",
                   12);
  g_assert_nonnull (strstr (stored->verdict, "signedBy"));
  g_assert_cmpuint (stored->size_bytes, ==,
                    g_bytes_get_size (image->blobs->pdata[0])
                        + g_bytes_get_size (image->blobs->pdata[1]));
  g_assert_cmpuint (stored->created_unix, >, 1500000000);
  g_assert_cmpstr (stored->notice, ==, NULL);

  /* Two layers and three images; the name that was too long for a ref is whole in the metadata. */
  g_assert_cmpuint (atm_test_count_refs (store), ==, 5);
  g_assert_true (atm_store_list_images (store->store, &images, NULL, &error));
  g_assert_cmpuint (images->len, ==, 3);
  g_assert_cmpstr (((AtmStoredImage *) images->pdata[0])->reference, ==, "busybox:latest");
  g_assert_cmpstr (((AtmStoredImage *) images->pdata[1])->reference, ==, long_name);
  g_clear_pointer (&stored, atm_stored_image_free);
  g_assert_true (atm_store_load_image (store->store, long_name, &stored, NULL, &error));

  g_clear_pointer (&stored, atm_stored_image_free);
  g_assert_false (atm_store_load_image (store->store, "busybox:1", &stored, NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND);
}

static void
test_metadata (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image ();
  g_autofree char *commit = atm_test_import_ok (store, image, "busybox:latest");
  const AtmDescriptor *descriptor = image->descriptors->pdata[1];
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *layer = NULL, *size = NULL, *diff_id = NULL;
  g_autoptr (GVariant) metadata = NULL, image_metadata = NULL;
  g_autoptr (GFile) root = NULL, whiteout = NULL;
  g_autoptr (GError) error = NULL;
  const char *text = NULL;

  g_assert_true (ostree_repo_resolve_rev (store->store->repo, ref, FALSE, &layer, &error));
  g_assert_true (atm_commit_load (store->store, layer, &metadata, NULL, &error));
  size = g_strdup_printf ("%" G_GUINT64_FORMAT, descriptor->size_bytes);
  diff_id = atm_digest_to_string (&g_array_index (image->diff_ids, AtmDigest, 1));
  g_assert_true (g_variant_lookup (metadata, "docker.size", "&s", &text));
  g_assert_cmpstr (text, ==, size);
  g_assert_true (g_variant_lookup (metadata, "docker.uncompressed_digest", "&s", &text));
  g_assert_cmpstr (text, ==, diff_id);
  g_assert_true (g_variant_lookup (metadata, "docker.uncompressed_size", "&s", &text));
  g_assert_cmpstr (text, ==, "2560");
  g_assert_true (ostree_repo_read_commit (store->store->repo, layer, &root, NULL, NULL, &error));
  whiteout = g_file_resolve_relative_path (root, "etc/.wh.a");
  g_assert_true (g_file_query_exists (whiteout, NULL));

  g_assert_true (atm_commit_load (store->store, commit, &image_metadata, NULL, &error));
  g_assert_true (g_variant_lookup (image_metadata, "signatures", "&s", &text));
  g_assert_cmpstr (text, ==, "1");
  g_assert_true (g_variant_lookup (image_metadata, "docker.manifest", "&s", &text));
  g_assert_cmpmem (text, strlen (text), g_bytes_get_data (image->manifest, NULL),
                   g_bytes_get_size (image->manifest));
}

typedef enum
{
  WRONG_NOTHING,
  WRONG_VERDICT,
  WRONG_CONFIG,
  WRONG_MISSING,
  WRONG_ORDER,
  WRONG_SURPLUS,
  WRONG_DIFF_ID
} Wrong;

/* What the store must refuse even if ops/ got its steps wrong. */
static void
test_commit_checks (void)
{
  for (Wrong wrong = WRONG_NOTHING; wrong <= WRONG_DIFF_ID; wrong++)
    {
      g_autoptr (AtmTestStore) store = atm_test_store_new ();
      g_autoptr (AtmTestImage) image = new_image (), other = atm_test_image_new ();
      g_autoptr (AtmVerdict) verdict = NULL;
      g_autoptr (AtmStoreTxn) txn = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *commit = NULL;
      gboolean ok = TRUE;

      g_test_message ("case %d", (int) wrong);
      atm_test_image_add (other, "f evil 1");
      atm_test_image_end (other);
      verdict = atm_test_image_judge (wrong == WRONG_VERDICT ? other : image);
      g_assert_true (atm_store_txn_begin (store->store, verdict, &txn, NULL, &error));
      for (guint n = 0; ok
                        && n < (wrong == WRONG_MISSING   ? 1u
                                : wrong == WRONG_SURPLUS ? 3u
                                                         : 2u);
           n++)
        {
          const guint i = wrong == WRONG_ORDER ? 1 - n : n % 2;
          const guint d = wrong == WRONG_DIFF_ID ? 1 - i : i;
          g_autoptr (GInputStream) blob
              = g_memory_input_stream_new_from_bytes (image->blobs->pdata[i]);

          ok = atm_store_txn_add_layer (txn, image->descriptors->pdata[i],
                                        &g_array_index (image->diff_ids, AtmDigest, d), blob, NULL,
                                        &error);
        }
      g_assert_cmpint (ok, ==, wrong != WRONG_DIFF_ID);
      ok = ok
           && atm_store_txn_commit (txn, "image:1", "image", image->manifest,
                                    wrong == WRONG_CONFIG ? other->config : image->config, &commit,
                                    NULL, &error);
      g_assert_cmpint (ok, ==, wrong == WRONG_NOTHING);
      g_assert_cmpint (error == NULL, ==, wrong == WRONG_NOTHING);
      g_assert_cmpint (commit != NULL, ==, wrong == WRONG_NOTHING);
      g_clear_pointer (&txn, atm_store_txn_free);
      g_assert_cmpuint (atm_test_count_refs (store), ==, wrong == WRONG_NOTHING ? 3 : 0);
      atm_test_fsck (store);
    }
}

static void
test_transaction (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image ();
  g_autoptr (AtmVerdict) verdict = atm_test_image_judge (image);
  g_autoptr (AtmStoreTxn) txn = NULL, second = NULL;
  g_autoptr (GInputStream) blob = g_memory_input_stream_new_from_bytes (image->blobs->pdata[0]);
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = NULL;

  g_assert_true (atm_store_txn_begin (store->store, verdict, &txn, NULL, &error));
  g_assert_false (atm_store_txn_begin (store->store, verdict, &second, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_clear_error (&error);

  /* Left in the middle, as by an error of somebody else. */
  g_assert_true (atm_store_txn_add_layer (txn, image->descriptors->pdata[0],
                                          &g_array_index (image->diff_ids, AtmDigest, 0), blob,
                                          NULL, &error));
  g_clear_pointer (&txn, atm_store_txn_free);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 0);
  commit = atm_test_import_ok (store, image, "image:1");
  g_assert_cmpuint (image->n_stored, ==, 0);
}

/* A layer that the image has twice is read once. */
static void
test_repeated_layer (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = atm_test_image_new ();
  g_autofree char *commit = NULL, *list = NULL;

  atm_test_image_add (image, "f a 1");
  atm_test_image_add (image, "f .wh.a");
  atm_test_image_add (image, "f a 1");
  commit = atm_test_import_ok (store, image, "image:1");
  g_assert_cmpuint (image->n_stored, ==, 1);
  list = atm_test_list (store, commit);
  g_assert_cmpstr (list, ==, "a=1");
}

/* A configuration that gives a stored layer another diff ID is refused, not believed. */
static void
test_stored_diff_id (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image (), liar = atm_test_image_new ();
  g_autofree char *commit = NULL, *other = NULL;
  g_autoptr (GError) error = NULL;

  commit = atm_test_import_ok (store, image, "image:1");
  atm_test_image_take (liar, g_bytes_ref (image->blobs->pdata[0]), atm_test_tar_of ("f b 1"));
  g_assert_false (atm_test_import (store, liar, "liar:1", &other, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 3);
}

static AtmTestImage *
new_compressed (const char *lines, gboolean zstd)
{
  AtmTestImage *image = atm_test_image_new ();
  GBytes *tar = atm_test_tar_of (lines);

  atm_test_image_take (image, zstd ? atm_test_zstd (tar) : atm_test_gzip (tar), tar);
  return image;
}

static gboolean
has_layer_ref (AtmTestStore *store, const AtmTestImage *image, guint layer)
{
  const AtmDescriptor *descriptor = image->descriptors->pdata[layer];
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *commit = NULL;

  return ostree_repo_resolve_rev (store->store->repo, ref, TRUE, &commit, NULL) && commit != NULL;
}

/* A layer that was only compressed again is not fetched, and is there under both digests. */
static void
test_recompressed_layer (void)
{
  const char *lines = "d a\nf a/b 1\nf .wh.c\nh d a/b\nc e";
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) gzip = new_compressed (lines, FALSE);
  g_autoptr (AtmTestImage) zstd = new_compressed (lines, TRUE), both = atm_test_image_new ();
  g_autofree char *commit = NULL, *other = NULL, *third = NULL, *again = NULL, *list = NULL;
  g_autofree char *ref = atm_ref_encode ("image:1");
  g_autoptr (AtmStoredImage) stored = NULL;
  g_autoptr (GBytes) tar = NULL;
  g_autoptr (GError) error = NULL;
  int total = 0, pruned = 0;
  guint64 freed = 0;

  commit = atm_test_import_ok (store, gzip, "image:1");
  other = atm_test_import_ok (store, zstd, "image:2");
  g_assert_cmpuint (zstd->n_stored, ==, 1);
  g_assert_true (has_layer_ref (store, zstd, 0));
  list = atm_test_list (store, other);
  g_assert_cmpstr (list, ==, "a/ a/b=1 d=1");
  g_assert_true (atm_store_load_image (store->store, "image:2", &stored, NULL, &error));
  g_assert_nonnull (strstr (stored->notice, "skipped 1 device"));

  /* It does not need the layer that it was found by. */
  g_assert_true (ostree_repo_set_ref_immediate (store->store->repo, NULL, ref, NULL, NULL, &error));
  g_free (ref);
  ref = atm_layer_commit_get_ref (&((AtmDescriptor *) gzip->descriptors->pdata[0])->digest);
  g_assert_true (ostree_repo_set_ref_immediate (store->store->repo, NULL, ref, NULL, NULL, &error));
  g_assert_true (ostree_repo_prune (store->store->repo, OSTREE_REPO_PRUNE_FLAGS_REFS_ONLY, 0,
                                    &total, &pruned, &freed, NULL, &error));
  again = atm_test_import_ok (store, zstd, "image:3");
  g_assert_cmpuint (zstd->n_stored, ==, 1);

  /* Both in one image that has neither: the second one is found in the first one's import. */
  tar = atm_test_tar_of ("f x 1");
  atm_test_image_take (both, atm_test_gzip (tar), g_bytes_ref (tar));
  atm_test_image_take (both, atm_test_zstd (tar), g_bytes_ref (tar));
  third = atm_test_import_ok (store, both, "both:1");
  g_assert_cmpuint (both->n_stored, ==, 1);
  g_assert_true (has_layer_ref (store, both, 0));
  g_assert_true (has_layer_ref (store, both, 1));
}

/* What a blob unpacks to is only the word of an image as long as nobody has read the blob: it must
   not stand in the way of an image that says otherwise and is right. */
static void
test_claimed_diff_id (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) victim = new_compressed ("f b 2", FALSE);
  g_autoptr (AtmTestImage) own = new_compressed ("f a 1", FALSE), liar = atm_test_image_new ();
  g_autofree char *commit = NULL, *other = NULL, *third = NULL, *list = NULL;
  g_autoptr (GError) error = NULL;

  commit = atm_test_import_ok (store, own, "own:1");
  atm_test_image_take (liar, g_bytes_ref (victim->blobs->pdata[0]), atm_test_tar_of ("f a 1"));
  other = atm_test_import_ok (store, liar, "liar:1");
  g_assert_cmpuint (liar->n_stored, ==, 1);

  third = atm_test_import_ok (store, victim, "victim:1");
  g_assert_cmpuint (victim->n_stored, ==, 0);
  list = atm_test_list (store, third);
  g_assert_cmpstr (list, ==, "b=2");
  g_clear_pointer (&third, g_free);
  third = atm_test_import_ok (store, victim, "victim:2");
  g_assert_cmpuint (victim->n_stored, ==, 1);

  /* Now it is known. */
  g_clear_pointer (&third, g_free);
  g_assert_false (atm_test_import (store, liar, "liar:2", &third, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
}

/* A layer ref that a power cut left empty is as good as none, an image ref is shown as damaged. */
static void
test_damaged_ref (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image ();
  g_autofree char *commit = atm_test_import_ok (store, image, "image:1");
  const AtmDescriptor *descriptor = image->descriptors->pdata[0];
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *path = g_build_filename (store->path, "refs", "heads", ref, NULL);
  g_autofree char *image_ref = atm_ref_encode ("image:2");
  g_autofree char *image_path = g_build_filename (store->path, "refs", "heads", image_ref, NULL);
  g_autofree char *again = NULL;
  g_autoptr (GPtrArray) images = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (commit);
  g_assert_true (g_file_set_contents (image_path, "", 0, NULL));
  g_assert_true (atm_store_list_images (store->store, &images, NULL, &error));
  g_assert_cmpuint (images->len, ==, 2);
  g_assert_nonnull (((AtmStoredImage *) images->pdata[1])->problem);
  g_assert_cmpint (g_unlink (image_path), ==, 0);
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  again = atm_test_import_ok (store, image, "image:1");
  g_assert_cmpuint (image->n_stored, ==, 1);
  g_assert_true (has_layer_ref (store, image, 0));
}

/* A layer whose objects were lost is fetched again. */
static void
test_lost_objects (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image ();
  g_autofree char *commit = atm_test_import_ok (store, image, "image:1");
  g_autofree char *again = NULL, *list = NULL;
  g_autoptr (GFile) root = NULL, file = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (ostree_repo_read_commit (store->store->repo, commit, &root, NULL, NULL, &error));
  file = g_file_resolve_relative_path (root, "etc/b");
  g_assert_true (ostree_repo_file_ensure_resolved (OSTREE_REPO_FILE (file), &error));
  g_assert_true (ostree_repo_delete_object (store->store->repo, OSTREE_OBJECT_TYPE_FILE,
                                            ostree_repo_file_get_checksum (OSTREE_REPO_FILE (file)),
                                            NULL, &error));
  again = atm_test_import_ok (store, image, "image:1");
  g_assert_cmpuint (image->n_stored, ==, 1);
  list = atm_test_list (store, again);
  g_assert_cmpstr (list, ==, "etc/ etc/b=2");
}

/* Layers outlive what their lists only mention: a file that a later entry of its layer replaced,
   but that a link of a lower layer had led elsewhere. */
static void
test_prune_keeps_strays (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = atm_test_image_new ();
  g_autofree char *commit = NULL, *again = NULL, *list = NULL, *ref = atm_ref_encode ("image:1");
  g_autoptr (GError) error = NULL;
  int total = 0, pruned = 0;
  guint64 freed = 0;

  atm_test_image_add (image, "d usr\nd usr/lib\nl lib usr/lib");
  atm_test_image_add (image, "f lib/x 1\nl lib foo");
  commit = atm_test_import_ok (store, image, "image:1");
  g_assert_true (ostree_repo_set_ref_immediate (store->store->repo, NULL, ref, NULL, NULL, &error));
  g_assert_true (ostree_repo_prune (store->store->repo, OSTREE_REPO_PRUNE_FLAGS_REFS_ONLY, 0,
                                    &total, &pruned, &freed, NULL, &error));
  g_assert_cmpint (pruned, >, 0);
  again = atm_test_import_ok (store, image, "image:1");
  g_assert_cmpuint (image->n_stored, ==, 2);
  list = atm_test_list (store, again);
  g_assert_cmpstr (list, ==, "lib>foo usr/ usr/lib/ usr/lib/x=1");
}

/* A repository of the Python tool (system-image.md 9.3): read, listed, never checked out as merged;
   its layers are fetched again. */
static void
test_python_repository (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image ();
  OstreeRepo *repo = store->store->repo;
  const AtmDescriptor *descriptor = image->descriptors->pdata[0];
  g_autofree char *layer_ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *signature = g_build_filename (folder, "signature-1", NULL);
  g_autofree char *text
      = g_strndup (g_bytes_get_data (image->manifest, NULL), g_bytes_get_size (image->manifest));
  g_autofree char *image_commit = NULL, *layer_commit = NULL, *commit = NULL;
  g_autoptr (OstreeMutableTree) mtree = ostree_mutable_tree_new ();
  g_autoptr (GFile) file = g_file_new_for_path (folder), root = NULL;
  g_auto (GVariantDict) image_keys = G_VARIANT_DICT_INIT (NULL);
  g_auto (GVariantDict) layer_keys = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GVariant) image_metadata = NULL, layer_metadata = NULL;
  g_autoptr (AtmStoredImage) stored = NULL;
  g_autoptr (GPtrArray) images = NULL;
  g_autoptr (GError) error = NULL;
  atm_autofd int dir_fd = atm_test_scratch_dir ();

  g_assert_true (g_file_set_contents (signature, "signed", 6, &error));
  g_variant_dict_insert (&image_keys, "docker.manifest", "s", text);
  g_variant_dict_insert (&image_keys, "signatures", "s", "1");
  image_metadata = g_variant_ref_sink (g_variant_dict_end (&image_keys));
  g_variant_dict_insert (&layer_keys, "docker.size", "s", "7");
  layer_metadata = g_variant_ref_sink (g_variant_dict_end (&layer_keys));
  g_assert_true (ostree_repo_prepare_transaction (repo, NULL, NULL, &error));
  g_assert_true (ostree_repo_write_directory_to_mtree (repo, file, mtree, NULL, NULL, &error));
  g_assert_true (ostree_repo_write_mtree (repo, mtree, &root, NULL, &error));
  g_assert_true (ostree_repo_write_commit (repo, NULL, NULL, NULL, image_metadata,
                                           OSTREE_REPO_FILE (root), &image_commit, NULL, &error));
  g_assert_true (ostree_repo_write_commit (repo, NULL, NULL, NULL, layer_metadata,
                                           OSTREE_REPO_FILE (root), &layer_commit, NULL, &error));
  ostree_repo_transaction_set_ref (repo, NULL, "ociimage/busybox_3Alatest", image_commit);
  ostree_repo_transaction_set_ref (repo, NULL, layer_ref, layer_commit);
  g_assert_true (ostree_repo_commit_transaction (repo, NULL, NULL, &error));

  g_assert_true (atm_store_list_images (store->store, &images, NULL, &error));
  g_assert_cmpuint (images->len, ==, 1);
  g_assert_true (atm_store_load_image (store->store, "busybox:latest", &stored, NULL, &error));
  g_assert_cmpstr (stored->reference, ==, "busybox:latest");
  g_assert_cmpstr (stored->canonical, ==, NULL);
  g_assert_null (stored->config);
  g_assert_true (g_bytes_equal (stored->manifest, image->manifest));
  g_assert_cmpuint (stored->signatures->len, ==, 1);
  g_assert_cmpmem (g_bytes_get_data (stored->signatures->pdata[0], NULL), 6, "signed", 6);
  g_assert_false (atm_store_check_out (store->store, image_commit, dir_fd, "rootfs", NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED);

  commit = atm_test_import_ok (store, image, "busybox:latest");
  g_assert_cmpuint (image->n_stored, ==, 0);
}

static void
test_check_out (void)
{
  const char *const bad[] = { "", ".", "..", "a/b", "/tmp/x", "there" };
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = new_image ();
  g_autofree char *commit = atm_test_import_ok (store, image, "image:1");
  g_autoptr (GError) error = NULL;
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  struct stat st;

  g_assert_cmpint (mkdirat (dir_fd, "there", 0755), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      g_assert_false (atm_store_check_out (store->store, commit, dir_fd, bad[i], NULL, &error));
      g_assert_true (error->domain == G_IO_ERROR);
    }
  g_assert_true (atm_store_check_out (store->store, commit, dir_fd, "rootfs", NULL, &error));
  g_assert_cmpint (fstatat (dir_fd, "rootfs/etc/b", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
  g_assert_cmpuint (st.st_nlink, ==, 2);
}

int
main (int argc, char *argv[])
{
  setlocale (LC_CTYPE, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/store/open", test_open);
  atm_test_add_both ("/store/round-trip", test_round_trip);
  atm_test_add_both ("/store/metadata", test_metadata);
  atm_test_add_both ("/store/commit-checks", test_commit_checks);
  atm_test_add_both ("/store/transaction", test_transaction);
  atm_test_add_both ("/store/repeated-layer", test_repeated_layer);
  atm_test_add_both ("/store/stored-diff-id", test_stored_diff_id);
  atm_test_add_both ("/store/recompressed-layer", test_recompressed_layer);
  atm_test_add_both ("/store/claimed-diff-id", test_claimed_diff_id);
  atm_test_add_both ("/store/damaged-ref", test_damaged_ref);
  atm_test_add_both ("/store/lost-objects", test_lost_objects);
  atm_test_add_both ("/store/prune-keeps-strays", test_prune_keeps_strays);
  atm_test_add_both ("/store/python-repository", test_python_repository);
  atm_test_add_both ("/store/check-out", test_check_out);
  return g_test_run ();
}
