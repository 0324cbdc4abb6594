/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/certificates.h"
#include "fixtures/client.h"
#include "fixtures/scratch.h"
#include "registry/token.h"

/* Logins: registry.md 8.2 and 7.4.

   rows 13, 14     test_anonymous
   row  15         test_tokens_refused; test_client (bad answers)
   row  16         test_short_life, test_token_life
   row  17         test_token_expires
   row  18         test_never_enough
   rows 19, 20     test_scopes
   row  21         test_two_headers; test-challenge
   row  22         test_basic
   rows 23, 24, 25 test_realms
   row  26         test_one_token
   rows 27, 28     test_wrong_password
   row  29         test_denied
   row  30         test_no_challenge
   and 7.4         test_secrecy */

#define USER "joe"
#define PASSWORD "s3cr3t:pass"
#define BLOB "hello blob"

/* ---- the two servers ---- */

typedef struct
{
  const char *good; /* (nullable): the Authorization that is worth a token */
  gboolean anonymous;
  const char *answer; /* (nullable): instead of a token */
  guint count;        /* of tokens */
} Tokens;

static void
answer_tokens (const char *request, GString *response, gpointer user_data)
{
  Tokens *tokens = user_data;
  g_autofree char *good
      = tokens->good != NULL ? g_strdup_printf ("\r\nAuthorization: %s\r\n", tokens->good) : NULL;
  gboolean has_one = strstr (request, "\r\nAuthorization: ") != NULL;
  g_autofree char *body = NULL;

  if (has_one ? good == NULL || strstr (request, good) == NULL : !tokens->anonymous)
    {
      atm_test_http_reply (response, "401 No", "", "who are you");
      return;
    }
  tokens->count++;
  body = g_strdup_printf ("{\"token\":\"t0ken%u\",\"expires_in\":1}", tokens->count);
  atm_test_http_reply (response, "200 OK", "", tokens->answer != NULL ? tokens->answer : body);
}

typedef struct
{
  const char *challenge;  /* of the WWW-Authenticate header; “%s” is the token server */
  AtmTestHttp *tokens;    /* (borrowed) */
  const char *accepted;   /* the beginning of the Authorization that is accepted */
  guint refusals;         /* so many good ones are refused first, but on “/v2/” */
  const char *only_later; /* (nullable): to be in the request, for all but “/v2/” */
  gboolean names_on_ping_alone;
} Registry;

#define BEARER "WWW-Authenticate: Bearer realm=\"http://%s/auth\",service=\"reg\"\r\n"

static void
answer_registry (const char *request, GString *response, gpointer user_data)
{
  Registry *registry = user_data;
  gboolean is_ping = g_str_has_prefix (request, "GET /v2/ ");
  g_autofree char *accepted = g_strdup_printf ("\r\nAuthorization: %s", registry->accepted);
  gboolean ok = strstr (request, accepted) != NULL;

  if (ok && !is_ping && registry->refusals > 0)
    {
      registry->refusals--;
      ok = FALSE;
    }
  if (ok)
    atm_test_http_reply (response, "200 OK", "", strstr (request, "/blobs/") != NULL ? BLOB : "{}");
  else
    {
      g_auto (GStrv) parts = g_strsplit (registry->challenge, "%s", -1);
      g_autofree char *headers = g_strjoinv (
          registry->tokens != NULL ? atm_test_http_get_host (registry->tokens) : "", parts);

      atm_test_http_reply (response, "401 Who",
                           is_ping || !registry->names_on_ping_alone ? headers : "", "");
    }
}

static char *
make_basic (const char *login)
{
  g_autofree char *encoded = g_base64_encode ((const guchar *) login, strlen (login));

  return g_strconcat ("Basic ", encoded, NULL);
}

