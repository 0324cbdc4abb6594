/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/info.h"
#include "fuzz/fuzz.h"

/* What was read is written so that it reads again. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmInfo) info = NULL, again = NULL;

  if (atm_info_parse (bytes, &info, NULL))
    {
      g_autoptr (GBytes) written = atm_info_to_bytes (info);

      g_assert_true (atm_info_parse (written, &again, NULL));
    }
  return 0;
}
