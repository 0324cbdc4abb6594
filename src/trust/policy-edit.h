/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

/* Edits of policies: from text to text, parsed strictly before and after. What is not meant stays
   as it is, in its order; four spaces indent (trust.md 15). */

/* One key of a “signedBy” requirement: a file or the key itself. */
typedef struct
{
  char *path;   /* (owned) (nullable): absolute */
  GBytes *data; /* (owned) (nullable): a key ring */
} AtmPolicyKey;

void atm_policy_key_free (AtmPolicyKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPolicyKey, atm_policy_key_free)

/**
 * atm_policy_edit_new_list:
 * @type: of the requirements, as policy.json has it
 * @keys: (nullable) (element-type AtmPolicyKey): for “signedBy”: one requirement for each
 * @any: one requirement for all of them, which are all files or just one data
 *
 * Returns: (transfer full): a requirement list
 */
JsonArray *atm_policy_edit_new_list (const char *type, GPtrArray *keys, gboolean any);

/**
 * atm_policy_edit_has:
 * @old: (borrowed): the policy
 * @path: where it is from, for messages
 * @has_out: (out): whether there is a list for just @scope
 * @error: %ATM_TRUST_ERROR_POLICY_SYNTAX
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_policy_edit_has (GBytes *old, const char *path, const char *transport,
                              const char *scope, gboolean *has_out, GError **error);

/**
 * atm_policy_edit_set:
 * @scope: valid for @transport
 * @list: (transfer full): from atm_policy_edit_new_list(); takes the place of an older one
 * @new_out: (out) (transfer full): the new policy
 * @error: %ATM_TRUST_ERROR_POLICY_SYNTAX
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_policy_edit_set (GBytes *old, const char *path, const char *transport,
                              const char *scope, JsonArray *list, GBytes **new_out, GError **error);

/**
 * atm_policy_edit_remove:
 *
 * As atm_policy_edit_set(), without the list for @scope; that there is none is
 * %G_IO_ERROR_NOT_FOUND.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_policy_edit_remove (GBytes *old, const char *path, const char *transport,
                                 const char *scope, GBytes **new_out, GError **error);

/**
 * atm_policy_edit_set_default:
 *
 * As atm_policy_edit_set(), with one requirement of @type as the whole default.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_policy_edit_set_default (GBytes *old, const char *path, const char *type,
                                      GBytes **new_out, GError **error);

/**
 * atm_policy_edit_new:
 *
 * Returns: (transfer full): a policy that rejects everything
 */
GBytes *atm_policy_edit_new (void);
