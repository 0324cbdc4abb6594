/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/openpgp.h"

#include <errno.h>
#include <gpgme.h>
#include <string.h>

#include "trust/gpg-wait.h"
#include "trust/payload.h"
#include "trust/refusal.h"
#include "util/error.h"
#include "util/fd.h"

G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_data_t, gpgme_data_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_key_t, gpgme_key_unref, NULL)

#define GPG_PROGRAM "/usr/bin/gpg"

/* no-autostart: without it every import leaves a gpg-agent behind. The rest: keys come from the
   policy and from nowhere else, and SHA-1 is no digest any more, which gpg 2.2 still thinks. */
#define GPG_CONF                                                                                   \
  "no-autostart\n"                                                                                 \
  "no-auto-key-retrieve\n"                                                                         \
  "no-auto-key-import\n"                                                                           \
  "disable-dirmngr\n"                                                                              \
  "weak-digest SHA1\n"

struct _AtmOpenpgp
{
  int parent_fd;       /* (owned) */
  char *name;          /* (owned) (nullable): of the home, below parent_fd */
  char *home;          /* (owned) (nullable): its path */
  gpgme_ctx_t context; /* (owned) (nullable) */
  AtmGpgWait *wait;    /* (owned) (nullable) */
  GHashTable *trusted; /* (owned): set of fingerprints of primary keys */
  AtmSignatureClaim claim;
};

static gboolean
fail_gpg (GError **error, const char *what, gpgme_error_t result)
{
  char reason[256] = "";

  (void) gpgme_strerror_r (result, reason, sizeof reason);
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_KEYRING_ERROR, "%s: %s", what, reason);
}

static gboolean
make_home (AtmOpenpgp *engine, const char *home_parent, GError **error)
{
  g_autoptr (GBytes) conf = g_bytes_new_static (GPG_CONF, strlen (GPG_CONF));
  g_autofree char *home = g_build_filename (home_parent, "gpg-XXXXXX", NULL);
  atm_autofd int fd = -1;

  if (!atm_make_dirs (home_parent, 0700, &engine->parent_fd, error))
    return FALSE;
  if (g_mkdtemp_full (home, 0700) == NULL)
    return atm_throw_errno (error, "Creating a folder in %s", home_parent);
  engine->home = g_steal_pointer (&home);
  engine->name = g_path_get_basename (engine->home);
  return atm_open_dir_at (engine->parent_fd, engine->name, &fd, error)
         && atm_create_file_at (fd, "gpg.conf", conf, 0600, error);
}

static gboolean
make_context (AtmOpenpgp *engine, GError **error)
{
  static gsize checked;
  gpgme_error_t result = 0;

  if (g_once_init_enter (&checked))
    {
      (void) gpgme_check_version (NULL);
      g_once_init_leave (&checked, 1);
    }
  result = gpgme_new (&engine->context);
  if (result == 0)
    result = gpgme_set_protocol (engine->context, GPGME_PROTOCOL_OpenPGP);
  if (result == 0)
    result = gpgme_ctx_set_engine_info (engine->context, GPGME_PROTOCOL_OpenPGP, GPG_PROGRAM,
                                        engine->home);
  if (result != 0)
    return fail_gpg (error, GPG_PROGRAM " cannot be used; install GnuPG", result);
  gpgme_set_offline (engine->context, 1);
  gpgme_set_armor (engine->context, 0);
  gpgme_set_textmode (engine->context, 0);
  engine->wait = atm_gpg_wait_new (engine->context);
  return TRUE;
}

gboolean
atm_openpgp_new (const char *home_parent, AtmOpenpgp **engine_out, GError **error)
{
  g_autoptr (AtmOpenpgp) engine = g_new0 (AtmOpenpgp, 1);

  engine->parent_fd = -1;
  engine->trusted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!make_home (engine, home_parent, error))
    {
      (void) atm_refusal_convert (error, ATM_TRUST_ERROR_KEYRING_ERROR);
      return atm_prefix_error (error, "A folder for GnuPG cannot be made");
    }
  if (!make_context (engine, error))
    return FALSE;
  *engine_out = g_steal_pointer (&engine);
  return TRUE;
}

void
atm_openpgp_free (AtmOpenpgp *engine)
{
  g_autoptr (GError) error = NULL;

  if (engine == NULL)
    return;
  /* The context first: releasing it may still use the descriptors that the other watches. */
  if (engine->context != NULL)
    gpgme_release (engine->context);
  atm_gpg_wait_free (engine->wait);
  if (engine->name != NULL && !atm_remove_tree_at (engine->parent_fd, engine->name, &error))
    g_debug ("%s stays behind: %s", engine->home, error->message);
  atm_fd_clear (&engine->parent_fd);
  g_hash_table_unref (engine->trusted);
  g_free (engine->claim.key);
  g_free (engine->name);
  g_free (engine->home);
  g_free (engine);
}

