/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/http-error.h"

#include "registry/proxy.h"
#include "registry/retry.h"
#include "util/error.h"
#include "util/text.h"

static AtmHttpErrorCode
classify_tls (int code)
{
  switch (code)
    {
    case G_TLS_ERROR_MISC:
    case G_TLS_ERROR_NOT_TLS:
    case G_TLS_ERROR_HANDSHAKE:
      return ATM_HTTP_ERROR_HANDSHAKE;
    case G_TLS_ERROR_EOF:
      return ATM_HTTP_ERROR_CLOSED;
    default:
      return ATM_HTTP_ERROR_CERTIFICATE;
    }
}

static AtmHttpErrorCode
classify (const GError *cause)
{
  if (cause->domain == G_TLS_ERROR)
    return classify_tls (cause->code);
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return ATM_HTTP_ERROR_REFUSED;
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)
      || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
    return ATM_HTTP_ERROR_CLOSED;
  if (cause->domain == G_IO_ERROR || cause->domain == G_RESOLVER_ERROR)
    return ATM_HTTP_ERROR_TRANSPORT;
  return ATM_HTTP_ERROR_PROTOCOL;
}

/* A certificate may be wrong in more than one way; the first that is named is the one that no
   administrator would want to be without. */
static const char *
describe_flags (GTlsCertificateFlags flags)
{
  if ((flags & G_TLS_CERTIFICATE_REVOKED) != 0)
    return "its certificate was revoked";
  if ((flags & G_TLS_CERTIFICATE_EXPIRED) != 0)
    return "its certificate has expired";
  if ((flags & G_TLS_CERTIFICATE_NOT_ACTIVATED) != 0)
    return "its certificate is not valid yet";
  if ((flags & G_TLS_CERTIFICATE_BAD_IDENTITY) != 0)
    return "its certificate is for another host";
  if ((flags & G_TLS_CERTIFICATE_UNKNOWN_CA) != 0)
    return "its certificate is signed by no authority that this system knows; put that of the "
           "registry into certs.d (FILE.crt) if you trust it";
  return "its certificate is not acceptable";
}

static gboolean
is_proxy_error (const GError *cause)
{
  return cause->domain == G_IO_ERROR && cause->code >= G_IO_ERROR_PROXY_FAILED
         && cause->code <= G_IO_ERROR_PROXY_NOT_ALLOWED;
}

gboolean
atm_http_error_throw (GError **error, const GError *cause, GUri *uri, GProxyResolver *proxies,
                      const AtmHttpTls *tls, guint late_msec)
{
  g_autofree char *host = atm_http_dup_host (uri), *proxy = NULL, *shown = NULL;

  if (late_msec > 0)
    return atm_throw (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_TRANSPORT,
                      "cannot reach %s: no answer within %g s", host, late_msec / 1000.0);
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  if (tls->flags != 0)
    return atm_throw (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_CERTIFICATE, "cannot reach %s: %s",
                      host, describe_flags (tls->flags));
  if (tls->wants_certificate
      && (cause->domain == G_TLS_ERROR || classify (cause) == ATM_HTTP_ERROR_CLOSED))
    return atm_throw (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_CERTIFICATE,
                      "cannot reach %s: it wants a certificate of the client, and there is none; "
                      "put X.cert and X.key for it into certs.d (%s)",
                      host, cause->message);
  proxy = atm_proxy_dup_host (proxies, uri);
  shown = atm_text_escape (cause->message);
  if (proxy != NULL)
    return atm_throw (error, ATM_HTTP_ERROR,
                      is_proxy_error (cause) ? ATM_HTTP_ERROR_PROTOCOL : (int) classify (cause),
                      "cannot reach %s through the proxy %s: %s", host, proxy, shown);
  return atm_throw (error, ATM_HTTP_ERROR, (int) classify (cause), "cannot reach %s: %s", host,
                    shown);
}

gboolean
atm_http_error_throw_proxy (GError **error, GUri *uri, guint status, GProxyResolver *proxies)
{
  g_autofree char *host = atm_http_dup_host (uri), *proxy = atm_proxy_dup_host (proxies, uri);

  if (status == SOUP_STATUS_PROXY_AUTHENTICATION_REQUIRED)
    return atm_throw (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_PROTOCOL,
                      "the proxy %s on the way to %s wants a login (407); give it one in its "
                      "address, as in “http://USER:PASSWORD@HOST:PORT”",
                      proxy != NULL ? proxy : "", host);
  return atm_throw (error, ATM_HTTP_ERROR,
                    atm_retry_kind_of_status (status) != ATM_RETRY_NONE ? ATM_HTTP_ERROR_TRANSPORT
                                                                        : ATM_HTTP_ERROR_PROTOCOL,
                    "cannot reach %s: the proxy %s answered %u", host,
                    proxy != NULL ? proxy : "on the way", status);
}

gboolean
atm_http_error_may_pass (const GError *error)
{
  return g_error_matches (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_REFUSED)
         || g_error_matches (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_CLOSED)
         || g_error_matches (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_TRANSPORT);
}
