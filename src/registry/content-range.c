/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/content-range.h"

#include <string.h>

#define UNIT "bytes"
#define BLANK " \t"

/* Digits only, and no more than a file can have bytes. */
static gboolean
take_number (const char **text, guint64 *number_out)
{
  const char *start = *text;
  guint64 number = 0;

  for (; g_ascii_isdigit (**text); (*text)++)
    {
      guint digit = (guint) g_ascii_digit_value (**text);

      if (number > ((guint64) G_MAXINT64 - digit) / 10)
        return FALSE;
      number = number * 10 + digit;
    }
  *number_out = number;
  return *text > start;
}

gboolean
atm_content_range_parse (const char *header, AtmContentRange *range_out)
{
  AtmContentRange range = { 0 };
  const char *p = header;

  if (p == NULL)
    return FALSE;
  p += strspn (p, BLANK);
  if (g_ascii_strncasecmp (p, UNIT, strlen (UNIT)) != 0)
    return FALSE;
  p += strlen (UNIT);
  if (*p != ' ')
    return FALSE;
  p += strspn (p, BLANK);
  if (!take_number (&p, &range.first) || *p++ != '-' || !take_number (&p, &range.last)
      || *p++ != '/')
    return FALSE;
  if (*p == '*')
    p++;
  else if (take_number (&p, &range.total_bytes))
    range.has_total = TRUE;
  else
    return FALSE;
  p += strspn (p, BLANK);
  if (*p != '\0' || range.last < range.first
      || (range.has_total && range.last >= range.total_bytes))
    return FALSE;
  *range_out = range;
  return TRUE;
}

gboolean
atm_content_range_is_rest (const char *header, guint64 start_bytes, guint64 size_bytes)
{
  AtmContentRange range;

  return atm_content_range_parse (header, &range) && range.first == start_bytes
         && range.last + 1 == size_bytes && (!range.has_total || range.total_bytes == size_bytes);
}
