/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/json-scan.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"

/* Not recursive: a document may nest as deep as it likes without touching our stack. */

/* Members of one object that are compared one by one; beyond, a table is faster. */
#define NAMES_IN_LINE 16

/* A string of the document: in its text, or where escapes were resolved. */
typedef struct
{
  const char *text; /* (borrowed): without NUL */
  gsize length;
} Slice;

/* An object or an array that is open. */
typedef struct
{
  gboolean is_object;
  guint first_name;   /* its members seen, in “names” */
  GHashTable *table;  /* (owned) (nullable): all of them, when they are many */
  JsonObject *object; /* (borrowed) (nullable): what is being made of it */
  JsonArray *array;   /* (borrowed) (nullable) */
} Level;

typedef struct
{
  const char *start;
  const char *at;
  const char *end;
  Level levels[ATM_JSON_DEPTH_MAX];
  guint depth;
  GArray *names;       /* (owned) (element-type Slice): members of all open objects */
  GStringChunk *chunk; /* (owned) (nullable): those that had escapes */
  GString *unescaped;  /* (owned): the last string that had escapes */

  const char *const *path; /* (nullable): names of the members that lead to what is looked for */
  guint matched;           /* so many of them are open */
  gboolean next;           /* the value that comes is that of path[matched] */
  gboolean building;       /* we are in what is looked for … */
  guint root_depth;        /* … which is this deep */
  gboolean summary;        /* objects in the root stay empty … */
  gboolean skipping;       /* … and we are in one of them */
  JsonNode *root;          /* (owned) (nullable): it */
} Scan;

static void
scan_clear (Scan *scan)
{
  while (scan->depth > 0)
    g_clear_pointer (&scan->levels[--scan->depth].table, g_hash_table_unref);
  g_clear_pointer (&scan->names, g_array_unref);
  g_clear_pointer (&scan->chunk, g_string_chunk_free);
  g_string_free (g_steal_pointer (&scan->unescaped), TRUE);
  g_clear_pointer (&scan->root, json_node_unref);
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
scan_unicode_escape (Scan *scan, GError **error)
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
  g_string_append_unichar (scan->unescaped, high);
  return TRUE;
}

/* @string_out: valid until the next string */
static gboolean
scan_string (Scan *scan, Slice *string_out, GError **error)
{
  const char *plain = ++scan->at;
  gboolean escaped = FALSE;

  g_string_truncate (scan->unescaped, 0);
  for (;;)
    {
      int c = 0;

      while ((c = peek (scan)) >= 0x20 && c != '"' && c != '\\')
        scan->at++;
      if (c < 0)
        return fail (scan, "string without an end", error);
      if (c < 0x20)
        return fail (scan, "control character in a string", error);
      if (escaped || c == '\\')
        g_string_append_len (scan->unescaped, plain, scan->at - plain);
      scan->at++;
      if (c == '"')
        break;
      escaped = TRUE;
      c = peek (scan);
      if (c <= 0 || strchr ("\"\\/bfnrtu", c) == NULL)
        return fail (scan, "unknown escape in a string", error);
      scan->at++;
      if (c == 'u' && !scan_unicode_escape (scan, error))
        return FALSE;
      if (c != 'u')
        g_string_append_c (scan->unescaped,
                           "\"\\/\b\f\n\r\t"[strchr ("\"\\/bfnrt", c) - "\"\\/bfnrt"]);
      plain = scan->at;
    }
  *string_out = escaped ? (Slice){ scan->unescaped->str, scan->unescaped->len }
                        : (Slice){ plain, (gsize) (scan->at - 1 - plain) };
  return TRUE;
}

/* ---- what is made of it ---- */

static gboolean
is_building (const Scan *scan)
{
  return scan->building && !scan->skipping;
}

static void
take_node (Scan *scan, JsonNode *node)
{
  Level *level = NULL;

  if (scan->depth == scan->root_depth)
    {
      scan->root = node;
      return;
    }
  level = &scan->levels[scan->depth - 1];
  if (level->is_object)
    {
      const Slice *name = &g_array_index (scan->names, Slice, scan->names->len - 1);
      g_autofree char *text = g_strndup (name->text, name->length);

      json_object_set_member (level->object, text, node);
    }
  else
    json_array_add_element (level->array, node);
}

static void
add_string (Scan *scan, const Slice *string)
{
  g_autofree char *text = g_strndup (string->text, string->length);

  take_node (scan, json_node_init_string (json_node_alloc (), text));
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
  gint64 value = 0;

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
  if (integer && !g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, &value, NULL))
    return fail (scan, "integer outside of 64 bits", error);
  /* 1e999 is infinite then; it is no integer, so nobody reads it. */
  if (is_building (scan))
    take_node (scan, integer
                         ? json_node_init_int (json_node_alloc (), value)
                         : json_node_init_double (json_node_alloc (), g_ascii_strtod (text, NULL)));
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
          if (is_building (scan))
            take_node (scan, i == 2 ? json_node_init_null (json_node_alloc ())
                                    : json_node_init_boolean (json_node_alloc (), i == 0));
          return TRUE;
        }
    }
  return fail (scan, "not a value", error);
}

