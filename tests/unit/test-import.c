/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "store/objects.h"
#include "store/store-private.h"
#include "util/fd.h"

/* An image of one layer that is stored plain. */
static AtmTestImage *
image_of (GBytes *tar)
{
  AtmTestImage *image = atm_test_image_new ();

  atm_test_image_take (image, g_bytes_ref (tar), g_bytes_ref (tar));
  return image;
}

static char *
import_and_check_out (GBytes *tar, char **notice_out)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = image_of (tar);
  g_autoptr (AtmStoredImage) stored = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = atm_test_import_ok (store, image, "image:1");

  g_assert_true (atm_store_load_image (store->store, "image:1", &stored, NULL, &error));
  if (notice_out != NULL)
    *notice_out = g_strdup (stored->notice);
  else
    g_assert_cmpstr (stored->notice, ==, NULL);
  return atm_test_check_out (store, commit);
}

static void
assert_refused (GBytes *tar, const AtmStoreLimits *limits, const char *message)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = image_of (tar);
  g_autoptr (GError) error = NULL;
  char *commit = NULL;

  if (limits != NULL)
    *atm_store_get_limits (store->store) = *limits;
  g_assert_false (atm_test_import (store, image, "image:1", &commit, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
  if (strstr (error->message, message) == NULL)
    g_error ("expected “%s”, got: %s", message, error->message);
  g_assert_cmpuint (atm_test_count_refs (store), ==, 0);
}

/* Known answers of libostree 2022.7 (store.md 3). */
static void
test_checksums (void)
{
  const struct
  {
    guint mode;
    const char *content;
    const char *xattr;
    const char *checksum;
  } cases[] = {
    { 0644, "hello\n", NULL, "44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b" },
    { 04755, "hello\n", "user.a",
      "e496d965dd7d4824750413f388be1171e388874f77b3a3f73447c56a67f2199c" },
    { 0644, "", NULL, "cc700d46f407c6c5ab2d5dde474366a928b7398277e61162e7f8ec06f469f07e" },
  };
  g_autoptr (AtmObjects) objects = atm_objects_new (NULL, FALSE);
  g_autoptr (GError) error = NULL;
  const AtmInode link = { 0 };
  guint8 checksum[ATM_CHECKSUM_BYTES];
  char hex[OSTREE_SHA256_STRING_LEN + 1];

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) xattrs = NULL;
      g_autoptr (AtmObjectFile) file = NULL;
      AtmInode inode = { .mode = cases[i].mode };

      if (cases[i].xattr != NULL)
        xattrs
            = g_variant_ref_sink (g_variant_new_parsed ("[(%^ay, [byte 0x62])]", cases[i].xattr));
      inode.xattrs = xattrs;
      file = atm_object_file_new (objects, &inode);
      g_assert_true (
          atm_object_file_append (file, cases[i].content, strlen (cases[i].content), &error));
      g_assert_true (atm_object_file_finish (file, checksum, NULL, &error));
      ostree_checksum_inplace_from_bytes (checksum, hex);
      g_assert_cmpstr (hex, ==, cases[i].checksum);
    }

  g_assert_true (atm_objects_put_symlink (objects, &link, "target", checksum, NULL, &error));
  ostree_checksum_inplace_from_bytes (checksum, hex);
  g_assert_cmpstr (hex, ==, "a6b40a5400ed082fbe067d2c8397aab54046a089768651c392a36db46d24c1cd");
}

static void
stat_in (const char *root, const char *path, struct stat *st)
{
  g_autofree char *full = g_build_filename (root, path, NULL);

  g_assert_cmpint (lstat (full, st), ==, 0);
}

static void
assert_stat (const char *root, const char *path, guint mode, guint uid, guint gid, gint64 size)
{
  struct stat st;

  stat_in (root, path, &st);
  g_assert_cmphex (st.st_mode & 07777, ==, mode);
  g_assert_cmpuint (st.st_uid, ==, uid);
  g_assert_cmpuint (st.st_gid, ==, gid);
  if (size < 0)
    return;
  g_assert_cmpint (st.st_size, ==, size);
  /* libostree makes empty files anew, as of now. */
  if (size > 0)
    g_assert_cmpint (st.st_mtime, ==, 0);
}

