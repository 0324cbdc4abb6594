/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/proxy.h"

#include <string.h>

#include "util/text.h"

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

/* The address of the HTTP proxy on the way to @uri; NULL for none. */
static GUri *
look_up (GProxyResolver *resolver, GUri *uri)
{
  g_autofree char *text
      = g_uri_to_string_partial (uri, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY | G_URI_HIDE_FRAGMENT);
  g_auto (GStrv) proxies = g_proxy_resolver_lookup (resolver, text, NULL, NULL);

  if (proxies == NULL || proxies[0] == NULL || g_str_equal (proxies[0], DIRECT))
    return NULL;
  return g_uri_parse (proxies[0], SOUP_HTTP_URI_FLAGS, NULL);
}

char *
atm_proxy_dup_host (GProxyResolver *resolver, GUri *uri)
{
  g_autoptr (GUri) proxy = look_up (resolver, uri);
  g_autofree char *text = NULL;

  if (proxy == NULL || g_uri_get_host (proxy) == NULL)
    return NULL;
  text = g_uri_get_port (proxy) > 0
             ? g_strdup_printf ("%s:%d", g_uri_get_host (proxy), g_uri_get_port (proxy))
             : g_strdup (g_uri_get_host (proxy));
  return atm_text_escape (text);
}

void
atm_proxy_authorize (GProxyResolver *resolver, SoupMessage *message)
{
  GUri *uri = soup_message_get_uri (message);
  g_autoptr (GUri) proxy = NULL;
  g_autofree char *login = NULL, *encoded = NULL, *header = NULL;

  /* To an “https:” host there is a tunnel, and what is sent through it is not for the proxy. */
  if (g_str_equal (g_uri_get_scheme (uri), "https")
      && !g_str_equal (soup_message_get_method (message), SOUP_METHOD_CONNECT))
    return;
  proxy = look_up (resolver, uri);
  if (proxy == NULL || g_uri_get_user (proxy) == NULL
      || !g_str_has_prefix (g_uri_get_scheme (proxy), "http"))
    return;
  login = g_strconcat (g_uri_get_user (proxy), ":",
                       g_uri_get_password (proxy) != NULL ? g_uri_get_password (proxy) : "", NULL);
  encoded = g_base64_encode ((const guchar *) login, strlen (login));
  header = g_strconcat ("Basic ", encoded, NULL);
  soup_message_headers_replace (soup_message_get_request_headers (message), "Proxy-Authorization",
                                header);
}
