/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/http.h"

#include <string.h>

#include "image/source.h"
#include "util/error.h"
#include "util/text.h"

#define CONNECTIONS_MAX 16
#define CONNECTIONS_PER_HOST_MAX 6
#define IDLE_SEC 30
#define USER_AGENT "atomic/" PACKAGE_VERSION

struct _AtmHttp
{
  gboolean insecure;
  SoupSession *endpoint;  /* (owned): for the registry itself */
  SoupSession *elsewhere; /* (owned): for token servers and targets of redirects: connections that
                             one accepted must not serve the other */
};

static SoupSession *
new_session (GProxyResolver *proxies)
{
  SoupSession *session = soup_session_new_with_options (
      "max-conns", CONNECTIONS_MAX, "max-conns-per-host", CONNECTIONS_PER_HOST_MAX, "timeout",
      ATM_HTTP_INACTIVITY_SEC, "idle-timeout", IDLE_SEC, "user-agent", USER_AGENT,
      "accept-language-auto", FALSE, "proxy-resolver", proxies, NULL);

  /* Both are on by default: one would decode bodies whose digest we check, the other would send
     a password out of a URL to whoever asks. */
  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_AUTH_MANAGER);
  return session;
}

AtmHttp *
atm_http_new (gboolean insecure, GProxyResolver *proxies)
{
  AtmHttp *http = g_new0 (AtmHttp, 1);

  http->insecure = insecure;
  http->endpoint = new_session (proxies);
  http->elsewhere = new_session (proxies);
  return http;
}

void
atm_http_free (AtmHttp *http)
{
  if (http == NULL)
    return;
  g_clear_object (&http->endpoint);
  g_clear_object (&http->elsewhere);
  g_free (http);
}

static int
get_default_port (GUri *uri)
{
  return g_str_equal (g_uri_get_scheme (uri), "http") ? 80 : 443;
}

static int
get_port (GUri *uri)
{
  return g_uri_get_port (uri) > 0 ? g_uri_get_port (uri) : get_default_port (uri);
}

char *
atm_http_dup_host (GUri *uri)
{
  const char *host = g_uri_get_host (uri);
  g_autofree char *bracketed
      = strchr (host, ':') != NULL ? g_strdup_printf ("[%s]", host) : g_strdup (host);
  g_autofree char *text = get_port (uri) != get_default_port (uri)
                              ? g_strdup_printf ("%s:%d", bracketed, get_port (uri))
                              : g_steal_pointer (&bracketed);

  return atm_text_escape (text);
}

/* libsoup 3.2 loses the reset of an HTTP/2 stream and waits for ever; it has no other way to ask
   for HTTP/1.1 than in the handshake. */
static void
on_network_event (SoupMessage *message, GSocketClientEvent event, GIOStream *stream,
                  gpointer user_data)
{
  const char *const protocols[] = { "http/1.1", NULL };

  (void) message;
  (void) user_data;
  if (event == G_SOCKET_CLIENT_TLS_HANDSHAKING && G_IS_TLS_CONNECTION (stream))
    g_tls_connection_set_advertised_protocols (G_TLS_CONNECTION (stream), protocols);
}

static gboolean
on_accept_certificate (SoupMessage *message, GTlsCertificate *certificate,
                       GTlsCertificateFlags flags, gpointer user_data)
{
  (void) message;
  (void) certificate;
  (void) flags;
  return GPOINTER_TO_INT (user_data);
}

static const char *
describe_flags (GTlsCertificateFlags flags)
{
  if ((flags & G_TLS_CERTIFICATE_EXPIRED) != 0)
    return "its certificate has expired";
  if ((flags & G_TLS_CERTIFICATE_NOT_ACTIVATED) != 0)
    return "its certificate is not valid yet";
  if ((flags & G_TLS_CERTIFICATE_BAD_IDENTITY) != 0)
    return "its certificate is for another host";
  if ((flags & G_TLS_CERTIFICATE_REVOKED) != 0)
    return "its certificate was revoked";
  if ((flags & G_TLS_CERTIFICATE_UNKNOWN_CA) != 0)
    return "its certificate is signed by no authority that this system knows";
  return NULL;
}

static gboolean
throw_send (GError **error, const GError *cause, SoupMessage *message, const char *host)
{
  const char *why = NULL;

  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  if (cause->domain == G_TLS_ERROR)
    why = describe_flags (soup_message_get_tls_peer_certificate_errors (message));
  if (cause->domain == G_TLS_ERROR
      || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)
      || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED))
    return atm_throw (error, cause->domain, cause->code, "cannot reach %s: %s", host,
                      why != NULL ? why : cause->message);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "cannot reach %s: %s",
                    host, cause->message);
}

