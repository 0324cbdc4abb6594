/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/auth.h"

#include "image/source.h"
#include "registry/token.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/text.h"

/* A token is given up this long before its end, or when half of its life is over, if that is
   later: the request that it goes with takes time. */
#define EARLY_SEC 10

struct _AtmAuth
{
  AtmRegistryContext *context;  /* (borrowed) */
  const AtmImageName *logical;  /* (borrowed) */
  const AtmImageName *physical; /* (borrowed) */
  gboolean insecure;
  const AtmCerts *certs; /* (borrowed) (nullable) */

  GMutex lock;               /* of all below; held while a token is fetched */
  AtmChallenge *challenge;   /* (owned) (nullable): what the endpoint wants to be asked with */
  gboolean was_looked_up;    /* @credential is known */
  AtmCredential *credential; /* (owned) (nullable) */
  gboolean was_refused;      /* the token server did not take it; we go on without */
  char *wider_scope;         /* (owned) (nullable) */
  AtmToken token;
  gint64 end_usec; /* of @token, monotonic */
  char *refresh;   /* (owned) (nullable): secret */
  guint serial;    /* of the leave that is given out */
};

AtmAuth *
atm_auth_new (AtmRegistryContext *context, const AtmImageName *logical,
              const AtmImageName *physical, gboolean insecure, const AtmCerts *certs)
{
  AtmAuth *self = g_new0 (AtmAuth, 1);

  self->context = context;
  self->logical = logical;
  self->physical = physical;
  self->insecure = insecure;
  self->certs = certs;
  g_mutex_init (&self->lock);
  return self;
}

void
atm_auth_free (AtmAuth *self)
{
  if (self == NULL)
    return;
  g_mutex_clear (&self->lock);
  g_clear_pointer (&self->challenge, atm_challenge_free);
  g_clear_pointer (&self->credential, atm_credential_free);
  g_free (self->wider_scope);
  atm_token_clear (&self->token);
  atm_secret_free (self->refresh);
  g_free (self);
}

void
atm_leave_clear (AtmLeave *leave)
{
  g_clear_pointer (&leave->authorization, atm_secret_free);
  leave->serial = 0;
}

static void
take_challenges (AtmAuth *self, const char *challenges)
{
  g_clear_pointer (&self->challenge, atm_challenge_free);
  self->challenge = atm_challenge_parse (challenges);
}

void
atm_auth_learn (AtmAuth *self, const char *challenges)
{
  g_mutex_lock (&self->lock);
  take_challenges (self, challenges);
  g_mutex_unlock (&self->lock);
}

/* Only when an endpoint wants to know who we are: it may start a program. */
static gboolean
look_up (AtmAuth *self, GCancellable *cancellable, GError **error)
{
  AtmCredentials *credentials = self->context->credentials;
  g_autoptr (GPtrArray) warnings = NULL;

  if (self->was_looked_up || credentials == NULL)
    return TRUE;
  if (!atm_credentials_look_up (credentials, self->logical, self->physical, &self->credential,
                                cancellable, error))
    return FALSE;
  self->was_looked_up = TRUE;
  warnings = atm_credentials_steal_warnings (credentials);
  for (guint i = 0; i < warnings->len; i++)
    atm_registry_context_warn (self->context, "%s", (const char *) warnings->pdata[i]);
  return TRUE;
}

static const AtmCredential *
get_credential (AtmAuth *self)
{
  return self->was_refused ? NULL : self->credential;
}

static gboolean
fetch_token (AtmAuth *self, AtmToken *token_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *scope = g_strconcat ("repository:", self->physical->path, ":pull", NULL);
  const char *const scopes[] = { scope, self->wider_scope, NULL };
  const AtmTokenRequest request = {
    .challenge = self->challenge,
    .scopes = scopes,
    .credential = get_credential (self),
    .refresh = self->was_refused ? NULL : self->refresh,
    .insecure = self->insecure,
    .certs = self->certs,
  };

  return atm_token_fetch (self->context, &request, token_out, cancellable, error);
}

/* A password that has been changed since must not keep anybody from a public image; but one that
   was given with the command is not ignored. */