gboolean
atm_openpgp_import (AtmOpenpgp *engine, GBytes *keyring, const char *what, GError **error)
{
  gsize length = 0;
  const char *data = g_bytes_get_data (keyring, &length);
  g_auto (gpgme_data_t) input = NULL;
  gpgme_import_result_t imported = NULL;
  gpgme_error_t result = gpgme_data_new_from_mem (&input, data != NULL ? data : "", length, 0);
  guint n_keys = 0;

  if (result == 0)
    result = gpgme_op_import (engine->context, input);
  imported = gpgme_op_import_result (engine->context);
  if (imported != NULL && imported->secret_read > 0)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_KEYRING_ERROR,
                      "%s holds a secret key, which does not belong there; store only the output "
                      "of “gpg --export”, and replace the key if others could read it",
                      what);
  if (result != 0)
    return fail_gpg (error, what, result);

  /* gpgme reports success without a key for whatever is no keyring. */
  for (gpgme_import_status_t key = imported != NULL ? imported->imports : NULL; key != NULL;
       key = key->next)
    if (key->result == 0 && key->fpr != NULL)
      {
        g_hash_table_add (engine->trusted, g_strdup (key->fpr));
        n_keys++;
      }
  if (n_keys == 0)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_KEYRING_ERROR,
                      "%s holds no public keys; put the output of “gpg --export KEY” there", what);
  return TRUE;
}

/* ---- verification ---- */

typedef struct
{
  GByteArray *bytes; /* (owned) */
  gboolean full;
} Output;

static void
output_clear (Output *output)
{
  g_clear_pointer (&output->bytes, g_byte_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Output, output_clear)

static ssize_t
write_output (void *handle, const void *buffer, size_t size)
{
  Output *output = handle;

  /* A few kB of a compressed message can become any number of bytes. */
  if (size > ATM_PAYLOAD_MAX_BYTES - output->bytes->len)
    {
      output->full = TRUE;
      errno = EFBIG;
      return -1;
    }
  g_byte_array_append (output->bytes, buffer, (guint) size);
  return (ssize_t) size;
}

static gboolean
is_fingerprint (const char *text)
{
  gsize length = text != NULL ? strlen (text) : 0;

  return (length == 40 || length == 64) && strspn (text, "0123456789ABCDEF") == length;
}

static gboolean
is_strong (gpgme_hash_algo_t algorithm)
{
  /* gpgme has no names for SHA-3, and OpenPGP version 4 no numbers. */
  return algorithm == GPGME_MD_SHA224 || algorithm == GPGME_MD_SHA256
         || algorithm == GPGME_MD_SHA384 || algorithm == GPGME_MD_SHA512;
}

#define AGAIN "ask for a new signature"

/* Why gpg itself does not accept the signature; TRUE if it does. */
static gboolean
check_status (const struct _gpgme_signature *signature, GError **reason_out)
{
  const char *key = signature->fpr != NULL ? signature->fpr : "an unnamed key";

  switch (gpgme_err_code (signature->status))
    {
    case GPG_ERR_NO_ERROR:
      return TRUE;
    case GPG_ERR_NO_PUBKEY:
      return atm_throw (
          reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNKNOWN_KEY,
          "signed by key %s, which is not among the keys of this requirement; compare "
          "it with what the publisher says, and add it there if it is the same",
          key);
    case GPG_ERR_SIG_EXPIRED:
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_EXPIRED_SIGNATURE,
                        "the signature by key %s has expired; " AGAIN, key);
    case GPG_ERR_KEY_EXPIRED:
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_EXPIRED_KEY,
                        "key %s has expired; if the publisher has prolonged it, store the new "
                        "export of the key",
                        key);
    case GPG_ERR_CERT_REVOKED:
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REVOKED_KEY,
                        "key %s was revoked by its owner; " AGAIN " with a new key", key);
    case GPG_ERR_DIGEST_ALGO:
      return atm_throw (
          reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_WEAK_DIGEST,
          "the signature by key %s uses a digest that can be forged; " AGAIN " with SHA-256", key);
    case GPG_ERR_BAD_SIGNATURE:
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_BAD_SIGNATURE,
                        "the signature by key %s is wrong: it or what was signed was altered, or "
                        "the two do not belong together; fetch it again",
                        key);
    default:
      {
        char text[256] = "";

        (void) gpgme_strerror_r (signature->status, text, sizeof text);
        return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_BAD_SIGNATURE,
                          "the signature by key %s is not valid (%s); " AGAIN, key, text);
      }
    }
}

