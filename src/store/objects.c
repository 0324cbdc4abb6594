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

/* The look-up of duplicates in memory is a cache; the repository is asked too. */
#define SEEN_MAX (128 * 1024)

struct _AtmObjects
{
  OstreeRepo *repo;    /* (owned) (nullable) */
  AtmStaging *staging; /* (owned) (nullable) */
  gboolean user_mode;

  GMutex lock;      /* guards the next two */
  GHashTable *seen; /* (owned): 32 bytes each: what was written, or is being written by a thread */
  gboolean broken;  /* what is in @seen need not be there */
};

/* The checksum must be known before an object has its name, and memory is bounded: the contents
   wait on the disk, on the file system of the repository. */
struct _AtmObjectFile
{
  AtmObjects *objects; /* (borrowed) */
  AtmInode inode;      /* as it is stored; its attributes are owned */
  AtmHash *hash;       /* (owned) */
  guint64 size_bytes;
  AtmStagingFile *staged; /* (owned) (nullable): the contents; or, without a staging, ... */
  int spool_fd;           /* ... this; -1 */
};

static guint
hash_checksum (gconstpointer checksum)
{
  guint32 bits = 0;

  memcpy (&bits, checksum, sizeof bits);
  return bits;
}

static gboolean
equal_checksums (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, ATM_CHECKSUM_BYTES) == 0;
}

AtmObjects *
atm_objects_new (OstreeRepo *repo, gboolean user_mode)
{
  AtmObjects *objects = g_new0 (AtmObjects, 1);

  objects->repo = repo != NULL ? g_object_ref (repo) : NULL;
  objects->user_mode = user_mode;
  g_mutex_init (&objects->lock);
  objects->seen = g_hash_table_new_full (hash_checksum, equal_checksums, g_free, NULL);
  return objects;
}

void
atm_objects_take_staging (AtmObjects *objects, AtmStaging *staging)
{
  atm_staging_free (objects->staging);
  objects->staging = staging;
}

void
atm_objects_free (AtmObjects *objects)
{
  if (objects == NULL)
    return;
  atm_staging_free (objects->staging);
  g_clear_object (&objects->repo);
  g_mutex_clear (&objects->lock);
  g_hash_table_unref (objects->seen);
  g_free (objects);
}

gboolean
atm_objects_get_user_mode (AtmObjects *objects)
{
  return objects->user_mode;
}

/* Whether the caller is the one who has to write an object. Another thread may still be writing one
   that was claimed before; if that fails, nothing that was put is ever published. */
static gboolean
claim (AtmObjects *objects, const guint8 *checksum, gboolean *mine_out, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&objects->lock);

  if (objects->broken)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                      "An object could not be written before; begin the import again");
  *mine_out = objects->repo != NULL && !g_hash_table_contains (objects->seen, checksum);
  if (!*mine_out)
    return TRUE;
  if (g_hash_table_size (objects->seen) >= SEEN_MAX)
    g_hash_table_remove_all (objects->seen);
  g_hash_table_add (objects->seen, g_memdup2 (checksum, ATM_CHECKSUM_BYTES));
  return TRUE;
}

/* Returns %FALSE, always. */
static gboolean
give_up (AtmObjects *objects)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&objects->lock);

  objects->broken = TRUE;
  return FALSE;
}

static guint32
stored_mode (AtmObjects *objects, guint32 mode)
{
  return mode & (objects->user_mode ? 0777u : 07777u);
}

static GVariant *
inode_xattrs (const AtmInode *inode)
{
  return inode->xattrs != NULL ? inode->xattrs
                               : g_variant_new_array (G_VARIANT_TYPE ("(ayay)"), NULL, 0);
}

