/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/key-list.h"

#include <string.h>

#include "trust/trust.h"
#include "util/error.h"

G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_ctx_t, gpgme_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_data_t, gpgme_data_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gpgme_key_t, gpgme_key_unref, NULL)

void
atm_key_free (AtmKey *key)
{
  if (key == NULL)
    return;
  g_free (key->fingerprint);
  g_free (key->user_id);
  g_free (key->address);
  g_free (key);
}

static AtmKey *
read_key (gpgme_key_t from)
{
  AtmKey *key = g_new0 (AtmKey, 1);

  key->fingerprint = g_strdup (from->fpr);
  key->user_id = g_strdup (from->uids != NULL ? from->uids->uid : "");
  if (from->uids != NULL && from->uids->address != NULL && *from->uids->address != '\0')
    key->address = g_strdup (from->uids->address);
  key->expired = from->expired;
  key->revoked = from->revoked;
  key->expires_unix = from->subkeys != NULL ? from->subkeys->expires : 0;
  return key;
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  const AtmKey *first = *(const AtmKey *const *) a, *second = *(const AtmKey *const *) b;

  return strcmp (first->fingerprint, second->fingerprint);
}

static gboolean
fail_gpg (GError **error, const char *what, gpgme_error_t result)
{
  char reason[256] = "";

  (void) gpgme_strerror_r (result, reason, sizeof reason);
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_KEYRING_ERROR, "%s: %s", what, reason);
}

/* A second context on the same home: in one whose I/O is ours gpgme hands keys to our callbacks,
   and gpgme_op_keylist_next() gets none. */
static gpgme_error_t
open_beside (AtmOpenpgp *engine, gpgme_ctx_t *context_out)
{
  gpgme_engine_info_t info = gpgme_ctx_get_engine_info (atm_openpgp_get_context (engine));
  gpgme_error_t result = gpgme_new (context_out);

  while (info != NULL && info->protocol != GPGME_PROTOCOL_OpenPGP)
    info = info->next;
  if (info == NULL)
    return gpgme_error (GPG_ERR_INV_ENGINE);
  if (result == 0)
    result = gpgme_ctx_set_engine_info (*context_out, GPGME_PROTOCOL_OpenPGP, info->file_name,
                                        info->home_dir);
  if (result == 0)
    gpgme_set_offline (*context_out, 1);
  return result;
}

gboolean
atm_key_list_read (AtmOpenpgp *engine, GPtrArray **keys_out, GError **error)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_key_free);
  g_auto (gpgme_ctx_t) context = NULL;
  gpgme_error_t result = open_beside (engine, &context);

  if (result == 0)
    result = gpgme_op_keylist_start (context, NULL, 0);
  while (result == 0)
    {
      g_auto (gpgme_key_t) key = NULL;

      result = gpgme_op_keylist_next (context, &key);
      if (result == 0 && key->fpr != NULL)
        g_ptr_array_add (keys, read_key (key));
    }
  if (context != NULL)
    (void) gpgme_op_keylist_end (context);
  if (gpgme_err_code (result) != GPG_ERR_EOF)
    return fail_gpg (error, "Listing the keys", result);
  g_ptr_array_sort (keys, compare_keys);
  *keys_out = g_steal_pointer (&keys);
  return TRUE;
}

gboolean
atm_key_list_export (AtmOpenpgp *engine, GBytes **keyring_out, GError **error)
{
  g_auto (gpgme_data_t) output = NULL;
  gpgme_error_t result = gpgme_data_new (&output);
  char *data = NULL;
  size_t length = 0;

  if (result == 0)
    result = gpgme_op_export (atm_openpgp_get_context (engine), NULL, 0, output);
  if (result != 0)
    return fail_gpg (error, "Exporting the keys", result);
  data = gpgme_data_release_and_get_mem (g_steal_pointer (&output), &length);
  *keyring_out = g_bytes_new (data, length);
  gpgme_free (data);
  return TRUE;
}
