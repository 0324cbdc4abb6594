/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* The strict reader; everyone but util/json.c wants atm_json_parse() or atm_json_find(). */

/**
 * atm_json_scan:
 * @text: (array length=length): untrusted
 * @path: (nullable) (array zero-terminated=1): the names of members, from the top
 * @summary: objects that are members of the document are checked, but stay empty
 * @node_out: (out) (transfer full) (nullable): the value at @path, or the whole document; %NULL if
 *   there is none
 * @error: %ATM_JSON_ERROR_SYNTAX
 *
 * The rules are those of atm_json_parse().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_json_scan (const char *text, gsize length, const char *const *path, gboolean summary,
                        JsonNode **node_out, GError **error);
