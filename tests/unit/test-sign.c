/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "fixtures/signer.h"
#include "trust/key-list.h"
#include "trust/lookaside.h"
#include "trust/payload.h"
#include "trust/signature.h"
#include "trust/signer.h"
#include "trust/staging.h"
#include "trust/trust.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Signing with real keys and the real gpg and agent. */

#define REFERENCE "reg.test:5000/ns/app:1"

static char *home, *good, *other, *locked; /* (owned) */

static AtmSigner *
open_signer (const char *key, const AtmSecret *passphrase)
{
  AtmSigner *signer = NULL;
  g_autoptr (GError) error = NULL;

  if (!atm_signer_open (home, key, passphrase, &signer, &error))
    g_error ("%s", error->message);
  return signer;
}

static GBytes *
new_payload (AtmDigest *digest_out)
{
  g_autoptr (GBytes) manifest = atm_test_bytes ("{}");

  atm_digest_of (ATM_HASH_SHA256, manifest, digest_out);
  return atm_payload_write (digest_out, REFERENCE, "tests 1", 1700000000);
}

static AtmOpenpgp *
new_engine (const char *key)
{
  g_autofree char *run = atm_test_scratch_path ();
  g_autoptr (GBytes) keyring = NULL;
  g_autoptr (GError) error = NULL;
  AtmOpenpgp *engine = NULL;

  g_assert_true (atm_signer_export (home, key, FALSE, &keyring, &error));
  g_assert_true (atm_openpgp_new (run, &engine, &error));
  g_assert_true (atm_openpgp_import (engine, keyring, "key", &error));
  return engine;
}

static void
test_payload (void)
{
  AtmDigest digest;
  g_autoptr (GBytes) bytes = new_payload (&digest);
  g_autoptr (AtmPayload) payload = NULL;
  g_autoptr (GError) error = NULL;
  const char *text = g_bytes_get_data (bytes, NULL);

  g_assert_true (atm_payload_parse (bytes, &payload, &error));
  g_assert_true (atm_digest_equal (&payload->digest, &digest));
  g_assert_cmpstr (payload->reference, ==, REFERENCE);
  g_assert_true (text[0] == '{' && text[1] == '"');
  g_assert_null (memchr (text, '\n', g_bytes_get_size (bytes)));
}

static void
test_sign (void)
{
  AtmDigest digest;
  g_autoptr (GBytes) payload = new_payload (&digest), message = NULL;
  g_autoptr (AtmSigner) signer = open_signer ("good@example.org", NULL);
  g_autoptr (AtmOpenpgp) engine = new_engine (good);
  g_autoptr (AtmSignature) signature = NULL;
  g_autoptr (AtmSignedMessage) made = NULL;
  g_autoptr (GError) error = NULL, reason = NULL;

  g_assert_cmpstr (atm_signer_get_fingerprint (signer), ==, good);
  g_assert_true (atm_signer_sign (signer, payload, &message, NULL, &error));
  g_assert_true (atm_signature_new (1, message, &signature, &error));
  g_assert_true (atm_openpgp_verify (engine, signature->message, &made, &reason, NULL, &error));
  g_assert_no_error (reason);
  g_assert_cmpstr (made->fingerprint, ==, good);
  g_assert_true (g_bytes_equal (made->payload, payload));
}

static void
test_passphrase (void)
{
  AtmDigest digest;
  g_autoptr (GBytes) payload = new_payload (&digest), message = NULL, none = NULL;
  g_autoptr (AtmSigner) right = open_signer (locked, "open sesame");
  g_autoptr (AtmSigner) wrong = open_signer (locked, "open barley");
  g_autoptr (GError) error = NULL;

  /* The wrong one first: the agent remembers a right one. */
  g_assert_false (atm_signer_sign (wrong, payload, &none, NULL, &error));
  g_assert_error (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_GPG);
  g_assert_null (none);
  g_clear_error (&error);
  g_assert_true (atm_signer_sign (right, payload, &message, NULL, &error));
  g_assert_cmpuint (g_bytes_get_size (message), >, 0);
}

