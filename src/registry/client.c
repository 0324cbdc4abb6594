/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/client.h"

#include <string.h>

#include "registry/http.h"
#include "registry/refusal.h"
#include "registry/token.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

#define DOCKER_DOMAIN "docker.io"
#define DOCKER_HOST "registry-1.docker.io"
#define LOCAL_NAMESPACE "library/"
#define REFUSAL_READ_MIN_BYTES 1024

#define ATM_TYPE_REGISTRY (atm_registry_get_type ())
G_DECLARE_FINAL_TYPE (AtmRegistry, atm_registry, ATM, REGISTRY, GObject)

struct _AtmRegistry
{
  GObject parent;

  char *what;             /* (owned): the canonical logical name, for messages */
  AtmImageName *logical;  /* (owned) */
  AtmImageName *physical; /* (owned): where it is fetched */
  AtmScheme scheme;
  gboolean insecure; /* by configuration */

  AtmHttp *http;           /* (owned) */
  GUri *base;              /* (owned) (nullable): SCHEME://HOST[:PORT]/v2/ once it has answered */
  AtmChallenge *challenge; /* (owned) (nullable): what it wants to be asked with */
  char *authorization;     /* (owned) (nullable): a token, ready for the header */
};

static void registry_source_init (AtmSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (AtmRegistry, atm_registry, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (ATM_TYPE_SOURCE, registry_source_init))

/* OCI first; schema 1 is not offered: a registry might convert to it, and the digest would be
   another one than the one that was signed (registry.md 4.2). */
static const char *const manifest_types[]
    = { ATM_TYPE_OCI_MANIFEST, ATM_TYPE_OCI_INDEX, ATM_TYPE_DOCKER_MANIFEST, ATM_TYPE_DOCKER_LIST,
        NULL };

static char *
dup_challenges (SoupMessage *message)
{
  return g_strdup (soup_message_headers_get_list (soup_message_get_response_headers (message),
                                                  "WWW-Authenticate"));
}

/* The beginning of the body of a refusal, as far as it can be read. The buffer is kept from getting
   small: libsoup reads the end of a chunked body through it. */
static GBytes *
read_refusal (GInputStream *body, GCancellable *cancellable)
{
  g_autofree char *buffer = g_malloc (ATM_REFUSAL_BODY_MAX_BYTES);
  gsize length = 0;
  gssize n = 1;

  while (n > 0 && length + REFUSAL_READ_MIN_BYTES <= ATM_REFUSAL_BODY_MAX_BYTES)
    {
      n = g_input_stream_read (body, buffer + length, ATM_REFUSAL_BODY_MAX_BYTES - length,
                               cancellable, NULL);
      length += n > 0 ? (gsize) n : 0;
    }
  return g_bytes_new (buffer, length);
}

/* ---- the first question: is there a registry, and over HTTPS or HTTP? ---- */

static GUri *
make_base (AtmRegistry *self, const char *scheme, GError **error)
{
  const char *domain = self->physical->domain;
  g_autofree char *text = g_strconcat (
      scheme, "://", g_str_equal (domain, DOCKER_DOMAIN) ? DOCKER_HOST : domain, "/v2/", NULL);

  return g_uri_parse (text, SOUP_HTTP_URI_FLAGS, error);
}

static gboolean
ping_once (AtmRegistry *self, const char *scheme, GCancellable *cancellable, GError **error)
{
  const AtmHttpRequest request = { .same_host = TRUE };
  g_autoptr (GUri) base = make_base (self, scheme, error);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (GBytes) refusal = NULL;
  g_autofree char *host = NULL, *challenges = NULL;
  guint status = 0;

  if (base == NULL
      || !atm_http_get (self->http, base, &request, &message, &body, cancellable, error))
    return FALSE;

  status = soup_message_get_status (message);
  host = atm_http_dup_host (base);
  if (status == 404)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "%s does not serve the registry API (404 on /v2/)", host);
  if (status != 200 && status != 401)
    {
      refusal = read_refusal (body, cancellable);
      return atm_refusal_throw (error, status, refusal, host, "registry API");
    }
  if (status == 401)
    {
      challenges = dup_challenges (message);
      self->challenge = atm_challenge_parse (challenges);
    }
  self->base = g_steal_pointer (&base);
  return TRUE;
}

