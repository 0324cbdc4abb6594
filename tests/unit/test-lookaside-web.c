/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/certificates.h"
#include "fixtures/http.h"
#include "fixtures/scratch.h"
#include "trust/lookaside.h"
#include "trust/signature.h"
#include "trust/trust.h"

#include <string.h>

/* Signatures from web servers: trust.md 12, and rows 57 and 58 of its section 21. */

#define BLOB "not checked here"
#define HERE "IP:127.0.0.1"

/* ---- a server ---- */

typedef struct
{
  guint count;        /* there are signature-1 to signature-COUNT … */
  guint gap;          /* … without this one */
  guint odd;          /* this one is answered by all below */
  guint odd_times;    /* so often; 0: always */
  const char *status; /* (nullable): as in “403 Forbidden” */
  const char *headers;
  const char *raw; /* (nullable): the whole answer instead */
  guint odd_seen;
} Site;

static gboolean
answer_oddly (Site *site, GString *response)
{
  site->odd_seen++;
  if (site->odd_times > 0 && site->odd_seen > site->odd_times)
    return FALSE;
  if (site->raw != NULL)
    g_string_append (response, site->raw);
  else
    atm_test_http_reply (response, site->status, site->headers != NULL ? site->headers : "", BLOB);
  return TRUE;
}

static void
answer (const char *request, GString *response, gpointer user_data)
{
  Site *site = user_data;
  const char *name = strstr (request, "/signature-");
  guint64 number = name != NULL ? g_ascii_strtoull (name + strlen ("/signature-"), NULL, 10) : 0;

  if (number == site->odd && answer_oddly (site, response))
    return;
  if (number > 0 && number <= site->count && number != site->gap)
    atm_test_http_reply (response, "200 OK", "Content-Type: text/html\r\n" ATM_TEST_HTTP_KEEP,
                         BLOB);
  else
    atm_test_http_reply (response, "404 Not Found", "", "");
}

/* ---- one question ---- */

static const AtmLookasideLimits patient
    = { .request_msec = 60000, .total_msec = 60000, .second_msec = 1 };

static AtmDigest
get_digest (void)
{
  g_autoptr (GBytes) manifest = atm_test_bytes ("{}");
  AtmDigest digest;

  atm_digest_of (ATM_HASH_SHA256, manifest, &digest);
  return digest;
}

static gboolean
read_url (const char *base, const AtmLookasideWeb *web, AtmTrace *trace, GPtrArray **blobs_out,
          GCancellable *cancellable, GError **error)
{
  const AtmDigest digest = get_digest ();

  return atm_lookaside_read (base, "ns/app", &digest, web, trace, blobs_out, cancellable, error);
}

static char *
dup_signature_url (const char *base, guint number)
{
  const AtmDigest digest = get_digest ();

  return g_strdup_printf ("%s/ns/app@sha256=%s/signature-%u", base, digest.hex, number);
}

/* Each URL is told, once; @result is that of the last one. */
static void
assert_places (const AtmTrace *trace, const char *base, guint count, const char *result)
{
  g_assert_cmpuint (trace->places->len, ==, count);
  for (guint i = 0; i < count; i++)
    {
      const AtmTracePlace *place = trace->places->pdata[i];
      g_autofree char *url = dup_signature_url (base, i + 1);

      g_assert_cmpstr (place->url, ==, url);
      if (i + 1 < count)
        g_assert_cmpstr (place->result, ==, "1 signature");
      else if (strstr (place->result, result) == NULL)
        g_error ("“%s”, not “%s”", place->result, result);
    }
}

static char *
dup_base (const char *scheme, AtmTestHttp *http)
{
  return g_strdup_printf ("%s://%s/sigs", scheme, atm_test_http_get_host (http));
}

static void
assert_count (const char *base, guint count)
{
  const AtmLookasideWeb web = { .limits = &patient };
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (GPtrArray) blobs = NULL;
  g_autoptr (GError) error = NULL;

  if (!read_url (base, &web, trace, &blobs, NULL, &error))
    g_error ("%s: %s", base, error->message);
  g_assert_cmpuint (blobs->len, ==, count);
  assert_places (trace, base, count + 1, "no signature");
}

/* The message names the URL of signature-@number. */
static void
assert_error (const char *base, const AtmLookasideLimits *limits, AtmTrustError code, guint number,
              const char *message)
{
  const AtmLookasideWeb web = { .limits = limits };
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autofree char *url = dup_signature_url (base, number);
  g_autoptr (GError) error = NULL;
  GPtrArray *blobs = NULL;

  g_assert_false (read_url (base, &web, trace, &blobs, NULL, &error));
  g_assert_null (blobs);
  if (!g_error_matches (error, ATM_TRUST_ERROR, (int) code) || strstr (error->message, url) == NULL
      || strstr (error->message, message) == NULL)
    g_error ("%d: “%s”, not “%s” with %s", error->code, error->message, message, url);
  assert_places (trace, base, number, message);
}

