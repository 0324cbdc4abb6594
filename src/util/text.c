/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/text.h"

char *
atm_text_escape (const char *text)
{
  GString *safe = g_string_new (NULL);
  const char *p = text != NULL ? text : "";

  while (*p != '\0')
    {
      const char *plain = p;
      gunichar c = 0;

      while (*p >= 0x20 && *p < 0x7f)
        p++;
      g_string_append_len (safe, plain, p - plain);
      if (*p == '\0')
        break;
      c = g_utf8_get_char_validated (p, -1);
      if (c == (gunichar) -1 || c == (gunichar) -2)
        {
          g_string_append_printf (safe, "\\x%02x", (guchar) *p++);
          continue;
        }
      if (c < 0x20 || c == 0x7f)
        g_string_append_printf (safe, "\\x%02x", c);
      else if (!g_unichar_isprint (c) || g_unichar_type (c) == G_UNICODE_FORMAT)
        g_string_append_printf (safe, "\\u%04x", c);
      else
        g_string_append_unichar (safe, c);
      p = g_utf8_next_char (p);
    }
  return g_string_free (safe, FALSE);
}

char *
atm_text_size (guint64 size_bytes)
{
  const char *const units[] = { "B", "KB", "MB", "GB", "TB", "PB", "EB" };
  double size = (double) size_bytes;
  guint unit = 0;

  while (size >= 1000.0 && unit + 1 < G_N_ELEMENTS (units))
    {
      size /= 1000.0;
      unit++;
    }
  return g_strdup_printf (unit == 0 ? "%.0f %s" : "%.2f %s", size, units[unit]);
}
