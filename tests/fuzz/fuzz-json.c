/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "util/json.h"

/* What the strict reader accepts json-glib must accept too, and write it so that it reads again. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (JsonNode) node = NULL;

  if (atm_json_parse (bytes, &node, NULL))
    {
      g_autofree char *text = atm_json_to_text (node, FALSE);

      g_assert_nonnull (text);
    }
  return 0;
}
