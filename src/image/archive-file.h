/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Archive files: a tar file, perhaps compressed as a whole, whose members are read in any order and
   never unpacked (registry.md 6.2, 6.4). All that is in it is untrusted. */

#define ATM_ARCHIVE_ENTRIES_MAX 100000
/* What stands before one member: its header and all that only lengthens it. */
#define ATM_ARCHIVE_HEADER_MAX_BYTES (256 * 1024)
/* Members with longer names are not found; no format we read has them. */
#define ATM_ARCHIVE_NAME_MAX_BYTES 4096

/* May be used by several threads, except where it says otherwise. */
typedef struct _AtmArchiveFile AtmArchiveFile;

/**
 * atm_archive_file_open:
 * @path: of a regular file, or of a FIFO, which is copied first
 * @temporary_dir: (borrowed): a folder for temporary files without a name
 * @archive_out: (out) (transfer full): with an index of its members; the data was not read, unless
 *   it had to be copied or decompressed
 * @error: %ATM_SOURCE_ERROR_PROTOCOL (no tar file, damaged, cut off), %ATM_SOURCE_ERROR_SIZE,
 *   %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_archive_file_open (const char *path, const char *temporary_dir,
                                AtmArchiveFile **archive_out, GCancellable *cancellable,
                                GError **error);

/**
 * atm_archive_file_open_stream:
 * @stream: (borrowed): read to its end into a temporary file. Whether that was the end of the
 *   archive too is seen by the mark that every tar file ends with
 *
 * Else as atm_archive_file_open().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_archive_file_open_stream (GInputStream *stream, const char *temporary_dir,
                                       AtmArchiveFile **archive_out, GCancellable *cancellable,
                                       GError **error);

AtmArchiveFile *atm_archive_file_ref (AtmArchiveFile *archive);
void atm_archive_file_unref (AtmArchiveFile *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmArchiveFile, atm_archive_file_unref)

/* Where bytes are. */
typedef struct
{
  gboolean expanded; /* not in the archive, but in what atm_archive_file_expand() made of it */
  guint64 start_bytes, size_bytes;
} AtmArchiveRange;

/**
 * atm_archive_file_find:
 * @name: untrusted: cleaned as a path below the root of the archive, and so are names in it; one
 *   link, symbolic or hard, is followed to another member, never out of the archive
 * @range_out: (out): the contents of the regular file
 * @error: %ATM_SOURCE_ERROR_NOT_FOUND; %ATM_SOURCE_ERROR_PROTOCOL (a link to a link, a sparse file,
 *   two members of that name)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_archive_file_find (AtmArchiveFile *archive, const char *name,
                                AtmArchiveRange *range_out, GError **error);

/**
 * atm_archive_file_expand:
 * @range: (inout): of a member; if it is compressed by itself, it is decompressed into a temporary
 *   file, and @range is where that is
 * @error: %ATM_SOURCE_ERROR_PROTOCOL, %ATM_SOURCE_ERROR_SIZE, %G_IO_ERROR
 *
 * Not while another thread uses @archive.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_archive_file_expand (AtmArchiveFile *archive, AtmArchiveRange *range,
                                  GCancellable *cancellable, GError **error);

/**
 * atm_archive_file_open_range:
 *
 * Returns: (transfer full): the bytes; a file that somebody shortens meanwhile gives fewer
 */
GInputStream *atm_archive_file_open_range (AtmArchiveFile *archive, const AtmArchiveRange *range);

/**
 * atm_archive_file_read:
 * @max_bytes: more is %G_IO_ERROR_MESSAGE_TOO_LARGE
 *
 * As atm_archive_file_find(), with the contents at once.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_archive_file_read (AtmArchiveFile *archive, const char *name, gsize max_bytes,
                                GBytes **bytes_out, GError **error);
