/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

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
#define MIRROR(location, rest) "[[registry.mirror]]\nlocation = \"" location "\"\n" rest "\n"
#define V1                                                                                         \
  "[registries.search]\nregistries = ['s.io']\n[registries.insecure]\n"                            \
  "registries = ['i.io', 'both.io/']\n[registries.block]\nregistries = [\"B.io:5000\", "           \
  "\"both.io\"]\n"

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
    /* mirrors: in order, those that fit, with their own “insecure” */
    { REGISTRY ("q.io", "location = \"q.io\"\ninsecure = true\n" MIRROR ("m.io", "")
                            MIRROR ("n.io:5000/x", "pull-from-mirror = \"all\"")),
      "q.io/y", "m.io/y:latest, n.io:5000/x/y:latest, q.io/y:latest insecure" },
    { REGISTRY ("q.io", "location = \"q.io\"\n" MIRROR ("m.io", "pull-from-mirror = \"tag-only\"")
                            MIRROR ("n.io", "pull-from-mirror = \"digest-only\"")),
      "q.io/y:1", "m.io/y:1, q.io/y:1" },
    { REGISTRY ("q.io", "location = \"q.io\"\n" MIRROR ("m.io", "pull-from-mirror = \"tag-only\"")
                            MIRROR ("n.io", "pull-from-mirror = \"digest-only\"")),
      "q.io/y:1@sha256:" H, "n.io/y:1@sha256:" H ", q.io/y:1@sha256:" H },
    { REGISTRY ("q.io", "location = \"q.io\"\nmirror-by-digest-only = true\n" MIRROR ("m.io", "")),
      "q.io/y:1", "q.io/y:1" },
    { REGISTRY ("q.io", "location = \"q.io\"\nmirror-by-digest-only = true\n" MIRROR ("m.io", "")),
      "q.io/y@sha256:" H, "m.io/y@sha256:" H ", q.io/y@sha256:" H },
    { REGISTRY ("docker.io", "location = \"docker.io\"\n" MIRROR ("m.io/hub", "")), "etcd",
      "m.io/hub/library/etcd:latest, docker.io/library/etcd:latest" },
    { REGISTRY ("*.q.io", MIRROR ("m.io/x", "")), "a.q.io/y", "m.io/x/y:latest, a.q.io/y:latest" },
    { REGISTRY ("q.io/a", "location = \"q.io/a\"\n" MIRROR ("m.io", ""))
          REGISTRY ("q.io/a/b", "location = \"q.io/a/b\""),
      "q.io/a/b/c", "q.io/a/b/c:latest" },
    { REGISTRY ("q.io", "location = \"q.io\"\n" MIRROR ("m.io/x:1", "")), "q.io/y",
      "test.conf: the location “m.io/x:1” turns q.io/y:latest into “m.io/x:1/y:latest”, which is "
      "no name of an image" },
    { REGISTRY ("q.io", "location = \"q.io\"\n" MIRROR ("mirror", "")), "q.io/y",
      "test.conf: the location “mirror” begins with no host name; write HOST:PORT, or a host with "
      "a “.”" },
    /* blocked under another name */
    { REGISTRY ("q.io", "location = \"m.io/x\"")
          REGISTRY ("m.io", "location = \"m.io\"\nblocked = true"),
      "q.io/y",
      "m.io/x/y:latest is blocked: test.conf says “blocked = true” for the prefix “m.io”" },
    { REGISTRY ("q.io", "location = \"q.io\"\n" MIRROR ("m.io", "") MIRROR ("n.io", ""))
          REGISTRY ("m.io", "location = \"m.io\"\nblocked = true"),
      "q.io/y", "n.io/y:latest, q.io/y:latest" },
    { REGISTRY ("*.q.io", "blocked = true"), "a.q.io:5000/y",
      "a.q.io:5000/y:latest is blocked: test.conf says “blocked = true” for the prefix “*.q.io”" },
    /* version 1 */
    { V1, "i.io/x", "i.io/x:latest insecure" },
    { V1, "b.io:5000/x",
      "b.io:5000/x:latest is blocked: test.conf says “blocked = true” for the prefix “b.io:5000”" },
    { V1, "s.io/x", "s.io/x:latest" },
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
    { "unqualified-search-registries = [\"myhost\"]", "a host has a “.”" },
    { "unqualified-search-registries = [\"\"]", "HOST[:PORT]" },
    { "[aliases]\n\"q.io/x\" = \"q.io/y\"", "“aliases.q.io/x”" },
    { "[aliases]\n\"x:1\" = \"q.io/y\"", "“aliases.x:1”" },
    { "[aliases]\n\"X\" = \"q.io/y\"", "“aliases.X”" },
    { "[aliases]\nx = \"y\"", "HOST[:PORT]/PATH" },
    { "[aliases]\nx = \"q.io/y:1\"", "HOST[:PORT]/PATH" },
    { "[aliases]\nx = \"q.io/y@sha256:" H "\"", "HOST[:PORT]/PATH" },
    { "[aliases]\nx = \"https://q.io/y\"", "HOST[:PORT]/PATH" },
    { "credential-helpers = \"x\"", "wrong type" },
    { "[[registry]]\nlocation = \"q.io\"\nmirror-by-digest-only = true\n" MIRROR (
          "m.io", "pull-from-mirror = \"all\""),
      "mirror[0].pull-from-mirror” is “all”: “mirror-by-digest-only” is set too" },
    { "[[registry]]\nlocation = \"q.io\"\n" MIRROR ("http://m.io", ""), "without “http://”" },
    { V1 "[[registry]]\nlocation = \"q.io\"", "mixes the old format" },
    { "unqualified-search-registries = []\n" V1, "mixes the old format" },
    { "short-name-mode = \"disabled\"\n" V1, "mixes the old format" },
    { "credential-helpers = []\n" V1, "mixes the old format" },
    { V1 "[aliases]\n", "mixes the old format" },
    { "[registries]\nsearch = 1", "“registries.search” has the wrong type" },
    { "[registries.block]\nregistries = \"q.io\"", "“registries.block.registries” has the wrong" },
    { "[registries.block]\nregistries = [\"https://q.io\"]", "without “http://”" },
    { "[registries.search]\nregistries = [\"q.io/x\"]", "HOST[:PORT]" },
    { REGISTRY ("a.io", "location = \"q.io\"")
          REGISTRY ("b.io", "location = \"q.io\"\nblocked = true"),
      "the location “q.io”" },
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

