/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/tar.h"

#include <string.h>
#include <sys/stat.h>

#include "store/inflate.h"
#include "store/path.h"
#include "store/pax.h"
#include "store/store.h"
#include "store/tar-stream.h"
#include "store/xattrs.h"
#include "util/error.h"
#include "util/text.h"

typedef struct archive ArchiveReader;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ArchiveReader, archive_read_free)

/* A file of AUFS that hard links may name (registry.md 5.6). */
typedef struct
{
  AtmEntryKind kind;
  char *target; /* (owned) (nullable): symlinks only */
  guint8 checksum[ATM_CHECKSUM_BYTES];
} Plink;

/* One run over one archive. */
typedef struct
{
  const AtmTarEnds *ends; /* (borrowed) */
  AtmObjects *objects;    /* (borrowed) */
  const AtmStoreLimits *limits;
  GCancellable *cancellable;
  AtmLayer *layer;     /* (borrowed) */
  GHashTable *plinks;  /* (owned) (element-type utf8 Plink) */
  GArray *plink_users; /* (owned) (element-type guint): entries that are links to plinks */
  AtmTarStream stream;
  guint64 expanded_bytes; /* contents with holes filled */
  AtmObjectFile *large;   /* (owned) (nullable): the file that is read, or, ... */
  AtmTarFile *file;       /* (owned) (nullable): ... where it fits into memory, this */
  gsize file_bytes;       /* of it that were read */
  guint n_devices;        /* outside /dev */
  char *first_device;     /* (owned) (nullable) */
  guint n_set_id;         /* bits that a user's repository does not keep */
  guint n_invalid_names;
  AtmXattrsDropped dropped;
} Reader;

void
atm_tar_file_free (AtmTarFile *file)
{
  if (file == NULL)
    return;
  g_clear_pointer (&file->inode.xattrs, g_variant_unref);
  g_free (file);
}

static void
plink_free (Plink *plink)
{
  g_free (plink->target);
  g_free (plink);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Plink, plink_free)

static void
reader_clear (Reader *reader)
{
  atm_tar_stream_clear (&reader->stream);
  g_clear_pointer (&reader->large, atm_object_file_free);
  g_clear_pointer (&reader->file, atm_tar_file_free);
  g_clear_pointer (&reader->plinks, g_hash_table_unref);
  g_clear_pointer (&reader->plink_users, g_array_unref);
  g_free (reader->first_device);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reader, reader_clear)

/* ARCHIVE_WARN is about names, which we check ourselves (registry.md 5.2). */
static gboolean
check (Reader *reader, struct archive *archive, int result, GError **error)
{
  const char *reason = NULL;
  g_autofree char *shown = NULL;

  if (result == ARCHIVE_OK || result == ARCHIVE_WARN)
    return TRUE;
  if (reader->stream.error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&reader->stream.error));
      return FALSE;
    }
  reason = archive_error_string (archive);
  shown = atm_text_escape (reason != NULL ? reason : "no reason given");
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER, "The archive is damaged: %s",
                    shown);
}

/* A hole costs nothing in the stream, and its full size when it is stored. */
static gboolean
append (Reader *reader, gconstpointer data, gsize length_bytes, GError **error)
{
  reader->expanded_bytes += length_bytes;
  if (!atm_inflate_check_ratio (reader->limits, reader->expanded_bytes,
                                atm_tar_stream_get_blob_bytes (&reader->stream), error))
    return FALSE;
  if (reader->large != NULL)
    return atm_object_file_append (reader->large, data, length_bytes, error);
  memcpy (reader->file->data + reader->file_bytes, data, length_bytes);
  reader->file_bytes += length_bytes;
  return TRUE;
}

static gboolean
append_zeros (Reader *reader, guint64 count, GError **error)
{
  static const guint8 zeros[64 * 1024];

  while (count > 0)
    {
      const gsize n = (gsize) MIN (count, sizeof zeros);

      if (g_cancellable_set_error_if_cancelled (reader->cancellable, error)
          || !append (reader, zeros, n, error))
        return FALSE;
      count -= n;
    }
  return TRUE;
}

