/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/certificates.h"
#include "fixtures/client.h"
#include "fixtures/login.h"
#include "fixtures/scratch.h"

/* Credentials, who sees them, and that nobody tells: registry.md 8.2 and 7.4.

   row  22         test_basic
   rows 23, 24, 25 test_realms
   rows 27, 28     test_wrong_password
   and 2.2, 3.4    test_creds_and_mirrors, test_identity_token
   and 7.4         test_secrecy */

#define USER "joe"
#define PASSWORD "s3cr3t:pass"

static void
assert_denied (AtmSource *source, const char *message)
{
  g_autoptr (GError) error
      = atm_test_assert_no_manifest (source, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED, message);

  g_assert_nonnull (error);
}

static void
test_basic (void)
{
  g_autofree char *good = atm_test_make_basic (USER ":" PASSWORD);
  const char *const logins[] = { USER ":" PASSWORD, USER ":wrong", NULL };

  for (guint i = 0; i < G_N_ELEMENTS (logins); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      AtmTestLogin registry
          = { .challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n", .accepted = good };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
      g_autoptr (AtmSource) source = NULL;

      atm_test_client_login (client, logins[i], NULL);
      source = atm_test_client_open_at (client, "http:", http);
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
  g_autofree char *good = atm_test_make_basic (USER ":" PASSWORD),
                  *cert_dir = atm_test_scratch_path ();
  g_autoptr (AtmTestAuthority) authority = atm_test_authority_new ();
  g_autoptr (GTlsCertificate) certificate
      = atm_test_authority_issue (authority, "IP:127.0.0.1", 2, NULL);

  atm_test_authority_put (authority, cert_dir);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      AtmTestTokens tokens = { .good = good };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (cases[i].tls ? certificate : NULL, atm_test_answer_tokens, &tokens);
      g_autofree char *challenge
          = g_strdup_printf ("WWW-Authenticate: Bearer realm=\"%s\"\r\n", cases[i].realm);
      AtmTestLogin registry
          = { .challenge = challenge, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http
          = atm_test_http_new (cases[i].tls ? certificate : NULL, atm_test_answer_login, &registry);
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;

      atm_test_client_login (client, USER ":" PASSWORD, NULL);
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
  g_autofree char *good = atm_test_make_basic (USER ":" PASSWORD);
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  AtmTestLogin registry
      = { .challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n", .accepted = good };
  AtmTestLogin other = registry;
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
  g_autoptr (AtmTestHttp) mirror = atm_test_http_new (NULL, atm_test_answer_login, &other);
  g_autofree char *conf
      = g_strdup_printf ("[[registry]]\nlocation = \"%s\"\ninsecure = true\n"
                         "[[registry.mirror]]\nlocation = \"%s\"\ninsecure = true",
                         atm_test_http_get_host (http), atm_test_http_get_host (mirror));
  g_autofree char *image = g_strconcat (atm_test_http_get_host (http), ATM_TEST_PATH, NULL);
  g_autoptr (AtmSource) source = NULL;

  atm_test_client_login (client, USER ":" PASSWORD, NULL);
  source = atm_test_client_open (client, image, conf);
  atm_test_assert_manifest (source, "{}");
  g_assert_cmpuint (atm_test_http_count (mirror, "/manifests/"), >, 0);
  g_assert_cmpuint (atm_test_http_count (mirror, "Authorization"), ==, 0);
  g_assert_nonnull (strstr (client->said->str, "a mirror failed (authentication required"));
}

static void
test_wrong_password (void)
{
  g_autofree char *good = atm_test_make_basic (USER ":" PASSWORD);
  const struct
  {
    gboolean is_explicit, anonymous, ok;
  } cases[] = { { FALSE, TRUE, TRUE }, { TRUE, TRUE, FALSE }, { FALSE, FALSE, FALSE } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      AtmTestTokens tokens = { .good = good, .anonymous = cases[i].anonymous };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
      AtmTestLogin registry
          = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
      g_autofree char *authfile = atm_test_make_authfile (http, USER ":old");
      g_autoptr (AtmSource) source = NULL;

      atm_test_client_login (client, cases[i].is_explicit ? USER ":old" : NULL,
                             cases[i].is_explicit ? NULL : authfile);
      source = atm_test_client_open_at (client, "http:", http);
      if (cases[i].ok)
        {
          atm_test_assert_manifest (source, "{}");
          g_assert_nonnull (strstr (client->said->str, client->authfile));
          g_assert_nonnull (strstr (client->said->str, "going on without"));
        }
      else
        {
          assert_denied (source,
                         cases[i].is_explicit ? "the credentials of --creds" : client->authfile);
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
      AtmTestTokens tokens = { .anonymous = TRUE };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
      AtmTestLogin registry
          = { .challenge = ATM_TEST_BEARER, .tokens = token_http, .accepted = "Bearer t0ken" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
      g_autofree char *authfile = g_strdup_printf ("{\"auths\":{\"%s\":{\"%s\":\"t0ken/&1\"}}}",
                                                   atm_test_http_get_host (http),
                                                   i == 0 ? "identitytoken" : "registrytoken");
      g_autoptr (AtmSource) source = NULL;

      atm_test_client_login (client, NULL, authfile);
      source = atm_test_client_open_at (client, "http:", http);
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
  g_autofree char *good = atm_test_make_basic (USER ":" PASSWORD);
  const char *const secrets[] = { PASSWORD, "s3cr3t", good + strlen ("Basic "), "t0ken", NULL };
  g_autoptr (GString) debug = g_string_new (NULL);
  GLogFunc before = g_log_set_default_handler (keep_log, debug);

  g_debug ("the log is kept");
  for (guint i = 0; i < 6; i++)
    {
      g_autoptr (AtmTestClient) client = atm_test_client_new ();
      gboolean works = i < 2, is_explicit = i % 2 == 0;
      AtmTestTokens tokens = { .good = i < 4 ? good : NULL, .anonymous = i >= 4 && !is_explicit };
      g_autoptr (AtmTestHttp) token_http
          = atm_test_http_new (NULL, atm_test_answer_tokens, &tokens);
      AtmTestLogin registry = { .challenge = ATM_TEST_BEARER,
                                .tokens = token_http,
                                .accepted = works ? "Bearer t0ken" : "Bearer n0ne" };
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, atm_test_answer_login, &registry);
      g_autofree char *authfile = atm_test_make_authfile (http, USER ":" PASSWORD);
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *type = NULL;

      atm_test_client_login (client, is_explicit ? USER ":" PASSWORD : NULL,
                             is_explicit ? NULL : authfile);
      source = atm_test_client_open_at (client, "http:", http);
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
  atm_test_authority_be_system ();
  g_test_add_func ("/client/secrets/basic", test_basic);
  g_test_add_func ("/client/secrets/realms", test_realms);
  g_test_add_func ("/client/secrets/creds-and-mirrors", test_creds_and_mirrors);
  g_test_add_func ("/client/secrets/wrong-password", test_wrong_password);
  g_test_add_func ("/client/secrets/identity-token", test_identity_token);
  g_test_add_func ("/client/secrets/secrecy", test_secrecy);
  return g_test_run ();
}
