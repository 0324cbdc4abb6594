/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libsoup/soup.h>

#include "registry/certs.h"
#include "registry/context.h"

/* HTTP as registries need it: bodies as they are on the wire, redirects under our rules, nothing
   sent to whom it is not meant for, patience with a limit (registry.md 3.1, 3.2, 3.5, 3.7). */

#define ATM_HTTP_REDIRECTS_MAX 5

#define ATM_HTTP_ERROR (atm_http_error_quark ())
GQuark atm_http_error_quark (void);

/* Why there is no answer. */
typedef enum
{
  ATM_HTTP_ERROR_CERTIFICATE, /* the server's is not good, or it wants one of ours */
  ATM_HTTP_ERROR_HANDSHAKE,   /* what answers does not seem to speak TLS */
  ATM_HTTP_ERROR_REFUSED,     /* nobody listens */
  ATM_HTTP_ERROR_CLOSED,      /* the connection ended before there was an answer */
  ATM_HTTP_ERROR_TRANSPORT,   /* no way to the host, or no answer in time */
  ATM_HTTP_ERROR_PROTOCOL     /* an answer that makes no sense, or that we do not follow */
} AtmHttpErrorCode;

/* AtmHttp: connections to one endpoint (scheme, host, port) for one thread. Connections that were
   accepted under other rules are never shared with it. */
typedef struct _AtmHttp AtmHttp;

/**
 * atm_http_new:
 * @context: (borrowed): must outlive it
 * @insecure: certificates are not verified, and redirects may lead to plain HTTP
 * @certs: (borrowed) (nullable): for the endpoint, not for where redirects lead; must outlive it
 *
 * Returns: (transfer full): no connection yet
 */
AtmHttp *atm_http_new (AtmRegistryContext *context, gboolean insecure, const AtmCerts *certs);
void atm_http_free (AtmHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmHttp, atm_http_free)

typedef struct
{
  const char *const *accept; /* (nullable): one Accept header each; NULL: anything */
  const char *authorization; /* (nullable): secret; sent to the origin of the request only */
  const char *form;          /* (nullable): secret; sent by POST, and redirects are refused */
  gboolean same_host;        /* a redirect to another host is refused */
  gboolean elsewhere;        /* not to the endpoint: an address that an image names */
  gboolean no_cache;         /* what is on the way may be damaged: ask the origin */
  gboolean once;             /* no further attempts where there is no connection */
  guint64 start_bytes;       /* ask for the bytes from here on */
  const char *etag;          /* (nullable): that part is of this version … */
  const char *etag_host;     /* (nullable): … as this host has called it */
} AtmHttpRequest;

typedef struct
{
  guint status;                /* of any kind but a redirect */
  char *host;                  /* (owned): HOST[:PORT] that has answered, harmless to print */
  gboolean elsewhere;          /* it is another origin than the one that was asked */
  SoupMessageHeaders *headers; /* (borrowed) from @message: untrusted */
  SoupMessage *message;        /* (owned) */
  GInputStream *body;          /* (owned): untrusted, of any length; bytes as they were sent */
} AtmHttpAnswer;

void atm_http_answer_clear (AtmHttpAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmHttpAnswer, atm_http_answer_clear)

/**
 * atm_http_send:
 * @uri: where to; without a user name
 * @answer_out: (out caller-allocates) (transfer full): the last answer
 * @error: %ATM_HTTP_ERROR, naming the host but never what stands behind “?” in an address;
 *   %G_IO_ERROR_CANCELLED
 *
 * Asks, follows redirects, and asks again after failures that may pass, with delays.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_http_send (AtmHttp *http, GUri *uri, const AtmHttpRequest *request,
                        AtmHttpAnswer *answer_out, GCancellable *cancellable, GError **error);

/**
 * atm_http_read_document:
 * @answer: (borrowed)
 * @max_bytes: more is %G_IO_ERROR_MESSAGE_TOO_LARGE
 * @bytes_out: (out) (transfer full): the body
 * @error: %G_IO_ERROR: %G_IO_ERROR_PARTIAL_INPUT if it ends too early, %G_IO_ERROR_TIMED_OUT
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_http_read_document (AtmHttp *http, const AtmHttpAnswer *answer, gsize max_bytes,
                                 GBytes **bytes_out, GCancellable *cancellable, GError **error);

/**
 * atm_http_read_refusal:
 *
 * Returns: (transfer full): the beginning of the body of a refusal, as far as it can be read
 */
GBytes *atm_http_read_refusal (AtmHttp *http, const AtmHttpAnswer *answer,
                               GCancellable *cancellable);

/**
 * atm_http_dup_host:
 *
 * Returns: (transfer full): HOST[:PORT] of @uri, for messages
 */
char *atm_http_dup_host (GUri *uri);