static void
assert_site_error (Site *site, const AtmLookasideLimits *limits, AtmTrustError code, guint number,
                   const char *message)
{
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer, site);
  g_autofree char *base = dup_base ("http", http);

  assert_error (base, limits, code, number, message);
  g_assert_cmpuint (atm_test_http_count (http, "Authorization"), ==, 0);
}

/* ---- what is there ---- */

static void
test_read (void)
{
  const struct
  {
    Site site;
    guint count;
  } cases[] = {
    { { .count = 0 }, 0 },
    { { .count = 1 }, 1 },
    { { .count = 3 }, 3 },
    { { .count = 3, .gap = 1 }, 0 },
    { { .count = 3, .gap = 2 }, 1 },
    { { .count = ATM_SIGNATURES_MAX }, ATM_SIGNATURES_MAX },
    /* What may pass is asked for again. */
    { { .count = 2, .odd = 2, .odd_times = 2, .status = "503 Busy" }, 2 },
    { { .count = 2, .odd = 1, .odd_times = 1, .status = "429 Slowly" }, 2 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Site site = cases[i].site;
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer, &site);
      g_autofree char *base = dup_base ("http", http);

      assert_count (base, cases[i].count);
    }
}

static void
test_request (void)
{
  Site site = { .count = 1 };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer, &site);
  g_autofree char *base = dup_base ("http", http), *line = NULL;
  const AtmLookasideWeb web = { .limits = &patient };
  const AtmDigest digest = get_digest ();
  g_autoptr (GPtrArray) blobs = NULL;
  g_autoptr (GBytes) wanted = atm_test_bytes (BLOB);
  g_autoptr (GError) error = NULL;

  g_assert_true (read_url (base, &web, NULL, &blobs, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (blobs->pdata[0], wanted));
  line = g_strdup_printf ("GET /sigs/ns/app@sha256=%s/signature-1 HTTP/1.1\r\n", digest.hex);
  g_assert_cmpuint (atm_test_http_count (http, line), ==, 1);
  g_assert_cmpuint (atm_test_http_count (http, "GET "), ==, 2);
  g_assert_cmpuint (atm_test_http_count (http, "Cookie"), ==, 0);
}

/* ---- what is not taken for “there is none” ---- */

/* Row 57. */
static void
test_statuses (void)
{
  const char *const statuses[]
      = { "403 Forbidden", "410 Gone", "401 Who\r\nWWW-Authenticate: Basic realm=\"x\"",
          "500 Broken",    "204 None", "206 Part",
          "304 Same",      "400 What", "429 Slowly" };

  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++)
    for (guint number = 1; number <= 2; number++)
      {
        Site site = { .count = 2, .odd = number, .status = statuses[i] };
        g_autofree char *message = g_strdup_printf ("answered %.3s", statuses[i]);

        assert_site_error (&site, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, number, message);
      }
}

static void
test_cut (void)
{
  Site cut = { .count = 1, .odd = 1, .raw = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc" };
  Site encoded
      = { .count = 1, .odd = 1, .status = "200 OK", .headers = "Content-Encoding: gzip\r\n" };
  Site garbage = { .count = 1, .odd = 1, .raw = "hello\r\n\r\n" };

  assert_site_error (&cut, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "terminated");
  assert_site_error (&encoded, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "gzip");
  assert_site_error (&garbage, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "cannot reach");
}

static void
test_refused (void)
{
  Site site = { 0 };
  AtmTestHttp *http = atm_test_http_new (NULL, answer, &site);
  g_autofree char *base = dup_base ("http", http);

  atm_test_http_free (http);
  assert_error (base, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "cannot reach 127.0.0.1");
}

/* ---- limits ---- */

/* Row 58. */
static void
test_number (void)
{
  Site site = { .count = 1000 };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer, &site);
  g_autofree char *base = dup_base ("http", http);

  assert_error (base, &patient, ATM_TRUST_ERROR_LIMIT_EXCEEDED, 128, "more than 127 signatures");
  g_assert_cmpuint (atm_test_http_count (http, "GET "), ==, ATM_SIGNATURES_MAX + 1);
}

