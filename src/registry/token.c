/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/token.h"

#include <string.h>

#include "image/source.h"
#include "util/error.h"
#include "util/json.h"
#include "util/secret.h"
#include "util/text.h"

#define CLIENT_ID "atomic"

typedef struct
{
  char *token;         /* (owned) (nullable) */
  char *access_token;  /* (owned) (nullable) */
  char *refresh_token; /* (owned) (nullable) */
  char *issued_at;     /* (owned) (nullable) */
  gint64 expires_in;
} Fields;

static void
fields_clear (Fields *fields)
{
  atm_secret_free (fields->token);
  atm_secret_free (fields->access_token);
  atm_secret_free (fields->refresh_token);
  g_free (fields->issued_at);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fields, fields_clear)

void
atm_token_clear (AtmToken *token)
{
  g_clear_pointer (&token->authorization, atm_secret_free);
  g_clear_pointer (&token->refresh, atm_secret_free);
  token->life_sec = 0;
}

/* ---- the answer ---- */

/* It goes into a header. */
static gboolean
is_header_text (const char *token)
{
  for (const char *p = token; *p != '\0'; p++)
    if (*p <= ' ' || *p > '~')
      return FALSE;
  return *token != '\0';
}

/* How long the token will live. What has no sense by our clock is counted from now: a clock that is
   wrong must not make us ask for a token before every request. */
static guint64
get_life_sec (const Fields *fields, gint64 now_sec)
{
  gint64 life_sec = CLAMP (fields->expires_in, ATM_TOKEN_LIFE_MIN_SEC, ATM_TOKEN_LIFE_MAX_SEC);
  g_autoptr (GDateTime) issued
      = fields->issued_at != NULL ? g_date_time_new_from_iso8601 (fields->issued_at, NULL) : NULL;
  gint64 age_sec = issued != NULL ? now_sec - g_date_time_to_unix (issued) : 0;

  return (guint64) (age_sec > 0 && age_sec < life_sec ? life_sec - age_sec : life_sec);
}

gboolean
atm_token_parse (GBytes *bytes, gint64 now_sec, AtmToken *token_out)
{
  static const AtmJsonField table[] = {
    { "token", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, token), ATM_JSON_LENIENT },
    { "access_token", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, access_token), ATM_JSON_LENIENT },
    { "refresh_token", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, refresh_token), ATM_JSON_LENIENT },
    { "issued_at", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, issued_at), ATM_JSON_LENIENT },
    { "expires_in", ATM_JSON_INT, G_STRUCT_OFFSET (Fields, expires_in), ATM_JSON_LENIENT },
  };
  g_autoptr (JsonObject) object = NULL;
  g_auto (Fields) fields = { 0 };
  const char *token = NULL;

  if (!atm_json_parse_object (bytes, &object, NULL)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "", &fields,
                         NULL))
    return FALSE;
  token = fields.token != NULL && *fields.token != '\0' ? fields.token : fields.access_token;
  if (token == NULL || !is_header_text (token))
    return FALSE;
  token_out->authorization = g_strconcat ("Bearer ", token, NULL);
  token_out->refresh = g_steal_pointer (&fields.refresh_token);
  token_out->life_sec = get_life_sec (&fields, now_sec);
  return TRUE;
}

/* ---- the question ---- */

char *
atm_token_make_basic (const char *user, const char *password)
{
  g_autoptr (AtmSecret) plain = g_strconcat (user, ":", password, NULL);
  g_autoptr (AtmSecret) encoded = g_base64_encode ((const guchar *) plain, strlen (plain));

  return g_strconcat ("Basic ", encoded, NULL);
}

static GUri *
parse_realm (const AtmTokenRequest *request, GError **error)
{
  g_autoptr (GUri) realm = g_uri_parse (request->challenge->realm, SOUP_HTTP_URI_FLAGS, NULL);
  const char *scheme = realm != NULL ? g_uri_get_scheme (realm) : "";
  g_autofree char *cut = NULL, *shown = NULL;

  if (realm != NULL && g_uri_get_userinfo (realm) == NULL && g_uri_get_host (realm) != NULL
      && *g_uri_get_host (realm) != '\0'
      && (g_str_equal (scheme, "https") || (request->insecure && g_str_equal (scheme, "http"))))
    return g_steal_pointer (&realm);
  /* Not what stands behind “?”, or before “@”: it may be somebody's secret. */
  cut = realm != NULL
            ? g_uri_to_string_partial (realm, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY)
            : g_strndup (request->challenge->realm, strcspn (request->challenge->realm, "?@"));
  shown = atm_text_escape (cut);
  (void) atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "the registry sends us to “%s” for a token, which is no URL that may be "
                    "asked: it must be “https:” without a user name",
                    shown);
  return NULL;
}

static void
append (GString *query, const char *name, const char *value)
{
  if (value == NULL)
    return;
  g_string_append_printf (query, "%s%s=", query->len > 0 ? "&" : "", name);
  g_string_append_uri_escaped (query, value, ":/", FALSE);
}

