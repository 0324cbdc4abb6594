/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/refusal.h"

#include <libsoup/soup.h>
#include <string.h>

#include "image/source.h"
#include "registry/retry.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#define TEXT_SHOWN_CHARS 50
#define MESSAGE_SHOWN_CHARS 200

/* @text in one harmless line of at most @max_chars characters of it. */
static char *
shorten (const char *text, glong max_chars)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *cut = g_utf8_substring (valid, 0, MIN (max_chars, g_utf8_strlen (valid, -1)));

  return atm_text_escape (g_strstrip (cut));
}

/* What the codes of the distribution-spec mean, for registries that give no message. */
static const struct
{
  const char *code, *text;
} known_codes[] = {
  { "BLOB_UNKNOWN", "there is no such blob" },
  { "DENIED", "access to it is denied" },
  { "MANIFEST_UNKNOWN", "there is no such manifest" },
  { "NAME_INVALID", "the name of the repository is not valid there" },
  { "NAME_UNKNOWN", "there is no such repository" },
  { "TOOMANYREQUESTS", "too many requests" },
  { "UNAUTHORIZED", "authentication is required" },
  { "UNSUPPORTED", "the operation is not supported" },
};

static const char *
get_known_text (const char *code)
{
  for (guint i = 0; code != NULL && i < G_N_ELEMENTS (known_codes); i++)
    if (g_str_equal (known_codes[i].code, code))
      return known_codes[i].text;
  return "";
}

/* {"errors":[{"code":…,"message":…}]}: the first one. */
static gboolean
read_errors (GBytes *body, char **code_out, char **message_out)
{
  g_autoptr (JsonObject) object = NULL;
  JsonNode *errors = NULL, *first = NULL;
  const char *code = NULL, *message = NULL;

  if (!atm_json_parse_object (body, &object, NULL))
    return FALSE;
  errors = json_object_get_member (object, "errors");
  if (errors == NULL || !JSON_NODE_HOLDS_ARRAY (errors)
      || json_array_get_length (json_node_get_array (errors)) == 0)
    return FALSE;
  first = json_array_get_element (json_node_get_array (errors), 0);
  if (!JSON_NODE_HOLDS_OBJECT (first))
    return FALSE;
  code = json_object_get_string_member_with_default (json_node_get_object (first), "code", NULL);
  message
      = json_object_get_string_member_with_default (json_node_get_object (first), "message", NULL);
  if (code == NULL && message == NULL)
    return FALSE;
  *code_out = shorten (code != NULL ? code : "", TEXT_SHOWN_CHARS);
  *message_out = shorten (message != NULL && *message != '\0' ? message : get_known_text (code),
                          MESSAGE_SHOWN_CHARS);
  return TRUE;
}

char *
atm_refusal_describe (guint status, GBytes *body)
{
  g_autofree char *code = NULL, *message = NULL, *text = NULL, *shown = NULL;
  gsize length = g_bytes_get_size (body);

  if (read_errors (body, &code, &message))
    return g_strdup_printf ("%u%s%s%s%s", status, *code != '\0' ? " " : "", code,
                            *message != '\0' ? ": " : "", message);
  text = g_strndup (length > 0 ? g_bytes_get_data (body, NULL) : "", length);
  shown = shorten (text, TEXT_SHOWN_CHARS);
  if (*shown == '\0' || *shown == '<')
    return g_strdup_printf ("%u %s", status, soup_status_get_phrase (status));
  return g_strdup_printf ("%u: %s", status, shown);
}

/* As in “try again …”. */
static char *
describe_time (const char *retry_after)
{
  guint64 seconds = 0;
  g_autoptr (GDateTime) now = g_date_time_new_now_local (), then = NULL;

  if (!atm_retry_after_parse (retry_after, g_get_real_time () / G_USEC_PER_SEC, &seconds)
      || seconds <= ATM_RETRY_AFTER_CAP_SEC)
    return g_strdup ("later");
  then = g_date_time_add_seconds (now, (double) seconds);
  return then != NULL ? g_date_time_format (then, "after %F %T") : g_strdup ("later");
}

gboolean
atm_refusal_throw (GError **error, guint status, GBytes *body, const char *host,
                   const char *retry_after, const char *thing)
{
  g_autofree char *text = atm_refusal_describe (status, body), *when = NULL;

  if (status == 404)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                      "%s says there is no such %s (%s)", host, thing, text);
  if (status == 401)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                      "%s wants a login for it (%s): the %s is not public, or there is none of "
                      "this name",
                      host, text, thing);
  if (status == 403)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                      "%s denies access (%s): the %s is not public, or there is none of this name",
                      host, text, thing);
  when = describe_time (retry_after);
  if (status == 429)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                      "%s limits how often it is asked (%s); try again %s, with a login if there "
                      "was none, or use a mirror",
                      host, text, when);
  if (status >= 500 || status == 408 || status == 425)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE,
                      "%s cannot answer now (%s); try again %s", host, text, when);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "%s answered unexpectedly when asked for the %s (%s)", host, thing, text);
}
