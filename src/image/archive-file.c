/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/archive-file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/source.h"
#include "image/spool.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

#define BLOCK_BYTES 16384
#define TAR_BLOCK_BYTES 512
#define MAGIC_BYTES 6

typedef struct archive ArchiveReader;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ArchiveReader, archive_read_free)

typedef enum
{
  MEMBER_FILE,
  MEMBER_LINK,
  MEMBER_SPARSE,
  MEMBER_TWICE
} MemberKind;

typedef struct
{
  MemberKind kind;
  char *target;          /* (owned) (nullable): of a link: a clean name */
  AtmArchiveRange range; /* of a file */
} Member;

struct _AtmArchiveFile
{
  AtmSpool file;       /* the archive: the file itself, or its temporary copy */
  AtmSpool expanded;   /* members that were decompressed */
  char *temporary_dir; /* (owned) */
  GHashTable *members; /* (owned) (element-type utf8 Member): by clean name */
};

/* One run over the headers. */
typedef struct
{
  AtmArchiveFile *archive; /* (borrowed) */
  GCancellable *cancellable;
  GError *error; /* (owned) (nullable): what made a callback give up */
  guint64 position_bytes;
  gboolean in_header;
  gsize header_bytes;
  guint8 block[BLOCK_BYTES];
} Scan;

static void
scan_free (Scan *scan)
{
  g_clear_error (&scan->error);
  g_free (scan);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Scan, scan_free)

static void
member_free (gpointer data)
{
  Member *member = data;

  g_free (member->target);
  g_free (member);
}

static void
archive_file_clear (gpointer data)
{
  AtmArchiveFile *archive = data;

  atm_spool_clear (&archive->file);
  atm_spool_clear (&archive->expanded);
  g_free (archive->temporary_dir);
  g_clear_pointer (&archive->members, g_hash_table_unref);
}

AtmArchiveFile *
atm_archive_file_ref (AtmArchiveFile *archive)
{
  return g_atomic_rc_box_acquire (archive);
}

void
atm_archive_file_unref (AtmArchiveFile *archive)
{
  if (archive != NULL)
    g_atomic_rc_box_release_full (archive, archive_file_clear);
}

static AtmArchiveFile *
archive_file_new (const char *temporary_dir)
{
  AtmArchiveFile *archive = g_atomic_rc_box_new0 (AtmArchiveFile);

  archive->file.fd = archive->expanded.fd = -1;
  archive->temporary_dir = g_strdup (temporary_dir);
  archive->members = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, member_free);
  return archive;
}

static gssize
pread_patiently (int fd, void *buffer, gsize count, guint64 position_bytes)
{
  gssize n = -1;

  do
    n = pread (fd, buffer, count, (off_t) position_bytes);
  while (n < 0 && errno == EINTR);
  return n;
}

/* ---- the index ---- */

static la_ssize_t
read_callback (struct archive *archive, void *user_data, const void **buffer_out)
{
  Scan *scan = user_data;
  gssize n = -1;

  /* libarchive would take headers of a mebibyte into memory. */
  if (scan->in_header && scan->header_bytes > ATM_ARCHIVE_HEADER_MAX_BYTES)
    (void) atm_throw (&scan->error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "a member has a header of more than %d bytes", ATM_ARCHIVE_HEADER_MAX_BYTES);
  else
    {
      n = pread_patiently (scan->archive->file.fd, scan->block, sizeof scan->block,
                           scan->position_bytes);
      if (n < 0)
        (void) atm_throw_errno (&scan->error, "reading");
    }
  if (n < 0)
    {
      archive_set_error (archive, EIO, "%s", scan->error->message);
      return -1;
    }
  scan->position_bytes += (guint64) n;
  scan->header_bytes += (gsize) n;
  *buffer_out = scan->block;
  return (la_ssize_t) n;
}

static la_int64_t
skip_callback (struct archive *archive, void *user_data, la_int64_t request)
{
  Scan *scan = user_data;
  guint64 left = scan->archive->file.size_bytes - scan->position_bytes;
  guint64 skipped = 0;

  (void) archive;
  if (request > 0 && scan->position_bytes < scan->archive->file.size_bytes)
    skipped = MIN ((guint64) request, left);
  scan->position_bytes += skipped;
  return (la_int64_t) skipped;
}

