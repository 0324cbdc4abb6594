/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/scratch.h"
#include "util/json.h"
#include "util/toml.h"

static void
test_accepts (void)
{
  const struct
  {
    const char *text, *json;
  } good[] = {
    { "", "{}" },
    { "# nothing\n\n", "{}" },
    { "\xef\xbb\xbf"
      "a = 1",
      "{\"a\":1}" },
    { "a = \"b\" # c\r\n", "{\"a\":\"b\"}" },
    { "a = 'C:\\x'", "{\"a\":\"C:\\\\x\"}" },
    { "a = \"\\u00e4\\t\\\"\"", "{\"a\":\"ä\\t\\\"\"}" },
    { "a = [\n  true, # yes\n  false,\n]", "{\"a\":[true,false]}" },
    { "a.b.\"c.d\" = -1", "{\"a\":{\"b\":{\"c.d\":-1}}}" },
    { "[a]\nb = {c = [{d = 1}, {}]}", "{\"a\":{\"b\":{\"c\":[{\"d\":1},{}]}}}" },
    { "[[r]]\nx = 1\n[[r.m]]\ny = 2\n[[r.m]]\ny = 3\n[[r]]\nx = 4",
      "{\"r\":[{\"m\":[{\"y\":2},{\"y\":3}],\"x\":1},{\"x\":4}]}" },
    { "a = \"\"\"x\n[[[[[[[[[[[[[[[[[[[[\"\"\"\"\nb = 2",
      "{\"a\":\"x\\n[[[[[[[[[[[[[[[[[[[[\\\"\",\"b\":2}" },
    { "a = '''x''y'''", "{\"a\":\"x''y\"}" },
    { "a = 1979-05-27T07:32:00Z", "{\"a\":\"1979-05-27T07:32:00Z\"}" },
    { "a = \"1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9\"",
      "{\"a\":\"1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9\"}" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (good[i].text);
      g_autoptr (JsonObject) object = NULL;
      g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
      g_autoptr (GError) error = NULL;
      g_autofree char *json = NULL;

      g_assert_true (atm_toml_parse (bytes, &object, &error));
      g_assert_no_error (error);
      json_node_set_object (node, object);
      json = atm_json_to_text (node, FALSE);
      g_assert_cmpstr (json, ==, good[i].json);
    }
}

static void
test_refuses (void)
{
  const struct
  {
    const char *text, *message;
  } bad[] = {
    { "a", "line 1" },
    { "a =", "line 1" },
    { "\na = b", "line 2, column" },
    { "a = 1\na = 2", "line 2" },
    { "[a]\n[a]", "line 2" },
    { "a = 1\n[a.b]", "line 2" },
    { "a = \"x", "line 1" },
    { "a = \"\"\"x", "line" },
    { "a = 'x\n'", "line 1" },
    { "a = \"\\q\"", "line 1" },
    { "a = [1", "line" },
    { "a = {b = 1,\nc = 2}", "line" },
    { "a = \"\\u0000\"", "a value that is not understood" },
    { "a = \"\xff\"", "line 1" },
    { "[[a]]\n[a]", "line 2" },
    { "a = 99999999999999999999", "line 1" },
    { "a = [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "line 1: more than 16 levels" },
    { "a = 1\nb.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b = 1", "line 2: more than 16 levels" },
    { "a = [\"\"\"x\"\"\"\"\", [[[[[[[[[[[[[[[[[[]", "more than 16 levels" },
  };
  g_autofree char *dots = g_strnfill (ATM_TOML_MAX_BYTES, '.');
  g_autofree char *brackets = g_strnfill (ATM_TOML_MAX_BYTES - 2, '[');
  g_autofree char *array = g_strconcat ("a=", brackets, NULL);
  g_autofree char *spaces = g_strnfill (ATM_TOML_MAX_BYTES + 1, ' ');
  const char *const large[] = { dots, brackets, array, spaces };
  g_autoptr (GError) error = NULL;
  JsonObject *object = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i].text);

      if (atm_toml_parse (bytes, &object, &error))
        g_error ("accepted: %s", bad[i].text);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      if (strstr (error->message, bad[i].message) == NULL)
        g_error ("%s: %s", bad[i].text, error->message);
    }
  for (guint i = 0; i < G_N_ELEMENTS (large); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (large[i]);

      g_assert_false (atm_toml_parse (bytes, &object, NULL));
    }
  g_assert_null (object);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/toml/accepts", test_accepts);
  g_test_add_func ("/toml/refuses", test_refuses);
  return g_test_run ();
}