/* The failures after which plain HTTP may be tried, where that is allowed (registry.md 3.1). */
static gboolean
looks_like_plain_http (const GError *error)
{
  return g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_MISC)
         || g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_NOT_TLS)
         || g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_HANDSHAKE);
}

static gboolean
allows_fallback (const GError *error)
{
  return looks_like_plain_http (error)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

static gboolean
is_transport_error (const GError *error)
{
  return error->domain == G_TLS_ERROR || allows_fallback (error);
}

static gboolean
ping (AtmRegistry *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (self->base != NULL)
    return TRUE;
  if (ping_once (self, self->scheme == ATM_SCHEME_HTTP ? "http" : "https", cancellable, &local))
    return TRUE;
  if (self->scheme == ATM_SCHEME_CONFIGURED && self->insecure && allows_fallback (local))
    {
      g_clear_error (&local);
      if (ping_once (self, "http", cancellable, &local))
        return TRUE;
    }
  if (!is_transport_error (local))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (self->scheme == ATM_SCHEME_CONFIGURED && !self->insecure && looks_like_plain_http (local))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                      "%s; if it is a registry without TLS, and you trust the network to it, give "
                      "“http:%s” or set “insecure = true” for “%s” in registries.conf",
                      local->message, self->logical->familiar, self->physical->domain);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "%s", local->message);
}

/* ---- asking for something ---- */

/* Plain HTTP is in use, or verified TLS is not asked for. */
static gboolean
is_insecure (AtmRegistry *self)
{
  return self->scheme == ATM_SCHEME_HTTP
         || (self->scheme == ATM_SCHEME_CONFIGURED && self->insecure);
}

static gboolean
get_token (AtmRegistry *self, GCancellable *cancellable, GError **error)
{
  g_clear_pointer (&self->authorization, g_free);
  if (self->challenge == NULL || self->challenge->realm == NULL)
    return TRUE;
  return atm_token_fetch (self->http, self->challenge, self->physical->path, is_insecure (self),
                          &self->authorization, cancellable, error);
}

/* GET /v2/PATH/… of the repository. The answer is one with status 200. */
static gboolean
get (AtmRegistry *self, const char *rest, const char *const *accept, const char *thing,
     SoupMessage **message_out, GInputStream **body_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *relative = g_strconcat (self->physical->path, "/", rest, NULL);
  g_autofree char *host = NULL, *challenges = NULL;
  g_autoptr (GUri) uri = NULL;
  g_autoptr (GBytes) refusal = NULL;

  if (!ping (self, cancellable, error))
    return FALSE;
  host = atm_http_dup_host (self->base);
  uri = g_uri_parse_relative (self->base, relative, SOUP_HTTP_URI_FLAGS, error);
  if (uri == NULL)
    return FALSE;
  if (self->authorization == NULL && !get_token (self, cancellable, error))
    return FALSE;

  for (guint tries = 0;; tries++)
    {
      const AtmHttpRequest request = { .accept = accept, .authorization = self->authorization };
      g_autoptr (SoupMessage) message = NULL;
      g_autoptr (GInputStream) body = NULL;
      g_autoptr (GError) local = NULL;
      guint status = 0;

      if (!atm_http_get (self->http, uri, &request, &message, &body, cancellable, &local))
        {
          if (is_transport_error (local))
            return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "%s",
                              local->message);
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      status = soup_message_get_status (message);
      if (status == 200)
        {
          *message_out = g_steal_pointer (&message);
          *body_out = g_steal_pointer (&body);
          return TRUE;
        }
      if (status != 401 || tries > 0)
        {
          refusal = read_refusal (body, cancellable);
          return atm_refusal_throw (error, status, refusal, host, thing);
        }

      /* Once more, with a fresh token; some registries name the challenge only on “/v2/”. */
      challenges = dup_challenges (message);
      if (challenges != NULL)
        {
          g_clear_pointer (&self->challenge, atm_challenge_free);
          self->challenge = atm_challenge_parse (challenges);
        }
      if (self->challenge == NULL || self->challenge->realm == NULL)
        {
          const char *schemes = self->challenge != NULL ? self->challenge->schemes : "";
          g_autofree char *shown = atm_text_escape (schemes);

          return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                            "%s wants a login (401, %s), which this version cannot do; only "
                            "public images can be fetched",
                            host, *shown != '\0' ? shown : "without a challenge");
        }
      if (!get_token (self, cancellable, error))
        return FALSE;
    }
}

