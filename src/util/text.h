/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Text for people: foreign bytes made harmless, sizes made readable. */

/**
 * atm_text_escape:
 * @text: (nullable): untrusted bytes
 *
 * Returns: (transfer full): valid UTF-8 in one line; control characters, also those of C1, and
 *   characters that turn the direction of writing are shown as \xNN or \uNNNN
 */
char *atm_text_escape (const char *text);

/**
 * atm_text_size:
 *
 * Returns: (transfer full): decimal units as in “12.34 MB” (command.md 2.6)
 */
char *atm_text_size (guint64 size_bytes);
