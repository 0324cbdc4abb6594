/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/scratch.h"
#include "image/layout.h"
#include "image/manifest.h"
#include "util/fd.h"

/* Of 19 bytes; so say the indexes below. */
#define IMAGE "{\"schemaVersion\":2}"
#define BLOB "hello blob"

/* A layout in a new folder. */
typedef struct
{
  char *path;
  AtmDigest image, blob, blob512;
} Layout;

static void
put_file (const char *path, const char *name, const char *text)
{
  g_autofree char *file = g_build_filename (path, name, NULL);
  g_autofree char *folder = g_path_get_dirname (file);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_file_set_contents (file, text, -1, &error);
  g_assert_no_error (error);
}

static void
put_blob (const char *path, AtmHashType type, const char *text, AtmDigest *digest_out)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autofree char *name = NULL;

  atm_digest_of (type, bytes, digest_out);
  name = g_strconcat (type == ATM_HASH_SHA512 ? "blobs/sha512/" : "blobs/sha256/", digest_out->hex,
                      NULL);
  put_file (path, name, text);
}

/* Each “HEX” in @text becomes that of the image. */
static void
put_index (const Layout *layout, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "HEX", -1);
  g_autofree char *index = g_strjoinv (layout->image.hex, parts);

  put_file (layout->path, "index.json", index);
}

