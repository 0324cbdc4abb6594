/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

#define OUTPUT_MAX_BYTES (256 * 1024) /* what is kept of a program's output: the last of it */
#define PATH_SAFE_CHARS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._+-,:=@"

G_DEFINE_QUARK (atm_tool_error, atm_tool_error)

/* Reads what is there of @fd; FALSE at the end. */
static gboolean
take_output (int fd, GString *output)
{
  char buffer[16384];
  ssize_t n = read (fd, buffer, sizeof buffer);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  g_string_append_len (output, buffer, n);
  if (output->len > OUTPUT_MAX_BYTES)
    g_string_erase (output, 0, (gssize) (output->len - OUTPUT_MAX_BYTES));
  return n > 0;
}

/* Waits for the end of the process, not of its output: a grandchild may keep that open for ever.
   FALSE if the time is over or @cancellable is cancelled. */
static gboolean
follow (int output_fd, int pid_fd, int cancel_fd, gint64 deadline_usec, GString *output)
{
  struct pollfd fds[] = { { .fd = pid_fd, .events = POLLIN },
                          { .fd = output_fd, .events = POLLIN },
                          { .fd = cancel_fd, .events = POLLIN } };

  for (;;)
    {
      int timeout_msec = -1;

      if (deadline_usec > 0)
        timeout_msec
            = (int) CLAMP ((deadline_usec - g_get_monotonic_time () + 999) / 1000, 0, G_MAXINT);
      if (poll (fds, G_N_ELEMENTS (fds), timeout_msec) < 0 && errno != EINTR)
        return FALSE;
      if (fds[1].revents != 0 && !take_output (output_fd, output))
        fds[1].fd = -1;
      if (fds[0].revents != 0)
        {
          while (fds[1].fd >= 0 && poll (&fds[1], 1, 0) > 0 && take_output (output_fd, output))
            if (deadline_usec > 0 && g_get_monotonic_time () >= deadline_usec)
              break;
          return TRUE;
        }
      if (fds[2].revents != 0 || timeout_msec == 0)
        return FALSE;
    }
}

/* Runs @argv; @output_out is what it wrote to both of its outputs. A program that was not let to
   its end (@timeout_sec, 0: none) is killed, and @ended_out is FALSE. */
static gboolean
run (const char *const *argv, guint timeout_sec, GSubprocess **process_out, gboolean *ended_out,
     char **output_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GString) output = g_string_new (NULL);
  g_autoptr (GError) local = NULL;
  atm_autofd int pid_fd = -1;
  gint64 deadline_usec
      = timeout_sec > 0 ? g_get_monotonic_time () + timeout_sec * G_USEC_PER_SEC : 0;
  int output_fd = -1, cancel_fd = -1;
  const char *identifier = NULL;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  g_subprocess_launcher_setenv (launcher, "LC_ALL", "C", TRUE);
  /* Whatever our own environment wants of systemd's programs: messages go to their output, plain.
   */
  g_subprocess_launcher_setenv (launcher, "SYSTEMD_LOG_TARGET", "console", TRUE);
  g_subprocess_launcher_setenv (launcher, "SYSTEMD_LOG_LEVEL", "info", TRUE);
  g_subprocess_launcher_setenv (launcher, "SYSTEMD_LOG_COLOR", "0", TRUE);
  process = g_subprocess_launcher_spawnv (launcher, argv, &local);
  if (process == NULL)
    return atm_throw (error, ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING, "Running %s: %s", argv[0],
                      local->message);

  output_fd
      = g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (g_subprocess_get_stdout_pipe (process)));
  (void) fcntl (output_fd, F_SETFL, O_NONBLOCK);
  identifier = g_subprocess_get_identifier (process);
  if (identifier != NULL)
    pid_fd = (int) syscall (SYS_pidfd_open, atoi (identifier), 0);
  cancel_fd = cancellable != NULL ? g_cancellable_get_fd (cancellable) : -1;
  /* Without a descriptor it has ended and been collected; then the output is there, whole. */
  if (pid_fd >= 0)
    *ended_out = follow (output_fd, pid_fd, cancel_fd, deadline_usec, output);
  else
    *ended_out = TRUE;
  while (pid_fd < 0 && output->len < OUTPUT_MAX_BYTES && take_output (output_fd, output)
         && errno != EAGAIN)
    ;
  if (cancel_fd >= 0)
    g_cancellable_release_fd (cancellable);

  if (!*ended_out)
    g_subprocess_force_exit (process);
  if (!g_subprocess_wait (process, NULL, error)
      || g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  for (gsize i = 0; i < output->len; i++)
    if (output->str[i] == '\0')
      output->str[i] = ' ';
  *output_out = g_string_free (g_steal_pointer (&output), FALSE);
  *process_out = g_steal_pointer (&process);
  return TRUE;
}

