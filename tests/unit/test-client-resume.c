/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/client.h"
#include "fixtures/scratch.h"
#include "image/manifest.h"
#include "registry/content-range.h"

/* Blobs in parts: the client's share of registry.md 8.6 (the rest: test-download), and 3.8.

   rows 69, 71, 72, 73 test_parts
   row  75             test_parts, test_length
   row  76             test_fruitless
   row  83             test_urls
   row  84             test_etags
   and 4.6             test_data */

#define BLOB "hello blob"
#define LOGIN "joe:s3cr3t"

static void
test_content_range (void)
{
  const struct
  {
    const char *header;
    guint64 first, last, total; /* @total 0: any */
  } good[] = {
    { "bytes 5-9/10", 5, 9, 10 },
    { "bytes 5-9/*", 5, 9, 0 },
    { "Bytes  0-0/1 ", 0, 0, 1 },
    { "bytes 0-9223372036854775806/9223372036854775807", 0, G_MAXINT64 - 1, G_MAXINT64 },
  };
  const char *const bad[] = {
    NULL,
    "",
    "bytes",
    "bytes ",
    "bytes 5",
    "bytes 5-",
    "bytes 5-9",
    "bytes 5-9/",
    "bytes 9-5/10",
    "bytes 5-10/10",
    "bytes 5-9/10, bytes 5-9/10",
    "bytes 5-9/10,",
    "bytes 5-9/10 x",
    "bytes */10",
    "bytes -5/10",
    "bytes +5-9/10",
    "bytes 5 - 9/10",
    "bytes 5-9 /10",
    "bytes 5-9/1e1",
    "bytes=5-9/10",
    "bytes5-9/10",
    "items 5-9/10",
    "bytes 0x5-9/10",
    "bytes 5-9/**",
    "bytes 0-9223372036854775807/9223372036854775808",
    "bytes 18446744073709551621-18446744073709551625/*",
    "multipart/byteranges",
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      AtmContentRange range = { 0 };

      g_assert_true (atm_content_range_parse (good[i].header, &range));
      g_assert_cmpuint (range.first, ==, good[i].first);
      g_assert_cmpuint (range.last, ==, good[i].last);
      g_assert_cmpuint (range.has_total ? range.total_bytes : 0, ==, good[i].total);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      AtmContentRange range = { 77, 77, TRUE, 77 };

      if (atm_content_range_parse (bad[i], &range))
        g_error ("%s", bad[i]);
      g_assert_cmpuint (range.first, ==, 77);
    }
  g_assert_true (atm_content_range_is_rest ("bytes 5-9/10", 5, 10));
  g_assert_false (atm_content_range_is_rest ("bytes 5-9/10", 4, 10));
  g_assert_false (atm_content_range_is_rest ("bytes 5-8/10", 5, 10));
  g_assert_false (atm_content_range_is_rest ("bytes 5-9/10", 5, 11));
  g_assert_false (atm_content_range_is_rest ("bytes 5-8/*", 5, 10));
}

/* ---- what a server makes of “Range” ---- */

typedef struct
{
  const char *part; /* its answer to a request for a part */
} Server;

#define WHOLE "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n" BLOB
#define PART(headers, body) "HTTP/1.1 206 Part\r\nConnection: close\r\n" headers "\r\n" body

static void
answer_part (const char *request, GString *response, gpointer user_data)
{
  const Server *server = user_data;

  if (strstr (request, "/blobs/") == NULL)
    atm_test_http_reply (response, "200 OK", "", "{}");
  else
    g_string_append (response, strstr (request, "\r\nRange: ") != NULL ? server->part : WHOLE);
}