static void
test_metadata (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *root = NULL;

  if (geteuid () != 0)
    {
      g_test_skip ("owners can only be given by root");
      return;
    }
  atm_test_tar_owner (tar, 5, 6);
  atm_test_tar_add (tar, '5', "./", 0711, NULL, NULL);
  atm_test_tar_owner (tar, 1000, 2000);
  atm_test_tar_add (tar, '0', "suid", 06755, NULL, "x");
  atm_test_tar_owner (tar, 4000000000, 3999999999);
  atm_test_tar_add (tar, '0', "big", 0600, NULL, NULL);
  /* File type bits in the mode of a header mean nothing (row 32). */
  atm_test_tar_add (tar, '0', "typed", 0120644, NULL, "y");
  atm_test_tar_add (tar, '5', "locked", 0, NULL, NULL);
  atm_test_tar_add (tar, '0', "locked/f", 0, NULL, "z");
  atm_test_tar_add (tar, '5', "sticky", 01777, NULL, NULL);
  bytes = atm_test_tar_end (tar);
  root = import_and_check_out (bytes, NULL);

  assert_stat (root, "", 0711, 5, 6, -1);
  assert_stat (root, "suid", 06755, 1000, 2000, 1);
  assert_stat (root, "big", 0600, 4000000000, 3999999999, 0);
  assert_stat (root, "typed", 0644, 0, 0, 1);
  assert_stat (root, "locked", 0, 0, 0, -1);
  assert_stat (root, "locked/f", 0, 0, 0, 1);
  assert_stat (root, "sticky", 01777, 0, 0, -1);
}

static void
assert_xattr (const char *root, const char *path, const char *name, gconstpointer value,
              gsize length)
{
  g_autofree char *full = g_build_filename (root, path, NULL);
  char buffer[256];
  const ssize_t n = lgetxattr (full, name, buffer, sizeof buffer);

  if (value == NULL)
    {
      g_assert_cmpint (n, ==, -1);
      return;
    }
  g_assert_cmpmem (buffer, (gsize) MAX (n, 0), value, length);
}

static void
test_xattrs (void)
{
  const char capability[20] = "\x01\x00\x00\x02\x00\x04";
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *root = NULL, *notice = NULL;

  if (geteuid () != 0)
    {
      g_test_skip ("capabilities can only be given by root");
      return;
    }
  /* Not in order, which fsck would find. */
  atm_test_tar_pax (tar, "SCHILY.xattr.user.z", "1", 1);
  atm_test_tar_pax (tar, "SCHILY.xattr.user.a", "a\0b\xff", 4);
  atm_test_tar_pax (tar, "SCHILY.xattr.security.capability", capability, sizeof capability);
  atm_test_tar_pax (tar, "SCHILY.xattr.security.selinux", "x", 1);
  atm_test_tar_pax (tar, "SCHILY.xattr.trusted.overlay.opaque", "y", 1);
  atm_test_tar_pax (tar, "SCHILY.xattr.user.overlay.whiteout", "y", 1);
  atm_test_tar_pax (tar, "SCHILY.xattr.trusted.x", "y", 1);
  atm_test_tar_pax (tar, "SCHILY.acl.access", "user::rwx", 9);
  atm_test_tar_add (tar, '0', "f", 0755, NULL, "x");
  atm_test_tar_pax (tar, "LIBARCHIVE.xattr.user.b%20c", "dmFsdWU", 7);
  atm_test_tar_pax (tar, "LIBARCHIVE.xattr.user.both", "b2xk", 4);
  atm_test_tar_pax (tar, "SCHILY.xattr.user.both", "new", 3);
  atm_test_tar_add (tar, '0', "g", 0755, NULL, "x");
  atm_test_tar_pax (tar, "SCHILY.xattr.security.capability", "short", 5);
  atm_test_tar_pax (tar, "SCHILY.xattr.user.d", "2", 1);
  atm_test_tar_add (tar, '5', "d", 0755, NULL, NULL);
  bytes = atm_test_tar_end (tar);
  root = import_and_check_out (bytes, &notice);

  assert_xattr (root, "f", "user.a", "a\0b\xff", 4);
  assert_xattr (root, "f", "user.z", "1", 1);
  assert_xattr (root, "f", "security.capability", capability, sizeof capability);
  assert_xattr (root, "f", "trusted.overlay.opaque", NULL, 0);
  assert_xattr (root, "f", "user.overlay.whiteout", NULL, 0);
  assert_xattr (root, "f", "trusted.x", NULL, 0);
  assert_xattr (root, "f", "system.posix_acl_access", NULL, 0);
  assert_xattr (root, "g", "user.b c", "value", 5);
  assert_xattr (root, "g", "user.both", "new", 3);
  assert_xattr (root, "d", "user.d", "2", 1);
  assert_xattr (root, "d", "security.capability", NULL, 0);
  g_assert_cmpstr (notice, ==,
                   "layer 1: dropped 2 overlayfs attributes, dropped 1 file capabilities");
}

