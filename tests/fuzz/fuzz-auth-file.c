/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "registry/auth-file.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const char *const names[] = { "r.io/ns/img:1", "docker.io/etcd:1", "[::1]:5000/x:1" };
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);

  for (AtmAuthFileKind kind = ATM_AUTH_FILE_CONTAINERS; kind <= ATM_AUTH_FILE_OLD; kind++)
    {
      g_autoptr (AtmAuthFile) file = NULL;

      if (!atm_auth_file_parse (bytes, "fuzz", kind, &file, NULL))
        continue;
      for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        {
          g_autoptr (AtmImageName) name = NULL;
          g_autoptr (AtmCredential) credential = NULL;
          const char *server = NULL;

          g_assert_true (atm_name_parse (names[i], FALSE, &name, NULL));
          credential = atm_auth_file_find (file, name);
          if (credential != NULL)
            g_assert_true (atm_auth_file_has_secrets (file));
          if (atm_auth_file_find_helper (file, name, &server) != NULL)
            g_assert_nonnull (server);
          server = NULL;
          if (atm_auth_file_find_store (file, name, &server) != NULL)
            g_assert_nonnull (server);
        }
    }
  return 0;
}
