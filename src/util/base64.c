/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/base64.h"

#include <string.h>

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

GBytes *
atm_base64_decode (const char *text)
{
  g_autoptr (GString) plain = g_string_new (NULL);
  gsize digits = 0, length = 0;
  guint8 *bytes = NULL;

  for (const char *p = text; *p != '\0'; p++)
    if (*p != '\r' && *p != '\n')
      g_string_append_c (plain, *p);

  /* g_base64_decode() skips what it does not know, so nothing unknown may reach it. */
  digits = strspn (plain->str, ALPHABET);
  if (plain->len % 4 != 0 || plain->len - digits > 2
      || strspn (plain->str + digits, "=") != plain->len - digits)
    return NULL;
  if (plain->len == 0)
    return g_bytes_new (NULL, 0);
  bytes = g_base64_decode (plain->str, &length);
  return g_bytes_new_take (bytes, length);
}
