/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/digest.h"
#include "store/layer.h"
#include "store/objects.h"

/* Imports: one layer's blob, received, inflated, hashed, read and written at the same time
   (store.md 2). Internal to store/. LC_CTYPE must be a UTF-8 locale. */

typedef struct
{
  AtmLayer *layer;            /* (owned): all checksums are there */
  AtmDigest diff_id;          /* of the uncompressed stream */
  guint64 uncompressed_bytes; /* of that stream */
  char *notice;               /* (owned) (nullable): what was left out and should be told */
} AtmImported;

void atm_imported_clear (AtmImported *imported);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmImported, atm_imported_clear)

/**
 * atm_import_layer:
 * @blob: (borrowed): untrusted; read to its end, in the calling thread and in no other, and closed
 *   by whoever opened it
 * @algorithm: of the diff ID
 * @objects: (borrowed): other threads write through it until this returns, and not afterwards
 * @limits: (borrowed): with no writers allowed there are no threads either, for fuzzing
 * @imported_out: (out caller-allocates): the layer
 * @error: the first failure of any thread: %ATM_STORE_ERROR, %G_IO_ERROR, or what @blob throws
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_import_layer (GInputStream *blob, AtmHashType algorithm, AtmObjects *objects,
                           const AtmStoreLimits *limits, AtmImported *imported_out,
                           GCancellable *cancellable, GError **error);
