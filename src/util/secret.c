/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/secret.h"

#include <string.h>

void
atm_secret_free (AtmSecret *secret)
{
  if (secret != NULL)
    explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

void
atm_secret_bytes_free (AtmSecretBytes *bytes)
{
  gsize length = 0;
  gpointer data = NULL;

  if (bytes == NULL)
    return;
  data = g_bytes_unref_to_data (bytes, &length);
  if (length > 0)
    explicit_bzero (data, length);
  g_free (data);
}
