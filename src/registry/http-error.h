/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libsoup/soup.h>

#include "registry/http.h"

/* Why an endpoint could not be reached, in the words of a user. Part of registry/http.h. */

/* What the handlers of one message have seen. */
typedef struct
{
  const AtmCerts *certs; /* (borrowed) (nullable) */
  gboolean insecure;
  GTlsCertificateFlags flags; /* why the certificate was refused; 0 if it was not */
  gboolean wants_certificate; /* the server asked for one of ours, and there is none */
} AtmHttpTls;

/**
 * atm_http_error_throw:
 * @cause: (borrowed): what libsoup said
 * @uri: what was asked
 * @late_msec: the time limit that has passed; 0 for none
 * @error: %ATM_HTTP_ERROR, %G_IO_ERROR_CANCELLED
 *
 * Returns: %FALSE, always
 */
gboolean atm_http_error_throw (GError **error, const GError *cause, GUri *uri,
                               GProxyResolver *proxies, const AtmHttpTls *tls, guint late_msec);

/**
 * atm_http_error_throw_proxy:
 * @status: what the proxy on the way to @uri has answered
 * @error: %ATM_HTTP_ERROR_PROTOCOL; %ATM_HTTP_ERROR_TRANSPORT if it may pass
 *
 * Returns: %FALSE, always
 */
gboolean atm_http_error_throw_proxy (GError **error, GUri *uri, guint status,
                                     GProxyResolver *proxies);

/**
 * atm_http_error_may_pass:
 *
 * Returns: whether @error may pass
 */
gboolean atm_http_error_may_pass (const GError *error);
