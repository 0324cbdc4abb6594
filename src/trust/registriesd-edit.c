/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/registriesd-edit.h"

#include <string.h>

#include "trust/refusal.h"
#include "trust/registriesd.h"
#include "trust/scope.h"
#include "util/error.h"
#include "util/text.h"
#include "util/yaml.h"

#define SECTION "docker"
#define MEMBER "lookaside"
#define INDENT 2

/* ---- words of YAML ---- */

/* A plain scalar that YAML cannot take for anything else, or a quoted one. */
static char *
quote (const char *text)
{
  const char *const words[] = { "null", "Null", "NULL", "true", "false", "yes", "no", NULL };
  gsize length = strlen (text);
  gboolean plain = g_ascii_isalnum (*text) && text[length - 1] != ':'
                   && strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "._/:@=+~%-")
                          == length
                   && !g_strv_contains (words, text);
  g_autoptr (GString) quoted = NULL;

  if (plain)
    return g_strdup (text);
  quoted = g_string_new ("\"");
  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p == '"' || *p == '\\')
        g_string_append_c (quoted, '\\');
      g_string_append_c (quoted, *p);
    }
  g_string_append_c (quoted, '"');
  return g_string_free (g_steal_pointer (&quoted), FALSE);
}

static gsize
indent_of (const char *line)
{
  return strspn (line, " ");
}

static gboolean
is_content (const char *line)
{
  const char *text = line + indent_of (line);

  return *text != '\0' && *text != '#' && *text != '\r' && *text != '\t';
}

/* The key that @line begins with, without quotes; NULL if it does not look like “KEY: …”. */
static char *
dup_key (const char *line, const char **value_out)
{
  const char *start = line + indent_of (line), *end = NULL;

  if (*start == '"' || *start == '\'')
    {
      end = strchr (start + 1, *start);
      if (end == NULL || end[1] != ':')
        return NULL;
      *value_out = end + 2;
      return g_strndup (start + 1, (gsize) (end - start - 1));
    }
  for (end = strchr (start, ':'); end != NULL; end = strchr (end + 1, ':'))
    if (end[1] == '\0' || end[1] == ' ' || end[1] == '\r')
      {
        *value_out = end + 1;
        return g_strndup (start, (gsize) (end - start));
      }
  return NULL;
}

/* ---- lines ---- */

/* The file, and what of it is what. A block is the line of its key and all that is below it; the
   lines between two blocks, which are blank or comments, belong to neither. */
typedef struct
{
  GPtrArray *lines; /* (owned) (element-type utf8): without line ends */
} Text;

typedef struct
{
  guint first;
  guint end; /* behind its last line with content */
  gsize indent;
} Block;

