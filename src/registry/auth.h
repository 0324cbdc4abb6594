/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/name.h"
#include "registry/certs.h"
#include "registry/context.h"

/* Auth: the leave to read one repository at one endpoint, for all threads (registry.md 3.4). */

typedef struct _AtmAuth AtmAuth;

/**
 * atm_auth_new:
 * @context: (borrowed): must outlive it, as all that is borrowed here
 * @logical: (borrowed): what the user asked for: --creds are for its domain
 * @physical: (borrowed): the name at the endpoint
 * @insecure: secrets may go over plain HTTP
 * @certs: (borrowed) (nullable): of the endpoint
 *
 * Returns: (transfer full): nothing is known yet; may be used by any thread
 */
AtmAuth *atm_auth_new (AtmRegistryContext *context, const AtmImageName *logical,
                       const AtmImageName *physical, gboolean insecure, const AtmCerts *certs);
void atm_auth_free (AtmAuth *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmAuth, atm_auth_free)

/**
 * atm_auth_learn:
 * @challenges: (nullable): the values of all WWW-Authenticate headers, joined; untrusted
 *
 * What the endpoint said when it was first asked.
 */
void atm_auth_learn (AtmAuth *self, const char *challenges);

/* What a request goes with. */
typedef struct
{
  char *authorization; /* (owned) (nullable): secret: for the header; NULL: none */
  guint serial;        /* which one it is */
} AtmLeave;

void atm_leave_clear (AtmLeave *leave);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmLeave, atm_leave_clear)

/**
 * atm_auth_get_leave:
 * @host: that is asked, for messages
 * @leave_out: (out caller-allocates) (transfer full): what to ask with
 * @error: as atm_token_fetch(), atm_credentials_look_up()
 *
 * Asks for a token if there is none that is fresh. The others wait meanwhile, so that six requests
 * at once need one token.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_auth_get_leave (AtmAuth *self, const char *host, AtmLeave *leave_out,
                             GCancellable *cancellable, GError **error);

/**
 * atm_auth_refused:
 * @leave: (borrowed): what a request went with that was answered with 401
 * @challenges: (nullable): what the answer says; %NULL: what was said before still holds
 *
 * Returns: whether there is a point in asking again, with a new leave
 */
gboolean atm_auth_refused (AtmAuth *self, const AtmLeave *leave, const char *challenges);

/**
 * atm_auth_throw_denied:
 * @host: that was asked
 * @text: what it answered, harmless
 * @thing: what it was asked for, as in “image”
 * @error: %ATM_SOURCE_ERROR_DENIED: who refused what, and where credentials were looked for
 *
 * Returns: %FALSE, always
 */
gboolean atm_auth_throw_denied (AtmAuth *self, const char *host, const char *text,
                                const char *thing, GError **error);
