/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/challenge.h"

#include "registry/proxy.h"

static void
test_challenges (void)
{
  const struct
  {
    const char *header, *realm, *service, *schemes;
  } cases[] = {
    { "Bearer realm=\"https://a/t\",service=\"s\",scope=\"x\"", "https://a/t", "s", "Bearer" },
    { "bearer REALM = \"https://a/t\" , Service=s", "https://a/t", "s", "bearer" },
    { "Negotiate, Bearer realm=\"r\"", "r", NULL, "Negotiate, Bearer" },
    { "Basic realm=\"b\", Bearer realm=\"r\",service=\"s\"", "r", "s", "Basic, Bearer" },
    { "Bearer realm=\"r\", Basic realm=\"b\",service=\"x\"", "r", NULL, "Bearer, Basic" },
    { "Bearer service=\"x\", Bearer realm=\"r\"", "r", NULL, "Bearer, Bearer" },
    { "Bearer realm=\"r\", Bearer realm=\"q\",service=\"x\"", "r", NULL, "Bearer, Bearer" },
    { "Bearer realm=\"a\\\"b\\\\c\"", "a\"b\\c", NULL, "Bearer" },
    { "Bearer realm=\"r, Basic realm=x\"", "r, Basic realm=x", NULL, "Bearer" },
    { "Bearer realm=r", "r", NULL, "Bearer" },
    { "Bearer realm=\"\"", NULL, NULL, "Bearer" },
    { "Bearer realm=\"r", "r", NULL, "Bearer" },
    { "Bearer realm=\"r\\", "r\\", NULL, "Bearer" },
    { "Bearer realm", NULL, NULL, "Bearer, realm" },
    { "Basic realm=\"r\"", NULL, NULL, "Basic" },
    { "Negotiate YII==, Bearer realm=\"r\"", "r", NULL, "Negotiate, Bearer" },
    { "realm=\"r\"", NULL, NULL, "" },
    { ",,\"\x01;", NULL, NULL, "" },
    { "", NULL, NULL, "" },
    { NULL, NULL, NULL, "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmChallenge) challenge = atm_challenge_parse (cases[i].header);

      g_assert_cmpstr (challenge->realm, ==, cases[i].realm);
      g_assert_cmpstr (challenge->service, ==, cases[i].service);
      g_assert_cmpstr (challenge->schemes, ==, cases[i].schemes);
    }
}

static void
test_proxies (void)
{
  const struct
  {
    const char *environment; /* separated by blanks */
    const char *uri, *proxy;
  } cases[] = {
    { "", "https://a.example.com/", "direct://" },
    { "https_proxy=http://p:1", "https://a.example.com/", "http://p:1" },
    { "https_proxy=http://p:1", "http://a.example.com/", "direct://" },
    { "https_proxy=p:1 HTTPS_PROXY=q:1", "https://a.example.com/", "http://p:1" },
    { "HTTPS_PROXY=q:1", "https://a.example.com/", "http://q:1" },
    { "http_proxy=p:1", "http://a.example.com/", "http://p:1" },
    { "HTTP_PROXY=p:1", "http://a.example.com/", "http://p:1" },
    { "HTTP_PROXY=p:1 REQUEST_METHOD=GET", "http://a.example.com/", "direct://" },
    { "all_proxy=socks5://p:1", "https://a.example.com/", "socks5://p:1" },
    { "all_proxy=socks5://p:1 https_proxy=q", "http://a.example.com/", "socks5://p:1" },
    { "https_proxy=p no_proxy=example.com", "https://a.example.com/", "direct://" },
    { "https_proxy=p no_proxy=x.com,.example.com", "https://a.example.com/", "direct://" },
    { "https_proxy=p NO_PROXY=x.com", "https://a.example.com/", "http://p" },
    { "https_proxy=p no_proxy=10.0.0.0/8", "https://10.1.2.3/", "direct://" },
    { "https_proxy=p no_proxy=*", "https://a.example.com/", "direct://" },
    { "https_proxy=p", "https://localhost:5000/", "direct://" },
    { "https_proxy=p", "https://127.0.0.1:5000/", "direct://" },
    { "https_proxy=p", "https://[::1]:5000/", "direct://" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (GStrv) environment = g_strsplit (cases[i].environment, " ", -1);
      g_autoptr (GProxyResolver) resolver = atm_proxy_resolver_new (environment);
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) proxies = g_proxy_resolver_lookup (resolver, cases[i].uri, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (proxies[0], ==, cases[i].proxy);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/challenge/challenges", test_challenges);
  g_test_add_func ("/challenge/proxies", test_proxies);
  return g_test_run ();
}
