/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/endpoint.h"

#include <string.h>

#include "image/source.h"
#include "registry/auth.h"
#include "registry/refusal.h"
#include "util/error.h"

#define DOCKER_DOMAIN "docker.io"
#define DOCKER_HOST "registry-1.docker.io"
#define SIGNATURES_HEADER "X-Registry-Supports-Signatures"

struct _AtmEndpoint
{
  AtmRegistryContext *context; /* (borrowed) */
  const AtmImageName *logical; /* (borrowed) */
  AtmImageName *physical;      /* (owned) */
  gboolean is_mirror;
  gboolean insecure;   /* certificates need not be valid, secrets may go over plain HTTP */
  gboolean starts_tls; /* ask over HTTPS */
  gboolean may_fall;   /* and if that does not do, over plain HTTP */

  GMutex lock;     /* of all below; held while the endpoint is asked for the first time */
  AtmCerts *certs; /* (owned) (nullable): never changes once it is there */
  AtmAuth *auth;   /* (owned) (nullable): likewise; does its own locking */
  GUri *base;      /* (owned) (nullable): likewise: SCHEME://HOST[:PORT]/v2/ that has answered */
  gboolean keeps_signatures; /* it has the extension of trust.md 13 */
};

AtmEndpoint *
atm_endpoint_new (AtmRegistryContext *context, const AtmImageName *logical,
                  const AtmRegistryEndpoint *place, AtmScheme scheme, AtmTlsVerify tls_verify)
{
  AtmEndpoint *self = g_new0 (AtmEndpoint, 1);
  gboolean configured = place->insecure && scheme != ATM_SCHEME_HTTPS;

  self->context = context;
  self->logical = logical;
  self->physical = atm_name_copy (place->physical);
  self->is_mirror = place->is_mirror;
  self->insecure = scheme == ATM_SCHEME_HTTP || tls_verify == ATM_TLS_NO_VERIFY
                   || (configured && tls_verify == ATM_TLS_CONFIGURED);
  self->starts_tls = scheme != ATM_SCHEME_HTTP;
  self->may_fall = self->insecure && scheme == ATM_SCHEME_CONFIGURED;
  g_mutex_init (&self->lock);
  return self;
}

void
atm_endpoint_free (AtmEndpoint *self)
{
  if (self == NULL)
    return;
  atm_auth_free (self->auth);
  g_clear_pointer (&self->certs, atm_certs_free);
  g_clear_pointer (&self->base, g_uri_unref);
  g_mutex_clear (&self->lock);
  atm_name_free (self->physical);
  g_free (self);
}

const AtmImageName *
atm_endpoint_get_name (const AtmEndpoint *self)
{
  return self->physical;
}

gboolean
atm_endpoint_is_mirror (const AtmEndpoint *self)
{
  return self->is_mirror;
}

/* ---- certificates ---- */

/* With the lock held. */
static gboolean
load_certs (AtmEndpoint *self, GError **error)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);

  if (self->certs != NULL)
    return TRUE;
  if (!atm_certs_load (self->physical->domain, self->context->cert_dir, &self->certs, warnings,
                       error))
    return FALSE;
  for (guint i = 0; i < warnings->len; i++)
    atm_registry_context_warn (self->context, "%s", (const char *) warnings->pdata[i]);
  self->auth
      = atm_auth_new (self->context, self->logical, self->physical, self->insecure, self->certs);
  return TRUE;
}

gboolean
atm_endpoint_new_http (AtmEndpoint *self, AtmHttp **http_out, GError **error)
{
  gboolean ok = FALSE;

  g_mutex_lock (&self->lock);
  ok = load_certs (self, error);
  g_mutex_unlock (&self->lock);
  if (!ok)
    return FALSE;
  *http_out = atm_http_new (self->context, self->insecure, self->certs);
  return TRUE;
}

/* ---- the first question: is there a registry, and over HTTPS or HTTP? ---- */

static char *
dup_challenges (const AtmHttpAnswer *answer)
{
  return g_strdup (soup_message_headers_get_list (answer->headers, "WWW-Authenticate"));
}

static gboolean
throw_http (GError **error, const GError *cause)
{
  if (cause->domain != ATM_HTTP_ERROR)
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  return atm_throw (error, ATM_SOURCE_ERROR,
                    cause->code == ATM_HTTP_ERROR_PROTOCOL ? ATM_SOURCE_ERROR_PROTOCOL
                                                           : ATM_SOURCE_ERROR_UNREACHABLE,
                    "%s", cause->message);
}

