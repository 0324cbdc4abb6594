/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "image/config.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GPtrArray) layers = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmImageConfig) config = NULL;
  AtmManifest manifest = { .layers = layers };

  g_ptr_array_add (layers, g_new0 (AtmDescriptor, 1));
  if (atm_config_parse (bytes, &manifest, NULL, &config, NULL))
    g_assert_cmpuint (config->diff_ids->len, ==, 1);
  return 0;
}
