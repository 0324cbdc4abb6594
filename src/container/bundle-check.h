/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* config.json against the shapes of the OCI runtime-spec 1.0 and 1.1 (config.md, config-linux.md),
   so that an update does not stop a service for a file that its runtime cannot read. */

/**
 * atm_bundle_check:
 * @object: (borrowed): a config.json, untrusted; made fit by atm_bundle_render() before
 * @error: %ATM_BUNDLE_ERROR_INVALID: the first thing that a runtime would refuse, with its path in
 *   the document as in “linux.namespaces[2].type”
 *
 * Types and mandatory members of all that the specification names, and those values that runtimes
 * refuse wherever they run; what a host lets it do is not looked at. Members that the specification
 * does not name are allowed. The empty object is no bundle and is refused.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_bundle_check (JsonObject *object, GError **error);
