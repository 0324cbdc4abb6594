/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "trust/identity.h"

/* Requirements: the entries of a list in policy.json, each of which must be met (trust.md 3.2). */

typedef enum
{
  ATM_REQUIREMENT_ACCEPT,
  ATM_REQUIREMENT_REJECT,
  ATM_REQUIREMENT_SIGNED_BY,
  ATM_REQUIREMENT_SIGSTORE_SIGNED,
  ATM_REQUIREMENT_SIGNED_BASE_LAYER
} AtmRequirementType;

typedef struct
{
  AtmRequirementType type;
  char *unsupported;     /* (owned) (nullable): what this version cannot check, and so refuses */
  char **key_paths;      /* (owned) (nullable): signedBy by files; may be empty */
  GBytes *key_data;      /* (owned) (nullable): signedBy by the keys themselves; may be empty */
  AtmIdentity *identity; /* (owned) (nullable): signedBy */
} AtmRequirement;

/**
 * atm_requirement_parse:
 * @node: (borrowed): one element of a list
 * @where: its path, for messages
 * @requirement_out: (out) (transfer full): the requirement
 * @error: %ATM_JSON_ERROR, %ATM_NAME_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_requirement_parse (JsonNode *node, const char *where, AtmRequirement **requirement_out,
                                GError **error);
void atm_requirement_free (AtmRequirement *requirement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRequirement, atm_requirement_free)

/**
 * atm_requirement_get_type_name:
 *
 * Returns: the type as policy.json has it
 */
const char *atm_requirement_get_type_name (const AtmRequirement *requirement);
