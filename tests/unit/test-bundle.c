/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "container/bundle.h"
#include "container/template.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

static GHashTable *
values (const char *name)
{
  return atm_test_map ("NAME", name, "DESTDIR", "/c/x.0", "STATE_DIRECTORY", "/var/lib", "HOST_UID",
                       "0", "HOST_GID", "0", NULL);
}

static gboolean
render (const char *text, AtmBundle **bundle_out, GError **error)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) table = values ("web");
  atm_autofd int fd = atm_test_scratch_dir ();

  exports->config = atm_test_bytes (text);
  return atm_bundle_render (exports, table, NULL, fd, bundle_out, error);
}

static gboolean
render_default (const char *config_text, const char *name, AtmBundle **bundle_out, GError **error)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) table = values (name);
  g_autoptr (AtmImageConfig) config = atm_test_config (config_text);
  atm_autofd int fd = atm_test_scratch_dir ();

  atm_test_write_at (fd, "etc/passwd",
                     "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34:w:/srv/web:/bin/sh\n"
                     "odd:x:40:34:w:../home:\nnone:x:41:34\n");
  atm_test_write_at (fd, "etc/group", "root:x:0:\nwww:x:34:\nlog:x:50:web,other\naud:x:51:web\n");
  return atm_bundle_render (exports, table, config, fd, bundle_out, error);
}

static char *
query (const AtmBundle *bundle, const char *path)
{
  g_autoptr (JsonNode) root = json_node_init_object (json_node_alloc (), bundle->object);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) found = json_path_query (path, root, &error);

  g_assert_no_error (error);
  return json_to_string (found, FALSE);
}

#define ROOT "\"root\":{\"path\":\"rootfs\",\"readonly\":true}"
#define CGROUP "\"linux\":{\"cgroupsPath\":\"/x\"}"

