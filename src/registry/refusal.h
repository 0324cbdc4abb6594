/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Refusals: what a registry says when it does not give what was asked for (registry.md 3.11). */

#define ATM_REFUSAL_BODY_MAX_BYTES (64 * 1024)

/**
 * atm_refusal_describe:
 * @status: of the answer
 * @body: (borrowed): the beginning of its body, untrusted
 *
 * Returns: (transfer full): one harmless line as in “404 MANIFEST_UNKNOWN: manifest unknown”
 */
char *atm_refusal_describe (guint status, GBytes *body);

/**
 * atm_refusal_throw:
 * @host: who answered
 * @retry_after: (nullable): what it says in the header of that name, untrusted
 * @thing: what was asked for, as in “image”
 * @error: %ATM_SOURCE_ERROR
 *
 * Returns: %FALSE, always
 */
gboolean atm_refusal_throw (GError **error, guint status, GBytes *body, const char *host,
                            const char *retry_after, const char *thing);