static void
test_parts (void)
{
  const struct
  {
    const char *part;
    const char *got; /* NULL: the whole again */
  } cases[] = {
    { PART ("Content-Length: 5\r\nContent-Range: bytes 5-9/10\r\n", " blob"), " blob" },
    { PART ("Content-Range: bytes 5-9/*\r\n", " blob"), " blob" },
    { WHOLE, NULL },
    { PART ("Content-Length: 5\r\n", " blob"), NULL },
    { PART ("Content-Length: 6\r\nContent-Range: bytes 4-9/10\r\n", "o blob"), NULL },
    { PART ("Content-Length: 5\r\nContent-Range: bytes 4-8/10\r\n", "o blo"), NULL },
    { PART ("Content-Length: 4\r\nContent-Range: bytes 5-8/10\r\n", " blo"), NULL },
    { PART ("Content-Length: 5\r\nContent-Range: bytes 5-9/11\r\n", " blob"), NULL },
    { PART ("Content-Length: 7\r\nContent-Range: bytes 5-9/10\r\n", " blob!!"), NULL },
    { PART ("Content-Length: 5\r\nContent-Range: bytes 5-9/10\r\n"
            "Content-Range: bytes 5-9/10\r\n",
            " blob"),
      NULL },
    { PART ("Content-Length: 5\r\nContent-Type: multipart/byteranges\r\n", " blob"), NULL },
    { "HTTP/1.1 416 Range\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", NULL },
  };
  const AtmDescriptor blob = atm_test_describe (BLOB);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Server server = { cases[i].part };
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_part, &server);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_auto (AtmBlobPart) part = { .start_bytes = 5 };
      g_autoptr (GError) error = NULL;
      g_autofree char *got = atm_test_resume (source, &blob, &part, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (atm_test_http_count (http, "Range: bytes=5-\r\n"), ==, 1);
      if (g_strcmp0 (got, cases[i].got != NULL ? cases[i].got : BLOB) != 0
          || part.start_bytes != (cases[i].got != NULL ? 5 : 0))
        g_error ("%u: %s from %u", i, got, (guint) part.start_bytes);
    }
}

/* Nothing is left to ask for; or there is more than there can be. */
static void
test_ends (void)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  Server server = { WHOLE };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_part, &server);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_auto (AtmBlobPart) all = { .start_bytes = 10 }, more = { .start_bytes = 11 };
  g_autoptr (GError) error = NULL;
  g_autofree char *got = atm_test_resume (source, &blob, &all, &error), *again = NULL;

  g_assert_cmpstr (got, ==, "");
  g_assert_cmpuint (all.start_bytes, ==, 10);
  g_assert_cmpuint (atm_test_http_count (http, "GET"), ==, 0);
  again = atm_test_resume (source, &blob, &more, &error);
  g_assert_cmpstr (again, ==, BLOB);
  g_assert_cmpuint (more.start_bytes, ==, 0);
  g_assert_cmpuint (atm_test_http_count (http, "Range"), ==, 0);
}

