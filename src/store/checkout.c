/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/checkout.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/commit.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

/* Descriptors of the innermost folders; those above are opened again on the way back. */
#define OPEN_LEVELS_MAX 64

/* Images have few kinds of folders; a hostile one may have as many as it has folders. */
#define CACHED_INODES_MAX 256

/* Leaves that wait for a thread; more would only hold descriptors. */
#define LEAVES_MAX 64
#define THREADS_MAX 4

#define COPY_BYTES 65536
#define OBJECT_PATH_SIZE (OSTREE_SHA256_STRING_LEN + sizeof "/.file")

/* A folder that is being filled. */
typedef struct
{
  char *name;        /* (owned) */
  GVariant *folders; /* (owned): a(sayay): those in it */
  gsize next;        /* the first of them that was not begun */
  AtmInode inode;    /* its attributes are owned */
  int fd;            /* -1: see OPEN_LEVELS_MAX */
  dev_t device;
  ino_t number;
} Level;

typedef struct
{
  OstreeRepo *repo;          /* (borrowed) */
  guint links_max;           /* 0: as many as the file system allows */
  GCancellable *cancellable; /* (borrowed) (nullable) */
  int objects_fd;
  GPtrArray *levels;  /* (owned) (element-type Level): outermost first */
  GHashTable *inodes; /* (owned) (element-type utf8 GVariant): dirmetas by checksum */
  GHashTable *empty;  /* (owned) (element-type utf8): checksums of the usual empty files */
  GThreadPool *pool;  /* (owned) (nullable): who fills leaves */
  GMutex lock;        /* guards the next */
  GError *failure;    /* (owned) (nullable): the first of theirs */
} Checkout;

/* A folder without folders, most of a tree, which another thread can fill. All pointers (owned). */
typedef struct
{
  char *path; /* in the image */
  GVariant *files;
  AtmInode inode;
  int fd;
} Leaf;

static void
free_level (gpointer data)
{
  Level *level = data;

  g_free (level->name);
  g_clear_pointer (&level->folders, g_variant_unref);
  g_clear_pointer (&level->inode.xattrs, g_variant_unref);
  atm_fd_clear (&level->fd);
  g_free (level);
}

static void
leaf_free (Leaf *leaf)
{
  g_free (leaf->path);
  g_variant_unref (leaf->files);
  g_clear_pointer (&leaf->inode.xattrs, g_variant_unref);
  atm_fd_clear (&leaf->fd);
  g_free (leaf);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Leaf, leaf_free)

/* Waits for all that was given to it. */
static void
end_pool (GThreadPool *pool)
{
  g_thread_pool_free (pool, FALSE, TRUE);
}

static void
checkout_clear (Checkout *checkout)
{
  g_clear_pointer (&checkout->pool, end_pool);
  g_mutex_clear (&checkout->lock);
  g_clear_error (&checkout->failure);
  g_ptr_array_unref (checkout->levels);
  g_hash_table_unref (checkout->inodes);
  g_hash_table_unref (checkout->empty);
  atm_fd_clear (&checkout->objects_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Checkout, checkout_clear)

/* Every image has empty files, so their objects would be the first to reach the limit of links
   (65000 on ext4). Those with another owner or mode come to be copied when they do. */
static GHashTable *
new_empty_set (void)
{
  const guint32 modes[] = { 0644, 0755, 0600, 0640, 0664, 0444 };
  g_autoptr (AtmObjects) objects = atm_objects_new (NULL, FALSE);
  GHashTable *set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      const AtmInode inode = { .mode = modes[i] };
      guint8 checksum[ATM_CHECKSUM_BYTES];

      if (atm_objects_put_file (objects, &inode, NULL, 0, checksum, NULL, NULL))
        g_hash_table_add (set, ostree_checksum_from_bytes (checksum));
    }
  return set;
}

/* (transfer full): where in the image the innermost folder is */
static char *
dup_path (Checkout *checkout)
{
  GString *path = g_string_new (NULL);

  /* The outermost one has the name of the checkout. */
  for (guint i = 1; i < checkout->levels->len; i++)
    g_string_append_printf (path, "/%s", ((const Level *) checkout->levels->pdata[i])->name);
  return g_string_free (path, FALSE);
}

static gboolean
prefix_path (const char *folder, const char *name, GError **error)
{
  g_autofree char *path = g_strconcat (folder, "/", name, NULL);
  g_autofree char *shown = atm_text_escape (path);

  return atm_prefix_error (error, "%s", shown);
}

