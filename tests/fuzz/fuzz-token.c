/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"
#include "registry/token.h"

/* What a token server answers: what comes out may stand in a header. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_auto (AtmToken) token = { 0 };

  if (!atm_token_parse (bytes, 1700000000, &token))
    return 0;
  g_assert_null (strpbrk (token.authorization, "\r\n"));
  g_assert_true (g_str_has_prefix (token.authorization, "Bearer "));
  g_assert_cmpuint (token.life_sec, >, 0);
  g_assert_cmpuint (token.life_sec, <=, ATM_TOKEN_LIFE_MAX_SEC);
  return 0;
}
