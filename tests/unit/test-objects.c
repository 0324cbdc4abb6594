/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <locale.h>
#include <ostree.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "store/objects.h"
#include "store/store-private.h"
#include "util/fd.h"

#define PREFIX "atomic-import-"

/* How many entries tmp/ of the repository has that begin with @prefix. */
static guint
count_tmp (const char *repo_path, const char *prefix)
{
  g_autofree char *path = g_build_filename (repo_path, "tmp", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name = NULL;
  guint count = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    count += g_str_has_prefix (name, prefix) ? 1 : 0;
  return count;
}

static AtmTestStore *
open_store (const char *path)
{
  AtmTestStore *store = g_new0 (AtmTestStore, 1);
  g_autoptr (GError) error = NULL;

  store->path = g_strdup (path);
  g_assert_true (atm_store_open (path, TRUE, &store->store, NULL, &error));
  return store;
}

/* ---- the names of objects are those that libostree computes ---- */

static GVariant *
random_xattrs (void)
{
  const char *const names[]
      = { "security.capability", "system.posix_acl_access", "user.a", "user.\xc3\xa9", "user.z" };
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(ayay)"));

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_test_rand_int_range (0, 2) == 0)
      {
        const gsize length = (gsize) g_test_rand_int_range (0, 300);
        g_autofree guint8 *value = g_malloc0 (length + 1);

        value[0] = (guint8) g_test_rand_int ();
        g_variant_builder_add (&builder, "(@ay@ay)", g_variant_new_bytestring (names[i]),
                               g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, value, length, 1));
      }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static void
test_names (void)
{
  g_autofree char *path = atm_test_scratch_path ();
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (OstreeRepo) repo = ostree_repo_new (file);
  g_autoptr (AtmObjects) objects = atm_objects_new (NULL, FALSE);
  g_autoptr (GError) error = NULL;

  /* An archive takes any owner and attribute, whoever runs this; the names are the same. */
  g_assert_true (ostree_repo_create (repo, OSTREE_REPO_MODE_ARCHIVE, NULL, &error));
  g_assert_true (ostree_repo_prepare_transaction (repo, NULL, NULL, &error));
  for (guint i = 0; i < 400; i++)
    {
      g_autoptr (GVariant) xattrs = i % 3 == 0 ? random_xattrs () : NULL;
      AtmInode inode = { .xattrs = xattrs };
      const gsize size = (gsize) g_test_rand_int_range (0, i % 10 == 0 ? 70000 : 300);
      const gsize target_length = i < 260 ? i + 1 : (gsize) g_test_rand_int_range (1, 5000);
      g_autofree char *target = g_strnfill (target_length, 't');
      g_autofree guint8 *content = g_malloc0 (size + 1);
      g_autofree char *expected = NULL, *expected_link = NULL;
      char actual[OSTREE_SHA256_STRING_LEN + 1];
      guint8 checksum[ATM_CHECKSUM_BYTES];

      inode.uid = (guint32) g_test_rand_int () & 0x7fffffffu;
      inode.gid = (guint32) g_test_rand_int () >> g_test_rand_int_range (0, 32);
      inode.mode = (guint32) g_test_rand_int () & 07777u;
      for (gsize n = 0; n < size; n += 97)
        content[n] = (guint8) g_test_rand_int ();

      expected = ostree_repo_write_regfile_inline (repo, NULL, inode.uid, inode.gid,
                                                   S_IFREG | inode.mode, xattrs, content, size,
                                                   NULL, &error);
      g_assert_no_error (error);
      g_assert_true (atm_objects_put_file (objects, &inode, content, size, checksum, NULL, &error));
      ostree_checksum_inplace_from_bytes (checksum, actual);
      g_assert_cmpstr (actual, ==, expected);

      expected_link = ostree_repo_write_symlink (repo, NULL, inode.uid, inode.gid, xattrs, target,
                                                 NULL, &error);
      g_assert_no_error (error);
      g_assert_true (atm_objects_put_symlink (objects, &inode, target, checksum, NULL, &error));
      ostree_checksum_inplace_from_bytes (checksum, actual);
      g_assert_cmpstr (actual, ==, expected_link);
    }
  g_assert_true (ostree_repo_abort_transaction (repo, NULL, &error));
}

/* ---- several threads ---- */

typedef struct
{
  AtmObjects *objects;
  guint number;
} Putter;

static void
put_large (const Putter *putter, char first)
{
  const AtmInode inode = { .mode = 0755 };
  const gsize size = 3 * 1024 * 1024;
  g_autofree char *large = g_strnfill (size, 'x');
  g_autoptr (AtmObjectFile) file = atm_object_file_new (putter->objects, &inode);
  g_autoptr (GError) error = NULL;
  guint8 checksum[ATM_CHECKSUM_BYTES];

  large[0] = first;
  g_assert_true (atm_object_file_append (file, large, 100, &error));
  g_assert_true (atm_object_file_append (file, large + 100, size - 100, &error));
  g_assert_true (atm_object_file_finish (file, checksum, NULL, &error));
}

