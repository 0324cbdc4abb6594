/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* A config.json made fit for the runtimes of today (system-image.md 4.4; DESIGN section 9, cgroup).
   For bundle.c. */

/**
 * atm_bundle_fit:
 * @object: (borrowed): config.json, checked; it is changed
 * @name: of the container
 * @notices: (borrowed) (element-type utf8): what was changed because it is outdated is added
 * @changed_out: (out): whether anything was changed
 * @error: %ATM_BUNDLE_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_bundle_fit (JsonObject *object, const char *name, GPtrArray *notices,
                         gboolean *changed_out, GError **error);
