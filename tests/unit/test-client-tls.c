/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "fixtures/certificates.h"
#include "fixtures/client.h"
#include "fixtures/scratch.h"

/* Connections and TLS: registry.md 8.1.

   row  1       test_refused
   row  2       test_silent, test_cancelled
   rows 3, 4    test_plain_port
   rows 5 to 7  test_certificates
   rows 8, 9    test_client_certificate
   row  10      test_drops
   rows 11, 12  test_protocols
   and 3.2: test_tls_verify */

#define HERE "IP:127.0.0.1"

static void
answer_empty (const char *request, GString *response, gpointer user_data)
{
  (void) request;
  (void) user_data;
  atm_test_http_reply (response, "200 OK", "", "{}");
}

static char *
make_insecure (const char *host)
{
  return g_strdup_printf ("[[registry]]\nlocation = \"%s\"\ninsecure = true", host);
}

static AtmSource *
open_with (AtmTestClient *client, AtmTestHttp *http, const char *conf)
{
  g_autofree char *image = g_strconcat (atm_test_http_get_host (http), ATM_TEST_PATH, NULL);

  return atm_test_client_open (client, image, conf);
}

static void
assert_unreachable (AtmSource *source, const char *message)
{
  g_autoptr (GError) error = atm_test_assert_no_manifest (source, ATM_SOURCE_ERROR,
                                                          ATM_SOURCE_ERROR_UNREACHABLE, message);

  g_assert_nonnull (error);
}

static void
test_refused (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_empty, NULL);
  g_autofree char *host = g_strdup (atm_test_http_get_host (http));
  g_autofree char *image = g_strconcat ("http:", host, ATM_TEST_PATH, NULL);
  g_autofree char *message = g_strdup_printf ("cannot reach %s: ", host);
  g_autoptr (AtmSource) source = NULL;

  g_clear_pointer (&http, atm_test_http_free);
  source = atm_test_client_open (client, image, "");
  assert_unreachable (source, message);
}

static void
answer_nothing (const char *request, GString *response, gpointer user_data)
{
  const char *silent_on = user_data;

  if (strstr (request, silent_on) != NULL)
    g_string_append (response, ATM_TEST_HTTP_HANG);
  else
    atm_test_http_reply (response, "200 OK", "", "{}");
}

static void
test_silent (void)
{
  const char *const silent_on[] = { "GET /v2/ ", "/manifests/" };

  for (guint i = 0; i < G_N_ELEMENTS (silent_on); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http
          = atm_test_http_new (NULL, answer_nothing, (gpointer) silent_on[i]);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      client->limits.first_byte_msec = 50;
      g_clear_object (&source);
      source = atm_test_client_open_at (client, "http:", http);
      assert_unreachable (source, "no answer within 0.05 s");
    }
}

/* A server that accepts the connection and does not shake hands. */
static void
test_silent_handshake (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, 0), bound = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);
  g_autoptr (AtmSource) source = NULL;
  g_autofree char *image = NULL;

  g_assert_true (g_socket_bind (socket, address, TRUE, &error));
  g_assert_true (g_socket_listen (socket, &error));
  bound = g_socket_get_local_address (socket, &error);
  image = g_strdup_printf ("127.0.0.1:%u/x:1",
                           g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound)));
  client->limits.connect_msec = 50;
  source = atm_test_client_open (client, image, "");
  assert_unreachable (source, "no answer within 0.05 s");
}

static gpointer
cancel_when_asked (gpointer data)
{
  GCancellable *cancellable = data;

  g_cancellable_cancel (cancellable);
  return NULL;
}

/* The cancellable is cancelled by the server itself, when it has the request: no race. */
static void
answer_cancelling (const char *request, GString *response, gpointer user_data)
{
  (void) request;
  (void) cancel_when_asked (user_data);
  g_string_append (response, ATM_TEST_HTTP_HANG);
}

static void
test_cancelled (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_cancelling, cancellable);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_autoptr (GError) error = NULL;
  GBytes *bytes = NULL;
  char *type = NULL;

  client->limits.first_byte_msec = G_MAXINT;
  g_assert_false (
      atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (atm_test_http_count (http, "GET "), ==, 1);
}

static void
test_plain_port (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_empty, NULL);
  g_autofree char *insecure = make_insecure (atm_test_http_get_host (http));
  g_autoptr (AtmSource) secure_source = open_with (client, http, "");
  g_autoptr (AtmSource) insecure_source = open_with (client, http, insecure);

  assert_unreachable (secure_source, "“insecure = true”");
  g_assert_cmpuint (atm_test_http_count (http, "GET "), ==, 0);
  atm_test_assert_manifest (insecure_source, "{}");
}

