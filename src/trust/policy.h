/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "trust/requirement.h"

/* Policies: policy.json, whole and strict (trust.md 3; containers-policy.json(5)). Immutable. */

#define ATM_POLICY_MAX_BYTES (4 * 1024 * 1024)

typedef struct _AtmPolicy AtmPolicy;

/**
 * atm_policy_parse:
 * @bytes: (borrowed): the file
 * @path: where it is from, for messages
 * @policy_out: (out) (transfer full): the policy
 * @error: %ATM_TRUST_ERROR_POLICY_SYNTAX, naming file and member, also for a scope that nobody asks
 *   about: a policy that is only half understood is none
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_policy_parse (GBytes *bytes, const char *path, AtmPolicy **policy_out, GError **error);

/* Files are never merged: the first one is the policy, so that all tools judge alike. */
#define ATM_POLICY_VENDOR_DIR "/usr/share/containers"

/**
 * atm_policy_load:
 * @named: (nullable): --policy
 * @config_dir: where the policy of the system is
 * @vendor_dir: where a distribution keeps its default, as %ATM_POLICY_VENDOR_DIR, which is looked
 *   at last
 * @policy_out: (out) (transfer full): the first file of trust.md 3.1 that there is
 * @error: %ATM_TRUST_ERROR (POLICY_MISSING, POLICY_INSECURE_FILE, POLICY_SYNTAX)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_policy_load (const char *named, const char *config_dir, const char *vendor_dir,
                          AtmPolicy **policy_out, GError **error);

/**
 * atm_policy_read:
 * @bytes_out: (out) (transfer full): the file that atm_policy_load() would parse
 * @path_out: (out) (transfer full): its path
 * @error: %ATM_TRUST_ERROR (POLICY_MISSING, POLICY_INSECURE_FILE)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_policy_read (const char *named, const char *config_dir, const char *vendor_dir,
                          GBytes **bytes_out, char **path_out, GError **error);
void atm_policy_free (AtmPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPolicy, atm_policy_free)

const char *atm_policy_get_path (const AtmPolicy *policy);

/**
 * atm_policy_select:
 * @transport: as policy.json names it
 * @scopes: (array zero-terminated=1): most specific first, without the empty one
 * @scope_out: (out) (transfer none) (nullable): the scope that was found; “” is the default of
 *   @transport, %NULL that of the policy; valid as long as the policy
 *
 * Returns: (transfer none) (element-type AtmRequirement): the one list that applies; never empty
 */
GPtrArray *atm_policy_select (const AtmPolicy *policy, const char *transport,
                              const char *const *scopes, const char **scope_out);

/* One list of a policy and what it is for. */
typedef struct
{
  const char *transport; /* (borrowed) (nullable): NULL: the default of the policy */
  const char *scope;     /* (borrowed) (nullable): as written; host in lower case */
  GPtrArray *list;       /* (borrowed) (element-type AtmRequirement) */
} AtmPolicyEntry;

/**
 * atm_policy_dup_entries:
 *
 * Returns: (transfer full) (element-type AtmPolicyEntry): the default first, then by transport and
 *   scope; valid as long as the policy
 */
GPtrArray *atm_policy_dup_entries (const AtmPolicy *policy);
