/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/json-scan.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"

/* Not recursive: a document may nest as deep as it likes without touching our stack. */

typedef struct
{
  const char *start;
  const char *at;
  const char *end;
  GHashTable *names[ATM_JSON_DEPTH_MAX]; /* (owned) (nullable): members seen; NULL in an array */
  guint depth;

  const char *const *path; /* (nullable): names of the members that lead to what is looked for */
  guint matched;           /* so many of them are open */
  gboolean next;           /* the value that comes is that of path[matched] */
  const char *found;       /* (nullable): what was looked for … */
  const char *found_end;   /* (nullable): … and where it ends */
  guint found_depth;
} Scan;

static void
scan_clear (Scan *scan)
{
  while (scan->depth > 0)
    g_clear_pointer (&scan->names[--scan->depth], g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Scan, scan_clear)

static gboolean
fail (const Scan *scan, const char *why, GError **error)
{
  guint line = 1, column = 1;

  for (const char *p = scan->start; p < scan->at; p++)
    {
      column = *p == '\n' ? 1 : column + 1;
      line += *p == '\n';
    }
  return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_SYNTAX,
                    "Invalid JSON in line %u, column %u: %s", line, column, why);
}

static int
peek (const Scan *scan)
{
  return scan->at < scan->end ? (unsigned char) *scan->at : -1;
}

static void
skip_space (Scan *scan)
{
  while (scan->at < scan->end
         && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
    scan->at++;
}

static gboolean
scan_hex4 (Scan *scan, gunichar *value_out)
{
  gunichar value = 0;

  if (scan->end - scan->at < 4)
    return FALSE;
  for (int i = 0; i < 4; i++)
    {
      int digit = g_ascii_xdigit_value (scan->at[i]);

      if (digit < 0)
        return FALSE;
      value = value * 16 + (gunichar) digit;
    }
  scan->at += 4;
  *value_out = value;
  return TRUE;
}

/* \uXXXX, the backslash and the u being read already. */
static gboolean
scan_unicode_escape (Scan *scan, GString *text, GError **error)
{
  gunichar high = 0, low = 0;

  if (!scan_hex4 (scan, &high))
    return fail (scan, "bad \\u escape", error);
  if (high == 0)
    return fail (scan, "U+0000 in a string", error);
  if (high >= 0xDC00 && high <= 0xDFFF)
    return fail (scan, "lone surrogate", error);
  if (high >= 0xD800 && high <= 0xDBFF)
    {
      if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
        return fail (scan, "lone surrogate", error);
      scan->at += 2;
      if (!scan_hex4 (scan, &low) || low < 0xDC00 || low > 0xDFFF)
        return fail (scan, "lone surrogate", error);
      high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
  if (text != NULL)
    g_string_append_unichar (text, high);
  return TRUE;
}

/* @text: (nullable): where to put the characters */
static gboolean
scan_string (Scan *scan, GString *text, GError **error)
{
  scan->at++;
  for (;;)
    {
      const char *plain = scan->at;
      int c = 0;

      while ((c = peek (scan)) >= 0x20 && c != '"' && c != '\\')
        scan->at++;
      if (text != NULL)
        g_string_append_len (text, plain, scan->at - plain);
      if (c < 0)
        return fail (scan, "string without an end", error);
      if (c < 0x20)
        return fail (scan, "control character in a string", error);
      scan->at++;
      if (c == '"')
        return TRUE;
      c = peek (scan);
      if (c <= 0 || strchr ("\"\\/bfnrtu", c) == NULL)
        return fail (scan, "unknown escape in a string", error);
      scan->at++;
      if (c == 'u' && !scan_unicode_escape (scan, text, error))
        return FALSE;
      if (c != 'u' && text != NULL)
        g_string_append_c (text, "\"\\/\b\f\n\r\t"[strchr ("\"\\/bfnrt", c) - "\"\\/bfnrt"]);
    }
}

static gboolean
scan_digits (Scan *scan)
{
  const char *first = scan->at;

  while (g_ascii_isdigit (peek (scan)))
    scan->at++;
  return scan->at > first;
}

static gboolean
scan_number (Scan *scan, GError **error)
{
  const char *first = scan->at;
  gboolean integer = TRUE;
  g_autofree char *text = NULL;

  if (peek (scan) == '-')
    scan->at++;
  if (peek (scan) == '0')
    scan->at++;
  else if (!scan_digits (scan))
    return fail (scan, "not a value", error);
  if (peek (scan) == '.')
    {
      integer = FALSE;
      scan->at++;
      if (!scan_digits (scan))
        return fail (scan, "fraction without digits", error);
    }
  if (peek (scan) == 'e' || peek (scan) == 'E')
    {
      integer = FALSE;
      scan->at++;
      if (peek (scan) == '+' || peek (scan) == '-')
        scan->at++;
      if (!scan_digits (scan))
        return fail (scan, "exponent without digits", error);
    }
  text = g_strndup (first, (gsize) (scan->at - first));
  if (integer && !g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, NULL, NULL))
    return fail (scan, "integer outside of 64 bits", error);
  return TRUE;
}

static gboolean
scan_word (Scan *scan, GError **error)
{
  const char *const words[] = { "true", "false", "null" };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    {
      gsize length = strlen (words[i]);

      if ((gsize) (scan->end - scan->at) >= length && memcmp (scan->at, words[i], length) == 0)
        {
          scan->at += length;
          return TRUE;
        }
    }
  return fail (scan, "not a value", error);
}

/* “"name" :” in an object. */
static gboolean
scan_name (Scan *scan, GError **error)
{
  g_autoptr (GString) name = g_string_new (NULL);

  skip_space (scan);
  if (peek (scan) != '"')
    return fail (scan, "expected a member name", error);
  if (!scan_string (scan, name, error))
    return FALSE;
  scan->next = scan->path != NULL && scan->depth == scan->matched + 1
               && g_strcmp0 (name->str, scan->path[scan->matched]) == 0;
  if (!g_hash_table_add (scan->names[scan->depth - 1],
                         g_string_free (g_steal_pointer (&name), FALSE)))
    return fail (scan, "the member before is there twice", error);
  skip_space (scan);
  if (peek (scan) != ':')
    return fail (scan, "expected “:”", error);
  scan->at++;
  return TRUE;
}

static gboolean
push (Scan *scan, gboolean object, GError **error)
{
  if (scan->depth == ATM_JSON_DEPTH_MAX)
    return fail (scan, "nested too deep", error);
  scan->names[scan->depth++]
      = object ? g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) : NULL;
  scan->at++;
  return TRUE;
}