static gboolean
throw_refusal (AtmHttp *http, const AtmHttpAnswer *answer, const char *thing,
               GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) body = atm_http_read_refusal (http, answer, cancellable);

  return atm_refusal_throw (error, answer->status, body, answer->host,
                            soup_message_headers_get_one (answer->headers, "Retry-After"), thing);
}

/* A connection serves again when the answer has been read to its end. */
static void
drain (AtmHttp *http, const AtmHttpAnswer *answer, GCancellable *cancellable)
{
  g_bytes_unref (atm_http_read_refusal (http, answer, cancellable));
}

/* @error may be of %ATM_HTTP_ERROR. */
static gboolean
ping_once (AtmEndpoint *self, AtmHttp *http, gboolean tls, GCancellable *cancellable,
           GError **error)
{
  const AtmHttpRequest request = { .same_host = TRUE, .once = tls && self->may_fall };
  const char *domain = self->physical->domain;
  g_autofree char *text
      = g_strconcat (tls ? "https" : "http", "://",
                     g_str_equal (domain, DOCKER_DOMAIN) ? DOCKER_HOST : domain, "/v2/", NULL);
  g_autoptr (GUri) base = g_uri_parse (text, SOUP_HTTP_URI_FLAGS, error);
  g_auto (AtmHttpAnswer) answer = { 0 };
  g_autofree char *challenges = NULL;

  if (base == NULL || !atm_http_send (http, base, &request, &answer, cancellable, error))
    return FALSE;
  if (answer.status == 404)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "%s does not serve the registry API (404 on /v2/)", answer.host);
  if (answer.status != 200 && answer.status != 401)
    return throw_refusal (http, &answer, "registry API", cancellable, error);
  if (answer.status == 401)
    {
      challenges = dup_challenges (&answer);
      atm_auth_learn (self->auth, challenges);
    }
  self->keeps_signatures
      = g_strcmp0 (soup_message_headers_get_one (answer.headers, SIGNATURES_HEADER), "1") == 0;
  drain (http, &answer, cancellable);
  self->base = g_steal_pointer (&base);
  return TRUE;
}

/* The failures after which plain HTTP may be tried, where that is allowed (registry.md 3.1). */
static gboolean
allows_fallback (const GError *error)
{
  return g_error_matches (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_HANDSHAKE)
         || g_error_matches (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_REFUSED)
         || g_error_matches (error, ATM_HTTP_ERROR, ATM_HTTP_ERROR_CLOSED);
}

/* With the lock held. */
static gboolean
ping (AtmEndpoint *self, AtmHttp *http, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (ping_once (self, http, self->starts_tls, cancellable, &local))
    return TRUE;
  if (self->may_fall && allows_fallback (local))
    {
      g_clear_error (&local);
      return ping_once (self, http, FALSE, cancellable, &local) || throw_http (error, local);
    }
  if (!g_error_matches (local, ATM_HTTP_ERROR, ATM_HTTP_ERROR_HANDSHAKE) || self->insecure)
    return throw_http (error, local);
  if (self->is_mirror)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                      "%s; if it is a registry without TLS, and you trust the network to it, set "
                      "“insecure = true” for the mirror “%s” in registries.conf",
                      local->message, self->physical->domain);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                    "%s; if it is a registry without TLS, and you trust the network to it, give "
                    "“http:%s” or set “insecure = true” for “%s” in registries.conf",
                    local->message, self->logical->familiar, self->physical->domain);
}

/* ---- asking for something ---- */

/* @uri_out is what @relative is, seen from “/v2/” of the endpoint. */
static gboolean
prepare (AtmEndpoint *self, AtmHttp *http, const char *relative, GUri **uri_out,
         GCancellable *cancellable, GError **error)
{
  gboolean ok = FALSE;

  g_mutex_lock (&self->lock);
  ok = self->base != NULL || ping (self, http, cancellable, error);
  g_mutex_unlock (&self->lock);
  if (!ok)
    return FALSE;
  *uri_out = g_uri_parse_relative (self->base, relative, SOUP_HTTP_URI_FLAGS, error);
  return *uri_out != NULL;
}

static gboolean
is_expected (const AtmHttpAnswer *answer, const AtmHttpRequest *request)
{
  return answer->status == 200
         || (request->start_bytes > 0 && (answer->status == 206 || answer->status == 416));
}