static void
text_clear (Text *text)
{
  g_clear_pointer (&text->lines, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Text, text_clear)

static void
split (GBytes *bytes, Text *text)
{
  gsize length = 0;
  const char *data = bytes != NULL ? g_bytes_get_data (bytes, &length) : NULL;
  g_autofree char *copy = g_strndup (data != NULL ? data : "", length);
  g_auto (GStrv) lines = g_strsplit (copy, "\n", -1);

  text->lines = g_ptr_array_new_with_free_func (g_free);
  for (char **line = lines; *line != NULL; line++)
    if (line[1] != NULL || **line != '\0')
      g_ptr_array_add (text->lines, g_strdup (*line));
}

static GBytes *
join (const Text *text)
{
  g_autoptr (GString) all = g_string_new (NULL);

  for (guint i = 0; i < text->lines->len; i++)
    g_string_append_printf (all, "%s\n", (const char *) g_ptr_array_index (text->lines, i));
  return g_string_free_to_bytes (g_steal_pointer (&all));
}

/* The block of @key among the lines @from to @to that are indented like the first of them. */
static gboolean
find_block (const Text *text, guint from, guint to, const char *key,
            gboolean (*equal) (const char *a, const char *b), Block *block_out)
{
  gboolean found = FALSE, indented = FALSE;
  gsize indent = 0;

  for (guint i = from; i < to; i++)
    {
      const char *line = g_ptr_array_index (text->lines, i), *value = NULL;
      g_autofree char *name = NULL;

      if (!is_content (line))
        continue;
      if (!indented)
        indent = indent_of (line);
      indented = TRUE;
      if (found && indent_of (line) <= indent)
        return TRUE;
      if (found)
        {
          block_out->end = i + 1;
          continue;
        }
      name = indent_of (line) == indent ? dup_key (line, &value) : NULL;
      if (name == NULL || !equal (name, key))
        continue;
      *block_out = (Block){ .first = i, .end = i + 1, .indent = indent };
      found = TRUE;
    }
  return found;
}

static gboolean
equal_words (const char *a, const char *b)
{
  return g_str_equal (a, b);
}

static gboolean
equal_scopes (const char *a, const char *b)
{
  g_autofree char *first = atm_scope_fold (a), *second = atm_scope_fold (b);

  return g_str_equal (first, second);
}

/* Where the members of a block are to be indented: like those that are there. */
static gsize
indent_within (const Text *text, const Block *block)
{
  for (guint i = block->first + 1; i < block->end; i++)
    if (is_content (g_ptr_array_index (text->lines, i)))
      return indent_of (g_ptr_array_index (text->lines, i));
  return block->indent + INDENT;
}

static void
insert_line (Text *text, guint at, gsize indent, const char *key, const char *value)
{
  g_autofree char *quoted = quote (key), *blanks = g_strnfill (indent, ' ');

  g_ptr_array_insert (text->lines, (int) at,
                      g_strdup_printf ("%s%s:%s%s", blanks, quoted, value != NULL ? " " : "",
                                       value != NULL ? value : ""));
}

/* The value of a member, with the comment behind it kept. */
static void
replace_value (Text *text, guint at, const char *value)
{
  const char *line = g_ptr_array_index (text->lines, at), *old = NULL;
  g_autofree char *key = dup_key (line, &old);
  const char *comment = key != NULL ? strstr (old, " #") : NULL;
  char *edited = NULL;

  if (key == NULL)
    return;
  edited = g_strdup_printf ("%.*s %s%s", (int) (old - line), line, value,
                            comment != NULL ? comment : "");
  g_free (g_steal_pointer (&text->lines->pdata[at]));
  text->lines->pdata[at] = edited;
}

static void
set_lines (Text *text, const char *scope, const char *url)
{
  g_autofree char *value = quote (url);
  Block section, entry, member;

  if (!find_block (text, 0, text->lines->len, SECTION, equal_words, &section))
    {
      section = (Block){ .first = text->lines->len, .end = text->lines->len + 1 };
      insert_line (text, section.first, 0, SECTION, NULL);
    }
  if (!find_block (text, section.first + 1, section.end, scope, equal_scopes, &entry))
    {
      gsize indent = indent_within (text, &section);

      entry = (Block){ .first = section.end, .end = section.end + 1, .indent = indent };
      insert_line (text, entry.first, indent, scope, NULL);
    }
  if (find_block (text, entry.first + 1, entry.end, MEMBER, equal_words, &member))
    replace_value (text, member.first, value);
  else
    insert_line (text, entry.first + 1, indent_within (text, &entry), MEMBER, value);
}

static void
remove_lines (Text *text, const char *scope)
{
  Block section, entry;

  if (!find_block (text, 0, text->lines->len, SECTION, equal_words, &section)
      || !find_block (text, section.first + 1, section.end, scope, equal_scopes, &entry))
    return;
  g_ptr_array_remove_range (text->lines, entry.first, entry.end - entry.first);
  for (guint i = section.first + 1; i < section.end - (entry.end - entry.first); i++)
    if (is_content (g_ptr_array_index (text->lines, i)))
      return;
  g_ptr_array_remove_index (text->lines, section.first);
}

/* ---- what is meant ---- */

static JsonObject *
get_section (JsonObject *document)
{
  JsonNode *node = json_object_get_member (document, SECTION);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static char *
find_entry (JsonObject *section, const char *scope)
{
  JsonObjectIter iter;
  const char *name;

  if (section == NULL)
    return NULL;
  json_object_iter_init (&iter, section);
  while (json_object_iter_next (&iter, &name, NULL))
    if (equal_scopes (name, scope))
      return g_strdup (name);
  return NULL;
}

static void
mean_set (JsonObject *document, const char *scope, const char *url)
{
  g_autofree char *name = NULL;
  JsonNode *entry = NULL;

  if (get_section (document) == NULL)
    json_object_set_object_member (document, SECTION, json_object_new ());
  name = find_entry (get_section (document), scope);
  if (name == NULL)
    name = g_strdup (scope);
  entry = json_object_get_member (get_section (document), name);
  if (entry == NULL || !JSON_NODE_HOLDS_OBJECT (entry))
    json_object_set_object_member (get_section (document), name, json_object_new ());
  json_object_set_string_member (json_object_get_object_member (get_section (document), name),
                                 MEMBER, url);
}

static void
mean_remove (JsonObject *document, const char *scope)
{
  g_autofree char *name = find_entry (get_section (document), scope);

  if (name != NULL)
    json_object_remove_member (get_section (document), name);
  if (get_section (document) != NULL && json_object_get_size (get_section (document)) == 0)
    json_object_remove_member (document, SECTION);
}

static gboolean
equal_objects (JsonObject *a, JsonObject *b)
{
  g_autoptr (JsonNode) first = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonNode) second = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (first, a);
  json_node_set_object (second, b);
  return json_node_equal (first, second);
}

/* Whether @bytes is a file of registries.d, alone, and says what is meant. */
static gboolean
is_meant (GBytes *bytes, const char *path, JsonObject *meant)
{
  g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();
  g_autoptr (JsonObject) got = NULL;

  return atm_registriesd_add (conf, bytes, path, NULL) && atm_yaml_parse (bytes, &got, NULL)
         && equal_objects (got, meant);
}

/* ---- the edits ---- */

static gboolean
read_old (GBytes *old, const char *path, JsonObject **document_out, GError **error)
{
  g_autoptr (GBytes) nothing = g_bytes_new_static ("", 0);
  g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();

  if (!atm_registriesd_add (conf, old != NULL ? old : nothing, path, error))
    return FALSE;
  if (!atm_yaml_parse (old != NULL ? old : nothing, document_out, error))
    return atm_refusal_convert (error, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
  return TRUE;
}

gboolean
atm_registriesd_edit_set (GBytes *old, const char *path, const char *scope, const char *url,
                          GBytes **new_out, GError **error)
{
  g_autoptr (JsonObject) document = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_auto (Text) text = { 0 };

  if (!read_old (old, path, &document, error))
    return FALSE;
  mean_set (document, scope, url);
  split (old, &text);
  set_lines (&text, scope, url);
  bytes = join (&text);
  if (!is_meant (bytes, path, document))
    {
      g_autofree char *safe = atm_text_escape (scope);

      return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                        "%s is written in a way that cannot be edited line by line; write “" MEMBER
                        ": %s” there by hand, below “" SECTION "” and “%s”",
                        path, url, safe);
    }
  *new_out = g_steal_pointer (&bytes);
  return TRUE;
}

gboolean
atm_registriesd_edit_remove (GBytes *old, const char *path, const char *scope, GBytes **new_out,
                             GError **error)
{
  g_autoptr (JsonObject) document = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_auto (Text) text = { 0 };
  gboolean empty = TRUE;

  if (!read_old (old, path, &document, error))
    return FALSE;
  mean_remove (document, scope);
  split (old, &text);
  remove_lines (&text, scope);
  bytes = join (&text);
  if (!is_meant (bytes, path, document))
    {
      g_autofree char *safe = atm_text_escape (scope);

      return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                        "%s is written in a way that cannot be edited line by line; remove “%s” "
                        "below “" SECTION "” there by hand",
                        path, safe);
    }
  for (guint i = 0; i < text.lines->len && empty; i++)
    empty = *g_strstrip (g_ptr_array_index (text.lines, i)) == '\0';
  *new_out = empty ? NULL : g_steal_pointer (&bytes);
  return TRUE;
}