/* The header of store.md 3: length and padding, then (uuuusa(ayay)) with big-endian integers. */
static void
hash_header (AtmHash *hash, const AtmInode *inode, guint32 mode, const char *target)
{
  g_autoptr (GVariant) header = NULL;
  guint32 prefix[2] = { 0 };

  if (inode->xattrs == NULL && *target == '\0')
    {
      /* Nearly every file: the empty string, and where it ends. */
      const struct
      {
        guint32 words[6];
        guint8 end[2];
      } plain = { { GUINT32_TO_BE (18), 0, GUINT32_TO_BE (inode->uid), GUINT32_TO_BE (inode->gid),
                    GUINT32_TO_BE (mode), 0 },
                  { 0, 17 } };

      atm_hash_update (hash, &plain, offsetof (typeof (plain), end) + sizeof plain.end);
      return;
    }
  header = g_variant_ref_sink (g_variant_new ("(uuuus@a(ayay))", GUINT32_TO_BE (inode->uid),
                                              GUINT32_TO_BE (inode->gid), GUINT32_TO_BE (mode), 0,
                                              target, inode_xattrs (inode)));
  prefix[0] = GUINT32_TO_BE ((guint32) g_variant_get_size (header));
  atm_hash_update (hash, prefix, sizeof prefix);
  atm_hash_update (hash, g_variant_get_data (header), g_variant_get_size (header));
}

/* libostree's writer that neither hashes nor checks. @target: (nullable): for symlinks. */
static gboolean
write_through_libostree (AtmObjects *objects, const char *name, const AtmInode *inode,
                         const char *target, GInputStream *content, guint64 size_bytes,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (GFileInfo) info = g_file_info_new ();
  g_autoptr (GInputStream) object = NULL;
  g_autoptr (GVariant) xattrs = g_variant_ref_sink (inode_xattrs (inode));
  guint64 length = 0;

  g_file_info_set_attribute_uint32 (info, "unix::uid", inode->uid);
  g_file_info_set_attribute_uint32 (info, "unix::gid", inode->gid);
  g_file_info_set_attribute_uint32 (info, "unix::mode",
                                    target != NULL ? S_IFLNK | 0777 : S_IFREG | inode->mode);
  g_file_info_set_file_type (info,
                             target != NULL ? G_FILE_TYPE_SYMBOLIC_LINK : G_FILE_TYPE_REGULAR);
  g_file_info_set_size (info, (goffset) size_bytes);
  if (target != NULL)
    g_file_info_set_symlink_target (info, target);
  return ostree_raw_file_to_content_stream (content, info, xattrs, &object, &length, cancellable,
                                            error)
         && ostree_repo_write_content_trusted (objects->repo, name, object, length, cancellable,
                                               error);
}

/* Whether content that was claimed must be written at all. libostree looks for itself. */
static gboolean
is_missing (AtmObjects *objects, const char *name, gboolean *missing_out, GError **error)
{
  gboolean found = FALSE;

  if (objects->staging != NULL && !atm_staging_has_object (objects->staging, name, &found, error))
    return FALSE;
  *missing_out = !found;
  return TRUE;
}

static gboolean
write_file (AtmObjects *objects, const char *name, const AtmInode *inode, gconstpointer data,
            gsize length_bytes, GCancellable *cancellable, GError **error)
{
  g_autoptr (GInputStream) content = NULL;
  gboolean missing = FALSE;

  if (!is_missing (objects, name, &missing, error))
    return FALSE;
  if (!missing)
    return TRUE;
  if (objects->staging != NULL)
    return atm_staging_put_file (objects->staging, name, inode, data, length_bytes, error);
  content = g_memory_input_stream_new_from_data (data, (gssize) length_bytes, NULL);
  return write_through_libostree (objects, name, inode, NULL, content, length_bytes, cancellable,
                                  error);
}

/* @inode: as it is stored */
static gboolean
put_claimed_file (AtmObjects *objects, const guint8 *checksum, const AtmInode *inode,
                  gconstpointer data, gsize length_bytes, GCancellable *cancellable, GError **error)
{
  char name[OSTREE_SHA256_STRING_LEN + 1];
  gboolean mine = FALSE;

  if (g_cancellable_set_error_if_cancelled (cancellable, error)
      || !claim (objects, checksum, &mine, error))
    return FALSE;
  if (!mine)
    return TRUE;
  ostree_checksum_inplace_from_bytes (checksum, name);
  return write_file (objects, name, inode, data, length_bytes, cancellable, error)
         || give_up (objects);
}