static void
assert_content (const char *root, const char *path, const char *content)
{
  g_autofree char *full = g_build_filename (root, path, NULL);
  g_autofree char *actual = NULL;

  g_assert_true (g_file_get_contents (full, &actual, NULL, NULL));
  g_assert_cmpstr (actual, ==, content);
}

static void
test_names (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autofree char *component = g_strnfill (255, 'c');
  g_autofree char *target = g_strnfill (3000, 't');
  g_autoptr (GString) path = g_string_new (NULL);
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *root = NULL, *full = NULL, *actual = NULL;

  for (guint i = 0; i < 10; i++)
    g_string_append_printf (path, "%s%s", i > 0 ? "/" : "", component);
  atm_test_tar_add (tar, '0', path->str, 0644, NULL, "deep");
  atm_test_tar_add (tar, '2', "long", 0777, target, NULL);
  /* composed, decomposed (not the same name), and in a pax record */
  atm_test_tar_add (tar, '0', "\xc3\xa9", 0644, NULL, "1");
  atm_test_tar_add (tar, '0', "e\xcc\x81", 0644, NULL, "2");
  atm_test_tar_pax (tar, "path", "p\xc3\xa9", 3);
  atm_test_tar_add (tar, '0', "x", 0644, NULL, "3");
  atm_test_tar_pax (tar, "path", "pe\xcc\x81", 4);
  atm_test_tar_add (tar, '0', "x", 0644, NULL, "4");
  atm_test_tar_pax (tar, "linkpath", "pe\xcc\x81", 4);
  atm_test_tar_add (tar, '1', "hard", 0644, "x", NULL);
  atm_test_tar_pax (tar, "linkpath", "pe\xcc\x81", 4);
  atm_test_tar_add (tar, '2', "soft", 0777, "x", NULL);
  atm_test_tar_add (tar, '0', "new\nline", 0644, NULL, "5");
  /* the long name of GNU tar, and a pax record that wins over it */
  atm_test_tar_add (tar, 'L', "././@LongLink", 0644, NULL, "gnu-name");
  atm_test_tar_add (tar, '0', "x", 0644, NULL, "6");
  atm_test_tar_add (tar, '7', "contiguous", 0644, NULL, "7");
  bytes = atm_test_tar_end (tar);
  root = import_and_check_out (bytes, NULL);

  assert_content (root, path->str, "deep");
  assert_content (root, "\xc3\xa9", "1");
  assert_content (root, "e\xcc\x81", "2");
  assert_content (root, "p\xc3\xa9", "3");
  assert_content (root, "pe\xcc\x81", "4");
  assert_content (root, "hard", "4");
  assert_content (root, "soft", "4");
  assert_content (root, "new\nline", "5");
  assert_content (root, "gnu-name", "6");
  assert_content (root, "contiguous", "7");
  full = g_build_filename (root, "long", NULL);
  actual = g_file_read_link (full, NULL);
  g_assert_cmpstr (actual, ==, target);
}

