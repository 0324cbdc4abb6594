/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/signer.h"

#include <errno.h>
#include <gpgme.h>
#include <string.h>

#include "trust/gpg-wait.h"
#include "util/error.h"
#include "util/text.h"

G_DEFINE_QUARK (atm_signer_error, atm_signer_error)

G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_ctx_t, gpgme_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_data_t, gpgme_data_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_key_t, gpgme_key_unref, NULL)

#define GPG_PROGRAM "/usr/bin/gpg"
/* Somebody may have to find a smart card, and its PIN. */
#define SECONDS_MAX 600

struct _AtmSigner
{
  gpgme_ctx_t context;         /* (owned) (nullable) */
  AtmGpgWait *wait;            /* (owned) (nullable) */
  gpgme_key_t key;             /* (owned) (nullable) */
  const AtmSecret *passphrase; /* (borrowed) (nullable) */
};

static gboolean
fail_gpg (GError **error, const char *what, gpgme_error_t result)
{
  char reason[256] = "";

  (void) gpgme_strerror_r (result, reason, sizeof reason);
  return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_GPG, "%s: %s", what, reason);
}

static gboolean
open_context (const char *home, gpgme_ctx_t *context_out, GError **error)
{
  g_auto (gpgme_ctx_t) context = NULL;
  gpgme_error_t result = 0;

  (void) gpgme_check_version (NULL);
  result = gpgme_new (&context);
  if (result == 0)
    result = gpgme_set_protocol (context, GPGME_PROTOCOL_OpenPGP);
  if (result == 0)
    result = gpgme_ctx_set_engine_info (context, GPGME_PROTOCOL_OpenPGP, GPG_PROGRAM, home);
  if (result != 0)
    return fail_gpg (error, GPG_PROGRAM " cannot be used; install GnuPG", result);
  gpgme_set_offline (context, 1);
  gpgme_set_armor (context, 0);
  gpgme_set_textmode (context, 0);
  *context_out = g_steal_pointer (&context);
  return TRUE;
}

/* ---- keys ---- */

static const char *
find_fault (const struct _gpgme_key *key)
{
  if (key->revoked)
    return "was revoked; sign with another key";
  if (key->expired)
    return "has expired; prolong it (gpg --quick-set-expire) or sign with another key";
  if (key->disabled || key->invalid)
    return "is disabled or not valid in this key ring";
  if (!key->can_sign)
    return "has no part that can sign; add a signing subkey or choose another key";
  return NULL;
}

static gboolean
find_key (gpgme_ctx_t context, const char *home, const char *pattern, gboolean secret,
          gpgme_key_t *key_out, GError **error)
{
  g_auto (gpgme_key_t) key = NULL;
  g_autofree char *safe = atm_text_escape (pattern);
  const char *kind = secret ? "secret" : "public";
  /* gpg would read “-…” as an option. */
  gpgme_error_t result = *pattern != '-' ? gpgme_get_key (context, pattern, &key, secret)
                                         : gpgme_error (GPG_ERR_INV_VALUE);

  switch (gpgme_err_code (result))
    {
    case GPG_ERR_NO_ERROR:
      break;
    case GPG_ERR_EOF:
    case GPG_ERR_INV_VALUE:
      return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_KEY,
                        "There is no %s key “%s” in %s; `gpg --homedir %s --list-%s-keys` lists "
                        "what there is",
                        kind, safe, home, home, kind);
    case GPG_ERR_AMBIGUOUS_NAME:
      return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_KEY,
                        "“%s” means more than one %s key in %s; name one by its fingerprint", safe,
                        kind, home);
    default:
      return fail_gpg (error, "Looking for the key", result);
    }
  if (key->fpr == NULL)
    return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_KEY,
                      "The key “%s” has no fingerprint", safe);
  *key_out = g_steal_pointer (&key);
  return TRUE;
}

gboolean
atm_signer_export (const char *home, const char *key, gboolean armored, GBytes **keyring_out,
                   GError **error)
{
  g_auto (gpgme_ctx_t) context = NULL;
  g_auto (gpgme_key_t) found = NULL;
  g_auto (gpgme_data_t) output = NULL;
  gpgme_error_t result = 0;
  char *data = NULL;
  size_t length = 0;

  if (!open_context (home, &context, error) || !find_key (context, home, key, FALSE, &found, error))
    return FALSE;
  gpgme_set_armor (context, armored);
  result = gpgme_data_new (&output);
  if (result == 0)
    result = gpgme_op_export (context, found->fpr, 0, output);
  if (result != 0)
    return fail_gpg (error, "Exporting the key", result);
  data = gpgme_data_release_and_get_mem (g_steal_pointer (&output), &length);
  *keyring_out = g_bytes_new (data, length);
  gpgme_free (data);
  return TRUE;
}

