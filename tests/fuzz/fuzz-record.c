/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/record.h"
#include "fuzz/fuzz.h"

/* What was read is written so that it reads again. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmRecord) record = NULL, again = NULL;

  if (atm_record_parse (bytes, &record, NULL))
    {
      g_autoptr (GBytes) written = atm_record_to_bytes (record);

      g_assert_cmpuint (g_bytes_get_size (written), <=, ATM_RECORD_MAX_BYTES);
      g_assert_true (atm_record_parse (written, &again, NULL));
    }
  return 0;
}