static void
pop (Scan *scan)
{
  scan->at++;
  g_clear_pointer (&scan->names[--scan->depth], g_hash_table_unref);
  scan->matched = MIN (scan->matched, MAX (scan->depth, 1) - 1);
}

/* Where a value begins: is it on the path? */
static void
note_value (Scan *scan, gboolean object)
{
  if (!scan->next)
    return;
  scan->next = FALSE;
  if (scan->path[scan->matched + 1] == NULL)
    {
      scan->found = scan->at;
      scan->found_depth = scan->depth;
    }
  else if (object)
    scan->matched++;
}

/* A value that holds no other. */
static gboolean
scan_scalar (Scan *scan, GError **error)
{
  int c = peek (scan);

  if (c == '"')
    return scan_string (scan, NULL, error);
  if (c == '-' || g_ascii_isdigit (c))
    return scan_number (scan, error);
  return scan_word (scan, error);
}

/* After a value: closes what ends here, and stands before the next value unless all is closed. */
static gboolean
scan_after_value (Scan *scan, GError **error)
{
  while (scan->depth > 0)
    {
      gboolean object = scan->names[scan->depth - 1] != NULL;

      if (scan->found != NULL && scan->found_end == NULL && scan->depth == scan->found_depth)
        scan->found_end = scan->at;
      skip_space (scan);
      if (peek (scan) == ',')
        {
          scan->at++;
          return object ? scan_name (scan, error) : TRUE;
        }
      if (peek (scan) != (object ? '}' : ']'))
        return fail (scan, object ? "expected “,” or “}”" : "expected “,” or “]”", error);
      pop (scan);
    }
  return TRUE;
}

gboolean
atm_json_scan (const char *text, gsize length, const char *const *path, const char **found_out,
               gsize *found_length_out, GError **error)
{
  g_auto (Scan) scan = { .start = text, .at = text, .end = text + length, .path = path };
  const char *invalid = NULL;

  if (!g_utf8_validate_len (text, length, &invalid))
    {
      scan.at = invalid;
      return fail (&scan, "not UTF-8 text", error);
    }

  do
    {
      int c = 0;

      skip_space (&scan);
      c = peek (&scan);
      note_value (&scan, c == '{');
      if (c == '{' || c == '[')
        {
          if (!push (&scan, c == '{', error))
            return FALSE;
          skip_space (&scan);
          if (peek (&scan) == (c == '{' ? '}' : ']'))
            pop (&scan);
          else if (c == '{' && !scan_name (&scan, error))
            return FALSE;
          else
            continue;
        }
      else if (!scan_scalar (&scan, error))
        return FALSE;
      if (!scan_after_value (&scan, error))
        return FALSE;
      if (scan.depth == 0)
        break;
    }
  while (TRUE);

  skip_space (&scan);
  if (scan.at < scan.end)
    return fail (&scan, "text after the end of the document", error);
  if (path != NULL)
    {
      *found_out = scan.found;
      *found_length_out = scan.found != NULL ? (gsize) (scan.found_end - scan.found) : 0;
    }
  return TRUE;
}