/* ---- signing ---- */

/* gpg has no terminal of ours to ask on; it is told once and never again. */
static gpgme_error_t
give_passphrase (void *data, G_GNUC_UNUSED const char *hint, G_GNUC_UNUSED const char *info,
                 int bad_before, int fd)
{
  const AtmSigner *signer = data;

  if (bad_before)
    return gpgme_error (GPG_ERR_BAD_PASSPHRASE);
  if (gpgme_io_writen (fd, signer->passphrase, strlen (signer->passphrase)) != 0
      || gpgme_io_writen (fd, "\n", 1) != 0)
    return gpgme_error_from_errno (errno);
  return 0;
}

gboolean
atm_signer_open (const char *home, const char *key, const AtmSecret *passphrase,
                 AtmSigner **signer_out, GError **error)
{
  g_autoptr (AtmSigner) signer = g_new0 (AtmSigner, 1);
  const char *fault = NULL;
  gpgme_error_t result = 0;

  if (!open_context (home, &signer->context, error)
      || !find_key (signer->context, home, key, TRUE, &signer->key, error))
    return FALSE;
  fault = find_fault (signer->key);
  if (fault != NULL)
    return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_KEY, "The key %s %s",
                      signer->key->fpr, fault);
  result = gpgme_signers_add (signer->context, signer->key);
  if (result != 0)
    return fail_gpg (error, "Choosing the key", result);
  signer->passphrase = passphrase;
  if (passphrase != NULL)
    {
      (void) gpgme_set_pinentry_mode (signer->context, GPGME_PINENTRY_MODE_LOOPBACK);
      gpgme_set_passphrase_cb (signer->context, give_passphrase, signer);
    }
  signer->wait = atm_gpg_wait_new (signer->context);
  *signer_out = g_steal_pointer (&signer);
  return TRUE;
}

void
atm_signer_free (AtmSigner *signer)
{
  if (signer == NULL)
    return;
  if (signer->key != NULL)
    gpgme_key_unref (signer->key);
  /* The context before the wait, as it may still use the descriptors that are watched. */
  if (signer->context != NULL)
    gpgme_release (signer->context);
  atm_gpg_wait_free (signer->wait);
  g_free (signer);
}

const char *
atm_signer_get_fingerprint (const AtmSigner *signer)
{
  return signer->key->fpr;
}

static gboolean
check_signed (const AtmSigner *signer, gpgme_error_t result, GError **error)
{
  gpgme_sign_result_t made = gpgme_op_sign_result (signer->context);

  switch (gpgme_err_code (result))
    {
    case GPG_ERR_NO_ERROR:
      break;
    case GPG_ERR_BAD_PASSPHRASE:
      return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_GPG,
                        "The passphrase of the key %s is wrong", signer->key->fpr);
    case GPG_ERR_CANCELED:
      return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_GPG,
                        "Nobody gave the passphrase of the key %s", signer->key->fpr);
    default:
      return fail_gpg (error,
                       "gpg did not sign; without a terminal for its pinentry name the passphrase "
                       "with --passphrase-file, or set GPG_TTY",
                       result);
    }
  if (made == NULL || made->signatures == NULL || made->signatures->next != NULL
      || made->signatures->type != GPGME_SIG_MODE_NORMAL)
    return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_GPG,
                      "gpg did not make just one signature with the key %s", signer->key->fpr);
  return TRUE;
}

gboolean
atm_signer_sign (AtmSigner *signer, GBytes *payload, GBytes **message_out,
                 GCancellable *cancellable, GError **error)
{
  g_auto (gpgme_data_t) input = NULL, output = NULL;
  gsize length = 0;
  const char *data = g_bytes_get_data (payload, &length);
  gpgme_error_t result = gpgme_data_new_from_mem (&input, data, length, 0);
  char *message = NULL;
  size_t message_length = 0;

  if (result == 0)
    result = gpgme_data_new (&output);
  if (result == 0)
    result = gpgme_op_sign_start (signer->context, input, output, GPGME_SIG_MODE_NORMAL);
  if (result != 0)
    return fail_gpg (error, "Starting " GPG_PROGRAM, result);
  if (!atm_gpg_wait_run (signer->wait, SECONDS_MAX, &result, cancellable, error)
      || !check_signed (signer, result, error))
    return FALSE;
  message = gpgme_data_release_and_get_mem (g_steal_pointer (&output), &message_length);
  *message_out = g_bytes_new (message, message_length);
  gpgme_free (message);
  return TRUE;
}
