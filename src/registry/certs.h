/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* certs.d: certificates for one registry (containers-certs.d(5); registry.md 2.6). */

#define ATM_CERT_MAX_BYTES (1024 * 1024)
#define ATM_CERT_FILES_MAX 100

typedef struct
{
  char *folder;        /* (owned) (nullable): where they were, for messages; NULL: nowhere */
  GTlsDatabase *extra; /* (owned) (nullable): the authorities of all *.crt. They are added to those
                          of the system: a chain is good if either database says so. For
                          “accept-certificate”: when the system's verdict has
                          %G_TLS_CERTIFICATE_UNKNOWN_CA, verify the chain again with this one, with
                          the host name as identity, and take its verdict */
  GPtrArray *pairs;    /* (owned) (element-type GTlsCertificate): X.cert with X.key, by name, with
                          the private key; for “request-certificate”: the first one. Often empty */
} AtmCerts;

void atm_certs_free (AtmCerts *certs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmCerts, atm_certs_free)

/**
 * atm_certs_load:
 * @host: the domain of the physical name, HOST[:PORT] (“docker.io”, not “registry-1.docker.io”)
 * @cert_dir: (nullable): the folder itself (--cert-dir), which must exist; %NULL: the first of
 *   $HOME/.config/containers/certs.d/HOST (only if $HOME belongs to the calling uid),
 *   /etc/containers/certs.d/HOST, /etc/docker/certs.d/HOST that exists
 * @certs_out: (out) (transfer full): what is there, perhaps nothing
 * @warnings: (inout) (element-type utf8): a line is added for each folder that was skipped because
 *   it may not be read
 * @error: %G_IO_ERROR: %G_IO_ERROR_INVALID_DATA for what is no PEM, %G_IO_ERROR_NOT_FOUND for the
 *   missing half of a pair; names the file, never shows what is in it
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_certs_load (const char *host, const char *cert_dir, AtmCerts **certs_out,
                         GPtrArray *warnings, GError **error);

/**
 * atm_certs_load_below:
 * @folders: folders as /etc/containers/certs.d, in the order of the search
 *
 * As atm_certs_load(), from other places.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_certs_load_below (const char *const *folders, const char *host, AtmCerts **certs_out,
                               GPtrArray *warnings, GError **error);