static void
test_certificates (void)
{
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (AtmTestAuthority) other = atm_test_authority_new ();
  g_autofree char *known = atm_test_scratch_path (), *unknown = atm_test_scratch_path ();
  const struct
  {
    const char *alternative;
    int days;
    const char *cert_dir;
    gboolean insecure;
    const char *message; /* NULL: accepted */
  } cases[] = {
    { HERE, 2, unknown, FALSE, "no authority that this system knows" },
    { HERE, 2, NULL, FALSE, "no authority that this system knows" },
    { HERE, 2, known, FALSE, NULL },
    { HERE, 2, NULL, TRUE, NULL },
    { HERE, -1, NULL, TRUE, NULL },
    { "DNS:example.test", 2, known, FALSE, "is for another host" },
    { "IP:127.0.0.2", 2, known, FALSE, "is for another host" },
    { HERE, -1, known, FALSE, "has expired" },
  };

  atm_test_authority_put (authority, known);
  atm_test_authority_put (other, unknown);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (GTlsCertificate) certificate
          = atm_test_authority_issue (authority, cases[i].alternative, cases[i].days, NULL);
      g_autoptr (AtmTestHttp) http = atm_test_http_new (certificate, answer_empty, NULL);
      g_autofree char *insecure = make_insecure (atm_test_http_get_host (http));
      g_autoptr (AtmSource) source = NULL;

      client->options.cert_dir = cases[i].cert_dir;
      source = open_with (client, http, cases[i].insecure ? insecure : "");
      if (cases[i].message == NULL)
        atm_test_assert_manifest (source, "{}");
      else
        {
          assert_unreachable (source, cases[i].message);
          /* Certificates do not get better by asking again. */
          g_assert_cmpuint (atm_test_http_count_connections (http), ==, 1);
        }
    }
}