/* What a server says of the digest proves nothing, but an honest one tells of damage early. */
static gboolean
check_digest_header (SoupMessage *message, const AtmDigest *digest, GBytes *bytes, GError **error)
{
  const char *header = soup_message_headers_get_one (soup_message_get_response_headers (message),
                                                     "Docker-Content-Digest");
  AtmDigest said, actual;
  g_autofree char *said_text = NULL, *actual_text = NULL;

  if (header == NULL || !atm_digest_parse (header, &said, NULL))
    return TRUE;
  if (bytes != NULL)
    atm_digest_of (said.algorithm, bytes, &actual);
  else
    actual = *digest;
  if (said.algorithm != actual.algorithm || atm_digest_equal (&said, &actual))
    return TRUE;
  said_text = atm_digest_to_string (&said);
  actual_text = atm_digest_to_string (&actual);
  return atm_throw (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH,
                    "the registry calls it %s (Docker-Content-Digest), but it is %s", said_text,
                    actual_text);
}

/* ---- the interface ---- */

static gboolean
throw_body (GError **error, GError *local)
{
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (local));
      return FALSE;
    }
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "the manifest is larger than %d bytes", ATM_MANIFEST_MAX_BYTES);
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "the connection ended in the middle of the manifest");
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                    "reading the manifest: %s", local->message);
}

static gboolean
get_manifest (AtmRegistry *self, const AtmDigest *digest, GBytes **bytes_out,
              char **content_type_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *reference
      = digest != NULL ? atm_digest_to_string (digest) : g_strdup (self->physical->tag);
  g_autofree char *rest = g_strconcat ("manifests/", reference, NULL);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  SoupMessageHeaders *headers = NULL;

  if (!get (self, rest, manifest_types, "image", &message, &body, cancellable, error))
    return FALSE;
  headers = soup_message_get_response_headers (message);
  if (soup_message_headers_get_content_length (headers) > ATM_MANIFEST_MAX_BYTES)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "the manifest is larger than %d bytes", ATM_MANIFEST_MAX_BYTES);
  if (!atm_read_stream (body, ATM_MANIFEST_MAX_BYTES, &bytes, cancellable, &local))
    return throw_body (error, local);
  /* libsoup takes the end of a connection that is not kept alive for the end of the body. */
  if (soup_message_headers_get_encoding (headers) == SOUP_ENCODING_CONTENT_LENGTH
      && (goffset) g_bytes_get_size (bytes) != soup_message_headers_get_content_length (headers))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "the connection ended in the middle of the manifest");
  if ((digest != NULL && !atm_digest_check (digest, bytes, "the manifest", error))
      || !check_digest_header (message, digest, bytes, error))
    return FALSE;

  *bytes_out = g_steal_pointer (&bytes);
  *content_type_out = g_strdup (soup_message_headers_get_one (headers, "Content-Type"));
  return TRUE;
}

/* A user who forgot the repository gets an image of Docker Hub with the name of a host. */
static gboolean
hint_at_host (AtmRegistry *self, GError **error)
{
  const char *path = self->logical->path;

  if (error == NULL || !g_error_matches (*error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND)
      || self->logical->domain_typed || !g_str_has_prefix (path, LOCAL_NAMESPACE))
    return FALSE;
  path += strlen (LOCAL_NAMESPACE);
  if (g_str_equal (path, "localhost") || strchr (path, '.') != NULL)
    {
      g_autofree char *message
          = g_strdup_printf ("%s; if “%s” is a registry, name an image in it: %s/IMAGE",
                             (*error)->message, path, self->logical->familiar);

      g_free ((*error)->message);
      (*error)->message = g_steal_pointer (&message);
    }
  return FALSE;
}

