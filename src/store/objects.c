/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/objects.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"
#include "util/text.h"

/* The look-up of duplicates in memory is a cache; libostree looks too, on the disk. */
#define SEEN_MAX (128 * 1024)

struct _AtmObjects
{
  OstreeRepo *repo; /* (owned) (nullable) */
  gboolean user_mode;
  gsize buffered_max_bytes;
  GMutex lock;
  GHashTable *seen; /* (owned) (element-type utf8): names of content that was written already;
                       guarded by @lock */

  /* the file that was begun */
  AtmInode inode;     /* its attributes are owned */
  AtmHash *hash;      /* (owned) (nullable) */
  GByteArray *buffer; /* (owned): contents, while they are small */
  int spool_fd;       /* contents, once they are not; -1 */
  guint64 size_bytes;
};

AtmObjects *
atm_objects_new (OstreeRepo *repo, gboolean user_mode, const AtmStoreLimits *limits)
{
  AtmObjects *objects = g_new0 (AtmObjects, 1);

  objects->repo = repo != NULL ? g_object_ref (repo) : NULL;
  objects->user_mode = user_mode;
  objects->buffered_max_bytes = limits->buffered_max_bytes;
  g_mutex_init (&objects->lock);
  objects->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  objects->buffer = g_byte_array_new ();
  objects->spool_fd = -1;
  return objects;
}

void
atm_objects_free (AtmObjects *objects)
{
  if (objects == NULL)
    return;
  g_clear_object (&objects->repo);
  g_mutex_clear (&objects->lock);
  g_hash_table_unref (objects->seen);
  g_clear_pointer (&objects->inode.xattrs, g_variant_unref);
  atm_hash_free (objects->hash);
  g_byte_array_unref (objects->buffer);
  atm_fd_clear (&objects->spool_fd);
  g_free (objects);
}

gboolean
atm_objects_get_user_mode (AtmObjects *objects)
{
  return objects->user_mode;
}

static void
name_to_checksum (const char *name, guint8 *checksum_out)
{
  ostree_checksum_inplace_to_bytes (name, checksum_out);
}

static guint32
stored_mode (AtmObjects *objects, guint32 mode)
{
  return mode & (objects->user_mode ? 0777u : 07777u);
}

static GVariant *
no_xattrs (void)
{
  return g_variant_new_array (G_VARIANT_TYPE ("(ayay)"), NULL, 0);
}

static GVariant *
inode_xattrs (const AtmInode *inode)
{
  return inode->xattrs != NULL ? inode->xattrs : no_xattrs ();
}

/* The header of store.md 3: length and padding, then (uuuusa(ayay)) with big-endian integers. */
static void
hash_header (AtmHash *hash, const AtmInode *inode, guint32 mode, const char *target)
{
  g_autoptr (GVariant) header = g_variant_ref_sink (
      g_variant_new ("(uuuus@a(ayay))", GUINT32_TO_BE (inode->uid), GUINT32_TO_BE (inode->gid),
                     GUINT32_TO_BE (mode), 0, target, inode_xattrs (inode)));
  const gsize size = g_variant_get_size (header);
  const guint32 prefix[2] = { GUINT32_TO_BE ((guint32) size), 0 };

  atm_hash_update (hash, prefix, sizeof prefix);
  atm_hash_update (hash, g_variant_get_data (header), size);
}

static gboolean
was_seen (AtmObjects *objects, const char *name)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&objects->lock);

  return g_hash_table_contains (objects->seen, name);
}

static void
add_seen (AtmObjects *objects, const char *name)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&objects->lock);

  if (g_hash_table_size (objects->seen) >= SEEN_MAX)
    g_hash_table_remove_all (objects->seen);
  g_hash_table_add (objects->seen, g_strdup (name));
}

