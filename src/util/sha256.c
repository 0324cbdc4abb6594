/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/sha256.h"

#include <openssl/evp.h>

struct _AtmHash
{
  EVP_MD_CTX *context; /* (owned) */
};

/* libcrypto fails here only when memory is out, where GLib ends the program too. */
static void
must (int result)
{
  if (result != 1)
    g_error ("libcrypto cannot compute checksums");
}

/* Looked up once: by name it costs as much as hashing a small file. */
static const EVP_MD *
get_algorithm (AtmHashType type)
{
  static gsize once;
  static const EVP_MD *algorithms[2];

  if (g_once_init_enter (&once))
    {
      algorithms[ATM_HASH_SHA256] = EVP_MD_fetch (NULL, "SHA256", NULL);
      algorithms[ATM_HASH_SHA512] = EVP_MD_fetch (NULL, "SHA512", NULL);
      must (algorithms[ATM_HASH_SHA256] != NULL && algorithms[ATM_HASH_SHA512] != NULL);
      g_once_init_leave (&once, 1);
    }
  return algorithms[type];
}

AtmHash *
atm_hash_new (AtmHashType type)
{
  AtmHash *hash = g_new0 (AtmHash, 1);

  hash->context = EVP_MD_CTX_new ();
  must (hash->context != NULL);
  must (EVP_DigestInit_ex (hash->context, get_algorithm (type), NULL));
  return hash;
}

void
atm_hash_free (AtmHash *hash)
{
  if (hash == NULL)
    return;
  EVP_MD_CTX_free (hash->context);
  g_free (hash);
}

void
atm_hash_update (AtmHash *hash, gconstpointer data, gsize length_bytes)
{
  must (EVP_DigestUpdate (hash->context, data, length_bytes));
}

char *
atm_hash_finish (AtmHash *hash)
{
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  GString *hex = NULL;

  must (EVP_DigestFinal_ex (hash->context, raw, &length));
  hex = g_string_sized_new (2 * length);
  for (unsigned int i = 0; i < length; i++)
    {
      g_string_append_c (hex, "0123456789abcdef"[raw[i] >> 4]);
      g_string_append_c (hex, "0123456789abcdef"[raw[i] & 15]);
    }
  return g_string_free (hex, FALSE);
}

void
atm_hash_finish_raw (AtmHash *hash, guint8 *raw_out)
{
  must (EVP_DigestFinal_ex (hash->context, raw_out, NULL));
}

char *
atm_sha256_hex (GBytes *bytes)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  gsize length = 0;
  gconstpointer data = g_bytes_get_data (bytes, &length);

  atm_hash_update (hash, data, length);
  return atm_hash_finish (hash);
}
