/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/credential-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/secret.h"
#include "util/text.h"

#define PROGRAM_PREFIX "docker-credential-"
#define NAME_CHARS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-"
#define NAME_MAX_BYTES 64
#define NOT_FOUND "credentials not found in native keychain"
#define LINE_SHOWN_MAX_BYTES 200

/* ---- what a helper sees ---- */

char **
atm_credential_helper_dup_environment (const char *const *environment, gboolean as_root)
{
  static const char *const names[]
      = { "HOME=", "DBUS_SESSION_BUS_ADDRESS=", "XDG_", "AWS_", "GOOGLE_", "AZURE_" };
  g_autoptr (GStrvBuilder) kept = g_strv_builder_new ();

  if (!as_root)
    return g_strdupv ((char **) environment);
  for (gsize i = 0; environment[i] != NULL; i++)
    for (gsize j = 0; j < G_N_ELEMENTS (names); j++)
      if (g_str_has_prefix (environment[i], names[j]))
        g_strv_builder_add (kept, environment[i]);
  g_strv_builder_add (kept, "PATH=" ATM_CREDENTIAL_HELPER_ROOT_PATH);
  return g_strv_builder_end (kept);
}

static gboolean
find_program (const char *folders, const char *program, char **path_out, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (folders, ":", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    {
      g_autofree char *path = g_build_filename (parts[i], program, NULL);

      if (g_path_is_absolute (path) && g_file_test (path, G_FILE_TEST_IS_REGULAR)
          && access (path, X_OK) == 0)
        {
          *path_out = g_steal_pointer (&path);
          return TRUE;
        }
    }
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    "the credential helper %s is not in %s; install it, or take it out of the "
                    "configuration",
                    program, folders);
}

/* ---- a run ---- */

/* What a helper writes to one descriptor; it may hold a secret. */
typedef struct
{
  int fd;     /* (owned): to read it from, or -1 */
  char *text; /* (owned) (nullable): ATM_CREDENTIAL_HELPER_OUTPUT_MAX_BYTES and a NUL */
  gsize length;
} Output;

typedef enum
{
  RUN_ENDED,
  RUN_TIMED_OUT,
  RUN_CANCELLED,
  RUN_TOO_MUCH
} RunEnd;

/* A program and what came of it. */
typedef struct
{
  Output out;
  Output err;
  RunEnd end;
  int status; /* as of waitpid() */
} Run;

static void
output_clear (Output *output)
{
  atm_fd_clear (&output->fd);
  if (output->text != NULL)
    explicit_bzero (output->text, output->length);
  g_free (output->text);
}

