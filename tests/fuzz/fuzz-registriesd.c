/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "trust/registriesd.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();
  g_autoptr (AtmImageName) name = NULL;

  g_assert_true (atm_name_parse ("h.test/a:1", FALSE, &name, NULL));
  if (atm_registriesd_add (conf, bytes, "FILE", NULL))
    {
      const char *url = atm_registriesd_look_up (conf, name);

      g_assert_true (url == NULL || !g_str_has_suffix (url, "/"));
    }
  return 0;
}