/* Reads the contents of an entry: into the file that was begun if @keep, else into nothing. */
static gboolean
read_contents (Reader *reader, struct archive *archive, guint64 size_bytes, gboolean keep,
               GError **error)
{
  guint64 at = 0;

  for (;;)
    {
      const void *data = NULL;
      size_t length = 0;
      la_int64_t offset = 0;
      const int result = archive_read_data_block (archive, &data, &length, &offset);

      if (result == ARCHIVE_EOF)
        break;
      if (!check (reader, archive, result, error))
        return FALSE;
      if (!keep)
        continue;
      if (offset < 0 || (guint64) offset < at || length > size_bytes
          || (guint64) offset > size_bytes - length)
        return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                          "The parts of the file do not fit its size");
      if (!append_zeros (reader, (guint64) offset - at, error)
          || !append (reader, data, length, error))
        return FALSE;
      at = (guint64) offset + length;
    }
  return !keep || append_zeros (reader, size_bytes - at, error);
}

static gboolean
read_inode (Reader *reader, struct archive_entry *entry, AtmInode *inode_out, GError **error)
{
  const la_int64_t uid = archive_entry_uid (entry), gid = archive_entry_gid (entry);
  const guint32 mode = archive_entry_perm (entry) & 07777u;

  /* 2^32-1 is “no change” to chown(). */
  if (uid < 0 || uid >= G_MAXUINT32 || gid < 0 || gid >= G_MAXUINT32)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The owner %" G_GINT64_FORMAT ":%" G_GINT64_FORMAT " is out of range",
                      (gint64) uid, (gint64) gid);
  if (atm_objects_get_user_mode (reader->objects) && (mode & 07000u) != 0)
    reader->n_set_id++;
  inode_out->uid = (guint32) uid;
  inode_out->gid = (guint32) gid;
  inode_out->mode = mode;
  return atm_xattrs_read (entry, atm_objects_get_user_mode (reader->objects), &reader->dropped,
                          &inode_out->xattrs, error);
}

/* Stores a large file; a small one is given out in memory, without its checksum. */
static gboolean
read_file (Reader *reader, struct archive *archive, struct archive_entry *entry,
           AtmTarFile **file_out, guint8 *checksum_out, GError **error)
{
  const la_int64_t size = archive_entry_size (entry);
  AtmInode inode = { 0 };
  g_autoptr (GVariant) xattrs = NULL;
  gboolean read;

  if (size < 0)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The size of the file is negative");
  if (!read_inode (reader, entry, &inode, error))
    return FALSE;
  xattrs = inode.xattrs;
  if ((guint64) size > reader->limits->buffered_max_bytes)
    {
      *file_out = NULL;
      reader->large = atm_object_file_new (reader->objects, &inode);
      read = read_contents (reader, archive, (guint64) size, TRUE, error)
             && atm_object_file_finish (reader->large, checksum_out, reader->cancellable, error);
      g_clear_pointer (&reader->large, atm_object_file_free);
      return read;
    }

  reader->file = g_malloc (sizeof (AtmTarFile) + (gsize) size);
  reader->file_bytes = 0;
  reader->file->inode = inode;
  reader->file->size_bytes = (gsize) size;
  (void) g_steal_pointer (&xattrs);
  read = read_contents (reader, archive, (guint64) size, TRUE, error);
  if (read)
    *file_out = g_steal_pointer (&reader->file);
  g_clear_pointer (&reader->file, atm_tar_file_free);
  return read;
}

static gboolean
add_file (Reader *reader, struct archive *archive, struct archive_entry *entry, const char *path,
          GError **error)
{
  guint8 checksum[ATM_CHECKSUM_BYTES];
  g_autoptr (AtmTarFile) file = NULL;

  if (!read_file (reader, archive, entry, &file, checksum, error))
    return FALSE;
  if (file != NULL)
    file->index = reader->layer->entries->len;
  return atm_layer_add (reader->layer, reader->limits, ATM_ENTRY_FILE, path, NULL,
                        file == NULL ? checksum : NULL, error)
         && (file == NULL
             || reader->ends->put (reader->ends->user_data, g_steal_pointer (&file), error));
}