static void
test_refuses (void)
{
  const struct
  {
    const char *key;
    const char *word; /* of the message */
  } rows[] = {
    { "nobody@example.org", "no secret key" }, { "", "no secret key" },
    { "-good@example.org", "no secret key" },  { "example.org", "more than one" },
    { "expired@example.org", "has expired" },  { "public@example.org", "no secret key" },
    { "encrypts@example.org", "can sign" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      AtmSigner *signer = NULL;

      g_assert_false (atm_signer_open (home, rows[i].key, NULL, &signer, &error));
      g_assert_error (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_KEY);
      g_test_message ("%s: %s", rows[i].key, error->message);
      g_assert_nonnull (strstr (error->message, rows[i].word));
      g_assert_null (signer);
    }
}

static void
test_keys (void)
{
  g_autoptr (AtmOpenpgp) engine = new_engine (good), again = NULL;
  g_autofree char *run = atm_test_scratch_path ();
  g_autoptr (GBytes) expired = NULL, all = NULL;
  g_autoptr (GPtrArray) keys = NULL, read = NULL;
  guint n_expired = 0;

  g_assert_true (atm_signer_export (home, "expired@example.org", TRUE, &expired, NULL));
  g_assert_true (atm_openpgp_import (engine, expired, "key", NULL));
  g_assert_true (atm_key_list_read (engine, &keys, NULL));
  g_assert_cmpuint (keys->len, ==, 2);
  for (guint i = 0; i < keys->len; i++)
    {
      const AtmKey *key = g_ptr_array_index (keys, i);

      n_expired += key->expired;
      g_assert_cmpstr (key->address, ==, key->expired ? "expired@example.org" : "good@example.org");
      g_assert_false (key->revoked);
    }
  g_assert_cmpuint (n_expired, ==, 1);

  g_assert_true (atm_key_list_export (engine, &all, NULL));
  g_assert_true (atm_openpgp_new (run, &again, NULL));
  g_assert_true (atm_openpgp_import (again, all, "both", NULL));
  g_assert_true (atm_key_list_read (again, &read, NULL));
  g_assert_cmpuint (read->len, ==, 2);
}

static void
test_staging (void)
{
  g_autofree char *base = atm_test_scratch_path (), *first = NULL, *second = NULL, *third = NULL;
  g_autofree char *url = g_filename_to_uri (base, NULL, NULL), *none = NULL, *missing = NULL;
  g_autoptr (GBytes) one = atm_test_bytes ("one"), two = atm_test_bytes ("two");
  g_autoptr (GPtrArray) blobs = NULL;
  g_autoptr (GError) error = NULL;
  AtmDigest digest;
  struct stat st;

  atm_digest_of (ATM_HASH_SHA256, one, &digest);
  g_assert_true (atm_staging_put (base, "ns/app", &digest, one, &first, &error));
  g_assert_true (g_str_has_suffix (first, "/signature-1"));
  g_assert_cmpint (stat (first, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0644);
  g_assert_cmpint (st.st_nlink, ==, 1);
  g_assert_true (atm_staging_put (base, "ns/app", &digest, two, &second, &error));
  g_assert_true (g_str_has_suffix (second, "/signature-2"));

  g_assert_true (atm_lookaside_read (url, "ns/app", &digest, NULL, NULL, &blobs, NULL, &error));
  g_assert_cmpuint (blobs->len, ==, 2);
  g_assert_true (g_bytes_equal (blobs->pdata[0], one) && g_bytes_equal (blobs->pdata[1], two));

  /* A gap is filled: what stands behind it nobody has read. */
  g_assert_cmpint (unlink (first), ==, 0);
  g_assert_true (atm_staging_put (base, "ns/app", &digest, two, &third, &error));
  g_assert_cmpstr (third, ==, first);

  missing = g_build_filename (base, "missing", NULL);
  g_assert_false (atm_staging_put (missing, "ns/app", &digest, one, &none, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_null (none);
}

static void
test_staging_full_and_links (void)
{
  g_autofree char *base = atm_test_scratch_path (), *link = g_build_filename (base, "ns", NULL);
  g_autofree char *elsewhere = atm_test_scratch_path (), *none = NULL, *path = NULL;
  g_autoptr (GBytes) blob = atm_test_bytes ("one");
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  AtmDigest digest;

  atm_digest_of (ATM_HASH_SHA256, blob, &digest);
  g_assert_cmpint (symlink (elsewhere, link), ==, 0);
  g_assert_false (atm_staging_put (base, "ns/app", &digest, blob, &none, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  dir = g_dir_open (elsewhere, 0, NULL);
  g_assert_null (g_dir_read_name (dir));

  for (guint i = 0; i < ATM_SIGNATURES_MAX; i++)
    {
      g_clear_pointer (&path, g_free);
      g_assert_true (atm_staging_put (base, "full", &digest, blob, &path, &error));
    }
  g_assert_false (atm_staging_put (base, "full", &digest, blob, &none, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  g_assert_null (none);
}

/* Two at a time never take one number. */
static gpointer
put_many (gpointer base)
{
  g_autoptr (GBytes) blob = atm_test_bytes ("one");
  AtmDigest digest;

  atm_digest_of (ATM_HASH_SHA256, blob, &digest);
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *path = NULL;

      if (!atm_staging_put (base, "ns/app", &digest, blob, &path, NULL))
        return GINT_TO_POINTER (1);
    }
  return NULL;
}

static void
test_staging_at_once (void)
{
  g_autofree char *base = atm_test_scratch_path ();
  g_autofree char *url = g_filename_to_uri (base, NULL, NULL);
  g_autoptr (GBytes) blob = atm_test_bytes ("one");
  g_autoptr (GPtrArray) blobs = NULL;
  GThread *threads[3];
  AtmDigest digest;

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("put", put_many, base);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_null (g_thread_join (threads[i]));
  atm_digest_of (ATM_HASH_SHA256, blob, &digest);
  g_assert_true (atm_lookaside_read (url, "ns/app", &digest, NULL, NULL, &blobs, NULL, NULL));
  g_assert_cmpuint (blobs->len, ==, 60);
}

static void
make_keys (void)
{
  g_autofree char *elsewhere = atm_test_signer_home (), *unused = NULL, *expired = NULL;
  g_autoptr (GBytes) public = NULL;

  home = atm_test_signer_home ();
  good = atm_test_signer_new_key (home, "", "good@example.org", "ed25519", "0");
  other = atm_test_signer_new_key (home, "", "other@example.org", "ed25519", "0");
  expired = atm_test_signer_new_key (home, "--faked-system-time 20200101T000000!",
                                     "expired@example.org", "ed25519", "1y");
  unused = atm_test_signer_new_key (elsewhere, "", "public@example.org", "ed25519", "0");
  public = atm_test_signer_run (elsewhere, NULL, "--export public@example.org");
  g_bytes_unref (atm_test_signer_run (home, public, "--import"));
  g_bytes_unref (atm_test_signer_run (
      home, NULL, "--passphrase= --quick-generate-key encrypts@example.org rsa2048 encr 0"));
}

/* Its passphrase has a blank, and so has its own way to gpg. */
static void
make_locked_key (void)
{
  g_autofree char *file = atm_test_scratch_path (), *path = NULL, *args = NULL, *list = NULL;
  g_autofree char *end = NULL;
  g_autoptr (GBytes) listed = NULL;
  char *text = NULL;

  path = g_build_filename (file, "passphrase", NULL);
  g_assert_true (g_file_set_contents (path, "open sesame\n", -1, NULL));
  args = g_strdup_printf ("--passphrase-file %s --quick-generate-key locked@example.org ed25519 "
                          "sign 0",
                          path);
  g_bytes_unref (atm_test_signer_run (home, NULL, args));
  listed = atm_test_signer_run (home, NULL, "--with-colons --list-keys locked@example.org");
  list = g_strndup (g_bytes_get_data (listed, NULL), g_bytes_get_size (listed));
  text = strstr (list, "\nfpr:::::::::");
  g_assert_nonnull (text);
  locked = g_strndup (text + strlen ("\nfpr:::::::::"), 40);
  /* What it holds open since the key was made it must forget. */
  end = g_strdup_printf ("gpgconf --homedir %s --kill gpg-agent", home);
  g_assert_true (g_spawn_command_line_sync (end, NULL, NULL, NULL, NULL));
}

int
main (int argc, char *argv[])
{
  int result = 0;

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  make_keys ();
  make_locked_key ();
  g_test_add_func ("/sign/payload", test_payload);
  g_test_add_func ("/sign/sign", test_sign);
  g_test_add_func ("/sign/passphrase", test_passphrase);
  g_test_add_func ("/sign/refuses", test_refuses);
  g_test_add_func ("/sign/keys", test_keys);
  g_test_add_func ("/sign/staging", test_staging);
  g_test_add_func ("/sign/staging-full-and-links", test_staging_full_and_links);
  g_test_add_func ("/sign/staging-at-once", test_staging_at_once);
  result = g_test_run ();
  g_free (home);
  g_free (good);
  g_free (other);
  g_free (locked);
  return result;
}
