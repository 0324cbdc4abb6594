/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/certificates.h"
#include "fixtures/client.h"
#include "fixtures/scratch.h"

/* Redirects and proxies: registry.md 8.3 and 8.8.

   rows 31, 32   test_origins
   rows 33       test_to_plain
   row  34       test_hops
   row  35       test_locations
   row  36       test-client-resume: it is the registry that is asked again
   row  37       test_manifest
   rows 103, 104 test-challenge (which proxy), test_proxy (that it is asked)
   row  105      test_proxy_refuses */

#define BLOB "hello blob"
#define LOGIN "joe:s3cr3t"

/* ---- who sees a login ---- */

typedef struct
{
  const char *location; /* “%s” is the host of the storage */
  AtmTestHttp *storage; /* (borrowed) (nullable) */
  guint hops;           /* how many redirects there are before it */
} Registry;

static void
answer_registry (const char *request, GString *response, gpointer user_data)
{
  Registry *registry = user_data;
  g_auto (GStrv) parts = NULL;
  g_autofree char *location = NULL, *headers = NULL;

  if (strstr (request, "\r\nAuthorization: Basic ") == NULL && strstr (request, "/v2/ ") != NULL)
    {
      atm_test_http_reply (response, "401 Who", "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
      return;
    }
  if (strstr (request, "/there ") != NULL)
    {
      atm_test_http_reply (response, "200 OK", "Content-Type: text/plain\r\n",
                           strstr (request, "vnd.oci") != NULL ? "{}" : BLOB);
      return;
    }
  parts = g_strsplit (registry->location, "%s", -1);
  location = g_strjoinv (
      registry->storage != NULL ? atm_test_http_get_host (registry->storage) : "", parts);
  if (registry->hops > 0)
    {
      registry->hops--;
      headers = g_strdup ("Location: again\r\n");
    }
  else
    headers = g_strdup_printf ("Location: %s\r\n", location);
  atm_test_http_reply (response, "307 Go", headers, "");
}

/* Fails where a login is shown, as storage does. */
static void
answer_storage (const char *request, GString *response, gpointer user_data)
{
  (void) user_data;
  if (strstr (request, "Authorization") != NULL)
    atm_test_http_reply (response, "400 Bad Request", "", "one login too many");
  else
    atm_test_http_reply (response, "200 OK", "Content-Type: text/plain\r\n",
                         strstr (request, "vnd.oci") != NULL ? "{}" : BLOB);
}

static gboolean
fetch (AtmSource *source, GError **error)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  g_autoptr (GBytes) bytes = NULL;

  return atm_source_fetch_blob (source, &blob, 100, &bytes, NULL, error);
}

static void
test_origins (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) storage = atm_test_http_new (NULL, answer_storage, NULL);
  Registry registry = { .location = "http://%s/x?signature=hidden", .storage = storage };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;

  atm_test_client_login (client, LOGIN, NULL);
  source = atm_test_client_open_at (client, "http:", http);
  /* Another port is another origin. */
  g_assert_true (fetch (source, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (atm_test_http_count (storage, "Authorization"), ==, 0);
  g_assert_cmpuint (atm_test_http_count (http, "Authorization"), >, 0);
}

static void
test_locations (void)
{
  const struct
  {
    const char *location;
    gboolean ok;
  } cases[] = {
    { "/there", TRUE },
    { "../../../../there", TRUE },
    { "//%s/there", TRUE },
    { "http://%s/there", TRUE },
    { "there#fragment", TRUE },
    { "", FALSE },
    { "file:///etc/passwd", FALSE },
    { "ftp://%s/there", FALSE },
    { "http://user:hidden@%s/there", FALSE },
    { "http:///there", FALSE },
    { "http://%s:99999999/there", FALSE },
    { "\x01", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) storage = atm_test_http_new (NULL, answer_storage, NULL);
      Registry registry = { .location = cases[i].location, .storage = storage };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;

      atm_test_client_login (client, LOGIN, NULL);
      source = atm_test_client_open_at (client, "http:", http);
      if (fetch (source, &error) != cases[i].ok)
        g_error ("%s: %s", cases[i].location, error != NULL ? error->message : "accepted");
      if (error == NULL)
        continue;
      g_assert_cmpuint (error->domain, ==, ATM_SOURCE_ERROR);
      g_assert_null (strstr (error->message, "hidden"));
      g_assert_cmpuint (atm_test_http_count (storage, "GET"), ==, 0);
    }
}

static void
test_hops (void)
{
  for (guint hops = 4; hops <= 5; hops++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      Registry registry = { .location = "/there", .hops = hops };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;

      atm_test_client_login (client, LOGIN, NULL);
      source = atm_test_client_open_at (client, "http:", http);
      g_assert_cmpint (fetch (source, &error), ==, hops == 4);
      if (error != NULL)
        g_assert_nonnull (strstr (error->message, "redirects more than 5 times"));
    }
}

static void
test_manifest (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) storage = atm_test_http_new (NULL, answer_storage, NULL);
  Registry registry = { .location = "http://%s/x", .storage = storage };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
  g_autoptr (AtmSource) source = NULL;

  atm_test_client_login (client, LOGIN, NULL);
  source = atm_test_client_open_at (client, "http:", http);
  atm_test_assert_manifest (source, "{}");
  g_assert_cmpuint (atm_test_http_count (storage, ATM_TYPE_OCI_MANIFEST), ==, 1);
}

