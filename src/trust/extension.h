/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* The signature extension: a document in which a registry itself serves signatures (trust.md 13).
   Nothing in it is trusted; whoever writes it can withhold signatures, and no more. */

/**
 * atm_extension_parse:
 * @document: (borrowed): untrusted; the caller has limited its size
 * @blobs_out: (out) (transfer full) (element-type GBytes): the signatures in it, perhaps none;
 *   those of other kinds are left out
 * @error: %ATM_TRUST_ERROR_LOOKASIDE_ERROR, %ATM_TRUST_ERROR_LIMIT_EXCEEDED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_extension_parse (GBytes *document, GPtrArray **blobs_out, GError **error);