static gboolean
read_checksum (GVariant *value, char *hex_out, GError **error)
{
  gsize length = 0;
  const guint8 *data = g_variant_get_fixed_array (value, &length, 1);

  if (length != ATM_CHECKSUM_BYTES)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "The list of a folder in the store is damaged; pull the image again");
  ostree_checksum_inplace_from_bytes (data, hex_out);
  return TRUE;
}

static gboolean
check_name (const char *name, GError **error)
{
  if (*name != '\0' && !g_str_equal (name, ".") && !g_str_equal (name, "..")
      && strchr (name, '/') == NULL)
    return TRUE;
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    "A folder in the store has an entry with a name that leads elsewhere; pull "
                    "the image again");
}

/* ---- files ---- */

static gboolean
copy_content (Checkout *checkout, GInputStream *content, int fd, GError **error)
{
  g_autofree guint8 *buffer = g_malloc (COPY_BYTES);

  for (;;)
    {
      const gssize n
          = g_input_stream_read (content, buffer, COPY_BYTES, checkout->cancellable, error);
      g_autoptr (GBytes) bytes = NULL;

      if (n < 0)
        return FALSE;
      if (n == 0)
        return TRUE;
      bytes = g_bytes_new_static (buffer, (gsize) n);
      if (!atm_write_all (fd, bytes, error))
        return FALSE;
    }
}

/* A file of its own that looks like the object. */
static gboolean
copy_object (Checkout *checkout, const char *checksum, int dir_fd, const char *name, GError **error)
{
  g_autoptr (GInputStream) content = NULL;
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GVariant) xattrs = NULL;
  atm_autofd int fd = -1;
  AtmInode inode = { 0 };

  if (!ostree_repo_load_file (checkout->repo, checksum, &content, &info, &xattrs,
                              checkout->cancellable, error))
    return FALSE;
  inode.uid = g_file_info_get_attribute_uint32 (info, "unix::uid");
  inode.gid = g_file_info_get_attribute_uint32 (info, "unix::gid");
  inode.mode = g_file_info_get_attribute_uint32 (info, "unix::mode") & 07777u;
  inode.xattrs = xattrs;
  if (g_file_info_get_file_type (info) == G_FILE_TYPE_SYMBOLIC_LINK)
    {
      if (symlinkat (g_file_info_get_symlink_target (info), dir_fd, name) < 0)
        return atm_throw_errno (error, "Creating a symlink");
      return atm_inode_apply_symlink (dir_fd, name, &inode, error);
    }

  fd = openat (dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return atm_throw_errno (error, "Creating a file");
  return copy_content (checkout, content, fd, error) && atm_inode_apply (fd, &inode, error);
}

static gboolean
is_full (Checkout *checkout, const char *path)
{
  struct stat st;

  return checkout->links_max > 0
         && fstatat (checkout->objects_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0
         && st.st_nlink >= checkout->links_max;
}

static gboolean
put_object (Checkout *checkout, const char *checksum, int dir_fd, const char *name, GError **error)
{
  char path[OBJECT_PATH_SIZE];

  g_snprintf (path, sizeof path, "%.2s/%s.file", checksum, checksum + 2);
  if (g_hash_table_contains (checkout->empty, checksum) || is_full (checkout, path))
    return copy_object (checkout, checksum, dir_fd, name, error);
  if (linkat (checkout->objects_fd, path, dir_fd, name, 0) == 0)
    return TRUE;
  if (errno == EMLINK)
    return copy_object (checkout, checksum, dir_fd, name, error);
  if (errno == ENOENT)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                      "The object %s is missing in the store; pull the image again", checksum);
  return atm_throw_errno (error, "Linking to the object %s", checksum);
}

/* @path: of the folder, in the image */
static gboolean
put_files (Checkout *checkout, GVariant *files, int dir_fd, const char *path, GError **error)
{
  const gsize n = g_variant_n_children (files);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = NULL;
      const char *name = NULL;
      char checksum[OSTREE_SHA256_STRING_LEN + 1];

      g_variant_get_child (files, i, "(&s@ay)", &name, &value);
      if (!check_name (name, error) || !read_checksum (value, checksum, error))
        return FALSE;
      if (!put_object (checkout, checksum, dir_fd, name, error))
        return prefix_path (path, name, error);
    }
  return TRUE;
}

