/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "trust/openpgp.h"
#include "trust/requirement.h"

/* Keyrings: the keys that a signedBy requirement names (trust.md 7). */

/* All files of one requirement together. */
#define ATM_KEYRING_MAX_BYTES (16 * 1024 * 1024)

/**
 * atm_keyring_import:
 * @requirement: (borrowed): of type signedBy
 * @engine: (borrowed): gets its keys
 * @error: %ATM_TRUST_ERROR_KEYRING_ERROR if any of the named keys does not load
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_keyring_import (const AtmRequirement *requirement, AtmOpenpgp *engine, GError **error);
