/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "image/manifest.h"

/* What can be read as an image must not be readable as an index, and the other way round. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmPlatform) platform = atm_platform_new_host ();
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmDescriptor) descriptor = NULL;
  AtmManifestKind kind = ATM_MANIFEST_KIND_IMAGE;
  gboolean is_image = atm_manifest_parse (bytes, &manifest, NULL);
  gboolean is_index = atm_index_choose (bytes, platform, "fuzz", &descriptor, NULL);

  g_assert_false (is_image && is_index);
  if (atm_manifest_get_kind (bytes, NULL, "fuzz", &kind, NULL))
    g_assert_false (kind == ATM_MANIFEST_KIND_IMAGE ? is_index : is_image);
  return 0;
}