static gboolean
registry_get_manifest (AtmSource *source, const AtmDigest *digest, GBytes **bytes_out,
                       char **content_type_out, GCancellable *cancellable, GError **error)
{
  AtmRegistry *self = ATM_REGISTRY (source);

  if (digest == NULL && self->physical->has_digest)
    digest = &self->physical->digest;
  if (get_manifest (self, digest, bytes_out, content_type_out, cancellable, error))
    return TRUE;
  (void) hint_at_host (self, error);
  return atm_prefix_error (error, "%s", self->what);
}

static gboolean
open_blob (AtmRegistry *self, const AtmDescriptor *descriptor, const char *digest,
           GInputStream **stream_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *rest = g_strconcat ("blobs/", digest, NULL);
  g_autofree char *thing = g_strconcat ("blob ", digest, NULL);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) body = NULL;
  SoupMessageHeaders *headers = NULL;

  if (!get (self, rest, NULL, thing, &message, &body, cancellable, error))
    return FALSE;
  headers = soup_message_get_response_headers (message);
  if (soup_message_headers_get_encoding (headers) == SOUP_ENCODING_CONTENT_LENGTH
      && (guint64) soup_message_headers_get_content_length (headers) != descriptor->size_bytes)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "the registry announces %" G_GOFFSET_FORMAT
                      " bytes for the %s, but the manifest says %" G_GUINT64_FORMAT,
                      soup_message_headers_get_content_length (headers), thing,
                      descriptor->size_bytes);
  if (!check_digest_header (message, &descriptor->digest, NULL, error))
    return FALSE;

  /* The stream needs the session, and may live longer than the caller's reference to us. */
  g_object_set_data_full (G_OBJECT (body), "atm-registry", g_object_ref (self), g_object_unref);
  *stream_out = g_steal_pointer (&body);
  return TRUE;
}

static gboolean
registry_open_blob (AtmSource *source, const AtmDescriptor *descriptor, GInputStream **stream_out,
                    GCancellable *cancellable, GError **error)
{
  AtmRegistry *self = ATM_REGISTRY (source);
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);

  return open_blob (self, descriptor, digest, stream_out, cancellable, error)
         || atm_prefix_error (error, "%s", self->what);
}

static void
registry_source_init (AtmSourceInterface *iface)
{
  iface->get_manifest = registry_get_manifest;
  iface->open_blob = registry_open_blob;
}

static void
registry_finalize (GObject *object)
{
  AtmRegistry *self = ATM_REGISTRY (object);

  g_free (self->what);
  atm_name_free (self->logical);
  atm_name_free (self->physical);
  atm_http_free (self->http);
  g_clear_pointer (&self->base, g_uri_unref);
  atm_challenge_free (self->challenge);
  g_free (self->authorization);
  G_OBJECT_CLASS (atm_registry_parent_class)->finalize (object);
}

static void
atm_registry_class_init (AtmRegistryClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = registry_finalize;
}

static void
atm_registry_init (AtmRegistry *self)
{
  (void) self;
}

gboolean
atm_registry_open (const AtmOrigin *origin, const AtmRegistriesConf *conf, GProxyResolver *proxies,
                   AtmSource **source_out, GError **error)
{
  g_autoptr (AtmRegistry) self = g_object_new (ATM_TYPE_REGISTRY, NULL);
  g_autoptr (GPtrArray) endpoints = NULL;
  const AtmRegistryEndpoint *primary = NULL;

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_DOCKER, FALSE);
  self->what = atm_origin_to_string (origin);
  if (!atm_registries_conf_look_up (conf, origin->name, &endpoints, error))
    return atm_prefix_error (error, "%s", self->what);

  primary = g_ptr_array_index (endpoints, endpoints->len - 1);
  self->logical = atm_name_copy (origin->name);
  self->physical = atm_name_copy (primary->physical);
  self->scheme = origin->scheme;
  self->insecure = primary->insecure;
  self->http = atm_http_new (is_insecure (self), proxies);
  *source_out = ATM_SOURCE (g_steal_pointer (&self));
  return TRUE;
}
