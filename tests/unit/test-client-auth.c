/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/client.h"
#include "fixtures/login.h"
#include "fixtures/scratch.h"
#include "registry/token.h"

/* Tokens: registry.md 8.2.

   rows 13, 14     test_anonymous
   row  15         test_tokens_refused; test-client, test_tokens
   row  16         test_short_life, test_token_life
   row  17         test_token_expires
   row  18         test_never_enough
   rows 19, 20     test_scopes
   row  21         test_two_headers; test-challenge
   row  26         test_one_token
   row  29         test_denied
   row  30         test_no_challenge
   the others: test-client-secrets */

#define BLOB ATM_TEST_LOGIN_BLOB

static void
assert_denied (AtmSource *source, const char *message)
{
  g_autoptr (GError) error
      = atm_test_assert_no_manifest (source, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED, message);

  g_assert_nonnull (error);
}

/* ---- tokens ---- */

static void
test_anonymous (void)
{
  const char *const answers[] = { "{\"token\":\"t0ken\"}", "{\"access_token\":\"t0ken\"}" };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      AtmTestTokens tokens = { .anonymous = TRUE, .answer = answers[i] };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
      AtmTestLogin registry
          = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_autofree char *asked = NULL;

      atm_test_assert_manifest (source, "{}");
      asked = atm_test_http_dup_requests (token_http);
      g_assert_nonnull (
          strstr (asked, "GET /auth?service=reg&scope=repository:ns/app:pull HTTP/1.1\r\n"));
      g_assert_null (strstr (asked, "Authorization"));
      g_assert_null (strstr (asked, "account"));
    }
}

static void
test_tokens_refused (void)
{
  g_autofree char *large = g_strnfill (2 * 1024 * 1024, ' ');
  g_autofree char *deep = g_strnfill (1024 * 1024 - 1, '[');
  const char *const answers[] = { "{\"t\":\"hidden\"}", "hidden", large, deep };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      AtmTestTokens tokens = { .anonymous = TRUE, .answer = answers[i] };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
      AtmTestLogin registry
          = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_autoptr (GError) error = NULL;
      GBytes *bytes = NULL;
      char *type = NULL;

      g_assert_false (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error));
      g_assert_cmpuint (error->domain, ==, ATM_SOURCE_ERROR);
      g_assert_null (strstr (error->message, "hidden"));
      g_assert_cmpuint (strlen (error->message), <, 1000);
    }
}

/* Tokens that live a second are used for a minute. */
static void
test_short_life (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  AtmTestTokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
  AtmTestLogin registry
      = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Bearer t0ken1\r" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

  for (guint i = 0; i < 5; i++)
    atm_test_assert_manifest (source, "{}");
  g_assert_cmpuint (tokens.count, ==, 1);
}

#define NOW G_GINT64_CONSTANT (1700000000) /* 2023-11-14T22:13:20Z */

static void
test_token_life (void)
{
  const struct
  {
    const char *members;
    guint64 life_sec;
  } cases[] = {
    { "", 60 },
    { ",\"expires_in\":1", 60 },
    { ",\"expires_in\":-5", 60 },
    { ",\"expires_in\":\"x\"", 60 },
    { ",\"expires_in\":300", 300 },
    { ",\"expires_in\":9223372036854775807", ATM_TOKEN_LIFE_MAX_SEC },
    { ",\"expires_in\":300,\"issued_at\":\"2023-11-14T22:12:20Z\"", 240 },
    { ",\"expires_in\":300,\"issued_at\":\"2023-11-14T23:13:20Z\"", 300 },
    { ",\"expires_in\":300,\"issued_at\":\"2013-11-14T22:13:20Z\"", 300 },
    { ",\"expires_in\":300,\"issued_at\":\"yesterday\"", 300 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"token\":\"x\"%s}", cases[i].members);
      g_autoptr (GBytes) bytes = atm_test_bytes (text);
      g_auto (AtmToken) token = { 0 };

      g_assert_true (atm_token_parse (bytes, NOW, &token));
      g_assert_cmpstr (token.authorization, ==, "Bearer x");
      g_assert_cmpuint (token.life_sec, ==, cases[i].life_sec);
    }
}

