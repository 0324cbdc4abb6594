/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we say of a config.json, beside what the real runc says. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/bundle-check.h"
#include "container/bundle.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/json.h"

/* A static program that every Debian has; it needs nothing of a rootfs and says who it is. */
#define PROGRAM "/sbin/ldconfig"
#define SAYS "ldconfig ("

static const char good[]
    = "{\"ociVersion\":\"1.0.2\","
      "\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"args\":[\"/program\","
      "\"--version\"],\"env\":[\"PATH=/\"],\"noNewPrivileges\":true,"
      "\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],\"permitted\":["
      "\"CAP_KILL\"]},"
      "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}]},"
      "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"x\","
      "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
      "{\"destination\":\"/"
      "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\"]}],"
      "\"hooks\":{},\"annotations\":{\"a\":\"b\"},"
      "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"uts\"},"
      "{\"type\":\"ipc\"}],\"resources\":{},\"devices\":[],\"sysctl\":{},\"maskedPaths\":[],"
      "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
      "\"syscalls\":[{\"names\":[\"reboot\"],\"action\":\"SCMP_ACT_ERRNO\"}]}}}";

/* What is put where in the good one; the last part of a place may be a new member. */
typedef struct
{
  const char *place; /* members and indices, separated by “/” */
  const char *value; /* NULL: taken away */
  const char *path;  /* what our message must say of where it is; NULL: accepted */
  gboolean lenient;  /* runc takes it, or fails only later, and we do not */
} Case;