static void
test_size (void)
{
  const gsize sizes[] = { ATM_SIGNATURE_MAX_BYTES, ATM_SIGNATURE_MAX_BYTES + 1, 5 * 1024 * 1024 };
  /* NULL: the right length */
  const char *const heads[]
      = { NULL, "Connection: close\r\n", "Content-Length: 9999999999999\r\n" };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (guint j = 0; j < G_N_ELEMENTS (heads); j++)
      {
        g_autofree char *body = g_strnfill (sizes[i], 'x');
        g_autofree char *length
            = g_strdup_printf ("Content-Length: %" G_GSIZE_FORMAT "\r\n", sizes[i]);
        g_autofree char *raw = g_strconcat (
            "HTTP/1.1 200 OK\r\n", heads[j] != NULL ? heads[j] : length, "\r\n", body, NULL);
        Site site = { .odd = 1, .raw = raw };
        g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer, &site);
        g_autofree char *base = dup_base ("http", http);

        if (sizes[i] <= ATM_SIGNATURE_MAX_BYTES && j < 2)
          assert_count (base, 1);
        else
          assert_error (base, &patient, ATM_TRUST_ERROR_LIMIT_EXCEEDED, 1, "more than 4 MiB");
      }
}

static void
test_time (void)
{
  const AtmLookasideLimits each = { .request_msec = 50, .total_msec = 60000, .second_msec = 1 };
  /* Long enough for what is answered at once, also on a busy machine. */
  const AtmLookasideLimits all = { .request_msec = 60000, .total_msec = 1000, .second_msec = 1 };
  const AtmLookasideLimits long_each
      = { .request_msec = 10000, .total_msec = 60000, .second_msec = 1 };
  const char *const answers[] = { ATM_TEST_HTTP_HANG, "HTTP/1.1 200 OK\r\n" ATM_TEST_HTTP_HANG,
                                  "HTTP/1.1 200 OK\r\n\r\nab" ATM_TEST_HTTP_HANG,
                                  "HTTP/1.1 429 Slowly\r\nRetry-After: 60000\r\n\r\n" };

  for (guint i = 0; i < 3; i++)
    {
      Site first = { .odd = 1, .raw = answers[i] };
      Site second = { .count = 2, .odd = 2, .raw = answers[i] };

      assert_site_error (&first, &each, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "0.05 s");
      assert_site_error (&second, &all, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 2, "after 1 s");
    }
  {
    Site busy = { .odd = 1, .raw = answers[3] };

    assert_site_error (&busy, &long_each, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "answered 429");
  }
}

static void
answer_cancel (const char *request, GString *response, gpointer user_data)
{
  (void) request;
  g_cancellable_cancel (user_data);
  g_string_append (response, ATM_TEST_HTTP_HANG);
}