/* ---- leaves ---- */

static gboolean
has_failed (Checkout *checkout, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&checkout->lock);

  if (checkout->failure != NULL && error != NULL)
    *error = g_error_copy (checkout->failure);
  return checkout->failure != NULL;
}

static void
fail (Checkout *checkout, GError *failure)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&checkout->lock);

  if (checkout->failure == NULL)
    checkout->failure = failure;
  else
    g_error_free (failure);
}

/* A GFunc; takes @data over. */
static void
fill_leaf (gpointer data, gpointer user_data)
{
  g_autoptr (Leaf) leaf = data;
  Checkout *checkout = user_data;
  GError *failure = NULL;

  if (has_failed (checkout, NULL))
    return;
  if (!put_files (checkout, leaf->files, leaf->fd, leaf->path, &failure)
      || (!atm_inode_apply (leaf->fd, &leaf->inode, &failure)
          && !prefix_path (leaf->path, ".", &failure)))
    fail (checkout, failure);
}

/* The innermost folder is one. */
static void
leave_to_others (Checkout *checkout, GVariant *files)
{
  const guint last = checkout->levels->len - 1;
  Level *level = checkout->levels->pdata[last];
  Leaf *leaf = g_new0 (Leaf, 1);

  leaf->path = dup_path (checkout);
  leaf->files = g_variant_ref (files);
  leaf->inode = level->inode;
  level->inode.xattrs = NULL;
  leaf->fd = g_steal_fd (&level->fd);
  g_ptr_array_set_size (checkout->levels, (int) last);
  /* What fails here is another thread, never the push: @leaf is queued in any case. */
  if (checkout->pool != NULL && g_thread_pool_unprocessed (checkout->pool) < LEAVES_MAX)
    (void) g_thread_pool_push (checkout->pool, leaf, NULL);
  else
    fill_leaf (leaf, checkout);
}

/* ---- folders ---- */

static gboolean
load_inode (Checkout *checkout, const char *checksum, AtmInode *inode_out, GError **error)
{
  g_autoptr (GVariant) xattrs = NULL;
  GVariant *meta = g_hash_table_lookup (checkout->inodes, checksum);

  if (meta == NULL)
    {
      if (!ostree_repo_load_variant (checkout->repo, OSTREE_OBJECT_TYPE_DIR_META, checksum, &meta,
                                     error))
        return FALSE;
      if (g_hash_table_size (checkout->inodes) >= CACHED_INODES_MAX)
        g_hash_table_remove_all (checkout->inodes);
      g_hash_table_insert (checkout->inodes, g_strdup (checksum), meta);
    }
  g_variant_get (meta, "(uuu@a(ayay))", &inode_out->uid, &inode_out->gid, &inode_out->mode,
                 &xattrs);
  inode_out->uid = GUINT32_FROM_BE (inode_out->uid);
  inode_out->gid = GUINT32_FROM_BE (inode_out->gid);
  inode_out->mode = GUINT32_FROM_BE (inode_out->mode) & 07777u;
  inode_out->xattrs = g_steal_pointer (&xattrs);
  return TRUE;
}

/* Makes a folder with its files and goes into it, unless there is no folder in it. */
static gboolean
enter (Checkout *checkout, int parent_fd, const char *name, const char *contents,
       const char *folder, GError **error)
{
  g_autoptr (GVariant) tree = NULL, files = NULL;
  g_autofree char *path = NULL;
  Level *level = g_new0 (Level, 1);
  struct stat st;

  level->name = g_strdup (name);
  level->fd = -1;
  g_ptr_array_add (checkout->levels, level);
  if (mkdirat (parent_fd, name, 0700) < 0)
    return atm_throw_errno (error, "Creating a folder");
  if (!atm_open_dir_at (parent_fd, name, &level->fd, error))
    return FALSE;
  if (fstat (level->fd, &st) < 0)
    return atm_throw_errno (error, "Looking at a folder");
  level->device = st.st_dev;
  level->number = st.st_ino;
  if (!load_inode (checkout, folder, &level->inode, error)
      || !ostree_repo_load_variant (checkout->repo, OSTREE_OBJECT_TYPE_DIR_TREE, contents, &tree,
                                    error))
    return FALSE;
  files = g_variant_get_child_value (tree, 0);
  level->folders = g_variant_get_child_value (tree, 1);
  if (checkout->levels->len > 1 && g_variant_n_children (level->folders) == 0)
    {
      leave_to_others (checkout, files);
      return TRUE;
    }
  if (checkout->levels->len > OPEN_LEVELS_MAX)
    {
      Level *outer = checkout->levels->pdata[checkout->levels->len - 1 - OPEN_LEVELS_MAX];

      atm_fd_clear (&outer->fd);
    }
  path = dup_path (checkout);
  return put_files (checkout, files, level->fd, path, error);
}

