/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd's verification of units, by the real systemd-analyze; the whole boot is looked at in
   tests/host/test-systemd. Only for what it says in cases that cannot be made here, and for a
   program that does not behave, a script stands in its place. */
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/scratch.h"
#include "host/tool.h"

static void
write_unit (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static char *
verify (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_auto (GStrv) problems = NULL;
  g_autoptr (GError) error = NULL;

  if (!atm_unit_verify (path, &problems, NULL, &error))
    g_error ("%s: %s", name, error->message);
  return g_strjoinv ("\n", problems);
}

#define SLEEP "ExecStart=/bin/sleep 5\n"

static void
test_units (void)
{
  static const struct
  {
    const char *text;
    const char *pattern; /* "": it may be started */
  } cases[] = {
    { "[Service]\n" SLEEP, "" },
    { "[Unit]\nFrob=x\nAfter=nothing.service\nWants=nothing.service\n[Service]\nColor=red\n"
      "Restart=perhaps\nStandardOutput=syslog\nExecStartPre=-/bin/nothing\n" SLEEP,
      "" },
    { "[Service]\nExecStart=/bin/nothing\n", "Command /bin/nothing is not executable*" },
    { "[Unit]\nRequires=nothing.service\n[Service]\n" SLEEP, "*Unit nothing.service not found*" },
    { "[Unit]\nBefore=sysinit.target\nAfter=basic.target\n[Service]\n" SLEEP, "*is a cycle: *" },
    { "[Service]\nType=oneshot\n", "*Refusing*" },
    { "", "Unit x.service is masked*" },
    { "[Service]\nColor=red\nExecStart=\"/bin/sleep\n", "*Refusing*\nline 2: *\nline 3: *" },
    { "[Service]\nExecStart=sleep/x\n", "*fatal error*\nline 2: *" },
  };
  g_autofree char *program = g_find_program_in_path ("systemd-analyze");
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *absent = NULL;

  if (program == NULL)
    {
      g_test_skip ("systemd-analyze is not installed");
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *found = NULL;

      write_unit (folder, "x.service", cases[i].text);
      found = verify (folder, "x.service");
      if (!g_pattern_match_simple (cases[i].pattern, found))
        g_error ("%s: “%s”, not “%s”", cases[i].text, found, cases[i].pattern);
    }
  absent = verify (folder, "y.service");
  g_assert_cmpstr (absent, !=, "");
}

/* Puts a script in the place of systemd-analyze, and returns the folder with it. */
static char *
stand_in (const char *script)
{
  char *folder = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (folder, "systemd-analyze", NULL);
  g_autofree char *text = g_strconcat ("#!/bin/sh\n", script, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (chmod (path, 0755), ==, 0);
  return folder;
}

static void
test_output (void)
{
  static const struct
  {
    const char *output;
    const char *problems;
  } cases[] = {
    { "", "" },
    { "other.service: Command /x is not executable: No such file or directory\n"
      "/etc/x.service.d/a.conf:1: Unknown key, ignoring.\nnoise\nnoise: x\n: \n/x: y\n",
      "" },
    { "a.service: Found ordering cycle on b.service/start\n"
      "a.service: Found dependency on a.service/start\n"
      "a.service: Job b.service/start deleted to break ordering cycle starting with "
      "a.service/start\n",
      "" },
    { "a.service: Found ordering cycle on x.service/start\n"
      "a.service: Found dependency on a.service/start\n"
      "a.service: Job x.service/start deleted to break ordering cycle starting with "
      "a.service/start\n"
      "a.service: Found ordering cycle on x.service/start\n"
      "a.service: Found dependency on a.service/start\n",
      "the order of units is a cycle: a.service after x.service after a.service" },
    { "a.service: Found ordering cycle on b.service/start\n"
      "a.service: Found dependency on a.service/start\n"
      "a.service: Unable to break cycle starting with a.service/start\n"
      "Requested transaction contains an unfixable cyclic ordering dependency: Order is cyclic.\n"
      "x.service: Failed to create x.service/start: Transaction order is cyclic.\n"
      "x.service: Command /y is not executable: No such file or directory\n",
      "the order of units is a cycle: a.service after b.service after a.service\n"
      "Command /y is not executable: No such file or directory" },
    { "/tmp/x.service:3: Bad thing\nUnit x.service has a bad unit file setting.\n",
      "line 3: Bad thing" },
    { "/tmp/x.service:3: Bad thing, ignoring: y\n", "" },
    { "Unit x.service is masked.\n", "Unit x.service is masked." },
    { "x.service: twice\nx.service: twice\n", "twice" },
  };
  g_autofree char *folder = atm_test_scratch_path (), *before = g_strdup (g_getenv ("PATH"));

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *quoted = g_shell_quote (cases[i].output);
      g_autofree char *script = g_strconcat ("printf %s ", quoted, "; exit 1\n", NULL);
      g_autofree char *bin = stand_in (script), *found = NULL;
      g_autofree char *path = g_strconcat (bin, ":", before, NULL);

      g_setenv ("PATH", path, TRUE);
      found = verify (folder, "x.service");
      g_assert_cmpstr (found, ==, cases[i].problems);
    }
  g_setenv ("PATH", before, TRUE);
}

/* A unit with a thousand faults is told of as many as can be read. */
static void
test_bound (void)
{
  g_autofree char *bin
      = stand_in ("i=0; while [ $i -lt 1000 ]; do echo \"x.service: fault $i\"; i=$((i+1)); done");
  g_autofree char *before = g_strdup (g_getenv ("PATH")), *folder = atm_test_scratch_path ();
  g_autofree char *path = g_strconcat (bin, ":", before, NULL), *found = NULL;
  g_auto (GStrv) lines = NULL;

  g_setenv ("PATH", path, TRUE);
  found = verify (folder, "x.service");
  lines = g_strsplit (found, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, ATM_UNIT_PROBLEMS_MAX);
  g_setenv ("PATH", before, TRUE);
}

static void
test_missing (void)
{
  g_autofree char *before = g_strdup (g_getenv ("PATH")), *empty = atm_test_scratch_path ();
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) problems = NULL;

  g_setenv ("PATH", empty, TRUE);
  g_assert_false (atm_unit_verify ("/x.service", &problems, NULL, &error));
  g_assert_error (error, ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING);
  g_assert_null (problems);
  g_setenv ("PATH", before, TRUE);
}

