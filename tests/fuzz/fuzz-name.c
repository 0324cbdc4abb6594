/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "image/name.h"

/* The canonical form of a name is a name again, and the same one; a ref leads back to its text. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autofree char *location = atm_name_parse_location (text);
  g_autofree char *ref = atm_ref_encode (text), *decoded = atm_ref_decode (ref);
  g_autofree char *foreign = atm_ref_decode (text);
  g_autoptr (AtmImageName) name = NULL;

  g_assert_nonnull (foreign);
  if (location != NULL)
    g_assert_cmpuint (strlen (location), ==, strlen (text));
  if (!g_str_has_prefix (ref, "ociimage/__"))
    g_assert_cmpstr (decoded, ==, text);
  if (atm_name_parse (text, TRUE, &name, NULL))
    {
      g_autofree char *canonical = atm_name_to_string (name), *again = NULL;
      g_auto (GStrv) scopes = atm_name_dup_scopes (name, TRUE);
      g_autofree char *container = atm_name_suggest_container (name);
      g_autoptr (AtmImageName) second = NULL;

      g_assert_nonnull (scopes[0]);
      g_assert_cmpuint (strlen (container), >, 0);
      /* Only upper case told that “Host/x” begins with a host. */
      if (strpbrk (name->domain, ".:") != NULL || g_str_equal (name->domain, "localhost"))
        {
          g_assert_true (atm_name_parse (canonical, FALSE, &second, NULL));
          again = atm_name_to_string (second);
          g_assert_cmpstr (again, ==, canonical);
        }
    }
  return 0;
}
