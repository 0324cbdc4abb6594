/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/exports.h"
#include "fuzz/fuzz.h"

/* manifest.json of an image. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmExports) exports = atm_exports_new ();

  (void) !atm_exports_parse_manifest (exports, bytes, NULL);
  return 0;
}
