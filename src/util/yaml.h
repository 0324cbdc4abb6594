/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* The YAML of configuration files: mappings and scalars, nothing that needs a guess. */

#define ATM_YAML_MAX_BYTES (1024 * 1024)
#define ATM_YAML_DEPTH_MAX 8

/**
 * atm_yaml_parse:
 * @bytes: (borrowed): one document, at most %ATM_YAML_MAX_BYTES
 * @object_out: (out) (transfer full): the mapping; every scalar is a string as written, but a
 *   plain empty, “~” or “null” scalar is null; an empty document is an empty object
 * @error: %G_IO_ERROR_INVALID_DATA, with the line
 *
 * Sequences, anchors, aliases, tags, several documents, keys that are no scalars and repeated keys
 * are refused (registry.md 2.5).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_yaml_parse (GBytes *bytes, JsonObject **object_out, GError **error);