static const Case cases[] = {
  /* accepted, by both */
  { "annotations", "{}", NULL, FALSE },
  { "annotations", "null", NULL, FALSE },
  { "hostname", NULL, NULL, FALSE },
  { "unknown", "{\"a\":[1]}", NULL, FALSE },
  { "process/terminal", "false", NULL, FALSE },
  { "process/capabilities", NULL, NULL, FALSE },
  { "process/capabilities/ambient", "[]", NULL, FALSE },
  { "process/oomScoreAdj", "100", NULL, FALSE },
  { "process/user/additionalGids", "[5,6]", NULL, FALSE },
  { "process/env/0", "\"A=\"", NULL, FALSE },
  { "linux/devices", "null", NULL, FALSE },
  { "linux/seccomp", "null", NULL, FALSE },
  { "linux/seccomp/architectures", "null", NULL, FALSE },
  { "linux/namespaces/0/path", "\"\"", NULL, FALSE },
  { "linux/rootfsPropagation", "\"slave\"", NULL, FALSE },
  { "linux/sysctl/kernel.shmmax", "\"1\"", NULL, FALSE },
  { "linux/personality", "{\"domain\":\"LINUX\"}", NULL, FALSE },
  { "hooks/poststop", "[]", NULL, FALSE },
  { "mounts/1/uidMappings", "[]", NULL, FALSE },

  /* mandatory members */
  { "ociVersion", NULL, "ociVersion", TRUE },
  { "process", NULL, "process", FALSE },
  { "process", "null", "process", FALSE },
  { "process/args", NULL, "process.args", FALSE },
  { "process/args", "[]", "process.args", FALSE },
  { "process/cwd", NULL, "process.cwd", FALSE },
  { "process/cwd", "\"tmp\"", "process.cwd", FALSE },
  { "root", NULL, "root", FALSE },
  { "root/path", "\"\"", "root.path", TRUE },
  { "mounts/0/destination", NULL, "mounts[0].destination", TRUE },
  { "mounts/0/destination", "\"proc\"", "mounts[0].destination", TRUE },
  { "process/rlimits/0/type", NULL, "process.rlimits[0].type", FALSE },
  { "linux/namespaces/1/type", NULL, "linux.namespaces[1].type", FALSE },
  { "linux/seccomp/defaultAction", NULL, "linux.seccomp.defaultAction", FALSE },

  /* types */
  { "ociVersion", "1", "ociVersion", FALSE },
  { "process", "[]", "process", FALSE },
  { "process/args", "\"/program\"", "process.args", FALSE },
  { "process/args/1", "1", "process.args[1]", FALSE },
  { "process/env", "{\"A\":\"b\"}", "process.env", FALSE },
  { "process/env/0", "true", "process.env[0]", FALSE },
  { "process/terminal", "\"false\"", "process.terminal", FALSE },
  { "process/noNewPrivileges", "1", "process.noNewPrivileges", FALSE },
  { "process/capabilities", "[\"CAP_KILL\"]", "process.capabilities", FALSE },
  { "process/capabilities/bounding", "\"CAP_KILL\"", "process.capabilities.bounding", FALSE },
  { "process/capabilities/effective/0", "5", "process.capabilities.effective[0]", FALSE },
  { "process/user", "\"root\"", "process.user", FALSE },
  { "process/user/uid", "\"0\"", "process.user.uid", FALSE },
  { "process/user/uid", "-1", "process.user.uid", FALSE },
  { "process/user/uid", "4294967296", "process.user.uid", FALSE },
  { "process/user/uid", "0.0", "process.user.uid", FALSE },
  { "process/user/additionalGids", "5", "process.user.additionalGids", FALSE },
  { "process/rlimits/0/hard", "-1", "process.rlimits[0].hard", FALSE },
  { "process/oomScoreAdj", "\"100\"", "process.oomScoreAdj", FALSE },
  { "process/consoleSize", "[80,25]", "process.consoleSize", FALSE },
  { "Process", "5", "Process", FALSE },
  { "root", "\"rootfs\"", "root", FALSE },
  { "root/readonly", "\"true\"", "root.readonly", FALSE },
  { "hostname", "5", "hostname", FALSE },
  { "mounts", "{}", "mounts", FALSE },
  { "mounts/0", "\"/proc\"", "mounts[0]", FALSE },
  { "mounts/0/destination", "5", "mounts[0].destination", FALSE },
  { "mounts/1/options", "\"nosuid\"", "mounts[1].options", FALSE },
  { "mounts/1/options/0", "{}", "mounts[1].options[0]", FALSE },
  { "hooks", "[]", "hooks", FALSE },
  { "hooks/prestart", "{}", "hooks.prestart", FALSE },
  { "hooks/prestart", "[{\"path\":5}]", "hooks.prestart[0].path", FALSE },
  { "hooks/poststart", "[{\"path\":\"/x\",\"timeout\":\"5\"}]", "hooks.poststart[0].timeout",
    FALSE },
  { "annotations", "[]", "annotations", FALSE },
  { "annotations/a", "1", "annotations[\"a\"]", FALSE },
  { "linux", "[]", "linux", FALSE },
  { "linux/namespaces", "[\"pid\"]", "linux.namespaces[0]", FALSE },
  { "linux/namespaces", "{}", "linux.namespaces", FALSE },
  { "linux/resources", "[]", "linux.resources", FALSE },
  { "linux/resources/memory", "5", "linux.resources.memory", FALSE },
  { "linux/resources/memory", "{\"limit\":\"1G\"}", "linux.resources.memory.limit", FALSE },
  { "linux/resources/cpu", "{\"shares\":1.5}", "linux.resources.cpu.shares", FALSE },
  { "linux/resources/devices", "[{\"allow\":\"no\",\"access\":\"rwm\"}]",
    "linux.resources.devices[0].allow", FALSE },
  { "linux/resources/devices", "[{\"allow\":false,\"type\":\"x\",\"access\":\"rwm\"}]",
    "linux.resources.devices[0].type", FALSE },
  { "linux/resources/devices", "[{\"allow\":false}]", "linux.resources.devices[0].access", FALSE },
  { "linux/resources/blockIO", "{\"weight\":70000}", "linux.resources.blockIO.weight", FALSE },
  { "linux/resources/unified", "{\"memory.max\":1}", "linux.resources.unified[\"memory.max\"]",
    FALSE },
  { "linux/devices", "{}", "linux.devices", FALSE },
  { "linux/devices",
    "[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":\"0666\"}]",
    "linux.devices[0].fileMode", FALSE },
  { "linux/sysctl", "[\"net.ipv4.ip_forward=1\"]", "linux.sysctl", FALSE },
  { "linux/sysctl/net.ipv4.ip_forward", "1", "linux.sysctl[\"net.ipv4.ip_forward\"]", FALSE },
  { "linux/maskedPaths", "\"/proc\"", "linux.maskedPaths", FALSE },
  { "linux/cgroupsPath", "[]", "linux.cgroupsPath", FALSE },
  { "linux/seccomp", "\"unconfined\"", "linux.seccomp", FALSE },
  { "linux/seccomp/syscalls/0/names", "\"reboot\"", "linux.seccomp.syscalls[0].names", FALSE },
  { "linux/seccomp/syscalls/0/errnoRet", "-1", "linux.seccomp.syscalls[0].errnoRet", FALSE },
  { "linux/seccomp/syscalls/0/args", "[{\"index\":\"0\",\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]",
    "linux.seccomp.syscalls[0].args[0].index", FALSE },

  /* values */
  { "process/capabilities/permitted", "[]", "process.capabilities.effective[0]", FALSE },
  { "process/rlimits/0/type", "\"NOFILE\"", "process.rlimits[0].type", FALSE },
  { "process/env/0", "\"PATH\"", "process.env[0]", FALSE },
  { "process/env/0", "\"=x\"", "process.env[0]", FALSE },
  { "linux/namespaces/0/type", "\"net\"", "linux.namespaces[0].type", FALSE },
  { "linux/namespaces/0/type", "\"mount\"", "linux.namespaces[1]", FALSE },
  { "linux/namespaces/0/path", "\"proc/1/ns/pid\"", "linux.namespaces[0]", FALSE },
  { "linux/namespaces/2", "{\"type\":\"network\"}", "hostname", FALSE },
  { "linux/maskedPaths", "[\"/proc/kcore\"]", NULL, FALSE },
  { "linux/uidMappings", "[{\"containerID\":0,\"hostID\":1000,\"size\":1}]", NULL, FALSE },
  { "linux/sysctl/net.ipv4.ip_forward", "\"1\"", "linux.sysctl[\"net.ipv4.ip_forward\"]", FALSE },
  { "linux/sysctl/vm.swappiness", "\"1\"", "linux.sysctl[\"vm.swappiness\"]", FALSE },
  { "linux/rootfsPropagation", "\"sideways\"", "linux.rootfsPropagation", FALSE },
  { "linux/devices", "[{\"path\":\"/dev/x\",\"type\":\"z\",\"major\":1,\"minor\":3}]",
    "linux.devices[0].type", FALSE },
  { "linux/seccomp/defaultAction", "\"ALLOW\"", "linux.seccomp.defaultAction", FALSE },
  { "linux/seccomp/architectures", "[\"amd64\"]", "linux.seccomp.architectures[0]", FALSE },
  { "linux/seccomp/syscalls/0/action", "\"SCMP_ACT_NONE\"", "linux.seccomp.syscalls[0].action",
    FALSE },
  { "hooks/prestart", "[{\"path\":\"bin/true\"}]", "hooks.prestart[0].path", FALSE },
};