/* A subkey signs for its primary key, and the policy names primary keys. */
static gboolean
check_key (AtmOpenpgp *engine, const char *fingerprint, char **primary_out, GError **reason_out)
{
  g_auto (gpgme_key_t) key = NULL;
  gpgme_error_t result = gpgme_get_key (engine->context, fingerprint, &key, 0);

  if (result != 0 || key == NULL || !is_fingerprint (key->fpr)
      || !g_hash_table_contains (engine->trusted, key->fpr))
    return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNKNOWN_KEY,
                      "signed by key %s, which belongs to none of the keys of this requirement",
                      fingerprint);
  *primary_out = g_strdup (key->fpr);
  return TRUE;
}

/* What gpg says of bytes that are not one signed message. Any other failure is gpg's own, and no
   answer to the question. */
static gboolean
is_format_error (gpgme_error_t result)
{
  switch (gpgme_err_code (result))
    {
    case GPG_ERR_NO_DATA:
    case GPG_ERR_BAD_DATA:
    case GPG_ERR_INV_PACKET:
    case GPG_ERR_UNKNOWN_PACKET:
      return TRUE;
    default:
      return FALSE;
    }
}

static void
keep_claim (AtmOpenpgp *engine, const struct _gpgme_signature *signature)
{
  g_clear_pointer (&engine->claim.key, g_free);
  engine->claim.created_unix = 0;
  if (signature == NULL || signature->next != NULL)
    return;
  engine->claim.key = g_strdup (signature->fpr);
  engine->claim.created_unix = (gint64) signature->timestamp;
}

const AtmSignatureClaim *
atm_openpgp_get_claim (const AtmOpenpgp *engine)
{
  return &engine->claim;
}

/* The table of trust.md 8.3, in its order; @output is NULL of a detached signature. */
static gboolean
check_result (AtmOpenpgp *engine, gpgme_error_t result, const Output *output, char **primary_out,
              gint64 *created_out, GError **reason_out)
{
  gpgme_verify_result_t verified = gpgme_op_verify_result (engine->context);
  const struct _gpgme_signature *signature = verified != NULL ? verified->signatures : NULL;

  keep_claim (engine, signature);
  if (output != NULL && output->full)
    return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "the message unpacks to more than %d bytes, so it is no simple signature",
                      ATM_PAYLOAD_MAX_BYTES);
  if (result != 0 || signature == NULL)
    {
      char text[256] = "no signature in it";

      if (result != 0)
        (void) gpgme_strerror_r (result, text, sizeof text);
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_SIGNATURE_FORMAT,
                        "%s (%s); " AGAIN,
                        output != NULL ? "not one signed message" : "not one signature", text);
    }
  if (signature->next != NULL)
    {
      guint n = 0;

      for (gpgme_signature_t s = verified->signatures; s != NULL; s = s->next)
        n++;
      return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_BAD_SIGNATURE,
                        "%u signatures in one message; store each signature in a file of its own",
                        n);
    }
  if (!check_status (signature, reason_out))
    return FALSE;
  if (signature->validity == GPGME_VALIDITY_NEVER || signature->validity_reason != 0
      || signature->wrong_key_usage)
    return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_BAD_SIGNATURE,
                      "key %s may not sign; " AGAIN " with a signing key",
                      signature->fpr != NULL ? signature->fpr : "");
  /* Of a signature that is wrong gpgme knows only a key ID, which can be made to collide. */
  if (!is_fingerprint (signature->fpr))
    return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_BAD_SIGNATURE,
                      "gpg does not tell the full fingerprint of the key");
  if (!check_key (engine, signature->fpr, primary_out, reason_out))
    return FALSE;
  if (!is_strong (signature->hash_algo))
    return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_WEAK_DIGEST,
                      "the signature by key %s uses a digest that can be forged; " AGAIN
                      " with SHA-256",
                      signature->fpr);
  if (output != NULL && output->bytes->len == 0)
    return atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_PAYLOAD_INVALID,
                      "the signed message is empty; " AGAIN);
  *created_out = (gint64) signature->timestamp;
  return TRUE;
}

