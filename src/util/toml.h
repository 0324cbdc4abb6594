/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* TOML, read by tomlplusplus and handed on as the JSON values that it corresponds to. */

#define ATM_TOML_MAX_BYTES (1024 * 1024)

/**
 * atm_toml_parse:
 * @bytes: (borrowed): a document, at most %ATM_TOML_MAX_BYTES; a byte order mark is skipped
 * @object_out: (out) (transfer full): tables as objects, arrays (of tables too) as arrays; dates
 *   as strings
 * @error: %G_IO_ERROR_INVALID_DATA, with line and column
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_toml_parse (GBytes *bytes, JsonObject **object_out, GError **error);
