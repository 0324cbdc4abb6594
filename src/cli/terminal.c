/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

gboolean
atm_terminal_is_there (void)
{
  return isatty (STDIN_FILENO) == 1 && isatty (STDERR_FILENO) == 1;
}

static gboolean
say (int fd, const char *text, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));

  return atm_write_all (fd, bytes, error);
}

/* One line, without its end. Ends also when the user no longer wants it: signals are blocked in all
   threads, so that read() alone would not be interrupted. */
static gboolean
read_line (int fd, char *line, GCancellable *cancellable, GError **error)
{
  GPollFD polls[2] = { { .fd = fd, .events = G_IO_IN } };
  gboolean can_cancel = g_cancellable_make_pollfd (cancellable, &polls[1]);
  gssize n = -1;

  while (g_poll (polls, can_cancel ? 2 : 1, -1) < 0 && errno == EINTR)
    ;
  if (can_cancel)
    g_cancellable_release_fd (cancellable);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  /* A terminal gives a line at a time. */
  n = read (fd, line, ATM_TERMINAL_ANSWER_MAX_BYTES);
  if (n < 0)
    return atm_throw_errno (error, "Reading from the terminal");
  if (n == 0 || line[n - 1] != '\n')
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "No answer was given");
  line[n - 1] = '\0';
  return TRUE;
}

static gboolean
open_terminal (int *fd_out, GError **error)
{
  int fd = open ("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

  if (fd < 0)
    return atm_throw_errno (error, "Opening the terminal");
  *fd_out = fd;
  return TRUE;
}

gboolean
atm_terminal_ask_secret (const char *question, char **answer_out, GCancellable *cancellable,
                         GError **error)
{
  g_autofree char *prompt = g_strconcat (question, " ", NULL);
  char line[ATM_TERMINAL_ANSWER_MAX_BYTES + 1];
  struct termios before, silent;
  gboolean answered = FALSE;
  atm_autofd int fd = -1;

  if (!open_terminal (&fd, error))
    return FALSE;
  if (tcgetattr (fd, &before) < 0)
    return atm_throw_errno (error, "Asking the terminal for its settings");
  silent = before;
  silent.c_lflag &= ~(tcflag_t) ECHO;
  if (tcsetattr (fd, TCSAFLUSH, &silent) < 0)
    return atm_throw_errno (error, "Switching off the echo of the terminal");
  answered = say (fd, prompt, error) && read_line (fd, line, cancellable, error);
  (void) tcsetattr (fd, TCSAFLUSH, &before);
  (void) say (fd, "\n", NULL);
  if (answered)
    *answer_out = g_strdup (line);
  explicit_bzero (line, sizeof line);
  return answered;
}

gboolean
atm_terminal_choose (const char *question, const char *const *choices, guint *chosen_out,
                     gpointer data G_GNUC_UNUSED, GCancellable *cancellable, GError **error)
{
  guint n = g_strv_length ((char **) choices);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *safe = atm_text_escape (question);
  char line[ATM_TERMINAL_ANSWER_MAX_BYTES + 1];
  guint64 number = 0;
  atm_autofd int fd = -1;

  g_string_append_printf (text, "%s\n", safe);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *choice = atm_text_escape (choices[i]);

      g_string_append_printf (text, "  %u  %s\n", i + 1, choice);
    }
  g_string_append_printf (text, "Number (1 to %u): ", n);
  if (!open_terminal (&fd, error) || !say (fd, text->str, error)
      || !read_line (fd, line, cancellable, error))
    return FALSE;
  if (!g_ascii_string_to_unsigned (g_strstrip (line), 10, 1, n, &number, NULL))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "No image was chosen; write its full name");
  *chosen_out = (guint) number - 1;
  return TRUE;
}
