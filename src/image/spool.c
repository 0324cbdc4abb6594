/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/spool.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "image/source.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

#define BLOCK_BYTES 131072

typedef struct archive ArchiveReader;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ArchiveReader, archive_read_free)

/* The compressed bytes, for libarchive. */
typedef struct
{
  int fd; /* (borrowed) */
  guint64 position_bytes, end_bytes;
  guint64 read_bytes;
  guint8 *block; /* (borrowed): BLOCK_BYTES */
} Packed;

void
atm_spool_clear (AtmSpool *spool)
{
  atm_fd_clear (&spool->fd);
  spool->size_bytes = 0;
}

static gboolean
throw_write (GError **error, int why, const char *temporary_dir)
{
  errno = why;
  if (why == ENOSPC || why == EDQUOT)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                      "No space is left in %s for a temporary copy; name another folder by the "
                      "variable TMPDIR",
                      temporary_dir);
  return atm_throw_errno (error, "Writing a temporary file in %s", temporary_dir);
}

static gboolean
add (AtmSpool *spool, const char *temporary_dir, const guint8 *data, gsize length, GError **error)
{
  if (length > ATM_SPOOL_MAX_BYTES - spool->size_bytes)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "It has more than %" G_GUINT64_FORMAT " bytes", ATM_SPOOL_MAX_BYTES);
  while (length > 0)
    {
      gssize written = pwrite (spool->fd, data, length, (off_t) spool->size_bytes);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return throw_write (error, errno, temporary_dir);
      data += written;
      length -= (gsize) written;
      spool->size_bytes += (guint64) written;
    }
  return TRUE;
}

static gboolean
prepare (AtmSpool *spool, const char *temporary_dir, GError **error)
{
  return spool->fd >= 0 || atm_open_temporary (temporary_dir, &spool->fd, error);
}

gboolean
atm_spool_add_stream (AtmSpool *spool, const char *temporary_dir, GInputStream *stream,
                      GCancellable *cancellable, GError **error)
{
  g_autofree guint8 *block = g_malloc (BLOCK_BYTES);

  if (!prepare (spool, temporary_dir, error))
    return FALSE;
  for (;;)
    {
      gssize n = g_input_stream_read (stream, block, BLOCK_BYTES, cancellable, error);

      if (n < 0)
        return FALSE;
      if (n == 0)
        return TRUE;
      if (!add (spool, temporary_dir, block, (gsize) n, error))
        return FALSE;
    }
}

gboolean
atm_spool_is_compressed (const guint8 *start, gsize length)
{
  static const struct
  {
    const char *bytes;
    gsize length;
  } magics[] = {
    { "\x1f\x8b", 2 },         /* gzip */
    { "\x28\xb5\x2f\xfd", 4 }, /* zstd */
    { "\xfd"
      "7zXZ\0",
      6 },        /* xz */
    { "BZh", 3 }, /* bzip2 */
  };

  for (guint i = 0; i < G_N_ELEMENTS (magics); i++)
    if (length >= magics[i].length && memcmp (start, magics[i].bytes, magics[i].length) == 0)
      return TRUE;
  /* A zstd stream may begin with a frame that is to be skipped. */
  return length >= 4 && (start[0] & 0xf0) == 0x50 && memcmp (start + 1, "\x2a\x4d\x18", 3) == 0;
}

static la_ssize_t
read_packed (struct archive *archive, void *user_data, const void **buffer_out)
{
  Packed *packed = user_data;
  gsize wanted = (gsize) MIN (BLOCK_BYTES, packed->end_bytes - packed->position_bytes);
  gssize n = -1;

  do
    n = pread (packed->fd, packed->block, wanted, (off_t) packed->position_bytes);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    {
      archive_set_error (archive, errno, "%s", g_strerror (errno));
      return -1;
    }
  packed->position_bytes += (guint64) n;
  packed->read_bytes += (guint64) n;
  *buffer_out = packed->block;
  return (la_ssize_t) n;
}

static gboolean
throw_damaged (GError **error, struct archive *archive)
{
  const char *reason = archive_error_string (archive);
  g_autofree char *shown = atm_text_escape (reason != NULL ? reason : "no reason given");

  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "The compressed bytes are damaged: %s", shown);
}

static gboolean
open_packed (struct archive *archive, Packed *packed, GError **error)
{
  struct archive_entry *entry = NULL;

  /* Anything but ARCHIVE_OK would run a program of the host instead. */
  if (archive_read_support_filter_gzip (archive) != ARCHIVE_OK
      || archive_read_support_filter_zstd (archive) != ARCHIVE_OK
      || archive_read_support_filter_xz (archive) != ARCHIVE_OK
      || archive_read_support_filter_bzip2 (archive) != ARCHIVE_OK
      || archive_read_support_format_raw (archive) != ARCHIVE_OK)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "The installed libarchive lacks gzip, zstd, xz or bzip2");
  if (archive_read_open (archive, packed, NULL, read_packed, NULL) != ARCHIVE_OK
      || archive_read_next_header (archive, &entry) != ARCHIVE_OK)
    return throw_damaged (error, archive);
  return TRUE;
}

gboolean
atm_spool_add_expanded (AtmSpool *spool, const char *temporary_dir, int fd, guint64 start_bytes,
                        guint64 size_bytes, GCancellable *cancellable, GError **error)
{
  g_autoptr (ArchiveReader) archive = archive_read_new ();
  g_autofree guint8 *block = g_malloc (BLOCK_BYTES), *expanded = g_malloc (BLOCK_BYTES);
  Packed packed = {
    .fd = fd, .position_bytes = start_bytes, .end_bytes = start_bytes + size_bytes, .block = block
  };
  const guint64 before = spool->size_bytes;

  if (!prepare (spool, temporary_dir, error) || !open_packed (archive, &packed, error))
    return FALSE;
  for (;;)
    {
      la_ssize_t n = 0;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      n = archive_read_data (archive, expanded, BLOCK_BYTES);
      if (n < 0)
        return throw_damaged (error, archive);
      if (n == 0)
        return TRUE;
      if (!add (spool, temporary_dir, expanded, (gsize) n, error))
        return FALSE;
      if (spool->size_bytes - before > ATM_SPOOL_RATIO_FREE_BYTES
          && (spool->size_bytes - before) / ATM_SPOOL_RATIO_MAX > packed.read_bytes)
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                          "It becomes more than %d times as large as it is", ATM_SPOOL_RATIO_MAX);
    }
}