static gpointer
cancel (gpointer data)
{
  g_autofree char *line = NULL;
  const char *fifo = g_object_get_data (data, "fifo");

  /* opened by the script when it runs */
  g_assert_true (g_file_get_contents (fifo, &line, NULL, NULL));
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_cancelled (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *fifo = g_build_filename (folder, "fifo", NULL);
  g_autofree char *script = g_strdup_printf ("echo runs > %s; exec sleep 600\n", fifo);
  g_autofree char *bin = stand_in (script), *before = g_strdup (g_getenv ("PATH"));
  g_autofree char *path = g_strconcat (bin, ":", before, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) problems = NULL;
  GThread *thread = NULL;

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_object_set_data (G_OBJECT (cancellable), "fifo", fifo);
  g_setenv ("PATH", path, TRUE);
  thread = g_thread_new ("cancel", cancel, cancellable);
  g_assert_false (atm_unit_verify ("/x.service", &problems, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_setenv ("PATH", before, TRUE);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/unit-verify/units", test_units);
  g_test_add_func ("/unit-verify/output", test_output);
  g_test_add_func ("/unit-verify/bound", test_bound);
  g_test_add_func ("/unit-verify/missing", test_missing);
  g_test_add_func ("/unit-verify/cancelled", test_cancelled);
  return g_test_run ();
}
