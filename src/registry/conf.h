/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/name.h"

/* registries.conf: which registries are insecure, blocked, mirrored or elsewhere
   (containers-registries.conf(5); registry.md 2.1, 2.2). Short names: registry/short-names.h. */

typedef struct _AtmRegistriesConf AtmRegistriesConf;

/* Where the configuration is; each (borrowed) (nullable): there is none of the kind. */
typedef struct
{
  const char *user_file; /* if it exists, system_file and system_folder are left out */
  const char *system_file;
  const char *system_folder; /* drop-ins, *.conf in the order of their bytes */
  const char *user_folder;   /* likewise, after those of the system */
  const char *alias_cache;   /* short-name aliases that another tool has noted */
} AtmRegistriesPlaces;

/**
 * atm_registries_conf_load:
 * @path: (nullable): a file that must exist, and is the only one that is read; %NULL: the file
 *   that the environment names, likewise, or the places of registry.md 2.1 with their drop-ins
 *   (below $HOME only if that belongs to the calling uid) and the alias cache
 * @conf_out: (out) (transfer full): the configuration; immutable, may be used by several threads
 * @error: %G_IO_ERROR (%G_IO_ERROR_INVALID_DATA names file, line and key)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_load (const char *path, AtmRegistriesConf **conf_out, GError **error);

/**
 * atm_registries_conf_load_places:
 * @places: (borrowed): where; what does not exist is left out
 *
 * As atm_registries_conf_load(), from other places.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_load_places (const AtmRegistriesPlaces *places,
                                          AtmRegistriesConf **conf_out, GError **error);

/**
 * atm_registries_conf_parse:
 * @bytes: (borrowed): the text of one main file
 * @file: its name, for messages
 *
 * As atm_registries_conf_load(), from memory.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_parse (GBytes *bytes, const char *file, AtmRegistriesConf **conf_out,
                                    GError **error);
void atm_registries_conf_free (AtmRegistriesConf *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRegistriesConf, atm_registries_conf_free)

/**
 * atm_registries_conf_get_warnings:
 *
 * Returns: (borrowed) (element-type utf8): what was left out although somebody wrote it, one line
 *   each, naming the file; for the caller to report. Text from the files is escaped.
 */
const GPtrArray *atm_registries_conf_get_warnings (const AtmRegistriesConf *conf);

/**
 * atm_registries_conf_get_helpers:
 *
 * Returns: (borrowed): “credential-helpers”, for #AtmCredentialOptions; “containers-auth.json”
 * alone where no file has the key
 */
const char *const *atm_registries_conf_get_helpers (const AtmRegistriesConf *conf);

/* One place that may serve an image. */
typedef struct
{
  AtmImageName *physical; /* (owned): the name there; the logical one if nothing rewrites it */
  gboolean insecure;      /* certificates need not be valid, and plain HTTP may do */
  gboolean is_mirror;     /* not the primary */
} AtmRegistryEndpoint;

void atm_registry_endpoint_free (AtmRegistryEndpoint *endpoint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRegistryEndpoint, atm_registry_endpoint_free)

/**
 * atm_registries_conf_look_up:
 * @name: (borrowed): the logical name, with a tag or a digest
 * @endpoints_out: (out) (transfer full) (element-type AtmRegistryEndpoint): the mirrors that fit
 *   @name, in the order of the file, and the primary, which is always the last
 * @error: %ATM_SOURCE_ERROR_DENIED, naming file and prefix, if @name is blocked or what it is
 *   rewritten to; %G_IO_ERROR_INVALID_DATA if rewriting gives no valid name
 *
 * A mirror whose physical name is blocked is not among @endpoints_out.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_look_up (const AtmRegistriesConf *conf, const AtmImageName *name,
                                      GPtrArray **endpoints_out, GError **error);
