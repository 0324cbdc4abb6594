/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "image/layout-index.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const char *const tags[] = { NULL, "v1", "@1" };
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);

  if (atm_layout_check_version (bytes, NULL))
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS (tags); i++)
    {
      g_autoptr (AtmDescriptor) descriptor = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (atm_layout_index_choose (bytes, tags[i], &descriptor, &error), ==,
                       descriptor != NULL);
      g_assert_true ((descriptor == NULL) == (error != NULL));
    }
  return 0;
}