/* The text of an auth.json for @http. */
static char *
make_authfile (AtmTestHttp *http, const char *login)
{
  g_autofree char *encoded = g_base64_encode ((const guchar *) login, strlen (login));

  return g_strdup_printf ("{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}", atm_test_http_get_host (http),
                          encoded);
}

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
      Tokens tokens = { .anonymous = TRUE, .answer = answers[i] };
      g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
      Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
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
      Tokens tokens = { .anonymous = TRUE, .answer = answers[i] };
      g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
      Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
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
  Tokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
  Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Bearer t0ken1\r" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
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
  Tokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
  Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
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
  Tokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
  Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Nothing" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

  assert_denied (source, "authentication required for");
  g_assert_cmpuint (atm_test_http_count (http, "/manifests/"), ==, 2);
  g_assert_cmpuint (tokens.count, ==, 2);
}

/* Wants a token for more, and gets it if the scope is one of ours. */
static void
answer_scopes (const char *request, GString *response, gpointer user_data)
{
  Registry *registry = user_data;
  guint asked = atm_test_http_count (registry->tokens, registry->only_later);

  if (asked == 0)
    answer_registry ("", response, user_data);
  else
    answer_registry (request, response, user_data);
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
      Tokens tokens = { .anonymous = TRUE };
      g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
      g_autofree char *challenge = g_strdup_printf (
          "WWW-Authenticate: Bearer realm=\"http://%%s/auth\",error=\"insufficient_scope\","
          "scope=\"%s\"\r\n",
          cases[i].scope);
      Registry registry = { .challenge = challenge,
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
      = { "WWW-Authenticate: Negotiate\r\n" BEARER,
          BEARER "WWW-Authenticate: Basic realm=\"x\"\r\n",
          "WWW-Authenticate: Negotiate, Bearer realm=\"http://%s/auth\"\r\n" };

  for (guint i = 0; i < G_N_ELEMENTS (challenges); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      Tokens tokens = { .anonymous = TRUE };
      g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
      Registry registry
          = { .challenge = challenges[i], .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      atm_test_assert_manifest (source, "{}");
    }
}

static void
test_basic (void)
{
  g_autofree char *good = make_basic (USER ":" PASSWORD);
  const char *const logins[] = { USER ":" PASSWORD, USER ":wrong", NULL };

  for (guint i = 0; i < G_N_ELEMENTS (logins); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      Registry registry
          = { .challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n", .accepted = good };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
      g_autofree char *file = atm_test_client_login (client, logins[i], NULL);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      if (i == 0)
        atm_test_assert_manifest (source, "{}");
      else if (i == 1)
        {
          assert_denied (source, "with the credentials of --creds");
          /* An account may be locked after a few. */
          g_assert_cmpuint (atm_test_http_count (http, "\r\nAuthorization: "), ==, 1);
        }
      else
        assert_denied (source, "no credentials found in ");
    }
}

/* ---- where secrets go ---- */

static void
test_realms (void)
{
  const struct
  {
    gboolean tls;
    const char *realm;
    gboolean ok;
    const char *message;
  } cases[] = {
    { TRUE, "https://%s/auth", TRUE, NULL },
    { FALSE, "http://%s/auth", TRUE, NULL },
    { TRUE, "http://%s/auth", FALSE, "for a token" },
    { FALSE, "http://user:hidden@%s/auth", FALSE, "for a token" },
    { TRUE, "https://user:hidden@%s/auth?hidden", FALSE, "for a token" },
    { FALSE, "file:///etc/passwd", FALSE, "“file:///etc/passwd” for a token" },
    { FALSE, "//%s/auth?hidden", FALSE, "for a token" },
    { FALSE, "ftp://%s/auth?hidden", FALSE, "for a token" },
  };
  g_autofree char *good = make_basic (USER ":" PASSWORD), *cert_dir = atm_test_scratch_path ();
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate
      = atm_test_authority_issue (authority, "IP:127.0.0.1", 2, NULL);

  atm_test_authority_put (authority, cert_dir);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      Tokens tokens = { .good = good };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (cases[i].tls ? certificate : NULL, answer_tokens, &tokens);
      g_autofree char *challenge
          = g_strdup_printf ("WWW-Authenticate: Bearer realm=\"%s\"\r\n", cases[i].realm);
      Registry registry
          = { .challenge = challenge, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http
          = atm_test_http_new (cases[i].tls ? certificate : NULL, answer_registry, &registry);
      g_autofree char *file = atm_test_client_login (client, USER ":" PASSWORD, NULL);
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;

      client->options.cert_dir = cert_dir;
      source = atm_test_client_open_at (client, cases[i].tls ? "" : "http:", http);
      if (cases[i].ok)
        atm_test_assert_manifest (source, "{}");
      else
        {
          error = atm_test_assert_no_manifest (source, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                                               cases[i].message);
          g_assert_null (strstr (error->message, "hidden"));
          g_assert_cmpuint (atm_test_http_count (token_http, "GET"), ==, 0);
        }
      /* The token server alone has seen the password. */
      g_assert_cmpuint (atm_test_http_count (http, good), ==, 0);
      g_assert_cmpuint (atm_test_http_count (token_http, good), ==, cases[i].ok ? 1 : 0);
      g_assert_cmpuint (atm_test_http_count (token_http, "account=" USER), ==, cases[i].ok ? 1 : 0);
    }
}

/* --creds are for what the user named, not for its mirrors. */
static void
test_creds_and_mirrors (void)
{
  g_autofree char *good = make_basic (USER ":" PASSWORD);
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  Registry registry = { .challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n", .accepted = good };
  Registry other = registry;
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
  g_autoptr (AtmTestHttp) mirror = atm_test_http_new (NULL, answer_registry, &other);
  g_autofree char *conf
      = g_strdup_printf ("[[registry]]\nlocation = \"%s\"\ninsecure = true\n"
                         "[[registry.mirror]]\nlocation = \"%s\"\ninsecure = true",
                         atm_test_http_get_host (http), atm_test_http_get_host (mirror));
  g_autofree char *image = g_strconcat (atm_test_http_get_host (http), ATM_TEST_PATH, NULL);
  g_autofree char *file = atm_test_client_login (client, USER ":" PASSWORD, NULL);
  g_autoptr (AtmSource) source = atm_test_client_open (client, image, conf);

  atm_test_assert_manifest (source, "{}");
  g_assert_cmpuint (atm_test_http_count (mirror, "/manifests/"), >, 0);
  g_assert_cmpuint (atm_test_http_count (mirror, "Authorization"), ==, 0);
  g_assert_nonnull (strstr (client->said->str, "a mirror failed (authentication required"));
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
  Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
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

/* ---- wrong credentials ---- */

static void
test_wrong_password (void)
{
  g_autofree char *good = make_basic (USER ":" PASSWORD);
  const struct
  {
    gboolean is_explicit, anonymous, ok;
  } cases[] = { { FALSE, TRUE, TRUE }, { TRUE, TRUE, FALSE }, { FALSE, FALSE, FALSE } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      Tokens tokens = { .good = good, .anonymous = cases[i].anonymous };
      g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
      Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
      g_autofree char *authfile = make_authfile (http, USER ":old");
      g_autofree char *file = cases[i].is_explicit
                                  ? atm_test_client_login (client, USER ":old", NULL)
                                  : atm_test_client_login (client, NULL, authfile);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      if (cases[i].ok)
        {
          atm_test_assert_manifest (source, "{}");
          g_assert_nonnull (strstr (client->said->str, file));
          g_assert_nonnull (strstr (client->said->str, "going on without"));
        }
      else
        {
          assert_denied (source, cases[i].is_explicit ? "the credentials of --creds" : file);
          g_assert_cmpstr (client->said->str, ==, "");
        }
    }
}

static void
test_identity_token (void)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      Tokens tokens = { .anonymous = TRUE };
      g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
      Registry registry = { .challenge = BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
      g_autofree char *authfile = g_strdup_printf ("{\"auths\":{\"%s\":{\"%s\":\"t0ken/&1\"}}}",
                                                   atm_test_http_get_host (http),
                                                   i == 0 ? "identitytoken" : "registrytoken");
      g_autofree char *file = atm_test_client_login (client, NULL, authfile);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);

      atm_test_assert_manifest (source, "{}");
      if (i == 0)
        {
          g_assert_cmpuint (atm_test_http_count (token_http, "POST /auth HTTP/1.1\r\n"), ==, 1);
          g_assert_cmpuint (
              atm_test_http_count (token_http,
                                   "grant_type=refresh_token&service=reg&scope=repository:ns/"
                                   "app:pull&client_id=atomic&refresh_token=t0ken/%261"),
              ==, 1);
        }
      else
        {
          g_assert_cmpuint (tokens.count, ==, 0);
          g_assert_cmpuint (atm_test_http_count (http, "Authorization: Bearer t0ken/&1\r\n"), ==,
                            1);
        }
    }
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
  Tokens tokens = { .anonymous = TRUE };
  g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
  Registry registry = { .challenge = BEARER,
                        .tokens = token_http,
                        .accepted = "Bearer t0ken",
                        .refusals = 1,
                        .names_on_ping_alone = TRUE };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
  g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_source_fetch_blob (source, &blob, 100, &bytes, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (tokens.count, ==, 2);
}

/* ---- nobody tells ---- */

static void
keep_log (const char *domain, GLogLevelFlags level, const char *text, gpointer user_data)
{
  (void) level;
  g_string_append_printf (user_data, "%s: %s\n", domain != NULL ? domain : "", text);
}

static void
assert_secret (const char *text, const char *const *secrets)
{
  for (guint i = 0; secrets[i] != NULL; i++)
    if (strstr (text, secrets[i]) != NULL)
      g_error ("“%s” is in “%s”", secrets[i], text);
}

static void
test_secrecy (void)
{
  g_autofree char *good = make_basic (USER ":" PASSWORD);
  const char *const secrets[] = { PASSWORD, "s3cr3t", good + strlen ("Basic "), "t0ken", NULL };
  g_autoptr (GString) debug = g_string_new (NULL);
  GLogFunc before = g_log_set_default_handler (keep_log, debug);

  g_debug ("the log is kept");
  for (guint i = 0; i < 6; i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      gboolean works = i < 2, is_explicit = i % 2 == 0;
      Tokens tokens = { .good = i < 4 ? good : NULL, .anonymous = i >= 4 && !is_explicit };
      g_autoptr (AtmTestHttp) token_http = atm_test_http_new (NULL, answer_tokens, &tokens);
      Registry registry = { .challenge = BEARER,
                            .tokens = token_http,
                            .accepted = works ? "Bearer t0ken" : "Bearer n0ne" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer_registry, &registry);
      g_autofree char *authfile = make_authfile (http, USER ":" PASSWORD);
      g_autofree char *file = is_explicit ? atm_test_client_login (client, USER ":" PASSWORD, NULL)
                                          : atm_test_client_login (client, NULL, authfile);
      g_autoptr (AtmSource) source = atm_test_client_open_at (client, "http:", http);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *type = NULL;

      g_assert_cmpint (atm_source_fetch_manifest (source, NULL, NULL, &bytes, &type, NULL, &error),
                       ==, works);
      assert_secret (error != NULL ? error->message : "", secrets);
      assert_secret (client->said->str, secrets);
      g_assert_cmpuint (atm_test_http_count (token_http, good), >, 0);
    }
  g_log_set_default_handler (before, NULL);
  g_assert_nonnull (strstr (debug->str, "the log is kept"));
  assert_secret (debug->str, secrets);
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
  g_test_add_func ("/client/auth/basic", test_basic);
  g_test_add_func ("/client/auth/realms", test_realms);
  g_test_add_func ("/client/auth/creds-and-mirrors", test_creds_and_mirrors);
  g_test_add_func ("/client/auth/one-token", test_one_token);
  g_test_add_func ("/client/auth/wrong-password", test_wrong_password);
  g_test_add_func ("/client/auth/identity-token", test_identity_token);
  g_test_add_func ("/client/auth/denied", test_denied);
  g_test_add_func ("/client/auth/no-challenge", test_no_challenge);
  g_test_add_func ("/client/auth/secrecy", test_secrecy);
  return g_test_run ();
}
