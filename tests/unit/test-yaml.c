/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "util/json.h"
#include "util/yaml.h"

static void
test_accepts (void)
{
  const struct
  {
    const char *text;
    const char *json;
  } cases[] = {
    { "", "{}" },
    { "# nothing\n", "{}" },
    { "---\n", "{}" },
    { "--- ~\n...\n", "{}" },
    { "%YAML 1.1\n---\na: b\n", "{\"a\":\"b\"}" },
    { "a: 1\nb: true\nc: 'x: y'\nd: \"\\u00e4\"\n",
      "{\"a\":\"1\",\"b\":\"true\",\"c\":\"x: y\",\"d\":\"ä\"}" },
    { "a:\nb: ~\nc: null\nd: ''\ne: 'null'\n",
      "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\",\"e\":\"null\"}" },
    { "docker:\n  host:5000/ns:\n    lookaside: file:///x # why\n  other: {}\n",
      "{\"docker\":{\"host:5000/ns\":{\"lookaside\":\"file:///x\"},\"other\":{}}}" },
    { "{a: {b: {c: d}}}", "{\"a\":{\"b\":{\"c\":\"d\"}}}" },
    { "a: {b: {c: {d: {e: {f: {g: h}}}}}}",
      "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":\"h\"}}}}}}}" },
    { "\"<<\": x\n", "{\"<<\":\"x\"}" },
    { "a: 1\nA: 2\n", "{\"a\":\"1\",\"A\":\"2\"}" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_autoptr (JsonObject) object = NULL;
      g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
      g_autoptr (GError) error = NULL;
      g_autofree char *json = NULL;

      g_assert_true (atm_yaml_parse (bytes, &object, &error));
      g_assert_no_error (error);
      json_node_set_object (node, object);
      json = atm_json_to_text (node, FALSE);
      g_assert_cmpstr (json, ==, cases[i].json);
    }
}

static void
test_refuses (void)
{
  const struct
  {
    const char *text;
    const char *message; /* part of it */
  } cases[] = {
    { "text\n", "line 1: the document is no mapping" },
    { "- a\n", "lists are not supported" },
    { "a: [1]\n", "lists are not supported" },
    { "a:\n  - b\n", "line 2: lists are not supported" },
    { "a: &x b\n", "anchors and tags" },
    { "&x a: b\n", "anchors and tags" },
    { "&x {a: b}\n", "anchors and tags" },
    { "a: &x {b: c}\n", "anchors and tags" },
    { "a: b\nc: *a\n", "aliases" },
    { "a: !!str b\n", "anchors and tags" },
    { "a: !!map {b: c}\n", "anchors and tags" },
    { "!x a: b\n", "anchors and tags" },
    { "%TAG ! tag:x,2000:\n---\na: b\n", "anchors and tags" },
    { "a: b\n---\nc: d\n", "line 2: a second document" },
    { "a: b\nc: d\na: e\n", "line 3: the key is there twice" },
    { "a: b\n'a': c\n", "the key is there twice" },
    { "a: b\n\"\\x61\": c\n", "the key is there twice" },
    { "x:\n  a: b\n  a: b\n", "line 3: the key is there twice" },
    { "? {a: b}\n: c\n", "a key is no scalar" },
    { "{{a: b}: c}\n", "a key is no scalar" },
    { "? [a]\n: c\n", "lists are not supported" },
    { "<<: {a: b}\n", "merge keys" },
    { "~: a\n", "a key is empty" },
    { ": a\n", "Invalid YAML in line 1" },
    { "null: a\n", "a key is empty" },
    { "a: \"x\\0y\"\n", "U+0000" },
    { "\"x\\0y\": a\n", "U+0000" },
    { "a: {b: {c: {d: {e: {f: {g: {h: {i: j}}}}}}}}", "nested too deep" },
    { "a: b: c\n", "Invalid YAML in line 1" },
    { "a: 'b\n", "Invalid YAML in line" },
    { "a: b\n c: d\n", "Invalid YAML in line 2" },
    { "\tx: y\n", "Invalid YAML in line 1" },
    { "{a: b", "Invalid YAML in line" },
    { "a: b}\n}", "Invalid YAML in line" },
    { "a: \xff\n", "Invalid YAML in line" },
    { "%YAML 2.0\n---\na: b\n", "Invalid YAML in line" },
    { "@a: b\n", "Invalid YAML in line 1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_autoptr (GError) error = NULL;
      JsonObject *object = NULL;

      if (atm_yaml_parse (bytes, &object, &error))
        g_error ("accepted: %s", cases[i].text);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      if (strstr (error->message, cases[i].message) == NULL)
        g_error ("%s: %s", cases[i].text, error->message);
      g_assert_null (object);
    }
}

static void
test_size (void)
{
  g_autofree char *text = g_strnfill (ATM_YAML_MAX_BYTES + 1, '\n');
  g_autoptr (GBytes) large = atm_test_bytes (text);
  g_autoptr (GBytes) fits = g_bytes_new_from_bytes (large, 0, ATM_YAML_MAX_BYTES);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (atm_yaml_parse (large, &object, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_true (atm_yaml_parse (fits, &object, NULL));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/yaml/accepts", test_accepts);
  g_test_add_func ("/yaml/refuses", test_refuses);
  g_test_add_func ("/yaml/size", test_size);
  return g_test_run ();
}