static gboolean
fetch_token_or_go_without (AtmAuth *self, const char *host, AtmToken *token_out,
                           GCancellable *cancellable, GError **error)
{
  const AtmCredential *credential = get_credential (self);
  g_autoptr (GError) local = NULL;

  if (fetch_token (self, token_out, cancellable, &local))
    return TRUE;
  if (g_error_matches (local, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED) && credential != NULL
      && !credential->is_explicit)
    {
      self->was_refused = TRUE;
      if (fetch_token (self, token_out, cancellable, NULL))
        {
          atm_registry_context_warn (self->context,
                                     "%s; going on without them. Correct or remove them for %s",
                                     local->message, host);
          return TRUE;
        }
      self->was_refused = FALSE;
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
renew (AtmAuth *self, const char *host, GCancellable *cancellable, GError **error)
{
  g_auto (AtmToken) token = { 0 };
  guint64 life_sec = 0;

  if (!fetch_token_or_go_without (self, host, &token, cancellable, error))
    return FALSE;
  life_sec = MAX (token.life_sec - MIN (token.life_sec, EARLY_SEC), token.life_sec / 2);
  self->end_usec = g_get_monotonic_time () + (gint64) life_sec * G_USEC_PER_SEC;
  if (token.refresh != NULL)
    {
      atm_secret_free (self->refresh);
      self->refresh = g_steal_pointer (&token.refresh);
    }
  atm_token_clear (&self->token);
  self->token = token;
  token = (AtmToken){ 0 };
  self->serial++;
  return TRUE;
}

static gboolean
get_authorization (AtmAuth *self, const char *host, char **authorization_out,
                   GCancellable *cancellable, GError **error)
{
  const AtmCredential *credential = NULL;

  if (self->challenge == NULL || (self->challenge->realm == NULL && !self->challenge->basic))
    return TRUE;
  if (!look_up (self, cancellable, error))
    return FALSE;
  credential = get_credential (self);

  if (credential != NULL && credential->registry_token != NULL)
    *authorization_out = g_strconcat ("Bearer ", credential->registry_token, NULL);
  else if (self->challenge->realm != NULL)
    {
      if ((self->token.authorization == NULL || g_get_monotonic_time () >= self->end_usec)
          && !renew (self, host, cancellable, error))
        return FALSE;
      *authorization_out = g_strdup (self->token.authorization);
    }
  else if (credential != NULL && credential->user != NULL && credential->password != NULL)
    *authorization_out = atm_token_make_basic (credential->user, credential->password);
  return TRUE;
}

gboolean
atm_auth_get_leave (AtmAuth *self, const char *host, AtmLeave *leave_out, GCancellable *cancellable,
                    GError **error)
{
  g_auto (AtmLeave) leave = { 0 };
  gboolean ok = FALSE;

  g_mutex_lock (&self->lock);
  ok = get_authorization (self, host, &leave.authorization, cancellable, error);
  leave.serial = self->serial;
  g_mutex_unlock (&self->lock);
  if (!ok)
    return FALSE;
  *leave_out = leave;
  leave = (AtmLeave){ 0 };
  return TRUE;
}

/* Where a password or a fixed token was refused, the same one would be refused again; asking twice
   may lock the account. */
static gboolean
is_worth_another (AtmAuth *self, const AtmLeave *leave)
{
  const AtmCredential *credential = get_credential (self);

  if (self->challenge == NULL)
    return FALSE;
  if (leave->authorization == NULL)
    return self->challenge->realm != NULL || self->challenge->basic;
  return self->challenge->realm != NULL
         && (credential == NULL || credential->registry_token == NULL);
}

gboolean
atm_auth_refused (AtmAuth *self, const AtmLeave *leave, const char *challenges)
{
  gboolean again = FALSE;

  g_mutex_lock (&self->lock);
  if (challenges != NULL)
    take_challenges (self, challenges);
  again = is_worth_another (self, leave);
  /* Another thread may have got a new one meanwhile. */
  if (again && leave->serial == self->serial)
    {
      char *wider = atm_challenge_dup_wider_scope (self->challenge, self->physical->path);

      atm_token_clear (&self->token);
      if (wider != NULL)
        {
          g_free (self->wider_scope);
          self->wider_scope = wider;
        }
    }
  g_mutex_unlock (&self->lock);
  return again;
}

static gboolean
throw_denied (AtmAuth *self, const char *host, const char *text, const char *thing, GError **error)
{
  g_autofree char *places = NULL, *schemes = NULL;

  if (self->credential != NULL && self->was_refused)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                      "%s wants a login for it (%s), and its token server refuses the credentials "
                      "of %s; the %s is not public, or there is none of this name",
                      host, text, self->credential->source, thing);
  if (self->credential != NULL)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                      "%s denies access (%s) with the credentials of %s: they are wrong or not "
                      "enough for the %s, or there is none of this name",
                      host, text, self->credential->source, thing);
  if (self->challenge == NULL || (self->challenge->realm == NULL && !self->challenge->basic))
    {
      schemes = atm_text_escape (self->challenge != NULL ? self->challenge->schemes : "");
      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                        "%s wants a login (%s) in a way that is not supported (%s)", host, text,
                        *schemes != '\0' ? schemes : "without a challenge");
    }
  places = self->context->credentials != NULL
               ? atm_credentials_dup_places (self->context->credentials)
               : NULL;
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                    "authentication required for %s (%s); no credentials found%s%s: the %s is not "
                    "public, or there is none of this name",
                    host, text, places != NULL ? " in " : "", places != NULL ? places : "", thing);
}

gboolean
atm_auth_throw_denied (AtmAuth *self, const char *host, const char *text, const char *thing,
                       GError **error)
{
  g_mutex_lock (&self->lock);
  (void) throw_denied (self, host, text, thing, error);
  g_mutex_unlock (&self->lock);
  return FALSE;
}