static void
put (JsonNode *root, const Case *item)
{
  g_auto (GStrv) parts = g_strsplit (item->place, "/", -1);
  guint last = g_strv_length (parts) - 1;
  JsonNode *at = root, *value = NULL;

  for (guint i = 0; i < last; i++)
    at = JSON_NODE_HOLDS_ARRAY (at)
             ? json_array_get_element (json_node_get_array (at), (guint) atoi (parts[i]))
             : json_object_get_member (json_node_get_object (at), parts[i]);
  g_assert_nonnull (at);
  if (item->value == NULL)
    {
      g_assert_true (json_object_has_member (json_node_get_object (at), parts[last]));
      json_object_remove_member (json_node_get_object (at), parts[last]);
      return;
    }
  value = json_from_string (item->value, NULL);
  g_assert_nonnull (value);
  if (JSON_NODE_HOLDS_ARRAY (at))
    {
      guint index = (guint) atoi (parts[last]);

      /* json-glib has no way to replace an element */
      g_autoptr (JsonArray) copy = json_array_new ();

      for (guint i = 0; i < json_array_get_length (json_node_get_array (at)); i++)
        json_array_add_element (copy, i == index
                                          ? g_steal_pointer (&value)
                                          : json_array_dup_element (json_node_get_array (at), i));
      json_node_set_array (at, copy);
      return;
    }
  json_object_set_member (json_node_get_object (at), parts[last], value);
}