static void
layout_init (Layout *layout)
{
  layout->path = atm_test_scratch_path ();
  put_file (layout->path, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
  put_blob (layout->path, ATM_HASH_SHA256, IMAGE, &layout->image);
  put_blob (layout->path, ATM_HASH_SHA256, BLOB, &layout->blob);
  put_blob (layout->path, ATM_HASH_SHA512, BLOB, &layout->blob512);
  put_index (layout, "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" ATM_TYPE_OCI_MANIFEST
                     "\",\"digest\":\"sha256:HEX\",\"size\":19,\"annotations\":"
                     "{\"org.opencontainers.image.ref.name\":\"v1\"}}]}");
}

static void
layout_clear (Layout *layout)
{
  g_free (layout->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Layout, layout_clear)

static gboolean
open_layout (const Layout *layout, const char *tag, AtmSource **source_out, GError **error)
{
  g_autofree char *text = g_strconcat ("oci:", layout->path, tag, NULL);
  g_autoptr (AtmOrigin) origin = NULL;

  return atm_origin_parse (text, &origin, error) && atm_layout_open (origin, source_out, error);
}

static void
test_reads (void)
{
  const char *const tags[] = { "", ":v1", ":@0" };
  g_auto (Layout) layout = { 0 };

  layout_init (&layout);
  for (guint i = 0; i < G_N_ELEMENTS (tags); i++)
    {
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) manifest = NULL, by_digest = NULL, blob = NULL, blob512 = NULL;
      g_autofree char *type = NULL, *no_type = NULL;
      AtmDescriptor descriptor = { .digest = layout.blob, .size_bytes = strlen (BLOB) };
      const AtmDescriptor image = { .digest = layout.image, .size_bytes = strlen (IMAGE) };

      g_assert_true (open_layout (&layout, tags[i], &source, &error));
      g_assert_no_error (error);
      g_assert_true (
          atm_source_fetch_manifest (source, NULL, &layout.image, &manifest, &type, NULL, &error));
      g_assert_cmpstr (type, ==, ATM_TYPE_OCI_MANIFEST);
      g_assert_cmpmem (g_bytes_get_data (manifest, NULL), g_bytes_get_size (manifest), IMAGE,
                       strlen (IMAGE));
      g_assert_true (
          atm_source_fetch_manifest (source, &image, NULL, &by_digest, &no_type, NULL, &error));
      g_assert_true (atm_source_fetch_blob (source, &descriptor, 100, &blob, NULL, &error));
      g_assert_cmpmem (g_bytes_get_data (blob, NULL), g_bytes_get_size (blob), BLOB, strlen (BLOB));
      descriptor.digest = layout.blob512;
      g_assert_true (atm_source_fetch_blob (source, &descriptor, 100, &blob512, NULL, &error));
      g_assert_true (g_bytes_equal (blob, blob512));
    }
}

static void
test_indexes (void)
{
#define A "{\"mediaType\":\"x\",\"digest\":\"sha256:HEX\",\"size\":19}"
#define NAMED(n)                                                                                   \
  "{\"digest\":\"sha256:HEX\",\"size\":19,\"annotations\":{\"org.opencontainers.image.ref.name\":" \
  "\"" n "\"}}"
#define MANIFESTS(list) "{\"manifests\":[" list "]}"
  const struct
  {
    const char *index, *tag;
    const char *message; /* NULL: opens */
  } cases[] = {
    { MANIFESTS (A "," A), ":@1", NULL },
    { MANIFESTS (A "," NAMED ("v1")), ":v1", NULL },
    { MANIFESTS (NAMED ("q.io/x:1") "," NAMED ("v2")), ":q.io/x:1", NULL },
    { MANIFESTS (A "," A), "", "There are 2 images" },
    { MANIFESTS (NAMED ("v1") "," NAMED ("v\\u001b")), "", "index.json has: v1, v\\x1b" },
    { MANIFESTS (""), "", "index.json has: nothing" },
    { MANIFESTS (A "," A), ":@2", "no entry number “2”" },
    { MANIFESTS (A "," A), ":@x", "no entry number “x”" },
    { MANIFESTS (A "," A), ":@-1", "no entry number" },
    { MANIFESTS (NAMED ("v1")), ":V1", "no image “V1”; index.json has: v1" },
    { MANIFESTS (NAMED ("v1") "," NAMED ("v1")), ":v1", "more than one image “v1”" },
    { MANIFESTS ("1"), "", "manifests[0]" },
    { MANIFESTS ("{}"), "", "manifests[0].digest" },
    { MANIFESTS ("{\"digest\":\"sha256:..\",\"size\":1}"), "", "manifests[0].digest" },
    { "{\"manifests\":[],\"Manifests\":[]}", "", "different case" },
    { "{}", "", "“manifests” is missing" },
    { "[]", "", "Not a JSON object" },
    { "", "", "index.json" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Layout) layout = { 0 };
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;

      layout_init (&layout);
      put_index (&layout, cases[i].index);
      g_assert_cmpint (open_layout (&layout, cases[i].tag, &source, &error), ==,
                       cases[i].message == NULL);
      if (cases[i].message != NULL && strstr (error->message, cases[i].message) == NULL)
        g_error ("%s: %s", cases[i].index, error->message);
    }
}

static void
test_versions (void)
{
  const struct
  {
    const char *text; /* NULL: no file */
    gboolean good;
  } cases[] = {
    { "{\"imageLayoutVersion\":\"1.0.0\"}", TRUE },
    { "{\"imageLayoutVersion\":\"1.1.0\",\"x\":1}\n", TRUE },
    { "{\"imageLayoutVersion\":\"2.0.0\"}", FALSE },
    { "{\"imageLayoutVersion\":\"10.0\"}", FALSE },
    { "{\"imageLayoutVersion\":1}", FALSE },
    { "{}", FALSE },
    { "", FALSE },
    { NULL, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Layout) layout = { 0 };
      g_autoptr (AtmSource) source = NULL;
      g_autofree char *file = NULL;

      layout_init (&layout);
      file = g_build_filename (layout.path, "oci-layout", NULL);
      g_assert_cmpint (unlink (file), ==, 0);
      if (cases[i].text != NULL)
        put_file (layout.path, "oci-layout", cases[i].text);
      g_assert_cmpint (open_layout (&layout, "", &source, NULL), ==, cases[i].good);
    }
}

/* What replaces the blob on disk. */
typedef enum
{
  BLOB_MISSING,
  BLOB_SHORT,
  BLOB_LONG,
  BLOB_FLIPPED,
  BLOB_LINK,
  BLOB_FIFO,
  BLOB_FOLDER,
  BLOB_BEHIND_LINK,
  N_BLOBS
} BlobDamage;

static void
damage (const Layout *layout, BlobDamage how)
{
  g_autofree char *path = g_build_filename (layout->path, "blobs/sha256", layout->blob.hex, NULL);
  g_autofree char *name = g_strconcat ("blobs/sha256/", layout->blob.hex, NULL);
  g_autofree char *elsewhere = g_build_filename (layout->path, "elsewhere", NULL);
  g_autofree char *folder = g_build_filename (layout->path, "blobs/sha256", NULL);

  if (how != BLOB_BEHIND_LINK)
    g_assert_cmpint (unlink (path), ==, 0);
  put_file (layout->path, "secret", BLOB);
  switch (how)
    {
    case BLOB_SHORT:
      put_file (layout->path, name, "hello");
      break;
    case BLOB_LONG:
      put_file (layout->path, name, BLOB "!");
      break;
    case BLOB_FLIPPED:
      put_file (layout->path, name, "hello blOb");
      break;
    case BLOB_LINK:
      g_assert_cmpint (symlink ("../../secret", path), ==, 0);
      break;
    case BLOB_FIFO:
      g_assert_cmpint (mkfifo (path, 0644), ==, 0);
      break;
    case BLOB_FOLDER:
      g_assert_cmpint (mkdir (path, 0755), ==, 0);
      break;
    case BLOB_BEHIND_LINK:
      g_assert_cmpint (rename (folder, elsewhere), ==, 0);
      g_assert_cmpint (symlink ("../elsewhere", folder), ==, 0);
      break;
    case BLOB_MISSING:
    case N_BLOBS:
      break;
    }
}

static void
test_refuses_blobs (void)
{
  for (int how = 0; how < N_BLOBS; how++)
    {
      g_auto (Layout) layout = { 0 };
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) blob = NULL;
      AtmDescriptor descriptor = { 0 };

      layout_init (&layout);
      g_assert_true (open_layout (&layout, "", &source, &error));
      damage (&layout, (BlobDamage) how);
      descriptor.digest = layout.blob;
      descriptor.size_bytes = strlen (BLOB);
      g_assert_false (atm_source_fetch_blob (source, &descriptor, 100, &blob, NULL, &error));
      g_assert_null (blob);
      if (how == BLOB_MISSING)
        g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
      else if (how == BLOB_SHORT || how == BLOB_LONG)
        g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE);
      else if (how == BLOB_FLIPPED)
        g_assert_error (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH);
      else if (how == BLOB_FIFO || how == BLOB_FOLDER)
        g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL);
    }
}

