/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/manifest.h"

/* Image configurations: how to run an image, and what its layers unpack to (registry.md 4.6). */

#define ATM_CONFIG_ERROR (atm_config_error_quark ())
GQuark atm_config_error_quark (void);

typedef enum
{
  ATM_CONFIG_ERROR_INVALID,
  ATM_CONFIG_ERROR_PLATFORM /* another os, or another architecture than the index promised */
} AtmConfigError;

/* What the image says of itself; all strings are untrusted. */
typedef struct
{
  char *os;             /* (owned) (nullable) */
  char *architecture;   /* (owned) (nullable) */
  char *created;        /* (owned) (nullable): RFC 3339 */
  GArray *diff_ids;     /* (owned) (element-type AtmDigest): base first */
  char **entrypoint;    /* (owned) (nullable) */
  char **cmd;           /* (owned) (nullable) */
  char **env;           /* (owned) (nullable): NAME=VALUE */
  char *user;           /* (owned) (nullable): USER[:GROUP], names or numbers */
  char *working_dir;    /* (owned) (nullable) */
  char *stop_signal;    /* (owned) (nullable) */
  GHashTable *labels;   /* (owned): string to string; empty if there are none */
  char **volumes;       /* (owned): paths, sorted */
  char **exposed_ports; /* (owned): as “80/tcp”, sorted */
  char **notices;       /* (owned): what is odd and was taken as it is, one harmless line each */
} AtmImageConfig;

/**
 * atm_config_parse:
 * @bytes: (borrowed): untrusted, checked against its digest, at most %ATM_CONFIG_MAX_BYTES
 * @manifest: (borrowed): must have as many layers as the config has diff IDs
 * @platform: (nullable): the platform that was chosen from an index, which the config must state
 * @config_out: (out) (transfer full): the configuration
 * @error: %ATM_CONFIG_ERROR, %ATM_JSON_ERROR, %ATM_DIGEST_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_config_parse (GBytes *bytes, const AtmManifest *manifest, const AtmPlatform *platform,
                           AtmImageConfig **config_out, GError **error);
void atm_config_free (AtmImageConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmImageConfig, atm_config_free)