/* As a path below the root of the archive; NULL for what nothing could ask for. */
static char *
clean_name (const char *folder, const char *name)
{
  if (name == NULL || strlen (name) > ATM_ARCHIVE_NAME_MAX_BYTES)
    return NULL;
  /* Two slashes would stay. */
  if (*name == '/')
    folder = "/";
  return g_canonicalize_filename (name + strspn (name, "/"), folder);
}

static void
add_member (AtmArchiveFile *archive, struct archive *reader, struct archive_entry *entry)
{
  g_autofree char *name = clean_name ("/", archive_entry_pathname (entry));
  const char *hardlink = archive_entry_hardlink (entry);
  Member member = { .kind = MEMBER_FILE };
  Member *old = NULL;

  if (name == NULL
      || (hardlink == NULL && archive_entry_filetype (entry) != AE_IFREG
          && archive_entry_filetype (entry) != AE_IFLNK))
    return;
  if (hardlink != NULL || archive_entry_filetype (entry) == AE_IFLNK)
    {
      g_autofree char *folder = g_path_get_dirname (name);

      member.kind = MEMBER_LINK;
      member.target = hardlink != NULL ? clean_name ("/", hardlink)
                                       : clean_name (folder, archive_entry_symlink (entry));
    }
  else if (archive_entry_sparse_count (entry) > 0)
    member.kind = MEMBER_SPARSE;
  else
    {
      member.range.start_bytes = (guint64) archive_filter_bytes (reader, 0);
      member.range.size_bytes = (guint64) archive_entry_size (entry);
    }

  /* Which of the two is meant depends on the reader, so neither is (registry.md 4.3, rule 5). */
  old = g_hash_table_lookup (archive->members, name);
  if (old != NULL)
    {
      old->kind = MEMBER_TWICE;
      g_free (member.target);
      return;
    }
  g_hash_table_insert (archive->members, g_steal_pointer (&name),
                       g_memdup2 (&member, sizeof member));
}

static gboolean
throw_archive (GError **error, Scan *scan, struct archive *reader)
{
  /* libarchive may have another word for what a callback said. */
  const char *reason = scan->error != NULL ? scan->error->message : archive_error_string (reader);
  g_autofree char *shown = atm_text_escape (reason != NULL ? reason : "no reason given");

  if (scan->error != NULL && scan->error->domain == G_IO_ERROR)
    {
      g_propagate_error (error, g_steal_pointer (&scan->error));
      return FALSE;
    }
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "It is no tar file, or a damaged one: %s", shown);
}

static gboolean
throw_cut (GError **error)
{
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "The archive is cut off; save it again");
}

/* libarchive takes the end of the file for the end of the archive. */
static gboolean
check_end (const AtmArchiveFile *archive, guint64 end_bytes, GError **error)
{
  static const guint8 zeros[TAR_BLOCK_BYTES];
  guint8 block[TAR_BLOCK_BYTES];

  if (pread_patiently (archive->file.fd, block, sizeof block, end_bytes) != sizeof block
      || memcmp (block, zeros, sizeof zeros) != 0)
    return throw_cut (error);
  return TRUE;
}

static gboolean
check_members (const AtmArchiveFile *archive, GError **error)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, archive->members);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Member *member = value;

      if (member->range.start_bytes > archive->file.size_bytes
          || member->range.size_bytes > archive->file.size_bytes - member->range.start_bytes)
        return throw_cut (error);
    }
  return TRUE;
}

