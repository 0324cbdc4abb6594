/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/inflate.h"
#include "store/layer.h"
#include "store/objects.h"

/* Archives: one layer's tar stream, turned into objects and a list of entries (registry.md 5.2).
   Internal to store/. LC_CTYPE must be a UTF-8 locale. */

/**
 * atm_tar_read:
 * @inflate: (borrowed): the stream, untrusted; read to its end
 * @objects: (borrowed): where contents go
 * @layer_out: (out) (transfer full): the entries
 * @notice_out: (out) (transfer full) (nullable): what was left out and should be told, as one line
 * @error: %ATM_STORE_ERROR; %G_IO_ERROR; what @inflate throws
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_tar_read (AtmInflate *inflate, AtmObjects *objects, const AtmStoreLimits *limits,
                       AtmLayer **layer_out, char **notice_out, GCancellable *cancellable,
                       GError **error);
