/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one C++ file: Debian 12 has no TOML parser in C. Nothing may be thrown out of it. */
#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include <cstring>
#include <exception>
#include <sstream>
#include <string_view>

#include <toml++/toml.h>

extern "C"
{
#include "util/error.h"
#include "util/json.h"
#include "util/toml.h"
}

/* Brackets inside brackets, and dots in one key. */
#define TOML_DEPTH_MAX 16

namespace
{

/* After the string that begins at @start, or the end of the text. A string that never ends is left
   to the parser, which says where. */
size_t
skip_string (std::string_view text, size_t start)
{
  const char quote = text[start];
  const char triple[] = { quote, quote, quote };
  const bool multiline = text.substr (start, 3) == std::string_view (triple, 3);
  size_t i = start + (multiline ? 3 : 1);

  while (i < text.size ())
    {
      if (quote == '"' && text[i] == '\\')
        i += 2;
      else if (multiline && text.substr (i, 3) == std::string_view (triple, 3))
        {
          /* Up to two more quotes belong to the contents. */
          i += 3;
          for (int more = 0; more < 2 && i < text.size () && text[i] == quote; more++)
            i++;
          return i;
        }
      else if (!multiline && (text[i] == quote || text[i] == '\n'))
        return i + 1;
      else
        i++;
    }
  return text.size ();
}

/* The parser recurses over brackets, and its trees are freed by recursion over dotted keys too. */
bool
is_too_deep (std::string_view text, unsigned *line_out)
{
  unsigned depth = 0, dots = 0;
  size_t i = 0;

  while (i < text.size () && depth <= TOML_DEPTH_MAX && dots <= TOML_DEPTH_MAX)
    {
      const char c = text[i];

      if (c == '"' || c == '\'')
        {
          i = skip_string (text, i);
          continue;
        }
      if (c == '#')
        {
          while (i < text.size () && text[i] != '\n')
            i++;
          continue;
        }
      if (c == '.')
        dots++;
      else if (std::strchr ("=,[]{}\n", c) != nullptr)
        dots = 0;
      if (c == '[' || c == '{')
        depth++;
      else if ((c == ']' || c == '}') && depth > 0)
        depth--;
      i++;
    }
  *line_out = 1;
  for (size_t j = 0; j < i && j < text.size (); j++)
    *line_out += text[j] == '\n';
  return depth > TOML_DEPTH_MAX || dots > TOML_DEPTH_MAX;
}

} // namespace

gboolean
atm_toml_parse (GBytes *bytes, JsonObject **object_out, GError **error)
{
  gsize length = 0;
  const char *data = static_cast<const char *> (g_bytes_get_data (bytes, &length));
  const std::string_view text (data != nullptr ? data : "", length);
  unsigned line = 0;

  if (length > ATM_TOML_MAX_BYTES)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "Larger than %d bytes",
                      ATM_TOML_MAX_BYTES);
  if (is_too_deep (text, &line))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "line %u: more than %d levels of nesting", line, TOML_DEPTH_MAX);

  try
    {
      const toml::table table = toml::parse (text);
      std::ostringstream json;

      json << toml::json_formatter{ table };
      const std::string result = json.str ();
      g_autoptr (GBytes) json_bytes = g_bytes_new (result.data (), result.size ());
      g_autoptr (GError) local = nullptr;

      if (!atm_json_parse_object (json_bytes, object_out, &local))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "a value that is not understood: %s", local->message);
      return TRUE;
    }
  catch (const toml::parse_error &failure)
    {
      const auto where = failure.source ().begin;

      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "line %u, column %u: %s",
                        static_cast<unsigned> (where.line), static_cast<unsigned> (where.column),
                        std::string (failure.description ()).c_str ());
    }
  catch (const std::exception &failure)
    {
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s", failure.what ());
    }
  catch (...)
    {
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "not understood");
    }
}
