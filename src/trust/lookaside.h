/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/digest.h"
#include "trust/lookaside-web.h"

/* Lookaside storage: folders of signatures beside a registry (trust.md 12), or those within a
   “dir:” image. Nothing that comes from there is trusted; whoever writes there can withhold
   signatures, and no more. */

/**
 * atm_lookaside_check_url:
 * @url: from a configuration file
 * @url_out: (out) (transfer full): @url without final slashes
 * @error: %ATM_TRUST_ERROR_REGISTRIES_CONFIG unless it is an absolute file:, http: or https: URL
 *   without user, query and fragment
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_lookaside_check_url (const char *url, char **url_out, GError **error);

/**
 * atm_lookaside_read:
 * @base_url: from atm_lookaside_check_url()
 * @path: of the repository, without its domain; valid by the grammar of names
 * @digest: of the manifest
 * @web: (borrowed) (nullable): how to ask the server of an http: or https: URL; %NULL: as all zero
 * @trace: (borrowed) (nullable): gets a place for each URL of a signature that was tried
 * @blobs_out: (out) (transfer full) (element-type GBytes): signature-1, signature-2 … up to the
 *   first that is missing; perhaps none
 * @error: %ATM_TRUST_ERROR_LOOKASIDE_ERROR, %ATM_TRUST_ERROR_LIMIT_EXCEEDED,
 *   %G_IO_ERROR_CANCELLED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_lookaside_read (const char *base_url, const char *path, const AtmDigest *digest,
                             const AtmLookasideWeb *web, AtmTrace *trace, GPtrArray **blobs_out,
                             GCancellable *cancellable, GError **error);

/**
 * atm_lookaside_read_dir:
 * @folder: a “dir:” image: absolute, links resolved
 * @digest: of the manifest
 * @trace: (borrowed) (nullable): gets a place for each file that was tried
 * @blobs_out: (out) (transfer full) (element-type GBytes): HEX.signature-1 … as there are beside an
 *   image that was chosen from an index; if there are none, signature-1 … up to the first that is
 *   missing
 * @error: as atm_lookaside_read()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_lookaside_read_dir (const char *folder, const AtmDigest *digest, AtmTrace *trace,
                                 GPtrArray **blobs_out, GCancellable *cancellable, GError **error);