static void
test_refuses (void)
{
  const struct
  {
    const char *text;
    const char *message;
  } cases[] = {
    { "", "Invalid json in configuration file: /c/x.0/config.json." },
    { "{", "Invalid json in configuration file: /c/x.0/config.json." },
    { "[]", "Invalid json in configuration file: /c/x.0/config.json." },
    { "{} {}", "Invalid json in configuration file: /c/x.0/config.json." },
    { "{\"root\":{},\"root\":{}}", "Invalid json in configuration file: /c/x.0/config.json." },
    { "{\"a\":1}", "Invalid configuration file.  Only readonly images are supported" },
    { "{\"root\":[]}", "Invalid configuration file.  “root” has the wrong type" },
    { "{\"root\":{\"path\":\"rootfs\"}}",
      "Invalid configuration file.  Only readonly images are supported" },
    { "{\"root\":{\"path\":\"rootfs\",\"readonly\":false}}",
      "Invalid configuration file.  Only readonly images are supported" },
    { "{\"root\":{\"path\":\"rootfs\",\"readonly\":\"true\"}}",
      "Invalid configuration file.  Only readonly images are supported" },
    { "{\"root\":{\"readonly\":true}}", "Invalid configuration file.  Path must be 'rootfs'" },
    { "{\"root\":{\"path\":\"/\",\"readonly\":true}}",
      "Invalid configuration file.  Path must be 'rootfs'" },
    { "{\"root\":{\"path\":\"rootfs/\",\"readonly\":true}}",
      "Invalid configuration file.  Path must be 'rootfs'" },
    { "{" ROOT ",\"mounts\":{}}", "Invalid configuration file.  “mounts” has the wrong type" },
    { "{" ROOT ",\"mounts\":[1]}", "Invalid configuration file.  A mount is not an object" },
    { "{" ROOT ",\"mounts\":[{}]}", "Invalid configuration file.  A mount has no “destination”" },
    { "{" ROOT ",\"mounts\":[{\"destination\":1}]}",
      "Invalid configuration file.  A mount has no “destination”" },
    { "{" ROOT ",\"mounts\":[{\"destination\":\"/x\",\"source\":1}]}",
      "Invalid configuration file.  A mount has a “source” or “type” that is not a string" },
    { "{" ROOT ",\"linux\":[]}", "Invalid configuration file.  “linux” has the wrong type" },
    { "{" ROOT ",\"process\":null}", "Invalid configuration file.  “process” has the wrong type" },
    { "{" ROOT ",\"ociVersion\":1}",
      "Invalid configuration file.  “ociVersion” has the wrong type" },
    { "{" ROOT ",\"linux\":{\"cgroupsPath\":7}}",
      "Invalid configuration file.  “linux.cgroupsPath” has the wrong type" },
    { "{" ROOT ",\"process\":{\"capabilities\":[1]}}",
      "Invalid configuration file.  “capabilities” has the wrong type" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      AtmBundle *bundle = NULL;

      g_assert_false (render (cases[i].text, &bundle, &error));
      g_assert_error (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID);
      if (!g_str_has_prefix (error->message, cases[i].message))
        g_error ("case %u: %s", i, error->message);
      g_assert_null (bundle);
    }
}

/* What needs no change stays byte for byte. */
static void
test_keeps (void)
{
  const char *const good[] = {
    "{}",
    " { }\n",
    "{\"ociVersion\":\"1.0.0\",\t" ROOT "," CGROUP "}\n\n",
    "{\"ociVersion\":\"1.1.0\"," ROOT "," CGROUP ",\"process\":{\"capabilities\":{}}}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) wanted = atm_test_bytes (good[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmBundle) bundle = NULL;

      g_assert_true (render (good[i], &bundle, &error));
      g_assert_no_error (error);
      g_assert_true (g_bytes_equal (bundle->text, wanted));
      g_assert_cmpuint (bundle->notices->len, ==, 0);
    }
}

static void
test_fits (void)
{
  const struct
  {
    const char *text;
    const char *path;
    const char *result;
    guint notices;
  } cases[] = {
    { "{\"ociVersion\":\"1.0.0\"," ROOT "}", "$.linux.cgroupsPath",
      "[\"/system.slice/web.service/web\"]", 0 },
    { "{\"ociVersion\":\"1.0.0\"," ROOT ",\"linux\":{\"cgroupsPath\":\"\"}}", "$.linux.cgroupsPath",
      "[\"/system.slice/web.service/web\"]", 0 },
    { "{\"ociVersion\":\"0.3.0\"," ROOT "," CGROUP "}", "$.ociVersion", "[\"1.0.2\"]", 1 },
    { "{\"ociVersion\":\"1.0.0-rc3\"," ROOT "," CGROUP "}", "$.ociVersion", "[\"1.0.2\"]", 1 },
    { "{" ROOT "," CGROUP "}", "$.ociVersion", "[\"1.0.2\"]", 1 },
    { "{\"ociVersion\":\"1.0.0\"," ROOT "," CGROUP
      ",\"process\":{\"capabilities\":[\"CAP_KILL\"]}}",
      "$.process.capabilities.ambient", "[[\"CAP_KILL\"]]", 1 },
    { "{\"ociVersion\":\"1.0.0\"," ROOT ",\"process\":{},"
      "\"linux\":{\"cgroupsPath\":\"/x\",\"capabilities\":[\"CAP_KILL\"]}}",
      "$.process.capabilities.bounding", "[[\"CAP_KILL\"]]", 1 },
    { "{\"ociVersion\":\"1.0.0\"," ROOT ",\"process\":{},"
      "\"linux\":{\"cgroupsPath\":\"/x\",\"capabilities\":[\"CAP_KILL\"]}}",
      "$.linux.capabilities", "[]", 1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmBundle) bundle = NULL;
      g_autofree char *found = NULL;

      g_assert_true (render (cases[i].text, &bundle, &error));
      g_assert_no_error (error);
      found = query (bundle, cases[i].path);
      g_assert_cmpstr (found, ==, cases[i].result);
      g_assert_cmpuint (bundle->notices->len, ==, cases[i].notices);
      g_assert_true (g_str_has_prefix (g_bytes_get_data (bundle->text, NULL), "{\n    \""));
    }
}

/* Names that systemd escapes in its cgroup file system. */
static void
test_cgroup_names (void)
{
  const char *const cases[][2] = {
    { "memory", "[\"/system.slice/_memory.service/memory\"]" },
    { "cpu.x", "[\"/system.slice/_cpu.x.service/cpu.x\"]" },
    { "_a", "[\"/system.slice/__a.service/_a\"]" },
    { "memory2", "[\"/system.slice/memory2.service/memory2\"]" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmBundle) bundle = NULL;
      g_autofree char *found = NULL;

      g_assert_true (render_default (NULL, cases[i][0], &bundle, &error));
      found = query (bundle, "$.linux.cgroupsPath");
      g_assert_cmpstr (found, ==, cases[i][1]);
    }
}

static void
test_default (void)
{
  const struct
  {
    const char *config;
    const char *path;
    const char *result;
  } cases[] = {
    { "{\"Entrypoint\":[\"/a\",\"b\"],\"Cmd\":[\"c\"]}", "$.process.args",
      "[[\"/a\",\"b\",\"c\"]]" },
    { NULL, "$.process.args", "[[\"/bin/serve\"]]" },
    { NULL, "$.process.cwd", "[\"/\"]" },
    { NULL, "$.process.terminal", "[false]" },
    { NULL, "$.process.noNewPrivileges", "[true]" },
    { NULL, "$.process.user", "[{\"uid\":0,\"gid\":0}]" },
    { NULL, "$.root.readonly", "[true]" },
    { NULL, "$.hostname", "[\"web\"]" },
    { NULL, "$.linux.namespaces[*].type", "[\"pid\",\"ipc\",\"uts\",\"mount\"]" },
    { NULL, "$.process.env",
      "[[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
      "\"HOME=/root\"]]" },
    { "{\"Cmd\":[\"x\"],\"Env\":[\"PATH=/x\",\"A=b=c\",\"bad\",\"=y\"]}", "$.process.env",
      "[[\"HOME=/root\",\"PATH=/x\",\"A=b=c\"]]" },
    { "{\"Cmd\":[\"x\"],\"Env\":[\"PATH=/x\",\"HOME=/h\"]}", "$.process.env",
      "[[\"PATH=/x\",\"HOME=/h\"]]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"web\"}", "$.process.env[1]", "[\"HOME=/srv/web\"]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"1000\"}", "$.process.env[1]", "[\"HOME=/\"]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"odd\"}", "$.process.env[1]", "[\"HOME=/\"]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"none\"}", "$.process.env[1]", "[\"HOME=/\"]" },
    { NULL, "$.linux.seccomp.defaultAction", "[\"SCMP_ACT_ERRNO\"]" },
    { NULL, "$.process.capabilities.ambient", "[]" },
    { "{\"Cmd\":[\"x\"],\"WorkingDir\":\"srv/../data/\"}", "$.process.cwd", "[\"/data\"]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"web\"}", "$.process.user",
      "[{\"uid\":33,\"gid\":34,\"additionalGids\":[50,51]}]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"33\"}", "$.process.user",
      "[{\"uid\":33,\"gid\":34,\"additionalGids\":[50,51]}]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"web:log\"}", "$.process.user", "[{\"uid\":33,\"gid\":50}]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"1000:7\"}", "$.process.user", "[{\"uid\":1000,\"gid\":7}]" },
    { "{\"Cmd\":[\"x\"],\"User\":\"1000\"}", "$.process.user", "[{\"uid\":1000,\"gid\":0}]" },
    { "{\"Cmd\":[\"x\"],\"User\":\":www\"}", "$.process.user", "[{\"uid\":0,\"gid\":34}]" },
    { "{\"Cmd\":[\"x\"],\"Volumes\":[\"/data\",\"/var/my_x-y/../.z\"]}", "$.mounts[-2:].source",
      "[\"/var/lib/web/data\",\"/var/lib/web/var-.z\"]" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmBundle) bundle = NULL;
      g_autofree char *found = NULL;

      g_assert_true (render_default (cases[i].config, "web", &bundle, &error));
      g_assert_no_error (error);
      found = query (bundle, cases[i].path);
      g_assert_cmpstr (found, ==, cases[i].result);
    }
}

static void
test_default_refuses (void)
{
  const char *const bad[] = {
    "{}",
    "{\"Entrypoint\":[],\"Cmd\":[]}",
    "{\"Cmd\":[\"x\"],\"User\":\"nobody\"}",
    "{\"Cmd\":[\"x\"],\"User\":\"web:nobody\"}",
    "{\"Cmd\":[\"x\"],\"User\":\"-1\"}",
    "{\"Cmd\":[\"x\"],\"User\":\"4294967296\"}",
    "{\"Cmd\":[\"x\"],\"User\":\"2147483648\"}",
    "{\"Cmd\":[\"x\"],\"User\":\"web \"}",
    "{\"Cmd\":[\"x\"],\"Volumes\":[\"/\"]}",
    "{\"Cmd\":[\"x\"],\"Volumes\":[\"/a/..\"]}",
  };
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) table = values ("web");
  g_autoptr (GError) no_config = NULL;
  AtmBundle *bundle = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (render_default (bad[i], "web", &bundle, &error));
      g_assert_error (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID);
    }
  g_assert_false (atm_bundle_render (exports, table, NULL, -1, &bundle, &no_config));
  g_assert_nonnull (strstr (no_config->message, "does not say what to run"));
  g_assert_null (bundle);
}