/* Headers everywhere relative to the blocks that the stream is read in. */
static void
test_many_names (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autofree char *padding = g_strnfill (700, 'x');
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *root = NULL;

  for (guint i = 0; i < 1000; i++)
    {
      g_autofree char *name = g_strdup_printf ("e\xcc\x81%u", i);
      g_autofree char *link = g_strdup_printf ("o\xcc\x81%u", i);

      atm_test_tar_pax (tar, "path", name, strlen (name));
      atm_test_tar_add (tar, '0', "x", 0644, NULL, i % 3 == 0 ? padding : NULL);
      atm_test_tar_pax (tar, "path", link, strlen (link));
      atm_test_tar_add (tar, '2', "x", 0777, "target", NULL);
    }
  bytes = atm_test_tar_end (tar);
  root = import_and_check_out (bytes, NULL);
  for (guint i = 0; i < 1000; i++)
    {
      g_autofree char *name = g_strdup_printf ("%s/e\xcc\x81%u", root, i);
      g_autofree char *link = g_strdup_printf ("%s/o\xcc\x81%u", root, i);

      g_assert_true (g_file_test (name, G_FILE_TEST_IS_REGULAR));
      g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
    }
}

static void
test_deep (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = NULL;
  g_autoptr (GString) path = g_string_new ("d");
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *commit = NULL;

  for (guint i = 0; i < 999; i++)
    g_string_append (path, "/d");
  g_string_append (path, "/f");
  atm_test_tar_add (tar, '0', path->str, 0644, NULL, "x");
  bytes = atm_test_tar_end (tar);
  image = image_of (bytes);
  commit = atm_test_import_ok (store, image, "deep:1");
  g_free (atm_test_check_out (store, commit));
}

static void
test_sizes (void)
{
  const gsize size = 3 * 1024 * 1024 + 17;
  g_autofree char *content = g_strnfill (size, 'x');
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *root = NULL, *full = NULL, *actual = NULL;
  gsize length = 0;

  content[1024 * 1024] = 'y';
  atm_test_tar_add (tar, '0', "large", 0644, NULL, content);
  atm_test_tar_add (tar, '0', "empty", 0644, NULL, NULL);
  /* GNU sparse, format 0.1: two parts in a file of 4 MiB. */
  atm_test_tar_pax (tar, "GNU.sparse.name", "sparse", 6);
  atm_test_tar_pax (tar, "GNU.sparse.size", "4194304", 7);
  atm_test_tar_pax (tar, "GNU.sparse.numblocks", "2", 1);
  atm_test_tar_pax (tar, "GNU.sparse.map", "1000,3,2000000,2", 16);
  atm_test_tar_add (tar, '0', "x", 0644, NULL, "abcde");
  bytes = atm_test_tar_end (tar);
  root = import_and_check_out (bytes, NULL);

  assert_content (root, "large", content);
  assert_content (root, "empty", "");
  full = g_build_filename (root, "sparse", NULL);
  g_assert_true (g_file_get_contents (full, &actual, &length, NULL));
  g_assert_cmpuint (length, ==, 4194304);
  g_assert_cmpmem (actual + 1000, 4, "abc", 4);
  g_assert_cmpmem (actual + 2000000, 3, "de", 3);
}

