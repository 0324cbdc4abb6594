/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/client.h"
#include "registry/retry.h"

/* Rate limits, failures, mirrors and manifests: registry.md 8.4 and 8.5.

   rows 38 to 41      test_passing
   row  39            test_long_wait
   rows 42, 43        test_mirror_fails
   row  44            test_mirror_lacks_blob
   row  45            test_mirror_lies
   row  46            test_error_bodies
   row  47            test-client, test_manifest_faults
   rows 48, 49        test_wrong_manifest
   row  50 to 60      test-manifest (what the bytes are), test-client-redirect (row 37)
   row  61            test-client, test_manifest_faults
   row  62            ops/: the digest is what is asked for
   row  63            test_wrong_config
   rows 64 to 68b     test-config, test-manifest, test-json
   and 3.7, 3.11, 4.6 test_budget, test_kinds, test_retry_after, test_warnings, test_data */

#define BLOB "hello blob"

/* What to say how often, before all is well. */
typedef struct
{
  const char *where; /* in the request */
  const char *status, *headers, *body;
  guint count;
} Fault;

static void
answer_fault (const char *request, GString *response, gpointer user_data)
{
  Fault *fault = user_data;

  if (fault->count > 0 && strstr (request, fault->where) != NULL)
    {
      fault->count--;
      atm_test_http_reply (response, fault->status, fault->headers, fault->body);
    }
  else
    atm_test_http_reply (response, "200 OK", "", strstr (request, "/blobs/") != NULL ? BLOB : "{}");
}

static gboolean
fetch_blob (AtmSource *source, GError **error)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  g_autoptr (GBytes) bytes = NULL;

  return atm_source_fetch_blob (source, &blob, 100, &bytes, NULL, error);
}

/* ---- what passes ---- */

static void
test_passing (void)
{
  const struct
  {
    Fault fault;
    gboolean ok;
  } cases[] = {
    { { "/manifests/", "429 Slow", "Retry-After: 1\r\n", "", 2 }, TRUE },
    { { "/manifests/", "429 Slow", "Retry-After: Mon, 01 Jan 2001 00:00:00 GMT\r\n", "", 2 },
      TRUE },
    { { "/manifests/", "429 Slow", "Retry-After: soon\r\n", "", 2 }, TRUE },
    { { "/manifests/", "429 Slow", "", "", 5 }, TRUE },
    { { "/manifests/", "429 Slow", "", "", 6 }, FALSE },
    { { "/manifests/", "503 Later", "", "", 3 }, TRUE },
    { { "/manifests/", "500 Oops", "", "", 4 }, TRUE },
    { { "/manifests/", "500 Oops", "", "", 5 }, FALSE },
    { { "/v2/ ", "502 Oops", "", "", 4 }, TRUE },
    { { "/v2/ ", "504 Oops", "", "", 5 }, FALSE },
    { { "/manifests/", "501 Never", "", "", 1 }, FALSE },
    { { "/manifests/", "404 None", "", "", 1 }, FALSE },
    { { "/manifests/", "400 Bad", "", "", 1 }, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fault fault = cases[i].fault;
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_fault, &fault);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *type = NULL;

      if (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error) != cases[i].ok
          || fault.count != 0)
        g_error ("%u: %s, %u left", i, error != NULL ? error->message : "accepted", fault.count);
    }
}

static void
test_long_wait (void)
{
  Fault fault = { "/manifests/", "429 Slow", "Retry-After: 21600\r\n",
                  "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"100 in 6 h\"}]}", 9 };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_fault, &fault);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_autoptr (GError) error
      = atm_test_assert_no_manifest (source, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                                     "(429 TOOMANYREQUESTS: 100 in 6 h); try again after 2");

  g_assert_nonnull (error);
  g_assert_cmpuint (atm_test_http_count (http, "/manifests/"), ==, 1);
}