/* crun is known by its name: its help says nothing of what its cgroup managers can do. */
static gboolean
must_leave_cgroups (const char *path)
{
  g_autofree char *name = g_path_get_basename (path);
  struct statfs st;

  return g_str_equal (name, "crun") && statfs ("/sys/fs/cgroup", &st) == 0
         && st.f_type == CGROUP2_SUPER_MAGIC;
}

gboolean
atm_runtime_probe (const char *path, AtmRuntime *runtime_out, GCancellable *cancellable,
                   GError **error)
{
  const char *const argv[] = { path, "run", "--help", NULL };
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *output = NULL;
  gboolean ended = FALSE;
  struct stat st;

  if (!g_path_is_absolute (path) || strspn (path, PATH_SAFE_CHARS) != strlen (path))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "The path of the runtime “%s” cannot be put into a unit: give an absolute "
                      "one of letters, digits and /._+-,:=@",
                      path);
  if (stat (path, &st) < 0 || !S_ISREG (st.st_mode) || access (path, X_OK) < 0)
    return atm_throw (error, ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING,
                      "Cannot install the container: the runtime %s is not installed", path);

  if (!run (argv, ATM_RUNTIME_PROBE_SEC, &process, &ended, &output, cancellable, &local))
    {
      if (g_error_matches (local, ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING))
        return atm_throw (error, ATM_TOOL_ERROR, ATM_TOOL_ERROR_MISSING,
                          "Cannot install the container: the runtime %s is not installed (%s)",
                          path, local->message);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  runtime_out->has_pid_file = ended && strstr (output, "--pid-file") != NULL;
  runtime_out->no_cgroups = must_leave_cgroups (path);
  return TRUE;
}

/* The last line that says something. */
static char *
dup_last_line (const char *output)
{
  g_auto (GStrv) lines = g_strsplit (output, "\n", -1);

  for (guint i = g_strv_length (lines); i > 0; i--)
    if (*g_strstrip (lines[i - 1]) != '\0')
      return atm_text_escape (lines[i - 1]);
  return g_strdup ("it does not say why");
}

static gboolean
run_tmpfiles (const char *option, const char *path, GCancellable *cancellable, GError **error)
{
  const char *const argv[] = { "systemd-tmpfiles", option, path, NULL };
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *output = NULL, *line = NULL;
  gboolean ended = FALSE;

  if (!run (argv, 0, &process, &ended, &output, cancellable, error))
    return FALSE;
  if (g_subprocess_get_if_exited (process) && g_subprocess_get_exit_status (process) == 0)
    return TRUE;
  line = dup_last_line (output);
  return atm_throw (error, ATM_TOOL_ERROR, ATM_TOOL_ERROR_FAILED, "systemd-tmpfiles %s %s: %s",
                    option, path, line);
}

gboolean
atm_tmpfiles_create (const char *path, GCancellable *cancellable, GError **error)
{
  return run_tmpfiles ("--create", path, cancellable, error);
}

gboolean
atm_tmpfiles_remove (const char *path, GCancellable *cancellable, GError **error)
{
  return run_tmpfiles ("--remove", path, cancellable, error);
}

/* ---- systemd-analyze ---- */

/* What was read of its output so far. */
typedef struct
{
  const char *unit;    /* (borrowed) */
  GPtrArray *problems; /* (owned) */
  GPtrArray *syntax;   /* (owned): what it says of lines of the file */
  GPtrArray *cycle;    /* (owned): units of a cycle in their order, while it is told */
  char *conclusion;    /* (owned) (nullable): that it cannot be loaded, but not why */
} Verification;

static void
verification_clear (Verification *verification)
{
  g_clear_pointer (&verification->problems, g_ptr_array_unref);
  g_clear_pointer (&verification->syntax, g_ptr_array_unref);
  g_clear_pointer (&verification->cycle, g_ptr_array_unref);
  g_free (verification->conclusion);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Verification, verification_clear)

static gboolean
has_string (const GPtrArray *strings, const char *text)
{
  return g_ptr_array_find_with_equal_func ((GPtrArray *) strings, text, g_str_equal, NULL);
}

static void
add_problem (Verification *verification, char *text)
{
  if (verification->problems->len < ATM_UNIT_PROBLEMS_MAX
      && !has_string (verification->problems, text))
    g_ptr_array_add (verification->problems, text);
  else
    g_free (text);
}

/* “a.service: Found ordering cycle on b.service/start”, then for each further unit
   “a.service: Found dependency on c.service/start”, the last of which is the first again. */
static gboolean
take_cycle (Verification *verification, const char *about, const char *rest)
{
  const char *begin = "Found ordering cycle on ", *more = "Found dependency on ";
  gboolean begins = g_str_has_prefix (rest, begin);

  if (!begins && !g_str_has_prefix (rest, more))
    return FALSE;
  rest += strlen (begins ? begin : more);
  if (begins)
    {
      g_ptr_array_set_size (verification->cycle, 0);
      g_ptr_array_add (verification->cycle, g_strdup (about));
    }
  g_ptr_array_add (verification->cycle, g_strndup (rest, strcspn (rest, "/")));
  return TRUE;
}