static void
test_tls_verify (void)
{
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate = atm_test_authority_issue (authority, HERE, 2, NULL);
  const struct
  {
    const char *prefix;
    gboolean tls, insecure;
    AtmTlsVerify verify;
    gboolean ok;
  } cases[] = {
    { "", TRUE, FALSE, ATM_TLS_CONFIGURED, FALSE },
    { "", TRUE, TRUE, ATM_TLS_CONFIGURED, TRUE },
    { "", TRUE, FALSE, ATM_TLS_NO_VERIFY, TRUE },
    { "", FALSE, FALSE, ATM_TLS_NO_VERIFY, TRUE },
    { "https:", TRUE, FALSE, ATM_TLS_NO_VERIFY, TRUE },
    { "https:", FALSE, FALSE, ATM_TLS_NO_VERIFY, FALSE },
    { "https:", TRUE, TRUE, ATM_TLS_CONFIGURED, FALSE },
    { "", TRUE, TRUE, ATM_TLS_VERIFY, FALSE },
    { "", FALSE, TRUE, ATM_TLS_VERIFY, FALSE },
    { "http:", FALSE, FALSE, ATM_TLS_NO_VERIFY, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http
          = atm_test_http_new (cases[i].tls ? certificate : NULL, answer_empty, NULL);
      g_autofree char *insecure = make_insecure (atm_test_http_get_host (http));
      g_autofree char *image
          = g_strconcat (cases[i].prefix, atm_test_http_get_host (http), ATM_TEST_PATH, NULL);
      g_autoptr (AtmSource) source = NULL;

      client->options.tls_verify = cases[i].verify;
      source = atm_test_client_open (client, image, cases[i].insecure ? insecure : "");
      if (cases[i].ok)
        atm_test_assert_manifest (source, "{}");
      else
        assert_unreachable (source, "cannot reach");
    }
}

static void
test_contradiction (void)
{
  g_autoptr (GBytes) none = atm_test_bytes ("");
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmRegistriesConf) conf = NULL;
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (GError) error = NULL;
  AtmSource *source = NULL;

  client->options.tls_verify = ATM_TLS_VERIFY;
  g_assert_true (atm_registries_conf_parse (none, "x", &conf, &error));
  g_assert_true (atm_origin_parse ("http:q.invalid/x", &origin, &error));
  g_assert_false (
      atm_registry_open (origin, conf, client->proxies, &client->options, &source, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

static void
test_client_certificate (void)
{
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate = atm_test_authority_issue (authority, HERE, 2, NULL);
  g_autofree char *with = atm_test_scratch_path (), *without = atm_test_scratch_path (),
                  *half = atm_test_scratch_path ();
  g_autofree char *with_base = g_build_filename (with, "me", NULL);
  g_autofree char *half_base = g_build_filename (half, "me", NULL);
  g_autofree char *half_key = g_strconcat (half_base, ".key", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GTlsDatabase) clients
      = g_tls_file_database_new (atm_test_authority_get_file (authority), &error);
  const AtmTestHttpSetting setting = { .certificate = certificate, .clients = clients };
  const char *const cert_dirs[] = { with, without, half };

  g_assert_no_error (error);
  g_object_unref (atm_test_authority_issue (authority, "DNS:me", 2, with_base));
  g_object_unref (atm_test_authority_issue (authority, "DNS:me", 2, half_base));
  g_assert_cmpint (g_unlink (half_key), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (cert_dirs); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new_with (&setting, answer_empty, NULL);
      g_autoptr (AtmSource) source = NULL;

      atm_test_authority_put (authority, cert_dirs[i]);
      client->options.cert_dir = cert_dirs[i];
      source = atm_test_client_open_at (client, "", http);
      if (i == 0)
        atm_test_assert_manifest (source, "{}");
      else if (i == 1)
        assert_unreachable (source, "wants a certificate of the client");
      else
        {
          error = atm_test_assert_no_manifest (source, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, half_key);
          g_assert_cmpuint (atm_test_http_count_connections (http), ==, 0);
        }
    }
}

static void
test_drops (void)
{
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate = atm_test_authority_issue (authority, HERE, 2, NULL);
  g_autofree char *cert_dir = atm_test_scratch_path ();

  atm_test_authority_put (authority, cert_dir);
  for (guint drops = 2; drops <= 4; drops += 2)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      const AtmTestHttpSetting setting = { .certificate = certificate, .drops = drops };
      g_autoptr (AtmTestHttp) http = atm_test_http_new_with (&setting, answer_empty, NULL);
      g_autoptr (AtmSource) source = NULL;

      client->options.cert_dir = cert_dir;
      source = atm_test_client_open_at (client, "", http);
      if (drops == 2)
        atm_test_assert_manifest (source, "{}");
      else
        {
          assert_unreachable (source, "cannot reach");
          g_assert_cmpuint (atm_test_http_count_connections (http), ==, 4);
        }
    }
}

/* A server that knows HTTP/2 alone begins with its settings. */
static void
answer_h2 (const char *request, GString *response, gpointer user_data)
{
  (void) request;
  (void) user_data;
  g_string_append_len (response, "\0\0\0\4\0\0\0\0\0", 9);
}

static void
test_protocols (void)
{
  const char *const both[] = { "h2", "http/1.1", NULL }, *const only[] = { "h2", NULL };
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate = atm_test_authority_issue (authority, HERE, 2, NULL);
  g_autofree char *cert_dir = atm_test_scratch_path (), *agreed = NULL;
  const AtmTestHttpSetting setting_both = { .certificate = certificate, .protocols = both };
  const AtmTestHttpSetting setting_only = { .certificate = certificate, .protocols = only };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new_with (&setting_both, answer_empty, NULL);
  g_autoptr (AtmTestHttp) h2 = atm_test_http_new_with (&setting_only, answer_h2, NULL);
  g_autoptr (AtmSource) source = NULL, h2_source = NULL;
  g_autoptr (GError) error = NULL;
  GBytes *bytes = NULL;
  char *type = NULL;

  atm_test_authority_put (authority, cert_dir);
  client->options.cert_dir = cert_dir;
  source = atm_test_client_open_at (client, "", http);
  atm_test_assert_manifest (source, "{}");
  agreed = atm_test_http_dup_protocol (http);
  g_assert_cmpstr (agreed, ==, "http/1.1");

  h2_source = atm_test_client_open_at (client, "", h2);
  g_assert_false (atm_source_fetch_manifest (h2_source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_cmpuint (error->domain, ==, ATM_SOURCE_ERROR);
  g_assert_nonnull (strstr (error->message, "cannot reach 127.0.0.1:"));
}

int
main (int argc, char *argv[])
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  atm_test_authority_be_system ();
  g_test_add_func ("/client/tls/refused", test_refused);
  g_test_add_func ("/client/tls/silent", test_silent);
  g_test_add_func ("/client/tls/silent-handshake", test_silent_handshake);
  g_test_add_func ("/client/tls/cancelled", test_cancelled);
  g_test_add_func ("/client/tls/plain-port", test_plain_port);
  g_test_add_func ("/client/tls/certificates", test_certificates);
  g_test_add_func ("/client/tls/tls-verify", test_tls_verify);
  g_test_add_func ("/client/tls/contradiction", test_contradiction);
  g_test_add_func ("/client/tls/client-certificate", test_client_certificate);
  g_test_add_func ("/client/tls/drops", test_drops);
  g_test_add_func ("/client/tls/protocols", test_protocols);
  return g_test_run ();
}
