/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/trust-key.h"

#include <errno.h>
#include <fcntl.h>
#include <libsoup/soup.h>
#include <string.h>

#include "ops/gpg-home.h"
#include "registry/proxy.h"
#include "trust/key-list.h"
#include "trust/keyring.h"
#include "trust/signer.h"
#include "trust/trust.h"
#include "trust/trusted-file.h"
#include "util/error.h"
#include "util/fd.h"

#define TIMEOUT_SECONDS 60

/* ---- fetching ---- */

static GProxyResolver *
new_proxies (const AtmSystem *system)
{
  g_auto (GStrv) environment = g_get_environ ();

  if (system->http_proxy != NULL)
    environment = g_environ_setenv (environment, "http_proxy", system->http_proxy, TRUE);
  if (system->https_proxy != NULL)
    environment = g_environ_setenv (environment, "https_proxy", system->https_proxy, TRUE);
  if (system->no_proxy != NULL)
    environment = g_environ_setenv (environment, "no_proxy", system->no_proxy, TRUE);
  return atm_proxy_resolver_new (environment);
}

/* Redirects are not followed: what is asked for is where the publisher says the key is. */
static gboolean
fetch (const AtmSystem *system, const char *url, GBytes **bytes_out, GCancellable *cancellable,
       GError **error)
{
  g_autoptr (GProxyResolver) proxies = new_proxies (system);
  g_autoptr (SoupSession) session
      = soup_session_new_with_options ("proxy-resolver", proxies, "timeout", TIMEOUT_SECONDS, NULL);
  g_autoptr (SoupMessage) message = soup_message_new (SOUP_METHOD_GET, url);
  g_autoptr (GInputStream) body = NULL;

  if (message == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s is no URL", url);
  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  body = soup_session_send (session, message, cancellable, error);
  if (body == NULL)
    return atm_prefix_error (error, "Fetching the key %s", url);
  if (soup_message_get_status (message) != SOUP_STATUS_OK)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                      "Fetching the key %s: the server answers %u, not 200; redirects are not "
                      "followed, so name where the key is in the end",
                      url, (guint) soup_message_get_status (message));
  if (!atm_read_stream (body, ATM_KEYRING_MAX_BYTES, bytes_out, cancellable, error))
    return atm_prefix_error (error, "Fetching the key %s", url);
  return TRUE;
}

static gboolean
find (const AtmSystem *system, const char *word, GBytes **bytes_out, GCancellable *cancellable,
      GError **error)
{
  g_autofree char *home = NULL;

  if (g_str_has_prefix (word, "https:") || g_str_has_prefix (word, "http:"))
    return fetch (system, word, bytes_out, cancellable, error);
  if (g_file_test (word, G_FILE_TEST_EXISTS))
    return atm_read_file_at (AT_FDCWD, word, TRUE, ATM_KEYRING_MAX_BYTES, bytes_out, error);
  home = atm_gpg_home_dup (system, NULL);
  if (!atm_signer_export (home, word, TRUE, bytes_out, error))
    return atm_prefix_error (error, "There is no file “%s”", word);
  return TRUE;
}

/* ---- trying ---- */

static gboolean
show (const AtmSystem *system, GBytes *keyring, const char *what, const AtmReport *report,
      GError **error)
{
  g_autoptr (AtmOpenpgp) engine = NULL;
  g_autoptr (GPtrArray) keys = NULL;

  if (!atm_openpgp_new (system->run_dir, &engine, error)
      || !atm_openpgp_import (engine, keyring, what, error)
      || !atm_key_list_read (engine, &keys, error))
    return FALSE;
  for (guint i = 0; i < keys->len; i++)
    {
      const AtmKey *key = g_ptr_array_index (keys, i);

      atm_report (report, ATM_REPORT_NOTICE, "%s: key %s, %s%s", what, key->fingerprint,
                  key->user_id,
                  key->revoked   ? "; it was revoked and opens nothing"
                  : key->expired ? "; it has expired and opens nothing"
                                 : "");
    }
  return TRUE;
}

gboolean
atm_trust_key_load (const AtmSystem *system, const char *word, const AtmReport *report,
                    AtmPolicyKey **key_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmPolicyKey) key = g_new0 (AtmPolicyKey, 1);

  if (!find (system, word, &key->data, cancellable, error)
      || !show (system, key->data, word, report, error))
    return FALSE;
  *key_out = g_steal_pointer (&key);
  return TRUE;
}

gboolean
atm_trust_key_load_file (const AtmSystem *system, const char *path, const AtmReport *report,
                         AtmPolicyKey **key_out, GError **error)
{
  g_autoptr (AtmPolicyKey) key = g_new0 (AtmPolicyKey, 1);
  g_autoptr (GBytes) keyring = NULL;

  key->path = g_canonicalize_filename (path, NULL);
  if (!atm_trusted_file_read (key->path, ATM_KEYRING_MAX_BYTES, &keyring, error)
      || !show (system, keyring, key->path, report, error))
    return FALSE;
  *key_out = g_steal_pointer (&key);
  return TRUE;
}

gboolean
atm_trust_key_join (const AtmSystem *system, GPtrArray *keys, AtmPolicyKey **key_out,
                    GError **error)
{
  g_autoptr (AtmPolicyKey) joined = g_new0 (AtmPolicyKey, 1);
  g_autoptr (AtmOpenpgp) engine = NULL;

  if (!atm_openpgp_new (system->run_dir, &engine, error))
    return FALSE;
  for (guint i = 0; i < keys->len; i++)
    {
      const AtmPolicyKey *key = g_ptr_array_index (keys, i);

      if (!atm_openpgp_import (engine, key->data, "the key", error))
        return FALSE;
    }
  if (!atm_key_list_export (engine, &joined->data, error))
    return FALSE;
  *key_out = g_steal_pointer (&joined);
  return TRUE;
}