/* What headers may say beside the plain (registry.md 5.5, rows 1-6, 13, 37-39). */
static void
test_headers (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *root = NULL, *link = NULL, *target = NULL;
  struct stat st, linked;

  /* 1: a regular file by NUL; its size in a pax record */
  atm_test_tar_add (tar, '\0', "old", 0644, NULL, "1");
  atm_test_tar_pax (tar, "size", "3", 1);
  atm_test_tar_add_raw (tar, '0', "sized", 0644, NULL, "abc", 0);
  /* 2: ustar prefix */
  atm_test_tar_prefix (tar, "pre/fix");
  atm_test_tar_add (tar, '0', "name", 0644, NULL, "2");
  /* 3: pax wins over GNU wins over ustar, for names and for links */
  atm_test_tar_add (tar, 'L', "././@LongLink", 0644, NULL, "gnu");
  atm_test_tar_pax (tar, "path", "pax", 3);
  atm_test_tar_add (tar, '0', "ustar", 0644, NULL, "3");
  atm_test_tar_add (tar, 'K', "././@LongLink", 0644, NULL, "gnu-target");
  atm_test_tar_add (tar, '2', "gnu-link", 0777, "ustar-target", NULL);
  /* 4: a global header that says nothing of entries */
  atm_test_tar_add (tar, 'g', "pax_global_header", 0644, NULL, "16 comment=hello\n");
  /* 5, 37: times mean nothing */
  atm_test_tar_time (tar, -5);
  atm_test_tar_add (tar, '0', "early", 0644, NULL, "4");
  atm_test_tar_pax (tar, "mtime", "-7.5", 4);
  atm_test_tar_add (tar, '0', "earlier", 0644, NULL, "5");
  /* 6: nor do names of owners */
  atm_test_tar_pax (tar, "uname", "daemon", 6);
  atm_test_tar_pax (tar, "gname", "daemon", 6);
  atm_test_tar_add (tar, '0', "named", 0644, NULL, "6");
  /* 13: contents and mode of a hard link do not count */
  atm_test_tar_pax (tar, "comment", "x", 1);
  atm_test_tar_add (tar, '1', "hard", 0600, "old", "1");
  /* 5.4, rule 5 */
  atm_test_tar_pax (tar, "hdrcharset", "BINARY", 6);
  atm_test_tar_pax (tar, "path", "b\xc3\xa9", 3);
  atm_test_tar_add (tar, '0', "x", 0644, NULL, "7");
  /* 29: a socket of star; 38: a volume, a dump of a folder, names to change; 39: of Solaris */
  atm_test_tar_add (tar, 'V', "volume", 0644, NULL, NULL);
  atm_test_tar_add (tar, 'D', "dump/", 0755, NULL, "Yfile");
  atm_test_tar_add (tar, 'N', "names", 0644, NULL, "Rename a to b");
  atm_test_tar_add (tar, 's', "dev/socket", 0644, NULL, NULL);
  atm_test_tar_add (tar, 'X', "solaris", 0644, NULL, "11 foo=bar\n");
  atm_test_tar_add (tar, '0', "last", 0644, NULL, "8");
  bytes = atm_test_tar_end (tar);
  root = import_and_check_out (bytes, NULL);

  assert_content (root, "old", "1");
  assert_content (root, "sized", "abc");
  assert_content (root, "pre/fix/name", "2");
  assert_content (root, "pax", "3");
  assert_content (root, "b\xc3\xa9", "7");
  assert_content (root, "last", "8");
  assert_stat (root, "early", 0644, 0, 0, 1);
  assert_stat (root, "earlier", 0644, 0, 0, 1);
  assert_stat (root, "named", 0644, 0, 0, 1);
  link = g_build_filename (root, "gnu-link", NULL);
  target = g_file_read_link (link, NULL);
  g_assert_cmpstr (target, ==, "gnu-target");
  stat_in (root, "old", &st);
  stat_in (root, "hard", &linked);
  g_assert_cmpuint (st.st_ino, ==, linked.st_ino);
  for (guint i = 0; i < 4; i++)
    {
      const char *const skipped[] = { "volume", "dump", "names", "dev/socket" };
      g_autofree char *path = g_build_filename (root, skipped[i], NULL);

      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    }
}

