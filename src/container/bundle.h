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

/* More than any configuration has; each costs a look at the rootfs. */
#define ATM_MOUNTS_MAX 512

typedef struct
{
  GBytes *text;       /* (owned): config.json */
  JsonObject *object; /* (owned): the same, parsed */
  GPtrArray *volumes; /* (owned) (element-type AtmVolume): of an image without a config.json */
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
 * @sources_out: (out) (transfer full): as many strings: the source of a bind mount, "" else
 *
 * Returns: (transfer full): destinations of all mounts in their order, and the folder the process
 * begins in. What the rootfs lacks of them must be made in the checkout (registry.md 5.7)
 */
char **atm_bundle_dup_mount_points (const AtmBundle *bundle, char ***sources_out);

/**
 * atm_bundle_set_root_path:
 * @path: absolute path of a root file system elsewhere (--rootfs, system-image.md 7, step 15)
 *
 * Writes the text anew, unless config.json is the empty object.
 */
void atm_bundle_set_root_path (AtmBundle *bundle, const char *path);

/**
 * atm_bundle_looks_like_file:
 *
 * Returns: whether @path is likely a file, going by its name or, if it exists, by what it is. Such
 * a bind source cannot be made up for by an empty folder (system-image.md 4.3)
 */
gboolean atm_bundle_looks_like_file (const char *path);
