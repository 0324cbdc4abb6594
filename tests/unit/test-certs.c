/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/certificates.h"
#include "fixtures/scratch.h"
#include "registry/certs.h"

static GTlsCertificate *first, *second; /* self-signed, for “localhost” */

static char *
dup_pem (GTlsCertificate *certificate, const char *property)
{
  char *pem = NULL;

  g_object_get (certificate, property, &pem, NULL);
  g_assert_nonnull (pem);
  return pem;
}

static void
put (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

static void
put_pem (const char *folder, const char *name, GTlsCertificate *certificate, const char *property)
{
  g_autofree char *pem = dup_pem (certificate, property);

  put (folder, name, pem);
}

static AtmCerts *
load (const char *folder, const char *host)
{
  const char *const folders[] = { folder, NULL };
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  AtmCerts *certs = NULL;

  g_assert_true (atm_certs_load_below (folders, host, &certs, warnings, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (warnings->len, ==, 0);
  return certs;
}

static GTlsCertificateFlags
verify (const AtmCerts *certs, GTlsCertificate *certificate, const char *host)
{
  g_autoptr (GSocketConnectable) identity = g_network_address_new (host, 443);
  g_autoptr (GError) error = NULL;
  GTlsCertificateFlags flags = g_tls_database_verify_chain (
      certs->extra, certificate, G_TLS_DATABASE_PURPOSE_AUTHENTICATE_SERVER, identity, NULL,
      G_TLS_DATABASE_VERIFY_NONE, NULL, &error);

  g_assert_no_error (error);
  return flags;
}

static void
test_authorities (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autoptr (AtmCerts) one = NULL, both = NULL, other = NULL, port = NULL;

  put_pem (folder, "localhost:5000/a.crt", first, "certificate-pem");
  put_pem (folder, "localhost:5000/a.pem", second, "certificate-pem");
  one = load (folder, "localhost:5000");
  g_assert_cmpint (verify (one, first, "localhost"), ==, 0);
  g_assert_cmpint (verify (one, first, "example.org"), ==, G_TLS_CERTIFICATE_BAD_IDENTITY);
  g_assert_cmpint (verify (one, second, "localhost"), ==, G_TLS_CERTIFICATE_UNKNOWN_CA);
  g_assert_cmpuint (one->pairs->len, ==, 0);
  g_assert_true (g_str_has_suffix (one->folder, "/localhost:5000"));

  put_pem (folder, "localhost:5000/b.crt", second, "certificate-pem");
  both = load (folder, "localhost:5000");
  g_assert_cmpint (verify (both, first, "localhost"), ==, 0);
  g_assert_cmpint (verify (both, second, "localhost"), ==, 0);

  other = load (folder, "localhost");
  port = load (folder, "localhost:50000");
  g_assert_null (other->extra);
  g_assert_null (other->folder);
  g_assert_null (port->extra);
}

static void
test_pairs (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autoptr (AtmCerts) certs = NULL, named = NULL;
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autofree char *cert_dir = g_build_filename (folder, "r.io", NULL), *key = NULL;

  put_pem (folder, "r.io/b.cert", first, "certificate-pem");
  put_pem (folder, "r.io/b.key", first, "private-key-pem");
  put_pem (folder, "r.io/a.cert", second, "certificate-pem");
  put_pem (folder, "r.io/a.key", second, "private-key-pem");
  certs = load (folder, "r.io");
  g_assert_null (certs->extra);
  g_assert_cmpuint (certs->pairs->len, ==, 2);
  g_assert_true (g_tls_certificate_is_same (g_ptr_array_index (certs->pairs, 0), second));
  g_assert_true (g_tls_certificate_is_same (g_ptr_array_index (certs->pairs, 1), first));
  key = dup_pem (g_ptr_array_index (certs->pairs, 0), "private-key-pem");
  g_assert_true (g_str_has_prefix (key, "-----BEGIN "));

  /* --cert-dir is the folder itself, whatever the host. */
  g_assert_true (atm_certs_load ("elsewhere.io", cert_dir, &named, warnings, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (named->pairs->len, ==, 2);
}

static void
test_refuses (void)
{
  g_autofree char *cert = dup_pem (first, "certificate-pem");
  g_autofree char *key = dup_pem (first, "private-key-pem");
  const struct
  {
    const char *name, *text, *other_name, *other_text;
    int code;
    const char *part;
  } bad[] = {
    { "x.cert", cert, NULL, NULL, G_IO_ERROR_NOT_FOUND, "/r.io/x.key is missing" },
    { "x.key", key, NULL, NULL, G_IO_ERROR_NOT_FOUND, "/r.io/x.cert is missing" },
    { "x.cert", cert, "y.key", key, G_IO_ERROR_NOT_FOUND, "/r.io/x.key is missing" },
    { "x.cert", cert, "x.crt", cert, G_IO_ERROR_NOT_FOUND, "/r.io/x.key is missing" },
    { "x.cert", cert, "x.key", cert, G_IO_ERROR_INVALID_DATA, "/r.io/x.cert and x.key" },
    { "x.cert", key, "x.key", key, G_IO_ERROR_INVALID_DATA, "/r.io/x.cert and x.key" },
    { "x.cert", cert, "x.key", "secret", G_IO_ERROR_INVALID_DATA, "x.key is no PEM file" },
    { "x.cert", cert, "x.key", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n",
      G_IO_ERROR_INVALID_DATA, "x.cert and x.key" },
    { "x.crt", "", NULL, NULL, G_IO_ERROR_INVALID_DATA, "x.crt is no PEM file" },
    { "x.crt", "secret", NULL, NULL, G_IO_ERROR_INVALID_DATA, "x.crt is no PEM file" },
    { "x.crt", key, NULL, NULL, G_IO_ERROR_INVALID_DATA, "x.crt holds no certificate" },
    { "x.crt", "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n", NULL, NULL,
      G_IO_ERROR_INVALID_DATA, "x.crt holds no certificate" },
    { "x.crt/y", "", NULL, NULL, G_IO_ERROR_NOT_REGULAR_FILE, "x.crt: Not a regular file" },
  };
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *missing = g_build_filename (folder, "missing", NULL);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) gone = NULL;
  AtmCerts *certs = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *scratch = atm_test_scratch_path ();
      g_autofree char *host = g_build_filename (scratch, "r.io", NULL);
      const char *const folders[] = { scratch, NULL };
      g_autoptr (GError) error = NULL;

      put (host, bad[i].name, bad[i].text);
      if (bad[i].other_name != NULL)
        put (host, bad[i].other_name, bad[i].other_text);
      if (atm_certs_load_below (folders, "r.io", &certs, warnings, &error))
        g_error ("accepted: case %u", i);
      g_assert_error (error, G_IO_ERROR, bad[i].code);
      if (strstr (error->message, bad[i].part) == NULL || strstr (error->message, "secret") != NULL
          || strstr (error->message, scratch) == NULL)
        g_error ("%s: %s", bad[i].part, error->message);
    }
  g_assert_false (atm_certs_load ("r.io", missing, &certs, warnings, &gone));
  g_assert_error (gone, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_null (certs);
}

/* The first folder that exists, even if it is empty. */
static void
test_search (void)
{
  g_autofree char *a = atm_test_scratch_path (), *b = atm_test_scratch_path ();
  g_autofree char *empty = g_build_filename (a, "r.io", NULL);
  const char *const folders[] = { a, b, NULL };
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmCerts) later = NULL, shadowed = NULL;
  g_autoptr (GError) error = NULL;

  put_pem (b, "r.io/a.crt", first, "certificate-pem");
  g_assert_true (atm_certs_load_below (folders, "r.io", &later, warnings, &error));
  g_assert_nonnull (later->extra);
  g_assert_cmpint (g_mkdir (empty, 0755), ==, 0);
  g_assert_true (atm_certs_load_below (folders, "r.io", &shadowed, warnings, &error));
  g_assert_null (shadowed->extra);
  g_assert_cmpstr (shadowed->folder, ==, empty);
  g_assert_cmpuint (warnings->len, ==, 0);
}

/* In a child, because root may read everything. */
static void
test_unreadable_child (void)
{
  const char *const folders[] = { g_getenv ("ATM_TEST_A"), g_getenv ("ATM_TEST_B"), NULL };
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmCerts) certs = NULL;
  g_autoptr (GError) error = NULL;

  if (geteuid () == 0)
    g_assert_cmpint (setresuid (65534, 65534, 65534), ==, 0);
  g_assert_true (atm_certs_load_below (folders, "r.io", &certs, warnings, &error));
  g_assert_no_error (error);
  g_assert_nonnull (certs->extra);
  g_assert_cmpuint (warnings->len, ==, 1);
  g_assert_nonnull (strstr (g_ptr_array_index (warnings, 0), folders[0]));
}

static void
test_unreadable (void)
{
  g_autofree char *a = atm_test_scratch_path (), *b = atm_test_scratch_path ();
  g_autofree char *folder = g_build_filename (a, "r.io", NULL);
  g_autofree char *scratch = g_path_get_dirname (a);

  g_assert_cmpint (chmod (scratch, 0755), ==, 0);
  put_pem (a, "r.io/a.crt", first, "certificate-pem");
  put_pem (b, "r.io/a.crt", first, "certificate-pem");
  g_assert_cmpint (chmod (folder, 0), ==, 0);
  g_assert_cmpint (chmod (a, 0755), ==, 0);
  g_assert_cmpint (chmod (b, 0755), ==, 0);
  g_setenv ("ATM_TEST_A", a, TRUE);
  g_setenv ("ATM_TEST_B", b, TRUE);
  g_test_trap_subprocess ("/certs/unreadable/subprocess", 0, 0);
  g_test_trap_assert_passed ();
  g_assert_cmpint (chmod (folder, 0755), ==, 0);
}

int
main (int argc, char *argv[])
{
  int status = 0;

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  first = atm_test_certificate_new ();
  second = atm_test_certificate_new ();
  g_test_add_func ("/certs/authorities", test_authorities);
  g_test_add_func ("/certs/pairs", test_pairs);
  g_test_add_func ("/certs/refuses", test_refuses);
  g_test_add_func ("/certs/search", test_search);
  g_test_add_func ("/certs/unreadable", test_unreadable);
  g_test_add_func ("/certs/unreadable/subprocess", test_unreadable_child);
  status = g_test_run ();
  g_clear_object (&first);
  g_clear_object (&second);
  return status;
}