static void
test_refuses_types (void)
{
  const struct
  {
    char type;
    const char *content;
    const char *message;
  } cases[] = {
    { '8', "x", "“f” is of a type that tar does not define" },
    { '9', NULL, "is of a type that tar does not define" },
    { 'B', NULL, "is of a type that tar does not define" },
    { 'Z', "x", "is of a type that tar does not define" },
    { 'a', "x", "is of a type that tar does not define" },
    { '!', "x", "is of a type that tar does not define" },
    { '\x80', "x", "is of a type that tar does not define" },
    { 'g', "10 path=a\n", "follows a global pax header that changes entries" },
    { 'g', "9 uid=10\n", "follows a global pax header that changes entries" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint extended = 0; extended < 2; extended++)
      {
        g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
        g_autoptr (GBytes) bytes = NULL;

        g_test_message ("case %u", i);
        /* As the very first they are no tar for libarchive. */
        atm_test_tar_add (tar, '0', "first", 0644, NULL, NULL);
        if (extended == 1 && cases[i].type != 'g')
          atm_test_tar_pax (tar, "mtime", "7", 1);
        atm_test_tar_add (tar, cases[i].type, "f", 0644, NULL, cases[i].content);
        atm_test_tar_add (tar, '0', "g", 0644, NULL, NULL);
        bytes = atm_test_tar_end (tar);
        assert_refused (bytes, NULL, cases[i].message);
      }
}

/* Every form that GNU tar has for sparse files, by GNU tar itself (row 7). */
static void
test_sparse (void)
{
  const char *const options[]
      = { "--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0" };
  const gsize size = 5 * 1024 * 1024;
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (folder, "sparse", NULL);
  g_autofree char *archive = g_build_filename (folder, "sparse.tar", NULL);
  g_autofree char *content = g_malloc0 (size);
  atm_autofd int fd = open (path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

  /* More parts than one header of the old form can name. */
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  for (gsize at = 65536; at < size; at += 262144)
    {
      content[at] = (char) (at >> 16);
      g_assert_cmpint (pwrite (fd, content + at, 1, (off_t) at), ==, 1);
    }
  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    {
      const char *argv[] = { "tar",      "--sparse", i > 0 ? "--format=posix" : options[0],
                             options[i], "-cf",      archive,
                             "-C",       folder,     "sparse",
                             NULL };
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *root = NULL, *full = NULL, *actual = NULL, *data = NULL;
      gsize length = 0;
      int status = -1;

      g_test_message ("%s", options[i]);
      g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                                   NULL, NULL, &status, &error));
      g_assert_cmpint (status, ==, 0);
      g_assert_true (g_file_get_contents (archive, &data, &length, &error));
      g_assert_cmpuint (length, <, size);
      bytes = g_bytes_new (data, length);
      root = import_and_check_out (bytes, NULL);
      full = g_build_filename (root, "sparse", NULL);
      g_assert_true (g_file_get_contents (full, &actual, &length, &error));
      g_assert_cmpmem (actual, length, content, size);
    }
}

