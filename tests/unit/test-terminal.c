/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cli/pull-options.h"
#include "cli/terminal.h"
#include "util/fd.h"

/* What a person at a terminal sees and types, with a pseudo terminal in the person's place. */

enum
{
  ANSWERED,
  NO_ANSWER,
  CANCELLED,
  ECHO_IS_OFF,
  NOT_THERE
};

static int
report (gboolean answered, const GError *error)
{
  struct termios settings;

  if (tcgetattr (STDIN_FILENO, &settings) < 0 || (settings.c_lflag & ECHO) == 0)
    return ECHO_IS_OFF;
  if (answered)
    return ANSWERED;
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? CANCELLED : NO_ANSWER;
}

static int
ask (gboolean cancelled)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *answer = NULL;
  gboolean answered = FALSE;

  if (cancelled)
    g_cancellable_cancel (cancellable);
  answered = atm_terminal_ask_secret ("Password of robot:", &answer, cancellable, &error);
  return report (answered && g_str_equal (answer, "s3cret"), error);
}

static int
choose (void)
{
  const char *const choices[] = { "one.test/app:1", "two.test/\033[31mapp:1", NULL };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  guint chosen = 99;
  gboolean answered
      = atm_terminal_choose ("Which one?", choices, &chosen, NULL, cancellable, &error);

  return report (answered && chosen == 1, error);
}

typedef enum
{
  ASK,
  ASK_CANCELLED,
  CHOOSE
} What;

/* Lets a child do @what with a terminal at which @typed is typed when @prompt is seen.
   Returns how it ended and (transfer full) what was seen. */
static int
run (What what, const char *prompt, const char *typed, char **seen_out)
{
  g_autoptr (GString) seen = g_string_new (NULL);
  gboolean has_typed = FALSE;
  int master = -1, status = 0;
  pid_t child = forkpty (&master, NULL, NULL, NULL);

  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    _exit (!atm_terminal_is_there () ? NOT_THERE
           : what == CHOOSE          ? choose ()
                                     : ask (what == ASK_CANCELLED));
  for (;;)
    {
      char buffer[256];
      /* fails when the child has closed the other end */
      gssize n = read (master, buffer, sizeof buffer);

      if (n <= 0)
        break;
      g_string_append_len (seen, buffer, n);
      if (!has_typed && typed != NULL && strstr (seen->str, prompt) != NULL)
        {
          has_typed = TRUE;
          g_assert_cmpint (write (master, typed, strlen (typed)), ==, strlen (typed));
        }
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  atm_fd_clear (&master);
  *seen_out = g_string_free (g_steal_pointer (&seen), FALSE);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
test_secret (void)
{
  g_autofree char *seen = NULL, *empty = NULL, *cancelled = NULL;

  g_assert_cmpint (run (ASK, "robot: ", "s3cret\n", &seen), ==, ANSWERED);
  g_assert_nonnull (strstr (seen, "Password of robot: "));
  g_assert_null (strstr (seen, "s3cret"));
  g_assert_cmpint (run (ASK, "robot: ", "\004", &empty), ==, NO_ANSWER);
  g_assert_cmpint (run (ASK_CANCELLED, "", NULL, &cancelled), ==, CANCELLED);
}

static void
test_choose (void)
{
  const char *const bad[] = { "\n", "0\n", "3\n", "two\n", "1 2\n", "\004" };
  g_autofree char *seen = NULL;

  g_assert_cmpint (run (CHOOSE, "2): ", " 2\n", &seen), ==, ANSWERED);
  g_assert_nonnull (strstr (seen, "1  one.test/app:1"));
  g_assert_null (strchr (seen, '\033'));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *text = NULL;

      g_assert_cmpint (run (CHOOSE, "2): ", bad[i], &text), ==, NO_ANSWER);
    }
}

static void
test_sizes (void)
{
  const struct
  {
    const char *text;
    guint64 size;
  } good[] = { { "1", 1 },
               { "500", 500 },
               { "1k", 1024 },
               { "10M", 10485760 },
               { "2G", G_GUINT64_CONSTANT (2) << 30 },
               { "1T", G_GUINT64_CONSTANT (1) << 40 } };
  const char *const bad[] = { "",
                              "0",
                              "K",
                              "-1",
                              "+1",
                              " 1",
                              "1 ",
                              "1.5",
                              "1KB",
                              "0x10",
                              "0K",
                              "1P",
                              "9223372036854775808",
                              "8388608T" };
  guint64 size = 0;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_assert_true (atm_cli_parse_size (good[i].text, &size));
      g_assert_cmpuint (size, ==, good[i].size);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      size = 99;
      g_assert_false (atm_cli_parse_size (bad[i], &size));
      g_assert_cmpuint (size, ==, 99);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/terminal/secret", test_secret);
  g_test_add_func ("/terminal/choose", test_choose);
  g_test_add_func ("/pull-options/sizes", test_sizes);
  return g_test_run ();
}