/* A cycle is a problem of all units in it, for systemd leaves out the one or the other. */
static void
end_cycle (Verification *verification, gboolean ours)
{
  g_autofree char *path = NULL;

  if (verification->cycle->len > 0
      && (ours || has_string (verification->cycle, verification->unit)))
    {
      g_ptr_array_add (verification->cycle, NULL);
      path = g_strjoinv (" after ", (char **) verification->cycle->pdata);
      add_problem (verification, g_strdup_printf ("the order of units is a cycle: %s", path));
    }
  g_ptr_array_set_size (verification->cycle, 0);
}

/* “UNIT: what is wrong”; @about may be another unit. */
static void
take_unit_line (Verification *verification, const char *about, const char *rest)
{
  gboolean ours = g_str_equal (about, verification->unit);
  gboolean failed = g_str_has_prefix (rest, "Failed to create ");

  if (take_cycle (verification, about, rest))
    return;
  if (verification->cycle->len > 0)
    {
      /* Then come one line that says what became of the cycle and, if it could not be broken, one
         that says that the unit cannot be started for this reason. */
      if (!failed && strstr (rest, "Unable to break cycle") != NULL)
        return;
      end_cycle (verification, ours && failed);
      return;
    }
  if (ours)
    add_problem (verification, g_strdup (rest));
}

/* “/PATH/a.service:7: what is wrong” or “/PATH/a.service.d/DROP-IN.conf:7: …”. */
static void
take_file_line (Verification *verification, const char *line)
{
  g_autofree char *in_file = g_strconcat ("/", verification->unit, ":", NULL);
  g_autofree char *in_drop_in = g_strconcat ("/", verification->unit, ".d/", NULL);
  const char *found = strstr (line, in_file);

  if (found != NULL)
    g_ptr_array_add (verification->syntax, g_strconcat ("line ", found + strlen (in_file), NULL));
  else if (strstr (line, in_drop_in) != NULL)
    g_ptr_array_add (verification->syntax, g_strdup (line));
}

static void
take_line (Verification *verification, const char *line)
{
  const char *colon = strstr (line, ": ");
  g_autofree char *about = colon != NULL ? g_strndup (line, (gsize) (colon - line)) : NULL;

  if (line[0] == '/')
    take_file_line (verification, line);
  else if (about != NULL && strchr (about, ' ') == NULL)
    take_unit_line (verification, about, colon + 2);
  else if (strstr (line, verification->unit) != NULL)
    {
      g_free (verification->conclusion);
      verification->conclusion = g_strdup (line);
    }
}

/* What systemd says of lines of the file, most of which it goes on without, is told only if it does
   not go on. */
static void
conclude (Verification *verification)
{
  if (verification->conclusion == NULL)
    return;
  for (guint i = 0; i < verification->syntax->len; i++)
    add_problem (verification, g_strdup (verification->syntax->pdata[i]));
  if (verification->problems->len == 0)
    add_problem (verification, g_strdup (verification->conclusion));
}

/* Its exit status says little: it is 1 for a line that is ignored, too. The default target is
   started in the same simulation, which is the boot with this file in the place of the one of its
   name, so that cycles with units that it does not require are found. */
gboolean
atm_unit_verify (const char *path, char ***problems_out, GCancellable *cancellable, GError **error)
{
  const char *const argv[] = {
    "systemd-analyze", "--recursive-errors=one", "--man=no", "verify", path, "default.target", NULL
  };
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *output = NULL, *unit = g_path_get_basename (path);
  g_auto (GStrv) lines = NULL;
  g_auto (Verification) verification = {
    .unit = unit,
    .problems = g_ptr_array_new_with_free_func (g_free),
    .syntax = g_ptr_array_new_with_free_func (g_free),
    .cycle = g_ptr_array_new_with_free_func (g_free),
  };
  gboolean ended = FALSE;

  if (!run (argv, ATM_UNIT_VERIFY_SEC, &process, &ended, &output, cancellable, error))
    return FALSE;
  if (!ended)
    return atm_throw (error, ATM_TOOL_ERROR, ATM_TOOL_ERROR_FAILED,
                      "systemd-analyze verify %s: it did not end within %d s", path,
                      ATM_UNIT_VERIFY_SEC);

  lines = g_strsplit (output, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    take_line (&verification, lines[i]);
  end_cycle (&verification, FALSE);
  conclude (&verification);
  g_ptr_array_add (verification.problems, NULL);
  *problems_out = (char **) g_ptr_array_free (g_steal_pointer (&verification.problems), FALSE);
  return TRUE;
}
