/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "image/source.h"
#include "ops/report.h"
#include "registry/options.h"

/* What a user may say about how images are fetched; all zero is nothing. Each (borrowed): needed
   only by atm_open_source(). */
typedef struct
{
  AtmCredentialOptions credentials; /* --creds, --creds-file, --authfile and the prompt; “helpers”
                                       is left empty: it is of registries.conf */
  const char *cert_dir;             /* (nullable): --cert-dir */
  AtmTlsVerify tls_verify;          /* --tls-verify */
} AtmOpenOptions;

/**
 * atm_open_origin:
 * @text: untrusted, as for atm_origin_parse()
 * @origin_out: (out) (transfer full): where the image is, and under which name it is stored
 * @error: as atm_origin_parse(); where the name stands in the image itself, in a Docker archive,
 *   as atm_docker_archive_learn_name()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_open_origin (const char *text, AtmOrigin **origin_out, GCancellable *cancellable,
                          GError **error);

/**
 * atm_open_proxies:
 * @system: (borrowed): what the configuration has
 *
 * Returns: (transfer full): the proxies of the environment and of the configuration, for registries
 *   and for servers with signatures
 */
GProxyResolver *atm_open_proxies (const AtmSystem *system);

/**
 * atm_open_source:
 * @system: (borrowed): configuration and proxies
 * @origin: (borrowed): which image
 * @options: (borrowed) (nullable): how to fetch it
 * @report: (borrowed): for notices; must outlive the source and its siblings, whose threads may
 *   call it, one at a time
 * @source_out: (out) (transfer full): where it comes from; no registry and no daemon has been
 *   asked yet
 * @error: of image/ and registry/; %ATM_ORIGIN_ERROR_UNSUPPORTED for an image of a site, which
 *   atm_pull_remote() fetches
 *
 * The one place that knows which back end reads which transport (registry.md 6.1).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_open_source (const AtmSystem *system, const AtmOrigin *origin,
                          const AtmOpenOptions *options, const AtmReport *report,
                          AtmSource **source_out, GCancellable *cancellable, GError **error);