/* A length that is not the descriptor's is noticed before a byte is read. */
static void
answer_long (const char *request, GString *response, gpointer user_data)
{
  (void) user_data;
  if (strstr (request, "/blobs/") == NULL)
    atm_test_http_reply (response, "200 OK", "", "{}");
  else
    g_string_append (response, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" ATM_TEST_HTTP_HANG);
}

static void
test_length (void)
{
  AtmDescriptor blob = atm_test_describe (BLOB);
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_long, NULL);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_auto (AtmBlobPart) part = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_null (atm_test_resume (source, &blob, &part, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE);
  g_assert_nonnull (strstr (error->message, "announces 11 bytes"));
}

/* ---- versions ---- */

typedef struct
{
  const char *etag; /* (nullable): what it has now */
} Versions;

static void
answer_version (const char *request, GString *response, gpointer user_data)
{
  const Versions *versions = user_data;
  g_autofree char *headers
      = versions->etag != NULL ? g_strdup_printf ("ETag: %s\r\n", versions->etag) : g_strdup ("");
  g_autofree char *if_range
      = versions->etag != NULL ? g_strdup_printf ("\r\nIf-Range: %s\r\n", versions->etag) : NULL;

  if (strstr (request, "\r\nRange: ") == NULL
      || (strstr (request, "\r\nIf-Range: ") != NULL
          && (if_range == NULL || strstr (request, if_range) == NULL)))
    atm_test_http_reply (response, "200 OK", headers, BLOB);
  else
    {
      g_autofree char *all = g_strconcat (headers, "Content-Range: bytes 5-9/10\r\n", NULL);

      atm_test_http_reply (response, "206 Part", all, " blob");
    }
}

static void
test_etags (void)
{
  const struct
  {
    const char *first, *then;
    gboolean kept, sent, whole;
  } cases[] = {
    { "\"v1\"", "\"v1\"", TRUE, TRUE, FALSE },     { "\"v1\"", "\"v2\"", TRUE, TRUE, TRUE },
    { "\"v1\"", NULL, TRUE, TRUE, TRUE },          { "W/\"v1\"", "W/\"v1\"", FALSE, FALSE, FALSE },
    { NULL, NULL, FALSE, FALSE, FALSE },           { "v1", "v1", FALSE, FALSE, FALSE },
    { "\"v\"1\"", "\"v1\"", FALSE, FALSE, FALSE }, { "\"", "\"", FALSE, FALSE, FALSE },
  };
  const AtmDescriptor blob = atm_test_describe (BLOB);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Versions versions = { cases[i].first };
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_version, &versions);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_auto (AtmBlobPart) part = { 0 };
      g_autoptr (GError) error = NULL;
      g_autofree char *got = atm_test_resume (source, &blob, &part, &error), *rest = NULL;

      g_assert_cmpstr (got, ==, BLOB);
      g_assert_cmpstr (part.etag, ==, cases[i].kept ? cases[i].first : NULL);
      g_assert_cmpstr (part.endpoint, ==, cases[i].kept ? atm_test_http_get_host (http) : NULL);
      versions.etag = cases[i].then;
      part.start_bytes = 5;
      rest = atm_test_resume (source, &blob, &part, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (rest, ==, cases[i].whole ? BLOB : " blob");
      g_assert_cmpuint (atm_test_http_count (http, "\r\nIf-Range: "), ==, cases[i].sent ? 1 : 0);
    }
}

/* Another host has other names for its versions. */
static void
test_etag_elsewhere (void)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  Versions versions = { "\"v2\"" };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_version, &versions);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_auto (AtmBlobPart) part
      = { .start_bytes = 5, .etag = g_strdup ("\"v1\""), .endpoint = g_strdup ("other.invalid") };
  g_autoptr (GError) error = NULL;
  g_autofree char *got = atm_test_resume (source, &blob, &part, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (got, ==, " blob");
  g_assert_cmpuint (atm_test_http_count (http, "If-Range"), ==, 0);
  g_assert_cmpstr (part.etag, ==, "\"v2\"");
}

/* ---- what comes to nothing ---- */

static void
test_fruitless (void)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  Server server = { WHOLE };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) mirror = atm_test_http_new (NULL, answer_part, &server);
  g_autoptr (AtmTestHttp) primary = atm_test_http_new (NULL, answer_part, &server);
  g_autofree char *conf
      = g_strdup_printf ("[[registry]]\nlocation = \"%s\"\ninsecure = true\n"
                         "[[registry.mirror]]\nlocation = \"%s\"\ninsecure = true",
                         atm_test_http_get_host (primary), atm_test_http_get_host (mirror));
  g_autofree char *image = g_strconcat (atm_test_http_get_host (primary), ATM_TEST_PATH, NULL);
  g_autoptr (AtmSource) source = atm_test_client_open (client, image, conf);
  g_autoptr (GError) error = NULL;

  /* Whoever asks again has not got what it wanted. */
  for (guint i = 0; i < 5; i++)
    {
      g_auto (AtmBlobPart) part = { 0 };
      g_autofree char *got = atm_test_resume (source, &blob, &part, &error);

      g_assert_cmpstr (got, ==, BLOB);
      g_assert_cmpuint (atm_test_http_count (mirror, "/blobs/"), ==, i / 2 + 1);
      g_assert_cmpuint (atm_test_http_count (primary, "/blobs/"), ==, (i + 1) / 2);
      g_assert_cmpuint (atm_test_http_count (mirror, "no-cache")
                            + atm_test_http_count (primary, "no-cache"),
                        ==, i);
    }
}