gboolean
atm_objects_put_file (AtmObjects *objects, const AtmInode *inode, gconstpointer data,
                      gsize length_bytes, guint8 *checksum_out, GCancellable *cancellable,
                      GError **error)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  AtmInode stored = *inode;
  guint8 checksum[ATM_HASH_MAX_BYTES];

  stored.mode = stored_mode (objects, inode->mode);
  hash_header (hash, &stored, S_IFREG | stored.mode, "");
  atm_hash_update (hash, data, length_bytes);
  atm_hash_finish_raw (hash, checksum);
  if (!put_claimed_file (objects, checksum, &stored, data, length_bytes, cancellable, error))
    return FALSE;
  memcpy (checksum_out, checksum, ATM_CHECKSUM_BYTES);
  return TRUE;
}

/* ---- files that may be large ---- */

AtmObjectFile *
atm_object_file_new (AtmObjects *objects, const AtmInode *inode)
{
  AtmObjectFile *file = g_new0 (AtmObjectFile, 1);

  file->objects = objects;
  file->inode = *inode;
  file->inode.mode = stored_mode (objects, inode->mode);
  if (inode->xattrs != NULL)
    g_variant_ref_sink (inode->xattrs);
  file->hash = atm_hash_new (ATM_HASH_SHA256);
  hash_header (file->hash, &file->inode, S_IFREG | file->inode.mode, "");
  file->spool_fd = -1;
  return file;
}

void
atm_object_file_free (AtmObjectFile *file)
{
  if (file == NULL)
    return;
  g_clear_pointer (&file->inode.xattrs, g_variant_unref);
  atm_hash_free (file->hash);
  atm_staging_file_free (file->staged);
  atm_fd_clear (&file->spool_fd);
  g_free (file);
}

static gboolean
spool (AtmObjectFile *file, gconstpointer data, gsize length_bytes, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, length_bytes);

  if (file->spool_fd < 0)
    {
      file->spool_fd = openat (ostree_repo_get_dfd (file->objects->repo), "tmp",
                               O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
      if (file->spool_fd < 0)
        return atm_throw_errno (error, "Creating a temporary file in the repository");
    }
  if (!atm_write_all (file->spool_fd, bytes, error))
    return atm_prefix_error (error, "A temporary file in the repository");
  return TRUE;
}

gboolean
atm_object_file_append (AtmObjectFile *file, gconstpointer data, gsize length_bytes, GError **error)
{
  AtmObjects *objects = file->objects;

  if (length_bytes == 0)
    return TRUE;
  atm_hash_update (file->hash, data, length_bytes);
  file->size_bytes += length_bytes;
  if (objects->repo == NULL)
    return TRUE;
  if (objects->staging == NULL)
    return spool (file, data, length_bytes, error);
  return (file->staged != NULL || atm_staging_create_file (objects->staging, &file->staged, error))
         && atm_staging_file_append (file->staged, data, length_bytes, error);
}

static gboolean
write_large (AtmObjectFile *file, const char *name, GCancellable *cancellable, GError **error)
{
  AtmObjects *objects = file->objects;
  g_autoptr (GInputStream) content = NULL;
  gboolean missing = FALSE;

  if (!is_missing (objects, name, &missing, error))
    return FALSE;
  if (!missing)
    return TRUE;
  if (file->staged != NULL)
    return atm_staging_file_finish (file->staged, name, &file->inode, error);
  if (lseek (file->spool_fd, 0, SEEK_SET) < 0)
    return atm_throw_errno (error, "Rewinding a temporary file");
  content = g_unix_input_stream_new (g_steal_fd (&file->spool_fd), TRUE);
  return write_through_libostree (objects, name, &file->inode, NULL, content, file->size_bytes,
                                  cancellable, error);
}

static gboolean
put_large (AtmObjectFile *file, const guint8 *checksum, GCancellable *cancellable, GError **error)
{
  char name[OSTREE_SHA256_STRING_LEN + 1];
  gboolean mine = FALSE;

  if (!claim (file->objects, checksum, &mine, error))
    return FALSE;
  ostree_checksum_inplace_from_bytes (checksum, name);
  if (mine && !write_large (file, name, cancellable, error))
    return give_up (file->objects);
  return TRUE;
}