static void
test_refuses_manifests (void)
{
  g_auto (Layout) layout = { 0 };
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL, *type = NULL;
  AtmDescriptor descriptor = { 0 };
  GBytes *bytes = NULL;

  layout_init (&layout);
  g_assert_true (open_layout (&layout, "", &source, &error));
  g_assert_false (
      atm_source_fetch_manifest (source, NULL, &layout.blob, &bytes, &type, NULL, &error));
  g_assert_error (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH);
  g_clear_error (&error);

  descriptor.digest = layout.image;
  descriptor.size_bytes = strlen (IMAGE) + 1;
  g_assert_false (
      atm_source_fetch_manifest (source, &descriptor, NULL, &bytes, &type, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE);
  g_clear_error (&error);
  descriptor.size_bytes = ATM_MANIFEST_MAX_BYTES + 1;
  g_assert_false (
      atm_source_fetch_manifest (source, &descriptor, NULL, &bytes, &type, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE);
  g_clear_error (&error);
  descriptor.size_bytes = 101;
  g_assert_false (atm_source_fetch_blob (source, &descriptor, 100, &bytes, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE);
  g_clear_error (&error);

  name = g_strconcat ("blobs/sha256/", layout.image.hex, NULL);
  put_file (layout.path, name, "{\"schemaVersion\":3}");
  g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_error (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH);
  g_assert_null (bytes);
}

/* Skipped bytes count and are hashed too, and an error is said again. */
static void
test_stream (void)
{
  g_auto (Layout) layout = { 0 };
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GInputStream) good = NULL, slow = NULL, bad = NULL;
  g_autoptr (GError) error = NULL;
  AtmDescriptor descriptor = { 0 };
  char buffer[64];

  layout_init (&layout);
  g_assert_true (open_layout (&layout, "", &source, &error));
  descriptor.digest = layout.blob;
  descriptor.size_bytes = strlen (BLOB);
  g_assert_true (atm_source_open_blob (source, &descriptor, &good, NULL, &error));
  g_assert_cmpint (g_input_stream_skip (good, 3, NULL, &error), ==, 3);
  g_assert_cmpint (g_input_stream_read (good, buffer, sizeof buffer, NULL, &error), ==, 7);
  g_assert_cmpint (g_input_stream_read (good, buffer, sizeof buffer, NULL, &error), ==, 0);
  g_assert_cmpint (g_input_stream_read (good, buffer, sizeof buffer, NULL, &error), ==, 0);
  g_assert_true (g_input_stream_close (good, NULL, &error));

  /* One byte at a time: what was read ahead is given out first. */
  g_assert_true (atm_source_open_blob (source, &descriptor, &slow, NULL, &error));
  for (guint i = 0; i < strlen (BLOB); i++)
    {
      g_assert_cmpint (g_input_stream_read (slow, buffer, 1, NULL, &error), ==, 1);
      g_assert_cmpint (buffer[0], ==, BLOB[i]);
    }
  g_assert_cmpint (g_input_stream_read (slow, buffer, 1, NULL, &error), ==, 0);

  damage (&layout, BLOB_FLIPPED);
  g_assert_true (atm_source_open_blob (source, &descriptor, &bad, NULL, &error));
  g_assert_cmpint (g_input_stream_skip (bad, 10, NULL, &error), ==, 10);
  for (guint i = 0; i < 2; i++, g_clear_error (&error))
    {
      g_assert_cmpint (g_input_stream_read (bad, buffer, sizeof buffer, NULL, &error), ==, -1);
      g_assert_error (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/layout/reads", test_reads);
  g_test_add_func ("/layout/indexes", test_indexes);
  g_test_add_func ("/layout/versions", test_versions);
  g_test_add_func ("/layout/refuses-blobs", test_refuses_blobs);
  g_test_add_func ("/layout/refuses-manifests", test_refuses_manifests);
  g_test_add_func ("/layout/stream", test_stream);
  return g_test_run ();
}
