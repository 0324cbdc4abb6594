/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <locale.h>
#include <ostree.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/scratch.h"
#include "store/layer-commit.h"
#include "store/prune.h"
#include "store/tar-split.h"
#include "util/fd.h"

/* Images of the Python tool, stored by tests/fixtures/legacy/python-tool, which needs root. */

#define REFERENCE "docker.io/old:latest"

static void
write_blob (const char *layout, GBytes *bytes)
{
  g_autofree char *folder = g_build_filename (layout, "blobs", "sha256", NULL);
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  AtmDigest digest;

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  atm_digest_of (ATM_HASH_SHA256, bytes, &digest);
  path = g_build_filename (folder, digest.hex, NULL);
  g_file_set_contents (path, g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes),
                       &error);
  g_assert_no_error (error);
}

/* (transfer full): an OCI layout with @image. */
static char *
write_layout (AtmTestImage *image)
{
  char *layout = atm_test_scratch_path ();
  g_autofree char *index = g_build_filename (layout, "index.json", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  AtmDigest digest;

  atm_test_image_end (image);
  for (guint i = 0; i < image->blobs->len; i++)
    write_blob (layout, image->blobs->pdata[i]);
  write_blob (layout, image->config);
  write_blob (layout, image->manifest);
  atm_digest_of (ATM_HASH_SHA256, image->manifest, &digest);
  text = g_strdup_printf (
      "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
      "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%" G_GSIZE_FORMAT
      ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}}]}",
      digest.hex, g_bytes_get_size (image->manifest));
  g_file_set_contents (index, text, -1, &error);
  g_assert_no_error (error);
  return layout;
}

/* A store with @image as the Python tool left it; @option: (nullable): one more for its pull. */
static AtmTestStore *
store_old (AtmTestImage *image, const char *option)
{
  AtmTestStore *store = g_new0 (AtmTestStore, 1);
  g_autofree char *tool
      = g_test_build_filename (G_TEST_DIST, "fixtures", "legacy", "python-tool", NULL);
  g_autofree char *root = atm_test_scratch_path (), *layout = write_layout (image);
  const char *const argv[]
      = { "python3", tool, "--root", root, "pull", layout, REFERENCE, option, NULL };
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  process = g_subprocess_newv (argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE, &error);
  g_assert_no_error (error);
  g_subprocess_wait_check (process, NULL, &error);
  g_assert_no_error (error);
  store->path = g_build_filename (root, "var/lib/containers/atomic/.storage/ostree", NULL);
  g_assert_true (atm_store_open (store->path, FALSE, &store->store, NULL, &error));
  return store;
}

/* The second layer reaches a folder of the first through a link, says nothing of another, and takes
   away; in the tree of its commit both are folders with the usual mode. */
static AtmTestImage *
new_image (void)
{
  AtmTestImage *image = atm_test_image_new ();
  g_autofree char *large = g_strnfill (2 * 1024 * 1024, 'z');
  g_autofree char *lines = g_strdup_printf ("d usr\nd usr/lib\nl lib usr/lib\nf usr/lib/a 1\n"
                                            "d etc\nf etc/gone 2\nd opaque\nf opaque/old 3\n"
                                            "h etc/hard usr/lib/a\nf large %s\nf empty",
                                            large);

  atm_test_image_add (image, lines);
  atm_test_image_add (image, "f lib/b 4\nf etc/.wh.gone\nf opaque/.wh..wh..opq\nf opaque/new 5\n"
                             "c dev/null\nl usr/c /etc");
  atm_test_image_end (image);
  return image;
}

/* As ops/adopt does; *@n_found_out layers were there. */
static gboolean
adopt (AtmTestStore *store, AtmTestImage *image, guint *n_found_out, char **commit_out,
       GError **error)
{
  g_autoptr (AtmVerdict) verdict = atm_test_image_judge (image);
  g_autoptr (AtmStoreTxn) txn = NULL;

  *n_found_out = 0;
  if (!atm_store_txn_begin (store->store, verdict, &txn, NULL, error))
    return FALSE;
  for (guint i = 0; i < image->blobs->len; i++)
    {
      gboolean found = FALSE;

      if (!atm_store_txn_add_python_layer (txn, image->descriptors->pdata[i],
                                           &g_array_index (image->diff_ids, AtmDigest, i), &found,
                                           NULL, error))
        return FALSE;
      if (!found)
        return TRUE;
      ++*n_found_out;
    }
  return atm_store_txn_commit (txn, REFERENCE, REFERENCE, image->manifest, image->config,
                               commit_out, NULL, error);
}

static char *
get_tree (AtmTestStore *store, const char *commit)
{
  g_auto (AtmCommitDraft) draft = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_commit_load_draft (store->store, commit, &draft, &error));
  return ostree_checksum_from_bytes (draft.contents);
}