static gpointer
put_many (gpointer data)
{
  const Putter *putter = data;
  const AtmInode inode = { .mode = 0644 };
  g_autoptr (GError) error = NULL;
  guint8 checksum[ATM_CHECKSUM_BYTES];

  /* Half of them are the same in all threads. */
  for (guint i = 0; i < 500; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u %u", i, i % 2 == 0 ? 0 : putter->number);

      g_assert_true (atm_objects_put_file (putter->objects, &inode, text, strlen (text), checksum,
                                           NULL, &error));
      g_assert_true (
          atm_objects_put_symlink (putter->objects, &inode, text, checksum, NULL, &error));
      if (i < 4)
        put_large (putter, (char) (i % 2 == 0 ? 'a' + i : '0' + 4 * i + putter->number));
    }
  return NULL;
}

static guint
count_objects (AtmTestStore *store)
{
  g_autoptr (GHashTable) table = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (ostree_repo_list_objects (store->store->repo, OSTREE_REPO_LIST_OBJECTS_ALL, &table,
                                           NULL, &error));
  return g_hash_table_size (table);
}

static void
test_threads (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  OstreeRepo *repo = store->store->repo;
  g_autoptr (AtmObjects) objects = atm_objects_new (repo, store->store->user_mode);
  g_autoptr (AtmObjectFile) unfinished = NULL;
  const AtmInode inode = { .mode = 0755 };
  g_autoptr (GError) error = NULL;
  Putter putters[4];
  GThread *threads[4];

  g_assert_true (ostree_repo_prepare_transaction (repo, NULL, NULL, &error));
  if (store->store->direct)
    {
      AtmStaging *staging = NULL;

      g_assert_true (atm_staging_new (repo, &staging, &error));
      atm_objects_take_staging (objects, staging);
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      putters[i] = (Putter){ objects, i };
      threads[i] = g_thread_new ("putter", put_many, &putters[i]);
    }
  /* One that is never finished leaves nothing. */
  unfinished = atm_object_file_new (objects, &inode);
  g_assert_true (atm_object_file_append (unfinished, "half", 4, &error));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_clear_pointer (&unfinished, atm_object_file_free);
  g_assert_true (atm_objects_publish (objects, NULL, &error));
  g_assert_true (ostree_repo_commit_transaction (repo, NULL, NULL, &error));
  atm_test_fsck (store);
  /* 250 that all have and 4 x 250 that one has, as file and as link; 2 and 4 x 2 large files */
  g_assert_cmpuint (count_objects (store), ==, 2 * (250 + 4 * 250) + 2 + 4 * 2);
}

/* ---- what is there already ---- */

static void
test_dedup (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) first = atm_test_image_new (), second = atm_test_image_new ();
  g_autofree char *commit = NULL, *other = NULL, *a = NULL, *b = NULL;
  g_autofree char *path = NULL, *other_path = NULL;
  struct stat st, other_st;

  atm_test_image_add (first, "f a same\nl link to\nf b 1");
  atm_test_image_add (second, "d x\nf x/c same\nl x/link to\nf d 2");
  commit = atm_test_import_ok (store, first, "first:1");
  other = atm_test_import_ok (store, second, "second:1");
  a = atm_test_check_out (store, commit);
  b = atm_test_check_out (store, other);
  path = g_build_filename (a, "a", NULL);
  other_path = g_build_filename (b, "x", "c", NULL);
  g_assert_cmpint (lstat (path, &st), ==, 0);
  g_assert_cmpint (lstat (other_path, &other_st), ==, 0);
  g_assert_cmpuint (st.st_ino, ==, other_st.st_ino);
  g_assert_cmpuint (st.st_nlink, ==, 3);
  g_assert_cmpuint (count_tmp (store->path, PREFIX), ==, 0);
}

/* ---- staging of processes that are gone, and of those that are not ---- */

static void
make_staging (const char *repo_path, const char *name, gboolean lock_file)
{
  g_autofree char *folder = g_build_filename (repo_path, "tmp", name, NULL);
  g_autofree char *lock = g_strconcat (folder, "-lock", NULL);
  g_autofree char *file = g_build_filename (folder, "half", NULL);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_assert_true (!lock_file || g_file_set_contents (lock, "", 0, NULL));
}

