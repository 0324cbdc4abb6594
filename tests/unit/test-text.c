/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "util/text.h"

static void
test_escape (void)
{
  const struct
  {
    const char *raw;
    const char *shown;
  } cases[] = {
    { NULL, "" },
    { "plain “text” 漢", "plain “text” 漢" },
    { "\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m" },
    { "two\nlines\r\t", "two\\x0alines\\x0d\\x09" },
    { "\x7f\xc2\x9b"
      "31m",
      "\\x7f\\u009b31m" },
    { "bad \xff\xc3", "bad \\xff\\xc3" },
    { "\xe2\x80\xae"
      "gpj.exe",
      "\\u202egpj.exe" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *shown = atm_text_escape (cases[i].raw);

      g_assert_cmpstr (shown, ==, cases[i].shown);
    }
}

static void
test_size (void)
{
  const struct
  {
    guint64 size;
    const char *shown;
  } cases[] = {
    { 0, "0 B" },
    { 999, "999 B" },
    { 1000, "1.00 KB" },
    { 12340000, "12.34 MB" },
    { 289000000000, "289.00 GB" },
    { G_MAXUINT64, "18.45 EB" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *shown = atm_text_size (cases[i].size);

      g_assert_cmpstr (shown, ==, cases[i].shown);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/text/escape", test_escape);
  g_test_add_func ("/text/size", test_size);
  return g_test_run ();
}
