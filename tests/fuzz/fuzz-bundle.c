/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle-check.h"
#include "container/privileges.h"
#include "fuzz/fuzz.h"
#include "util/json.h"

/* Nobody has more privileges than himself, whatever he says. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (AtmPrivileges) privileges = NULL, none = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) told = NULL, widened = NULL;

  if (!atm_json_parse_object (bytes, &object, NULL))
    return 0;
  g_assert_true (atm_bundle_check (object, &error) == (error == NULL));
  privileges = atm_privileges_new (object, NULL);
  none = atm_privileges_new (NULL, NULL);
  told = atm_privileges_compare (privileges, privileges);
  g_assert_cmpuint (g_strv_length (told), ==, 0);
  widened = atm_privileges_compare (none, privileges);
  return 0;
}