static gboolean
read_symlink (Reader *reader, struct archive *archive, struct archive_entry *entry,
              const char **target_out, guint8 *checksum_out, GError **error)
{
  const char *target = archive_entry_symlink (entry);
  AtmInode inode = { 0 };
  g_autoptr (GVariant) xattrs = NULL;

  if (target == NULL || *target == '\0' || strlen (target) > ATM_PATH_MAX_BYTES)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The target of the symlink is empty or longer than 4095 bytes");
  if (!g_utf8_validate (target, -1, NULL))
    {
      g_autofree char *shown = atm_text_escape (target);

      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                        "The target “%s” of the symlink is not valid UTF-8, so OSTree cannot "
                        "store it",
                        shown);
    }
  if (!read_inode (reader, entry, &inode, error))
    return FALSE;
  xattrs = inode.xattrs;
  *target_out = target;
  return read_contents (reader, archive, 0, FALSE, error)
         && atm_objects_put_symlink (reader->objects, &inode, target, checksum_out,
                                     reader->cancellable, error);
}

static gboolean
add_symlink (Reader *reader, struct archive *archive, struct archive_entry *entry, const char *path,
             GError **error)
{
  guint8 checksum[ATM_CHECKSUM_BYTES];
  const char *target = NULL;

  return read_symlink (reader, archive, entry, &target, checksum, error)
         && atm_layer_add (reader->layer, reader->limits, ATM_ENTRY_SYMLINK, path, target, checksum,
                           error);
}

static gboolean
read_folder (Reader *reader, struct archive *archive, struct archive_entry *entry, const char *path,
             GError **error)
{
  AtmInode inode = { 0 };
  g_autoptr (GVariant) xattrs = NULL;
  guint8 checksum[ATM_CHECKSUM_BYTES];

  if (!read_inode (reader, entry, &inode, error))
    return FALSE;
  xattrs = inode.xattrs;
  return read_contents (reader, archive, 0, FALSE, error)
         && atm_objects_put_dirmeta (reader->objects, &inode, checksum, reader->cancellable, error)
         && atm_layer_add (reader->layer, reader->limits, ATM_ENTRY_FOLDER, path, NULL, checksum,
                           error);
}

/* The header's metadata and any contents are those of the target (registry.md 5.5, row 13). */
static gboolean
read_hardlink (Reader *reader, struct archive *archive, const char *path, const char *raw_target,
               GError **error)
{
  g_autofree char *target = NULL, *subject = NULL;
  AtmPathKind kind;

  if (!read_contents (reader, archive, 0, FALSE, error)
      || !atm_path_clean (raw_target, &target, error)
      || !atm_path_classify (target, &kind, &subject, error))
    return FALSE;
  if (kind == ATM_PATH_PLINK)
    g_array_append_val (reader->plink_users, reader->layer->entries->len);
  else if (kind != ATM_PATH_PLAIN)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The target of the hard link is a whiteout");
  return atm_layer_add (reader->layer, reader->limits, ATM_ENTRY_HARDLINK, path, target, NULL,
                        error);
}

/* OSTree holds no devices, FIFOs and sockets; the runtime makes those of /dev (rows 27-29). */
static gboolean
skip_device (Reader *reader, struct archive *archive, const char *path, GError **error)
{
  if (!g_str_has_prefix (path, "dev/"))
    {
      if (reader->n_devices++ == 0)
        reader->first_device = g_strdup (path);
    }
  return read_contents (reader, archive, 0, FALSE, error)
         && atm_layer_add (reader->layer, reader->limits, ATM_ENTRY_SKIPPED, path, NULL, NULL,
                           error);
}

/* There are few of them, so they are written at once. */
static gboolean
read_plink_contents (Reader *reader, struct archive *archive, struct archive_entry *entry,
                     Plink *plink, GError **error)
{
  const char *target = NULL;
  g_autoptr (AtmTarFile) file = NULL;

  plink->kind = archive_entry_filetype (entry) == AE_IFLNK ? ATM_ENTRY_SYMLINK : ATM_ENTRY_FILE;
  if (plink->kind == ATM_ENTRY_SYMLINK)
    {
      if (!read_symlink (reader, archive, entry, &target, plink->checksum, error))
        return FALSE;
      plink->target = g_strdup (target);
      return TRUE;
    }
  return read_file (reader, archive, entry, &file, plink->checksum, error)
         && (file == NULL
             || atm_objects_put_file (reader->objects, &file->inode, file->data, file->size_bytes,
                                      plink->checksum, reader->cancellable, error));
}

