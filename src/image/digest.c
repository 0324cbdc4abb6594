/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/digest.h"

#include <string.h>

#include "util/error.h"

G_DEFINE_QUARK (atm_digest_error, atm_digest_error)

static const struct
{
  const char *prefix;
  gsize hex_length;
} algorithms[] = {
  [ATM_HASH_SHA256] = { "sha256:", 64 },
  [ATM_HASH_SHA512] = { "sha512:", 128 },
};

gboolean
atm_digest_parse (const char *text, AtmDigest *digest_out, GError **error)
{
  g_autofree char *shown = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (algorithms); i++)
    {
      const char *hex = text + strlen (algorithms[i].prefix);

      if (!g_str_has_prefix (text, algorithms[i].prefix))
        continue;
      if (strlen (hex) != algorithms[i].hex_length
          || strspn (hex, "0123456789abcdef") != algorithms[i].hex_length)
        break;
      digest_out->algorithm = (AtmHashType) i;
      g_strlcpy (digest_out->hex, hex, sizeof digest_out->hex);
      return TRUE;
    }
  shown = g_strndup (text, 160);
  return atm_throw (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_SYNTAX,
                    "“%s” is no digest: sha256 with 64 or sha512 with 128 lower-case hex digits",
                    shown);
}

void
atm_digest_take_hash (AtmHashType algorithm, AtmHash *hash, AtmDigest *digest_out)
{
  g_autofree char *hex = atm_hash_finish (hash);

  digest_out->algorithm = algorithm;
  g_strlcpy (digest_out->hex, hex, sizeof digest_out->hex);
  atm_hash_free (hash);
}

void
atm_digest_of (AtmHashType algorithm, GBytes *bytes, AtmDigest *digest_out)
{
  AtmHash *hash = atm_hash_new (algorithm);
  gsize length = 0;
  gconstpointer data = g_bytes_get_data (bytes, &length);

  atm_hash_update (hash, data, length);
  atm_digest_take_hash (algorithm, hash, digest_out);
}

gboolean
atm_digest_equal (const AtmDigest *a, const AtmDigest *b)
{
  return a->algorithm == b->algorithm && g_str_equal (a->hex, b->hex);
}

char *
atm_digest_to_string (const AtmDigest *digest)
{
  return g_strconcat (algorithms[digest->algorithm].prefix, digest->hex, NULL);
}

gboolean
atm_digest_check (const AtmDigest *digest, GBytes *bytes, const char *what, GError **error)
{
  AtmDigest actual;
  g_autofree char *wanted_text = NULL, *actual_text = NULL;

  atm_digest_of (digest->algorithm, bytes, &actual);
  if (atm_digest_equal (digest, &actual))
    return TRUE;
  wanted_text = atm_digest_to_string (digest);
  actual_text = atm_digest_to_string (&actual);
  return atm_throw (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH,
                    "%s does not match its digest: expected %s, got %s", what, wanted_text,
                    actual_text);
}
