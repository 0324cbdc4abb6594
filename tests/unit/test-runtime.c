/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The default config.json, run by the real runtimes. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "container/bundle-check.h"
#include "container/bundle.h"
#include "container/deployment.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

/* A static program that every Debian has; it needs nothing of a rootfs and says who it is. */
#define PROGRAM "/sbin/ldconfig"
#define SAYS "ldconfig ("

static const char *const runtimes[] = { "runc", "crun" };

/* Runs the bundle in @folder; the output is returned, and whether it ended well. */
static gboolean
run (const char *runtime, const char *folder, char **output_out)
{
  g_autofree char *state = atm_test_scratch_path ();
  g_autofree char *id = g_strdup_printf ("atomic-test-%d", (int) getpid ());
  /* crun refuses the hybrid cgroups of some build machines: it gets unified ones, in a mount
     namespace of its own, and leaves them alone as EXEC_START says then. */
  const char *const plain[] = { runtime, "--root", state, "run", id, NULL };
  const char *const unified[] = { "unshare",
                                  "--mount",
                                  "sh",
                                  "-c",
                                  "mount -t cgroup2 none /sys/fs/cgroup; exec \"$@\"",
                                  "sh",
                                  runtime,
                                  "--cgroup-manager=disabled",
                                  "--root",
                                  state,
                                  "run",
                                  id,
                                  NULL };
  gboolean is_crun = g_str_has_suffix (runtime, "crun");
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  g_subprocess_launcher_set_cwd (launcher, folder);
  process = g_subprocess_launcher_spawnv (launcher, is_crun ? unified : plain, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (process, NULL, NULL, output_out, NULL, &error));
  return g_subprocess_get_successful (process);
}

/* A container that the runtime configures itself, as root with as little as possible. */
static gboolean
can_run (const char *runtime, const char *program, char **why_out)
{
  const char *config
      = "{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
        "\"args\":[\"/program\",\"--version\"],\"env\":[\"PATH=/\"]},"
        "\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
        "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}],"
        "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"}]}}";
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *to = g_build_filename (folder, "rootfs", "program", NULL);
  g_autoptr (GFile) from_file = g_file_new_for_path (program), to_file = g_file_new_for_path (to);
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  atm_test_write_at (fd, "config.json", config);
  atm_test_write_at (fd, "rootfs/proc/x", "");
  atm_test_write_at (fd, "rootfs/dev/x", "");
  g_assert_true (g_file_copy (from_file, to_file, G_FILE_COPY_NONE, NULL, NULL, NULL, &error));
  return run (runtime, folder, why_out);
}

static void
test_default (gconstpointer data)
{
  const char *runtime = data;
  g_autofree char *program = g_find_program_in_path (runtime);
  g_autofree char *folder = atm_test_scratch_path (), *state = atm_test_scratch_path ();
  g_autofree char *path = NULL, *why = NULL, *output = NULL, *volume = NULL;
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (AtmImageConfig) config = atm_test_config (
      "{\"Entrypoint\":[\"/bin/program\"],\"Cmd\":[\"--version\"],"
      "\"User\":\"12:34\",\"Volumes\":[\"/srv/data\"],\"WorkingDir\":\"/work\"}");
  g_autoptr (GHashTable) values
      = atm_test_map ("NAME", "atomic-test", "DESTDIR", folder, "STATE_DIRECTORY", state, NULL);
  g_autoptr (AtmDeployment) deployment = NULL;
  g_autoptr (AtmBundle) bundle = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) points = NULL, sources = NULL;
  g_autoptr (GFile) from = g_file_new_for_path (PROGRAM), to = NULL;
  atm_autofd int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (program == NULL || geteuid () != 0 || access (PROGRAM, X_OK) < 0
      || access ("/etc/resolv.conf", R_OK) < 0)
    {
      g_test_skip ("needs root, the runtime, " PROGRAM " and /etc/resolv.conf");
      return;
    }
  if (!can_run (program, PROGRAM, &why))
    {
      g_test_skip (why);
      return;
    }

  g_assert_true (atm_deployment_begin (fd, "a", 0, &deployment, &error));
  atm_test_write_at (atm_deployment_get_fd (deployment), "rootfs/bin/x", "");
  g_assert_true (atm_bundle_render (exports, values, config, atm_deployment_get_fd (deployment),
                                    &bundle, &error));
  g_assert_true (atm_bundle_check (bundle->object, &error));
  g_assert_true (atm_deployment_write (deployment, "config.json", bundle->text, 0644, &error));
  points = atm_bundle_dup_mount_points (bundle, &sources);
  g_assert_true (atm_deployment_add_mount_points (deployment, points, sources, &error));
  volume = g_build_filename (state, "atomic-test", "srv-data", NULL);
  g_assert_cmpint (g_mkdir_with_parents (volume, 0700), ==, 0);
  g_assert_true (atm_deployment_publish (deployment, &error));
  path = g_build_filename (folder, "a.0", NULL);
  to = g_file_new_build_filename (path, "rootfs", "bin", "program", NULL);
  g_assert_true (g_file_copy (from, to, G_FILE_COPY_NONE, NULL, NULL, NULL, &error));
  g_assert_no_error (error);

  if (!run (program, path, &output) || strstr (output, SAYS) == NULL)
    g_error ("%s: %s", runtime, output);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (runtimes); i++)
    {
      g_autofree char *path = g_strconcat ("/runtime/default/", runtimes[i], NULL);

      g_test_add_data_func (path, runtimes[i], test_default);
    }
  return g_test_run ();
}
