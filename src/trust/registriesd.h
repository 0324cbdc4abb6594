/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/name.h"

/* registries.d: which lookaside storage holds the signatures of which images (trust.md 11;
   containers-registries.d(5)). */

typedef struct _AtmRegistriesd AtmRegistriesd;

/**
 * atm_registriesd_new:
 *
 * Returns: (transfer full): a configuration that names no storage
 */
AtmRegistriesd *atm_registriesd_new (void);
void atm_registriesd_free (AtmRegistriesd *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRegistriesd, atm_registriesd_free)

/**
 * atm_registriesd_add:
 * @bytes: (borrowed): contents of a file
 * @path: where it is from, for messages
 * @error: %ATM_TRUST_ERROR_REGISTRIES_CONFIG, also for an entry that an earlier file has
 *
 * After a failure @conf is only good for being freed.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registriesd_add (AtmRegistriesd *conf, GBytes *bytes, const char *path,
                              GError **error);

/**
 * atm_registriesd_load:
 * @named: (nullable): --registries-d or the configuration
 * @config_dir: where registries.d of the system is
 * @conf_out: (out) (transfer full): all files; a folder that is missing has none
 * @error: %ATM_TRUST_ERROR_REGISTRIES_CONFIG
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registriesd_load (const char *named, const char *config_dir, AtmRegistriesd **conf_out,
                               GError **error);

/**
 * atm_registriesd_load_folder:
 * @folder: that one and no other
 *
 * As atm_registriesd_load().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registriesd_load_folder (const char *folder, AtmRegistriesd **conf_out,
                                      GError **error);

/**
 * atm_registriesd_look_up:
 * @name: (borrowed): the name that the image is served under
 *
 * Returns: (transfer none) (nullable): the URL to read signatures from, checked and without a final
 *   slash; %NULL if nothing is configured
 */
const char *atm_registriesd_look_up (const AtmRegistriesd *conf, const AtmImageName *name);

/**
 * atm_registriesd_look_up_writing:
 *
 * As atm_registriesd_look_up(), for the URL to write signatures to.
 */
const char *atm_registriesd_look_up_writing (const AtmRegistriesd *conf, const AtmImageName *name);

/**
 * atm_registriesd_look_up_scope:
 * @scope: of transport docker in a policy
 *
 * Returns: (transfer none) (nullable): the URL to read the signatures of all images in @scope from,
 *   as far as an entry for it or for a broader one says so; not “default-docker”
 */
const char *atm_registriesd_look_up_scope (const AtmRegistriesd *conf, const char *scope);

/**
 * atm_registriesd_get_file:
 *
 * Returns: (transfer none) (nullable): the path of the file that has the entry for just @scope
 */
const char *atm_registriesd_get_file (const AtmRegistriesd *conf, const char *scope);
