/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "container/exports.h"
#include "image/config.h"

/* The bundle's config.json: rendered from the image's template or derived from its configuration,
   checked, and made fit for current runtimes (system-image.md 4.2, 4.4). */

#define ATM_BUNDLE_ERROR (atm_bundle_error_quark ())
GQuark atm_bundle_error_quark (void);

typedef enum
{
  ATM_BUNDLE_ERROR_INVALID /* 4.4, with the literal messages there */
} AtmBundleError;

typedef struct
{
  GBytes *text;       /* (owned): config.json */
  JsonObject *object; /* (owned): the same, parsed */
  GPtrArray *notices; /* (owned) (element-type utf8): what was changed for the runtime's sake */
} AtmBundle;

/**
 * atm_bundle_render:
 * @exports: (borrowed)
 * @values: (borrowed): from atm_values_resolve()
 * @config: (nullable): of the image, for the default; %NULL if the store has none
 * @rootfs_fd: (borrowed): for the default: users by name are looked up in its own passwd and group
 * @bundle_out: (out) (transfer full)
 * @error: %ATM_BUNDLE_ERROR, %ATM_TEMPLATE_ERROR, %G_IO_ERROR
 *
 * The text of the image is kept byte for byte unless it must change: an old version or capabilities
 * in array form are normalised with a notice, and linux.cgroupsPath is added where there is none
 * (DESIGN section 9, cgroup).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_bundle_render (const AtmExports *exports, GHashTable *values,
                            const AtmImageConfig *config, int rootfs_fd, AtmBundle **bundle_out,
                            GError **error);
void atm_bundle_free (AtmBundle *bundle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmBundle, atm_bundle_free)

/**
 * atm_bundle_dup_bind_sources:
 *
 * Returns: (transfer full): sources of bind mounts in their order, each once
 */
char **atm_bundle_dup_bind_sources (const AtmBundle *bundle);

/**
 * atm_bundle_dup_mount_points:
 *
 * Returns: (transfer full): destinations of all mounts in their order. What the rootfs lacks of
 * them must be made in the checkout (registry.md 5.7)
 */
char **atm_bundle_dup_mount_points (const AtmBundle *bundle);
