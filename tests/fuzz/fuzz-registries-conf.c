/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "registry/short-names.h"
#include "util/toml.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (AtmRegistriesConf) conf = NULL;
  const char *const names[] = { "a.example.com/ns/app:1", "app" };

  if (!atm_toml_parse (bytes, &object, NULL)
      || !atm_registries_conf_parse (bytes, "fuzz", &conf, NULL))
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (AtmImageName) name = NULL;
      g_autoptr (AtmCandidates) candidates = NULL;
      g_autoptr (GPtrArray) endpoints = NULL;

      g_assert_true (atm_name_parse (names[i], TRUE, &name, NULL));
      if (!atm_registries_conf_resolve (conf, name, &candidates, NULL))
        continue;
      for (guint j = 0; j < candidates->names->len; j++)
        {
          const AtmImageName *candidate = g_ptr_array_index (candidates->names, j);

          g_assert_true (candidate->domain_typed);
          g_clear_pointer (&endpoints, g_ptr_array_unref);
          if (atm_registries_conf_look_up (conf, candidate, &endpoints, NULL))
            g_assert_cmpuint (endpoints->len, >, 0);
        }
    }
  return 0;
}
