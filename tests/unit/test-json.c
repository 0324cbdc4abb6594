/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/scratch.h"
#include "util/json.h"

static void
test_accepts (void)
{
  const char *const good[] = {
    "{}",
    "[]",
    "null",
    " \t\r\n\"x\" \n",
    "0",
    "-0",
    "-1.5e+10",
    "1E2",
    "9223372036854775807",
    "-9223372036854775808",
    "{\"a\":1,\"b\":[true,false,null]}",
    "\"\\ud83d\\ude00\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"",
    "[[],{}]",
    "{\"a\":{\"a\":{\"a\":1}}}",
    "{\"a\":1,\"A\":2}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (good[i]);
      g_autoptr (JsonNode) node = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_json_parse (bytes, &node, &error));
      g_assert_no_error (error);
      g_assert_nonnull (node);
    }
}

/* The tree is that of the text, also where names and values have escapes. */
static void
test_tree (void)
{
  g_autoptr (GBytes) bytes
      = atm_test_bytes ("{\"a\\u00e4\\n\":[1,-2.5,\"\\ud83d\\ude00 "
                        "\\\"x\\\"\",true,null,[],{\"\":\"\"}],\"b\":{\"b\":[{}]}}");
  g_autoptr (JsonNode) node = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_assert_true (atm_json_parse (bytes, &node, &error));
  text = atm_json_to_text (node, FALSE);
  g_assert_cmpstr (
      text, ==,
      "{\"a\xc3\xa4\\n\":[1,-2.5,\"\xf0\x9f\x98\x80 \\\"x\\\"\",true,null,[],{\"\":\"\"}],"
      "\"b\":{\"b\":[{}]}}");
}

/* Names are compared one by one in small objects, and looked for in a table in large ones. */
static void
test_many_members (void)
{
  for (guint n_members = 1; n_members <= 40; n_members++)
    for (guint twice = 0; twice <= n_members; twice++)
      {
        g_autoptr (GString) text = g_string_new ("{");
        g_autoptr (GBytes) bytes = NULL;
        g_autoptr (JsonObject) object = NULL;
        g_autoptr (GError) error = NULL;

        for (guint i = 0; i < n_members; i++)
          g_string_append_printf (text, "\"m%u\":{\"m%u\":0},", i, i);
        if (twice < n_members)
          g_string_append_printf (text, "\"\\u006d%u\":0}", twice);
        else
          g_string_append (text, "\"last\":0}");
        bytes = atm_test_bytes (text->str);
        if (twice < n_members)
          {
            g_assert_false (atm_json_parse_object (bytes, &object, &error));
            g_assert_error (error, ATM_JSON_ERROR, ATM_JSON_ERROR_SYNTAX);
            g_assert_nonnull (strstr (error->message, "twice"));
          }
        else
          {
            g_assert_true (atm_json_parse_object (bytes, &object, &error));
            g_assert_cmpuint (json_object_get_size (object), ==, n_members + 1);
          }
      }
}

static void
test_summary (void)
{
  g_autoptr (GBytes) bytes = atm_test_bytes ("{\"a\":{\"x\":[{\"y\":1}]},\"b\":[1,{\"c\":2}],\"d\":"
                                             "\"e\",\"f\":{},\"g\":{\"h\":{}},\"i\":3}");
  g_autoptr (GBytes) bad = atm_test_bytes ("{\"a\":{\"x\":1,\"x\":2}}");
  g_autoptr (GBytes) array = atm_test_bytes ("[{\"x\":1}]");
  g_autoptr (JsonObject) object = NULL, none = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (GError) error = NULL, wrong = NULL, type = NULL;
  g_autofree char *text = NULL;

  g_assert_true (atm_json_parse_summary (bytes, &object, &error));
  json_node_set_object (node, object);
  text = atm_json_to_text (node, FALSE);
  g_assert_cmpstr (text, ==,
                   "{\"a\":{},\"b\":[1,{\"c\":2}],\"d\":\"e\",\"f\":{},\"g\":{},\"i\":3}");
  g_assert_false (atm_json_parse_summary (bad, &none, &wrong));
  g_assert_error (wrong, ATM_JSON_ERROR, ATM_JSON_ERROR_SYNTAX);
  g_assert_false (atm_json_parse_summary (array, &none, &type));
  g_assert_error (type, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER);
}

static void
test_refuses (void)
{
  const char *const bad[] = {
    "",
    " ",
    "{",
    "}",
    "[1,]",
    "[,1]",
    "{\"a\":1,}",
    "{a:1}",
    "{'a':1}",
    "['a']",
    "// x\n{}",
    "/* x */ {}",
    "{} {}",
    "{}x",
    "var x = {}",
    "01",
    "+1",
    "1.",
    ".5",
    "1e",
    "0x10",
    "NaN",
    "Infinity",
    "-",
    "tru",
    "nulll",
    "TRUE",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\\x41\"",
    "\"a\nb\"",
    "\"",
    "\"\\",
    "\"\\u12\"",
    "\xef\xbb\xbf{}",
    "\"\xff\"",
    "{\"a\":1,\"a\":1}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"b\":{\"x\":1,\"y\":2,\"x\":3}}",
    "{\"a\"}",
    "{\"a\":}",
    "{1:2}",
    "[1 2]",
    "{\"a\":1 \"b\":2}",
    "]",
    "[}",
    "{]",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i]);
      g_autoptr (GError) error = NULL;
      JsonNode *node = NULL;

      if (atm_json_parse (bytes, &node, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_error (error, ATM_JSON_ERROR, ATM_JSON_ERROR_SYNTAX);
      g_assert_null (node);
    }
}

