/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/credentials.h"

#include <string.h>

#include "util/error.h"

struct _AtmCredentials
{
  gatomicrefcount references;
  char *user;          /* (owned) (nullable): of --creds */
  char *password;      /* (owned) (nullable) */
  GPtrArray *warnings; /* (owned) (element-type utf8) */
};

static void
wipe (char *secret)
{
  if (secret != NULL)
    explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

void
atm_credential_free (AtmCredential *credential)
{
  if (credential == NULL)
    return;
  g_free (credential->user);
  wipe (credential->password);
  wipe (credential->identity_token);
  wipe (credential->registry_token);
  g_free (credential->source);
  g_free (credential);
}

AtmCredentials *
atm_credentials_ref (AtmCredentials *self)
{
  g_atomic_ref_count_inc (&self->references);
  return self;
}

void
atm_credentials_unref (AtmCredentials *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->references))
    return;
  g_free (self->user);
  wipe (self->password);
  g_ptr_array_unref (self->warnings);
  g_free (self);
}

gboolean
atm_credentials_new (const AtmCredentialOptions *options, AtmCredentials **credentials_out,
                     GError **error)
{
  g_autoptr (AtmCredentials) self = g_new0 (AtmCredentials, 1);
  const char *colon = NULL;

  g_atomic_ref_count_init (&self->references);
  self->warnings = g_ptr_array_new_with_free_func (g_free);
  if (options->creds != NULL && *options->creds != '\0')
    {
      colon = strchr (options->creds, ':');
      if (colon == NULL || colon == options->creds)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                          "“--creds” wants USER:PASSWORD");
      self->user = g_strndup (options->creds, (gsize) (colon - options->creds));
      self->password = g_strdup (colon + 1);
    }
  *credentials_out = g_steal_pointer (&self);
  return TRUE;
}

gboolean
atm_credentials_look_up (AtmCredentials *self, const AtmImageName *logical,
                         const AtmImageName *physical, AtmCredential **credential_out,
                         GCancellable *cancellable, GError **error)
{
  AtmCredential *credential = NULL;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (self->user != NULL && g_str_equal (logical->domain, physical->domain))
    {
      credential = g_new0 (AtmCredential, 1);
      credential->user = g_strdup (self->user);
      credential->password = g_strdup (self->password);
      credential->source = g_strdup ("--creds");
      credential->is_explicit = TRUE;
    }
  *credential_out = credential;
  return TRUE;
}

GPtrArray *
atm_credentials_steal_warnings (AtmCredentials *self)
{
  GPtrArray *warnings = self->warnings;

  self->warnings = g_ptr_array_new_with_free_func (g_free);
  return warnings;
}

char *
atm_credentials_dup_places (AtmCredentials *self)
{
  return g_strdup (self->user != NULL ? "--creds" : "");
}
