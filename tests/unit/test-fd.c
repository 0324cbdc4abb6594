/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/scratch.h"
#include "util/fd.h"

static void
put (int dir_fd, const char *name, const char *text)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_replace_file_at (dir_fd, name, bytes, 0640, &error));
  g_assert_no_error (error);
}

static void
assert_holds (int dir_fd, const char *name, const char *text)
{
  g_autoptr (GBytes) bytes = NULL, wanted = atm_test_bytes (text);
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_read_file_at (dir_fd, name, FALSE, 1000, &bytes, &error));
  g_assert_true (g_bytes_equal (bytes, wanted));
}

static void
test_replace_and_create (void)
{
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  g_autoptr (GBytes) other = atm_test_bytes ("other");
  g_autoptr (GError) error = NULL;
  struct stat st;

  put (dir_fd, "file", "one");
  put (dir_fd, "file", "two");
  assert_holds (dir_fd, "file", "two");
  g_assert_cmpint (fstatat (dir_fd, "file", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0640);

  g_assert_false (atm_create_file_at (dir_fd, "file", other, 0600, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  assert_holds (dir_fd, "file", "two");

  /* A link in the way is replaced; what it leads to is not touched. */
  g_assert_cmpint (symlinkat ("file", dir_fd, "link"), ==, 0);
  put (dir_fd, "link", "three");
  assert_holds (dir_fd, "file", "two");
  assert_holds (dir_fd, "link", "three");
}

static void
test_copy (void)
{
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  atm_autofd int from_fd = -1;
  g_autoptr (GError) error = NULL;
  g_autofree char *large = g_strnfill (200000, 'x');
  g_autoptr (GBytes) copied = NULL;
  struct stat st;

  put (dir_fd, "from", large);
  from_fd = openat (dir_fd, "from", O_RDONLY | O_CLOEXEC);
  g_assert_true (atm_copy_file_at (from_fd, dir_fd, "to", 04755, &error));
  g_assert_true (atm_read_file_at (dir_fd, "to", FALSE, 200000, &copied, &error));
  g_assert_cmpmem (g_bytes_get_data (copied, NULL), g_bytes_get_size (copied), large, 200000);
  g_assert_cmpint (fstatat (dir_fd, "to", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 04755);

  put (dir_fd, "there", "before");
  g_assert_false (atm_copy_file_at (from_fd, dir_fd, "there", 0644, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  assert_holds (dir_fd, "there", "before");
}

static void
test_symlink (void)
{
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  g_autoptr (GError) error = NULL;
  char target[16] = "";

  g_assert_true (atm_replace_symlink_at ("a", dir_fd, "link", ATM_SYNC_NOW, &error));
  g_assert_true (atm_replace_symlink_at ("b", dir_fd, "link", ATM_SYNC_LATER, &error));
  g_assert_cmpint (readlinkat (dir_fd, "link", target, sizeof target), ==, 1);
  g_assert_cmpstr (target, ==, "b");
}

static void
test_read_refuses (void)
{
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  const struct
  {
    const char *name;
    gsize max_bytes;
    int code;
  } cases[] = {
    { "missing", 10, G_IO_ERROR_NOT_FOUND },     { "file", 2, G_IO_ERROR_MESSAGE_TOO_LARGE },
    { "fifo", 10, G_IO_ERROR_NOT_REGULAR_FILE }, { "folder", 10, G_IO_ERROR_NOT_REGULAR_FILE },
    { "link", 10, G_IO_ERROR_TOO_MANY_LINKS },
  };

  put (dir_fd, "file", "abc");
  g_assert_cmpint (mkfifoat (dir_fd, "fifo", 0600), ==, 0);
  g_assert_cmpint (mkdirat (dir_fd, "folder", 0700), ==, 0);
  g_assert_cmpint (symlinkat ("file", dir_fd, "link"), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      GBytes *bytes = NULL;

      g_assert_false (
          atm_read_file_at (dir_fd, cases[i].name, FALSE, cases[i].max_bytes, &bytes, &error));
      g_assert_error (error, G_IO_ERROR, cases[i].code);
      g_assert_null (bytes);
    }
}

static void
test_open_stays_inside (void)
{
  g_autofree char *outside = atm_test_scratch_path ();
  g_autofree char *secret = g_build_filename (outside, "secret", NULL);
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  const char *const escapes[] = { "absolute", "up", "../secret", "/etc/hostname-not-there" };

  g_assert_true (g_file_set_contents (secret, "x", 1, NULL));
  g_assert_cmpint (symlinkat (secret, dir_fd, "absolute"), ==, 0);
  g_assert_cmpint (symlinkat ("../../../../../../etc/passwd", dir_fd, "up"), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (escapes); i++)
    {
      atm_autofd int in_root = -1, beneath = -1;
      g_autoptr (GError) error = NULL;

      g_assert_false (atm_open_in_root (dir_fd, escapes[i], O_RDONLY, &in_root, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
      g_assert_false (atm_open_beneath (dir_fd, escapes[i], O_RDONLY, &beneath, NULL));
    }

  /* Inside of the tree a link is fine for the one and not for the other. */
  {
    atm_autofd int in_root = -1, beneath = -1;
    g_autoptr (GError) error = NULL;

    put (dir_fd, "file", "y");
    g_assert_cmpint (symlinkat ("/file", dir_fd, "inside"), ==, 0);
    g_assert_true (atm_open_in_root (dir_fd, "inside", O_RDONLY, &in_root, &error));
    g_assert_false (atm_open_beneath (dir_fd, "inside", O_RDONLY, &beneath, &error));
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  }
}

static void
test_remove_tree (void)
{
  g_autofree char *outside = atm_test_scratch_path ();
  g_autofree char *kept = g_build_filename (outside, "kept", NULL);
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  g_autofree char *path = NULL;
  int fd = dup (dir_fd);

  g_assert_true (g_file_set_contents (kept, "x", 1, NULL));
  /* deeper than any stack of ours should be, with a link out of the tree in each folder */
  for (guint depth = 0; depth < 2000; depth++)
    {
      int next = -1;

      g_assert_cmpint (mkdirat (fd, "d", depth % 2 ? 0700 : 0500), ==, 0);
      g_assert_true (atm_open_dir_at (fd, "d", &next, &error));
      g_assert_cmpint (fchmod (next, 0700), ==, 0);
      g_assert_cmpint (symlinkat (outside, next, "out"), ==, 0);
      close (fd);
      fd = next;
    }
  close (fd);

  g_assert_true (atm_remove_tree_at (dir_fd, "d", &error));
  g_assert_no_error (error);
  g_assert_true (atm_remove_tree_at (dir_fd, "d", &error));
  g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
  path = g_strdup_printf ("/proc/self/fd/%d", dir_fd);
  dir = g_dir_open (path, 0, &error);
  g_assert_no_error (error);
  g_assert_null (g_dir_read_name (dir));
}

/* More than the system calls of one removal, counted at their begin and at their end. */
#define CALLS_MAX 5000

static void
test_remove_tree_killed (void)
{
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", dir_fd);
  g_autofree char *deep = g_build_filename (path, "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d", NULL);
  g_autoptr (GError) error = NULL;
  gboolean alive = TRUE;

  for (guint calls = 0; alive; calls += 7)
    {
      g_autoptr (GDir) dir = NULL;
      const char *name = NULL;
      int status = 0;
      pid_t child = 0;

      g_assert_cmpuint (calls, <, CALLS_MAX);
      g_assert_cmpint (g_mkdir_with_parents (deep, 0700), ==, 0);
      child = fork ();
      g_assert_cmpint (child, >=, 0);
      if (child == 0)
        {
          ptrace (PTRACE_TRACEME, 0, NULL, NULL);
          raise (SIGSTOP);
          _exit (atm_remove_tree_at (dir_fd, "d", NULL) ? 0 : 1);
        }
      g_assert_cmpint (waitpid (child, &status, 0), ==, child);
      for (guint i = 0; i < calls && WIFSTOPPED (status); i++)
        {
          g_assert_cmpint (ptrace (PTRACE_SYSCALL, child, NULL, NULL), ==, 0);
          g_assert_cmpint (waitpid (child, &status, 0), ==, child);
        }
      alive = WIFSTOPPED (status);
      if (alive)
        {
          kill (child, SIGKILL);
          g_assert_cmpint (waitpid (child, &status, 0), ==, child);
        }
      else
        g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);

      /* What is left has the name that the next removal goes by. */
      dir = g_dir_open (path, 0, &error);
      g_assert_no_error (error);
      while ((name = g_dir_read_name (dir)) != NULL)
        g_assert_cmpstr (name, ==, "d");
      g_assert_true (atm_remove_tree_at (dir_fd, "d", &error));
      g_assert_no_error (error);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/fd/replace-and-create", test_replace_and_create);
  g_test_add_func ("/fd/copy", test_copy);
  g_test_add_func ("/fd/symlink", test_symlink);
  g_test_add_func ("/fd/read-refuses", test_read_refuses);
  g_test_add_func ("/fd/open-stays-inside", test_open_stays_inside);
  g_test_add_func ("/fd/remove-tree", test_remove_tree);
  g_test_add_func ("/fd/remove-tree-killed", test_remove_tree_killed);
  return g_test_run ();
}