gboolean
atm_object_file_finish (AtmObjectFile *file, guint8 *checksum_out, GCancellable *cancellable,
                        GError **error)
{
  guint8 checksum[ATM_HASH_MAX_BYTES];

  atm_hash_finish_raw (file->hash, checksum);
  if (file->size_bytes > 0
          ? !put_large (file, checksum, cancellable, error)
          : !put_claimed_file (file->objects, checksum, &file->inode, NULL, 0, cancellable, error))
    return FALSE;
  memcpy (checksum_out, checksum, ATM_CHECKSUM_BYTES);
  return TRUE;
}

gboolean
atm_objects_open_file (AtmObjects *objects, const guint8 *checksum, GInputStream **stream_out,
                       GCancellable *cancellable, GError **error)
{
  char name[OSTREE_SHA256_STRING_LEN + 1];
  int fd = -1;

  ostree_checksum_inplace_from_bytes (checksum, name);
  /* libostree does not know what is in our staging. */
  if (objects->staging == NULL)
    return ostree_repo_load_file (objects->repo, name, stream_out, NULL, NULL, cancellable, error);
  if (!atm_staging_open_file (objects->staging, name, &fd, error))
    return FALSE;
  *stream_out = g_unix_input_stream_new (fd, TRUE);
  return TRUE;
}

/* ---- links and folders ---- */

static gboolean
write_symlink (AtmObjects *objects, const char *name, const AtmInode *inode, const char *target,
               GCancellable *cancellable, GError **error)
{
  gboolean missing = FALSE;

  if (!is_missing (objects, name, &missing, error))
    return FALSE;
  if (!missing)
    return TRUE;
  if (objects->staging != NULL)
    return atm_staging_put_symlink (objects->staging, name, inode, target, error);
  return write_through_libostree (objects, name, inode, target, NULL, 0, cancellable, error);
}

gboolean
atm_objects_put_symlink (AtmObjects *objects, const AtmInode *inode, const char *target,
                         guint8 *checksum_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  guint8 checksum[ATM_HASH_MAX_BYTES];
  char name[OSTREE_SHA256_STRING_LEN + 1];
  gboolean mine = FALSE;

  hash_header (hash, inode, S_IFLNK | 0777, target);
  atm_hash_finish_raw (hash, checksum);
  if (!claim (objects, checksum, &mine, error))
    return FALSE;
  ostree_checksum_inplace_from_bytes (checksum, name);
  if (mine && !write_symlink (objects, name, inode, target, cancellable, error))
    return give_up (objects);
  memcpy (checksum_out, checksum, ATM_CHECKSUM_BYTES);
  return TRUE;
}

static gboolean
put_metadata (AtmObjects *objects, OstreeObjectType type, GVariant *variant, guint8 *checksum_out,
              GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  guint8 checksum[ATM_HASH_MAX_BYTES];
  char name[OSTREE_SHA256_STRING_LEN + 1];
  gboolean mine = FALSE;

  atm_hash_update (hash, g_variant_get_data (variant), g_variant_get_size (variant));
  atm_hash_finish_raw (hash, checksum);
  if (!claim (objects, checksum, &mine, error))
    return FALSE;
  ostree_checksum_inplace_from_bytes (checksum, name);
  if (mine
      && !ostree_repo_write_metadata (objects->repo, type, name, variant, NULL, cancellable, error))
    return give_up (objects);
  memcpy (checksum_out, checksum, ATM_CHECKSUM_BYTES);
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

gboolean
atm_objects_publish (AtmObjects *objects, GCancellable *cancellable, GError **error)
{
  gboolean broken = FALSE;

  g_mutex_lock (&objects->lock);
  broken = objects->broken;
  g_mutex_unlock (&objects->lock);
  if (broken)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                      "An object could not be written before; begin the import again");
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  return objects->staging == NULL || atm_staging_publish (objects->staging, error);
}
