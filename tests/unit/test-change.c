/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "util/change.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

static char *
put (const char *folder, const char *name, const char *text)
{
  char *path = g_build_filename (folder, name, NULL);

  if (text != NULL)
    g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

static void
assert_file (const char *path, const char *expected)
{
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    g_clear_pointer (&text, g_free);
  g_assert_cmpstr (text, ==, expected);
}

static guint
count_names (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
test_apply (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *a = put (folder, "a", "old"), *b = put (folder, "b", NULL),
                  *c = put (folder, "c", "old"), *target = put (folder, "target", "old"),
                  *link = put (folder, "link", NULL);
  g_autoptr (GBytes) bytes = atm_test_bytes ("new");
  g_autoptr (AtmChange) change = atm_change_new ();
  g_autoptr (GError) error = NULL;
  struct stat st;

  g_assert_cmpint (chmod (a, 0640), ==, 0);
  g_assert_cmpint (symlink ("target", link), ==, 0);
  g_assert_true (atm_change_add (change, a, bytes, &error));
  g_assert_true (atm_change_add (change, b, bytes, &error));
  g_assert_true (atm_change_add (change, c, NULL, &error));
  g_assert_true (atm_change_add (change, link, bytes, &error));
  assert_file (a, "old");
  assert_file (b, NULL);
  g_assert_true (atm_change_apply (change, &error));
  g_clear_pointer (&change, atm_change_free);

  assert_file (a, "new");
  assert_file (b, "new");
  assert_file (c, NULL);
  assert_file (target, "new");
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  g_assert_cmpint (stat (a, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0640);
  g_assert_cmpint (stat (b, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0644);
  g_assert_cmpuint (count_names (folder), ==, 4);
}

static void
test_dropped (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *a = put (folder, "a", "old");
  g_autoptr (GBytes) bytes = atm_test_bytes ("new");
  AtmChange *change = atm_change_new ();

  g_assert_true (atm_change_add (change, a, bytes, NULL));
  atm_change_free (change);
  assert_file (a, "old");
  g_assert_cmpuint (count_names (folder), ==, 1);
}

/* The last file cannot be replaced, so the first ones are what they were. */
static void
test_undone (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *a = put (folder, "a", "old"), *b = put (folder, "b", NULL),
                  *c = put (folder, "c", "old"), *below = put (folder, "d", NULL),
                  *inner = g_build_filename (below, "x", NULL);
  g_autoptr (GBytes) bytes = atm_test_bytes ("new");
  g_autoptr (AtmChange) change = atm_change_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_change_add (change, a, bytes, &error));
  g_assert_true (atm_change_add (change, b, bytes, &error));
  g_assert_true (atm_change_add (change, c, NULL, &error));
  g_assert_true (atm_change_add (change, below, bytes, &error));
  /* A folder has come to where the file was to be. */
  g_assert_cmpint (g_mkdir_with_parents (inner, 0755), ==, 0);
  g_assert_false (atm_change_apply (change, &error));
  g_assert_nonnull (error);
  g_clear_pointer (&change, atm_change_free);
  assert_file (a, "old");
  assert_file (b, NULL);
  assert_file (c, "old");
  g_assert_cmpuint (count_names (folder), ==, 3);
}

static void
test_refuses (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *fifo = put (folder, "fifo", NULL), *file = put (folder, "file", "old");
  g_autofree char *below = g_build_filename (file, "x", NULL);
  const char *const bad[] = { folder, fifo, below };
  g_autoptr (GBytes) bytes = atm_test_bytes ("new");

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (AtmChange) change = atm_change_new ();
      g_autoptr (GError) error = NULL;

      g_assert_false (atm_change_add (change, bad[i], bytes, &error));
      g_assert_nonnull (error);
    }
  assert_file (file, "old");
}

/* Row 72 of trust.md 21. */
static void
test_killed_between_write_and_rename (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *a = put (folder, "a", "old");
  int status = 0;
  pid_t child = fork ();

  if (child == 0)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes ("new");
      AtmChange *change = atm_change_new ();

      if (atm_change_add (change, a, bytes, NULL))
        raise (SIGKILL);
      _exit (1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
  assert_file (a, "old");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/change/apply", test_apply);
  g_test_add_func ("/change/dropped", test_dropped);
  g_test_add_func ("/change/undone", test_undone);
  g_test_add_func ("/change/refuses", test_refuses);
  g_test_add_func ("/change/killed-between-write-and-rename", test_killed_between_write_and_rename);
  return g_test_run ();
}