static gboolean
throw_unauthorized (AtmEndpoint *self, AtmHttp *http, const AtmHttpAnswer *answer,
                    const char *thing, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) body = atm_http_read_refusal (http, answer, cancellable);
  g_autofree char *text = atm_refusal_describe (answer->status, body);

  return atm_auth_throw_denied (self->auth, answer->host, text, thing, error);
}

static gboolean
get (AtmEndpoint *self, AtmHttp *http, GUri *uri, const AtmHttpRequest *request, const char *thing,
     AtmHttpAnswer *answer_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *host = atm_http_dup_host (uri);

  for (guint tries = 0;; tries++)
    {
      AtmHttpRequest authorized = *request;
      g_auto (AtmLeave) leave = { 0 };
      g_auto (AtmHttpAnswer) answer = { 0 };
      g_autoptr (GError) local = NULL;
      g_autofree char *challenges = NULL;

      if (!atm_auth_get_leave (self->auth, host, &leave, cancellable, error))
        return FALSE;
      authorized.authorization = leave.authorization;
      if (!atm_http_send (http, uri, &authorized, &answer, cancellable, &local))
        return throw_http (error, local);
      if (is_expected (&answer, request))
        {
          *answer_out = answer;
          answer = (AtmHttpAnswer){ 0 };
          return TRUE;
        }
      /* What a storage behind a redirect says of logins is nothing to us. */
      if (answer.status != 401 || answer.elsewhere)
        return throw_refusal (http, &answer, thing, cancellable, error);
      /* Once more, with a fresh token; some registries name the challenge only on “/v2/”. */
      challenges = dup_challenges (&answer);
      if (!atm_auth_refused (self->auth, &leave, challenges) || tries > 0)
        return throw_unauthorized (self, http, &answer, thing, cancellable, error);
      drain (http, &answer, cancellable);
    }
}

gboolean
atm_endpoint_get (AtmEndpoint *self, AtmHttp *http, const char *rest, const AtmHttpRequest *request,
                  const char *thing, AtmHttpAnswer *answer_out, GCancellable *cancellable,
                  GError **error)
{
  g_autofree char *relative = g_strconcat (self->physical->path, "/", rest, NULL);
  g_autoptr (GUri) uri = NULL;

  return prepare (self, http, relative, &uri, cancellable, error)
         && get (self, http, uri, request, thing, answer_out, cancellable, error);
}

/* ---- signatures ---- */

gboolean
atm_endpoint_keeps_signatures (AtmEndpoint *self)
{
  gboolean keeps = FALSE;

  g_mutex_lock (&self->lock);
  keeps = self->keeps_signatures;
  g_mutex_unlock (&self->lock);
  return keeps;
}

static gboolean
get_signatures (AtmEndpoint *self, AtmHttp *http, GUri *uri, GBytes **document_out,
                GCancellable *cancellable, GError **error)
{
  const AtmHttpRequest request = { 0 };
  g_auto (AtmHttpAnswer) answer = { 0 };
  g_autoptr (GError) local = NULL;

  if (!get (self, http, uri, &request, "signatures", &answer, cancellable, error))
    return FALSE;
  if (atm_http_read_document (http, &answer, ATM_SOURCE_SIGNATURES_MAX_BYTES, document_out,
                              cancellable, &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return atm_throw (error, ATM_SOURCE_ERROR,
                    g_error_matches (local, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE)
                        ? ATM_SOURCE_ERROR_SIZE
                        : ATM_SOURCE_ERROR_UNREACHABLE,
                    "%s", local->message);
}

gboolean
atm_endpoint_get_signatures (AtmEndpoint *self, AtmHttp *http, const AtmDigest *digest,
                             char **url_out, GBytes **document_out, GCancellable *cancellable,
                             GError **error)
{
  g_autofree char *digest_text = atm_digest_to_string (digest);
  g_autofree char *relative
      = g_strconcat ("/extensions/v2/", self->physical->path, "/signatures/", digest_text, NULL);
  g_autoptr (GUri) uri = NULL;
  g_autofree char *url = NULL;

  if (!prepare (self, http, relative, &uri, cancellable, error))
    return FALSE;
  url = g_uri_to_string (uri);
  if (!get_signatures (self, http, uri, document_out, cancellable, error))
    return atm_prefix_error (error, "%s", url);
  *url_out = g_steal_pointer (&url);
  return TRUE;
}
