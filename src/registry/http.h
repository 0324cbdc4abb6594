/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libsoup/soup.h>

/* HTTP as registries need it: bodies as they are on the wire, redirects under our rules, nothing
   sent to whom it is not meant for (registry.md 3.1, 3.2, 3.5). One endpoint, one thread. */

#define ATM_HTTP_REDIRECTS_MAX 5
#define ATM_HTTP_INACTIVITY_SEC 60

typedef struct _AtmHttp AtmHttp;

/**
 * atm_http_new:
 * @insecure: certificates are not verified, and redirects may lead to plain HTTP
 *
 * Returns: (transfer full): no connection yet
 */
AtmHttp *atm_http_new (gboolean insecure, GProxyResolver *proxies);
void atm_http_free (AtmHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmHttp, atm_http_free)

typedef struct
{
  const char *const *accept; /* (nullable): one Accept header each; NULL: anything */
  const char *authorization; /* (nullable): sent to the host of the request only */
  gboolean elsewhere;        /* not our endpoint: a token server */
  gboolean same_host;        /* a redirect to another host is refused */
} AtmHttpRequest;

/**
 * atm_http_get:
 * @uri: where to
 * @message_out: (out) (transfer full): the last answer, of any status but a redirect
 * @body_out: (out) (transfer full): its body, untrusted, of any length; bytes as they were sent
 * @error: %ATM_SOURCE_ERROR_UNREACHABLE or %ATM_SOURCE_ERROR_PROTOCOL, naming the host;
 *   %G_IO_ERROR_CANCELLED. For the choice between HTTPS and HTTP some keep what they were:
 *   %G_TLS_ERROR, %G_IO_ERROR_CONNECTION_REFUSED, %G_IO_ERROR_CONNECTION_CLOSED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_http_get (AtmHttp *http, GUri *uri, const AtmHttpRequest *request,
                       SoupMessage **message_out, GInputStream **body_out,
                       GCancellable *cancellable, GError **error);

/**
 * atm_http_dup_host:
 *
 * Returns: (transfer full): HOST[:PORT] of @uri, for messages
 */
char *atm_http_dup_host (GUri *uri);
