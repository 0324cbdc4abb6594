/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "host/system.h"
#include "host/systemd.h"
#include "host/tool.h"
#include "util/fd.h"

static const char *const variables[] = { "ATOMIC_CONF",
                                         "ATOMIC_OSTREE_REPO",
                                         "ATOMIC_OSTREE_CHECKOUT_PATH",
                                         "ATOMIC_OSTREE_TEST_FORCE_IMAGE_ID",
                                         "RUNC_PATH",
                                         "CONTAINERS_REGISTRIES_CONF",
                                         "http_proxy",
                                         "HTTP_PROXY",
                                         "https_proxy",
                                         "HTTPS_PROXY",
                                         "no_proxy",
                                         "NO_PROXY" };

/* With @text as the configuration, NULL: without one. */
static gboolean
read_system (const char *text, AtmSystem **system_out, GError **error)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (folder, "atomic.conf", NULL);

  if (text != NULL)
    g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_setenv ("ATOMIC_CONF", path, TRUE);
  return atm_system_new (system_out, error);
}

static void
test_system (void)
{
  g_autoptr (AtmSystem) plain = NULL, configured = NULL, overridden = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (variables); i++)
    g_unsetenv (variables[i]);

  g_assert_true (read_system (NULL, &plain, &error));
  g_assert_no_error (error);
  g_assert_true (g_path_is_absolute (plain->program));
  g_assert_true (g_str_has_suffix (plain->runtime, "bin/runc"));
  g_assert_null (plain->http_proxy);
  g_assert_null (plain->force_image_id);

  g_assert_true (read_system ("# comment\n#http_proxy: x\nhttp_proxy: http://p:3128\n"
                              "HTTPS_PROXY: https://upper\nNO_PROXY: upper\nno_proxy: lower\n"
                              "checkout_path: /srv/c\nostree_repository: /srv/r\n"
                              "runtime: /usr/bin/crun\nregistry_confdir: /etc/r.d\n"
                              "default_scanner:\nother:\n  nested: x\n",
                              &configured, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (configured->checkout, ==, "/srv/c");
  g_assert_cmpstr (configured->registries_d, ==, "/etc/r.d");
  g_assert_cmpstr (configured->http_proxy, ==, "http://p:3128");
  g_assert_cmpstr (configured->https_proxy, ==, "https://upper");
  g_assert_cmpstr (configured->no_proxy, ==, "lower");
  if (geteuid () == 0)
    {
      g_assert_cmpstr (configured->repository, ==, "/srv/r");
      g_assert_cmpstr (configured->runtime, ==, "/usr/bin/crun");
      g_assert_cmpstr (configured->unit_dir, ==, "/etc/systemd/system");
    }

  g_setenv ("ATOMIC_OSTREE_REPO", "/env/repo", TRUE);
  g_setenv ("ATOMIC_OSTREE_CHECKOUT_PATH", "/env/../env/check/", TRUE);
  g_setenv ("ATOMIC_OSTREE_TEST_FORCE_IMAGE_ID", "abc", TRUE);
  g_setenv ("RUNC_PATH", "/env/runc", TRUE);
  g_setenv ("NO_PROXY", "env", TRUE);
  g_assert_true (read_system ("checkout_path: /srv/c\nostree_repository: /srv/r\nruntime: /x\n"
                              "no_proxy: conf\n",
                              &overridden, &error));
  g_assert_cmpstr (overridden->checkout, ==, "/env/check");
  g_assert_cmpstr (overridden->repository, ==, "/env/repo");
  g_assert_cmpstr (overridden->runtime, ==, "/env/runc");
  g_assert_cmpstr (overridden->force_image_id, ==, "abc");
  g_assert_cmpstr (overridden->no_proxy, ==, "env");
}

static void
test_system_refuses (void)
{
  const char *const bad[] = { "- a\n", "a: [\n", "a: b\na: c\n", "just text\n", "a: \"\n" };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      AtmSystem *system = NULL;

      g_assert_false (read_system (bad[i], &system, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      g_assert_nonnull (strstr (error->message, "atomic.conf"));
    }
}

/* A program with @body as a shell script. */
static char *
write_program (const char *name, const char *body)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *text = g_strconcat ("#!/bin/sh\n", body, "\n", NULL);
  char *path = g_build_filename (folder, name, NULL);

  g_assert_true (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
  return path;
}

static void
test_runtime (void)
{
  const struct
  {
    const char *body;
    gboolean has_pid_file;
  } cases[] = {
    { "echo '  --pid-file value'", TRUE },
    { "echo '  --pid-file=FILE' >&2; exit 1", TRUE },
    { "echo nothing", FALSE },
    { "exit 3", FALSE },
    { "kill -9 $$", FALSE },
    /* a grandchild keeps the output open */
    { "sleep 1000 & echo --pid-file; echo $! >\"$0.pid\"", TRUE },
    /* more than is kept */
    { "head -c 3000000 /dev/zero; echo --pid-file", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = write_program ("runtime", cases[i].body);
      g_autofree char *pid_path = g_strconcat (path, ".pid", NULL), *pid = NULL;
      AtmRuntime runtime = { 0 };
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_runtime_probe (path, &runtime, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (runtime.has_pid_file, ==, cases[i].has_pid_file);
      g_assert_false (runtime.no_cgroups);
      if (g_file_get_contents (pid_path, &pid, NULL, NULL))
        kill ((pid_t) g_ascii_strtoll (pid, NULL, 10), SIGKILL);
    }
}

static void
test_runtime_refuses (void)
{
  const struct
  {
    const char *path;
    GQuark domain;
    int code;
  } cases[] = {
    { "/nonexistent/runc", ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING },
    { "/etc", ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING },
    { "/etc/passwd", ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING },
    { "runc", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
    { "", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
    { "/usr/bin/a b", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
    { "/usr/bin/a%n", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
    { "/usr/bin/a\nExecStart=/bin/sh", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
    { "/usr/bin/$x", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
    { "/usr/bin/'x'", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
  };
  g_autofree char *hangs = write_program ("runtime", "while :; do sleep 1000; done");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) cancelled = NULL;
  AtmRuntime runtime = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (atm_runtime_probe (cases[i].path, &runtime, NULL, &error));
      g_assert_error (error, cases[i].domain, cases[i].code);
      if (i == 0)
        g_assert_cmpstr (error->message, ==,
                         "Cannot install the container: the runtime /nonexistent/runc is not "
                         "installed");
    }

  g_cancellable_cancel (cancellable);
  g_assert_false (atm_runtime_probe (hangs, &runtime, cancellable, &cancelled));
  g_assert_error (cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static gpointer
cancel_when_running (gpointer data)
{
  g_autofree char *path = NULL;
  GCancellable *cancellable = g_object_get_data (data, "cancellable");

  path = g_strconcat (g_object_get_data (data, "program"), ".started", NULL);
  while (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_thread_yield ();
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* Cancelled while it runs: the program ends, and so does the waiting. */
static void
test_runtime_cancelled (void)
{
  g_autofree char *path = write_program ("runtime", "touch \"$0.started\"; exec sleep 1000");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GObject) data = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GError) error = NULL;
  AtmRuntime runtime = { 0 };
  GThread *thread = NULL;

  g_object_set_data (data, "cancellable", cancellable);
  g_object_set_data (data, "program", path);
  thread = g_thread_new ("cancel", cancel_when_running, data);
  g_assert_false (atm_runtime_probe (path, &runtime, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

/* What hangs is ended after ATM_RUNTIME_PROBE_SEC, and is a runtime that can do nothing. */
static void
test_runtime_hangs (void)
{
  g_autofree char *path = write_program ("runtime", "echo --pid-file; exec sleep 1000");
  g_autoptr (GError) error = NULL;
  AtmRuntime runtime = { 0 };

  g_assert_true (atm_runtime_probe (path, &runtime, NULL, &error));
  g_assert_false (runtime.has_pid_file);
}

static void
test_tmpfiles (void)
{
  g_autofree char *analyze = g_find_program_in_path ("systemd-tmpfiles");
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (folder, "x.conf", NULL);
  g_autofree char *text = g_strdup_printf ("d %s/made :0700 - - -\nr %s/gone\n", folder, folder);
  g_autofree char *made = g_build_filename (folder, "made", NULL);
  g_autoptr (GError) error = NULL, missing = NULL;

  if (analyze == NULL)
    {
      g_test_skip ("systemd-tmpfiles is not installed");
      return;
    }
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_true (atm_tmpfiles_create (path, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_test (made, G_FILE_TEST_IS_DIR));
  g_assert_true (atm_tmpfiles_remove (path, NULL, &error));

  g_assert_false (atm_tmpfiles_create ("/nonexistent/x.conf", NULL, &missing));
  g_assert_error (missing, ATM_TOOL_ERROR, ATM_TOOL_ERROR_FAILED);
  g_assert_nonnull (strstr (missing->message, "No such file"));
}

static void
test_systemd_unreachable (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *address = g_strdup_printf ("unix:path=%s/none", folder);
  g_autoptr (GError) error = NULL;
  AtmSystemd *systemd = NULL;

  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);
  g_assert_false (atm_systemd_connect (&systemd, &error));
  g_assert_error (error, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_UNREACHABLE);
  g_assert_null (systemd);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/host/system", test_system);
  g_test_add_func ("/host/system-refuses", test_system_refuses);
  g_test_add_func ("/host/runtime", test_runtime);
  g_test_add_func ("/host/runtime-refuses", test_runtime_refuses);
  g_test_add_func ("/host/runtime-cancelled", test_runtime_cancelled);
  g_test_add_func ("/host/runtime-hangs", test_runtime_hangs);
  g_test_add_func ("/host/tmpfiles", test_tmpfiles);
  g_test_add_func ("/host/systemd-unreachable", test_systemd_unreachable);
  return g_test_run ();
}
