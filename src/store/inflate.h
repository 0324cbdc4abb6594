/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/digest.h"
#include "store/limits.h"

/* Inflaters: a layer's bytes without their compression, hashed as they pass (registry.md 5.3). */

typedef struct _AtmInflate AtmInflate;

/**
 * atm_inflate_new:
 * @blob: (borrowed): untrusted: gzip, zstd or plain tar, told apart by the first bytes; must
 *   outlive the inflater
 * @algorithm: of the checksum over the uncompressed stream
 * @limits: (borrowed): copied
 *
 * Returns: (transfer full): an inflater that has read nothing yet
 */
AtmInflate *atm_inflate_new (GInputStream *blob, AtmHashType algorithm,
                             const AtmStoreLimits *limits);
void atm_inflate_free (AtmInflate *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmInflate, atm_inflate_free)

/**
 * atm_inflate_read:
 * @data_out: (out) (transfer none): the next bytes, valid until the next call
 * @length_out: (out): how many; 0 only at the end, when the blob has been read to its end too
 * @error: %ATM_STORE_ERROR (UNSUPPORTED: another compression; LAYER: damaged, cut, followed by
 *   garbage, or beyond the limits), or what the blob throws
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_inflate_read (AtmInflate *self, const guint8 **data_out, gsize *length_out,
                           GCancellable *cancellable, GError **error);

/**
 * atm_inflate_check_ratio:
 * @expanded_bytes: what the layer has become so far
 * @error: %ATM_STORE_ERROR_LAYER if that is beyond the limits, for the bytes read so far
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_inflate_check_ratio (AtmInflate *self, guint64 expanded_bytes, GError **error);

/**
 * atm_inflate_get_size:
 *
 * Returns: uncompressed bytes so far
 */
guint64 atm_inflate_get_size (AtmInflate *self);

/**
 * atm_inflate_finish:
 * @digest_out: (out caller-allocates): of the whole uncompressed stream
 *
 * To be called once, after atm_inflate_read() has seen the end.
 */
void atm_inflate_finish (AtmInflate *self, AtmDigest *digest_out);