/* The one place where content becomes an object. libostree neither hashes nor checks here. */
static gboolean
write_content (AtmObjects *objects, const char *name, const AtmInode *inode, guint32 mode,
               const char *target, GInputStream *content, guint64 size_bytes,
               GCancellable *cancellable, GError **error)
{
  g_autoptr (GFileInfo) info = g_file_info_new ();
  g_autoptr (GInputStream) object = NULL;
  g_autoptr (GVariant) xattrs = g_variant_ref_sink (inode_xattrs (inode));
  guint64 length = 0;

  if (objects->repo == NULL || was_seen (objects, name))
    return TRUE;

  g_file_info_set_attribute_uint32 (info, "unix::uid", inode->uid);
  g_file_info_set_attribute_uint32 (info, "unix::gid", inode->gid);
  g_file_info_set_attribute_uint32 (info, "unix::mode", mode);
  if (target != NULL)
    {
      g_file_info_set_file_type (info, G_FILE_TYPE_SYMBOLIC_LINK);
      g_file_info_set_symlink_target (info, target);
      g_file_info_set_size (info, 0);
    }
  else
    {
      g_file_info_set_file_type (info, G_FILE_TYPE_REGULAR);
      g_file_info_set_size (info, (goffset) size_bytes);
    }

  if (!ostree_raw_file_to_content_stream (content, info, xattrs, &object, &length, cancellable,
                                          error)
      || !ostree_repo_write_content_trusted (objects->repo, name, object, length, cancellable,
                                             error))
    return atm_prefix_error (error, "Writing object %s", name);
  add_seen (objects, name);
  return TRUE;
}

gboolean
atm_objects_put_file (AtmObjects *objects, const AtmInode *inode, gconstpointer data,
                      gsize length_bytes, guint8 *checksum_out, GCancellable *cancellable,
                      GError **error)
{
  const guint32 mode = S_IFREG | stored_mode (objects, inode->mode);
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  g_autoptr (GInputStream) content
      = g_memory_input_stream_new_from_data (data, (gssize) length_bytes, NULL);
  g_autofree char *name = NULL;

  hash_header (hash, inode, mode, "");
  atm_hash_update (hash, data, length_bytes);
  name = atm_hash_finish (hash);
  if (!write_content (objects, name, inode, mode, NULL, content, length_bytes, cancellable, error))
    return FALSE;
  name_to_checksum (name, checksum_out);
  return TRUE;
}

void
atm_objects_begin_file (AtmObjects *objects, const AtmInode *inode)
{
  g_clear_pointer (&objects->inode.xattrs, g_variant_unref);
  objects->inode = *inode;
  objects->inode.mode = stored_mode (objects, inode->mode);
  if (inode->xattrs != NULL)
    g_variant_ref_sink (inode->xattrs);
  atm_hash_free (objects->hash);
  objects->hash = atm_hash_new (ATM_HASH_SHA256);
  hash_header (objects->hash, &objects->inode, S_IFREG | objects->inode.mode, "");
  g_byte_array_set_size (objects->buffer, 0);
  atm_fd_clear (&objects->spool_fd);
  objects->size_bytes = 0;
}

/* The checksum must be known before the object is written, and memory is bounded: a large file
   waits on the disk, on the file system of the repository, without a name. */