static SoupMessage *
new_message (AtmHttp *http, GUri *uri, const AtmHttpRequest *request, gboolean same_origin)
{
  SoupMessage *message = soup_message_new_from_uri (SOUP_METHOD_GET, uri);
  SoupMessageHeaders *headers = soup_message_get_request_headers (message);

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  soup_message_headers_append (headers, "Docker-Distribution-API-Version", "registry/2.0");
  if (request->accept == NULL)
    soup_message_headers_append (headers, "Accept", "*/*");
  for (guint i = 0; request->accept != NULL && request->accept[i] != NULL; i++)
    soup_message_headers_append (headers, "Accept", request->accept[i]);
  if (request->authorization != NULL && same_origin)
    soup_message_headers_append (headers, "Authorization", request->authorization);
  g_signal_connect (message, "network-event", G_CALLBACK (on_network_event), NULL);
  g_signal_connect (message, "accept-certificate", G_CALLBACK (on_accept_certificate),
                    GINT_TO_POINTER (http->insecure));
  return message;
}

/* A server may have closed the connection that we keep just as we ask again: once more, then. */
static gboolean
send_once_more (AtmHttp *http, GUri *uri, const AtmHttpRequest *request, gboolean same_origin,
                SoupMessage **message_out, GInputStream **body_out, GCancellable *cancellable,
                GError **error)
{
  SoupSession *session = request->elsewhere || !same_origin ? http->elsewhere : http->endpoint;
  g_autofree char *host = atm_http_dup_host (uri);

  for (guint tries = 0;; tries++)
    {
      g_autoptr (SoupMessage) message = new_message (http, uri, request, same_origin);
      g_autoptr (GError) local = NULL;
      GInputStream *body = soup_session_send (session, message, cancellable, &local);

      if (body != NULL)
        {
          *body_out = body;
          *message_out = g_steal_pointer (&message);
          return TRUE;
        }
      if (tries > 0
          || (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT)
              && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)))
        return throw_send (error, local, message, host);
    }
}

static gboolean
is_redirect (guint status)
{
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static gboolean
same_origin_as (GUri *a, GUri *b)
{
  return g_str_equal (g_uri_get_scheme (a), g_uri_get_scheme (b))
         && g_ascii_strcasecmp (g_uri_get_host (a), g_uri_get_host (b)) == 0
         && get_port (a) == get_port (b);
}

static GUri *
resolve_redirect (AtmHttp *http, GUri *uri, SoupMessage *message, gboolean same_host,
                  GError **error)
{
  const char *location
      = soup_message_headers_get_one (soup_message_get_response_headers (message), "Location");
  g_autofree char *host = atm_http_dup_host (uri);
  g_autoptr (GUri) next
      = location != NULL ? g_uri_parse_relative (uri, location, SOUP_HTTP_URI_FLAGS, NULL) : NULL;
  const char *why = NULL;

  if (next == NULL)
    why = "without a usable “Location”";
  else if (!g_str_equal (g_uri_get_scheme (next), "https")
           && !g_str_equal (g_uri_get_scheme (next), "http"))
    why = "to something that is not HTTP";
  else if (g_uri_get_host (next) == NULL || *g_uri_get_host (next) == '\0')
    why = "without a usable “Location”";
  else if (g_uri_get_userinfo (next) != NULL)
    why = "to a URL with a user name in it";
  else if (g_str_equal (g_uri_get_scheme (next), "http") && !http->insecure)
    why = "from HTTPS to plain HTTP";
  else if (same_host && g_ascii_strcasecmp (g_uri_get_host (uri), g_uri_get_host (next)) != 0)
    why = "of “/v2/” to another host";
  else
    return g_steal_pointer (&next);

  (void) atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "%s answered with a redirect %s", host, why);
  return NULL;
}

static gboolean
check_encoding (SoupMessage *message, GUri *uri, GError **error)
{
  const char *encoding = soup_message_headers_get_list (soup_message_get_response_headers (message),
                                                        "Content-Encoding");
  g_autofree char *host = NULL, *shown = NULL;

  if (encoding == NULL || g_ascii_strcasecmp (encoding, "identity") == 0)
    return TRUE;
  host = atm_http_dup_host (uri);
  shown = atm_text_escape (encoding);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "%s sent its answer with the encoding “%s”, which nobody asked for", host,
                    shown);
}

gboolean
atm_http_get (AtmHttp *http, GUri *uri, const AtmHttpRequest *request, SoupMessage **message_out,
              GInputStream **body_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GUri) current = g_uri_ref (uri);

  for (guint hops = 0;; hops++)
    {
      g_autoptr (SoupMessage) message = NULL;
      g_autoptr (GInputStream) body = NULL;
      GUri *next = NULL;

      if (!send_once_more (http, current, request, same_origin_as (uri, current), &message, &body,
                           cancellable, error))
        return FALSE;
      if (!is_redirect (soup_message_get_status (message)))
        {
          if (!check_encoding (message, current, error))
            return FALSE;
          *message_out = g_steal_pointer (&message);
          *body_out = g_steal_pointer (&body);
          return TRUE;
        }

      if (hops >= ATM_HTTP_REDIRECTS_MAX)
        {
          g_autofree char *host = atm_http_dup_host (uri);

          return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                            "%s redirects more than %d times", host, ATM_HTTP_REDIRECTS_MAX);
        }
      next = resolve_redirect (http, current, message, request->same_host, error);
      if (next == NULL)
        return FALSE;
      g_uri_unref (current);
      current = next;
    }
}
