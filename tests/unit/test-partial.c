/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "fixtures/scratch.h"
#include "registry/partial.h"
#include "util/fd.h"

static AtmPartials *
open_partials (const char *path)
{
  g_autoptr (GError) error = NULL;
  AtmPartials *partials = NULL;

  g_assert_true (atm_partials_open (path, &partials, &error));
  g_assert_no_error (error);
  return partials;
}

static AtmDescriptor
describe (AtmHashType type, const char *text)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  AtmDescriptor descriptor = { .size_bytes = strlen (text) };

  atm_digest_of (type, bytes, &descriptor.digest);
  return descriptor;
}

static void
put (AtmPartials *partials, const AtmDigest *digest, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_auto (AtmBlobPart) part = { 0 };
  atm_autofd int fd = -1;

  g_assert_true (atm_partials_open_blob (partials, digest, &part, &fd, &error));
  g_assert_no_error (error);
  g_assert_cmpint (write (fd, text, strlen (text)), ==, strlen (text));
}

static GPtrArray *
list_of (AtmDescriptor *first, AtmDescriptor *second)
{
  GPtrArray *list = g_ptr_array_new ();

  g_ptr_array_add (list, first);
  if (second != NULL)
    g_ptr_array_add (list, second);
  return list;
}

static void
never_busy (const AtmDigest *digest G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  g_assert_not_reached ();
}

static void
lock_now (AtmPartials *partials, GPtrArray *list)
{
  g_autoptr (GError) error = NULL;
  gboolean waited = TRUE;

  g_assert_true (atm_partials_lock (partials, list, never_busy, NULL, &waited, NULL, &error));
  g_assert_no_error (error);
  g_assert_false (waited);
}

static void
test_kept (void)
{
  g_autofree char *scratch = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (scratch, "a", "blobs", NULL);
  g_autofree char *file = NULL;
  const AtmBlobPart known = { .etag = (char *) "\"v1\"", .endpoint = (char *) "reg.test:5000" };
  AtmDescriptor blob = describe (ATM_HASH_SHA512, "hello");
  g_autoptr (AtmPartials) partials = open_partials (path), again = NULL;
  g_auto (AtmBlobPart) part = { 0 };
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = -1;
  struct stat st;

  g_assert_cmpuint (atm_partials_get_size (partials, &blob.digest), ==, 0);
  g_assert_true (atm_partials_open_blob (partials, &blob.digest, &part, &fd, &error));
  g_assert_cmpuint (part.start_bytes, ==, 0);
  g_assert_null (part.etag);
  g_assert_cmpint (write (fd, "hel", 3), ==, 3);
  atm_partial_remember (fd, &known);
  atm_fd_clear (&fd);
  g_clear_pointer (&partials, atm_partials_free);

  again = open_partials (path);
  g_assert_true (atm_partials_open_blob (again, &blob.digest, &part, &fd, &error));
  g_assert_cmpuint (part.start_bytes, ==, 3);
  if (part.etag == NULL)
    g_test_message ("the file system of %s keeps no attributes of users", path);
  else
    {
      g_assert_cmpstr (part.etag, ==, "\"v1\"");
      g_assert_cmpstr (part.endpoint, ==, "reg.test:5000");
    }
  g_assert_cmpuint (atm_partials_get_size (again, &blob.digest), ==, 3);

  /* nobody else may read a private image's layers */
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0700);
  file = g_strdup_printf ("%s/sha512-%s.partial", path, blob.digest.hex);
  g_assert_true (g_file_test (file, G_FILE_TEST_IS_REGULAR));
  atm_partials_remove (again, &blob.digest);
  g_assert_false (g_file_test (file, G_FILE_TEST_EXISTS));
}

