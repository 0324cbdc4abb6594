/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "trust/signature.h"

/* What reaches gpg is never empty, never text and the end of what was stored. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmSignature) signature = NULL;

  if (atm_signature_new (1, bytes, &signature, NULL) && signature->message != NULL)
    {
      gsize length = 0;
      const guint8 *message = g_bytes_get_data (signature->message, &length);

      g_assert_cmpuint (length, >, 0);
      g_assert_cmpuint (message[0], >=, 0x80);
      g_assert_cmpmem (message, length, data + size - length, length);
    }
  return 0;
}
