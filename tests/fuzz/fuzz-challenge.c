/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "registry/challenge.h"
#include "registry/refusal.h"

/* What a registry says about why it refuses: the header and the body. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *header = g_strndup ((const char *) data, size);
  g_autoptr (AtmChallenge) challenge = atm_challenge_parse (header);
  g_autoptr (GBytes) body = g_bytes_new (data, size);
  g_autofree char *text = atm_refusal_describe (404, body);
  g_autofree char *scope = atm_challenge_dup_wider_scope (challenge, "ns/app");

  g_assert_nonnull (challenge->schemes);
  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_assert_true (scope == NULL || g_str_has_prefix (scope, "repository:ns/app:"));
  return 0;
}