static void
test_no_link (void)
{
  g_autofree char *path = atm_test_scratch_path ();
  AtmDescriptor blob = describe (ATM_HASH_SHA256, "hello");
  g_autofree char *link = g_strdup_printf ("%s/sha256-%s.partial", path, blob.digest.hex);
  g_autoptr (AtmPartials) partials = open_partials (path);
  g_auto (AtmBlobPart) part = { 0 };
  g_autoptr (GError) error = NULL;
  int fd = -1;

  g_assert_cmpint (symlink ("/etc/hostname", link), ==, 0);
  g_assert_false (atm_partials_open_blob (partials, &blob.digest, &part, &fd, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  g_assert_cmpint (fd, ==, -1);
}

/* ---- locks ---- */

typedef struct
{
  AtmPartials *theirs; /* (owned) (nullable) */
  GCancellable *cancellable;
  guint n_busy;
} Busy;

static void
free_theirs (const AtmDigest *digest G_GNUC_UNUSED, gpointer data)
{
  Busy *busy = data;

  busy->n_busy++;
  g_clear_pointer (&busy->theirs, atm_partials_free);
}

static void
cancel (const AtmDigest *digest G_GNUC_UNUSED, gpointer data)
{
  Busy *busy = data;

  busy->n_busy++;
  g_cancellable_cancel (busy->cancellable);
}

static void
test_lock (void)
{
  g_autofree char *path = atm_test_scratch_path ();
  AtmDescriptor a = describe (ATM_HASH_SHA256, "a"), b = describe (ATM_HASH_SHA256, "b");
  g_autoptr (GPtrArray) both = list_of (&a, &b), only_b = list_of (&b, NULL),
                        only_a = list_of (&a, NULL);
  g_autoptr (AtmPartials) ours = open_partials (path);
  g_autoptr (GError) error = NULL;
  Busy busy = { .theirs = open_partials (path) };
  gboolean waited = FALSE;

  lock_now (busy.theirs, only_b);
  lock_now (ours, only_a);
  lock_now (ours, only_a);
  g_assert_true (atm_partials_lock (ours, both, free_theirs, &busy, &waited, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (waited);
  g_assert_cmpuint (busy.n_busy, ==, 1);
}

static void
test_lock_cancelled (void)
{
  g_autofree char *path = atm_test_scratch_path ();
  AtmDescriptor a = describe (ATM_HASH_SHA256, "a");
  g_autoptr (GPtrArray) list = list_of (&a, NULL);
  g_autoptr (AtmPartials) theirs = open_partials (path), ours = open_partials (path),
                          third = open_partials (path);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Busy busy = { .cancellable = cancellable };
  gboolean waited = FALSE;

  lock_now (theirs, list);
  g_assert_false (atm_partials_lock (ours, list, cancel, &busy, &waited, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (waited);

  /* who gave up has no lock, though its thread still waits */
  g_clear_pointer (&theirs, atm_partials_free);
  busy.n_busy = 0;
  g_clear_error (&error);
  g_assert_true (atm_partials_lock (third, list, free_theirs, &busy, &waited, NULL, &error));
  g_assert_no_error (error);
}

/* ---- removal ---- */

static void
make_old (const char *path, const AtmDigest *digest, gint64 age_sec)
{
  g_autofree char *file = g_strdup_printf ("%s/sha256-%s.partial", path, digest->hex);
  const time_t when = (time_t) (g_get_real_time () / G_USEC_PER_SEC - age_sec);
  const struct timeval times[] = { { .tv_sec = when }, { .tv_sec = when } };

  g_assert_cmpint (utimes (file, times), ==, 0);
}

static void
test_expire (void)
{
  g_autofree char *path = atm_test_scratch_path ();
  g_autofree char *other = g_build_filename (path, "sha256-abc.partial", NULL);
  AtmDescriptor fresh = describe (ATM_HASH_SHA256, "a"), old = describe (ATM_HASH_SHA256, "b"),
                locked = describe (ATM_HASH_SHA256, "c");
  g_autoptr (GPtrArray) list = list_of (&locked, NULL);
  g_autoptr (AtmPartials) theirs = open_partials (path), ours = open_partials (path);

  put (theirs, &fresh.digest, "1");
  put (theirs, &old.digest, "1");
  put (theirs, &locked.digest, "1");
  lock_now (theirs, list);
  g_assert_true (g_file_set_contents (other, "1", 1, NULL));
  make_old (path, &fresh.digest, ATM_PARTIAL_MAX_AGE_SEC - 3600);
  make_old (path, &old.digest, ATM_PARTIAL_MAX_AGE_SEC + 3600);
  make_old (path, &locked.digest, ATM_PARTIAL_MAX_AGE_SEC + 3600);

  atm_partials_expire (ours);
  g_assert_cmpuint (atm_partials_get_size (ours, &fresh.digest), ==, 1);
  g_assert_cmpuint (atm_partials_get_size (ours, &old.digest), ==, 0);
  g_assert_cmpuint (atm_partials_get_size (ours, &locked.digest), ==, 1);
  g_assert_true (g_file_test (other, G_FILE_TEST_EXISTS));
}

static void
test_prune (void)
{
  g_autofree char *path = atm_test_scratch_path ();
  g_autofree char *nowhere = g_build_filename (path, "nowhere", NULL);
  AtmDescriptor a = describe (ATM_HASH_SHA256, "a"), b = describe (ATM_HASH_SHA256, "b"),
                locked = describe (ATM_HASH_SHA256, "c");
  g_autoptr (GPtrArray) list = list_of (&locked, NULL);
  g_autoptr (AtmPartials) theirs = open_partials (path);
  g_autoptr (GError) error = NULL;
  guint64 size_bytes = 99;
  guint n = 99;

  put (theirs, &a.digest, "12345");
  put (theirs, &b.digest, "123");
  put (theirs, &locked.digest, "1");
  lock_now (theirs, list);

  for (guint dry_run = 2; dry_run-- > 0; n = 99)
    {
      g_assert_true (atm_partials_prune (path, dry_run, &n, &size_bytes, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (n, ==, 2);
      g_assert_cmpuint (size_bytes, ==, 8);
    }
  g_assert_true (atm_partials_prune (path, FALSE, &n, &size_bytes, &error));
  g_assert_cmpuint (n, ==, 0);
  g_assert_cmpuint (atm_partials_get_size (theirs, &a.digest), ==, 0);
  g_assert_cmpuint (atm_partials_get_size (theirs, &locked.digest), ==, 1);

  g_assert_true (atm_partials_prune (nowhere, FALSE, &n, &size_bytes, &error));
  g_assert_cmpuint (n, ==, 0);
  g_assert_cmpuint (size_bytes, ==, 0);
  g_assert_false (g_file_test (nowhere, G_FILE_TEST_EXISTS));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/partial/kept", test_kept);
  g_test_add_func ("/partial/no-link", test_no_link);
  g_test_add_func ("/partial/lock", test_lock);
  g_test_add_func ("/partial/lock-cancelled", test_lock_cancelled);
  g_test_add_func ("/partial/expire", test_expire);
  g_test_add_func ("/partial/prune", test_prune);
  return g_test_run ();
}
