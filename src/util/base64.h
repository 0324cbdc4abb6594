/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Base64 as policies and passwords have it: the standard alphabet, padded, lines allowed (RFC 4648,
 * section 4).
 */

/**
 * atm_base64_decode:
 * @text: untrusted; CR and LF in it are ignored
 *
 * Returns: (transfer full) (nullable): the bytes; %NULL if @text is anything else
 */
GBytes *atm_base64_decode (const char *text);