static void
test_retry_after (void)
{
  const struct
  {
    const char *header;
    guint64 seconds; /* 0: says nothing */
  } cases[] = {
    { "1", 1 },
    { "21600", 21600 },
    { "999999999", 999999999 },
    { "Tue, 14 Nov 2023 22:13:30 GMT", 10 },
    { "Tue, 14 Nov 2023 22:13:20 GMT", 0 },
    { "Tue, 14 Nov 2023 22:13:10 GMT", 0 },
    { NULL, 0 },
    { "", 0 },
    { "-1", 0 },
    { "1.5", 0 },
    { "1 ", 0 },
    { "1e3", 0 },
    { "99999999999999999999", 0 },
    { "soon", 0 },
    { "0x10", 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      guint64 seconds = 0;
      gboolean says = atm_retry_after_parse (cases[i].header, 1700000000, &seconds);

      g_assert_cmpuint (says ? seconds : 0, ==, cases[i].seconds);
    }
}

static void
test_kinds (void)
{
  const struct
  {
    AtmRetryKind kind;
    guint64 asked_sec;
    guint first_msec, attempts;
  } cases[] = {
    { ATM_RETRY_TRANSPORT, 0, 1000, 3 }, { ATM_RETRY_SERVER, 0, 1000, 4 },
    { ATM_RETRY_RATE, 0, 2000, 5 },      { ATM_RETRY_RATE, 7, 7000, 5 },
    { ATM_RETRY_RATE, 120, 60000, 5 },   { ATM_RETRY_RATE, 301, 0, 0 },
    { ATM_RETRY_NONE, 0, 0, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AtmRetry retry = { 0 };
      guint delay_msec = 0, attempts = 0, expected = cases[i].first_msec;

      while (atm_retry_next (&retry, cases[i].kind, cases[i].asked_sec, 1000, &delay_msec))
        {
          attempts++;
          g_assert_cmpuint (delay_msec, >=, cases[i].asked_sec > 0 ? expected : expected * 8 / 10);
          g_assert_cmpuint (delay_msec, <=, expected * 12 / 10);
          if (cases[i].asked_sec == 0)
            expected *= 2;
        }
      g_assert_cmpuint (attempts, ==, cases[i].attempts);
    }
}

/* A pull that fails everywhere ends, whatever each request would be allowed. */
static void
test_budget (void)
{
  Fault fault = { "/manifests/", "500 Oops", "", "", G_MAXUINT };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_fault, &fault);
  g_autoptr (AtmSource) source = NULL;

  client->limits.failures_max = 8;
  source = atm_test_client_open_at (client, "http:", http);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (GError) error = atm_test_assert_no_manifest (
          source, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "cannot answer now");

      g_assert_nonnull (error);
    }
  g_assert_cmpuint (atm_test_http_count (http, "/manifests/"), ==, 5 + 3 + 1 + 1);
}

/* A wait ends at once when the user has had enough. */
static void
answer_cancelling (const char *request, GString *response, gpointer user_data)
{
  (void) request;
  g_cancellable_cancel (user_data);
  atm_test_http_reply (response, "429 Slow", "Retry-After: 60\r\n", "");
}

static void
test_cancelled (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_cancelling, cancellable);
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;
  GBytes *bytes = NULL;
  char *type = NULL;

  client->limits.second_msec = 60 * 1000;
  source = atm_test_client_open_at (client, "http:", http);
  g_assert_false (
      atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* ---- mirrors ---- */

static AtmSource *
open_mirrored (AtmTestClient *client, AtmTestHttp *primary, AtmTestHttp *mirror, const char *rest)
{
  g_autofree char *conf
      = g_strdup_printf ("[[registry]]\nlocation = \"%s\"\ninsecure = true\n"
                         "[[registry.mirror]]\nlocation = \"%s\"\ninsecure = true",
                         atm_test_http_get_host (primary), atm_test_http_get_host (mirror));
  g_autofree char *image = g_strconcat (atm_test_http_get_host (primary), rest, NULL);

  return atm_test_client_open (client, image, conf);
}

static guint
count_lines (const char *text)
{
  guint count = 0;

  for (const char *p = text; *p != '\0'; p++)
    count += *p == '\n';
  return count;
}

static void
test_mirror_fails (void)
{
  const struct
  {
    const char *mirror, *primary; /* status; NULL: fine */
    guint warnings;
    AtmSourceError code;
  } cases[] = {
    { "500 Oops", NULL, 1, 0 },
    { "403 No", NULL, 1, 0 },
    { "404 None", NULL, 0, 0 },
    { NULL, "500 Oops", 0, 0 },
    { "500 Oops", "404 None", 0, ATM_SOURCE_ERROR_NOT_FOUND },
    { "404 None", "403 No", 0, ATM_SOURCE_ERROR_DENIED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fault mirror_fault = { "/manifests/", cases[i].mirror, "", "of the mirror",
                             cases[i].mirror != NULL ? G_MAXUINT : 0 };
      Fault primary_fault = { "/manifests/", cases[i].primary, "", "of the primary",
                              cases[i].primary != NULL ? G_MAXUINT : 0 };
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) mirror = atm_test_http_new (NULL, answer_fault, &mirror_fault);
      g_autoptr (AtmTestHttp) primary = atm_test_http_new (NULL, answer_fault, &primary_fault);
      g_autoptr (AtmSource) source = open_mirrored (client, primary, mirror, ATM_TEST_PATH);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *type = NULL;
      gboolean ok = cases[i].mirror == NULL || cases[i].primary == NULL;

      g_assert_cmpint (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error),
                       ==, ok);
      g_assert_cmpuint (count_lines (client->said->str), ==, cases[i].warnings);
      if (cases[i].warnings > 0)
        g_assert_nonnull (strstr (client->said->str, atm_test_http_get_host (mirror)));
      if (ok)
        {
          gboolean from_mirror = cases[i].mirror == NULL;

          /* The blobs are where the manifest was. */
          g_assert_true (fetch_blob (source, &error));
          g_assert_cmpuint (atm_test_http_count (mirror, "/blobs/"), ==, from_mirror);
          g_assert_cmpuint (atm_test_http_count (primary, "/blobs/"), ==, !from_mirror);
          continue;
        }
      g_assert_error (error, ATM_SOURCE_ERROR, (int) cases[i].code);
      g_assert_nonnull (strstr (error->message, "of the mirror"));
      g_assert_nonnull (
          strstr (strstr (error->message, "of the mirror"), atm_test_http_get_host (primary)));
    }
}

