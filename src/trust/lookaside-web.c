/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/lookaside-web.h"

#include "registry/http.h"
#include "trust/refusal.h"
#include "trust/signature.h"
#include "util/error.h"
#include "util/text.h"

#define INACTIVITY_SEC 30
#define FAILURES_MAX 20

/* A server that is being read. */
typedef struct
{
  AtmLookasideLimits limits;
  AtmRegistryContext *context; /* (owned): of its own, so without credentials and certificates */
  AtmHttp *http;               /* (owned) */
} Server;

static void
server_clear (Server *server)
{
  atm_http_free (server->http);
  atm_registry_context_unref (server->context);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Server, server_clear)

static void
server_init (Server *server, const AtmLookasideWeb *web)
{
  const AtmLookasideLimits limits = ATM_LOOKASIDE_LIMITS_DEFAULT;
  g_autoptr (GProxyResolver) proxies = web->proxies != NULL
                                           ? g_object_ref (web->proxies)
                                           : g_simple_proxy_resolver_new ("direct://", NULL);
  AtmRegistryLimits each = { .inactivity_sec = INACTIVITY_SEC, .failures_max = FAILURES_MAX };
  AtmRegistryOptions options = { .limits = &each };

  server->limits = web->limits != NULL ? *web->limits : limits;
  each.connect_msec = server->limits.request_msec;
  each.first_byte_msec = server->limits.request_msec;
  each.document_msec = server->limits.request_msec;
  each.second_msec = server->limits.second_msec;
  server->context = atm_registry_context_new (proxies, &options);
  server->http = atm_http_new (server->context, FALSE, NULL);
}

static gboolean
throw_limit (GError **error, const char *what)
{
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED, "%s", what);
}

static gboolean
read_blob (AtmHttp *http, GUri *uri, guint number, GBytes **blob_out, GCancellable *cancellable,
           GError **error)
{
  const AtmHttpRequest request = { 0 };
  g_auto (AtmHttpAnswer) answer = { 0 };
  g_autoptr (GError) local = NULL;

  if (!atm_http_send (http, uri, &request, &answer, cancellable, error))
    return FALSE;
  if (answer.status == SOUP_STATUS_NOT_FOUND)
    return TRUE;
  if (answer.status != SOUP_STATUS_OK)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LOOKASIDE_ERROR,
                      "%s answered %u; where there is no signature it must answer 404", answer.host,
                      answer.status);
  if (number > ATM_SIGNATURES_MAX)
    return throw_limit (
        error,
        "there are more than " G_STRINGIFY (
            ATM_SIGNATURES_MAX) " signatures; the publisher must remove those that nobody needs");
  if (atm_http_read_document (http, &answer, ATM_SIGNATURE_MAX_BYTES, blob_out, cancellable,
                              &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
    return throw_limit (error, "there are more than 4 MiB, so it is no signature");
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* %NULL in @blob_out is the end. @all is the limit for all signatures. */
static gboolean
read_in_time (Server *server, AtmTimeLimit *all, const char *url, guint number, GBytes **blob_out,
              GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (url, SOUP_HTTP_URI_FLAGS, error);
  g_autoptr (AtmTimeLimit) one
      = atm_time_limit_new (server->context->watchdog, atm_time_limit_get_cancellable (all));
  g_autoptr (GError) local = NULL;

  if (uri == NULL)
    return FALSE;
  atm_time_limit_start (one, server->limits.request_msec);
  if (read_blob (server->http, uri, number, blob_out, atm_time_limit_get_cancellable (one), &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      if (atm_time_limit_is_over (one))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no whole answer within %g s",
                          server->limits.request_msec / 1000.0);
      if (atm_time_limit_is_over (all))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                          "the signatures of the image were not all there after %g s",
                          server->limits.total_msec / 1000.0);
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
atm_lookaside_web_read (const char *folder, const AtmLookasideWeb *web, AtmTrace *trace,
                        GPtrArray *blobs, GCancellable *cancellable, GError **error)
{
  const AtmLookasideWeb none = { 0 };
  g_auto (Server) server = { 0 };
  g_autoptr (AtmTimeLimit) all = NULL;

  server_init (&server, web != NULL ? web : &none);
  all = atm_time_limit_new (server.context->watchdog, cancellable);
  atm_time_limit_start (all, server.limits.total_msec);
  for (guint number = 1;; number++)
    {
      g_autofree char *url = g_strdup_printf ("%s/signature-%u", folder, number);
      g_autofree char *safe = atm_text_escape (url);
      g_autoptr (GError) local = NULL;
      GBytes *blob = NULL;

      (void) read_in_time (&server, all, url, number, &blob, &local);
      atm_trace_add_place (trace, safe, blob != NULL, local);
      if (local != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          (void) atm_refusal_convert (error, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
          return atm_prefix_error (error, "The signature %s cannot be used", safe);
        }
      if (blob == NULL)
        return TRUE;
      g_ptr_array_add (blobs, blob);
    }
}