static gboolean
build_index (AtmArchiveFile *archive, GCancellable *cancellable, GError **error)
{
  g_autoptr (Scan) scan = g_new0 (Scan, 1);
  g_autoptr (ArchiveReader) reader = archive_read_new ();

  scan->archive = archive;
  archive_read_support_format_tar (reader);
  archive_read_set_read_callback (reader, read_callback);
  archive_read_set_skip_callback (reader, skip_callback);
  archive_read_set_callback_data (reader, scan);
  if (archive_read_open1 (reader) != ARCHIVE_OK)
    return throw_archive (error, scan, reader);

  for (guint count = 0;; count++)
    {
      struct archive_entry *entry = NULL;
      int result = ARCHIVE_OK;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      scan->in_header = TRUE;
      scan->header_bytes = 0;
      result = archive_read_next_header (reader, &entry);
      scan->in_header = FALSE;
      if (result == ARCHIVE_EOF)
        return check_end (archive, (guint64) archive_read_header_position (reader), error)
               && check_members (archive, error);
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
        return throw_archive (error, scan, reader);
      if (count == ATM_ARCHIVE_ENTRIES_MAX)
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                          "The archive has more than %d members", ATM_ARCHIVE_ENTRIES_MAX);
      add_member (archive, reader, entry);
      if (archive_read_data_skip (reader) != ARCHIVE_OK)
        return throw_archive (error, scan, reader);
    }
}

/* ---- opening ---- */

static gboolean
finish_opening (AtmArchiveFile *archive, GCancellable *cancellable, GError **error)
{
  guint8 magic[MAGIC_BYTES];
  gssize n = pread_patiently (archive->file.fd, magic, sizeof magic, 0);

  if (n < 0)
    return atm_throw_errno (error, "Reading");
  if (atm_spool_is_compressed (magic, (gsize) n))
    {
      g_auto (AtmSpool) expanded = ATM_SPOOL_INIT;

      if (!atm_spool_add_expanded (&expanded, archive->temporary_dir, archive->file.fd, 0,
                                   archive->file.size_bytes, cancellable, error))
        return FALSE;
      atm_spool_clear (&archive->file);
      archive->file = expanded;
      expanded.fd = -1;
    }
  return build_index (archive, cancellable, error);
}

gboolean
atm_archive_file_open_stream (GInputStream *stream, const char *temporary_dir,
                              AtmArchiveFile **archive_out, GCancellable *cancellable,
                              GError **error)
{
  g_autoptr (AtmArchiveFile) archive = archive_file_new (temporary_dir);

  if (!atm_spool_add_stream (&archive->file, temporary_dir, stream, cancellable, error)
      || !finish_opening (archive, cancellable, error))
    return FALSE;
  *archive_out = g_steal_pointer (&archive);
  return TRUE;
}

gboolean
atm_archive_file_open (const char *path, const char *temporary_dir, AtmArchiveFile **archive_out,
                       GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmArchiveFile) archive = archive_file_new (temporary_dir);
  struct stat st;

  archive->file.fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (archive->file.fd < 0)
    return atm_throw_errno (error, "Opening the archive");
  if (fstat (archive->file.fd, &st) < 0)
    return atm_throw_errno (error, "Looking at the archive");
  if (S_ISFIFO (st.st_mode))
    {
      g_autoptr (GInputStream) stream
          = g_unix_input_stream_new (g_steal_fd (&archive->file.fd), TRUE);
      g_autoptr (GCancellable) patience = g_cancellable_new ();

      /* Only with something to wait for beside it does a stream wait for a writer. */
      return atm_archive_file_open_stream (stream, temporary_dir, archive_out,
                                           cancellable != NULL ? cancellable : patience, error);
    }
  if (!S_ISREG (st.st_mode))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
                      "The archive is no regular file");
  archive->file.size_bytes = (guint64) st.st_size;
  if (!finish_opening (archive, cancellable, error))
    return FALSE;
  *archive_out = g_steal_pointer (&archive);
  return TRUE;
}

/* ---- members ---- */

