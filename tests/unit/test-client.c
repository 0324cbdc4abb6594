/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/certificates.h"
#include "fixtures/client.h"
#include "fixtures/registry.h"
#include "fixtures/scratch.h"

#define IMAGE                                                                                      \
  "{\"schemaVersion\":2,\"mediaType\":\"" ATM_TYPE_OCI_MANIFEST                                    \
  "\",\"config\":{\"mediaType\":\"" ATM_TYPE_OCI_CONFIG                                            \
  "\",\"digest\":\"%s\",\"size\":%u},\"layers\":[]}"
#define BLOB "hello blob"
#define PONG "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
#define CHUNKED "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

static AtmTestClient *client;

static AtmSource *
open_source (const char *host, const char *prefix, const char *rest, const char *conf)
{
  g_autofree char *image = g_strconcat (prefix, host, rest, NULL);

  return atm_test_client_open (client, image, conf);
}

/* ---- a real registry ---- */

static void
test_real (void)
{
  g_autoptr (AtmTestRegistry) registry = atm_test_registry_new ();
  g_autoptr (GBytes) blob = atm_test_bytes (BLOB), image = NULL;
  g_autofree char *digest = NULL, *text = NULL, *by_digest = NULL;
  const char *host = NULL;
  AtmDescriptor descriptor = atm_test_describe (BLOB), manifest;

  if (registry == NULL)
    {
      g_test_skip ("docker-registry is not installed");
      return;
    }
  host = atm_test_registry_get_host (registry);
  digest = atm_test_registry_put_blob (registry, "ns/app", blob);
  text = g_strdup_printf (IMAGE, digest, (guint) strlen (BLOB));
  image = atm_test_bytes (text);
  atm_test_registry_put_manifest (registry, "ns/app", "v1", ATM_TYPE_OCI_MANIFEST, image);
  manifest = atm_test_describe (text);
  by_digest = g_strconcat ("/ns/app@sha256:", manifest.digest.hex, NULL);

  for (guint i = 0; i < 3; i++)
    {
      const char *const rests[] = { "/ns/app:v1", by_digest, "/ns/app:v1" };
      g_autofree char *insecure
          = g_strdup_printf ("[[registry]]\nlocation = \"%s\"\ninsecure = true", host);
      g_autoptr (AtmSource) source
          = open_source (host, i < 2 ? "http:" : "", rests[i], i < 2 ? "" : insecure);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL, again = NULL, content = NULL;
      g_autofree char *type = NULL, *type_again = NULL;

      g_assert_true (
          atm_source_fetch_manifest (source, NULL, &manifest.digest, &bytes, &type, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (g_bytes_equal (bytes, image));
      g_assert_cmpstr (type, ==, ATM_TYPE_OCI_MANIFEST);
      g_assert_true (
          atm_source_fetch_manifest (source, &manifest, NULL, &again, &type_again, NULL, &error));
      g_assert_true (atm_source_fetch_blob (source, &descriptor, 100, &content, NULL, &error));
      g_assert_true (g_bytes_equal (content, blob));
    }
}

static void
test_real_refusals (void)
{
  g_autoptr (AtmTestRegistry) registry = atm_test_registry_new ();
  const struct
  {
    const char *prefix, *rest;
    AtmSourceError code;
    const char *message;
  } cases[] = {
    { "http:", "/ns/app:v1", ATM_SOURCE_ERROR_NOT_FOUND,
      "/ns/app:v1: HOST says there is no such image (404 MANIFEST_UNKNOWN: manifest unknown)" },
    { "", "/ns/app:v1", ATM_SOURCE_ERROR_UNREACHABLE,
      "“http:HOST/ns/app:v1” or set “insecure = true”" },
    { "https:", "/ns/app:v1", ATM_SOURCE_ERROR_UNREACHABLE, "cannot reach HOST: " },
  };
  const AtmDescriptor descriptor = atm_test_describe (BLOB);

  if (registry == NULL)
    {
      g_test_skip ("docker-registry is not installed");
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *host = atm_test_registry_get_host (registry);
      g_autoptr (AtmSource) source = open_source (host, cases[i].prefix, cases[i].rest, "");
      g_auto (GStrv) parts = g_strsplit (cases[i].message, "HOST", -1);
      g_autofree char *message = g_strjoinv (host, parts), *type = NULL;
      g_autoptr (GError) error = NULL;
      GBytes *bytes = NULL;

      g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
      g_assert_error (error, ATM_SOURCE_ERROR, (int) cases[i].code);
      if (strstr (error->message, message) == NULL)
        g_error ("%s", error->message);
      g_clear_error (&error);
      g_assert_false (atm_source_fetch_blob (source, &descriptor, 100, &bytes, NULL, &error));
      g_assert_error (error, ATM_SOURCE_ERROR, (int) cases[i].code);
    }
}

/* ---- a server with faults ---- */

/* What to say to “GET /v2/” and to everything else. */
typedef struct
{
  const char *ping; /* (nullable) */
  const char *rest;
} Script;

static void
answer_script (const char *request, GString *response, gpointer user_data)
{
  const Script *script = user_data;

  if (g_str_has_prefix (request, "GET /v2/ "))
    g_string_append (response, script->ping != NULL ? script->ping : PONG);
  else
    g_string_append (response, script->rest);
}

#define OK(length, rest)                                                                           \
  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " length "\r\n" rest
#define STATUS(status, headers, length, body)                                                      \
  "HTTP/1.1 " status "\r\nConnection: close\r\n" headers "Content-Length: " length "\r\n\r\n" body
#define ZEROS "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static void
test_manifest_faults (void)
{
  const struct
  {
    Script script;
    GQuark domain;
    int code;
    const char *message;
  } cases[] = {
    { { NULL, "" }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "cannot reach 127.0.0.1:" },
    { { "", NULL }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "cannot reach 127.0.0.1:" },
    { { NULL, OK ("10", "\r\n{}") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_SIZE,
      "ended in the middle of the manifest" },
    { { NULL, OK ("99999999", "\r\n{}") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_SIZE,
      "larger than 4194304 bytes" },
    { { NULL, OK ("2", "Content-Encoding: gzip\r\n\r\n{}") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "encoding “gzip”" },
    { { NULL, OK ("2", "Docker-Content-Digest: " ZEROS "\r\n\r\n{}") },
      ATM_DIGEST_ERROR,
      ATM_DIGEST_ERROR_MISMATCH,
      "(Docker-Content-Digest)" },
    { { NULL, STATUS ("500 Oops", "", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_UNREACHABLE,
      "cannot answer now (500 Internal Server Error)" },
    { { NULL, STATUS ("429 Slow", "", "8", "too many") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_UNREACHABLE,
      "(429: too many)" },
    { { NULL,
        STATUS ("403 No", "", "63",
                "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no \\u001b[31m way\"}]}   ") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_DENIED,
      "denies access (403 DENIED: no \\x1b[31m way)" },
    { { NULL, STATUS ("404 None", "", "15", "<html>no</html>") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_NOT_FOUND,
      "no such image (404 Not Found)" },
    { { NULL, STATUS ("404 None", "", "60",
                      "\033[31mxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                      "xxxxxxx") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_NOT_FOUND,
      "\\x1b[31mxxxxx" },
    { { NULL, STATUS ("404 None", "", "2", "[[") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_NOT_FOUND,
      "404: [[" },
    { { NULL, STATUS ("204 Odd", "", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "answered unexpectedly" },
    { { NULL, STATUS ("401 Who", "", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_DENIED,
      "without a challenge" },
    { { NULL, STATUS ("401 Who", "WWW-Authenticate: Basic realm=\"x\"\r\n", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_DENIED,
      "authentication required for 127.0.0.1:" },
    { { NULL,
        STATUS ("401 Who", "WWW-Authenticate: Bearer realm=\"file:///etc/passwd\"\r\n", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "“file:///etc/passwd” for a token" },
    { { NULL,
        STATUS ("401 Who", "WWW-Authenticate: Bearer realm=\"http://u:p@q.io/\"\r\n", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "for a token" },
    { { NULL, STATUS ("307 Go", "Location: file:///etc/passwd\r\n", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "to something that is not HTTP" },
    { { NULL, STATUS ("307 Go", "", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "without a usable “Location”" },
    { { NULL, STATUS ("302 Go", "Location: http://u:p@127.0.0.1/\r\n", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "a user name" },
    { { NULL, STATUS ("301 Go", "Location: ../x\r\n", "0", "") },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "redirects more than 5 times" },
    { { STATUS ("404 None", "", "0", ""), NULL },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "does not serve the registry API (404 on /v2/)" },
    { { STATUS ("503 Later", "", "0", ""), NULL },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_UNREACHABLE,
      "cannot answer now" },
    { { STATUS ("307 Go", "Location: http://localhost:1/v2/\r\n", "0", ""), NULL },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL,
      "of “/v2/” to another host" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestHttp) http
          = atm_test_http_new (NULL, answer_script, (gpointer) &cases[i].script);
      g_autoptr (AtmSource) source
          = open_source (atm_test_http_get_host (http), "http:", "/ns/app:1", "");
      g_autoptr (GError) error = NULL;
      GBytes *bytes = NULL;
      char *type = NULL;

      if (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error))
        g_error ("accepted: %u", i);
      if (error->domain != cases[i].domain || error->code != cases[i].code
          || strstr (error->message, cases[i].message) == NULL
          || strstr (error->message, "/ns/app:1: ") == NULL)
        g_error ("%u: %s (%d)", i, error->message, error->code);
      g_assert_null (bytes);
      g_assert_null (type);
    }
}

static void
test_blob_faults (void)
{
  const struct
  {
    Script script;
    GQuark domain; /* 0: no error */
    int code;
  } cases[] = {
    { { NULL, OK ("10", "\r\n" BLOB) }, 0, 0 },
    { { NULL, CHUNKED "4\r\nhell\r\n6\r\no blob\r\n0\r\n\r\n" }, 0, 0 },
    { { NULL, "HTTP/1.0 200 OK\r\n\r\n" BLOB }, 0, 0 },
    { { NULL, OK ("10", "\r\nhello") }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, OK ("9", "\r\nhello blo") }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, OK ("11", "\r\n" BLOB "!") }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, CHUNKED "5\r\nhello\r\n" }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, CHUNKED "9\r\nhello" }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, CHUNKED "5\r\nhello\r\n0\r\n\r\n" }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, CHUNKED "b\r\n" BLOB "!\r\n0\r\n\r\n" }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, "HTTP/1.0 200 OK\r\n\r\nhello" }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE },
    { { NULL, OK ("10", "\r\nhello blOb") }, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH },
    { { NULL, OK ("10", "Docker-Content-Digest: " ZEROS "\r\n\r\n" BLOB) },
      ATM_DIGEST_ERROR,
      ATM_DIGEST_ERROR_MISMATCH },
    { { NULL, OK ("10", "Content-Encoding: gzip\r\n\r\n" BLOB) },
      ATM_SOURCE_ERROR,
      ATM_SOURCE_ERROR_PROTOCOL },
    { { NULL, STATUS ("404 None", "", "0", "") }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND },
    { { NULL, STATUS ("206 Part", "", "10", BLOB) }, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL },
  };
  const AtmDescriptor descriptor = atm_test_describe (BLOB);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestHttp) http
          = atm_test_http_new (NULL, answer_script, (gpointer) &cases[i].script);
      g_autoptr (AtmSource) source
          = open_source (atm_test_http_get_host (http), "http:", "/ns/app:1", "");
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      gboolean ok = atm_source_fetch_blob (source, &descriptor, 100, &bytes, NULL, &error);

      if (ok != (cases[i].domain == 0)
          || (!ok && (error->domain != cases[i].domain || error->code != cases[i].code)))
        g_error ("%u: %s", i, error != NULL ? error->message : "accepted");
    }
}

/* A registry that sends its blobs elsewhere and wants a token that it does not. */
typedef struct
{
  AtmTestHttp *storage, *tokens; /* (borrowed) */
  guint refusals;                /* how many tokens it finds too old first */
} Split;

static void
answer_split (const char *request, GString *response, gpointer user_data)
{
  Split *split = user_data;
  gboolean has_token = strstr (request, "\r\nAuthorization: Bearer t0ken\r\n") != NULL;

  if (!has_token || (split->refusals > 0 && split->refusals-- > 0))
    {
      g_autofree char *headers
          = g_strdup_printf ("WWW-Authenticate: Negotiate, Bearer realm=\"http://%s/auth?x=1\","
                             "service=\"the registry\",scope=\"repository:ns/app:pull,push\"\r\n",
                             atm_test_http_get_host (split->tokens));

      atm_test_http_reply (response, "401 Who", headers, "");
    }
  else if (strstr (request, "/blobs/") != NULL)
    {
      g_autofree char *headers = g_strdup_printf ("Location: http://%s/store?sig=secret\r\n",
                                                  atm_test_http_get_host (split->storage));

      atm_test_http_reply (response, "307 Go", headers, "");
    }
  else
    atm_test_http_reply (response, "200 OK", "", "{}");
}

static void
answer_constant (const char *request, GString *response, gpointer user_data)
{
  (void) request;
  atm_test_http_reply (response, "200 OK", "", user_data);
}

static void
test_tokens (void)
{
  const char *const good[] = { "{\"token\":\"t0ken\"}", "{\"access_token\":\"t0ken\",\"x\":1}",
                               "{\"token\":\"\",\"access_token\":\"t0ken\",\"expires_in\":1}" };
  const char *const bad[]
      = { "", "{}", "secret", "[[[[", "{\"token\":\"secret\\r\\nX: y\"}", "{\"token\":1}" };
  const AtmDescriptor descriptor = atm_test_describe (BLOB);

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (AtmTestHttp) storage = atm_test_http_new (NULL, answer_constant, (gpointer) BLOB);
      g_autoptr (AtmTestHttp) tokens
          = atm_test_http_new (NULL, answer_constant, (gpointer) good[i]);
      Split split = { storage, tokens, 1 };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_split, &split);
      g_autoptr (AtmSource) source
          = open_source (atm_test_http_get_host (http), "http:", "/ns/app:1", "");
      g_autofree char *type = NULL, *asked = NULL, *stored = NULL;
      g_autoptr (GBytes) bytes = NULL, blob = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (atm_source_fetch_blob (source, &descriptor, 100, &blob, NULL, &error));
      g_assert_no_error (error);

      asked = atm_test_http_dup_requests (tokens);
      g_assert_nonnull (strstr (
          asked, "GET /auth?x=1&service=the%20registry&scope=repository:ns/app:pull HTTP/1.1\r\n"));
      g_assert_null (strstr (asked, "Authorization"));
      stored = atm_test_http_dup_requests (storage);
      g_assert_nonnull (strstr (stored, "GET /store?sig=secret "));
      g_assert_nonnull (strstr (stored, "User-Agent: atomic/"));
      g_assert_null (strstr (stored, "Authorization"));
      g_assert_null (strstr (stored, "Accept-Encoding"));
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (AtmTestHttp) tokens = atm_test_http_new (NULL, answer_constant, (gpointer) bad[i]);
      Split split = { tokens, tokens, 0 };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_split, &split);
      g_autoptr (AtmSource) source
          = open_source (atm_test_http_get_host (http), "http:", "/ns/app:1", "");
      g_autoptr (GError) error = NULL;
      GBytes *bytes = NULL;
      char *type = NULL;

      g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
      g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL);
      g_assert_nonnull (strstr (error->message, "gave no usable token"));
      g_assert_null (strstr (error->message, "secret"));
    }
}

static void
test_stale_tokens (void)
{
  g_autoptr (AtmTestHttp) tokens
      = atm_test_http_new (NULL, answer_constant, (gpointer) "{\"token\":\"t0ken\"}");
  Split split = { tokens, tokens, 100 };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_split, &split);
  g_autoptr (AtmSource) source
      = open_source (atm_test_http_get_host (http), "http:", "/ns/app:1", "");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) tries = NULL;
  g_autofree char *asked = NULL;
  GBytes *bytes = NULL;
  char *type = NULL;

  g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED);
  asked = atm_test_http_dup_requests (http);
  tries = g_strsplit (asked, "/manifests/", -1);
  g_assert_cmpuint (g_strv_length (tries), ==, 3);
}

/* ---- TLS ---- */

static void
answer_tls (const char *request, GString *response, gpointer user_data)
{
  const char *storage = user_data;

  if (strstr (request, "/blobs/") != NULL)
    {
      g_autofree char *headers = g_strdup_printf ("Location: http://%s/x\r\n", storage);

      atm_test_http_reply (response, "307 Go", headers, "");
    }
  else
    atm_test_http_reply (response, "200 OK", "", "{}");
}

static void
test_tls (void)
{
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate
      = atm_test_authority_issue (authority, "IP:127.0.0.1", 2, NULL);
  g_autoptr (AtmTestHttp) storage = atm_test_http_new (NULL, answer_constant, (gpointer) BLOB);
  g_autoptr (AtmTestHttp) http
      = atm_test_http_new (certificate, answer_tls, (gpointer) atm_test_http_get_host (storage));
  const char *host = atm_test_http_get_host (http);
  g_autofree char *insecure
      = g_strdup_printf ("[[registry]]\nlocation = \"%s\"\ninsecure = true", host);
  const struct
  {
    const char *prefix, *conf;
    gboolean ok;
  } cases[] = {
    { "", insecure, TRUE },
    { "", "", FALSE },
    { "https:", insecure, FALSE },
    { "https:", "", FALSE },
  };
  const AtmDescriptor descriptor = atm_test_describe (BLOB);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmSource) source
          = open_source (host, cases[i].prefix, "/ns/app:1", cases[i].conf);
      g_autoptr (GBytes) bytes = NULL, blob = NULL;
      g_autofree char *type = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error),
                       ==, cases[i].ok);
      if (cases[i].ok)
        {
          g_assert_true (atm_source_fetch_blob (source, &descriptor, 100, &blob, NULL, &error));
          continue;
        }
      g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE);
      g_assert_nonnull (strstr (error->message, "its certificate is"));
      g_assert_null (strstr (error->message, "insecure"));
    }
}

/* A plain HTTP port sees no plain HTTP from a client that was not told so. */
static void
test_no_fallback (void)
{
  const Script script = { NULL, PONG };
  const char *const prefixes[] = { "", "https:" };

  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    {
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_script, (gpointer) &script);
      g_autofree char *insecure = g_strdup_printf (
          "[[registry]]\nlocation = \"%s\"\ninsecure = true", atm_test_http_get_host (http));
      g_autoptr (AtmSource) source = open_source (atm_test_http_get_host (http), prefixes[i],
                                                  "/x:1", i == 0 ? "" : insecure);
      g_autoptr (GError) error = NULL;
      g_autofree char *requests = NULL;
      GBytes *bytes = NULL;
      char *type = NULL;

      g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
      g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE);
      requests = atm_test_http_dup_requests (http);
      g_assert_null (strstr (requests, "GET"));
    }
}

/* ---- configuration ---- */

static void
test_blocked (void)
{
  const struct
  {
    const char *conf, *name;
  } cases[] = {
    { "[[registry]]\nlocation = \"q.invalid\"\nblocked = true", "q.invalid/x" },
    { "[[registry]]\nprefix = \"q.invalid\"\nlocation = \"m.invalid\"\n"
      "[[registry]]\nlocation = \"m.invalid/x\"\nblocked = true",
      "q.invalid/x" },
    { "[[registry]]\nlocation = \"docker.io\"\nblocked = true", "etcd" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].conf);
      g_autoptr (AtmRegistriesConf) conf = NULL;
      g_autoptr (AtmOrigin) origin = NULL;
      g_autoptr (GError) error = NULL;
      AtmSource *source = NULL;

      g_assert_true (atm_registries_conf_parse (bytes, "test.conf", &conf, &error));
      g_assert_true (atm_origin_parse (cases[i].name, &origin, &error));
      g_assert_false (
          atm_registry_open (origin, conf, client->proxies, &client->options, &source, &error));
      g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED);
      g_assert_nonnull (strstr (error->message, "blocked = true"));
    }
}

static void
test_rewritten (void)
{
  const Script script = { NULL, OK ("2", "\r\n{}") };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_script, (gpointer) &script);
  g_autofree char *conf = g_strdup_printf (
      "[[registry]]\nprefix = \"q.invalid/a\"\nlocation = \"%s/b\"\ninsecure = true",
      atm_test_http_get_host (http));
  g_autoptr (AtmSource) source = open_source ("q.invalid", "", "/a/x:1", conf);
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *type = NULL, *requests = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_no_error (error);
  requests = atm_test_http_dup_requests (http);
  g_assert_nonnull (strstr (requests, "GET /v2/b/x/manifests/1 "));
}

static void
test_unreachable (void)
{
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_constant, (gpointer) "");
  g_autofree char *host = g_strdup (atm_test_http_get_host (http));
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *message = g_strdup_printf ("cannot reach %s: ", host);
  GBytes *bytes = NULL;
  char *type = NULL;

  g_clear_pointer (&http, atm_test_http_free);
  source = open_source (host, "", "/x:1", "");
  g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE);
  g_assert_nonnull (strstr (error->message, message));
  g_assert_nonnull (strstr (error->message, "Connection refused"));
  g_clear_error (&error);

  g_cancellable_cancel (cancellable);
  g_assert_false (
      atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char *argv[])
{
  int status = 0;

  /* GIO makes its default resolver too, though nobody asks it. That one may come from a module of
     GNOME, which ends the program where isolated folders hide the schemas of the desktop. */
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  client = atm_test_client_new ();
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  atm_test_authority_be_system ();
  g_test_add_func ("/client/real", test_real);
  g_test_add_func ("/client/real-refusals", test_real_refusals);
  g_test_add_func ("/client/manifest-faults", test_manifest_faults);
  g_test_add_func ("/client/blob-faults", test_blob_faults);
  g_test_add_func ("/client/tokens", test_tokens);
  g_test_add_func ("/client/stale-tokens", test_stale_tokens);
  g_test_add_func ("/client/tls", test_tls);
  g_test_add_func ("/client/no-fallback", test_no_fallback);
  g_test_add_func ("/client/blocked", test_blocked);
  g_test_add_func ("/client/rewritten", test_rewritten);
  g_test_add_func ("/client/unreachable", test_unreachable);
  status = g_test_run ();
  atm_test_client_free (client);
  return status;
}
