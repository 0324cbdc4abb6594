/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/content.h"
#include "store/store-private.h"

/* Walks: everything that a commit needs, from the commit down, and nothing read that does not hash
   to its name. Internal to store/. */

/**
 * atm_walk_load:
 * @type: commit, dirtree or dirmeta
 * @variant_out: (out) (transfer full): its bytes hash to @checksum and have the form of @type
 * @error: %G_IO_ERROR_NOT_FOUND: it is missing; %G_IO_ERROR_INVALID_DATA: it is damaged;
 *   other %G_IO_ERROR: it cannot be read
 *
 * Never from a cache.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_walk_load (AtmStore *store, OstreeObjectType type, const char *checksum,
                        GVariant **variant_out, GError **error);

typedef struct
{
  /* Something needs the object; @path is where, as “/usr/bin” (“/” is the root, “” the commit).
     Returns whether to look below it, which only commits and dirtrees have. */
  gboolean (*need) (OstreeObjectType type, const char *checksum, const char *path, gpointer data);
  /* (nullable): commits and dirtrees that cannot be read: told, and the walk goes on beside it.
     Without it that is an error. */
  void (*damaged) (OstreeObjectType type, const char *checksum, const char *path,
                   const GError *error, gpointer data);
} AtmWalkFuncs;

/**
 * atm_walk_commit:
 * @commit: untrusted: what a ref holds; it is an error if that is no checksum, in any case
 * @error: %G_IO_ERROR
 *
 * Dirmetas and files are only named, not read. No recursion: trees may be deeper than the stack.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_walk_commit (AtmStore *store, const char *commit, const AtmWalkFuncs *funcs,
                          gpointer data, GCancellable *cancellable, GError **error);
