/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/blocks.h"
#include "store/layer.h"
#include "store/objects.h"

/* Archives: one layer's tar stream, turned into objects and a list of entries (registry.md 5.2).
   Internal to store/. LC_CTYPE must be a UTF-8 locale. */

/* A file that fits into memory and is still to be written. */
typedef struct
{
  AtmInode inode; /* its attributes are owned */
  guint index;    /* of its entry in the layer, which lacks the checksum */
  gsize size_bytes;
  guint8 data[];
} AtmTarFile;

void atm_tar_file_free (AtmTarFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTarFile, atm_tar_file_free)

/* Where an archive comes from, and where its small files go; both are called in the thread that
   reads. */
typedef struct
{
  AtmBlockSource next; /* the stream, untrusted */
  /* @file: (transfer full): atm_layer_set_checksum() must be called before the layer is used */
  gboolean (*put) (gpointer user_data, AtmTarFile *file, GError **error);
  gpointer user_data; /* (borrowed): for both */
} AtmTarEnds;

/**
 * atm_tar_read:
 * @ends: (borrowed): the stream is read to its end
 * @objects: (borrowed): where large files go, and all that has no contents
 * @layer: (borrowed): where entries are added
 * @notice_out: (out) (transfer full) (nullable): what was left out and should be told, as one line
 * @error: %ATM_STORE_ERROR; %G_IO_ERROR; what @ends throw
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_tar_read (const AtmTarEnds *ends, AtmObjects *objects, const AtmStoreLimits *limits,
                       AtmLayer *layer, char **notice_out, GCancellable *cancellable,
                       GError **error);
