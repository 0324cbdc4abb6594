/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Bounds on what a layer may ask of us (registry.md 3.10 and 5.4). Internal to store/; tests set
   smaller ones. */

#define ATM_LAYER_MAX_BYTES (G_GUINT64_CONSTANT (64) << 30)
#define ATM_LAYER_RATIO_FROM_BYTES (G_GUINT64_CONSTANT (1) << 30)
#define ATM_LAYER_RATIO_MAX 1000
#define ATM_LAYER_ENTRIES_MAX 4000000

/* Paths and link targets of one layer, and names in one merged tree. Without it 4 million entries
   of 4 KiB each, which compress to nothing, would need 16 GB of memory. */
#define ATM_NAMES_MAX_BYTES (256 * 1024 * 1024)
#define ATM_TREE_NODES_MAX 4000000

/* Steps of path resolution for one layer: an entry may go through 40 links of 2000 components. */
#define ATM_MERGE_STEPS_MAX (G_GUINT64_CONSTANT (1) << 30)

/* What libarchive may read to understand one entry: it keeps maps of sparse files in memory. */
#define ATM_TAR_HEADER_MAX_BYTES (16 * 1024 * 1024)

/* Smaller files are hashed in memory, larger ones are spooled to the disk. */
#define ATM_FILE_BUFFERED_MAX_BYTES (1024 * 1024)

/* Between the stages of an import (store.md 2): pieces of the blob as it comes in, and of what it
   unpacks to, and how many of each may wait; files that wait for a writer, all together. */
#define ATM_BLOB_BLOCK_BYTES (256 * 1024)
#define ATM_BLOB_BLOCKS_MAX 4
#define ATM_PLAIN_BLOCK_BYTES (512 * 1024)
#define ATM_PLAIN_BLOCKS_MAX 4
#define ATM_FILES_WAITING_MAX_BYTES (8 * 1024 * 1024)

/* Creations in one folder wait for each other in the kernel, so more writers are of no use. */
#define ATM_WRITERS_MAX 4

#define ATM_PATH_MAX_BYTES 4095
#define ATM_COMPONENT_MAX_BYTES 255
#define ATM_PATH_LINKS_MAX 40
#define ATM_XATTR_VALUE_MAX_BYTES (64 * 1024)
#define ATM_XATTRS_MAX_BYTES (1024 * 1024)

/* How large a window a zstd frame may ask for: 2^27 is 128 MiB (registry.md 5.3). */
#define ATM_ZSTD_WINDOW_LOG_MAX 27

/* The bounds that depend on the image; %ATM_STORE_LIMITS_INIT has the real ones. */
typedef struct
{
  guint64 layer_max_bytes;     /* of the uncompressed stream, and of all files with holes filled */
  guint64 ratio_from_bytes;    /* from here on … */
  guint64 ratio_max;           /* … this many bytes out for each byte in */
  guint64 entries_max;         /* in one layer */
  guint64 nodes_max;           /* in the merged tree */
  gsize names_max_bytes;       /* in one layer, and in the merged tree */
  guint64 steps_max;           /* in one merge */
  gsize buffered_max_bytes;    /* of one file */
  guint writers_max;           /* threads that write files; 0: no threads at all */
  guint links_max;             /* of one object; 0: as many as the file system allows */
  gboolean skip_invalid_names; /* skip, and say so, where a name is not valid UTF-8 */
} AtmStoreLimits;

#define ATM_STORE_LIMITS_INIT                                                                      \
  {                                                                                                \
    .layer_max_bytes = ATM_LAYER_MAX_BYTES, .ratio_from_bytes = ATM_LAYER_RATIO_FROM_BYTES,        \
    .ratio_max = ATM_LAYER_RATIO_MAX, .entries_max = ATM_LAYER_ENTRIES_MAX,                        \
    .nodes_max = ATM_TREE_NODES_MAX, .names_max_bytes = ATM_NAMES_MAX_BYTES,                       \
    .steps_max = ATM_MERGE_STEPS_MAX, .buffered_max_bytes = ATM_FILE_BUFFERED_MAX_BYTES,           \
    .writers_max = ATM_WRITERS_MAX,                                                                \
  }
