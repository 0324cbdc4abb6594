/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/template.h"
#include "fuzz/fuzz.h"

/* With a value for each name that the template uses, only a bad placeholder or the size can make it
   fail. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size), result = NULL;
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GError) error = NULL;

  atm_template_add_names (bytes, names);
  if (!atm_template_substitute (bytes, names, "x", &result, &error))
    g_assert_false (g_error_matches (error, ATM_TEMPLATE_ERROR, ATM_TEMPLATE_ERROR_UNSET));
  return 0;
}
