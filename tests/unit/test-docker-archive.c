/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images in archives and folders, by hand and by skopeo. */
#include <string.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "image/config.h"
#include "image/dir.h"
#include "image/docker-archive.h"
#include "image/layout.h"

/* ---- Docker archives ---- */

static char *
write_file (GBytes *bytes, const char *name)
{
  g_autofree char *folder = atm_test_scratch_path ();
  char *path = g_build_filename (folder, name, NULL);
  gsize length = 0;
  const char *data = g_bytes_get_data (bytes, &length);

  g_assert_true (g_file_set_contents (path, data, (gssize) length, NULL));
  return path;
}

static void
check_message (const char *row, const GError *error, const char *part)
{
  if (strstr (error->message, part) == NULL)
    g_error ("%s: “%s” is not in: %s", row, part, error->message);
}

/* An image of two layers, and the archive of it under construction. */
typedef struct
{
  AtmTestImage *image; /* (owned) */
  GBytes *tars[2];     /* (owned): its layers */

} Docker;

static void
docker_init (Docker *docker)
{
  docker->image = atm_test_image_new ();
  docker->tars[0] = atm_test_tar_of ("d bin\nf bin/run hello\n");
  docker->tars[1] = atm_test_tar_of ("d etc\nf etc/conf x=1\n");
  for (guint i = 0; i < G_N_ELEMENTS (docker->tars); i++)
    atm_test_image_take (docker->image, atm_test_gzip (docker->tars[i]),
                         g_bytes_ref (docker->tars[i]));
  atm_test_image_end (docker->image);
}

static void
docker_clear (Docker *docker)
{
  atm_test_image_free (docker->image);
  g_clear_pointer (&docker->tars[0], g_bytes_unref);
  g_clear_pointer (&docker->tars[1], g_bytes_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Docker, docker_clear)

static void
add_bytes (AtmTestTar *tar, const char *name, GBytes *bytes)
{
  gsize length = 0;
  gconstpointer data = g_bytes_get_data (bytes, &length);

  static const char zeros[512];

  atm_test_tar_add_raw (tar, '0', name, 0644, "", "", length);
  atm_test_tar_append (tar, data, length);
  atm_test_tar_append (tar, zeros, (512 - length % 512) % 512);
}

/* @files: what is in the archive besides layers and configuration, “NAME CONTENT” a line. */
static char *
write_docker (const Docker *docker, const char *files)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (GBytes) gzip = atm_test_gzip (docker->tars[0]), zstd = atm_test_zstd (docker->tars[1]),
                     cut = g_bytes_new_from_bytes (gzip, 0, g_bytes_get_size (gzip) / 2),
                     list = atm_test_bytes ("[]"), end = NULL;
  g_auto (GStrv) lines = g_strsplit (files, "\n", -1);

  add_bytes (tar, "c.json", docker->image->config);
  add_bytes (tar, "list.json", list);
  add_bytes (tar, "1.tar", docker->tars[0]);
  add_bytes (tar, "b/layer.tar", docker->tars[1]);
  add_bytes (tar, "1.tar.gz", gzip);
  add_bytes (tar, "2.tar.zst", zstd);
  add_bytes (tar, "cut.tar.gz", cut);
  atm_test_tar_add (tar, '2', "a/layer.tar", 0777, "../1.tar", "");
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) parts = g_strsplit (lines[i], " ", 2);

      if (parts[0] != NULL && parts[1] != NULL)
        atm_test_tar_add (tar, '0', parts[0], 0644, "", parts[1]);
    }
  end = atm_test_tar_end (tar);
  return write_file (end, "My-image.tar");
}

static gboolean
open_docker (const char *path, const char *which, AtmOrigin **origin_out, AtmSource **source_out,
             GError **error)
{
  g_autofree char *text = g_strconcat ("dockertar:", path, which, NULL);
  g_autoptr (AtmOrigin) origin = NULL;

  if (!atm_origin_parse (text, &origin, error)
      || !atm_docker_archive_learn_name (origin, "/var/tmp", NULL, error)
      || !atm_docker_archive_open (origin, "/var/tmp", source_out, NULL, error))
    return FALSE;
  *origin_out = g_steal_pointer (&origin);
  return TRUE;
}

