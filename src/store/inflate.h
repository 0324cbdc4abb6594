/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "store/blocks.h"
#include "store/gunzip.h"
#include "store/limits.h"

/* Inflaters: a layer's bytes without their compression (registry.md 5.3). For one thread at a time.
   Internal to store/. */

typedef struct _AtmInflate AtmInflate;

/**
 * atm_inflate_new:
 * @source: where the blob comes from, untrusted: gzip, zstd or plain tar, told apart by the first
 *   bytes, of which the first block must have as many as there are
 * @source_data: (borrowed): for @source; must outlive the inflater
 * @limits: (borrowed): copied
 * @gunzip: %ATM_GUNZIP_BEST, except in tests
 *
 * Returns: (transfer full): an inflater that has read nothing yet
 */
AtmInflate *atm_inflate_new (AtmBlockSource source, gpointer source_data,
                             const AtmStoreLimits *limits, AtmGunzipKind gunzip);
void atm_inflate_free (AtmInflate *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmInflate, atm_inflate_free)

/**
 * atm_inflate_read:
 * @block: (borrowed): an empty block; filled with what comes next. It is left empty only at the
 *   end, when the blob has been read to its end too
 * @error: %ATM_STORE_ERROR (UNSUPPORTED: another compression; LAYER: damaged, cut, followed by
 *   garbage, or beyond the limits), or what the source throws
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_inflate_read (AtmInflate *self, AtmBlock *block, GError **error);

/**
 * atm_inflate_check_ratio:
 * @expanded_bytes: what the layer has become so far
 * @blob_bytes: and what it has become that of
 * @error: %ATM_STORE_ERROR_LAYER if that is beyond the limits
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_inflate_check_ratio (const AtmStoreLimits *limits, guint64 expanded_bytes,
                                  guint64 blob_bytes, GError **error);
