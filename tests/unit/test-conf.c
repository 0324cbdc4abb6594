/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/scratch.h"
#include "registry/conf.h"

#define H "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static AtmRegistriesConf *
parse (const char *text)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (GError) error = NULL;
  AtmRegistriesConf *conf = NULL;

  g_assert_true (atm_registries_conf_parse (bytes, "test.conf", &conf, &error));
  g_assert_no_error (error);
  return conf;
}

/* “PHYSICAL”, with “ insecure” behind it, for each endpoint, the primary last; the message if it
   fails. */
static char *
look_up (const AtmRegistriesConf *conf, const char *text)
{
  g_autoptr (AtmImageName) name = NULL;
  g_autoptr (GPtrArray) endpoints = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) result = g_string_new (NULL);

  g_assert_true (atm_name_parse (text, TRUE, &name, &error));
  if (!atm_registries_conf_look_up (conf, name, &endpoints, &error))
    {
      g_assert_null (endpoints);
      return g_strdup (error->message);
    }
  for (guint i = 0; i < endpoints->len; i++)
    {
      const AtmRegistryEndpoint *endpoint = g_ptr_array_index (endpoints, i);
      g_autofree char *physical = atm_name_to_string (endpoint->physical);

      g_assert_true (endpoint->is_mirror == (i + 1 < endpoints->len));
      g_string_append_printf (result, "%s%s%s", i > 0 ? ", " : "", physical,
                              endpoint->insecure ? " insecure" : "");
    }
  return g_string_free (g_steal_pointer (&result), FALSE);
}

#define REGISTRY(prefix, rest) "[[registry]]\nprefix = \"" prefix "\"\n" rest "\n"

static void
test_look_up (void)
{
  const struct
  {
    const char *text, *name, *result;
  } cases[] = {
    { "", "q.io/x", "q.io/x:latest" },
    { "[[registry]]\nlocation = \"q.io\"\ninsecure = true", "q.io/x:1", "q.io/x:1 insecure" },
    { "[[registry]]\nlocation = \"q.io\"\nblocked = true", "q.io/x:1",
      "q.io/x:1 is blocked: test.conf says “blocked = true” for the prefix “q.io”" },
    { "[[registry]]\nlocation = \"Q.io/\"\nblocked = true", "Q.IO/x:1",
      "q.io/x:1 is blocked: test.conf says “blocked = true” for the prefix “q.io”" },
    { "[[registry]]\nlocation = \"q.io\"\ninsecure = true", "q.io:5000/x", "q.io:5000/x:latest" },
    { "[[registry]]\nlocation = \"q.io:5000\"\ninsecure = true", "q.io/x", "q.io/x:latest" },
    { "[[registry]]\nlocation = \"q.io:5000\"\ninsecure = true", "q.io:50001/x",
      "q.io:50001/x:latest" },
    { "[[registry]]\nlocation = \"q.io\"\ninsecure = true", "q.iox/x", "q.iox/x:latest" },
    { REGISTRY ("q.io/a", "location = \"m.io/b\""), "q.io/a/x:1", "m.io/b/x:1" },
    { REGISTRY ("q.io/a", "location = \"m.io/b\""), "q.io/ab:1", "q.io/ab:1" },
    { REGISTRY ("q.io/a", "location = \"m.io/b\""), "q.io/a:1", "m.io/b:1" },
    { REGISTRY ("q.io/a", "location = \"m.io/b\""), "q.io/a@sha256:" H, "m.io/b@sha256:" H },
    { REGISTRY ("q.io/a:1", "location = \"m.io/b:2\""), "q.io/a:1", "m.io/b:2" },
    { REGISTRY ("q.io/a:1", "location = \"m.io/b:2\""), "q.io/a:1.1", "q.io/a:1.1" },
    { REGISTRY ("docker.io", "location = \"m.io/hub\""), "etcd", "m.io/hub/library/etcd:latest" },
    { REGISTRY ("docker.io/library", "location = \"m.io\""), "etcd", "m.io/etcd:latest" },
    { REGISTRY ("docker.io/etcd", "blocked = true\nlocation = \"docker.io/etcd\""), "etcd",
      "docker.io/library/etcd:latest" },
    { REGISTRY ("*.example.com", "insecure = true"), "a.example.com/x",
      "a.example.com/x:latest insecure" },
    { REGISTRY ("*.Example.com", "insecure = true"), "b.a.example.com:5000/x",
      "b.a.example.com:5000/x:latest insecure" },
    { REGISTRY ("*.example.com", "insecure = true"), "example.com/x", "example.com/x:latest" },
    { REGISTRY ("*.example.com", "insecure = true"), "xexample.com/x", "xexample.com/x:latest" },
    { REGISTRY ("*.example.com", "insecure = true"), "q.io/a.example.com/x",
      "q.io/a.example.com/x:latest" },
    { REGISTRY ("*.example.com", "location = \"m.io/y\""), "a.example.com/x", "m.io/y/x:latest" },
    { REGISTRY ("*.example.com", "insecure = true")
          REGISTRY ("a.example.com", "location = \"a.example.com\""),
      "a.example.com/x", "a.example.com/x:latest insecure" },
    { REGISTRY ("*.example.com", "insecure = true")
          REGISTRY ("a.example.com/x", "location = \"a.example.com/x\""),
      "a.example.com/x", "a.example.com/x:latest" },
    { REGISTRY ("q.io", "location = \"q.io\"\nblocked = true")
          REGISTRY ("q.io/ok", "location = \"q.io/ok\""),
      "q.io/ok/x", "q.io/ok/x:latest" },
    { REGISTRY ("q.io", "location = \"q.io\"\ninsecure = true")
          REGISTRY ("q.io", "location = \"m.io\""),
      "q.io/x", "q.io/x:latest insecure" },
    { REGISTRY ("q.io", "location = \"m.io\"\n[[registry.mirror]]\nlocation = \"n.io\"\n"
                        "pull-from-mirror = \"tag-only\"\ninsecure = true"),
      "q.io/x", "n.io/x:latest insecure, m.io/x:latest" },
    { REGISTRY ("q.io", "location = \"m.io/x:1\""), "q.io/y",
      "test.conf: the location “m.io/x:1” turns q.io/y:latest into “m.io/x:1/y:latest”, which is "
      "no name of an image" },
    { REGISTRY ("q.io/y:1", "location = \"m.io/y\""), "q.io/y:1",
      "test.conf: the location “m.io/y” turns q.io/y:1 into “m.io/y”, which is no name of an "
      "image" },
    { REGISTRY ("q.io", "location = \"mirror\""), "q.io/y",
      "test.conf: the location “mirror” begins with no host name; write HOST:PORT, or a host with "
      "a “.”" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmRegistriesConf) conf = parse (cases[i].text);
      g_autofree char *result = look_up (conf, cases[i].name);

      g_assert_cmpstr (result, ==, cases[i].result);
    }
}

