/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/http.h"

#include <string.h>

#include "registry/http-error.h"
#include "registry/proxy.h"
#include "registry/refusal.h"
#include "registry/retry.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"
#include "util/wait.h"

#define CONNECTIONS_MAX 16
#define CONNECTIONS_PER_HOST_MAX 6
#define IDLE_SEC 30
#define USER_AGENT "atomic/" PACKAGE_VERSION
#define FORM_TYPE "application/x-www-form-urlencoded"
#define REFUSAL_READ_MIN_BYTES 1024

G_DEFINE_QUARK (atm_http_error, atm_http_error)

struct _AtmHttp
{
  AtmRegistryContext *context; /* (borrowed) */
  gboolean insecure;
  const AtmCerts *certs;  /* (borrowed) (nullable) */
  SoupSession *endpoint;  /* (owned): for the endpoint itself */
  SoupSession *elsewhere; /* (owned): for targets of redirects: connections that one accepted must
                             not serve the other */
};

/* ---- sessions ---- */

static void
on_request_queued (SoupSession *session, SoupMessage *message, gpointer user_data)
{
  (void) session;
  atm_proxy_authorize (user_data, message);
}

static SoupSession *
new_session (AtmRegistryContext *context)
{
  SoupSession *session = soup_session_new_with_options (
      "max-conns", CONNECTIONS_MAX, "max-conns-per-host", CONNECTIONS_PER_HOST_MAX, "timeout",
      context->limits.inactivity_sec, "idle-timeout", IDLE_SEC, "user-agent", USER_AGENT,
      "accept-language-auto", FALSE, "proxy-resolver", context->proxies, NULL);

  /* Both are on by default: one would decode bodies whose digest we check, the other would send
     a password out of a URL to whoever asks. */
  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_AUTH_MANAGER);
  g_signal_connect_object (session, "request-queued", G_CALLBACK (on_request_queued),
                           context->proxies, G_CONNECT_DEFAULT);
  return session;
}

