/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"
#include "trust/policy-edit.h"

/* Keys that an administrator wants to trust: found, tried, and shown (trust.md 15). */

/**
 * atm_trust_key_load:
 * @word: a file, an https: or http: URL, or a key in the user's own key ring
 * @key_out: (out) (transfer full): the key itself
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR, %ATM_SIGNER_ERROR, %G_IO_ERROR
 *
 * Reports the fingerprints.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_key_load (const AtmSystem *system, const char *word, const AtmReport *report,
                             AtmPolicyKey **key_out, GCancellable *cancellable, GError **error);

/**
 * atm_trust_key_load_file:
 * @path: of a key file that the policy is to name; only root or we may be able to change it
 * @key_out: (out) (transfer full): its absolute path
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR
 *
 * Reports the fingerprints.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_key_load_file (const AtmSystem *system, const char *path,
                                  const AtmReport *report, AtmPolicyKey **key_out, GError **error);

/**
 * atm_trust_key_join:
 * @keys: (borrowed) (element-type AtmPolicyKey): keys themselves, at least one
 * @key_out: (out) (transfer full): one key ring with all of them, binary
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_key_join (const AtmSystem *system, GPtrArray *keys, AtmPolicyKey **key_out,
                             GError **error);
