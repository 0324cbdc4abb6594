/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "image/source.h"

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
 * atm_open_source:
 * @system: (borrowed): configuration and proxies
 * @origin: (borrowed): which image
 * @source_out: (out) (transfer full): where it comes from; no registry and no daemon has been
 *   asked yet
 * @error: of image/ and registry/; %ATM_ORIGIN_ERROR_UNSUPPORTED for an image of a site, which
 *   atm_pull_remote() fetches
 *
 * The one place that knows which back end reads which transport (registry.md 6.1).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_open_source (const AtmSystem *system, const AtmOrigin *origin, AtmSource **source_out,
                          GCancellable *cancellable, GError **error);
