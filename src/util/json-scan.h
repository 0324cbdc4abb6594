/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* The check in front of json-glib; everyone but util/json.c wants atm_json_parse(). */

/**
 * atm_json_scan:
 * @text: (array length=length): untrusted
 * @error: %ATM_JSON_ERROR_SYNTAX
 *
 * The rules are those of atm_json_parse().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_json_scan (const char *text, gsize length, GError **error);