static gboolean
enter_next (Checkout *checkout, Level *level, GError **error)
{
  g_autoptr (GVariant) contents_value = NULL, folder_value = NULL;
  const char *name = NULL;
  char contents[OSTREE_SHA256_STRING_LEN + 1], folder[OSTREE_SHA256_STRING_LEN + 1];

  g_variant_get_child (level->folders, level->next++, "(&s@ay@ay)", &name, &contents_value,
                       &folder_value);
  return check_name (name, error) && read_checksum (contents_value, contents, error)
         && read_checksum (folder_value, folder, error)
         && enter (checkout, level->fd, name, contents, folder, error);
}

/* Opens @outer again from the folder in it, unless somebody has moved that away. */
static gboolean
open_again (Level *outer, const Level *inner, GError **error)
{
  struct stat st;

  if (outer->fd >= 0)
    return TRUE;
  if (!atm_open_dir_at (inner->fd, "..", &outer->fd, error))
    return FALSE;
  if (fstat (outer->fd, &st) < 0)
    return atm_throw_errno (error, "Looking at a folder");
  if (st.st_dev != outer->device || st.st_ino != outer->number)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                      "Somebody moved a folder while it was being filled");
  return TRUE;
}

/* The folder is complete: whatever it is to be, it becomes now. */
static gboolean
leave (Checkout *checkout, GError **error)
{
  const guint last = checkout->levels->len - 1;
  const Level *level = checkout->levels->pdata[last];

  if (last > 0 && !open_again (checkout->levels->pdata[last - 1], level, error))
    return FALSE;
  if (!atm_inode_apply (level->fd, &level->inode, error))
    {
      g_autofree char *path = dup_path (checkout);

      return prefix_path (path, ".", error);
    }
  g_ptr_array_set_size (checkout->levels, (int) last);
  return TRUE;
}

gboolean
atm_checkout_write (AtmStore *store, const char *commit, int dir_fd, const char *name,
                    GCancellable *cancellable, GError **error)
{
  g_auto (Checkout) checkout = { .repo = store->repo,
                                 .links_max = store->limits.links_max,
                                 .cancellable = cancellable,
                                 .objects_fd = -1 };
  g_auto (AtmCommitDraft) draft = { 0 };
  char contents[OSTREE_SHA256_STRING_LEN + 1], folder[OSTREE_SHA256_STRING_LEN + 1];

  g_mutex_init (&checkout.lock);
  checkout.levels = g_ptr_array_new_with_free_func (free_level);
  checkout.inodes
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_variant_unref);
  checkout.empty = new_empty_set ();
  if (!atm_open_dir_at (ostree_repo_get_dfd (store->repo), "objects", &checkout.objects_fd, error)
      || !atm_commit_load_draft (store, commit, &draft, error))
    return FALSE;
  /* Without threads the leaves are filled by this one. */
  checkout.pool = g_thread_pool_new (fill_leaf, &checkout,
                                     (int) MIN (g_get_num_processors (), THREADS_MAX), TRUE, NULL);
  if (g_thread_pool_get_num_threads (checkout.pool) == 0)
    g_clear_pointer (&checkout.pool, end_pool);
  ostree_checksum_inplace_from_bytes (draft.contents, contents);
  ostree_checksum_inplace_from_bytes (draft.folder, folder);
  if (!enter (&checkout, dir_fd, name, contents, folder, error))
    return FALSE;

  while (checkout.levels->len > 0)
    {
      Level *level = checkout.levels->pdata[checkout.levels->len - 1];

      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || has_failed (&checkout, error))
        return FALSE;
      if (level->next < g_variant_n_children (level->folders)
              ? !enter_next (&checkout, level, error)
              : !leave (&checkout, error))
        return FALSE;
    }
  g_clear_pointer (&checkout.pool, end_pool);
  return !has_failed (&checkout, error);
}