static gboolean
read_plink (Reader *reader, struct archive *archive, struct archive_entry *entry, const char *path,
            GError **error)
{
  const mode_t type = archive_entry_filetype (entry);
  g_autoptr (Plink) plink = NULL;
  gsize bytes = 0;

  if (archive_entry_hardlink (entry) != NULL || (type != AE_IFREG && type != AE_IFLNK))
    return read_contents (reader, archive, 0, FALSE, error);
  plink = g_new0 (Plink, 1);
  if (!read_plink_contents (reader, archive, entry, plink, error))
    return FALSE;
  /* They are no entries of the layer, but they cost as much. */
  bytes = strlen (path) + 1 + (plink->target != NULL ? strlen (plink->target) + 1 : 0);
  if (bytes > reader->limits->names_max_bytes - reader->layer->strings_bytes)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The AUFS hard links of the layer have too many or too long names");
  reader->layer->strings_bytes += bytes;
  g_hash_table_replace (reader->plinks, g_strdup (path), g_steal_pointer (&plink));
  return TRUE;
}

static gboolean
read_plain (Reader *reader, struct archive *archive, struct archive_entry *entry, AtmPaxType type,
            const char *path, GError **error)
{
  const char *hardlink = archive_entry_hardlink (entry);

  if (*path == '\0' && (hardlink != NULL || archive_entry_filetype (entry) != AE_IFDIR))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The root of the layer is not a folder");
  if (hardlink != NULL)
    return read_hardlink (reader, archive, path, hardlink, error);
  if (type == ATM_PAX_TYPE_SOCKET)
    return skip_device (reader, archive, path, error);

  switch (archive_entry_filetype (entry))
    {
    case AE_IFDIR:
      return read_folder (reader, archive, entry, path, error);
    case AE_IFREG:
      return add_file (reader, archive, entry, path, error);
    case AE_IFLNK:
      return add_symlink (reader, archive, entry, path, error);
    default:
      return skip_device (reader, archive, path, error);
    }
}

static gboolean
read_entry (Reader *reader, struct archive *archive, struct archive_entry *entry, AtmPaxType type,
            GError **error)
{
  const char *raw = archive_entry_pathname (entry);
  g_autofree char *path = NULL, *subject = NULL;
  g_autoptr (GError) local_error = NULL;
  AtmPathKind kind;

  if (raw == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER, "An entry has no path");
  if (type == ATM_PAX_TYPE_VENDOR)
    return read_contents (reader, archive, 0, FALSE, error);
  if (type == ATM_PAX_TYPE_UNKNOWN || type == ATM_PAX_TYPE_GLOBAL)
    {
      g_autofree char *shown = atm_text_escape (raw);

      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER, "The entry “%s” %s", shown,
                        type == ATM_PAX_TYPE_GLOBAL
                            ? "follows a global pax header that changes entries, which is not "
                              "supported; pack the layer again without it"
                            : "is of a type that tar does not define");
    }
  if (!atm_path_clean (raw, &path, &local_error))
    {
      if (reader->limits->skip_invalid_names
          && g_error_matches (local_error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED))
        {
          reader->n_invalid_names++;
          return read_contents (reader, archive, 0, FALSE, error);
        }
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  if (!atm_path_classify (path, &kind, &subject, error))
    return FALSE;

  switch (kind)
    {
    case ATM_PATH_PLAIN:
      if (!read_plain (reader, archive, entry, type, path, error))
        {
          g_autofree char *shown = atm_text_escape (path);

          return atm_prefix_error (error, "/%s", shown);
        }
      return TRUE;
    case ATM_PATH_WHITEOUT:
    case ATM_PATH_OPAQUE:
      return read_contents (reader, archive, 0, FALSE, error)
             && atm_layer_add (reader->layer, reader->limits,
                               kind == ATM_PATH_OPAQUE ? ATM_ENTRY_OPAQUE : ATM_ENTRY_WHITEOUT,
                               subject, NULL, NULL, error);
    case ATM_PATH_PLINK:
      return read_plink (reader, archive, entry, path, error);
    case ATM_PATH_AUFS:
    default:
      return read_contents (reader, archive, 0, FALSE, error);
    }
}