/* The realm with “account”, “service” and “scope” behind what it may already ask. */
static GUri *
add_query (GUri *realm, const AtmTokenRequest *request)
{
  g_autoptr (GString) query = g_string_new (g_uri_get_query (realm));

  if (request->credential != NULL)
    append (query, "account", request->credential->user);
  append (query, "service", request->challenge->service);
  for (guint i = 0; request->scopes[i] != NULL; i++)
    append (query, "scope", request->scopes[i]);
  return g_uri_build (SOUP_HTTP_URI_FLAGS, g_uri_get_scheme (realm), NULL, g_uri_get_host (realm),
                      g_uri_get_port (realm), g_uri_get_path (realm), query->str, NULL);
}

/* (transfer full): secret */
static char *
make_form (const AtmTokenRequest *request, const char *refresh)
{
  /* Long enough from the start: a string that grows leaves copies behind. */
  GString *form = g_string_sized_new (3 * strlen (refresh) + ATM_CHALLENGE_MAX_BYTES * 4);
  g_autofree char *scopes = g_strjoinv (" ", (char **) request->scopes);

  append (form, "grant_type", "refresh_token");
  append (form, "service", request->challenge->service);
  append (form, "scope", scopes);
  append (form, "client_id", CLIENT_ID);
  append (form, "refresh_token", refresh);
  return g_string_free (form, FALSE);
}

static gboolean
throw_answer (GError **error, const AtmHttpAnswer *answer, const AtmTokenRequest *request,
              gboolean by_form)
{
  if (answer->status == 401 || answer->status == 403 || (by_form && answer->status == 400))
    {
      if (request->credential != NULL)
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                          "the token server %s refuses the credentials of %s (%u)", answer->host,
                          request->credential->source, answer->status);
      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                        "the token server %s gives no token without a login (%u)", answer->host,
                        answer->status);
    }
  if (by_form && (answer->status == 404 || answer->status == 405))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                      "the token server %s does not support identity tokens (%u), and %s has one; "
                      "log in again with a password",
                      answer->host, answer->status, request->credential->source);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                    "the token server %s answered %u", answer->host, answer->status);
}

static gboolean
throw_transport (GError **error, const GError *cause, const char *host)
{
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                    "asking %s for a token: %s", host, cause->message);
}

static gboolean
ask (AtmHttp *http, const AtmTokenRequest *request, GUri *realm, AtmToken *token_out,
     GCancellable *cancellable, GError **error)
{
  const AtmCredential *credential = request->credential;
  const char *refresh = request->refresh != NULL ? request->refresh
                        : credential != NULL     ? credential->identity_token
                                                 : NULL;
  g_autoptr (AtmSecret) form = refresh != NULL ? make_form (request, refresh) : NULL;
  g_autoptr (AtmSecret) basic
      = refresh == NULL && credential != NULL && credential->password != NULL
            ? atm_token_make_basic (credential->user, credential->password)
            : NULL;
  const AtmHttpRequest http_request = { .authorization = basic, .form = form };
  g_autoptr (GUri) uri = form != NULL ? g_uri_ref (realm) : add_query (realm, request);
  g_autofree char *host = atm_http_dup_host (uri);
  g_auto (AtmHttpAnswer) answer = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_http_send (http, uri, &http_request, &answer, cancellable, &local))
    return throw_transport (error, local, host);
  if (answer.status != 200)
    return throw_answer (error, &answer, request, form != NULL);
  if (!atm_http_read_document (http, &answer, ATM_TOKEN_ANSWER_MAX_BYTES, &bytes, cancellable,
                               &local))
    return throw_transport (error, local, host);
  if (!atm_token_parse (bytes, g_get_real_time () / G_USEC_PER_SEC, token_out))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "the token server %s gave no usable token", answer.host);
  return TRUE;
}

gboolean
atm_token_fetch (AtmRegistryContext *context, const AtmTokenRequest *request, AtmToken *token_out,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr (GUri) realm = parse_realm (request, error);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmCerts) certs = NULL;
  g_autoptr (AtmHttp) http = NULL;
  g_autofree char *host = NULL;
  AtmCerts of_registry = { 0 };

  if (realm == NULL)
    return FALSE;
  host = atm_http_dup_host (realm);
  if (!atm_certs_load (host, context->cert_dir, &certs, warnings, error))
    return FALSE;
  for (guint i = 0; i < warnings->len; i++)
    atm_registry_context_warn (context, "%s", (const char *) warnings->pdata[i]);
  /* A registry and its token server mostly have one owner and one authority. The certificates that
     we show are for the host that they were put there for. */
  if (request->certs != NULL)
    of_registry.extra = request->certs->extra;
  http = atm_http_new (context, request->insecure, certs->folder != NULL ? certs : &of_registry);
  return ask (http, request, realm, token_out, cancellable, error);
}
