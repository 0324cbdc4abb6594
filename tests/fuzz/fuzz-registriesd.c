/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "trust/registriesd.h"
#include "trust/registriesd-edit.h"

/* An edit gives up, or what comes out is what was asked for. */
static void
edit (GBytes *bytes)
{
  g_autoptr (GBytes) added = NULL, removed = NULL;
  g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();

  if (!atm_registriesd_edit_set (bytes, "FILE", "h.test/a", "https://s.test/x", &added, NULL))
    return;
  g_assert_true (atm_registriesd_add (conf, added, "FILE", NULL));
  g_assert_cmpstr (atm_registriesd_look_up_scope (conf, "h.test/a"), ==, "https://s.test/x");
  if (atm_registriesd_edit_remove (added, "FILE", "h.test/a", &removed, NULL) && removed != NULL)
    {
      g_autoptr (AtmRegistriesd) after = atm_registriesd_new ();

      g_assert_true (atm_registriesd_add (after, removed, "FILE", NULL));
      g_assert_null (atm_registriesd_get_file (after, "h.test/a"));
    }
}

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
  edit (bytes);
  return 0;
}