static gboolean
skip_without_root (void)
{
  if (geteuid () == 0)
    return FALSE;
  g_test_skip ("needs root");
  return TRUE;
}

static void
test_adopt (void)
{
  g_autoptr (AtmTestImage) image = NULL, again = NULL;
  g_autoptr (AtmTestStore) old = NULL, ours = NULL;
  g_autoptr (AtmStoredImage) before = NULL, after = NULL;
  g_autofree char *adopted = NULL, *imported = NULL, *adopted_tree = NULL, *imported_tree = NULL,
                  *list = NULL, *twice = NULL;
  g_auto (AtmPruned) pruned = { 0 };
  g_autoptr (GHashTable) keep = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  guint n_found = 0, n_refs = 0;

  if (skip_without_root ())
    return;
  image = new_image ();
  old = store_old (image, NULL);
  ours = atm_test_store_new ();
  g_assert_true (atm_store_load_image (old->store, REFERENCE, &before, NULL, &error));
  g_assert_null (before->canonical);
  g_assert_true (g_bytes_equal (before->config, image->config));
  g_assert_true (g_bytes_equal (before->manifest, image->manifest));
  g_assert_cmpuint (before->size_bytes, >, 0);
  n_refs = atm_test_count_refs (old);

  /* Nothing of it is unneeded, the configuration included (command.md 7, row 9). */
  g_assert_true (atm_store_prune (old->store, keep, FALSE, &pruned, NULL, &error));
  g_assert_cmpuint (pruned.refs->len + pruned.n_objects, ==, 0);

  g_assert_true (adopt (old, image, &n_found, &adopted, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n_found, ==, 2);
  atm_test_fsck (old);
  g_assert_cmpuint (atm_test_count_refs (old), ==, n_refs);
  g_assert_true (atm_store_load_image (old->store, REFERENCE, &after, NULL, &error));
  g_assert_cmpstr (after->commit, ==, adopted);
  g_assert_cmpstr (after->canonical, ==, REFERENCE);
  g_assert_true (atm_digest_equal (&after->digest, &before->digest));

  /* The same tree as of a pull. */
  imported = atm_test_import_ok (ours, image, REFERENCE);
  adopted_tree = get_tree (old, adopted);
  imported_tree = get_tree (ours, imported);
  g_assert_cmpstr (adopted_tree, ==, imported_tree);
  list = atm_test_list (old, adopted);
  g_assert_nonnull (strstr (list, "lib>usr/lib "));
  g_assert_nonnull (strstr (list, "usr/lib/b=4"));
  g_assert_null (strstr (list, "gone"));
  g_assert_null (strstr (list, "old"));

  /* The layers are ours now; another image need not fetch them. */
  again = new_image ();
  twice = atm_test_import_ok (old, again, "registry.example.org/other:1");
  g_assert_cmpuint (again->n_stored, ==, 2);
}

static void
set_ref (AtmTestStore *store, const AtmDescriptor *descriptor, const char *commit)
{
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autoptr (GError) error = NULL;

  g_assert_true (
      ostree_repo_set_ref_immediate (store->store->repo, NULL, ref, commit, NULL, &error));
}

/* What was left out, or is another layer, must not become part of an image. */
static void
test_adopt_refuses (void)
{
  static const char *const wrong[]
      = { "--omit=tarsplit.output", "no layer", "damaged ref", "another layer" };

  if (skip_without_root ())
    return;
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (AtmTestImage) image = new_image ();
      g_autoptr (AtmTestStore) store
          = store_old (image, g_str_has_prefix (wrong[i], "--") ? wrong[i] : NULL);
      g_autoptr (AtmStoredImage) stored = NULL;
      g_autofree char *ref = NULL, *second = NULL, *commit = NULL, *path = NULL;
      g_autoptr (GError) error = NULL;
      guint n_found = 0;
      gboolean ok = FALSE;

      g_test_message ("%s", wrong[i]);
      ref = atm_layer_commit_get_ref (&((AtmDescriptor *) image->descriptors->pdata[1])->digest);
      g_assert_true (ostree_repo_resolve_rev (store->store->repo, ref, FALSE, &second, &error));
      path = g_build_filename (store->path, "refs", "heads", ref, NULL);
      if (i == 1)
        set_ref (store, image->descriptors->pdata[1], NULL);
      else if (i == 2)
        g_assert_true (g_file_set_contents (path, "damaged\n", -1, &error));
      else if (i == 3)
        set_ref (store, image->descriptors->pdata[0], second);

      ok = adopt (store, image, &n_found, &commit, &error);
      if (i == 3)
        {
          g_assert_false (ok);
          g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
          g_assert_nonnull (strstr (error->message, "unpacks to"));
        }
      else
        g_assert_true (ok);
      g_assert_cmpuint (n_found, ==, i == 0 || i == 3 ? 0 : 1);
      g_assert_null (commit);
      g_assert_true (atm_store_load_image (store->store, REFERENCE, &stored, NULL, NULL));
      g_assert_null (stored->canonical);
    }
}

