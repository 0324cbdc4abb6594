/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "trust/trust.h"

/* Refusals: errors of trust/ while they travel. Inside the room a message says only why; the face
   of the room puts “trust: KIND: REFERENCE: ” in front of it, once (trust.md 20). */

/**
 * atm_refusal_convert:
 * @error: (inout) (nullable): an error that is set, of any domain
 * @code: what it means to trust
 *
 * Makes it an %ATM_TRUST_ERROR of @code with the same message. One that is an %ATM_TRUST_ERROR
 * already, and %G_IO_ERROR_CANCELLED, are left as they are.
 *
 * Returns: %FALSE, always
 */
gboolean atm_refusal_convert (GError **error, AtmTrustError code);

/**
 * atm_refusal_name:
 * @error: (inout) (nullable): an error that is set
 * @reference: the image it is about
 *
 * Puts “trust: KIND: REFERENCE: ” before the message of an %ATM_TRUST_ERROR.
 *
 * Returns: %FALSE, always
 */
gboolean atm_refusal_name (GError **error, const char *reference);