static void
test_cancelled (void)
{
  const AtmLookasideWeb web = { .limits = &patient };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_cancel, cancellable);
  g_autofree char *base = dup_base ("http", http);
  g_autoptr (GError) error = NULL;
  GPtrArray *blobs = NULL;

  g_assert_false (read_url (base, &web, NULL, &blobs, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (blobs);
}

/* ---- redirects, TLS, proxies ---- */

/* Sends everybody to the same path at @scheme://@to, in @hops steps of its own before. */
typedef struct
{
  const char *location; /* (nullable): instead of the place below */
  const char *scheme;
  AtmTestHttp *to;
  guint hops;
} Redirect;

static void
answer_redirect (const char *request, GString *response, gpointer user_data)
{
  Redirect *redirect = user_data;
  g_auto (GStrv) words = g_strsplit (request, " ", 3);
  g_autofree char *headers = NULL;

  if (redirect->location != NULL)
    headers = g_strdup_printf ("Location: %s\r\n", redirect->location);
  else if (redirect->hops > 1)
    {
      redirect->hops--;
      headers = g_strdup_printf ("Location: %s\r\n", words[1]);
    }
  else
    headers = g_strdup_printf ("Location: %s://%s%s\r\nSet-Cookie: a=b\r\n", redirect->scheme,
                               atm_test_http_get_host (redirect->to), words[1]);
  atm_test_http_reply (response, "302 Go", headers, "");
}

/* For everything in this program that speaks TLS. */
static AtmTestAuthority *
trust_authority (void)
{
  AtmTestAuthority *authority = atm_test_authority_new ();
  g_autoptr (GTlsDatabase) database
      = g_tls_file_database_new (atm_test_authority_get_file (authority), NULL);

  g_assert_nonnull (database);
  g_tls_backend_set_default_database (g_tls_backend_get_default (), database);
  return authority;
}

/* Row 57, the last of it. */
static void
test_schemes (void)
{
  const struct
  {
    const char *from, *to;
    const char *message; /* NULL: followed */
  } cases[] = {
    { "http", "http", NULL },
    { "http", "https", NULL },
    { "https", "https", NULL },
    { "https", "http", "from HTTPS to plain HTTP" },
  };
  g_autoptr (AtmTestAuthority) authority = trust_authority ();
  g_autoptr (GTlsCertificate) certificate = atm_test_authority_issue (authority, HERE, 30, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Site site = { .count = 1 };
      g_autoptr (AtmTestHttp) storage = atm_test_http_new (
          g_str_equal (cases[i].to, "https") ? certificate : NULL, answer, &site);
      Redirect redirect = { .scheme = cases[i].to, .to = storage };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (
          g_str_equal (cases[i].from, "https") ? certificate : NULL, answer_redirect, &redirect);
      g_autofree char *base = dup_base (cases[i].from, http);

      if (cases[i].message == NULL)
        assert_count (base, 1);
      else
        assert_error (base, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, cases[i].message);
      g_assert_cmpuint (atm_test_http_count (storage, "GET "), ==,
                        cases[i].message == NULL ? 2 : 0);
      g_assert_cmpuint (atm_test_http_count (storage, "Cookie"), ==, 0);
      g_assert_cmpuint (atm_test_http_count (storage, "Authorization"), ==, 0);
    }
  g_tls_backend_set_default_database (g_tls_backend_get_default (), NULL);
}

static void
test_hops (void)
{
  Site site = { .count = 0 };
  g_autoptr (AtmTestHttp) storage = atm_test_http_new (NULL, answer, &site);
  Redirect five = { .scheme = "http", .to = storage, .hops = 5 };
  Redirect six = { .scheme = "http", .to = storage, .hops = 6 };
  g_autoptr (AtmTestHttp) near = atm_test_http_new (NULL, answer_redirect, &five);
  g_autoptr (AtmTestHttp) far = atm_test_http_new (NULL, answer_redirect, &six);
  g_autofree char *near_base = dup_base ("http", near), *far_base = dup_base ("http", far);

  assert_count (near_base, 0);
  assert_error (far_base, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "more than 5 times");
}

static void
test_locations (void)
{
  const char *const locations[] = { "file:///etc/passwd",         "ftp://127.0.0.1/x", "",
                                    "http://user:pw@127.0.0.1/x", "http:///x",         "data:,x" };

  for (guint i = 0; i < G_N_ELEMENTS (locations); i++)
    {
      Redirect redirect = { .location = locations[i] };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_redirect, &redirect);
      g_autofree char *base = dup_base ("http", http);

      assert_error (base, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "redirect");
    }
}

static void
test_certificate (void)
{
  Site site = { .count = 1 };
  g_autoptr (GTlsCertificate) certificate = atm_test_certificate_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (certificate, answer, &site);
  g_autofree char *base = dup_base ("https", http);

  assert_error (base, &patient, ATM_TRUST_ERROR_LOOKASIDE_ERROR, 1, "certificate");
  g_assert_cmpuint (atm_test_http_count (http, "GET "), ==, 0);
}

static void
test_proxy (void)
{
  Site site = { .count = 1 };
  g_autoptr (AtmTestHttp) proxy = atm_test_http_new (NULL, answer, &site);
  g_autofree char *address = g_strdup_printf ("http://%s", atm_test_http_get_host (proxy));
  g_autoptr (GProxyResolver) proxies = g_simple_proxy_resolver_new (address, NULL);
  const AtmLookasideWeb web = { .proxies = proxies, .limits = &patient };
  g_autoptr (GPtrArray) blobs = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (read_url ("http://sigs.invalid", &web, NULL, &blobs, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (blobs->len, ==, 1);
  g_assert_cmpuint (atm_test_http_count (proxy, "GET http://sigs.invalid/ns/app@sha256="), ==, 2);
}

int
main (int argc, char *argv[])
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE); /* as in main.c */
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/lookaside-web/read", test_read);
  g_test_add_func ("/lookaside-web/request", test_request);
  g_test_add_func ("/lookaside-web/statuses", test_statuses);
  g_test_add_func ("/lookaside-web/cut", test_cut);
  g_test_add_func ("/lookaside-web/refused", test_refused);
  g_test_add_func ("/lookaside-web/number", test_number);
  g_test_add_func ("/lookaside-web/size", test_size);
  g_test_add_func ("/lookaside-web/time", test_time);
  g_test_add_func ("/lookaside-web/cancelled", test_cancelled);
  g_test_add_func ("/lookaside-web/certificate", test_certificate);
  g_test_add_func ("/lookaside-web/schemes", test_schemes);
  g_test_add_func ("/lookaside-web/hops", test_hops);
  g_test_add_func ("/lookaside-web/locations", test_locations);
  g_test_add_func ("/lookaside-web/proxy", test_proxy);
  return g_test_run ();
}
