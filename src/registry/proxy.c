/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/proxy.h"

#include <string.h>

#define DIRECT "direct://"

/* Lower case wins, as in other programs. */
static const char *
get_either (char **environment, const char *lower, const char *upper)
{
  const char *value = g_environ_getenv (environment, lower);

  if (value == NULL || *value == '\0')
    value = upper != NULL ? g_environ_getenv (environment, upper) : NULL;
  return value != NULL && *value != '\0' ? value : NULL;
}

static char *
complete (const char *value)
{
  if (value == NULL)
    return g_strdup (DIRECT);
  return strstr (value, "://") != NULL ? g_strdup (value) : g_strconcat ("http://", value, NULL);
}

GProxyResolver *
atm_proxy_resolver_new (char **environment)
{
  /* Under a web server HTTP_PROXY is what a client sent as the header “Proxy”. */
  gboolean cgi = g_environ_getenv (environment, "REQUEST_METHOD") != NULL;
  const char *all = get_either (environment, "all_proxy", "ALL_PROXY");
  const char *http = get_either (environment, "http_proxy", cgi ? NULL : "HTTP_PROXY");
  const char *https = get_either (environment, "https_proxy", "HTTPS_PROXY");
  const char *none = get_either (environment, "no_proxy", "NO_PROXY");
  g_auto (GStrv) hosts = g_strsplit (none != NULL ? none : "", ",", -1);
  g_autoptr (GStrvBuilder) ignored = g_strv_builder_new ();
  g_auto (GStrv) ignored_hosts = NULL;
  g_autofree char *all_uri = NULL, *http_uri = NULL, *https_uri = NULL;
  GProxyResolver *resolver = NULL;

  g_strv_builder_add_many (ignored, "localhost", "127.0.0.0/8", "::1", NULL);
  for (guint i = 0; hosts[i] != NULL; i++)
    if (*g_strstrip (hosts[i]) != '\0')
      g_strv_builder_add (ignored, hosts[i]);
  ignored_hosts = g_strv_builder_end (ignored);

  if (none != NULL && g_str_equal (none, "*"))
    return g_simple_proxy_resolver_new (DIRECT, NULL);
  all_uri = complete (all);
  http_uri = complete (http != NULL ? http : all);
  https_uri = complete (https != NULL ? https : all);
  resolver = g_simple_proxy_resolver_new (all_uri, ignored_hosts);
  g_simple_proxy_resolver_set_uri_proxy (G_SIMPLE_PROXY_RESOLVER (resolver), "http", http_uri);
  g_simple_proxy_resolver_set_uri_proxy (G_SIMPLE_PROXY_RESOLVER (resolver), "https", https_uri);
  return resolver;
}
