/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "trust/extension.h"
#include "trust/signature.h"
#include "trust/trust.h"

/* What a registry serves as signatures: a bounded list of blobs, or an error of the right kind. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GPtrArray) blobs = NULL;
  g_autoptr (GError) error = NULL;

  if (!atm_extension_parse (bytes, &blobs, &error))
    {
      g_assert_null (blobs);
      g_assert_true (g_error_matches (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LOOKASIDE_ERROR)
                     || g_error_matches (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED));
      return 0;
    }
  g_assert_cmpuint (blobs->len, <=, ATM_SIGNATURES_MAX);
  for (guint i = 0; i < blobs->len; i++)
    {
      g_autoptr (AtmSignature) signature = NULL;

      (void) !atm_signature_new (i + 1, blobs->pdata[i], &signature, NULL);
    }
  return 0;
}