static void
test_token_expires (void)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  AtmTestTokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
  AtmTestLogin registry
      = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  atm_test_assert_manifest (source, "{}");
  registry.refusals = 1;
  g_assert_true (atm_source_fetch_blob (source, &blob, 100, &bytes, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (tokens.count, ==, 2);
  g_assert_cmpuint (atm_test_http_count (http, "/blobs/"), ==, 2);
}

static void
test_never_enough (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  AtmTestTokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
  AtmTestLogin registry
      = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Nothing" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

  assert_denied (source, "authentication required for");
  g_assert_cmpuint (atm_test_http_count (http, "/manifests/"), ==, 2);
  g_assert_cmpuint (tokens.count, ==, 2);
}

/* Wants a token for more, and gets it if the scope is one of ours. */
static void
answer_scopes (const char *request, GString *response, gpointer user_data)
{
  AtmTestLogin *registry = user_data;
  guint asked = atm_test_http_count (registry->tokens, registry->only_later);

  if (asked == 0)
    atm_test_answer_login ("", response, user_data);
  else
    atm_test_answer_login (request, response, user_data);
}

static void
test_scopes (void)
{
  const struct
  {
    const char *scope, *escaped;
    gboolean ok;
  } cases[] = {
    { "repository:ns/app:pull,metadata", "repository:ns/app:pull%2Cmetadata", TRUE },
    { "repository:ns/other:pull,x", "ns/other", FALSE },
    { "repository:ns/app2:pull,x", "ns/app2", FALSE },
    { "repository:ns/app:push", "push", FALSE },
    { "repository:other:push", "push", FALSE },
    { "registry:catalog:*", "catalog", FALSE },
    { "repository:ns/app:pull repository:other:push", "push", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      AtmTestTokens tokens = { .anonymous = TRUE };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
      g_autofree char *challenge = g_strdup_printf (
          "WWW-Authenticate: Bearer realm=\"http://%%s/auth\",error=\"insufficient_scope\","
          "scope=\"%s\"\r\n",
          cases[i].scope);
      AtmTestLogin registry = { .challenge = challenge,
                                .tokens = token_http,
                                .accepted = "Bearer t0ken",
                                .only_later = cases[i].escaped };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_scopes, &registry);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      if (cases[i].ok)
        atm_test_assert_manifest (source, "{}");
      else
        assert_denied (source, "authentication required");
      g_assert_cmpuint (atm_test_http_count (token_http, cases[i].escaped) > 0, ==, cases[i].ok);
    }
}

static void
test_two_headers (void)
{
  const char *const challenges[]
      = { "WWW-Authenticate: Negotiate\r\n" ATM_TEST_BEARER,
          ATM_TEST_BEARER "WWW-Authenticate: Basic realm=\"x\"\r\n",
          "WWW-Authenticate: Negotiate, Bearer realm=\"http://%s/auth\"\r\n" };

  for (guint i = 0; i < G_N_ELEMENTS (challenges); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      AtmTestTokens tokens = { .anonymous = TRUE };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
      AtmTestLogin registry
          = { .challenge = challenges[i], .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      atm_test_assert_manifest (source, "{}");
    }
}

/* ---- one token for all ---- */

typedef struct
{
  GMutex lock;
  GCond cond;
  guint waiting, wanted;
} Gate;

typedef struct
{
  AtmSource *source; /* (owned) */
  Gate *gate;        /* (borrowed) */
} Task;

static gpointer
fetch (gpointer data)
{
  Task *task = data;
  const AtmDescriptor blob = atm_test_describe (BLOB);
  g_auto (AtmBlobPart) part = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *got = NULL;

  g_mutex_lock (&task->gate->lock);
  task->gate->waiting++;
  g_cond_broadcast (&task->gate->cond);
  g_mutex_unlock (&task->gate->lock);
  got = atm_test_resume (task->source, &blob, &part, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (got, ==, BLOB);
  g_clear_object (&task->source);
  return NULL;
}

/* Gives no token before all have set out for theirs. */
static void
answer_slow_tokens (const char *request, GString *response, gpointer user_data)
{
  Gate *gate = user_data;

  (void) request;
  g_mutex_lock (&gate->lock);
  while (gate->waiting < gate->wanted)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
  atm_test_http_reply (response, "200 OK", "", "{\"token\":\"t0ken\"}");
}

static void
test_one_token (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  Gate gate = { .wanted = 6 };
  Task tasks[6];
  GThread *threads[6];
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_slow_tokens, &gate);
  AtmTestLogin registry
      = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

  g_mutex_init (&gate.lock);
  g_cond_init (&gate.cond);
  for (guint i = 0; i < 6; i++)
    {
      tasks[i].source = ATM_SOURCE_GET_IFACE (source)->new_sibling (source);
      tasks[i].gate = &gate;
      threads[i] = g_thread_new ("fetch", fetch, &tasks[i]);
    }
  for (guint i = 0; i < 6; i++)
    (void) g_thread_join (threads[i]);
  g_assert_cmpuint (atm_test_http_count (token_http, "GET /auth"), ==, 1);
  g_assert_cmpuint (atm_test_http_count (http, "GET /v2/ "), ==, 1);
  g_assert_cmpuint (atm_test_http_count (http, "/blobs/"), ==, 6);
  g_mutex_clear (&gate.lock);
  g_cond_clear (&gate.cond);
}

static void
answer_denied (const char *request, GString *response, gpointer user_data)
{
  (void) user_data;
  if (g_str_has_prefix (request, "GET /v2/ "))
    atm_test_http_reply (response, "200 OK", "", "{}");
  else
    atm_test_http_reply (response, "403 No", "", "{\"errors\":[{\"code\":\"DENIED\"}]}");
}

static void
test_denied (void)
{
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_denied, NULL);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

  assert_denied (source, "(403 DENIED: access to it is denied): the image is not public, or there "
                         "is none of this name");
  g_assert_cmpuint (atm_test_http_count (http, "/manifests/"), ==, 1);
}

static void
test_no_challenge (void)
{
  const AtmDescriptor blob = atm_test_describe (BLOB);
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  AtmTestTokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
  AtmTestLogin registry = { .challenge = ATM_TEST_BEARER,
                            .tokens = token_http,
                            .accepted = "Bearer t0ken",
                            .refusals = 1,
                            .names_on_ping_alone = TRUE };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_source_fetch_blob (source, &blob, 100, &bytes, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (tokens.count, ==, 2);
}

int
main (int argc, char *argv[])
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/client/auth/anonymous", test_anonymous);
  g_test_add_func ("/client/auth/tokens-refused", test_tokens_refused);
  g_test_add_func ("/client/auth/short-life", test_short_life);
  g_test_add_func ("/client/auth/token-life", test_token_life);
  g_test_add_func ("/client/auth/token-expires", test_token_expires);
  g_test_add_func ("/client/auth/never-enough", test_never_enough);
  g_test_add_func ("/client/auth/scopes", test_scopes);
  g_test_add_func ("/client/auth/two-headers", test_two_headers);
  g_test_add_func ("/client/auth/one-token", test_one_token);
  g_test_add_func ("/client/auth/denied", test_denied);
  g_test_add_func ("/client/auth/no-challenge", test_no_challenge);
  return g_test_run ();
}