/* ---- elsewhere ---- */

static void
answer_lacking (const char *request, GString *response, gpointer user_data)
{
  (void) user_data;
  if (strstr (request, "Authorization") == NULL)
    atm_test_http_reply (response, "401 Who", "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
  else if (strstr (request, "/blobs/") != NULL)
    atm_test_http_reply (response, "404 None", "", "");
  else
    atm_test_http_reply (response, "200 OK", "", "{}");
}

static void
test_urls (void)
{
  const AtmDescriptor plain = atm_test_describe (BLOB);
  Server server = { PART ("Content-Range: bytes 5-9/10\r\n", " blob") };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_lacking, NULL);
  g_autoptr (AtmTestHttp) elsewhere = atm_test_http_new (NULL, answer_part, &server);
  g_autofree char *url
      = g_strdup_printf ("http://%s/blobs/layer", atm_test_http_get_host (elsewhere));
  g_autofree char *secret
      = g_strdup_printf ("http://joe@%s/blobs/x?hidden", atm_test_http_get_host (elsewhere));
  char *urls[] = { secret, url, NULL };
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;

  atm_test_client_login (client, LOGIN, NULL);
  source = atm_test_client_open_at (client, "http:", http);
  for (guint i = 0; i < 2; i++)
    {
      AtmDescriptor blob = plain;
      g_auto (AtmBlobPart) part = { .start_bytes = 5 };
      g_autofree char *got = NULL;

      blob.urls = i == 0 ? urls : NULL;
      got = atm_test_resume (source, &blob, &part, &error);
      g_assert_cmpstr (got, ==, i == 0 ? " blob" : NULL);
    }
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
  g_assert_cmpuint (atm_test_http_count (http, "/blobs/"), ==, 2);
  g_assert_cmpuint (atm_test_http_count (elsewhere, "GET /blobs/layer "), ==, 1);
  g_assert_cmpuint (atm_test_http_count (elsewhere, "Authorization"), ==, 0);
}

#define LAYER(type, urls)                                                                          \
  "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" ATM_TYPE_OCI_CONFIG                          \
  "\",\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\","     \
  "\"size\":2%s},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer." type               \
  "\",\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\","     \
  "\"size\":2" urls "}]}"
#define FOREIGN "nondistributable.v1.tar+gzip"

