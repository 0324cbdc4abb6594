/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/secret.h"

#include <string.h>

void
atm_secret_free (char *secret)
{
  if (secret != NULL)
    explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

void
atm_secret_clear (char **secret)
{
  atm_secret_free (g_steal_pointer (secret));
}

char *
atm_secret_basic (const char *user, const char *password)
{
  atm_autosecret char *plain = g_strconcat (user, ":", password, NULL);
  atm_autosecret char *encoded = g_base64_encode ((const guchar *) plain, strlen (plain));

  return g_strconcat ("Basic ", encoded, NULL);
}
