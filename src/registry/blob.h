/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/source.h"
#include "registry/endpoint.h"

/* Blobs as one place serves them, whole or from some byte on (registry.md 3.8). */

/* Longer ETags are not kept. */
#define ATM_ETAG_MAX_BYTES 256

/**
 * atm_blob_request:
 * @http: (borrowed): to @endpoint; must outlive the stream
 * @no_cache: what came before may have been damaged on the way
 * @part: (inout): where to go on; out: where the stream begins, that or 0, and the ETag of this
 *   answer
 * @stream_out: (out) (transfer full): untrusted
 * @error: %ATM_SOURCE_ERROR, %ATM_DIGEST_ERROR_MISMATCH, %G_IO_ERROR_CANCELLED
 *
 * What the answer announces is checked against @descriptor; an answer that is about another part
 * than the one that was asked for is thrown away, and the whole blob is asked for.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_blob_request (AtmEndpoint *endpoint, AtmHttp *http, const AtmDescriptor *descriptor,
                           gboolean no_cache, AtmBlobPart *part, GInputStream **stream_out,
                           GCancellable *cancellable, GError **error);

/**
 * atm_blob_request_url:
 * @http: (borrowed): without certificates; must outlive the stream
 * @url: untrusted, from a descriptor; nothing of ours is sent there
 *
 * As atm_blob_request(), for a layer that is not in the registry (registry.md 4.5).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_blob_request_url (AtmHttp *http, const char *url, const AtmDescriptor *descriptor,
                               AtmBlobPart *part, GInputStream **stream_out,
                               GCancellable *cancellable, GError **error);

/**
 * atm_blob_fetch_small:
 * @bytes_out: (out) (transfer full): the blob, checked against @descriptor
 *
 * As atm_blob_request(), for one that fits into memory.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_blob_fetch_small (AtmEndpoint *endpoint, AtmHttp *http,
                               const AtmDescriptor *descriptor, GBytes **bytes_out,
                               GCancellable *cancellable, GError **error);

/**
 * atm_blob_check_digest_header:
 * @actual: (borrowed): what the bytes are, or what was asked for
 * @error: %ATM_DIGEST_ERROR_MISMATCH
 *
 * What a server says of the digest proves nothing, but an honest one tells of damage early.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_blob_check_digest_header (const AtmHttpAnswer *answer, const AtmDigest *actual,
                                       GError **error);

/**
 * atm_blob_throw_document:
 * @cause: (borrowed): of atm_http_read_document()
 * @thing: what was read, as in “manifest”
 * @max_bytes: that were allowed
 * @error: %ATM_SOURCE_ERROR_SIZE, %ATM_SOURCE_ERROR_UNREACHABLE, %G_IO_ERROR_CANCELLED
 *
 * Returns: %FALSE, always
 */
gboolean atm_blob_throw_document (GError **error, const GError *cause, const char *thing,
                                  guint64 max_bytes);