/* Whether the innermost object has no member @name yet; it has then. */
static gboolean
add_name (Scan *scan, const Slice *name)
{
  Level *level = &scan->levels[scan->depth - 1];
  guint n_names = scan->names->len - level->first_name;
  const Slice *names = NULL; /* there may be no array yet, which has no offsets either */
  Slice kept = *name;

  if (name->text == scan->unescaped->str)
    {
      if (scan->chunk == NULL)
        scan->chunk = g_string_chunk_new (256);
      kept.text = g_string_chunk_insert_len (scan->chunk, name->text, (gssize) name->length);
    }
  if (n_names > 0)
    names = &g_array_index (scan->names, Slice, level->first_name);
  if (level->table == NULL && n_names == NAMES_IN_LINE)
    {
      level->table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      for (guint i = 0; i < n_names; i++)
        g_hash_table_add (level->table, g_strndup (names[i].text, names[i].length));
    }
  if (level->table != NULL)
    {
      if (!g_hash_table_add (level->table, g_strndup (kept.text, kept.length)))
        return FALSE;
    }
  else
    for (guint i = 0; i < n_names; i++)
      if (names[i].length == kept.length && memcmp (names[i].text, kept.text, kept.length) == 0)
        return FALSE;
  g_array_append_val (scan->names, kept);
  return TRUE;
}

/* “"name" :” in an object. */
static gboolean
scan_name (Scan *scan, GError **error)
{
  Slice name;

  skip_space (scan);
  if (peek (scan) != '"')
    return fail (scan, "expected a member name", error);
  if (!scan_string (scan, &name, error))
    return FALSE;
  scan->next = scan->path != NULL && !scan->building && scan->depth == scan->matched + 1
               && strlen (scan->path[scan->matched]) == name.length
               && memcmp (scan->path[scan->matched], name.text, name.length) == 0;
  if (!add_name (scan, &name))
    return fail (scan, "the member before is there twice", error);
  skip_space (scan);
  if (peek (scan) != ':')
    return fail (scan, "expected “:”", error);
  scan->at++;
  return TRUE;
}

static gboolean
push (Scan *scan, gboolean is_object, GError **error)
{
  Level level = { .is_object = is_object, .first_name = scan->names->len };

  if (scan->depth == ATM_JSON_DEPTH_MAX)
    return fail (scan, "nested too deep", error);
  if (is_building (scan))
    {
      JsonNode *node = json_node_alloc ();

      /* The node keeps it, and what it stands in the node. */
      if (is_object)
        json_node_take_object (json_node_init (node, JSON_NODE_OBJECT),
                               level.object = json_object_new ());
      else
        json_node_take_array (json_node_init (node, JSON_NODE_ARRAY),
                              level.array = json_array_new ());
      take_node (scan, node);
      scan->skipping = scan->summary && is_object && scan->depth == 1;
    }
  scan->levels[scan->depth++] = level;
  scan->at++;
  return TRUE;
}

static void
pop (Scan *scan)
{
  Level *level = &scan->levels[--scan->depth];

  scan->at++;
  scan->skipping = scan->skipping && scan->depth > 1;
  g_array_set_size (scan->names, level->first_name);
  g_clear_pointer (&level->table, g_hash_table_unref);
  scan->matched = MIN (scan->matched, MAX (scan->depth, 1) - 1);
}

/* Where a value begins: is it on the path? */
static void
note_value (Scan *scan, gboolean is_object)
{
  if (!scan->next)
    return;
  scan->next = FALSE;
  if (scan->path[scan->matched + 1] == NULL)
    {
      scan->building = TRUE;
      scan->root_depth = scan->depth;
    }
  else if (is_object)
    scan->matched++;
}

/* A value that holds no other. */
static gboolean
scan_scalar (Scan *scan, GError **error)
{
  int c = peek (scan);
  Slice string;

  if (c == '-' || g_ascii_isdigit (c))
    return scan_number (scan, error);
  if (c != '"')
    return scan_word (scan, error);
  if (!scan_string (scan, &string, error))
    return FALSE;
  if (is_building (scan))
    add_string (scan, &string);
  return TRUE;
}

/* After a value: closes what ends here, and stands before the next value unless all is closed. */
static gboolean
scan_after_value (Scan *scan, GError **error)
{
  while (scan->depth > 0)
    {
      gboolean object = scan->levels[scan->depth - 1].is_object;

      if (scan->building && scan->depth == scan->root_depth)
        scan->building = FALSE;
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
atm_json_scan (const char *text, gsize length, const char *const *path, gboolean summary,
               JsonNode **node_out, GError **error)
{
  g_auto (Scan) scan
      = { .start = text, .at = text, .end = text + length, .path = path, .summary = summary };
  const char *invalid = NULL;

  scan.names = g_array_new (FALSE, FALSE, sizeof (Slice));
  scan.unescaped = g_string_new (NULL);
  scan.building = path == NULL;
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
  *node_out = g_steal_pointer (&scan.root);
  return TRUE;
}
