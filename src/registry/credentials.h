/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/name.h"

/* Credentials: the passwords and tokens of a user for registries (containers-auth.json(5);
   registry.md 7). No secret is in an error or a warning; what this code holds of one is overwritten
   before it is freed. (json-glib's own copies of a file are not.) A program that holds credentials
   keeps them from core dumps: cli/ sets PR_SET_DUMPABLE to 0 before atm_credentials_new(). */

#define ATM_CREDENTIAL_FILE_MAX_BYTES (1024 * 1024)

typedef struct
{
  char *user;           /* (owned) (nullable) */
  char *password;       /* (owned) (nullable): secret; with @user, for Basic and for a token */
  char *identity_token; /* (owned) (nullable): secret; for the OAuth2 form of registry.md 3.4, and
                           then rather than the password */
  char *registry_token; /* (owned) (nullable): secret; sent as Bearer as it is */
  char *source; /* (owned): where it is from, for messages: “--creds”, “FILE, key “KEY””,
                   “docker-credential-NAME, for HOST” */
  gboolean is_explicit; /* of --creds or --creds-file: that it is refused is an error; any other is
                           given up for an anonymous attempt (registry.md 3.4) */
} AtmCredential;

void atm_credential_free (AtmCredential *credential);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmCredential, atm_credential_free)

/**
 * AtmCredentialPrompt:
 * @question: for the user, without a final blank
 * @secret_out: (out) (transfer full): the answer, typed without echo
 * @error: there is no terminal, or it was cancelled
 */
typedef gboolean (*AtmCredentialPrompt) (const char *question, char **secret_out,
                                         gpointer user_data, GError **error);

/* All (borrowed), needed only by atm_credentials_new(). */
typedef struct
{
  const char *creds;          /* (nullable): --creds: USER[:PASSWORD]; "" is none */
  const char *creds_file;     /* (nullable): --creds-file: one line of that, mode 0600 */
  const char *authfile;       /* (nullable): --authfile: the only file that is read */
  const char *const *helpers; /* (nullable): atm_registries_conf_get_helpers(); NULL: the files */
  const char *const *environment; /* (nullable): “NAME=VALUE”; NULL: that of the process */
  AtmCredentialPrompt prompt;     /* (nullable): asks for the password of USER alone; NULL: there
                                     is no terminal */
  gpointer prompt_data;

  const char *boot_file;   /* (nullable): instead of /etc/atomic/auth.json, for tests */
  const char *helper_path; /* (nullable): where helpers are, instead of PATH; for tests */
  guint helper_limit_msec; /* 0: ATM_CREDENTIAL_HELPER_LIMIT_SEC; for tests */
} AtmCredentialOptions;

/* AtmCredentials: where credentials are looked for, set up once for a program; may be shared by
   threads. */
typedef struct _AtmCredentials AtmCredentials;

/**
 * atm_credentials_new:
 * @options: (borrowed): what the user said
 * @credentials_out: (out) (transfer full): nothing but creds_file has been read
 * @error: %G_IO_ERROR_INVALID_ARGUMENT for a malformed user, %G_IO_ERROR_PERMISSION_DENIED for a
 *   creds_file that others may read, %G_IO_ERROR; of the prompt
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_credentials_new (const AtmCredentialOptions *options, AtmCredentials **credentials_out,
                              GError **error);
AtmCredentials *atm_credentials_ref (AtmCredentials *self);
void atm_credentials_unref (AtmCredentials *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmCredentials, atm_credentials_unref)

/**
 * atm_credentials_look_up:
 * @logical: (borrowed): what the user asked for; --creds are for its domain and for no other
 * @physical: (borrowed): where it will be fetched; files and helpers are asked for this one
 * @credential_out: (out) (transfer full) (nullable): %NULL if there is none
 * @error: %G_IO_ERROR: a file that cannot be read or is malformed, a helper that fails; names the
 *   file or the helper. %G_IO_ERROR_TIMED_OUT if a helper takes too long, %G_IO_ERROR_CANCELLED
 *
 * May start a program and wait for it; what it answers is kept. One thread at a time is served.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_credentials_look_up (AtmCredentials *self, const AtmImageName *logical,
                                  const AtmImageName *physical, AtmCredential **credential_out,
                                  GCancellable *cancellable, GError **error);

/**
 * atm_credentials_steal_warnings:
 *
 * Returns: (transfer full) (element-type utf8): what look-ups found wrong and survived since the
 *   last call, one line each, without secrets; for the caller to report. Each is told once.
 */
GPtrArray *atm_credentials_steal_warnings (AtmCredentials *self);

/**
 * atm_credentials_dup_places:
 *
 * Returns: (transfer full): the files and helpers that are looked in, joined by commas, for “no
 *   credentials found in …”: which home it was is what sudo makes unclear
 */
char *atm_credentials_dup_places (AtmCredentials *self);
