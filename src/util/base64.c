/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/base64.h"

#include <string.h>

#include "util/secret.h"

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

GBytes *
atm_base64_decode (const char *text)
{
  /* It may be a password. */
  g_autoptr (AtmSecret) plain = g_malloc0 (strlen (text) + 1);
  gsize digits = 0, plain_length = 0, length = 0;
  guint8 *bytes = NULL;

  for (const char *p = text; *p != '\0'; p++)
    if (*p != '\r' && *p != '\n')
      plain[plain_length++] = *p;

  /* g_base64_decode() skips what it does not know, so nothing unknown may reach it. */
  digits = strspn (plain, ALPHABET);
  if (plain_length % 4 != 0 || plain_length - digits > 2
      || strspn (plain + digits, "=") != plain_length - digits)
    return NULL;
  if (plain_length == 0)
    return g_bytes_new (NULL, 0);
  bytes = g_base64_decode (plain, &length);
  return g_bytes_new_take (bytes, length);
}