/* Reads all that a source has, which checks sizes and digests. Returns the number of layers. */
static guint
read_image (AtmSource *source)
{
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;
  g_autoptr (GBytes) bytes = NULL, config_bytes = NULL;
  g_autofree char *type = NULL;
  g_autoptr (GError) error = NULL;
  AtmManifestKind kind;

  g_assert_true (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_true (atm_manifest_get_kind (bytes, type, "test", &kind, &error));
  g_assert_cmpint (kind, ==, ATM_MANIFEST_KIND_IMAGE);
  g_assert_true (atm_manifest_parse (bytes, &manifest, &error));
  g_assert_true (atm_source_fetch_blob (source, &manifest->config, ATM_CONFIG_MAX_BYTES,
                                        &config_bytes, NULL, &error));
  g_assert_true (atm_config_parse (config_bytes, manifest, NULL, &config, &error));
  for (guint i = 0; i < manifest->layers->len; i++)
    {
      g_autoptr (GBytes) layer = NULL;

      if (!atm_source_fetch_blob (source, manifest->layers->pdata[i], 10000000, &layer, NULL,
                                  &error))
        g_error ("%s", error->message);
    }
  return manifest->layers->len;
}

#define IMAGE(config, tags, layers)                                                                \
  "{\"Config\":\"" config "\",\"RepoTags\":" tags ",\"Layers\":[" layers "]}"
#define LAYERS "\"1.tar\",\"b/layer.tar\""
#define ONE(tags) "manifest.json [" IMAGE ("c.json", tags, LAYERS) "]"
#define TWO                                                                                        \
  "manifest.json [" IMAGE ("c.json", "[\"busybox:1\",\"q.io/b:2\"]",                               \
                           LAYERS) "," IMAGE ("c.json", "null", LAYERS) "]"
#define WITH(layers) "manifest.json [" IMAGE ("c.json", "null", layers) "]"

static void
test_docker (void)
{
  const struct
  {
    const char *files, *which;
    const char *result; /* a name, or part of the message */
    gboolean good;
  } cases[] = {
    { ONE ("[\"busybox:1\"]"), "", "busybox:1", TRUE },
    { ONE ("[\"busybox\"]"), "", "busybox:latest", TRUE },
    { ONE ("[\"docker.io/library/busybox:1\"]"), ":busybox:1", "busybox:1", TRUE },
    { ONE ("null"), "", "my-image:latest", TRUE },
    { ONE ("[]"), "", "my-image:latest", TRUE },
    { ONE ("null"), ":@0", "my-image:latest", TRUE },
    { TWO, ":@0", "busybox:1", TRUE },
    { TWO, ":@1", "my-image:latest", TRUE },
    { TWO, ":q.io/b:2", "q.io/b:2", TRUE },
    { WITH ("\"a/layer.tar\",\"./b//layer.tar\""), "", "my-image:latest", TRUE },
    { WITH ("\"1.tar.gz\",\"2.tar.zst\""), "", "my-image:latest", TRUE },
    /* Members that docker 25 and others add. */
    { "manifest.json [{\"Config\":\"c.json\",\"Layers\":[" LAYERS "],\"LayerSources\":{\"x\":{}},"
      "\"Parent\":\"y\"}]",
      "", "my-image:latest", TRUE },
    /* Both forms, and the index lacks the image: manifest.json counts. */
    { ONE ("null") "\noci-layout {}\nindex.json {}\nrepositories {}", "", "my-image:latest", TRUE },

    { TWO, "", "@0 (busybox:1), @1", FALSE },
    { TWO, ":@2", "no image number “2”", FALSE },
    { TWO, ":@", "no image number", FALSE },
    { TWO, ":other", "no image “other”; the archive holds: @0 (busybox:1), @1", FALSE },
    { "manifest.json [" IMAGE ("c.json", "[\"x:1\"]", LAYERS) "," IMAGE ("c.json", "[\"x:1\"]",
                                                                         LAYERS) "]",
      ":x:1", "more than one image “x:1”", FALSE },
    { "manifest.json []", "", "holds: nothing", FALSE },
    { "manifest.json {}", "", "no list", FALSE },
    { "manifest.json [1]", "", "no object", FALSE },
    { "manifest.json [{}]", "", "Config", FALSE },
    { "manifest.json [{\"Config\":\"c.json\",\"config\":\"x\"}]", "", "different case", FALSE },
    { "manifest.json [{\"Config\":\"c.json\",\"Config\":\"x\"}]", "", "manifest.json", FALSE },
    { "manifest.json [", "", "manifest.json", FALSE },
    { "manifest.json [{\"Config\":1}]", "", "wrong type", FALSE },
    { "manifest.json [{\"Config\":\"c.json\",\"Layers\":[1]}]", "", "wrong type", FALSE },
    { "manifest.json [{\"Config\":\"c.json\",\"RepoTags\":\"x\"}]", "", "wrong type", FALSE },
    { ONE ("[\"UPPER:1\"]"), "", "the archive names the image", FALSE },
    { ONE ("[\"x\\u001b\"]"), "", "the archive names the image", FALSE },
    { "manifest.json [" IMAGE ("none.json", "null", LAYERS) "]", "", "none.json", FALSE },
    { "manifest.json [" IMAGE ("list.json", "null", LAYERS) "]", "", "list.json", FALSE },
    { "manifest.json [" IMAGE ("1.tar", "null", LAYERS) "]", "", "configuration 1.tar", FALSE },
    { "manifest.json [" IMAGE ("/etc/passwd", "null", LAYERS) "]", "", "no file “/etc/passwd”",
      FALSE },
    { WITH ("\"1.tar\""), "", "1 layers, but the configuration has 2 diff IDs", FALSE },
    { WITH (LAYERS "," LAYERS), "", "4 layers, but", FALSE },
    { WITH ("\"1.tar\",\"none.tar\""), "", "layer 2: The archive has no file “none.tar”", FALSE },
    { WITH ("\"cut.tar.gz\",\"b/layer.tar\""), "", "layer 1: The compressed bytes are damaged",
      FALSE },
    { "repositories {}", "", "too old", FALSE },
    { "x y", "", "no Docker archive", FALSE },
    { "index.json {}\noci-layout {}", "", "imageLayoutVersion", FALSE },
    { ONE ("null") "\nmanifest.json []", "", "more than once", FALSE },
  };
  g_auto (Docker) docker = { 0 };
  g_autoptr (GBytes) first = NULL;

  docker_init (&docker);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = write_docker (&docker, cases[i].files), *type = NULL;
      g_autoptr (AtmOrigin) origin = NULL;
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GBytes) manifest = NULL;
      g_autoptr (GError) error = NULL;

      if (open_docker (path, cases[i].which, &origin, &source, &error) != cases[i].good)
        g_error ("%s: %s", cases[i].files, error != NULL ? error->message : "opened");
      if (!cases[i].good)
        {
          check_message (cases[i].files, error, cases[i].result);
          continue;
        }
      g_assert_cmpstr (origin->name->familiar, ==, cases[i].result);
      g_assert_nonnull (origin->notice);
      g_assert_cmpuint (read_image (source), ==, 2);
      /* One image is one digest, however it was packed. */
      g_assert_true (
          atm_source_fetch_manifest (source, NULL, NULL, &manifest, &type, NULL, &error));
      g_assert_cmpstr (type, ==, ATM_TYPE_DOCKER_MANIFEST);
      if (first == NULL)
        first = g_bytes_ref (manifest);
      g_assert_true (g_bytes_equal (first, manifest));
    }
}

