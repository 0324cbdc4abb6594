/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "trust/lookaside.h"
#include "trust/registriesd.h"
#include "trust/signature.h"
#include "trust/trust.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

/* ---- URLs ---- */

static void
test_urls (void)
{
  const struct
  {
    const char *url;
    const char *checked; /* NULL: refused */
  } cases[] = {
    { "file:///srv/sigs", "file:///srv/sigs" },
    { "file:///srv/sigs//", "file:///srv/sigs" },
    { "file:/srv/sigs", "file:/srv/sigs" },
    { "file://localhost/srv", "file://localhost/srv" },
    { "https://s.example/sigs/", "https://s.example/sigs" },
    { "HTTP://s.example:8080", "HTTP://s.example:8080" },
    { "", NULL },
    { "/srv/sigs", NULL },
    { "srv/sigs", NULL },
    { "file:srv", NULL },
    { "file://other/srv", NULL },
    { "file:///srv?x", NULL },
    { "file:///srv#x", NULL },
    { "file:///srv/%00", NULL },
    { "ftp://s.example/", NULL },
    { "docker://s.example/", NULL },
    { "https://user@s.example/", NULL },
    { "https://user:pw@s.example/", NULL },
    { "https://s.example/?q", NULL },
    { "https://s.example/#f", NULL },
    { "https:///x", NULL },
    { "https:", NULL },
    { "://", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *url = NULL;
      g_autoptr (GError) error = NULL;

      if (atm_lookaside_check_url (cases[i].url, &url, &error) != (cases[i].checked != NULL))
        g_error ("%s", cases[i].url);
      g_assert_cmpstr (url, ==, cases[i].checked);
      if (url == NULL)
        g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
    }
}

/* ---- registries.d ---- */

/* Files are separated by “|”. */
static gboolean
add_files (AtmRegistriesd *conf, const char *files, GError **error)
{
  g_auto (GStrv) texts = g_strsplit (files, "|", -1);

  for (guint i = 0; texts[i] != NULL; i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (texts[i]);
      g_autofree char *path = g_strdup_printf ("FILE%u", i + 1);

      if (!atm_registriesd_add (conf, bytes, path, error))
        return FALSE;
    }
  return TRUE;
}

static void
test_look_up (void)
{
  const struct
  {
    const char *files, *image, *url;
  } cases[] = {
    { "", "h.test/a:1", NULL },
    { "default-docker:\ndocker:\n", "h.test/a:1", NULL },
    { "default-docker: {lookaside: file:///d}", "h.test/a:1", "file:///d" },
    { "default-docker: {sigstore: file:///d}", "h.test/a:1", "file:///d" },
    { "default-docker: {sigstore: file:///o, lookaside: file:///n}", "h.test/a:1", "file:///n" },
    { "default-docker: {sigstore: file:///o, lookaside: ''}", "h.test/a:1", "file:///o" },
    { "default-docker: {lookaside-staging: file:///d}", "h.test/a:1", NULL },
    { "default-docker: {lookaside: file:///d}|docker: {h.test: {lookaside: file:///h}}",
      "h.test/a:1", "file:///h" },
    { "docker: {h.test: {lookaside: file:///h}}|docker: {h.test/a: {lookaside: file:///a}}",
      "h.test/a:1", "file:///a" },
    { "docker: {h.test: {lookaside: file:///h}, 'h.test/a:1': {lookaside: file:///t}}",
      "h.test/a:1", "file:///t" },
    /* Row 60. */
    { "docker: {h.test: {lookaside: file:///h}, h.test/a: {lookaside-staging: file:///s}}",
      "h.test/a:1", "file:///h" },
    { "docker: {h.test: {lookaside: file:///h}, h.test/a: ~}", "h.test/a:1", "file:///h" },
    { "docker: {H.Test: {lookaside: file:///h}}", "h.test/a:1", "file:///h" },
    { "docker: {'*.test': {lookaside: file:///w}}", "h.test:5000/a:1", "file:///w" },
    { "docker: {h.test: {lookaside: file:///h}}", "h.test:5000/a:1", NULL },
    { "docker: {localhost: {lookaside: file:///a}, 'localhost:8080': {lookaside: file:///b}}",
      "localhost:9999/x", NULL },
    { "docker: {h.test: {lookaside: file:///h, use-sigstore-attachments: true, new: {a: b}}}",
      "h.test/a:1", "file:///h" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();
      g_autoptr (AtmImageName) name = NULL;
      g_autoptr (GError) error = NULL;

      if (!add_files (conf, cases[i].files, &error))
        g_error ("%s: %s", cases[i].files, error->message);
      g_assert_true (atm_name_parse (cases[i].image, TRUE, &name, NULL));
      g_assert_cmpstr (atm_registriesd_look_up (conf, name), ==, cases[i].url);
    }
}

/* Row 59. */
static void
test_conf_refuses (void)
{
  const struct
  {
    const char *files, *message;
  } cases[] = {
    { "docker: {h.test: {}}|docker: {h.test: {}}", "also in FILE1" },
    { "docker: {h.test: {}}|docker: {H.test: {}}", "also in FILE1" },
    { "default-docker: {}|default-docker: {}", "also in FILE1" },
    { "docker: {h.test: {}, h.test: {}}", "FILE1" },
    { "docker: {h.test: {lookaside: file:///a, lookaside: file:///a}}", "FILE1" },
    { "docker: [a]", "FILE1" },
    { "docker: x", "no mapping" },
    { "docker: {h.test: x}", "docker[h.test]" },
    { "default-docker: x", "no mapping" },
    { "docker: {h.test: {lookaside: {a: b}}}", "no URL" },
    { "docker: {h.test: {lookaside: 'ftp://x/'}}", "docker[h.test].lookaside" },
    { "docker: {h.test: {lookaside: /srv}}", "file:///FOLDER" },
    { "docker: {h.test: {sigstore-staging: /srv}}", "sigstore-staging" },
    { "docker: {h.test: {use-sigstore-attachments: maybe}}", "true nor false" },
    { "{}|{", "FILE2" },
    { "a: &b c", "FILE1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();
      g_autoptr (GError) error = NULL;

      if (add_files (conf, cases[i].files, &error))
        g_error ("accepted: %s", cases[i].files);
      g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
      if (strstr (error->message, cases[i].message) == NULL)
        g_error ("%s: %s", cases[i].files, error->message);
    }
}

static void
write_file (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
test_folder (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *system_folder = g_build_filename (folder, "registries.d", NULL);
  g_autofree char *dangling = g_build_filename (folder, "x.yaml", NULL);
  g_autofree char *sub = g_build_filename (folder, "sub.yaml", NULL);
  g_autoptr (AtmRegistriesd) missing = NULL, named = NULL, of_system = NULL;
  g_autoptr (AtmImageName) name = NULL;
  g_autoptr (GError) error = NULL;
  AtmRegistriesd *conf = NULL;

  g_setenv ("HOME", folder, TRUE);
  g_assert_true (atm_name_parse ("h.test/a", TRUE, &name, NULL));
  g_assert_true (atm_registriesd_load ("/nowhere/at/all", folder, &missing, NULL));
  g_assert_null (atm_registriesd_look_up (missing, name));

  g_assert_cmpint (g_mkdir (system_folder, 0755), ==, 0);
  write_file (system_folder, "default.yaml", "default-docker: {lookaside: file:///s}");
  g_assert_true (atm_registriesd_load (NULL, folder, &of_system, NULL));
  g_assert_cmpstr (atm_registriesd_look_up (of_system, name), ==, "file:///s");

  write_file (folder, "a.yaml", "docker: {h.test: {lookaside: file:///a}}");
  write_file (folder, "b.yml", "[");
  write_file (folder, "c.yaml~", "[");
  g_assert_cmpint (symlink ("/nowhere", dangling), ==, 0);
  g_assert_true (atm_registriesd_load (folder, folder, &named, &error));
  g_assert_cmpstr (atm_registriesd_look_up (named, name), ==, "file:///a");

  g_assert_cmpint (g_mkdir (sub, 0755), ==, 0);
  g_assert_false (atm_registriesd_load (folder, folder, &conf, &error));
  g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
  g_assert_null (conf);
}

/* ---- reading signatures ---- */

typedef struct
{
  char *base;   /* (owned) */
  char *url;    /* (owned) */
  char *folder; /* (owned) */
  AtmDigest digest;
} Storage;

static void
storage_clear (Storage *storage)
{
  g_free (storage->base);
  g_free (storage->url);
  g_free (storage->folder);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Storage, storage_clear)

static void
storage_init (Storage *storage)
{
  g_autoptr (GBytes) manifest = atm_test_bytes ("{}");

  atm_digest_of (ATM_HASH_SHA256, manifest, &storage->digest);
  storage->base = atm_test_scratch_path ();
  storage->url = g_filename_to_uri (storage->base, NULL, NULL);
  storage->folder = g_strdup_printf ("%s/ns/app@sha256=%s", storage->base, storage->digest.hex);
  g_assert_cmpint (g_mkdir_with_parents (storage->folder, 0755), ==, 0);
}

static gboolean
read_storage (const Storage *storage, AtmTrace *trace, GPtrArray **blobs_out, GError **error)
{
  return atm_lookaside_read (storage->url, "ns/app", &storage->digest, NULL, trace, blobs_out, NULL,
                             error);
}

static void
assert_place (const AtmTrace *trace, guint i, const char *folder, const char *name,
              const char *result)
{
  g_autofree char *url = g_strconcat (folder, "/", name, NULL);
  const AtmTracePlace *place = NULL;

  g_assert_cmpuint (i, <, trace->places->len);
  place = trace->places->pdata[i];
  g_assert_cmpstr (place->url, ==, url);
  g_assert_cmpstr (place->result, ==, result);
}

/* Each file that was tried is told, with the one that ends the list. */
static void
assert_read (const Storage *storage, guint count)
{
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (GPtrArray) blobs = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_strconcat ("file://", storage->folder, NULL);

  if (!read_storage (storage, trace, &blobs, &error))
    g_error ("%s", error->message);
  g_assert_cmpuint (blobs->len, ==, count);
  g_assert_cmpuint (trace->places->len, ==, count + 1);
  for (guint i = 0; i <= count; i++)
    {
      g_autofree char *name = g_strdup_printf ("signature-%u", i + 1);

      assert_place (trace, i, folder, name, i < count ? "1 signature" : "no signature");
    }
}

static void
assert_no_read (const Storage *storage, AtmTrustError code)
{
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (GError) error = NULL;
  GPtrArray *blobs = NULL;
  const AtmTracePlace *last = NULL;

  g_assert_false (read_storage (storage, trace, &blobs, &error));
  g_assert_error (error, ATM_TRUST_ERROR, (int) code);
  g_assert_null (blobs);
  g_assert_cmpuint (trace->places->len, >, 0);
  last = trace->places->pdata[trace->places->len - 1];
  g_assert_cmpstr (last->result, ==, error->message);
}

/* Of a “dir:” image both names that its signatures may have are tried. */
static void
test_read_dir (void)
{
  g_auto (Storage) storage = { 0 };
  g_autoptr (AtmTrace) trace = atm_trace_new (), second = atm_trace_new ();
  g_autoptr (GPtrArray) blobs = NULL, own = NULL;
  g_autofree char *first_name = NULL, *second_name = NULL;
  g_autoptr (GError) error = NULL;

  storage_init (&storage);
  first_name = g_strconcat (storage.digest.hex, ".signature-1", NULL);
  second_name = g_strconcat (storage.digest.hex, ".signature-2", NULL);
  write_file (storage.folder, "signature-1", "a");
  g_assert_true (
      atm_lookaside_read_dir (storage.folder, &storage.digest, trace, &blobs, NULL, &error));
  g_assert_cmpuint (blobs->len, ==, 1);
  g_assert_cmpuint (trace->places->len, ==, 3);
  assert_place (trace, 0, storage.folder, first_name, "no signature");
  assert_place (trace, 1, storage.folder, "signature-1", "1 signature");
  assert_place (trace, 2, storage.folder, "signature-2", "no signature");

  write_file (storage.folder, first_name, "b");
  g_assert_true (
      atm_lookaside_read_dir (storage.folder, &storage.digest, second, &own, NULL, &error));
  g_assert_cmpuint (own->len, ==, 1);
  g_assert_cmpuint (second->places->len, ==, 2);
  assert_place (second, 0, storage.folder, first_name, "1 signature");
  assert_place (second, 1, storage.folder, second_name, "no signature");
}

static void
test_read (void)
{
  g_auto (Storage) storage = { 0 };
  g_autofree char *second = NULL, *parent = NULL, *moved = NULL;

  storage_init (&storage);
  assert_read (&storage, 0);
  write_file (storage.folder, "signature-2", "b");
  assert_read (&storage, 0);
  write_file (storage.folder, "signature-1", "a");
  assert_read (&storage, 2);
  write_file (storage.folder, "signature-4", "d");
  assert_read (&storage, 2);

  second = g_build_filename (storage.folder, "signature-2", NULL);
  g_assert_cmpint (unlink (second), ==, 0);
  g_assert_cmpint (symlink ("signature-1", second), ==, 0);
  assert_no_read (&storage, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
  g_assert_cmpint (unlink (second), ==, 0);
  g_assert_cmpint (g_mkdir (second, 0755), ==, 0);
  assert_no_read (&storage, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
  g_assert_cmpint (rmdir (second), ==, 0);
  g_assert_cmpint (mkfifo (second, 0600), ==, 0);
  assert_no_read (&storage, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
  g_assert_cmpint (unlink (second), ==, 0);
  assert_read (&storage, 1);

  parent = g_build_filename (storage.base, "ns", NULL);
  moved = g_build_filename (storage.base, "moved", NULL);
  g_assert_cmpint (g_rename (parent, moved), ==, 0);
  assert_read (&storage, 0);
  g_assert_cmpint (symlink ("moved", parent), ==, 0);
  assert_no_read (&storage, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
}

/* Row 58. */
static void
test_limits (void)
{
  g_auto (Storage) storage = { 0 };
  g_autofree char *first = NULL;

  storage_init (&storage);
  for (guint i = 1; i <= ATM_SIGNATURES_MAX; i++)
    {
      g_autofree char *name = g_strdup_printf ("signature-%u", i);

      write_file (storage.folder, name, "x");
    }
  assert_read (&storage, ATM_SIGNATURES_MAX);
  write_file (storage.folder, "signature-128", "x");
  assert_no_read (&storage, ATM_TRUST_ERROR_LIMIT_EXCEEDED);

  first = g_build_filename (storage.folder, "signature-1", NULL);
  g_assert_cmpint (truncate (first, ATM_SIGNATURE_MAX_BYTES + 1), ==, 0);
  assert_no_read (&storage, ATM_TRUST_ERROR_LIMIT_EXCEEDED);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/lookaside/urls", test_urls);
  g_test_add_func ("/registriesd/look-up", test_look_up);
  g_test_add_func ("/registriesd/refuses", test_conf_refuses);
  g_test_add_func ("/registriesd/folder", test_folder);
  g_test_add_func ("/lookaside/read", test_read);
  g_test_add_func ("/lookaside/read-dir", test_read_dir);
  g_test_add_func ("/lookaside/limits", test_limits);
  return g_test_run ();
}