static char *
make (const Case *item)
{
  g_autoptr (JsonNode) root = json_from_string (good, NULL);

  g_assert_nonnull (root);
  if (item != NULL)
    put (root, item);
  return json_to_string (root, FALSE);
}

static gboolean
check (const char *text, GError **error)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (GError) local = NULL;

  g_assert_true (atm_json_parse_object (bytes, &object, &local));
  return atm_bundle_check (object, error);
}

static void
test_shapes (void)
{
  g_autoptr (GError) none = NULL, empty = NULL;
  g_autofree char *text = make (NULL);

  g_assert_true (check (text, &none));
  g_assert_false (check ("{}", &empty));
  g_assert_error (empty, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *changed = make (&cases[i]);
      g_autofree char *begin = g_strconcat ("Invalid configuration file.  ",
                                            cases[i].path != NULL ? cases[i].path : "", " ", NULL);
      gboolean accepted = check (changed, &error);

      if (accepted != (cases[i].path == NULL))
        g_error ("%s = %s: %s", cases[i].place, cases[i].value,
                 error != NULL ? error->message : "accepted");
      if (!accepted && !g_str_has_prefix (error->message, begin))
        g_error ("%s = %s: %s", cases[i].place, cases[i].value, error->message);
    }
}

/* Depth is the reader's to bound; width is nobody's, and must cost no more than its length. */
static void
test_wide (void)
{
  g_autoptr (GString) text = g_string_new (
      "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\","
      "\"args\":[\"x\"],\"env\":[");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 20000; i++)
    g_string_append (text, "\"A=b\",");
  g_string_append (text, "5]}}");
  g_assert_false (check (text->str, &error));
  g_assert_nonnull (strstr (error->message, "process.env[20000] "));
}

/* ---- the real one ---- */

static gboolean
run (const char *folder, char **output_out)
{
  g_autofree char *state = atm_test_scratch_path ();
  g_autofree char *id = g_strdup_printf ("atomic-check-%d", (int) getpid ());
  const char *const argv[] = { "runc", "--root", state, "run", id, NULL };
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  g_subprocess_launcher_set_cwd (launcher, folder);
  process = g_subprocess_launcher_spawnv (launcher, argv, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (process, NULL, NULL, output_out, NULL, &error));
  return g_subprocess_get_successful (process) && strstr (*output_out, SAYS) != NULL;
}

static gboolean
run_text (int fd, const char *folder, const char *text, char **output_out)
{
  atm_test_write_at (fd, "config.json", text);
  return run (folder, output_out);
}

/* What we accept, runc runs; what we refuse, it refuses too, but where we say that we are stricter.
 */
static void
test_runc (void)
{
  g_autofree char *program = g_find_program_in_path ("runc");
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *to = g_build_filename (folder, "rootfs", "program", NULL);
  g_autofree char *text = make (NULL), *why = NULL;
  g_autoptr (GFile) from_file = g_file_new_for_path (PROGRAM), to_file = g_file_new_for_path (to);
  g_autoptr (GError) error = NULL;
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (program == NULL || geteuid () != 0 || access (PROGRAM, X_OK) < 0)
    {
      g_test_skip ("needs root, runc and " PROGRAM);
      close (fd);
      return;
    }
  atm_test_write_at (fd, "rootfs/proc/x", "");
  atm_test_write_at (fd, "rootfs/dev/x", "");
  g_assert_true (g_file_copy (from_file, to_file, G_FILE_COPY_NONE, NULL, NULL, NULL, &error));
  if (!run_text (fd, folder, text, &why))
    {
      g_test_skip (why);
      close (fd);
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *changed = make (&cases[i]), *output = NULL;
      gboolean accepted = run_text (fd, folder, changed, &output);

      if (!cases[i].lenient && accepted != (cases[i].path == NULL))
        g_test_fail_printf ("%s = %s: runc %s: %s", cases[i].place, cases[i].value,
                            accepted ? "accepts" : "refuses", output);
    }
  close (fd);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/bundle-check/shapes", test_shapes);
  g_test_add_func ("/bundle-check/wide", test_wide);
  g_test_add_func ("/bundle-check/runc", test_runc);
  return g_test_run ();
}