/* What was written and does not count is told of, once for each file. */
static void
test_warnings (void)
{
  const struct
  {
    const char *text;
    guint n;
    const char *part;
  } cases[] = {
    { "unqualified-search-registries = []\ncredential-helpers = []\n", 0, NULL },
    { V1, 0, NULL },
    { "unknown = 1\n[other]\nx = 1\n", 1,
      "test.conf: not known here, and left out: “other”, “unknown”" },
    { "[[registry]]\nlocation = \"q.io\"\nblock = true\n" MIRROR ("m.io",
                                                                  "short-name-mode = \"x\""),
      1, "“registry[0].block”, “registry[0].mirror[0].short-name-mode”" },
    { "\"a\\u001bb\" = 1\n", 1, "“a\\x1bb”" },
    { "a=1\nb=1\nc=1\nd=1\ne=1\nf=1\ng=1\nh=1\ni=1\nj=1\nk=1\n", 1, "“j” and more" },
    { "[registries.other]\nregistries = []\n", 1, "“registries.other”" },
    { REGISTRY ("q.io", "location = \"a.io\"") REGISTRY ("Q.io", "location = \"b.io\""), 1,
      "test.conf: there is more than one [[registry]] for “q.io”; the first one holds" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmRegistriesConf) conf = parse (cases[i].text);
      const GPtrArray *warnings = atm_registries_conf_get_warnings (conf);

      g_assert_cmpuint (warnings->len, ==, cases[i].n);
      if (cases[i].n > 0 && strstr (g_ptr_array_index (warnings, 0), cases[i].part) == NULL)
        g_error ("%s", (const char *) g_ptr_array_index (warnings, 0));
    }
}