AtmHttp *
atm_http_new (AtmRegistryContext *context, gboolean insecure, const AtmCerts *certs)
{
  AtmHttp *http = g_new0 (AtmHttp, 1);

  http->context = context;
  http->insecure = insecure;
  http->certs = certs;
  http->endpoint = new_session (context);
  http->elsewhere = new_session (context);
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

/* ---- addresses ---- */

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

static gboolean
same_origin_as (GUri *a, GUri *b)
{
  return g_str_equal (g_uri_get_scheme (a), g_uri_get_scheme (b))
         && g_ascii_strcasecmp (g_uri_get_host (a), g_uri_get_host (b)) == 0
         && get_port (a) == get_port (b);
}

/* ---- one message ---- */

/* What the handlers of a message share. */
typedef struct
{
  AtmHttpTls tls;
  AtmTimeLimit *limit; /* (borrowed) */
  guint first_byte_msec;
  guint limit_msec; /* the one that runs */
} Watch;

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

/* The system does not know who signed it, but certs.d may. The whole chain is verified again, the
   name of the host too, so this never takes what is wrong in another way. */
static gboolean
on_accept_certificate (SoupMessage *message, GTlsCertificate *certificate,
                       GTlsCertificateFlags flags, gpointer user_data)
{
  Watch *watch = user_data;
  GTlsDatabase *extra = watch->tls.certs != NULL ? watch->tls.certs->extra : NULL;
  GUri *uri = soup_message_get_uri (message);
  g_autoptr (GSocketConnectable) identity = NULL;
  g_autoptr (GError) error = NULL;

  if (watch->tls.insecure)
    return TRUE;
  watch->tls.flags = flags;
  if (extra == NULL || (flags & G_TLS_CERTIFICATE_UNKNOWN_CA) == 0)
    return FALSE;
  identity = g_network_address_new (g_uri_get_host (uri), (guint16) get_port (uri));
  watch->tls.flags
      = g_tls_database_verify_chain (extra, certificate, G_TLS_DATABASE_PURPOSE_AUTHENTICATE_SERVER,
                                     identity, NULL, G_TLS_DATABASE_VERIFY_NONE, NULL, &error);
  if (error != NULL)
    watch->tls.flags |= G_TLS_CERTIFICATE_GENERIC_ERROR;
  return watch->tls.flags == 0;
}

static gboolean
on_request_certificate (SoupMessage *message, GTlsClientConnection *connection, gpointer user_data)
{
  Watch *watch = user_data;
  GPtrArray *pairs = watch->tls.certs != NULL ? watch->tls.certs->pairs : NULL;

  (void) connection;
  watch->tls.wants_certificate = pairs == NULL || pairs->len == 0;
  if (watch->tls.wants_certificate)
    return FALSE;
  soup_message_set_tls_client_certificate (message, pairs->pdata[0]);
  return TRUE;
}

/* The connection stands, an old one perhaps; from here on the answer is what takes its time. */
static void
on_wrote_headers (SoupMessage *message, gpointer user_data)
{
  Watch *watch = user_data;

  (void) message;
  watch->limit_msec = watch->first_byte_msec;
  atm_time_limit_start (watch->limit, watch->limit_msec);
}

static void
add_range (SoupMessageHeaders *headers, GUri *uri, const AtmHttpRequest *request)
{
  g_autofree char *host = atm_http_dup_host (uri), *range = NULL;

  if (request->start_bytes == 0)
    return;
  range = g_strdup_printf ("bytes=%" G_GUINT64_FORMAT "-", request->start_bytes);
  soup_message_headers_append (headers, "Range", range);
  /* Another host has other names for its versions, and would send everything again. */
  if (request->etag != NULL && g_strcmp0 (request->etag_host, host) == 0)
    soup_message_headers_append (headers, "If-Range", request->etag);
}

static SoupMessage *
new_message (GUri *uri, const AtmHttpRequest *request, gboolean same_origin)
{
  SoupMessage *message
      = soup_message_new_from_uri (request->form != NULL ? SOUP_METHOD_POST : SOUP_METHOD_GET, uri);
  SoupMessageHeaders *headers = soup_message_get_request_headers (message);

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  soup_message_headers_append (headers, "Docker-Distribution-API-Version", "registry/2.0");
  if (request->accept == NULL)
    soup_message_headers_append (headers, "Accept", "*/*");
  for (guint i = 0; request->accept != NULL && request->accept[i] != NULL; i++)
    soup_message_headers_append (headers, "Accept", request->accept[i]);
  if (request->authorization != NULL && same_origin)
    soup_message_headers_append (headers, "Authorization", request->authorization);
  if (request->no_cache)
    soup_message_headers_append (headers, "Cache-Control", "no-cache");
  add_range (headers, uri, request);
  if (request->form != NULL)
    {
      g_autoptr (GBytes) form = g_bytes_new (request->form, strlen (request->form));

      soup_message_set_request_body_from_bytes (message, FORM_TYPE, form);
    }
  return message;
}

static gboolean
send_message (AtmHttp *http, GUri *uri, const AtmHttpRequest *request, gboolean elsewhere,
              AtmHttpAnswer *answer, GCancellable *cancellable, GError **error)
{
  AtmRegistryContext *context = http->context;
  g_autoptr (AtmTimeLimit) limit = atm_time_limit_new (context->watchdog, cancellable);
  Watch watch = { { elsewhere ? NULL : http->certs, http->insecure, 0, FALSE },
                  limit,
                  context->limits.first_byte_msec,
                  context->limits.connect_msec };
  g_autoptr (SoupMessage) message = new_message (uri, request, !elsewhere);
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (GError) local = NULL;

  g_signal_connect (message, "network-event", G_CALLBACK (on_network_event), NULL);
  g_signal_connect (message, "accept-certificate", G_CALLBACK (on_accept_certificate), &watch);
  g_signal_connect (message, "request-certificate", G_CALLBACK (on_request_certificate), &watch);
  g_signal_connect (message, "wrote-headers", G_CALLBACK (on_wrote_headers), &watch);
  atm_time_limit_start (limit, watch.limit_msec);
  body = soup_session_send (elsewhere ? http->elsewhere : http->endpoint, message,
                            atm_time_limit_get_cancellable (limit), &local);
  atm_time_limit_start (limit, 0);
  g_signal_handlers_disconnect_by_data (message, &watch);
  if (body == NULL)
    return atm_http_error_throw (error, local, uri, context->proxies, &watch.tls,
                                 atm_time_limit_is_over (limit) ? watch.limit_msec : 0);

  /* What a proxy says instead of making a tunnel looks like an answer of the endpoint, but has no
     certificate behind it; it must not be taken for one. */
  if (soup_message_get_status (message) == SOUP_STATUS_PROXY_AUTHENTICATION_REQUIRED
      || (g_str_equal (g_uri_get_scheme (uri), "https")
          && soup_message_get_tls_peer_certificate (message) == NULL))
    return atm_http_error_throw_proxy (error, uri, soup_message_get_status (message),
                                       context->proxies);

  answer->status = soup_message_get_status (message);
  answer->host = atm_http_dup_host (uri);
  answer->elsewhere = elsewhere;
  answer->headers = soup_message_get_response_headers (message);
  answer->message = g_steal_pointer (&message);
  answer->body = g_steal_pointer (&body);
  return TRUE;
}

void
atm_http_answer_clear (AtmHttpAnswer *answer)
{
  g_clear_pointer (&answer->host, g_free);
  g_clear_object (&answer->body);
  g_clear_object (&answer->message);
  answer->headers = NULL;
}

/* ---- redirects ---- */

static gboolean
is_redirect (guint status)
{
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static GUri *
resolve_redirect (AtmHttp *http, GUri *uri, const AtmHttpAnswer *answer,
                  const AtmHttpRequest *request, GError **error)
{
  const char *location = soup_message_headers_get_one (answer->headers, "Location");
  g_autoptr (GUri) next
      = location != NULL ? g_uri_parse_relative (uri, location, SOUP_HTTP_URI_FLAGS, NULL) : NULL;
  const char *why = NULL;

  if (request->form != NULL)
    why = "which is not followed with a secret";
  else if (next == NULL)
    why = "without a usable “Location”";
  else if (!g_str_equal (g_uri_get_scheme (next), "https")
           && !g_str_equal (g_uri_get_scheme (next), "http"))
    why = "to something that is not HTTP";
  else if (g_uri_get_host (next) == NULL || *g_uri_get_host (next) == '\0')
    why = "without a usable “Location”";
  else if (g_uri_get_userinfo (next) != NULL)
    why = "to a URL with a user name in it";
  else if (g_str_equal (g_uri_get_scheme (next), "http") && !http->insecure
           && g_str_equal (g_uri_get_scheme (uri), "https"))
    why = "from HTTPS to plain HTTP";
  else if (request->same_host
           && g_ascii_strcasecmp (g_uri_get_host (uri), g_uri_get_host (next)) != 0)
    why = "of “/v2/” to another host";
  else
    return g_steal_pointer (&next);

  (void) atm_throw (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_PROTOCOL,
                    "%s answered with a redirect %s", answer->host, why);
  return NULL;
}

static gboolean
check_encoding (const AtmHttpAnswer *answer, GError **error)
{
  const char *encoding = soup_message_headers_get_list (answer->headers, "Content-Encoding");
  g_autofree char *shown = NULL;

  if (encoding == NULL || g_ascii_strcasecmp (encoding, "identity") == 0)
    return TRUE;
  shown = atm_text_escape (encoding);
  return atm_throw (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_PROTOCOL,
                    "%s sent its answer with the encoding “%s”, which nobody asked for",
                    answer->host, shown);
}

static gboolean
follow (AtmHttp *http, GUri *uri, const AtmHttpRequest *request, AtmHttpAnswer *answer_out,
        GCancellable *cancellable, GError **error)
{
  g_autoptr (GUri) current = g_uri_ref (uri);

  for (guint hops = 0;; hops++)
    {
      g_auto (AtmHttpAnswer) answer = { 0 };
      gboolean elsewhere = request->elsewhere || !same_origin_as (uri, current);
      GUri *next = NULL;

      if (!send_message (http, current, request, elsewhere, &answer, cancellable, error))
        return FALSE;
      if (!is_redirect (answer.status))
        {
          if (!check_encoding (&answer, error))
            return FALSE;
          *answer_out = answer;
          answer = (AtmHttpAnswer){ 0 };
          return TRUE;
        }
      if (hops >= ATM_HTTP_REDIRECTS_MAX)
        return atm_throw (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_PROTOCOL,
                          "%s redirects more than %d times", answer.host, ATM_HTTP_REDIRECTS_MAX);
      next = resolve_redirect (http, current, &answer, request, error);
      if (next == NULL)
        return FALSE;
      g_uri_unref (current);
      current = next;
    }
}

/* ---- patience ---- */

static guint64
get_asked_sec (const AtmHttpAnswer *answer)
{
  const char *header = soup_message_headers_get_one (answer->headers, "Retry-After");
  guint64 asked_sec = 0;

  return atm_retry_after_parse (header, g_get_real_time () / G_USEC_PER_SEC, &asked_sec) ? asked_sec
                                                                                         : 0;
}

gboolean
atm_http_send (AtmHttp *http, GUri *uri, const AtmHttpRequest *request, AtmHttpAnswer *answer_out,
               GCancellable *cancellable, GError **error)
{
  AtmRegistryContext *context = http->context;
  AtmRetry retry = { 0 };

  for (;;)
    {
      g_auto (AtmHttpAnswer) answer = { 0 };
      g_autoptr (GError) local = NULL;
      AtmRetryKind kind = ATM_RETRY_NONE;
      guint64 asked_sec = 0;
      guint delay_msec = 0;

      if (follow (http, uri, request, &answer, cancellable, &local))
        {
          kind = atm_retry_kind_of_status (answer.status);
          asked_sec = get_asked_sec (&answer);
        }
      else if (atm_http_error_may_pass (local) && !request->once)
        kind = ATM_RETRY_TRANSPORT;

      if (kind == ATM_RETRY_NONE || !atm_registry_context_count_failure (context)
          || !atm_retry_next (&retry, kind, asked_sec, context->limits.second_msec, &delay_msec))
        {
          if (local != NULL)
            {
              g_propagate_error (error, g_steal_pointer (&local));
              return FALSE;
            }
          if (!answer.elsewhere)
            atm_registry_context_relay (context, answer.host, answer.headers);
          *answer_out = answer;
          answer = (AtmHttpAnswer){ 0 };
          return TRUE;
        }
      /* The connection is not kept waiting. */
      atm_http_answer_clear (&answer);
      if (!atm_wait ((gint64) delay_msec * 1000, cancellable, error))
        return FALSE;
    }
}

/* ---- bodies that fit into memory ---- */

gboolean
atm_http_read_document (AtmHttp *http, const AtmHttpAnswer *answer, gsize max_bytes,
                        GBytes **bytes_out, GCancellable *cancellable, GError **error)
{
  const guint limit_msec = http->context->limits.document_msec;
  g_autoptr (AtmTimeLimit) limit = atm_time_limit_new (http->context->watchdog, cancellable);
  g_autoptr (GBytes) bytes = NULL;
  goffset announced = soup_message_headers_get_content_length (answer->headers);

  /* The number is 0 where none is announced. */
  if (announced > (goffset) max_bytes)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                      "the answer is larger than %" G_GSIZE_FORMAT " bytes", max_bytes);
  atm_time_limit_start (limit, limit_msec);
  if (!atm_read_stream (answer->body, max_bytes, &bytes, atm_time_limit_get_cancellable (limit),
                        error))
    {
      if (!atm_time_limit_is_over (limit))
        return FALSE;
      g_clear_error (error);
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "the answer took longer than %g s",
                        limit_msec / 1000.0);
    }
  /* libsoup takes the end of a connection that is not kept alive for the end of the body. */
  if (soup_message_headers_get_encoding (answer->headers) == SOUP_ENCODING_CONTENT_LENGTH
      && (goffset) g_bytes_get_size (bytes) != announced)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT,
                      "the connection ended in the middle of the answer");
  *bytes_out = g_steal_pointer (&bytes);
  return TRUE;
}

/* The buffer is kept from getting small: libsoup reads the end of a chunked body through it. */
GBytes *
atm_http_read_refusal (AtmHttp *http, const AtmHttpAnswer *answer, GCancellable *cancellable)
{
  g_autoptr (AtmTimeLimit) limit = atm_time_limit_new (http->context->watchdog, cancellable);
  g_autofree char *buffer = g_malloc (ATM_REFUSAL_BODY_MAX_BYTES);
  gsize length = 0;
  gssize n = 1;

  atm_time_limit_start (limit, http->context->limits.first_byte_msec);
  while (n > 0 && length + REFUSAL_READ_MIN_BYTES <= ATM_REFUSAL_BODY_MAX_BYTES)
    {
      n = g_input_stream_read (answer->body, buffer + length, ATM_REFUSAL_BODY_MAX_BYTES - length,
                               atm_time_limit_get_cancellable (limit), NULL);
      length += n > 0 ? (gsize) n : 0;
    }
  return g_bytes_new (buffer, length);
}
