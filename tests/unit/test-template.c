/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "container/template.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"

static void
test_accepts (void)
{
  const struct
  {
    const char *template;
    const char *result;
  } cases[] = {
    { "", "" },
    { "plain % {} text\n", "plain % {} text\n" },
    { "$$", "$" },
    { "$$$$", "$$" },
    { "$$A", "$A" },
    { "$$$A", "$1" },
    { "$A", "1" },
    { "${A}", "1" },
    { "$A$A", "11" },
    { "$A-$B", "1-two words" },
    { "\\$A", "\\1" },
    { "$_x9", "underscore" },
    { "${_x9}y", "undersc"
                 "orey" },
    { "$A.service", "1.service" },
    { "[$LIST]", "[\"CAP_CHOWN\",\n\"CAP_KILL\"\n]" },
    { "$AGAIN", "$A ${A} $$" },
    { "$EMPTY", "" },
    { "%n $A\xff", "%n 1\xff" },
    { "$A\xc3\xa4", "1\xc3\xa4" },
  };
  g_autoptr (GHashTable) values
      = atm_test_map ("A", "1", "B", "two words", "_x9", "underscore", "LIST",
                      "\"CAP_CHOWN\",\n\"CAP_KILL\"\n", "AGAIN", "$A ${A} $$", "EMPTY", "", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) template = atm_test_bytes (cases[i].template), result = NULL;
      g_autoptr (GBytes) wanted = atm_test_bytes (cases[i].result);
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_template_substitute (template, values, "f", &result, &error));
      g_assert_no_error (error);
      if (!g_bytes_equal (result, wanted))
        g_error ("case %u: %s", i, cases[i].template);
    }
}

static void
test_refuses (void)
{
  const struct
  {
    const char *template;
    const char *message;
  } cases[] = {
    { "$", "line 1, col 1" },
    { "ab$", "line 1, col 3" },
    { "$$$", "line 1, col 3" },
    { "$(A)", "line 1, col 1" },
    { "x\ny $5", "line 2, col 3" },
    { "$-", "line 1, col 1" },
    { "${", "line 1, col 1" },
    { "${}", "line 1, col 1" },
    { "${A", "line 1, col 1" },
    { "${A:-x}", "line 1, col 1" },
    { "${ A}", "line 1, col 1" },
    { "${A }", "line 1, col 1" },
    { "${9}", "line 1, col 1" },
    { "$\xc3\xa4", "line 1, col 1" },
    { "\xc3\xa4$", "line 1, col 2" },
    { "$ A", "line 1, col 1" },
    { "$A $MISSING $!", "line 1, col 13" },
    { "$MISSING", "still contains an unreplaced value for: ''MISSING'';" },
    { "${MISSING}", "unreplaced value for: ''MISSING''" },
    { "$a", "unreplaced value for: ''a''" },
    { "$AB", "unreplaced value for: ''AB''" },
    { "$X $A ${Y} $X", "unreplaced value for: ''X'', ''Y'';" },
  };
  g_autoptr (GHashTable) values = atm_test_map ("A", "1", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) template = atm_test_bytes (cases[i].template);
      g_autoptr (GError) error = NULL;
      GBytes *result = NULL;

      g_assert_false (atm_template_substitute (template, values, "x.template", &result, &error));
      g_assert_true (error->domain == ATM_TEMPLATE_ERROR);
      g_assert_nonnull (strstr (error->message, "The template file 'x.template'"));
      if (strstr (error->message, cases[i].message) == NULL)
        g_error ("case %u: %s", i, error->message);
      g_assert_null (result);
    }
}

/* A few bytes of template and a long default value, both the image's. */
static void
test_bomb (void)
{
  g_autofree char *million = g_strnfill (1024 * 1024, 'x');
  g_autoptr (GHashTable) values = atm_test_map ("A", million, NULL);
  g_autoptr (GBytes) fits = atm_test_bytes ("$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A");
  g_autoptr (GBytes) bomb = atm_test_bytes ("$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A$A.");
  g_autoptr (GBytes) result = NULL, none = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_template_substitute (fits, values, "f", &result, &error));
  g_assert_false (atm_template_substitute (bomb, values, "f", &none, &error));
  g_assert_error (error, ATM_TEMPLATE_ERROR, ATM_TEMPLATE_ERROR_TOO_LARGE);
}

static void
test_names (void)
{
  g_autoptr (GBytes) template = atm_test_bytes ("$A ${B} $$C $( $D");
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  atm_template_add_names (template, names);
  g_assert_cmpuint (g_hash_table_size (names), ==, 3);
  g_assert_true (g_hash_table_contains (names, "D"));
  g_assert_true (atm_template_uses (template, "A"));
  g_assert_true (atm_template_uses (template, "B"));
  g_assert_true (atm_template_uses (template, "D"));
  g_assert_false (atm_template_uses (template, "C"));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/template/accepts", test_accepts);
  g_test_add_func ("/template/refuses", test_refuses);
  g_test_add_func ("/template/bomb", test_bomb);
  g_test_add_func ("/template/names", test_names);
  return g_test_run ();
}