static gboolean
spool (AtmObjects *objects, gconstpointer data, gsize length_bytes, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;

  if (objects->spool_fd < 0)
    {
      g_autoptr (GBytes) before = g_bytes_new_static (objects->buffer->data, objects->buffer->len);

      objects->spool_fd = openat (ostree_repo_get_dfd (objects->repo), "tmp",
                                  O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
      if (objects->spool_fd < 0)
        return atm_throw_errno (error, "Creating a temporary file in the repository");
      if (!atm_write_all (objects->spool_fd, before, error))
        return atm_prefix_error (error, "A temporary file in the repository");
      g_byte_array_set_size (objects->buffer, 0);
    }
  bytes = g_bytes_new_static (data, length_bytes);
  if (!atm_write_all (objects->spool_fd, bytes, error))
    return atm_prefix_error (error, "A temporary file in the repository");
  return TRUE;
}

gboolean
atm_objects_append (AtmObjects *objects, gconstpointer data, gsize length_bytes, GError **error)
{
  if (length_bytes == 0)
    return TRUE;
  atm_hash_update (objects->hash, data, length_bytes);
  objects->size_bytes += length_bytes;
  if (objects->repo == NULL)
    return TRUE;
  if (objects->spool_fd >= 0 || length_bytes > objects->buffered_max_bytes - objects->buffer->len)
    return spool (objects, data, length_bytes, error);
  g_byte_array_append (objects->buffer, data, (guint) length_bytes);
  return TRUE;
}

gboolean
atm_objects_finish_file (AtmObjects *objects, guint8 *checksum_out, GCancellable *cancellable,
                         GError **error)
{
  g_autofree char *name = atm_hash_finish (objects->hash);
  g_autoptr (GInputStream) content = NULL;

  g_clear_pointer (&objects->hash, atm_hash_free);
  if (objects->spool_fd >= 0)
    {
      if (lseek (objects->spool_fd, 0, SEEK_SET) < 0)
        return atm_throw_errno (error, "Rewinding a temporary file");
      content = g_unix_input_stream_new (g_steal_fd (&objects->spool_fd), TRUE);
    }
  else
    content
        = g_memory_input_stream_new_from_data (objects->buffer->data, objects->buffer->len, NULL);

  if (!write_content (objects, name, &objects->inode, S_IFREG | objects->inode.mode, NULL, content,
                      objects->size_bytes, cancellable, error))
    return FALSE;
  name_to_checksum (name, checksum_out);
  return TRUE;
}

gboolean
atm_objects_put_symlink (AtmObjects *objects, const AtmInode *inode, const char *target,
                         guint8 *checksum_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  g_autofree char *name = NULL;

  hash_header (hash, inode, S_IFLNK | 0777, target);
  name = atm_hash_finish (hash);
  if (!write_content (objects, name, inode, S_IFLNK | 0777, target, NULL, 0, cancellable, error))
    return FALSE;
  name_to_checksum (name, checksum_out);
  return TRUE;
}

static gboolean
put_metadata (AtmObjects *objects, OstreeObjectType type, GVariant *variant, guint8 *checksum_out,
              GCancellable *cancellable, GError **error)
{
  g_autofree guchar *checksum = NULL;
  g_autofree char *name = NULL;
  g_autoptr (AtmHash) hash = NULL;

  if (objects->repo != NULL)
    {
      if (!ostree_repo_write_metadata (objects->repo, type, NULL, variant, &checksum, cancellable,
                                       error))
        return FALSE;
      memcpy (checksum_out, checksum, ATM_CHECKSUM_BYTES);
      return TRUE;
    }

  hash = atm_hash_new (ATM_HASH_SHA256);
  atm_hash_update (hash, g_variant_get_data (variant), g_variant_get_size (variant));
  name = atm_hash_finish (hash);
  name_to_checksum (name, checksum_out);
  return TRUE;
}

gboolean
atm_objects_put_dirmeta (AtmObjects *objects, const AtmInode *inode, guint8 *checksum_out,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) meta = g_variant_ref_sink (g_variant_new (
      "(uuu@a(ayay))", GUINT32_TO_BE (inode->uid), GUINT32_TO_BE (inode->gid),
      GUINT32_TO_BE (S_IFDIR | stored_mode (objects, inode->mode)), inode_xattrs (inode)));

  return put_metadata (objects, OSTREE_OBJECT_TYPE_DIR_META, meta, checksum_out, cancellable,
                       error);
}

gboolean
atm_objects_put_dirtree (AtmObjects *objects, GVariant *tree, const char *what,
                         guint8 *checksum_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) sunk = g_variant_ref_sink (tree);

  if (g_variant_get_size (sunk) > OSTREE_MAX_METADATA_SIZE)
    {
      g_autofree char *shown = atm_text_escape (what);

      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                        "The folder /%s has too many entries: its list is larger than the %d MiB "
                        "that OSTree can store",
                        shown, OSTREE_MAX_METADATA_SIZE / (1024 * 1024));
    }
  return put_metadata (objects, OSTREE_OBJECT_TYPE_DIR_TREE, sunk, checksum_out, cancellable,
                       error);
}
