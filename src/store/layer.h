/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "store/limits.h"
#include "store/objects.h"

/* Layers: what an archive says, entry by entry, in its order. A tree cannot hold that (store.md
   6.2), so this list is what is merged, and what is stored to be merged again. Internal to store/.
 */

typedef enum
{
  ATM_ENTRY_FOLDER = 'd',
  ATM_ENTRY_FILE = 'f',
  ATM_ENTRY_SYMLINK = 'l',
  ATM_ENTRY_HARDLINK = 'h', /* @target is a clean path */
  ATM_ENTRY_WHITEOUT = 'w', /* @path is what disappears */
  ATM_ENTRY_OPAQUE = 'o',   /* @path is the folder */
  ATM_ENTRY_SKIPPED = 's'   /* a device or FIFO: nothing is at @path after it */
} AtmEntryKind;

typedef struct
{
  AtmEntryKind kind;
  const char *path;                    /* (borrowed): clean (store/path.h) */
  const char *target;                  /* (borrowed) (nullable): links only */
  guint8 checksum[ATM_CHECKSUM_BYTES]; /* folders: dirmeta; files and symlinks: the object */
} AtmEntry;

typedef struct
{
  GArray *entries;       /* (owned) (element-type AtmEntry) */
  GStringChunk *strings; /* (owned): paths and targets */
  gsize strings_bytes;
  GMutex lock; /* for @entries, while one thread adds and others set checksums */
} AtmLayer;

AtmLayer *atm_layer_new (void);
void atm_layer_free (AtmLayer *layer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmLayer, atm_layer_free)

/**
 * atm_layer_add:
 * @path: copied
 * @target: (nullable): copied
 * @checksum: (nullable) (array fixed-size=32): copied
 * @error: %ATM_STORE_ERROR_LAYER if there are more entries or names than @limits allow
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_add (AtmLayer *layer, const AtmStoreLimits *limits, AtmEntryKind kind,
                        const char *path, const char *target, const guint8 *checksum,
                        GError **error);

/**
 * atm_layer_set_checksum:
 * @index: of an entry that was added
 * @checksum: (array fixed-size=32): copied
 *
 * Says what became of a file whose contents were not written yet when it was added. May be called
 * while another thread adds entries.
 */
void atm_layer_set_checksum (AtmLayer *layer, guint index, const guint8 *checksum);

/**
 * atm_layer_write:
 * @objects: where the list is stored, as a file of root with mode 0644
 * @checksum_out: (out caller-allocates) (array fixed-size=32): the object
 * @digest_out: (out) (transfer full): SHA-256 of the bytes of the list, in hex
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_write (const AtmLayer *layer, AtmObjects *objects, guint8 *checksum_out,
                          char **digest_out, GCancellable *cancellable, GError **error);

/**
 * atm_layer_read:
 * @stream: (borrowed): a list that atm_layer_write() wrote; read to its end
 * @digest: what it said of the bytes
 * @layer_out: (out) (transfer full): the layer
 * @error: %ATM_STORE_ERROR_LAYER if the list is damaged; %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layer_read (GInputStream *stream, const char *digest, const AtmStoreLimits *limits,
                         AtmLayer **layer_out, GCancellable *cancellable, GError **error);