/* Layers that are not what the configuration says are found when they are read. */
static void
test_docker_wrong_layers (void)
{
  g_auto (Docker) docker = { 0 };
  g_autofree char *path = NULL, *type = NULL;
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (GBytes) bytes = NULL, layer = NULL;
  g_autoptr (GError) error = NULL;
  AtmDescriptor other = { .digest = { ATM_HASH_SHA256, "" }, .size_bytes = 5 };

  docker_init (&docker);
  path = write_docker (&docker, WITH ("\"b/layer.tar\",\"1.tar\""));
  g_assert_true (open_docker (path, "", &origin, &source, &error));
  g_assert_true (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_true (atm_manifest_parse (bytes, &manifest, &error));
  g_assert_false (
      atm_source_fetch_blob (source, manifest->layers->pdata[0], 100000, &layer, NULL, &error));
  g_assert_error (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH);
  g_clear_error (&error);

  atm_digest_of (ATM_HASH_SHA256, docker.image->manifest, &other.digest);
  g_assert_false (atm_source_fetch_blob (source, &other, 100000, &layer, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (atm_source_fetch_manifest (source, &other, NULL, &layer, &type, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
}

/* ---- what skopeo writes ---- */

static void
put (const char *folder, const char *name, GBytes *bytes)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  gsize length = 0;
  const char *data = g_bytes_get_data (bytes, &length);

  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  g_assert_true (g_file_set_contents (path, data, (gssize) length, NULL));
}

static void
put_blob (const char *folder, GBytes *bytes)
{
  g_autofree char *hex = atm_sha256_hex (bytes);
  g_autofree char *name = g_strconcat ("blobs/sha256/", hex, NULL);

  put (folder, name, bytes);
}

static char *
write_layout (const Docker *docker)
{
  g_autofree char *hex = atm_sha256_hex (docker->image->manifest);
  g_autofree char *text
      = g_strdup_printf ("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"digest\":"
                         "\"sha256:%s\",\"size\":%" G_GSIZE_FORMAT "}]}",
                         ATM_TYPE_OCI_MANIFEST, hex, g_bytes_get_size (docker->image->manifest));
  g_autoptr (GBytes) index = atm_test_bytes (text),
                     version = atm_test_bytes ("{\"imageLayoutVersion\":\"1.0.0\"}");
  char *folder = atm_test_scratch_path ();

  put (folder, "index.json", index);
  put (folder, "oci-layout", version);
  put_blob (folder, docker->image->manifest);
  put_blob (folder, docker->image->config);
  for (guint i = 0; i < docker->image->blobs->len; i++)
    put_blob (folder, docker->image->blobs->pdata[i]);
  return folder;
}

static gboolean
skopeo (const char *layout, const char *to)
{
  g_autofree char *from = g_strconcat ("oci:", layout, NULL);
  g_autofree char *program = g_find_program_in_path ("skopeo");
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  if (program == NULL)
    {
      g_test_skip ("skopeo is not installed");
      return FALSE;
    }
  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE, &error, program,
                              "--insecure-policy", "copy", "-q", from, to, NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_wait_check (process, NULL, &error));
  return TRUE;
}

static void
test_skopeo_docker (void)
{
  g_auto (Docker) docker = { 0 };
  g_autofree char *layout = NULL, *folder = atm_test_scratch_path (), *path = NULL, *to = NULL;
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;

  docker_init (&docker);
  layout = write_layout (&docker);
  path = g_build_filename (folder, "x.tar", NULL);
  to = g_strconcat ("docker-archive:", path, ":q.io/hello:1", NULL);
  if (!skopeo (layout, to))
    return;
  g_assert_true (open_docker (path, "", &origin, &source, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (origin->name->familiar, ==, "q.io/hello:1");
  g_assert_cmpuint (read_image (source), ==, 2);
}

static void
test_skopeo_oci (void)
{
  g_auto (Docker) docker = { 0 };
  g_autofree char *layout = NULL, *folder = atm_test_scratch_path (), *path = NULL, *to = NULL;
  const char *const tags[] = { "", ":v1", ":@0" };

  docker_init (&docker);
  layout = write_layout (&docker);
  path = g_build_filename (folder, "x.tar", NULL);
  to = g_strconcat ("oci-archive:", path, ":v1", NULL);
  if (!skopeo (layout, to))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (tags); i++)
    {
      g_autofree char *text = g_strconcat ("oci-archive:", path, tags[i], NULL), *type = NULL;
      g_autoptr (AtmOrigin) origin = NULL;
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GBytes) manifest = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_origin_parse (text, &origin, &error));
      g_assert_true (atm_layout_open_archive (origin, "/var/tmp", &source, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (read_image (source), ==, 2);
      g_assert_true (
          atm_source_fetch_manifest (source, NULL, NULL, &manifest, &type, NULL, &error));
      g_assert_true (g_bytes_equal (manifest, docker.image->manifest));
    }
  {
    g_autofree char *text = g_strconcat ("oci-archive:", path, ":v2", NULL);
    g_autofree char *as_docker = g_strconcat ("dockertar:", path, ":v1", NULL);
    g_autoptr (AtmOrigin) origin = NULL, docker_origin = NULL;
    g_autoptr (AtmSource) source = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_true (atm_origin_parse (text, &origin, &error));
    g_assert_false (atm_layout_open_archive (origin, "/var/tmp", &source, NULL, &error));
    g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
    check_message ("v2", error, "index.json has: v1");
    g_clear_error (&error);

    /* Without manifest.json a layout is what a Docker archive holds; its digest is nobody's. */
    g_assert_true (atm_origin_parse (as_docker, &docker_origin, &error));
    g_assert_true (atm_docker_archive_learn_name (docker_origin, "/var/tmp", NULL, &error));
    g_assert_true (atm_docker_archive_open (docker_origin, "/var/tmp", &source, NULL, &error));
    g_assert_null (docker_origin->notice);
    g_assert_cmpuint (read_image (source), ==, 2);
  }
}

static gboolean
open_dir (const char *folder, AtmSource **source_out, GError **error)
{
  g_autofree char *text = g_strconcat ("dir:", folder, NULL);
  g_autoptr (AtmOrigin) origin = NULL;

  return atm_origin_parse (text, &origin, error) && atm_dir_open (origin, source_out, error);
}

static void
test_skopeo_dir (void)
{
  g_auto (Docker) docker = { 0 };
  g_autofree char *layout = NULL, *folder = atm_test_scratch_path (), *to = NULL;
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;

  docker_init (&docker);
  layout = write_layout (&docker);
  to = g_strconcat ("dir:", folder, NULL);
  if (!skopeo (layout, to))
    return;
  g_assert_true (open_dir (folder, &source, &error));
  g_assert_cmpuint (read_image (source), ==, 2);
}

/* ---- folders ---- */

static void
test_dir_refuses (void)
{
  const char *const versions[] = { NULL, "", "Directory Transport Version: 2.0\n", "1.1" };
  g_autofree char *folder = atm_test_scratch_path (), *secret = atm_test_scratch_path ();
  g_autofree char *link = g_build_filename (folder, "manifest.json", NULL),
                  *target = g_build_filename (secret, "m", NULL), *type = NULL;
  g_autoptr (GBytes) good = atm_test_bytes ("Directory Transport Version: 1.1\n"),
                     manifest = atm_test_bytes ("{\"schemaVersion\":2}"), bytes = NULL;
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;
  AtmDescriptor instance = { .digest = { ATM_HASH_SHA256, "" }, .size_bytes = 19 };
  g_autofree char *name = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (versions); i++, g_clear_error (&error))
    {
      if (versions[i] != NULL)
        {
          g_autoptr (GBytes) version = atm_test_bytes (versions[i]);

          put (folder, "version", version);
        }
      g_assert_false (open_dir (folder, &source, &error));
      check_message ("version", error, "version");
    }

  put (folder, "version", good);
  g_assert_true (open_dir (folder, &source, &error));
  g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  put (secret, "m", manifest);
  g_assert_cmpint (symlink (target, link), ==, 0);
  g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  g_clear_error (&error);

  /* An entry of an index stands under its digest, and so does a blob. */
  atm_digest_of (ATM_HASH_SHA256, manifest, &instance.digest);
  name = g_strconcat (instance.digest.hex, ".manifest.json", NULL);
  put (folder, name, manifest);
  g_assert_true (atm_source_fetch_manifest (source, &instance, NULL, &bytes, &type, NULL, &error));
  g_assert_false (atm_source_fetch_blob (source, &instance, 100, &bytes, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_clear_pointer (&bytes, g_bytes_unref);
  put (folder, instance.digest.hex, good);
  g_assert_false (atm_source_fetch_blob (source, &instance, 100, &bytes, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/docker-archive/reads", test_docker);
  g_test_add_func ("/docker-archive/wrong-layers", test_docker_wrong_layers);
  g_test_add_func ("/docker-archive/skopeo-docker", test_skopeo_docker);
  g_test_add_func ("/docker-archive/skopeo-oci", test_skopeo_oci);
  g_test_add_func ("/docker-archive/skopeo-dir", test_skopeo_dir);
  g_test_add_func ("/docker-archive/dir-refuses", test_dir_refuses);
  return g_test_run ();
}
