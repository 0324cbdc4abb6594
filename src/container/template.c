/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/template.h"

#include <string.h>

#include "util/error.h"

G_DEFINE_QUARK (atm_template_error, atm_template_error)

typedef enum
{
  TOKEN_END,
  TOKEN_TEXT, /* to be copied; “$$” is the text “$” */
  TOKEN_NAME,
  TOKEN_INVALID
} Token;

typedef struct
{
  const char *start;
  const char *at;
  const char *end;
} Scan;

static Scan
scan_begin (GBytes *template)
{
  gsize length = 0;
  const char *text = g_bytes_get_data (template, &length);

  if (text == NULL)
    text = "";
  return (Scan){ .start = text, .at = text, .end = text + length };
}

static gboolean
is_name_byte (char c, gboolean first)
{
  return g_ascii_isalpha (c) || c == '_' || (!first && g_ascii_isdigit (c));
}

/* The longest name at @at; empty if there is none. */
static gsize
name_length (const char *at, const char *end)
{
  const char *p = at;

  while (p < end && is_name_byte (*p, p == at))
    p++;
  return (gsize) (p - at);
}

/* After TOKEN_INVALID @scan stands at the “$”. */
static Token
next_token (Scan *scan, const char **text_out, gsize *length_out)
{
  const char *dollar, *name;
  gsize length;
  gboolean braced;

  if (scan->at == scan->end)
    return TOKEN_END;

  *text_out = scan->at;
  dollar = memchr (scan->at, '$', (gsize) (scan->end - scan->at));
  if (dollar != scan->at)
    {
      scan->at = dollar != NULL ? dollar : scan->end;
      *length_out = (gsize) (scan->at - *text_out);
      return TOKEN_TEXT;
    }

  if (scan->end - dollar >= 2 && dollar[1] == '$')
    {
      *length_out = 1;
      scan->at += 2;
      return TOKEN_TEXT;
    }
  braced = scan->end - dollar >= 2 && dollar[1] == '{';
  name = dollar + (braced ? 2 : 1);
  length = name_length (name, scan->end);
  if (length == 0 || (braced && (name + length == scan->end || name[length] != '}')))
    return TOKEN_INVALID;

  *text_out = name;
  *length_out = length;
  scan->at = name + length + (braced ? 1 : 0);
  return TOKEN_NAME;
}

/* Lines and columns from 1, columns in characters: what an editor shows, and what Python said. */
static gboolean
throw_placeholder (const Scan *scan, const char *file, GError **error)
{
  guint line = 1, column = 1;

  for (const char *p = scan->start; p < scan->at; p++)
    {
      if (*p == '\n')
        {
          line++;
          column = 1;
        }
      else if (((guchar) *p & 0xC0) != 0x80)
        column++;
    }
  return atm_throw (error, ATM_TEMPLATE_ERROR, ATM_TEMPLATE_ERROR_PLACEHOLDER,
                    "The template file '%s': Invalid placeholder in string: line %u, col %u; a “$” "
                    "that is meant as such is written “$$”",
                    file, line, column);
}

gboolean
atm_template_substitute (GBytes *template, GHashTable *values, const char *file, GBytes **text_out,
                         GError **error)
{
  Scan scan = scan_begin (template);
  g_autoptr (GByteArray) result = g_byte_array_new ();
  g_autoptr (GPtrArray) unset = g_ptr_array_new_with_free_func (g_free);
  const char *text = NULL;
  gsize length = 0;
  Token token;

  while ((token = next_token (&scan, &text, &length)) != TOKEN_END)
    {
      if (token == TOKEN_INVALID)
        return throw_placeholder (&scan, file, error);
      if (token == TOKEN_NAME)
        {
          g_autofree char *name = g_strndup (text, length);

          text = g_hash_table_lookup (values, name);
          if (text == NULL)
            {
              if (!g_ptr_array_find_with_equal_func (unset, name, g_str_equal, NULL))
                g_ptr_array_add (unset, g_steal_pointer (&name));
              continue;
            }
          length = strlen (text);
        }
      /* Default values come from the image too: a few bytes of template must not fill memory. */
      if (length > ATM_TEMPLATE_RESULT_MAX_BYTES - result->len)
        return atm_throw (error, ATM_TEMPLATE_ERROR, ATM_TEMPLATE_ERROR_TOO_LARGE,
                          "The template file '%s' becomes larger than %u bytes", file,
                          ATM_TEMPLATE_RESULT_MAX_BYTES);
      g_byte_array_append (result, (const guint8 *) text, (guint) length);
      /* As many names as that are no mistake of an author. */
      if (unset->len == ATM_TEMPLATE_UNSET_MAX)
        break;
    }

  if (unset->len > 0)
    {
      g_autofree char *names = NULL;

      g_ptr_array_add (unset, NULL);
      names = g_strjoinv ("'', ''", (char **) unset->pdata);
      return atm_throw (error, ATM_TEMPLATE_ERROR, ATM_TEMPLATE_ERROR_UNSET,
                        "The template file '%s' still contains an unreplaced value for: ''%s''; "
                        "give each with --set NAME=VALUE",
                        file, names);
    }

  *text_out = g_byte_array_free_to_bytes (g_steal_pointer (&result));
  return TRUE;
}

gboolean
atm_template_uses (GBytes *template, const char *name)
{
  Scan scan = scan_begin (template);
  const char *text = NULL;
  gsize length = 0;
  Token token;

  while ((token = next_token (&scan, &text, &length)) != TOKEN_END)
    {
      if (token == TOKEN_NAME && length == strlen (name) && memcmp (text, name, length) == 0)
        return TRUE;
      if (token == TOKEN_INVALID)
        scan.at++;
    }
  return FALSE;
}

void
atm_template_add_names (GBytes *template, GHashTable *names)
{
  Scan scan = scan_begin (template);
  const char *text = NULL;
  gsize length = 0;
  Token token;

  while ((token = next_token (&scan, &text, &length)) != TOKEN_END)
    {
      if (token == TOKEN_NAME)
        g_hash_table_add (names, g_strndup (text, length));
      if (token == TOKEN_INVALID)
        scan.at++;
    }
}