static void
test_helpers (void)
{
  g_autoptr (AtmRegistriesConf) none = parse ("");
  g_autoptr (AtmRegistriesConf) some = parse ("credential-helpers = [\"a\", \"b\"]\n");
  g_autoptr (AtmRegistriesConf) empty = parse ("credential-helpers = []\n");

  g_assert_true (g_strv_equal (atm_registries_conf_get_helpers (none),
                               (const char *const[]){ "containers-auth.json", NULL }));
  g_assert_true (g_strv_equal (atm_registries_conf_get_helpers (some),
                               (const char *const[]){ "a", "b", NULL }));
  g_assert_null (atm_registries_conf_get_helpers (empty)[0]);
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

/* Tables are replaced whole, lists as a whole even if they are empty; a user's file puts those of
   the system aside. */
static void
test_merge (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *system_file = g_build_filename (folder, "etc/registries.conf", NULL);
  g_autofree char *system_folder = g_build_filename (folder, "etc/registries.conf.d", NULL);
  g_autofree char *user_file = g_build_filename (folder, "home/registries.conf", NULL);
  g_autofree char *user_folder = g_build_filename (folder, "home/registries.conf.d", NULL);
  const AtmRegistriesPlaces places = { .user_file = user_file,
                                       .system_file = system_file,
                                       .system_folder = system_folder,
                                       .user_folder = user_folder };
  g_autoptr (AtmRegistriesConf) nothing = NULL, both = NULL, user = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *none = NULL, *whole = NULL, *kept = NULL, *old = NULL, *added = NULL;
  AtmRegistriesConf *broken = NULL;

  g_assert_true (atm_registries_conf_load_places (&places, &nothing, &error));
  none = look_up (nothing, "a.io/x");
  g_assert_cmpstr (none, ==, "a.io/x:latest");

  put (folder, "etc/registries.conf",
       "unknown = 1\ncredential-helpers = [\"x\"]\n" REGISTRY (
           "a.io", "location = \"a.io\"\ninsecure = true\n" MIRROR ("m.io", ""))
           REGISTRY ("b.io", "location = \"1.io\""));
  put (folder, "etc/registries.conf.d/10.conf",
       "unknown = 1\ncredential-helpers = []\n" REGISTRY ("a.io", "location = \"2.io\""));
  put (folder, "home/registries.conf.d/05.conf", REGISTRY ("c.io", "location = \"3.io\""));
  g_assert_true (atm_registries_conf_load_places (&places, &both, &error));
  whole = look_up (both, "a.io/x");
  kept = look_up (both, "b.io/x");
  added = look_up (both, "c.io/x");
  g_assert_cmpstr (whole, ==, "2.io/x:latest");
  g_assert_cmpstr (kept, ==, "1.io/x:latest");
  g_assert_cmpstr (added, ==, "3.io/x:latest");
  g_assert_null (atm_registries_conf_get_helpers (both)[0]);
  g_assert_cmpuint (atm_registries_conf_get_warnings (both)->len, ==, 2);

  put (folder, "home/registries.conf", "");
  g_assert_true (atm_registries_conf_load_places (&places, &user, &error));
  old = look_up (user, "a.io/x");
  g_assert_cmpstr (old, ==, "a.io/x:latest");

  /* The old format stands in a main file only; a conflict between two files is one, too. */
  put (folder, "home/registries.conf", V1);
  g_assert_true (atm_registries_conf_load_places (&places, &broken, &error));
  g_clear_pointer (&broken, atm_registries_conf_free);
  put (folder, "home/registries.conf.d/20.conf", V1);
  g_assert_false (atm_registries_conf_load_places (&places, &broken, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_nonnull (strstr (error->message, "home/registries.conf.d/20.conf: it is written in the "
                                            "old format"));
  g_clear_error (&error);
  put (folder, "home/registries.conf.d/20.conf", REGISTRY ("d.io", "location = \"i.io\""));
  g_assert_false (atm_registries_conf_load_places (&places, &broken, &error));
  g_assert_nonnull (strstr (error->message, "home/registries.conf.d/20.conf: the location “i.io”"));
}

/* A home that sudo has kept is not asked. */
static void
test_foreign_home (void)
{
  const char *home = g_get_home_dir ();
  g_autofree char *folder = g_build_filename (home, ".config/containers", NULL);
  g_autoptr (AtmRegistriesConf) ours = NULL, theirs = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *own = NULL, *foreign = NULL;

  if (geteuid () != 0)
    {
      g_test_skip ("only root can give a home away");
      return;
    }
  put (folder, "registries.conf", REGISTRY ("a-home.io", "location = \"1.io\""));
  g_assert_true (atm_registries_conf_load (NULL, &ours, &error));
  own = look_up (ours, "a-home.io/x");
  g_assert_cmpstr (own, ==, "1.io/x:latest");
  g_assert_cmpint (chown (home, 65534, (gid_t) -1), ==, 0);
  g_assert_true (atm_registries_conf_load (NULL, &theirs, &error));
  g_assert_cmpint (chown (home, 0, (gid_t) -1), ==, 0);
  foreign = look_up (theirs, "a-home.io/x");
  g_assert_cmpstr (foreign, ==, "a-home.io/x:latest");
}

/* registries.conf as podman's packages have it: all comments but for a line or two. */
static void
test_field_sample (void)
{
  g_autoptr (AtmRegistriesConf) conf
      = parse ("# For more information on this configuration file, see the manual page.\n"
               "#\n"
               "# unqualified-search-registries = [\"example.com\"]\n"
               "unqualified-search-registries = [\n  \"registry.example.org\", # ours\n"
               "  'docker.io',\n]\n\n"
               "# [[registry]]\n# prefix = \"example.com/foo\"\n# insecure = false\n"
               "[[registry]]\r\nprefix = \"example.com/foo\"\r\nlocation = "
               "\"internal.example.org/bar\"\r\n"
               "[[registry.mirror]]\nlocation = \"mirror-0.example.org/bar\"\n"
               "[[registry.mirror]]\nlocation = \"mirror-1.example.org:8080\"\ninsecure = true\n"
               "[[registry]]\nlocation = \"registry.example.org\"\n"
               "mirror = [ {location = \"m.example.org\"}, ]\n");
  g_autofree char *foo = look_up (conf, "example.com/foo/image:1");
  g_autofree char *ours = look_up (conf, "registry.example.org/x:1");

  g_assert_cmpstr (foo, ==,
                   "mirror-0.example.org/bar/image:1, mirror-1.example.org:8080/image:1 insecure, "
                   "internal.example.org/bar/image:1");
  g_assert_cmpstr (ours, ==, "m.example.org/x:1, registry.example.org/x:1");
  g_assert_cmpuint (atm_registries_conf_get_warnings (conf)->len, ==, 0);
}

int
main (int argc, char *argv[])
{
  g_unsetenv ("CONTAINERS_REGISTRIES_CONF");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/conf/look-up", test_look_up);
  g_test_add_func ("/conf/accepts", test_accepts);
  g_test_add_func ("/conf/refuses", test_refuses);
  g_test_add_func ("/conf/warnings", test_warnings);
  g_test_add_func ("/conf/helpers", test_helpers);
  g_test_add_func ("/conf/places", test_places);
  g_test_add_func ("/conf/merge", test_merge);
  g_test_add_func ("/conf/foreign-home", test_foreign_home);
  g_test_add_func ("/conf/field-sample", test_field_sample);
  return g_test_run ();
}