static void
test_stale (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = atm_test_image_new ();
  g_autofree char *commit = NULL;
  g_autofree char *lock_path
      = g_build_filename (store->path, "tmp", PREFIX "boot-00000c-lock", NULL);
  g_autofree char *alone = g_build_filename (store->path, "tmp", PREFIX "boot-00000d-lock", NULL);
  atm_autofd int fd = -1;

  make_staging (store->path, PREFIX "boot-00000a", TRUE);
  make_staging (store->path, PREFIX "boot-00000b", FALSE);
  make_staging (store->path, PREFIX "boot-00000c", TRUE);
  g_assert_true (g_file_set_contents (alone, "", 0, NULL));
  make_staging (store->path, "of-somebody-else", TRUE);
  fd = open (lock_path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, 0);

  atm_test_image_add (image, "f a 1");
  commit = atm_test_import_ok (store, image, "image:1");
  g_assert_cmpuint (count_tmp (store->path, PREFIX), ==, 2);
  g_assert_cmpuint (count_tmp (store->path, PREFIX "boot-00000c"), ==, 2);
  g_assert_cmpuint (count_tmp (store->path, "of-somebody-else"), ==, 2);
}

/* ---- a process that is killed ---- */

static const struct
{
  const char *name;
  long call; /* killed when it does this in the commit; -1: before; 0: after the commit */
} crashes[] = {
  { "layer", -1 },           { "sync", SYS_syncfs },       { "publish", SYS_renameat2 },
  { "commit", SYS_linkat },  { "metadata", SYS_renameat }, { "folders", SYS_fsync },
  { "refs", SYS_fdatasync }, { "clean-up", SYS_unlinkat }, { "end", 0 },
};

static void
die (void)
{
  raise (SIGKILL);
  g_assert_not_reached ();
}

