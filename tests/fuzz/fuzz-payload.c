/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "trust/payload.h"

/* A payload that is accepted has a digest and a reference that are whole. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmPayload) payload = NULL;

  if (atm_payload_parse (bytes, &payload, NULL))
    {
      g_autofree char *digest = atm_digest_to_string (&payload->digest);

      g_assert_nonnull (payload->reference);
      g_assert_nonnull (g_strstr_len ((const char *) data, (gssize) size, payload->digest.hex));
      g_assert_nonnull (digest);
    }
  return 0;
}