static void
test_url_lists (void)
{
  const struct
  {
    const char *manifest;
    const char *urls; /* joined by blanks; NULL: none */
  } cases[] = {
    { LAYER (FOREIGN, ",\"urls\":[\"https://a/x\",\"http://b/y\"]"), "https://a/x http://b/y" },
    { LAYER (FOREIGN, ",\"urls\":[\"file:///etc/passwd\",\"https://a\"]"), "https://a" },
    { LAYER (FOREIGN, ",\"urls\":[\"HTTPS://a\",\"ftp://a\",\"\"]"), NULL },
    { LAYER (FOREIGN, ",\"urls\":\"https://a\""), NULL },
    { LAYER (FOREIGN, ",\"urls\":[1]"), NULL },
    { LAYER (FOREIGN, ""), NULL },
    { LAYER ("v1.tar+gzip", ",\"urls\":[\"https://a/x\"]"), NULL },
    { LAYER (FOREIGN, ",\"urls\":[\"https://1\",\"https://2\",\"https://3\",\"https://4\","
                      "\"https://5\",\"https://6\",\"https://7\",\"https://8\",\"https://9\"]"),
      "https://1 https://2 https://3 https://4 https://5 https://6 https://7 https://8" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (GStrv) parts = g_strsplit (cases[i].manifest, "%s", -1);
      g_autofree char *text = g_strjoinv ("", parts), *urls = NULL;
      g_autoptr (GBytes) bytes = atm_test_bytes (text);
      g_autoptr (AtmManifest) manifest = NULL;
      g_autoptr (GError) error = NULL;
      const AtmDescriptor *layer = NULL;

      g_assert_true (atm_manifest_parse (bytes, &manifest, &error));
      g_assert_no_error (error);
      layer = manifest->layers->pdata[0];
      urls = layer->urls != NULL ? g_strjoinv (" ", layer->urls) : NULL;
      g_assert_cmpstr (urls, ==, cases[i].urls);
    }
}

/* What is embedded saves a request, if it is right. */
static void
test_data (void)
{
  const struct
  {
    const char *member;
    gboolean used;
  } cases[] = {
    { ",\"data\":\"e30=\"", TRUE },  { ",\"data\":\"e30K\"", FALSE },
    { ",\"data\":\"\"", FALSE },     { ",\"data\":\"W10=\"", FALSE },
    { ",\"data\":1", FALSE },        { ",\"data\":null", FALSE },
    { ",\"data\":\"!!!!\"", FALSE }, { "", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (GStrv) parts = g_strsplit (LAYER ("v1.tar", ""), "%s", -1);
      g_autofree char *text = g_strjoinv (cases[i].member, parts);
      g_autoptr (GBytes) bytes = atm_test_bytes (text), config = NULL;
      g_autoptr (AtmManifest) manifest = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_lacking, NULL);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      g_assert_true (atm_manifest_parse (bytes, &manifest, &error));
      g_assert_no_error (error);
      g_assert_cmpint (
          atm_source_fetch_blob (source, &manifest->config, 100, &config, NULL, &error), ==,
          cases[i].used);
      g_assert_cmpuint (atm_test_http_count (http, "GET") == 0, ==, cases[i].used);
    }
}

/* ---- connections ---- */

static void
answer_keeping (const char *request, GString *response, gpointer user_data)
{
  (void) user_data;
  atm_test_http_reply (response, "200 OK", ATM_TEST_HTTP_KEEP,
                       strstr (request, "/blobs/") != NULL ? BLOB : "{}");
}

static void
test_kept (void)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_keeping, NULL);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http), sibling = NULL;
  g_autoptr (GError) error = NULL;

  atm_test_assert_manifest (source, "{}");
  for (guint i = 0; i < 3; i++)
    {
      g_auto (AtmBlobPart) part = { 0 };
      g_autofree char *got = atm_test_resume (source, &blob, &part, &error);

      g_assert_cmpstr (got, ==, BLOB);
    }
  g_assert_cmpuint (atm_test_http_count_connections (http), ==, 1);

  /* A sibling knows what was learnt, and has its own connections; the stream outlives it. */
  sibling = ATM_SOURCE_GET_IFACE (source)->new_sibling (source);
  g_clear_object (&source);
  {
    g_auto (AtmBlobPart) part = { 0 };
    g_autoptr (GInputStream) stream = NULL;
    char buffer[600];
    gssize n = 0;

    g_assert_true (
        ATM_SOURCE_GET_IFACE (sibling)->resume_blob (sibling, &blob, &part, &stream, NULL, &error));
    g_clear_object (&sibling);
    n = g_input_stream_read (stream, buffer, sizeof buffer, NULL, &error);
    g_assert_cmpint (n, ==, strlen (BLOB));
  }
  g_assert_cmpuint (atm_test_http_count_connections (http), ==, 2);
  g_assert_cmpuint (atm_test_http_count (http, "GET /v2/ "), ==, 1);
}

int
main (int argc, char *argv[])
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/client/resume/content-range", test_content_range);
  g_test_add_func ("/client/resume/parts", test_parts);
  g_test_add_func ("/client/resume/ends", test_ends);
  g_test_add_func ("/client/resume/length", test_length);
  g_test_add_func ("/client/resume/etags", test_etags);
  g_test_add_func ("/client/resume/etag-elsewhere", test_etag_elsewhere);
  g_test_add_func ("/client/resume/fruitless", test_fruitless);
  g_test_add_func ("/client/resume/urls", test_urls);
  g_test_add_func ("/client/resume/url-lists", test_url_lists);
  g_test_add_func ("/client/resume/data", test_data);
  g_test_add_func ("/client/resume/kept", test_kept);
  return g_test_run ();
}
