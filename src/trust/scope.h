/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Scopes: the names under which policy.json and registries.d say things about images (trust.md 4).
 */

/**
 * atm_scope_read:
 * @transport: as policy.json names it; the scopes of one that nobody knows are not judged
 * @text: untrusted
 * @scope_out: (out) (transfer full): @text, with its host in lower case where the transport has
 *   hosts
 * @error: %ATM_TRUST_ERROR_POLICY_SYNTAX if no image of @transport could ever be meant
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_scope_read (const char *transport, const char *text, char **scope_out, GError **error);

/**
 * atm_scope_fold:
 *
 * Returns: (transfer full): a docker scope with its host in lower case
 */
char *atm_scope_fold (const char *text);

/**
 * atm_scope_dup_broader:
 * @text: a scope of transport docker
 *
 * Returns: (transfer full): @text and what is looked for after it when nothing is there: the
 *   repository, its parents, the host, wildcards (trust.md 4.1)
 */
char **atm_scope_dup_broader (const char *text);

/**
 * atm_scope_find_fault:
 * @text: a scope that atm_scope_read() let through
 *
 * Returns: (transfer full) (nullable): why no image of @transport will ever be meant by it, as far
 *   as that can be told: “is …”, with what to write instead
 */
char *atm_scope_find_fault (const char *transport, const char *text);
