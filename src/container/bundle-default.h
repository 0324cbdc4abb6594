/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "image/config.h"

/* The config.json of an image that brings none: what the image configuration says, in a frame of
   safe defaults (DESIGN section 6). For bundle.c. */

#define ATM_VOLUMES_MAX 128

/**
 * atm_bundle_default:
 * @values: (borrowed): from atm_values_resolve(): NAME and STATE_DIRECTORY
 * @config: (nullable): of the image, untrusted
 * @rootfs_fd: (borrowed): users and groups by name are looked up in it
 * @volumes: (borrowed) (element-type AtmVolume): those of the image are added
 * @notices: (borrowed) (element-type utf8): what was left out is added
 * @node_out: (out) (transfer full): an object that may be changed
 * @error: %ATM_BUNDLE_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_bundle_default (GHashTable *values, const AtmImageConfig *config, int rootfs_fd,
                             GPtrArray *volumes, GPtrArray *notices, JsonNode **node_out,
                             GError **error);
