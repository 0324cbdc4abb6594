/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Exports: what an image brings in /exports to be installed as a service (system-image.md 1, 2). */

#define ATM_EXPORTS_FILE_MAX_BYTES (4 * 1024 * 1024)

#define ATM_EXPORTS_ERROR (atm_exports_error_quark ())
GQuark atm_exports_error_quark (void);

typedef enum
{
  ATM_EXPORTS_ERROR_INVALID /* manifest.json is broken, or a file is no regular file */
} AtmExportsError;

/* All members (owned), all untrusted; a file that is not there is %NULL. */
typedef struct
{
  gboolean found; /* there is a folder /exports */
  GBytes *config; /* config.json: wins over config_template */
  GBytes *config_template;
  GBytes *service_template;
  GBytes *tmpfiles_template;
  GHashTable *default_values; /* manifest.json, defaultValues; empty if there are none */
  GHashTable *rename_files;   /* renameFiles; empty if there are none */
  char **installed_templates; /* installedFilesTemplate; empty if there are none */
  gboolean use_links;         /* useLinks, default TRUE */
  gboolean no_service;        /* noContainerService */
  gboolean has_hostfs;        /* there is a folder /exports/hostfs */
} AtmExports;

/**
 * atm_exports_new:
 *
 * Returns: (transfer full): what an image without /exports has
 */
AtmExports *atm_exports_new (void);

/**
 * atm_exports_parse_manifest:
 * @exports: from atm_exports_new(); what @bytes says is set in it
 * @bytes: (borrowed): manifest.json, untrusted
 * @error: %ATM_JSON_ERROR; then @exports is as it was
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_exports_parse_manifest (AtmExports *exports, GBytes *bytes, GError **error);

/**
 * atm_exports_read:
 * @rootfs_fd: (borrowed): the checked-out root file system; links are resolved inside of it
 * @image: for messages: the reference as typed
 * @exports_out: (out) (transfer full): what is there
 * @error: %ATM_EXPORTS_ERROR (“Invalid manifest.json file in image: IMAGE.” and the reason),
 *   %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_exports_read (int rootfs_fd, const char *image, AtmExports **exports_out,
                           GError **error);
void atm_exports_free (AtmExports *exports);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmExports, atm_exports_free)
