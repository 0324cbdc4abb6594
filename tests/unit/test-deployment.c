/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/deployment.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

static const char info_text[] = "{\"image\":\"i\",\"values\":{},\"installed-files\":[]}";

static void
test_names (void)
{
  const char *const good[] = { "a", "etcd", "container.0", "_x", "9", "A-b_c.d", "a..b" };
  const char *const bad[]
      = { "",     ".",   "..",  ".a",  "-a",  "a/b",      "../a", "a b",      "a'",
          "a\"b", "a%n", "a$B", "a\n", "a@b", "\xc3\xa4", "a\\",  "a:latest", "a\x01" };
  g_autofree char *longest = g_strnfill (200, 'a'), *longer = g_strnfill (201, 'a');
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (atm_container_check_name (good[i], &error));
  g_assert_true (atm_container_check_name (longest, &error));
  g_assert_false (atm_container_check_name (longer, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      g_assert_false (atm_container_check_name (bad[i], &error));
      g_assert_error (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NAME);
    }
}

static guint
count_entries (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint count = 0;

  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

static void
deploy (int fd, const char *name, guint number)
{
  g_autoptr (AtmDeployment) deployment = NULL;
  g_autoptr (GBytes) bytes = atm_test_bytes (info_text);
  g_autoptr (GBytes) config = atm_test_bytes ("{\"process\":{\"args\":[\"/bin/x\",\"-y\"]}}");
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_deployment_begin (fd, name, number, &deployment, &error));
  g_assert_true (atm_deployment_write (deployment, "info", bytes, 0600, &error));
  g_assert_true (atm_deployment_write (deployment, "config.json", config, 0644, &error));
  g_assert_true (atm_deployment_publish (deployment, &error));
  g_assert_true (
      atm_deployment_make_current (fd, "/check/out", name, number, ATM_SYNC_NOW, &error));
  g_assert_no_error (error);
}

static void
test_life (void)
{
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmDeployment) deployment = NULL, again = NULL;
  g_autoptr (AtmContainer) container = NULL, second = NULL;
  g_autoptr (GError) error = NULL;
  char target[64] = "";
  struct stat st;

  /* given up: nothing stays */
  g_assert_true (atm_deployment_begin (fd, "a", 0, &deployment, &error));
  atm_test_write_at (atm_deployment_get_fd (deployment), "rootfs/etc/x", "x");
  g_assert_cmpuint (count_entries (fd), ==, 1);
  g_clear_pointer (&deployment, atm_deployment_free);
  g_assert_cmpuint (count_entries (fd), ==, 0);

  deploy (fd, "a", 0);
  g_assert_cmpint (readlinkat (fd, "a", target, sizeof target), ==, strlen ("/check/out/a.0"));
  g_assert_cmpstr (target, ==, "/check/out/a.0");
  g_assert_cmpint (fstatat (fd, "a.0/info", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  g_assert_true (atm_container_load (fd, "a", &container, &error));
  g_assert_cmpstr (container->deployment, ==, "a.0");
  g_assert_cmpstr (container->command, ==, "/bin/x -y");
  g_assert_cmpstr (container->info->image, ==, "i:latest");
  g_assert_null (container->problem);

  /* the current one is not replaced */
  g_assert_true (atm_deployment_begin (fd, "a", 0, &again, &error));
  g_assert_false (atm_deployment_publish (again, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_clear_error (&error);
  g_clear_pointer (&again, atm_deployment_free);

  deploy (fd, "a", 1);
  /* the other one is, and nothing of it stays */
  atm_test_write_at (fd, "a.0/old", "x");
  deploy (fd, "a", 0);
  g_assert_cmpint (fstatat (fd, "a.0/old", &st, 0), <, 0);
  g_assert_cmpint (fstatat (fd, ".a.0.old/old", &st, 0), ==, 0);
  g_assert_true (atm_container_sweep (fd, "a", &error));
  g_assert_cmpuint (count_entries (fd), ==, 3);

  g_assert_false (atm_deployment_make_current (fd, "/check/out", "b", 0, ATM_SYNC_NOW, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  g_assert_true (atm_container_remove (fd, "a", &error));
  g_assert_true (atm_container_remove (fd, "a", &error));
  g_assert_cmpuint (count_entries (fd), ==, 0);
  g_assert_false (atm_container_load (fd, "a", &second, &error));
  g_assert_error (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND);
}

/* Whether the deployment a.1 is the one with the file @mark, and there is nothing beside both. */
static void
assert_is (int fd, const char *mark)
{
  g_autofree char *path = g_strconcat ("a.1/", mark, NULL);
  struct stat st;

  g_assert_cmpint (fstatat (fd, path, &st, 0), ==, 0);
  g_assert_cmpuint (count_entries (fd), ==, 3);
}

/* At whatever point publishing was interrupted, the one before is there again. */
static void
test_unpublish (void)
{
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmDeployment) next = NULL, third = NULL;
  g_autoptr (GError) error = NULL;

  deploy (fd, "a", 1);
  atm_test_write_at (fd, "a.1/first", "x");
  deploy (fd, "a", 0);

  /* before it began */
  g_assert_true (atm_deployment_unpublish (fd, "a", 1, TRUE, &error));
  assert_is (fd, "first");
  /* between its two steps */
  g_assert_cmpint (renameat (fd, "a.1", fd, ".a.1.old"), ==, 0);
  g_assert_true (atm_deployment_unpublish (fd, "a", 1, TRUE, &error));
  assert_is (fd, "first");
  /* after both, and twice is once */
  g_assert_true (atm_deployment_begin (fd, "a", 1, &next, &error));
  atm_test_write_at (atm_deployment_get_fd (next), "second", "x");
  g_assert_true (atm_deployment_publish (next, &error));
  g_assert_true (atm_deployment_unpublish (fd, "a", 1, TRUE, &error));
  g_assert_true (atm_deployment_unpublish (fd, "a", 1, TRUE, &error));
  assert_is (fd, "first");

  /* one that replaced nothing goes, whether it had its name yet or not */
  g_assert_true (atm_remove_tree_at (fd, "a.1", &error));
  g_assert_true (atm_deployment_unpublish (fd, "a", 1, FALSE, &error));
  g_assert_true (atm_deployment_begin (fd, "a", 1, &third, &error));
  g_assert_true (atm_deployment_publish (third, &error));
  g_assert_true (atm_deployment_exists (fd, "a", 1));
  g_assert_true (atm_deployment_unpublish (fd, "a", 1, FALSE, &error));
  g_assert_false (atm_deployment_exists (fd, "a", 1));
  g_assert_cmpuint (count_entries (fd), ==, 2);
  g_assert_no_error (error);
}

static void
test_staged (void)
{
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmDeployment) built = NULL, waiting = NULL, none = NULL;
  g_autoptr (GError) error = NULL;
  struct stat st;

  deploy (fd, "a", 0);
  g_assert_false (atm_deployment_open_staged (fd, "a", 1, &none, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  g_assert_true (atm_deployment_begin (fd, "a", 1, &built, &error));
  atm_test_write_at (atm_deployment_get_fd (built), "mark", "x");
  g_assert_true (atm_deployment_stage (built, &error));
  g_clear_pointer (&built, atm_deployment_free);
  /* It is no left-over, and who only looks at it does not take it away. */
  g_assert_true (atm_container_sweep (fd, "a", &error));
  g_assert_true (atm_deployment_open_staged (fd, "a", 1, &waiting, &error));
  g_clear_pointer (&waiting, atm_deployment_free);
  g_assert_cmpint (fstatat (fd, ".a.1.staged/mark", &st, 0), ==, 0);

  g_assert_true (atm_deployment_open_staged (fd, "a", 1, &waiting, &error));
  g_assert_true (atm_deployment_publish (waiting, &error));
  g_assert_cmpint (fstatat (fd, "a.1/mark", &st, 0), ==, 0);
  g_assert_cmpint (fstatat (fd, ".a.1.staged", &st, 0), <, 0);
  g_assert_no_error (error);
}

/* kill -9 in the middle of a deployment; the next one of this container cleans up, and only that.
 */
static void
test_killed (void)
{
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmDeployment) deployment = NULL;
  g_autoptr (GError) error = NULL;
  int status = 0;
  pid_t child = fork ();

  if (child == 0)
    {
      AtmDeployment *lost = NULL;

      if (atm_deployment_begin (fd, "a", 1, &lost, NULL)
          && mkdirat (atm_deployment_get_fd (lost), "rootfs", 0755) == 0)
        (void) kill (getpid (), SIGKILL);
      _exit (1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpuint (count_entries (fd), ==, 1);

  g_assert_cmpint (mkdirat (fd, ".a.0.0.123456", 0755), ==, 0); /* of container “a.0” */
  g_assert_cmpint (mkdirat (fd, ".storage", 0755), ==, 0);
  g_assert_true (atm_deployment_begin (fd, "a", 0, &deployment, &error));
  g_assert_cmpuint (count_entries (fd), ==, 3);
}

static void
test_list (void)
{
  const char *const wanted[]
      = { "a", "bad", "container.0", "dir", "info", "lost", "orphan.1", "wrong" };
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (GPtrArray) containers = NULL, none = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_container_list (-1, &none, &error));
  g_assert_cmpuint (none->len, ==, 0);

  deploy (fd, "container.0", 0);
  deploy (fd, "a", 1);
  atm_test_write_at (fd, "orphan.1/info", info_text);
  atm_test_write_at (fd, "dir/info", info_text);
  g_assert_cmpint (symlinkat ("/check/out/lost.0", fd, "lost"), ==, 0);
  g_assert_cmpint (symlinkat ("/etc", fd, "wrong"), ==, 0);
  g_assert_cmpint (mkdirat (fd, "info.0", 0755), ==, 0);
  g_assert_cmpint (symlinkat ("info.0", fd, "info"), ==, 0);
  atm_test_write_at (fd, "bad.0/info", "{");
  g_assert_cmpint (symlinkat ("x/bad.0", fd, "bad"), ==, 0);
  atm_test_write_at (fd, ".storage/x", "x");
  atm_test_write_at (fd, "file", "x");
  atm_test_write_at (fd, "no name/x", "x");

  g_assert_true (atm_container_list (fd, &containers, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (containers->len, ==, G_N_ELEMENTS (wanted));
  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    {
      const AtmContainer *container = g_ptr_array_index (containers, i);
      gboolean whole = strchr ("acdo", wanted[i][0]) != NULL;

      g_assert_cmpstr (container->name, ==, wanted[i]);
      g_assert_cmpint (container->problem == NULL, ==, whole);
      g_assert_cmpint (container->info != NULL, ==, whole);
      g_assert_cmpint (container->deployment != NULL, ==,
                       whole || g_str_equal (wanted[i], "bad") || g_str_equal (wanted[i], "info"));
      g_assert_nonnull (container->command);
    }
}

/* So many that several threads read them. */
static void
test_list_many (void)
{
  const guint n = 300;
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (GPtrArray) containers = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *info = g_strdup_printf ("c%03u/info", i);

      atm_test_write_at (fd, info, i % 7 == 0 ? "{" : info_text);
    }
  g_assert_true (atm_container_list (fd, &containers, &error));
  g_assert_cmpuint (containers->len, ==, n);
  for (guint i = 0; i < n; i++)
    {
      const AtmContainer *container = containers->pdata[i];
      g_autofree char *name = g_strdup_printf ("c%03u", i);

      g_assert_cmpstr (container->name, ==, name);
      g_assert_cmpint (container->problem != NULL, ==, i % 7 == 0);
    }
}

static void
test_mount_points (void)
{
  const char *const points[]
      = { "/proc",     "/a/b/c",      "/etc/hosts",  "/etc/resolv.conf", "/out/x",
          "/../../up", "usr/./share", "/there/file", "/via/../via/deep", NULL };
  const char *const sources[]
      = { "", "/no/dir", "/etc/passwd", "/etc/passwd", "", "", "", "/etc/passwd", "", NULL };
  const struct
  {
    const char *path;
    mode_t type;
  } made[] = {
    { "proc", S_IFDIR },      { "a/b/c", S_IFDIR },
    { "etc/hosts", S_IFREG }, { "run/resolve/stub.conf", S_IFREG },
    { "etc2/x", S_IFDIR },    { "up", S_IFDIR },
    { "usr/share", S_IFDIR }, { "target/deep", S_IFDIR },
  };
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmDeployment) deployment = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *kept = NULL;
  int dir_fd = -1;
  struct stat st;

  g_assert_true (atm_deployment_begin (fd, "a", 0, &deployment, &error));
  dir_fd = atm_deployment_get_fd (deployment);
  atm_test_write_at (dir_fd, "rootfs/there/file", "the store's");
  atm_test_write_at (dir_fd, "rootfs/etc/x", "");
  g_assert_cmpint (symlinkat ("../run/resolve/stub.conf", dir_fd, "rootfs/etc/resolv.conf"), ==, 0);
  g_assert_cmpint (symlinkat ("/../../etc2", dir_fd, "rootfs/out"), ==, 0);
  g_assert_cmpint (symlinkat ("target", dir_fd, "rootfs/via"), ==, 0);
  g_assert_true (
      atm_deployment_add_mount_points (deployment, (char **) points, (char **) sources, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (made); i++)
    {
      g_autofree char *path = g_strconcat ("rootfs/", made[i].path, NULL);

      if (fstatat (dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        g_error ("no %s", path);
      g_assert_cmpint (st.st_mode & S_IFMT, ==, made[i].type);
      g_assert_cmpint (st.st_mode & 07777, ==, made[i].type == S_IFDIR ? 0755 : 0644);
    }
  kept = atm_test_read_at (dir_fd, "rootfs/there/file");
  g_assert_cmpstr (kept, ==, "the store's");
  /* nothing beside rootfs/ */
  g_assert_cmpuint (count_entries (dir_fd), ==, 1);
}

static void
test_mount_points_refuses (void)
{
  const char *const bad[] = { "/file/x", "/loop", "/loop/x", "/ping", "/tofile/x" };
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmDeployment) deployment = NULL;
  g_autoptr (GError) error = NULL;
  const char *const folder[] = { "/etc", NULL }, *const source[] = { "/etc/passwd", NULL };
  int dir_fd = -1;

  g_assert_true (atm_deployment_begin (fd, "a", 0, &deployment, &error));
  dir_fd = atm_deployment_get_fd (deployment);
  /* no rootfs at all */
  g_assert_false (
      atm_deployment_add_mount_points (deployment, (char **) folder, (char **) source, NULL));

  atm_test_write_at (dir_fd, "rootfs/file", "");
  g_assert_cmpint (mkdirat (dir_fd, "rootfs/etc", 0755), ==, 0);
  g_assert_cmpint (symlinkat ("loop", dir_fd, "rootfs/loop"), ==, 0);
  g_assert_cmpint (symlinkat ("pong", dir_fd, "rootfs/ping"), ==, 0);
  g_assert_cmpint (symlinkat ("ping", dir_fd, "rootfs/pong"), ==, 0);
  g_assert_cmpint (symlinkat ("file", dir_fd, "rootfs/tofile"), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      const char *const points[] = { bad[i], NULL }, *const sources[] = { "", NULL };

      g_assert_false (atm_deployment_add_mount_points (deployment, (char **) points,
                                                       (char **) sources, &error));
      g_assert_nonnull (error);
    }
  g_assert_false (
      atm_deployment_add_mount_points (deployment, (char **) folder, (char **) source, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/deployment/names", test_names);
  g_test_add_func ("/deployment/life", test_life);
  g_test_add_func ("/deployment/unpublish", test_unpublish);
  g_test_add_func ("/deployment/staged", test_staged);
  g_test_add_func ("/deployment/killed", test_killed);
  g_test_add_func ("/deployment/list", test_list);
  g_test_add_func ("/deployment/list-many", test_list_many);
  g_test_add_func ("/deployment/mount-points", test_mount_points);
  g_test_add_func ("/deployment/mount-points-refuses", test_mount_points_refuses);
  return g_test_run ();
}
