/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "registry/conf.h"
#include "util/toml.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (AtmRegistriesConf) conf = NULL;
  g_autoptr (AtmImageName) name = NULL;

  if (!atm_toml_parse (bytes, &object, NULL)
      || !atm_registries_conf_parse (bytes, "fuzz", &conf, NULL))
    return 0;
  if (atm_name_parse ("a.example.com/ns/app:1", TRUE, &name, NULL))
    {
      g_auto (AtmRegistryEndpoint) endpoint = { 0 };

      if (atm_registries_conf_look_up (conf, name, &endpoint, NULL))
        g_assert_nonnull (endpoint.physical);
    }
  return 0;
}