static gboolean
run_verify (AtmOpenpgp *engine, GBytes *message, Output *output, gpgme_error_t *result_out,
            GCancellable *cancellable, GError **error)
{
  struct gpgme_data_cbs callbacks = { .write = write_output };
  gsize length = 0;
  const char *data = g_bytes_get_data (message, &length);
  g_auto (gpgme_data_t) input = NULL, plain = NULL;
  gpgme_error_t result = gpgme_data_new_from_mem (&input, data, length, 0);

  if (result == 0)
    result = gpgme_data_new_from_cbs (&plain, &callbacks, output);
  if (result == 0)
    result = gpgme_op_verify_start (engine->context, input, NULL, plain);
  if (result != 0)
    return fail_gpg (error, "Starting " GPG_PROGRAM, result);
  return atm_gpg_wait_run (engine->wait, ATM_OPENPGP_SECONDS_MAX, result_out, cancellable, error);
}

gboolean
atm_openpgp_verify (AtmOpenpgp *engine, GBytes *message, AtmSignedMessage **signed_out,
                    GError **reason_out, GCancellable *cancellable, GError **error)
{
  g_auto (Output) output = { .bytes = g_byte_array_new () };
  g_autoptr (AtmSignedMessage) accepted = g_new0 (AtmSignedMessage, 1);
  gpgme_error_t result = 0;

  *signed_out = NULL;
  if (!run_verify (engine, message, &output, &result, cancellable, error))
    return atm_refusal_convert (error, ATM_TRUST_ERROR_KEYRING_ERROR);
  if (result != 0 && !output.full && !is_format_error (result))
    return fail_gpg (error, GPG_PROGRAM " failed; look for damage of GnuPG or a full disk", result);
  if (!check_result (engine, result, &output, &accepted->fingerprint, &accepted->created_unix,
                     reason_out))
    return TRUE;
  accepted->payload = g_byte_array_free_to_bytes (g_steal_pointer (&output.bytes));
  *signed_out = g_steal_pointer (&accepted);
  return TRUE;
}

static gboolean
run_verify_detached (AtmOpenpgp *engine, GBytes *data, GBytes *signature, gpgme_error_t *result_out,
                     GCancellable *cancellable, GError **error)
{
  gsize length = 0, signature_length = 0;
  const char *text = g_bytes_get_data (data, &length),
             *signature_text = g_bytes_get_data (signature, &signature_length);
  g_auto (gpgme_data_t) input = NULL, plain = NULL;
  gpgme_error_t result = gpgme_data_new_from_mem (&input, signature_text, signature_length, 0);

  if (result == 0)
    result = gpgme_data_new_from_mem (&plain, text, length, 0);
  if (result == 0)
    result = gpgme_op_verify_start (engine->context, input, plain, NULL);
  if (result != 0)
    return fail_gpg (error, "Starting " GPG_PROGRAM, result);
  return atm_gpg_wait_run (engine->wait, ATM_OPENPGP_SECONDS_MAX, result_out, cancellable, error);
}

/* The tags of a signature packet, old and new (trust.md 8.1). gpg would take armor, and a message
   that holds both, too. */
static gboolean
is_signature_packet (GBytes *signature)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data (signature, &length);

  return length > 0 && ((data[0] >= 0x88 && data[0] <= 0x8b) || data[0] == 0xc2);
}

gboolean
atm_openpgp_verify_detached (AtmOpenpgp *engine, GBytes *data, GBytes *signature,
                             AtmSignedMessage **signed_out, GError **reason_out,
                             GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmSignedMessage) accepted = g_new0 (AtmSignedMessage, 1);
  gpgme_error_t result = 0;

  *signed_out = NULL;
  if (!is_signature_packet (signature))
    {
      (void) atm_throw (reason_out, ATM_TRUST_ERROR, ATM_TRUST_ERROR_SIGNATURE_FORMAT,
                        "not a binary OpenPGP signature; " AGAIN);
      return TRUE;
    }
  if (!run_verify_detached (engine, data, signature, &result, cancellable, error))
    return atm_refusal_convert (error, ATM_TRUST_ERROR_KEYRING_ERROR);
  if (result != 0 && !is_format_error (result))
    return fail_gpg (error, GPG_PROGRAM " failed; look for damage of GnuPG or a full disk", result);
  if (check_result (engine, result, NULL, &accepted->fingerprint, &accepted->created_unix,
                    reason_out))
    *signed_out = g_steal_pointer (&accepted);
  return TRUE;
}

gpgme_ctx_t
atm_openpgp_get_context (AtmOpenpgp *engine)
{
  return engine->context;
}

void
atm_signed_message_free (AtmSignedMessage *message)
{
  if (message == NULL)
    return;
  g_free (message->fingerprint);
  g_clear_pointer (&message->payload, g_bytes_unref);
  g_free (message);
}