static void
test_accepts (void)
{
  g_autoptr (AtmRegistriesConf) conf
      = parse ("unqualified-search-registries = [\"docker.io\", \"q.io:5000\"]\n"
               "short-name-mode = \"permissive\"\ncredential-helpers = [\"secretservice\"]\n"
               "additional-layer-store-auth-helper = \"x\"\nunknown = 1\n"
               "[aliases]\n\"etcd\" = \"q.io/coreos/etcd\"\n\"no\" = \"\"\n"
               "[[registry]]\nlocation = \"q.io\"\nmirror-by-digest-only = true\n"
               "mirror = [{location = \"m.io\"}, {location = \"n.io/x\", insecure = true}]\n");
  g_autofree char *result = look_up (conf, "q.io/x");

  g_assert_cmpstr (result, ==, "q.io/x:latest");
}

static void
test_refuses (void)
{
  const struct
  {
    const char *text, *message;
  } bad[] = {
    { "a", "test.conf: line 1" },
    { "registry = 1", "“registry” has the wrong type" },
    { "registry = [1]", "[[registry]]" },
    { "[registry]\nlocation = \"q.io\"", "“registry” has the wrong type" },
    { "[[registry]]", "“registry[0].location”" },
    { "[[registry]]\nprefix = \"q.io\"", "“registry[0].location”" },
    { "[[registry]]\nlocation = 1", "“registry[0].location” has the wrong type" },
    { "[[registry]]\nlocation = \"http://q.io\"", "without “http://”" },
    { "[[registry]]\nlocation = \"*.q.io\"", "HOST[:PORT][/PATH]" },
    { "[[registry]]\nlocation = \"q.io/X\"", "HOST[:PORT][/PATH]" },
    { "[[registry]]\nlocation = \"q.io\"\ninsecure = \"true\"",
      "“registry[0].insecure” has the wrong type" },
    { "[[registry]]\nlocation = \"q.io\"\ninsecure = 1", "wrong type" },
    { "[[registry]]\nlocation = \"q.io\"\nblocked = \"yes\"", "wrong type" },
    { "[[registry]]\nlocation = \"q.io\"\nmirror = {}", "wrong type" },
    { "[[registry]]\nlocation = \"q.io\"\nmirror = [1]", "mirror" },
    { "[[registry]]\nlocation = \"q.io\"\nmirror = [{}]", "mirror[0].location” is missing" },
    { "[[registry]]\nlocation = \"q.io\"\nmirror = [{location = \"m.io\", insecure = 1}]",
      "mirror[0].insecure” has the wrong type" },
    { "[[registry]]\nlocation = \"q.io\"\nmirror = [{location = \"m.io\", pull-from-mirror = "
      "\"x\"}]",
      "pull-from-mirror" },
    { REGISTRY ("*.q.io/x", "insecure = true"), "prefix" },
    { REGISTRY ("*", "location = \"q.io\""), "prefix" },
    { REGISTRY ("Q.io/X", "location = \"q.io\""), "prefix" },
    { "short-name-mode = \"x\"", "short-name-mode" },
    { "short-name-mode = true", "wrong type" },
    { "unqualified-search-registries = \"docker.io\"", "wrong type" },
    { "unqualified-search-registries = [\"docker.io/x\"]", "HOST[:PORT]" },
    { "aliases = 1", "wrong type" },
    { "[aliases]\nx = 1", "wrong type" },
    { REGISTRY ("a.io", "location = \"q.io\"")
          REGISTRY ("b.io", "location = \"q.io\"\ninsecure = true"),
      "the location “q.io”" },
  };
  AtmRegistriesConf *conf = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i].text);
      g_autoptr (GError) error = NULL;

      if (atm_registries_conf_parse (bytes, "test.conf", &conf, &error))
        g_error ("accepted: %s", bad[i].text);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      if (strstr (error->message, bad[i].message) == NULL
          || !g_str_has_prefix (error->message, "test.conf: "))
        g_error ("%s: %s", bad[i].text, error->message);
    }
  g_assert_null (conf);
}

