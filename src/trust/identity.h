/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "image/name.h"

/* Signed identities: which name must stand in a signature for an image to be meant (trust.md 6). */

typedef enum
{
  ATM_IDENTITY_MATCH_EXACT,
  ATM_IDENTITY_MATCH_REPO_DIGEST_OR_EXACT,
  ATM_IDENTITY_MATCH_REPOSITORY,
  ATM_IDENTITY_EXACT_REFERENCE,
  ATM_IDENTITY_EXACT_REPOSITORY,
  ATM_IDENTITY_REMAP
} AtmIdentityType;

typedef struct
{
  AtmIdentityType type;
  AtmImageName *name;  /* (owned) (nullable): of exactReference and exactRepository */
  char *prefix;        /* (owned) (nullable): of remapIdentity */
  char *signed_prefix; /* (owned) (nullable): of remapIdentity */
} AtmIdentity;

/**
 * atm_identity_parse:
 * @object: (borrowed) (nullable): the member of a policy; %NULL: matchRepoDigestOrExact
 * @where: its path, for messages
 * @identity_out: (out) (transfer full): what to compare
 * @error: %ATM_JSON_ERROR, %ATM_NAME_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_identity_parse (JsonObject *object, const char *where, AtmIdentity **identity_out,
                             GError **error);
void atm_identity_free (AtmIdentity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmIdentity, atm_identity_free)

/**
 * atm_identity_get_type_name:
 *
 * Returns: the type as policy.json has it
 */
const char *atm_identity_get_type_name (const AtmIdentity *identity);

/**
 * atm_identity_matches:
 * @image: (borrowed) (nullable): the name the user asked for; %NULL where the transport has no
 *   names, so that only exactReference and exactRepository can match
 * @docker_reference: from a payload; one that is no reference matches nothing
 */
gboolean atm_identity_matches (const AtmIdentity *identity, const AtmImageName *image,
                               const char *docker_reference);