/* Links to files that AUFS kept aside become files (registry.md 5.6). */
static gboolean
resolve_plinks (Reader *reader, GError **error)
{
  for (guint i = 0; i < reader->plink_users->len; i++)
    {
      const guint index = g_array_index (reader->plink_users, guint, i);
      AtmEntry *entry = &g_array_index (reader->layer->entries, AtmEntry, index);
      const Plink *plink = g_hash_table_lookup (reader->plinks, entry->target);

      if (plink == NULL)
        {
          g_autofree char *shown = atm_text_escape (entry->path);

          return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                            "/%s: invalid AUFS hard link", shown);
        }
      entry->kind = plink->kind;
      entry->target = plink->target != NULL
                          ? g_string_chunk_insert_const (reader->layer->strings, plink->target)
                          : NULL;
      memcpy (entry->checksum, plink->checksum, ATM_CHECKSUM_BYTES);
    }
  return TRUE;
}

static char *
make_notice (Reader *reader)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_free);

  if (reader->n_devices > 0)
    {
      g_autofree char *shown = atm_text_escape (reader->first_device);

      g_ptr_array_add (parts, g_strdup_printf ("skipped %u device nodes and FIFOs (the first: /%s)",
                                               reader->n_devices, shown));
    }
  if (reader->n_invalid_names > 0)
    g_ptr_array_add (parts, g_strdup_printf ("skipped %u entries with names that are not UTF-8",
                                             reader->n_invalid_names));
  if (reader->n_set_id > 0)
    g_ptr_array_add (
        parts, g_strdup_printf ("dropped set-id and sticky bits of %u entries", reader->n_set_id));
  if (reader->dropped.overlay > 0)
    g_ptr_array_add (parts,
                     g_strdup_printf ("dropped %u overlayfs attributes", reader->dropped.overlay));
  if (reader->dropped.capability > 0)
    g_ptr_array_add (parts,
                     g_strdup_printf ("dropped %u file capabilities", reader->dropped.capability));
  if (parts->len == 0)
    return NULL;
  g_ptr_array_add (parts, NULL);
  return g_strjoinv (", ", (char **) parts->pdata);
}

static gboolean
read_archive (Reader *reader, struct archive *archive, GError **error)
{
  for (guint64 n = 0;; n++)
    {
      struct archive_entry *entry = NULL;
      const guint8 *headers = NULL;
      gsize length = 0;
      int result;

      result = atm_tar_stream_next_header (&reader->stream, archive, &entry);
      if (result == ARCHIVE_EOF)
        return TRUE;
      if (!check (reader, archive, result, error)
          || g_cancellable_set_error_if_cancelled (reader->cancellable, error))
        return FALSE;
      atm_tar_stream_find_headers (&reader->stream, archive, &headers, &length);
      /* Also those that add nothing to the list. */
      if (n >= reader->limits->entries_max)
        return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                          "The layer has more than %" G_GUINT64_FORMAT " entries",
                          reader->limits->entries_max);
      if (!read_entry (reader, archive, entry, atm_pax_read (headers, length, entry), error))
        return FALSE;
    }
}

gboolean
atm_tar_read (const AtmTarEnds *ends, AtmObjects *objects, const AtmStoreLimits *limits,
              AtmLayer *layer, char **notice_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (ArchiveReader) archive = archive_read_new ();
  g_auto (Reader) reader = {
    .ends = ends, .objects = objects, .limits = limits, .cancellable = cancellable, .layer = layer
  };
  AtmBlock *block = NULL;

  atm_tar_stream_init (&reader.stream, ends);
  reader.plinks
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) plink_free);
  reader.plink_users = g_array_new (FALSE, FALSE, sizeof (guint));

  if (archive == NULL || archive_read_support_format_tar (archive) != ARCHIVE_OK)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "libarchive cannot be set up");
  if (!check (&reader, archive, atm_tar_stream_open (&reader.stream, archive), error))
    return FALSE;
  if (!read_archive (&reader, archive, error) || !resolve_plinks (&reader, error))
    return FALSE;

  /* What follows the end of the archive is part of the diff ID. */
  for (;;)
    {
      if (!ends->next (ends->user_data, &block, error))
        return FALSE;
      if (block == NULL)
        break;
      atm_block_unref (block);
    }
  *notice_out = make_notice (&reader);
  return TRUE;
}
