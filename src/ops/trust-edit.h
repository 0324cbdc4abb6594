/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "host/system.h"
#include "ops/report.h"

/* Edits of what this host trusts: policy.json and registries.d together, by one process at a time
   (trust.md 15). An edit that is not committed has changed nothing. */

typedef struct _AtmTrustEdit AtmTrustEdit;

/**
 * atm_trust_edit_begin:
 * @system: (borrowed): names the policy (else TRUST_POLICY, else that of the system, never that of
 *   the user) and the folder registries.d
 * @edit_out: (out) (transfer full): holds the lock
 * @error: %ATM_TRUST_ERROR: a policy that is not valid, or open to others, is not edited
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_begin (const AtmSystem *system, const AtmReport *report,
                               AtmTrustEdit **edit_out, GCancellable *cancellable, GError **error);
void atm_trust_edit_free (AtmTrustEdit *edit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTrustEdit, atm_trust_edit_free)

const char *atm_trust_edit_get_policy (const AtmTrustEdit *edit);

/**
 * atm_trust_edit_check_scope:
 * @transport: as policy.json names it
 * @scope: as typed
 * @error: %ATM_TRUST_ERROR_POLICY_SYNTAX also for a scope that no image could ever be meant by
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_check_scope (const char *transport, const char *scope, GError **error);

/**
 * atm_trust_edit_has:
 * @has_out: (out): whether there is an entry for just @scope
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_has (AtmTrustEdit *edit, const char *transport, const char *scope,
                             gboolean *has_out, GError **error);

/**
 * atm_trust_edit_add:
 * @scope: from atm_trust_edit_check_scope()
 * @list: (transfer full): of requirements
 * @url: (nullable): where the signatures are, for transport docker
 * @error: %ATM_TRUST_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_add (AtmTrustEdit *edit, const char *transport, const char *scope,
                             JsonArray *list, const char *url, GError **error);

/**
 * atm_trust_edit_remove:
 * @keep_url: leave registries.d as it is
 * @error: %G_IO_ERROR_NOT_FOUND, %ATM_TRUST_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_remove (AtmTrustEdit *edit, const char *transport, const char *scope,
                                gboolean keep_url, GError **error);

/**
 * atm_trust_edit_set_default:
 * @type: of the one requirement for all images that no scope is for
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_set_default (AtmTrustEdit *edit, const char *type, GError **error);

/**
 * atm_trust_edit_reset:
 *
 * A policy that rejects everything, and no file of registries.d but default.yaml.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_reset (AtmTrustEdit *edit, GError **error);

/**
 * atm_trust_edit_commit:
 * @error: %G_IO_ERROR; then everything is as it was
 *
 * Puts the new files in place. A process that is killed between two of them leaves a host that
 * trusts what it did before or what it is to, and perhaps looks for signatures in one place more.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_edit_commit (AtmTrustEdit *edit, GError **error);