static void
test_mirror_lacks_blob (void)
{
  const char *const stati[] = { "404 None", "403 No", "500 Oops", "206 Part" };

  for (guint i = 0; i < G_N_ELEMENTS (stati); i++)
    {
      Fault lacks = { "/blobs/", stati[i], "", "", G_MAXUINT }, fine = { 0 };
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) mirror = atm_test_http_new (NULL, answer_fault, &lacks);
      g_autoptr (AtmTestHttp) primary = atm_test_http_new (NULL, answer_fault, &fine);
      g_autoptr (AtmSource) source = open_mirrored (client, primary, mirror, ATM_TEST_PATH);
      const AtmDescriptor blob = atm_test_describe (BLOB);
      g_auto (AtmBlobPart) part = { 0 };
      g_autofree char *got = NULL;
      g_autoptr (GError) error = NULL;

      atm_test_assert_manifest (source, "{}");
      g_assert_true (fetch_blob (source, &error));
      g_assert_no_error (error);
      got = atm_test_resume (source, &blob, &part, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (got, ==, BLOB);
      g_assert_cmpuint (atm_test_http_count (primary, "/blobs/"), ==, 2);
      g_assert_cmpuint (atm_test_http_count (primary, "/manifests/"), ==, 0);
    }
}

static void
test_mirror_lies (void)
{
  const AtmDescriptor right = atm_test_describe ("{}");
  g_autofree char *rest = g_strdup_printf ("/ns/app@sha256:%s", right.digest.hex);
  Fault lie = { "/manifests/", "200 OK", "", "[]", G_MAXUINT }, fine = { 0 };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) mirror = atm_test_http_new (NULL, answer_fault, &lie);
  g_autoptr (AtmTestHttp) primary = atm_test_http_new (NULL, answer_fault, &fine);
  g_autoptr (AtmSource) source = open_mirrored (client, primary, mirror, rest);

  atm_test_assert_manifest (source, "{}");
  g_assert_cmpuint (count_lines (client->said->str), ==, 1);
  g_assert_nonnull (strstr (client->said->str, "does not match"));
  g_assert_nonnull (strstr (client->said->str, atm_test_http_get_host (mirror)));
}

/* ---- wrong bytes ---- */

static void
test_wrong_manifest (void)
{
  const AtmDescriptor right = atm_test_describe ("{}");
  g_autofree char *by_digest = g_strdup_printf ("/ns/app@sha256:%s", right.digest.hex);
  g_autofree char *header = g_strdup_printf ("Docker-Content-Digest: sha256:%064d\r\n", 0);
  const struct
  {
    const char *rest, *headers, *body;
  } cases[] = { { by_digest, "", "[]" }, { ATM_TEST_PATH, header, "{}" } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint count = 1; count <= 2; count++)
      {
        Fault fault = { "/manifests/", "200 OK", cases[i].headers, cases[i].body, count };
        g_autoptr (AtmTestClient) client = atm_test_client_new ();
        g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_fault, &fault);
        g_autofree char *image
            = g_strconcat ("http:", atm_test_http_get_host (http), cases[i].rest, NULL);
        g_autoptr (AtmSource) source = atm_test_client_open (client, image, "");
        g_autoptr (GError) error = NULL;

        if (count == 1)
          atm_test_assert_manifest (source, "{}");
        else
          error = atm_test_assert_no_manifest (source, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH,
                                               "sha256:");
        g_assert_cmpuint (atm_test_http_count (http, "/manifests/"), ==, 2);
        g_assert_cmpuint (atm_test_http_count (http, "Cache-Control: no-cache\r\n"), ==, 1);
      }
}