static void
test_depth (void)
{
  for (guint depth = ATM_JSON_DEPTH_MAX; depth < 200000; depth += 100000)
    {
      g_autofree char *open = g_strnfill (depth, '['), *close = g_strnfill (depth, ']');
      g_autofree char *text = g_strconcat (open, close, NULL);
      g_autoptr (GBytes) bytes = atm_test_bytes (text);
      g_autoptr (JsonNode) node = NULL;

      g_assert_cmpint (atm_json_parse (bytes, &node, NULL), ==, depth == ATM_JSON_DEPTH_MAX);
    }
}

typedef struct
{
  char *name;
  gint64 size;
  char **list;
  GHashTable *map;
} Document;

static void
test_table (void)
{
  const AtmJsonField fields[] = {
    { "name", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, name), ATM_JSON_MANDATORY },
    { "size", ATM_JSON_INT, G_STRUCT_OFFSET (Document, size), ATM_JSON_OPTIONAL },
    { "list", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (Document, list), ATM_JSON_LENIENT },
    { "map", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (Document, map), ATM_JSON_NULLABLE },
  };
  const struct
  {
    const char *text;
    const char *message; /* NULL: accepted */
  } cases[] = {
    { "{\"name\":\"a\",\"size\":3,\"list\":[\"x\"],\"map\":{\"k\":\"v\"}}", NULL },
    { "{\"name\":\"a\",\"list\":7,\"map\":null}", NULL },
    { "{}", "“part.name” is missing" },
    { "{\"name\":null}", "“part.name” has the wrong type" },
    { "{\"name\":\"a\",\"size\":1.0}", "“part.size” has the wrong type" },
    { "{\"name\":\"a\",\"size\":null}", "“part.size” has the wrong type" },
    { "{\"name\":\"a\",\"map\":{\"k\":1}}", "“part.map” has the wrong type" },
    { "{\"name\":\"a\",\"Name\":\"b\"}", "unknown member “part.Name”" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_autoptr (JsonObject) object = NULL;
      g_autoptr (GError) error = NULL;
      Document document = { 0 };

      g_assert_true (atm_json_parse_object (bytes, &object, &error));
      g_assert_cmpint (atm_json_read (object, fields, G_N_ELEMENTS (fields),
                                      ATM_JSON_REFUSE_UNKNOWN, "part", &document, &error),
                       ==, cases[i].message == NULL);
      if (cases[i].message != NULL)
        g_assert_cmpstr (error->message, ==, cases[i].message);
      g_free (document.name);
      g_strfreev (document.list);
      g_clear_pointer (&document.map, g_hash_table_unref);
    }
}

static void
test_find (void)
{
  const char *const path[] = { "process", "args", NULL };
  const struct
  {
    const char *text;
    const char *found; /* NULL: there is no such value */
  } cases[] = {
    { "{\"process\":{\"args\":[\"a\",{\"args\":2}]}}", "[\"a\",{\"args\":2}]" },
    { " { \"x\" : 1 , \"process\" : { \"env\" : [ ] , \"args\" : 7 } } ", "7" },
    { "{\"process\":{\"args\":{}},\"args\":1}", "{}" },
    { "{\"process\":{\"args\":\"x\"}}", "\"x\"" },
    { "{\"pro\\u0063ess\":{\"args\":null}}", "null" },
    { "{\"x\":{\"process\":{\"args\":1}}}", NULL },
    { "{\"process\":{\"x\":{\"args\":1}}}", NULL },
    { "{\"process\":[{\"args\":1}]}", NULL },
    { "{\"process\":{},\"args\":1}", NULL },
    { "{\"process\":{\"x\":[]},\"y\":{\"args\":1}}", NULL },
    { "{\"args\":1}", NULL },
    { "[\"process\",\"args\"]", NULL },
    { "1", NULL },
  };
  g_autoptr (GBytes) broken = atm_test_bytes ("{\"process\":{\"args\":[]}");
  g_autoptr (GError) error = NULL;
  JsonNode *untouched = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_autoptr (JsonNode) node = NULL;
      g_autofree char *found = NULL;

      g_assert_true (atm_json_find (bytes, path, &node, &error));
      g_assert_no_error (error);
      found = node != NULL ? atm_json_to_text (node, FALSE) : NULL;
      g_assert_cmpstr (found, ==, cases[i].found);
    }
  /* All of it must be valid, not just what is looked for. */
  g_assert_false (atm_json_find (broken, path, &untouched, &error));
  g_assert_error (error, ATM_JSON_ERROR, ATM_JSON_ERROR_SYNTAX);
  g_assert_null (untouched);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/json/accepts", test_accepts);
  g_test_add_func ("/json/tree", test_tree);
  g_test_add_func ("/json/many-members", test_many_members);
  g_test_add_func ("/json/summary", test_summary);
  g_test_add_func ("/json/refuses", test_refuses);
  g_test_add_func ("/json/depth", test_depth);
  g_test_add_func ("/json/find", test_find);
  g_test_add_func ("/json/table", test_table);
  return g_test_run ();
}
