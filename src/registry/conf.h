/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/name.h"

/* registries.conf: which registries are insecure, blocked or elsewhere (registry.md 2). */

typedef struct _AtmRegistriesConf AtmRegistriesConf;

/**
 * atm_registries_conf_load:
 * @path: (nullable): a file that must exist, and is the only one that is read; %NULL: the file
 *   that the environment names, likewise, or the places of registry.md 2.1 with their drop-ins
 * @conf_out: (out) (transfer full): the configuration
 * @error: %G_IO_ERROR (%G_IO_ERROR_INVALID_DATA names file, line and key)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_load (const char *path, AtmRegistriesConf **conf_out, GError **error);
/**
 * atm_registries_conf_parse:
 * @bytes: (borrowed): the text of one file
 * @file: its name, for messages
 *
 * As atm_registries_conf_load(), from memory.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_parse (GBytes *bytes, const char *file, AtmRegistriesConf **conf_out,
                                    GError **error);
void atm_registries_conf_free (AtmRegistriesConf *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRegistriesConf, atm_registries_conf_free)

/* What the configuration says of one image. */
typedef struct
{
  gboolean blocked;
  gboolean insecure;
  AtmImageName *physical; /* (owned): the name after rewriting; the same if nothing rewrites it */
} AtmRegistryEndpoint;

void atm_registry_endpoint_clear (AtmRegistryEndpoint *endpoint);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmRegistryEndpoint, atm_registry_endpoint_clear)

/**
 * atm_registries_conf_look_up:
 * @name: (borrowed): the logical name
 * @endpoint_out: (out caller-allocates): the primary endpoint
 * @error: %G_IO_ERROR_INVALID_DATA if rewriting gives no valid name
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_look_up (const AtmRegistriesConf *conf, const AtmImageName *name,
                                      AtmRegistryEndpoint *endpoint_out, GError **error);
