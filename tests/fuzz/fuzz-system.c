/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "host/system.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GHashTable) settings = NULL;

  g_assert_cmpint (atm_system_parse_conf (bytes, &settings, NULL), ==, settings != NULL);
  return 0;
}