static void
run_clear (Run *run)
{
  output_clear (&run->out);
  output_clear (&run->err);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

typedef enum
{
  TAKE_MORE,
  TAKE_END,
  TAKE_TOO_MUCH
} Take;

static Take
take_output (Output *output)
{
  gsize space = ATM_CREDENTIAL_HELPER_OUTPUT_MAX_BYTES - output->length;
  char one_more;
  /* A byte beyond the limit tells “just as much” from “too much”. */
  ssize_t n = space > 0 ? read (output->fd, output->text + output->length, space)
                        : read (output->fd, &one_more, 1);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? TAKE_MORE : TAKE_END;
  if (n == 0)
    return TAKE_END;
  if (space == 0)
    return TAKE_TOO_MUCH;
  output->length += (gsize) n;
  return TAKE_MORE;
}

/* Waits for the end of the process, not of its output: a process it has made may keep that open for
   ever. */
static RunEnd
follow (Run *run, int pid_fd, int cancel_fd, gint64 deadline_usec)
{
  Output *const outputs[] = { &run->out, &run->err };
  struct pollfd fds[] = { { .fd = run->out.fd, .events = POLLIN },
                          { .fd = run->err.fd, .events = POLLIN },
                          { .fd = pid_fd, .events = POLLIN },
                          { .fd = cancel_fd, .events = POLLIN } };
  gboolean ended = FALSE;

  for (;;)
    {
      gint64 left_usec = deadline_usec - g_get_monotonic_time ();
      int n = 0;

      if (left_usec <= 0)
        return ended ? RUN_ENDED : RUN_TIMED_OUT;
      n = poll (fds, G_N_ELEMENTS (fds), ended ? 0 : (int) ((left_usec + 999) / 1000));
      if (n < 0 && errno != EINTR)
        return RUN_TIMED_OUT;
      if (n < 0)
        continue;
      for (guint i = 0; i < 2; i++)
        if (fds[i].revents != 0)
          {
            Take take = take_output (outputs[i]);

            if (take == TAKE_TOO_MUCH)
              return RUN_TOO_MUCH;
            if (take == TAKE_END)
              fds[i].fd = -1;
          }
      /* Once more after the end, for what was written just before. */
      if (ended && fds[0].revents == 0 && fds[1].revents == 0)
        return RUN_ENDED;
      if (fds[2].revents != 0)
        {
          ended = TRUE;
          fds[2].fd = -1;
        }
      if (fds[3].revents != 0)
        return RUN_CANCELLED;
    }
}

/* The question is a file, not a pipe: a helper that does not read it must not end us by SIGPIPE. */
static gboolean
open_question (const char *server, int *fd_out, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (server, strlen (server));
  atm_autofd int fd = memfd_create ("question", MFD_CLOEXEC);

  if (fd < 0)
    return atm_throw_errno (error, "Making a file in memory");
  if (!atm_write_all (fd, bytes, error))
    return FALSE;
  if (lseek (fd, 0, SEEK_SET) < 0)
    return atm_throw_errno (error, "Going back in a file in memory");
  *fd_out = g_steal_fd (&fd);
  return TRUE;
}

static gboolean
open_output (Output *output, int *write_fd_out, GError **error)
{
  int fds[2];

  if (pipe2 (fds, O_CLOEXEC) < 0)
    return atm_throw_errno (error, "Making a pipe");
  output->fd = fds[0];
  output->text = g_malloc0 (ATM_CREDENTIAL_HELPER_OUTPUT_MAX_BYTES + 1);
  *write_fd_out = fds[1];
  (void) fcntl (output->fd, F_SETFL, O_NONBLOCK);
  return TRUE;
}

/* In a process group of its own, so that all of it can be ended at once. */
static gboolean
spawn (const char *path, const AtmCredentialHelperSetting *setting, const int fds[3],
       pid_t *pid_out, GError **error)
{
  const char *const argv[] = { path, "get", NULL };
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  int failure = 0;

  sigemptyset (&none);
  sigfillset (&all);
  posix_spawn_file_actions_init (&actions);
  posix_spawnattr_init (&attributes);
  for (int i = 0; i < 3; i++)
    posix_spawn_file_actions_adddup2 (&actions, fds[i], i);
  posix_spawnattr_setflags (&attributes,
                            POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup (&attributes, 0);
  posix_spawnattr_setsigmask (&attributes, &none);
  posix_spawnattr_setsigdefault (&attributes, &all);
  failure = posix_spawn (pid_out, path, &actions, &attributes, (char **) argv,
                         (char **) setting->environment);
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  errno = failure;
  return failure == 0 || atm_throw_errno (error, "Starting %s", path);
}

/* Runs the helper to its end, of whatever kind. */
static gboolean
run_program (const AtmCredentialHelperSetting *setting, const char *path, const char *server,
             Run *run, GCancellable *cancellable, GError **error)
{
  atm_autofd int question_fd = -1, out_fd = -1, error_fd = -1, pid_fd = -1;
  gint64 deadline_usec = g_get_monotonic_time () + (gint64) setting->limit_msec * 1000;
  int cancel_fd = -1;
  pid_t pid = 0, waited = 0;

  if (!open_question (server, &question_fd, error) || !open_output (&run->out, &out_fd, error)
      || !open_output (&run->err, &error_fd, error)
      || !spawn (path, setting, (const int[]){ question_fd, out_fd, error_fd }, &pid, error))
    return FALSE;
  close (g_steal_fd (&out_fd));
  close (g_steal_fd (&error_fd));

  pid_fd = pidfd_open (pid, 0);
  cancel_fd = cancellable != NULL ? g_cancellable_get_fd (cancellable) : -1;
  /* Without a descriptor of the process nobody could wait for it with a limit. */
  run->end = pid_fd >= 0 ? follow (run, pid_fd, cancel_fd, deadline_usec) : RUN_TIMED_OUT;
  if (cancel_fd >= 0)
    g_cancellable_release_fd (cancellable);
  if (run->end != RUN_ENDED)
    kill (-pid, SIGKILL);
  do
    waited = waitpid (pid, &run->status, 0);
  while (waited < 0 && errno == EINTR);
  return waited == pid || atm_throw_errno (error, "Waiting for %s", path);
}

/* ---- what it said ---- */

typedef struct
{
  char *server; /* (owned) (nullable) */
  char *user;   /* (owned) (nullable) */
  char *secret; /* (owned) (nullable) */
} Answer;

static void
answer_clear (Answer *answer)
{
  g_free (answer->server);
  g_free (answer->user);
  atm_secret_free (answer->secret);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static gboolean
read_answer (const Output *output, Answer *answer)
{
  static const AtmJsonField fields[] = {
    { "ServerURL", ATM_JSON_STRING, G_STRUCT_OFFSET (Answer, server), ATM_JSON_OPTIONAL },
    { "Username", ATM_JSON_STRING, G_STRUCT_OFFSET (Answer, user), ATM_JSON_MANDATORY },
    { "Secret", ATM_JSON_STRING, G_STRUCT_OFFSET (Answer, secret), ATM_JSON_MANDATORY },
  };
  g_autoptr (GBytes) bytes = g_bytes_new_static (output->text, output->length);
  g_autoptr (JsonObject) object = NULL;

  return atm_json_parse_object (bytes, &object, NULL)
         && atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, "",
                           answer, NULL);
}

/* The first line of what a failed helper said, or “”: not if it has the secret in it, and nothing
   if there may be a secret that is not known, because the answer cannot be read. */
static char *
dup_reason (const Run *run)
{
  const Output *said = run->err.length > 0 ? &run->err : &run->out;
  g_auto (Answer) answer = { 0 };
  g_autoptr (AtmSecret) line = NULL;
  g_autoptr (AtmSecret) encoded = NULL;

  if (memchr (run->out.text, '{', run->out.length) != NULL
      && (!read_answer (&run->out, &answer) || said == &run->out))
    return g_strdup ("");
  line = g_strndup (said->text, MIN (strcspn (said->text, "\r\n"), LINE_SHOWN_MAX_BYTES));
  if (answer.secret != NULL && *answer.secret != '\0')
    {
      encoded = g_base64_encode ((const guchar *) answer.secret, strlen (answer.secret));
      /* The whole of what was said is looked through: the line may have been cut in a secret. */
      if (strstr (said->text, answer.secret) != NULL || strstr (said->text, encoded) != NULL)
        return g_strdup ("");
    }
  return atm_text_escape (line);
}

static gboolean
throw_failed (const char *program, const char *server, const Run *run, GError **error)
{
  g_autofree char *reason = dup_reason (run);
  g_autofree char *how = WIFEXITED (run->status)
                             ? g_strdup_printf ("status %d", WEXITSTATUS (run->status))
                             : g_strdup_printf ("signal %d", WTERMSIG (run->status));

  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "the credential helper %s failed for %s (%s)%s%s", program, server, how,
                    *reason != '\0' ? ": " : "", reason);
}

static gboolean
says_not_found (const Output *output)
{
  g_autoptr (AtmSecret) text = g_strndup (output->text, output->length);

  return g_str_equal (g_strstrip (text), NOT_FOUND);
}

/* What a run came to, except an answer. */
static gboolean
check_run (const AtmCredentialHelperSetting *setting, const char *program, const char *server,
           const Run *run, GCancellable *cancellable, GError **error)
{
  switch (run->end)
    {
    case RUN_CANCELLED:
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
    case RUN_TIMED_OUT:
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                        "the credential helper %s did not answer for %s within %u s and was ended",
                        program, server, (setting->limit_msec + 999) / 1000);
    case RUN_TOO_MUCH:
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                        "the credential helper %s wrote more than %d bytes for %s and was ended",
                        program, ATM_CREDENTIAL_HELPER_OUTPUT_MAX_BYTES, server);
    case RUN_ENDED:
      break;
    }
  return (WIFEXITED (run->status) && WEXITSTATUS (run->status) == 0)
         || throw_failed (program, server, run, error);
}

