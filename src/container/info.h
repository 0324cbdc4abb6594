/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* `info`: what a deployment says of itself (system-image.md 6.1). */

#define ATM_INFO_MAX_BYTES (4 * 1024 * 1024)

/* All pointers (owned). */
typedef struct
{
  char *image; /* the reference as recorded, with “:latest” if it had neither tag nor digest */
  char *revision;     /* (nullable): image id */
  char *commit;       /* (nullable): “ostree-commit” */
  char **accepted_by; /* (nullable): “accepted-by”: fingerprints of keys, or types of requirements
                         of the policy; missing in those of the Python tool */
  gint64 created_unix;
  GHashTable *values;          /* string to string */
  gboolean has_service;        /* “has-container-service”, default TRUE */
  GHashTable *installed_files; /* “installed-files-checksum”: host path to checksum */
  char **installed_templates;  /* (nullable): “installed-files-template” */
  GHashTable *rename_files;    /* (nullable): “rename-installed-files” */
  char *system_package;        /* (nullable) */
  char *remote;                /* (nullable): --rootfs */
  gboolean use_links;
  char *runtime;       /* (nullable): path; the default one if missing */
  GHashTable *volumes; /* (nullable): “volumes”: path in the container to its state folder, for an
                          image without /exports */
} AtmInfo;

AtmInfo *atm_info_new (void);

/**
 * atm_info_parse:
 * @bytes: (borrowed): ours or the Python tool's; missing keys as 6.1 says
 * @info_out: (out) (transfer full)
 * @error: %ATM_JSON_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_info_parse (GBytes *bytes, AtmInfo **info_out, GError **error);

/**
 * atm_info_parse_summary:
 *
 * As atm_info_parse(), in half of the time: for lists. The maps are empty: values, installed_files,
 * rename_files and volumes.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_info_parse_summary (GBytes *bytes, AtmInfo **info_out, GError **error);
void atm_info_free (AtmInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmInfo, atm_info_free)

/**
 * atm_info_to_bytes:
 *
 * Returns: (transfer full): JSON, keys in the order of 6.1, four spaces, final newline
 */
GBytes *atm_info_to_bytes (const AtmInfo *info);