static void
test_ends (void)
{
  const struct
  {
    gsize cut;           /* bytes of the archive, or 0: all with end blocks */
    const char *end;     /* after that */
    const char *message; /* NULL: accepted */
  } cases[] = {
    { 0, NULL, NULL },
    { 0, "garbage", NULL },
    { 1024, NULL, NULL }, /* no end blocks */
    { 1, NULL, "The archive is damaged" },
    { 511, NULL, "The archive is damaged" },
    { 512, NULL, "The archive is damaged" },
    { 515, NULL, "The archive is damaged" },
    { 1024, "x", "The archive is damaged" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
      g_autoptr (GBytes) bytes = NULL, whole = NULL, end = NULL;
      g_autofree char *root = NULL;

      g_test_message ("case %u", i);
      atm_test_tar_add_lines (tar, "f file content");
      bytes = cases[i].cut > 0 ? atm_test_tar_cut (tar, cases[i].cut) : atm_test_tar_end (tar);
      end = atm_test_bytes (cases[i].end != NULL ? cases[i].end : "");
      whole = atm_test_concat (bytes, end);
      if (cases[i].message != NULL)
        assert_refused (whole, NULL, cases[i].message);
      else
        {
          root = import_and_check_out (whole, NULL);
          assert_content (root, "file", "content");
        }
    }
}

static void
test_refuses_headers (void)
{
  const struct
  {
    gint64 uid;
    gint64 gid;
    guint64 size;
    const char *message;
  } cases[] = {
    { -1, 0, 1, "owner -1:0 is out of range" },
    { 0, -2, 1, "owner 0:-2 is out of range" },
    { G_MAXUINT32, 0, 1, "is out of range" },
    { 0, (gint64) 1 << 40, 1, "is out of range" },
    { 0, 0, 2000, "The archive is damaged" },
    { 0, 0, (guint64) 1 << 40, "The archive is damaged" },
    { 0, 0, (guint64) 1 << 62, "The archive is damaged" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
      g_autoptr (GBytes) bytes = NULL;

      g_test_message ("case %u", i);
      atm_test_tar_owner (tar, cases[i].uid, cases[i].gid);
      atm_test_tar_add_raw (tar, '0', "f", 0644, NULL, "x", cases[i].size);
      bytes = atm_test_tar_end (tar);
      assert_refused (bytes, NULL, cases[i].message);
    }
}

static void
test_refuses_lengths (void)
{
  g_autofree char *component = g_strnfill (256, 'c'), *value = g_strnfill (65537, 'v');
  g_autoptr (GString) path = g_string_new ("d");
  g_autofree char *target = g_strnfill (4096, 't');

  while (path->len <= 4096)
    g_string_append (path, "/d");
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
      g_autoptr (GBytes) bytes = NULL;
      const char *message = NULL;

      switch (i)
        {
        case 0:
          atm_test_tar_add (tar, '0', component, 0644, NULL, NULL);
          message = "has a component of more than 255 bytes";
          break;
        case 1:
          atm_test_tar_add (tar, '0', path->str, 0644, NULL, NULL);
          message = "is longer than 4095 bytes";
          break;
        case 2:
          atm_test_tar_add (tar, '2', "l", 0777, target, NULL);
          message = "longer than 4095 bytes";
          break;
        default:
          atm_test_tar_pax (tar, "SCHILY.xattr.user.v", value, 65537);
          atm_test_tar_add (tar, '0', "f", 0644, NULL, NULL);
          message = "“user.v” makes the attributes larger than is allowed";
          break;
        }
      bytes = atm_test_tar_end (tar);
      assert_refused (bytes, NULL, message);
    }
}

/* Each bound, made small enough to be met. */
static void
test_limits (void)
{
  g_autoptr (GBytes) tar = atm_test_tar_of ("f a/b/c/d 1\nf b 2\nl s a/b/c\nf s/x 3");
  g_autoptr (AtmTestTar) sparse = atm_test_tar_new ();
  g_autoptr (GBytes) sparse_bytes = NULL;
  const AtmStoreLimits real = ATM_STORE_LIMITS_INIT;
  AtmStoreLimits limits = real;

  limits.entries_max = 3;
  assert_refused (tar, &limits, "The layer has more than 3 entries");
  limits = real;
  limits.nodes_max = 5;
  assert_refused (tar, &limits, "The image has more than 5 files and folders");
  limits = real;
  limits.names_max_bytes = 20;
  assert_refused (tar, &limits, "The paths of the layer together are longer than 20 bytes");
  limits = real;
  limits.steps_max = 5;
  assert_refused (tar, &limits, "take more than 5 steps to resolve");
  limits = real;
  limits.layer_max_bytes = 1000;
  assert_refused (tar, &limits, "The layer unpacks to more than 1000 bytes");

  /* 1 TiB that costs nothing in the stream. */
  atm_test_tar_pax (sparse, "GNU.sparse.name", "sparse", 6);
  atm_test_tar_pax (sparse, "GNU.sparse.size", "1099511627776", 13);
  atm_test_tar_pax (sparse, "GNU.sparse.numblocks", "1", 1);
  atm_test_tar_pax (sparse, "GNU.sparse.map", "1099511627775,1", 15);
  atm_test_tar_add (sparse, '0', "x", 0644, NULL, "a");
  sparse_bytes = atm_test_tar_end (sparse);
  limits = real;
  limits.ratio_from_bytes = 1 << 20;
  assert_refused (sparse_bytes, &limits, "The layer unpacks to more than 1000 times its size");
  limits = real;
  limits.layer_max_bytes = 1 << 20;
  assert_refused (sparse_bytes, &limits, "The layer unpacks to more than 1048576 bytes");
}

static void
test_notices (void)
{
  g_autoptr (GBytes) tar = atm_test_tar_of ("c dev/null\np srv/pipe\nc srv/disk\nf \xe9 1\nf a 2");
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = atm_test_image_new ();
  g_autofree char *commit = NULL, *again = NULL, *list = NULL;
  g_autoptr (AtmStoredImage) stored = NULL;
  g_autoptr (GError) error = NULL;
  const char *notice = "layer 2: skipped 2 device nodes and FIFOs (the first: /srv/pipe), "
                       "skipped 1 entries with names that are not UTF-8; layer 2: replaced 1 "
                       "files of lower layers by folders (for /srv/pipe)";

  atm_store_get_limits (store->store)->skip_invalid_names = TRUE;
  atm_test_image_add (image, "f srv 1");
  atm_test_image_take (image, g_bytes_ref (tar), g_bytes_ref (tar));
  commit = atm_test_import_ok (store, image, "image:1");
  list = atm_test_list (store, commit);
  g_assert_cmpstr (list, ==, "a=2 dev/ srv/");
  g_assert_true (atm_store_load_image (store->store, "image:1", &stored, NULL, &error));
  g_assert_cmpstr (stored->notice, ==, notice);

  /* The notice comes back with the stored layer. */
  g_clear_pointer (&stored, atm_stored_image_free);
  again = atm_test_import_ok (store, image, "again:1");
  g_assert_cmpuint (image->n_stored, ==, 2);
  g_assert_true (atm_store_load_image (store->store, "again:1", &stored, NULL, &error));
  g_assert_cmpstr (stored->notice, ==, notice);
}

/* A repository of a user: set-id bits and capabilities mean nothing there, and that is told. */
static void
test_user_mode (void)
{
  const char capability[20] = "\x01\x00\x00\x02\x00\x04";
  g_autofree char *path = atm_test_scratch_path ();
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (OstreeRepo) repo = ostree_repo_new (file);
  g_autoptr (AtmTestStore) store = g_new0 (AtmTestStore, 1);
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (AtmTestImage) image = NULL;
  g_autoptr (AtmStoredImage) stored = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *commit = NULL, *list = NULL;

  g_assert_true (ostree_repo_create (repo, OSTREE_REPO_MODE_BARE_USER, NULL, &error));
  store->path = g_steal_pointer (&path);
  g_assert_true (atm_store_open (store->path, FALSE, &store->store, NULL, &error));
  atm_test_tar_pax (tar, "SCHILY.xattr.security.capability", capability, sizeof capability);
  atm_test_tar_add (tar, '0', "f", 06755, NULL, "x");
  atm_test_tar_add (tar, '5', "d", 01777, NULL, NULL);
  atm_test_tar_add (tar, '2', "l", 0777, "f", NULL);
  bytes = atm_test_tar_end (tar);
  image = image_of (bytes);
  commit = atm_test_import_ok (store, image, "image:1");
  list = atm_test_list (store, commit);
  g_assert_cmpstr (list, ==, "d/ f=x l>f");
  g_assert_true (atm_store_load_image (store->store, "image:1", &stored, NULL, &error));
  g_assert_cmpstr (stored->notice, ==,
                   "layer 1: dropped set-id and sticky bits of 2 entries, dropped 1 file "
                   "capabilities");
}

int
main (int argc, char *argv[])
{
  setlocale (LC_CTYPE, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/import/checksums", test_checksums);
  atm_test_add_both ("/import/metadata", test_metadata);
  atm_test_add_both ("/import/xattrs", test_xattrs);
  atm_test_add_both ("/import/names", test_names);
  atm_test_add_both ("/import/many-names", test_many_names);
  atm_test_add_both ("/import/deep", test_deep);
  atm_test_add_both ("/import/sizes", test_sizes);
  g_test_add_func ("/import/headers", test_headers);
  g_test_add_func ("/import/refuses-types", test_refuses_types);
  g_test_add_func ("/import/sparse", test_sparse);
  atm_test_add_both ("/import/ends", test_ends);
  atm_test_add_both ("/import/refuses-headers", test_refuses_headers);
  atm_test_add_both ("/import/refuses-lengths", test_refuses_lengths);
  atm_test_add_both ("/import/limits", test_limits);
  atm_test_add_both ("/import/notices", test_notices);
  atm_test_add_both ("/import/user-mode", test_user_mode);
  return g_test_run ();
}