/* Without its configuration an image is listed nevertheless. */
static void
test_no_config (void)
{
  g_autoptr (AtmTestImage) image = NULL;
  g_autoptr (AtmTestStore) store = NULL;
  g_autoptr (AtmStoredImage) stored = NULL;
  g_autoptr (GPtrArray) layers = NULL;
  g_autoptr (GError) error = NULL;

  if (skip_without_root ())
    return;
  image = new_image ();
  store = store_old (image, "--no-config");
  g_assert_true (atm_store_load_image (store->store, REFERENCE, &stored, NULL, &error));
  g_assert_null (stored->config);
  g_assert_true (atm_store_list_layers (store->store, &layers, NULL, &error));
  g_assert_cmpuint (layers->len, ==, 2);
}

static gboolean
open_in_folder (gpointer data, const char *path, GInputStream **content_out,
                GCancellable *cancellable, GError **error)
{
  g_autofree char *whole = g_build_filename (data, path, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (whole);
  GFileInputStream *stream = g_file_read (file, cancellable, error);

  *content_out = G_INPUT_STREAM (stream);
  return stream != NULL;
}

/* The list as those wrote it whose library the Python tool used. */
static void
test_podman (void)
{
  g_autofree char *podman = g_find_program_in_path ("podman"), *layout = NULL, *link = NULL,
                  *source = NULL, *scratch = NULL, *policy = NULL, *root = NULL, *run = NULL,
                  *list_path = NULL, *files = NULL;
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_autoptr (AtmTestImage) image = NULL;
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GFile) list_file = NULL;
  g_autoptr (GFileInputStream) packed = NULL;
  g_autoptr (GZlibDecompressor) gunzip = NULL;
  g_autoptr (GInputStream) list = NULL, tar = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  const AtmDigest *diff_id = NULL;
  AtmDigest actual;

  if (podman == NULL || geteuid () != 0)
    {
      g_test_skip ("needs podman and root");
      return;
    }
  image = atm_test_image_new ();
  atm_test_image_add (image, "d etc\nf etc/a 1\nh etc/hard etc/a\nl link etc/a\nf ./b 22\n"
                             "f empty\nd folder\nf a 333");
  layout = write_layout (image);
  /* podman names the image after the folder, in lower case. */
  source = g_strdup ("oci:layout:latest");
  scratch = atm_test_scratch_path ();
  policy = g_build_filename (scratch, "policy.json", NULL);
  root = g_build_filename (scratch, "root", NULL);
  run = g_build_filename (scratch, "run", NULL);
  g_assert_true (g_file_set_contents (
      policy, "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}", -1, &error));
  link = g_build_filename (scratch, "layout", NULL);
  g_assert_cmpint (symlink (layout, link), ==, 0);
  g_subprocess_launcher_set_cwd (launcher, scratch);
  g_subprocess_launcher_setenv (launcher, "XDG_CONFIG_HOME", scratch, TRUE);
  process = g_subprocess_launcher_spawn (launcher, &error, podman, "--root", root, "--runroot", run,
                                         "--storage-driver", "vfs", "pull", "--quiet",
                                         "--signature-policy", policy, source, NULL);
  g_assert_no_error (error);
  g_subprocess_wait_check (process, NULL, &error);
  g_assert_no_error (error);

  diff_id = &g_array_index (image->diff_ids, AtmDigest, 0);
  list_path = g_strdup_printf ("%s/vfs-layers/%s.tar-split.gz", root, diff_id->hex);
  files = g_build_filename (root, "vfs", "dir", diff_id->hex, NULL);
  list_file = g_file_new_for_path (list_path);
  packed = g_file_read (list_file, NULL, &error);
  g_assert_no_error (error);
  gunzip = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  list = g_converter_input_stream_new (G_INPUT_STREAM (packed), G_CONVERTER (gunzip));
  tar = atm_tar_split_new (list, open_in_folder, files, NULL);
  g_assert_true (atm_read_stream (tar, 1024 * 1024, &bytes, NULL, &error));
  atm_digest_of (diff_id->algorithm, bytes, &actual);
  g_assert_true (atm_digest_equal (&actual, diff_id));
}

int
main (int argc, char *argv[])
{
  setlocale (LC_CTYPE, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  atm_test_add_both ("/python-layer/adopt", test_adopt);
  g_test_add_func ("/python-layer/adopt-refuses", test_adopt_refuses);
  g_test_add_func ("/python-layer/no-config", test_no_config);
  g_test_add_func ("/python-layer/podman", test_podman);
  return g_test_run ();
}