static void
test_template (void)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) table = values ("web");
  g_autoptr (GError) error = NULL, unset = NULL;
  g_autoptr (AtmBundle) bundle = NULL, none = NULL;

  exports->config_template = atm_test_bytes ("{\"ociVersion\":\"1.0.0\"," ROOT ","
                                             "\"linux\":{\"cgroupsPath\":\"/$NAME\"}}");
  g_assert_true (atm_bundle_render (exports, table, NULL, -1, &bundle, &error));
  g_assert_nonnull (strstr (g_bytes_get_data (bundle->text, NULL), "\"/web\""));

  g_clear_pointer (&exports->config_template, g_bytes_unref);
  exports->config_template = atm_test_bytes ("$MISSING");
  g_assert_false (atm_bundle_render (exports, table, NULL, -1, &none, &unset));
  g_assert_error (unset, ATM_TEMPLATE_ERROR, ATM_TEMPLATE_ERROR_UNSET);
}

static void
test_mounts (void)
{
  const char *text
      = "{\"ociVersion\":\"1.0.0\"," ROOT "," CGROUP ",\"process\":{\"cwd\":\"/srv\"},\"mounts\":["
        "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/s\"},"
        "{\"destination\":\"/b\",\"type\":\"none\",\"source\":\"/t\",\"options\":[\"rbind\",1]},"
        "{\"destination\":\"/c\",\"type\":\"bind\",\"source\":\"/s\"},"
        "{\"destination\":\"/d\",\"type\":\"bind\",\"source\":\"/missing/x.conf\"}]}";
  g_autoptr (GError) error = NULL;
  g_autoptr (AtmBundle) bundle = NULL;
  g_auto (GStrv) binds = NULL, points = NULL, sources = NULL;
  g_autofree char *joined_binds = NULL, *joined_points = NULL, *joined_sources = NULL;

  g_assert_true (render (text, &bundle, &error));
  binds = atm_bundle_dup_bind_sources (bundle);
  joined_binds = g_strjoinv (" ", binds);
  g_assert_cmpstr (joined_binds, ==, "/s /t /missing/x.conf");
  points = atm_bundle_dup_mount_points (bundle, &sources);
  joined_points = g_strjoinv (" ", points);
  joined_sources = g_strjoinv ("|", sources);
  g_assert_cmpstr (joined_points, ==, "/proc /a /b /c /d /srv");
  g_assert_cmpstr (joined_sources, ==, "|/s|/t|/s|/missing/x.conf|");
  g_assert_cmpuint (bundle->notices->len, ==, 1);

  atm_bundle_set_root_path (bundle, "/elsewhere/rootfs");
  g_assert_nonnull (strstr (g_bytes_get_data (bundle->text, NULL), "\"/elsewhere/rootfs\""));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/bundle/refuses", test_refuses);
  g_test_add_func ("/bundle/keeps", test_keeps);
  g_test_add_func ("/bundle/fits", test_fits);
  g_test_add_func ("/bundle/cgroup-names", test_cgroup_names);
  g_test_add_func ("/bundle/default", test_default);
  g_test_add_func ("/bundle/default-refuses", test_default_refuses);
  g_test_add_func ("/bundle/template", test_template);
  g_test_add_func ("/bundle/mounts", test_mounts);
  return g_test_run ();
}
