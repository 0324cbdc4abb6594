/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "trust/signature.h"
#include "trust/trust.h"

#define BYTES(text) text, sizeof (text) - 1

/* The table of trust.md 8.1. */
static void
test_accepts (void)
{
  const struct
  {
    const char *text;
    gsize length;
    gssize offset; /* of the message; -1: sigstore */
  } cases[] = {
    { BYTES ("\xa0"), 0 },
    { BYTES ("\xa3\x01\x02"), 0 },
    { BYTES ("\xc8\x01"), 0 },
    { BYTES ("\x90\x0d"), 0 },
    { BYTES ("\x93\x0d"), 0 },
    { BYTES ("\xc4\x0d"), 0 },
    { BYTES ("\x88\x00"), 0 },
    { BYTES ("\x8b\x00"), 0 },
    { BYTES ("\xc2\x00"), 0 },
    { BYTES ("\0simple-signing\n\xa3\x01"), 16 },
    { BYTES ("\0sigstore-json\n{}"), -1 },
    { BYTES ("\0sigstore-json\n"), -1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) blob = g_bytes_new_static (cases[i].text, cases[i].length);
      g_autoptr (AtmSignature) signature = NULL;
      g_autoptr (GError) error = NULL;

      if (!atm_signature_new (1, blob, &signature, &error))
        g_error ("%s", error->message);
      g_assert_true (g_bytes_equal (signature->blob, blob));
      if (cases[i].offset < 0)
        g_assert_null (signature->message);
      else
        g_assert_cmpmem (g_bytes_get_data (signature->message, NULL),
                         g_bytes_get_size (signature->message), cases[i].text + cases[i].offset,
                         cases[i].length - (gsize) cases[i].offset);
    }
}

static void
test_refuses (void)
{
  const struct
  {
    const char *text;
    gsize length;
  } cases[] = {
    { BYTES ("") },
    { BYTES ("-----BEGIN PGP MESSAGE-----\n") },
    { BYTES ("-----BEGIN PGP SIGNED MESSAGE-----\n") },
    { BYTES ("{\"critical\":{}}") },
    { BYTES ("<html>") },
    { BYTES ("\n\xa3") },
    { BYTES (" \xa3") },
    { BYTES ("\x84\x01") },
    { BYTES ("\x85\x01") },
    { BYTES ("\xc1\x01") },
    { BYTES ("\xac\x01") },
    { BYTES ("\xcb\x01") },
    { BYTES ("\x98\x01") },
    { BYTES ("\x99\x01") },
    { BYTES ("\x9f") },
    { BYTES ("\x87\x01") },
    { BYTES ("\x8c\x01") },
    { BYTES ("\x94\x01") },
    { BYTES ("\xa4\x01") },
    { BYTES ("\xc0\x01") },
    { BYTES ("\xc3\x01") },
    { BYTES ("\xc9\x01") },
    { BYTES ("\xd2\x01") },
    { BYTES ("\xff") },
    { BYTES ("\0") },
    { BYTES ("\0\n") },
    { BYTES ("\0\n\xa3") },
    { BYTES ("\0simple-signing") },
    { BYTES ("\0simple-signing\n") },
    { BYTES ("\0simple-signing\n-----BEGIN PGP MESSAGE-----\n") },
    { BYTES ("\0simple-signing\n\0simple-signing\n\xa3") },
    { BYTES ("\0simple-signing\n\0sigstore-json\n{}") },
    { BYTES ("\0simple-signing\r\n\xa3") },
    { BYTES ("\0Simple-signing\n\xa3") },
    { BYTES ("\0sigstore-json") },
    { BYTES ("\0other\n\xa3") },
    { BYTES ("\0sim\0ple\n\xa3") },
    { BYTES ("\0\xc3\xa4\n\xa3") },
    { BYTES (
        "\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\xa3") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) blob = g_bytes_new_static (cases[i].text, cases[i].length);
      g_autoptr (GError) error = NULL;
      AtmSignature *signature = NULL;

      if (atm_signature_new (1, blob, &signature, &error))
        g_error ("accepted: case %u", i);
      g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_SIGNATURE_FORMAT);
      g_assert_null (signature);
    }
}

static void
test_size (void)
{
  g_autofree char *text = g_strnfill (ATM_SIGNATURE_MAX_BYTES + 1, '\xa3');
  g_autoptr (GBytes) large = g_bytes_new_static (text, ATM_SIGNATURE_MAX_BYTES + 1);
  g_autoptr (GBytes) fits = g_bytes_new_static (text, ATM_SIGNATURE_MAX_BYTES);
  g_autoptr (AtmSignature) signature = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (atm_signature_new (1, large, &signature, &error));
  g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED);
  g_assert_true (atm_signature_new (1, fits, &signature, NULL));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/signature/accepts", test_accepts);
  g_test_add_func ("/signature/refuses", test_refuses);
  g_test_add_func ("/signature/size", test_size);
  return g_test_run ();
}