static void
test_wrong_config (void)
{
  for (guint count = 1; count <= 2; count++)
    {
      Fault fault = { "/blobs/", "200 OK", "", "hello blOb", count };
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_fault, &fault);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (fetch_blob (source, &error), ==, count == 1);
      if (count == 2)
        g_assert_error (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH);
      g_assert_cmpuint (atm_test_http_count (http, "/blobs/"), ==, 2);
    }
}

static void
test_error_bodies (void)
{
  g_autofree char *large = g_strnfill (8 * 1024 * 1024, 'x');
  const struct
  {
    const char *body, *shown;
  } cases[] = {
    { large, "404: xxxxx" },
    { "\033[31mred\033[0m \xff\xc2\x9b", "404: \\x1b[31mred" },
    { "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"\\u001b[2J\"}]}",
      "404 NAME_UNKNOWN: \\x1b[2J" },
    { "{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}",
      "404 NAME_UNKNOWN: there is no such repository" },
    { "{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"not found\"}]}", "404 UNKNOWN: not found" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fault fault = { "/manifests/", "404 None", "", cases[i].body, 1 };
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_fault, &fault);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_autoptr (GError) error = atm_test_assert_no_manifest (
          source, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND, cases[i].shown);

      g_assert_cmpuint (strlen (error->message), <, 400);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
}

/* ---- what a registry has to say ---- */

static void
test_warnings (void)
{
  const struct
  {
    const char *headers, *said;
  } cases[] = {
    { "Warning: 299 - \"old \\\"tag\\\"\"\r\n", "old \"tag\"" },
    { "Warning: 299 - \"a\"\r\nWarning: 299 - \"a\"\r\nWarning: 299 - \"b\"\r\n", "a" },
    { "Warning: 299 - \"\033[31m\"\r\n", "\\x1b[31m" },
    { "Warning: 199 - \"a\"\r\n", NULL },
    { "Warning: 299 reg \"a\"\r\n", NULL },
    { "Warning: 299 - a\r\n", NULL },
    { "Warning: 299 - \"a\r\n", NULL },
    { "Warning: 299 - \"\"\r\n", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fault fault = { "/manifests/", "200 OK", cases[i].headers, "{}", 3 };
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_fault, &fault);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      for (guint j = 0; j < 3; j++)
        atm_test_assert_manifest (source, "{}");
      if (cases[i].said == NULL)
        g_assert_cmpstr (client->said->str, ==, "");
      else
        {
          g_autofree char *line
              = g_strdup_printf ("%s says: %s\n", atm_test_http_get_host (http), cases[i].said);

          g_assert_true (g_str_has_prefix (client->said->str, line));
          g_assert_cmpuint (count_lines (client->said->str), ==, i == 1 ? 2 : 1);
        }
    }
}

static void
answer_chatter (const char *request, GString *response, gpointer user_data)
{
  guint *count = user_data;
  g_autofree char *headers = g_strdup_printf ("Warning: 299 - \"%0999u\"\r\n", ++*count);

  (void) request;
  atm_test_http_reply (response, "200 OK", headers, "{}");
}

static void
test_warnings_end (void)
{
  guint count = 0;
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_chatter, &count);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

  for (guint i = 0; i < 20; i++)
    atm_test_assert_manifest (source, "{}");
  g_assert_cmpuint (count_lines (client->said->str), ==, 4);
}

int
main (int argc, char *argv[])
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/client/faults/passing", test_passing);
  g_test_add_func ("/client/faults/long-wait", test_long_wait);
  g_test_add_func ("/client/faults/retry-after", test_retry_after);
  g_test_add_func ("/client/faults/kinds", test_kinds);
  g_test_add_func ("/client/faults/budget", test_budget);
  g_test_add_func ("/client/faults/cancelled", test_cancelled);
  g_test_add_func ("/client/faults/mirror-fails", test_mirror_fails);
  g_test_add_func ("/client/faults/mirror-lacks-blob", test_mirror_lacks_blob);
  g_test_add_func ("/client/faults/mirror-lies", test_mirror_lies);
  g_test_add_func ("/client/faults/wrong-manifest", test_wrong_manifest);
  g_test_add_func ("/client/faults/wrong-config", test_wrong_config);
  g_test_add_func ("/client/faults/error-bodies", test_error_bodies);
  g_test_add_func ("/client/faults/warnings", test_warnings);
  g_test_add_func ("/client/faults/warnings-end", test_warnings_end);
  return g_test_run ();
}
