/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/descriptor.h"

/* Blob streams: bytes from anywhere, checked against their descriptor while they are read. */

#define ATM_TYPE_BLOB_STREAM (atm_blob_stream_get_type ())
G_DECLARE_FINAL_TYPE (AtmBlobStream, atm_blob_stream, ATM, BLOB_STREAM, GInputStream)

/**
 * atm_blob_stream_new:
 * @base: (borrowed): untrusted; closed together with the stream
 * @descriptor: (borrowed): how many bytes there are, and what they hash to
 *
 * Reads fail as atm_source_open_blob() says, and go on failing once they have. Little more than the
 * descriptor says is ever asked of @base.
 *
 * Returns: (transfer full): a stream for one thread at a time
 */
GInputStream *atm_blob_stream_new (GInputStream *base, const AtmDescriptor *descriptor);