gboolean
atm_archive_file_find (AtmArchiveFile *archive, const char *name, AtmArchiveRange *range_out,
                       GError **error)
{
  g_autofree char *clean = clean_name ("/", name);
  g_autofree char *shown = atm_text_escape (name);
  const Member *member = clean != NULL ? g_hash_table_lookup (archive->members, clean) : NULL;
  const char *why = NULL;

  if (member != NULL && member->kind == MEMBER_LINK)
    {
      member
          = member->target != NULL ? g_hash_table_lookup (archive->members, member->target) : NULL;
      if (member == NULL)
        why = "is a link to nothing";
      else if (member->kind == MEMBER_LINK)
        why = "is a link to a link";
    }
  else if (member == NULL)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                      "The archive has no file “%s”", shown);
  if (why == NULL && member->kind == MEMBER_TWICE)
    why = "is there more than once";
  if (why == NULL && member->kind == MEMBER_SPARSE)
    why = "has holes, which no image builder makes";
  if (why != NULL)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "The file “%s” of the archive %s", shown, why);
  *range_out = member->range;
  return TRUE;
}

gboolean
atm_archive_file_expand (AtmArchiveFile *archive, AtmArchiveRange *range, GCancellable *cancellable,
                         GError **error)
{
  guint8 magic[MAGIC_BYTES];
  gssize n = pread_patiently (archive->file.fd, magic, MIN (sizeof magic, range->size_bytes),
                              range->start_bytes);
  AtmArchiveRange plain = { .expanded = TRUE, .start_bytes = archive->expanded.size_bytes };

  if (n < 0)
    return atm_throw_errno (error, "Reading");
  if (!atm_spool_is_compressed (magic, (gsize) n))
    return TRUE;
  if (!atm_spool_add_expanded (&archive->expanded, archive->temporary_dir, archive->file.fd,
                               range->start_bytes, range->size_bytes, cancellable, error))
    return FALSE;
  plain.size_bytes = archive->expanded.size_bytes - plain.start_bytes;
  *range = plain;
  return TRUE;
}

gboolean
atm_archive_file_read (AtmArchiveFile *archive, const char *name, gsize max_bytes,
                       GBytes **bytes_out, GError **error)
{
  g_autoptr (GInputStream) stream = NULL;
  AtmArchiveRange range;

  if (!atm_archive_file_find (archive, name, &range, error))
    return FALSE;
  stream = atm_archive_file_open_range (archive, &range);
  if (!atm_read_stream (stream, max_bytes, bytes_out, NULL, error))
    return atm_prefix_error (error, "%s", name);
  return TRUE;
}

/* ---- streams ---- */

#define ATM_TYPE_RANGE_STREAM (atm_range_stream_get_type ())
G_DECLARE_FINAL_TYPE (AtmRangeStream, atm_range_stream, ATM, RANGE_STREAM, GInputStream)

struct _AtmRangeStream
{
  GInputStream parent;

  AtmArchiveFile *archive; /* (owned) */
  AtmArchiveRange left;
};

G_DEFINE_TYPE (AtmRangeStream, atm_range_stream, G_TYPE_INPUT_STREAM)

static gssize
range_stream_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                   GError **error)
{
  AtmRangeStream *self = ATM_RANGE_STREAM (stream);
  int fd = self->left.expanded ? self->archive->expanded.fd : self->archive->file.fd;
  gssize n = -1;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  n = pread_patiently (fd, buffer, (gsize) MIN ((guint64) count, self->left.size_bytes),
                       self->left.start_bytes);
  if (n < 0)
    return atm_throw_errno (error, "Reading the archive") ? 0 : -1;
  self->left.start_bytes += (guint64) n;
  self->left.size_bytes -= (guint64) n;
  return n;
}

static void
range_stream_finalize (GObject *object)
{
  atm_archive_file_unref (ATM_RANGE_STREAM (object)->archive);
  G_OBJECT_CLASS (atm_range_stream_parent_class)->finalize (object);
}

static void
atm_range_stream_class_init (AtmRangeStreamClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = range_stream_finalize;
  G_INPUT_STREAM_CLASS (klass)->read_fn = range_stream_read;
}

static void
atm_range_stream_init (AtmRangeStream *self)
{
  (void) self;
}

GInputStream *
atm_archive_file_open_range (AtmArchiveFile *archive, const AtmArchiveRange *range)
{
  AtmRangeStream *self = g_object_new (ATM_TYPE_RANGE_STREAM, NULL);

  self->archive = atm_archive_file_ref (archive);
  self->left = *range;
  return G_INPUT_STREAM (self);
}
