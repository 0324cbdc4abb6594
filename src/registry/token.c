/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/token.h"

#include <string.h>

#include "image/source.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/text.h"

typedef struct
{
  char *token;        /* (owned) (nullable) */
  char *access_token; /* (owned) (nullable) */
} Fields;

static void
fields_clear (Fields *fields)
{
  g_free (fields->token);
  g_free (fields->access_token);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fields, fields_clear)

/* The realm with “service” and “scope” behind what it may already ask. */
static GUri *
make_uri (const AtmChallenge *challenge, const char *path, gboolean insecure, GError **error)
{
  g_autoptr (GUri) realm = g_uri_parse (challenge->realm, SOUP_HTTP_URI_FLAGS, NULL);
  g_autofree char *scope = g_strconcat ("repository:", path, ":pull", NULL);
  g_autofree char *escaped_scope = g_uri_escape_string (scope, ":/", FALSE);
  g_autofree char *escaped_service
      = challenge->service != NULL ? g_uri_escape_string (challenge->service, NULL, FALSE) : NULL;
  g_autofree char *shown = atm_text_escape (challenge->realm);
  GString *query = NULL;
  g_autofree char *text = NULL;
  const char *scheme = realm != NULL ? g_uri_get_scheme (realm) : "";

  if (realm == NULL || g_uri_get_userinfo (realm) != NULL || g_uri_get_host (realm) == NULL
      || *g_uri_get_host (realm) == '\0'
      || !(g_str_equal (scheme, "https") || (insecure && g_str_equal (scheme, "http"))))
    {
      (void) atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                        "the registry sends us to “%s” for a token, which is no URL that may be "
                        "asked: it must be “https:” without a user name",
                        shown);
      return NULL;
    }

  query = g_string_new (g_uri_get_query (realm));
  if (escaped_service != NULL)
    g_string_append_printf (query, "%sservice=%s", query->len > 0 ? "&" : "", escaped_service);
  g_string_append_printf (query, "%sscope=%s", query->len > 0 ? "&" : "", escaped_scope);
  text = g_string_free (query, FALSE);
  return g_uri_build (SOUP_HTTP_URI_FLAGS, scheme, NULL, g_uri_get_host (realm),
                      g_uri_get_port (realm), g_uri_get_path (realm), text, NULL);
}

/* It goes into a header. */
static gboolean
is_header_text (const char *token)
{
  for (const char *p = token; *p != '\0'; p++)
    if (*p <= ' ' || *p > '~')
      return FALSE;
  return *token != '\0';
}

static gboolean
read_answer (GBytes *bytes, const char *host, char **authorization_out, GError **error)
{
  static const AtmJsonField table[] = {
    { "token", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, token), ATM_JSON_LENIENT },
    { "access_token", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, access_token), ATM_JSON_LENIENT },
  };
  g_autoptr (JsonObject) object = NULL;
  g_auto (Fields) fields = { 0 };
  const char *token = NULL;

  if (atm_json_parse_object (bytes, &object, NULL)
      && atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "", &fields,
                        NULL))
    token = fields.token != NULL && *fields.token != '\0' ? fields.token : fields.access_token;
  if (token == NULL || !is_header_text (token))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "the token server %s gave no usable token", host);
  *authorization_out = g_strconcat ("Bearer ", token, NULL);
  return TRUE;
}

gboolean
atm_token_fetch (AtmHttp *http, const AtmChallenge *challenge, const char *path, gboolean insecure,
                 char **authorization_out, GCancellable *cancellable, GError **error)
{
  const AtmHttpRequest request = { .elsewhere = TRUE };
  g_autoptr (GUri) uri = make_uri (challenge, path, insecure, error);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *host = NULL;
  guint status = 0;

  if (uri == NULL)
    return FALSE;
  host = atm_http_dup_host (uri);
  if (!atm_http_get (http, uri, &request, &message, &body, cancellable, &local)
      || !atm_read_stream (body, ATM_TOKEN_ANSWER_MAX_BYTES, &bytes, cancellable, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                        "asking %s for a token: %s", host, local->message);
    }

  status = soup_message_get_status (message);
  if (status == 401 || status == 403)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                      "the token server %s gives no token without a login (%u); only public images "
                      "can be fetched by this version",
                      host, status);
  if (status != 200)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                      "the token server %s answered %u", host, status);
  return read_answer (bytes, host, authorization_out, error);
}