static void
test_to_plain (void)
{
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate
      = atm_test_authority_issue (authority, "IP:127.0.0.1", 2, NULL);
  g_autofree char *cert_dir = atm_test_scratch_path ();
  g_autofree char *base = g_build_filename (cert_dir, "me", NULL);
  g_autoptr (GError) no_error = NULL;
  g_autoptr (GTlsDatabase) clients
      = g_tls_file_database_new (atm_test_authority_get_file (authority), &no_error);
  const struct
  {
    const char *location;
    gboolean insecure, asks, ok;
    const char *message;
  } cases[] = {
    { "http://%s/x", FALSE, FALSE, FALSE, "from HTTPS to plain HTTP" },
    { "http://%s/x", TRUE, FALSE, TRUE, NULL },
    /* certs.d/HOST is for HOST alone */
    { "https://%s/x", FALSE, FALSE, FALSE, "no authority that this system knows" },
    { "https://%s/x", TRUE, FALSE, TRUE, NULL },
    { "https://%s/x", TRUE, TRUE, FALSE, "wants a certificate of the client" },
  };

  g_assert_no_error (no_error);
  atm_test_authority_put (authority, cert_dir);
  g_object_unref (atm_test_authority_issue (authority, "DNS:me", 2, base));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gboolean tls = g_str_has_prefix (cases[i].location, "https:");
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      const AtmTestHttpSetting setting
          = { .certificate = tls ? certificate : NULL, .clients = cases[i].asks ? clients : NULL };
      g_autoptr (AtmTestHttp) storage = atm_test_http_new_with (&setting, answer_storage, NULL);
      Registry registry = { .location = cases[i].location, .storage = storage };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (certificate, answer_registry, &registry);
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;

      atm_test_client_login (client, LOGIN, NULL);
      client->options.cert_dir = cert_dir;
      client->options.tls_verify = cases[i].insecure ? ATM_TLS_NO_VERIFY : ATM_TLS_CONFIGURED;
      source = atm_test_client_open_at (client, "", http);
      if (fetch (source, &error) != cases[i].ok
          || (!cases[i].ok && strstr (error->message, cases[i].message) == NULL))
        g_error ("%u: %s", i, error != NULL ? error->message : "accepted");
    }
}

/* ---- proxies ---- */

static void
set_proxy (AtmTestClient *client, const char *uri)
{
  g_object_unref (client->proxies);
  client->proxies = g_simple_proxy_resolver_new (uri, NULL);
}

static void
answer_proxy (const char *request, GString *response, gpointer user_data)
{
  (void) user_data;
  if (strstr (request, "Proxy-Authorization: Basic am9lOnAvMQ==\r\n") == NULL)
    atm_test_http_reply (response, "407 Login", "Proxy-Authenticate: Basic realm=\"p\"\r\n", "");
  else if (g_str_has_prefix (request, "CONNECT"))
    atm_test_http_reply (response, "502 No", "", "");
  else
    atm_test_http_reply (response, "200 OK", "", "{}");
}

static void
test_proxy (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) proxy = atm_test_http_new (NULL, answer_proxy, NULL);
  g_autofree char *uri = g_strdup_printf ("http://joe:p%%2F1@%s", atm_test_http_get_host (proxy));
  g_autoptr (AtmSource) plain = NULL, tunnelled = NULL;
  g_autoptr (GError) error = NULL;
  GBytes *bytes = NULL;
  char *type = NULL;

  set_proxy (client, uri);
  plain = atm_test_client_open (client, "http:q.invalid/x:1", "");
  atm_test_assert_manifest (plain, "{}");
  g_assert_cmpuint (atm_test_http_count (proxy, "GET http://q.invalid/v2/"), ==, 2);

  tunnelled = atm_test_client_open (client, "q.invalid/x:1", "");
  g_assert_false (atm_source_fetch_manifest (tunnelled, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_cmpuint (atm_test_http_count (proxy, "CONNECT q.invalid:443 "), >, 0);
  g_assert_nonnull (strstr (error->message, atm_test_http_get_host (proxy)));
  g_assert_null (strstr (error->message, "joe"));
}

static void
test_proxy_refuses (void)
{
  const char *const images[] = { "http:q.invalid/x:1", "q.invalid/x:1" };

  for (guint i = 0; i < G_N_ELEMENTS (images); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) proxy = atm_test_http_new (NULL, answer_proxy, NULL);
      g_autofree char *uri
          = g_strdup_printf ("http://joe:wr0ng@%s", atm_test_http_get_host (proxy));
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;
      GBytes *bytes = NULL;
      char *type = NULL;

      set_proxy (client, uri);
      source = atm_test_client_open (client, images[i], "");
      g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
      if (error->domain != ATM_SOURCE_ERROR
          || strstr (error->message, atm_test_http_get_host (proxy)) == NULL
          || strstr (error->message, "wants a login") == NULL
          || strstr (error->message, "wr0ng") != NULL)
        g_error ("%s", error->message);
    }
}

int
main (int argc, char *argv[])
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  atm_test_authority_be_system ();
  g_test_add_func ("/client/redirect/origins", test_origins);
  g_test_add_func ("/client/redirect/locations", test_locations);
  g_test_add_func ("/client/redirect/hops", test_hops);
  g_test_add_func ("/client/redirect/manifest", test_manifest);
  g_test_add_func ("/client/redirect/to-plain", test_to_plain);
  g_test_add_func ("/client/redirect/proxy", test_proxy);
  g_test_add_func ("/client/redirect/proxy-refuses", test_proxy_refuses);
  return g_test_run ();
}
