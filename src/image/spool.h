/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Spools: bytes that must lie in a seekable file and do not yet: what a pipe or a socket gives,
   what is compressed. The file has no name, so nothing is left of it. */

/* All that one image may become: as much as one layer may (registry.md 3.10). Beyond the first GiB
   nothing is expanded more than a thousand times. */
#define ATM_SPOOL_MAX_BYTES (G_GUINT64_CONSTANT (64) << 30)
#define ATM_SPOOL_RATIO_FREE_BYTES (G_GUINT64_CONSTANT (1) << 30)
#define ATM_SPOOL_RATIO_MAX 1000

typedef struct
{
  int fd; /* (owned): for pread(); it stands at @size_bytes */
  guint64 size_bytes;
} AtmSpool;

#define ATM_SPOOL_INIT                                                                             \
  {                                                                                                \
    .fd = -1                                                                                       \
  }

void atm_spool_clear (AtmSpool *spool);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmSpool, atm_spool_clear)

/**
 * atm_spool_add_stream:
 * @spool: what is added stands behind what it has
 * @temporary_dir: where the file is made, if @spool has none yet
 * @stream: (borrowed): untrusted, read to its end
 * @error: what @stream throws; %G_IO_ERROR_NO_SPACE, naming @temporary_dir; %ATM_SOURCE_ERROR_SIZE
 *   beyond the bounds
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_spool_add_stream (AtmSpool *spool, const char *temporary_dir, GInputStream *stream,
                               GCancellable *cancellable, GError **error);

/**
 * atm_spool_is_compressed:
 * @start: the first bytes of something, untrusted
 *
 * Returns: whether they are those of gzip, zstd, xz or bzip2
 */
gboolean atm_spool_is_compressed (const guint8 *start, gsize length);

/**
 * atm_spool_add_expanded:
 * @fd: (borrowed): a regular file
 * @start_bytes: where in @fd the compressed bytes begin …
 * @size_bytes: … and how many they are
 * @error: as atm_spool_add_stream(), and %ATM_SOURCE_ERROR_PROTOCOL if they are damaged
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_spool_add_expanded (AtmSpool *spool, const char *temporary_dir, int fd,
                                 guint64 start_bytes, guint64 size_bytes, GCancellable *cancellable,
                                 GError **error);