/* From here on the process ends, as by SIGKILL, when it asks the kernel for @call. */
static void
die_at (long call)
{
  struct sock_filter filter[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (guint32) call, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = { G_N_ELEMENTS (filter), filter };

  g_assert_cmpint (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  g_assert_cmpint (prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

static AtmTestImage *
new_version (const char *last)
{
  AtmTestImage *image = atm_test_image_new ();
  g_autofree char *lines = g_strdup_printf ("d etc\nf etc/b %s\nl etc/l b\nf etc/.wh.a", last);

  atm_test_image_add (image, "d etc\nf etc/a 1\nd usr");
  atm_test_image_add (image, lines);
  atm_test_image_end (image);
  return image;
}

static void
test_crash_child (void)
{
  const char *path = g_getenv ("ATM_TEST_REPO");
  const guint crash = (guint) g_ascii_strtoull (g_getenv ("ATM_TEST_CRASH"), NULL, 10);
  g_autoptr (AtmTestStore) store = open_store (path);
  g_autoptr (AtmTestImage) image = new_version ("new");
  g_autoptr (AtmVerdict) verdict = atm_test_image_judge (image);
  g_autoptr (AtmStoreTxn) txn = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = NULL;

  g_assert_true (atm_store_txn_begin (store->store, verdict, &txn, NULL, &error));
  for (guint i = 0; i < image->blobs->len; i++)
    {
      g_autoptr (GInputStream) blob = g_memory_input_stream_new_from_bytes (image->blobs->pdata[i]);

      g_assert_true (atm_store_txn_add_layer (txn, image->descriptors->pdata[i],
                                              &g_array_index (image->diff_ids, AtmDigest, i), blob,
                                              NULL, &error));
    }
  if (crashes[crash].call < 0)
    die ();
  if (crashes[crash].call > 0)
    die_at (crashes[crash].call);
  g_assert_true (atm_store_txn_commit (txn, "image:1", "image", image->manifest, image->config,
                                       &commit, NULL, &error));
  die ();
}

/* Wherever an import is killed, the old image or the new one is there, whole, and the next import
   finds no obstacle and leaves no rubbish. */
static void
test_crash (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (crashes); i++)
    {
      g_autoptr (AtmTestStore) store = atm_test_store_new ();
      g_autoptr (AtmTestImage) old = new_version ("old"), image = new_version ("new");
      g_autofree char *commit = atm_test_import_ok (store, old, "image:1");
      g_autofree char *again = NULL, *list = NULL, *number = g_strdup_printf ("%u", i);
      g_autoptr (AtmStoredImage) stored = NULL;
      g_autoptr (GError) error = NULL;

      g_test_message ("killed at %s", crashes[i].name);
      g_setenv ("ATM_TEST_REPO", store->path, TRUE);
      g_setenv ("ATM_TEST_CRASH", number, TRUE);
      g_test_trap_subprocess ("/objects/crash/subprocess/child", 0, G_TEST_SUBPROCESS_DEFAULT);
      g_assert_false (g_test_trap_has_passed ());
      g_test_trap_assert_stderr_unmatched ("*assert*");
      g_test_trap_assert_stdout_unmatched ("*assert*");

      atm_test_fsck (store);
      g_assert_true (atm_store_load_image (store->store, "image:1", &stored, NULL, &error));
      list = atm_test_list (store, stored->commit);
      g_assert_cmpstr (list, ==,
                       g_str_equal (stored->commit, commit) ? "etc/ etc/b=old etc/l>b usr/"
                                                            : "etc/ etc/b=new etc/l>b usr/");
      again = atm_test_import_ok (store, image, "image:1");
      g_assert_cmpuint (count_tmp (store->path, PREFIX), ==, 0);
    }
}

/* ---- a disk that is full ---- */

/* A small file system that only this process sees; %FALSE where that is not allowed. */
static gboolean
mount_small (const char *path, const char *options)
{
  return unshare (CLONE_NEWNS) == 0 && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
         && mount ("tmpfs", path, "tmpfs", 0, options) == 0;
}

static AtmTestStore *
open_with_reserve (const char *path, const char *reserve)
{
  g_autoptr (AtmTestStore) store = open_store (path);
  g_autoptr (GKeyFile) config = ostree_repo_copy_config (store->store->repo);
  g_autoptr (GError) error = NULL;

  g_key_file_set_string (config, "core", "min-free-space-size", reserve);
  g_assert_true (ostree_repo_write_config (store->store->repo, config, &error));
  return open_store (path);
}

static AtmTestImage *
new_heavy_image (gboolean one_file)
{
  const gsize size = one_file ? 40 * 1024 * 1024 : 400 * 1024;
  AtmTestImage *image = atm_test_image_new ();
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autofree char *content = g_strnfill (size, 'x');
  GBytes *bytes = NULL;

  for (guint i = 0; i < (one_file ? 1u : 100u); i++)
    {
      g_autofree char *name = g_strdup_printf ("file%u", i);

      memcpy (content, name, strlen (name));
      atm_test_tar_add (tar, '0', name, 0644, NULL, content);
    }
  bytes = atm_test_tar_end (tar);
  atm_test_image_take (image, atm_test_gzip (bytes), bytes);
  return image;
}

static void
check_full (const char *options, const char *reserve, const char *message, gboolean one_file)
{
  g_autofree char *mount_point = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (mount_point, "repo", NULL);
  g_autoptr (AtmTestStore) store = NULL, again = NULL;
  g_autoptr (AtmTestImage) small = atm_test_image_new (), image = new_heavy_image (one_file);
  g_autofree char *first = NULL, *commit = NULL;
  g_autoptr (GError) error = NULL;

  if (!mount_small (mount_point, options))
    {
      g_test_skip ("a file system can only be mounted by root");
      return;
    }
  store = open_with_reserve (path, reserve);
  atm_test_image_add (small, "f a 1");
  first = atm_test_import_ok (store, small, "small:1");
  g_assert_false (atm_test_import (store, image, "image:1", &commit, &error));
  /* libostree has no code of its own for its reserve. */
  if (store->store->direct || g_str_equal (reserve, "0MB"))
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  g_assert_true (error->domain == G_IO_ERROR);
  if (store->store->direct && strstr (error->message, message) == NULL)
    g_error ("expected “%s”, got: %s", message, error->message);
  atm_test_fsck (store);
  g_assert_cmpuint (count_tmp (path, PREFIX), ==, 0);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 2);

  g_assert_cmpint (mount (NULL, mount_point, NULL, MS_REMOUNT, "size=800m"), ==, 0);
  again = open_with_reserve (path, reserve);
  commit = atm_test_import_ok (again, image, "image:1");
  g_clear_pointer (&store, atm_test_store_free);
  g_clear_pointer (&again, atm_test_store_free);
  g_assert_cmpint (umount2 (mount_point, MNT_DETACH), ==, 0);
}

static void
test_full_disk (void)
{
  check_full ("size=24m", "0MB", "whose file system needs more room", FALSE);
}

static void
test_full_disk_large (void)
{
  check_full ("size=24m", "0MB", "whose file system needs more room", TRUE);
}

static void
test_min_free_space (void)
{
  check_full ("size=200m", "180MB", "must stay free (core.min-free-space-size", FALSE);
}

static void
test_min_free_space_large (void)
{
  check_full ("size=200m", "180MB", "must stay free (core.min-free-space-size", TRUE);
}

int
main (int argc, char *argv[])
{
  setlocale (LC_CTYPE, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/objects/names", test_names);
  atm_test_add_both ("/objects/threads", test_threads);
  atm_test_add_both ("/objects/dedup", test_dedup);
  atm_test_add_both ("/objects/stale", test_stale);
  atm_test_add_both ("/objects/crash", test_crash);
  g_test_add_func ("/objects/crash/subprocess/child", test_crash_child);
  atm_test_add_both ("/objects/full-disk", test_full_disk);
  atm_test_add_both ("/objects/full-disk-large", test_full_disk_large);
  atm_test_add_both ("/objects/min-free-space", test_min_free_space);
  atm_test_add_both ("/objects/min-free-space-large", test_min_free_space_large);
  return g_test_run ();
}