static void
put (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

static void
test_places (void)
{
  const char *home = g_get_home_dir ();
  g_autofree char *folder = g_build_filename (home, ".config/containers", NULL);
  g_autofree char *explicit_path = g_build_filename (folder, "explicit.conf", NULL);
  g_autofree char *none = g_build_filename (folder, "none.conf", NULL);
  g_autofree char *a = NULL, *b = NULL, *c = NULL, *only = NULL;
  g_autoptr (AtmRegistriesConf) conf = NULL, named = NULL;
  g_autoptr (GError) error = NULL;
  AtmRegistriesConf *missing = NULL;

  put (folder, "registries.conf",
       REGISTRY ("a.io", "location = \"1.io\"") REGISTRY ("b.io", "location = \"1.io\""));
  put (folder, "registries.conf.d/20.conf", REGISTRY ("a.io", "location = \"3.io\""));
  put (folder, "registries.conf.d/10.conf",
       REGISTRY ("a.io", "location = \"2.io\"") REGISTRY ("c.io", "location = \"2.io\""));
  put (folder, "registries.conf.d/30.txt", "no TOML");
  put (folder, "registries.conf.d/40.conf/x.conf", "no TOML");
  put (folder, "explicit.conf", REGISTRY ("a.io", "location = \"4.io\""));

  g_assert_true (atm_registries_conf_load (NULL, &conf, &error));
  g_assert_no_error (error);
  a = look_up (conf, "a.io/x:1");
  b = look_up (conf, "b.io/x:1");
  c = look_up (conf, "c.io/x:1");
  g_assert_cmpstr (a, ==, "3.io/x:1");
  g_assert_cmpstr (b, ==, "1.io/x:1");
  g_assert_cmpstr (c, ==, "2.io/x:1");

  g_setenv ("CONTAINERS_REGISTRIES_CONF", explicit_path, TRUE);
  g_assert_true (atm_registries_conf_load (NULL, &named, &error));
  only = look_up (named, "a.io/x:1");
  g_assert_cmpstr (only, ==, "4.io/x:1");
  g_unsetenv ("CONTAINERS_REGISTRIES_CONF");

  g_assert_false (atm_registries_conf_load (none, &missing, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  put (folder, "registries.conf.d/50.conf", "a =");
  g_assert_false (atm_registries_conf_load (NULL, &missing, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_nonnull (strstr (error->message, "registries.conf.d/50.conf: line 1"));
}

int
main (int argc, char *argv[])
{
  g_unsetenv ("CONTAINERS_REGISTRIES_CONF");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/conf/look-up", test_look_up);
  g_test_add_func ("/conf/accepts", test_accepts);
  g_test_add_func ("/conf/refuses", test_refuses);
  g_test_add_func ("/conf/places", test_places);
  return g_test_run ();
}