gboolean
atm_credential_helper_get (const AtmCredentialHelperSetting *setting, const char *name,
                           const char *server, char **user_out, char **secret_out,
                           GCancellable *cancellable, GError **error)
{
  g_autofree char *program = g_strconcat (PROGRAM_PREFIX, name, NULL);
  g_autofree char *path = NULL, *shown = NULL, *shown_server = atm_text_escape (server);
  g_auto (Run) run = { .out = { .fd = -1 }, .err = { .fd = -1 } };
  g_auto (Answer) answer = { 0 };

  if (*name == '\0' || strlen (name) > NAME_MAX_BYTES || strspn (name, NAME_CHARS) != strlen (name))
    {
      shown = atm_text_escape (name);
      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                        "“%s” is no name of a credential helper; it is made of letters, digits, "
                        "“.”, “_” and “-”",
                        shown);
    }
  if (g_cancellable_set_error_if_cancelled (cancellable, error)
      || !find_program (setting->path, program, &path, error)
      || !run_program (setting, path, server, &run, cancellable, error))
    return FALSE;
  if (run.end == RUN_ENDED && run.status != 0 && says_not_found (&run.out))
    {
      *user_out = NULL;
      *secret_out = NULL;
      return TRUE;
    }
  if (!check_run (setting, program, shown_server, &run, cancellable, error))
    return FALSE;
  if (!read_answer (&run.out, &answer))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "the credential helper %s answered for %s with something that is no JSON "
                      "object with “Username” and “Secret”",
                      program, shown_server);
  *user_out = g_steal_pointer (&answer.user);
  *secret_out = g_steal_pointer (&answer.secret);
  return TRUE;
}
