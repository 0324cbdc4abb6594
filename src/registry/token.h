/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "registry/challenge.h"
#include "registry/credentials.h"
#include "registry/http.h"

/* Tokens: the leave to read one repository, from the server that a challenge names
   (registry.md 3.4; CNCF distribution, "Token Authentication" and "OAuth2"). */

#define ATM_TOKEN_ANSWER_MAX_BYTES (1024 * 1024)
/* A token that lives shorter is believed to live as long as this … */
#define ATM_TOKEN_LIFE_MIN_SEC 60
/* … and none longer than this. */
#define ATM_TOKEN_LIFE_MAX_SEC (24 * 60 * 60)

typedef struct
{
  char *authorization; /* (owned) (nullable): secret: “Bearer …” for the header of the same name */
  char *refresh;       /* (owned) (nullable): secret: an identity token for the next time */
  guint64 life_sec; /* from now on */
} AtmToken;

void atm_token_clear (AtmToken *token);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmToken, atm_token_clear)

/**
 * atm_token_parse:
 * @bytes: (borrowed): the answer of a token server, untrusted
 * @now_sec: since 1970
 * @token_out: (out caller-allocates) (transfer full): the token
 *
 * Returns: whether there is one that may stand in a header
 */
gboolean atm_token_parse (GBytes *bytes, gint64 now_sec, AtmToken *token_out);

/**
 * atm_token_make_basic:
 *
 * Returns: (transfer full): secret: “Basic …” for the header “Authorization” (RFC 7617)
 */
char *atm_token_make_basic (const char *user, const char *password);

typedef struct
{
  const AtmChallenge *challenge;   /* (borrowed): with a realm, untrusted */
  const char *const *scopes;       /* (borrowed): what the token is to allow */
  const AtmCredential *credential; /* (borrowed) (nullable): NULL: anonymous */
  const char *refresh;             /* (nullable): rather than that of @credential */
  gboolean insecure;     /* the endpoint may be asked over plain HTTP; so may the realm, then */
  const AtmCerts *certs; /* (borrowed) (nullable): of the endpoint */
} AtmTokenRequest;

/**
 * atm_token_fetch:
 * @token_out: (out caller-allocates) (transfer full): the token
 * @error: %ATM_SOURCE_ERROR (%ATM_SOURCE_ERROR_DENIED: the server gives none for this credential),
 *   %G_IO_ERROR_CANCELLED; never with a secret, or what the server answered
 *
 * The credential goes to the realm and nowhere else, and only over TLS unless @insecure.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_token_fetch (AtmRegistryContext *context, const AtmTokenRequest *request,
                          AtmToken *token_out, GCancellable *cancellable, GError **error);
