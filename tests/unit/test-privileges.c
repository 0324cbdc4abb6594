/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "container/privileges.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/json.h"

#define PROCESS(more) "\"process\":{\"user\":{\"uid\":5},\"noNewPrivileges\":true" more "}"
#define MOUNT(more) "{" PROCESS ("") ",\"mounts\":[" more "]}"
#define BIND(source, options)                                                                      \
  "{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"" source "\",\"options\":[" options "]}"
#define LINUX(more) "{" PROCESS ("") ",\"linux\":{" more "}}"
#define NAMESPACES(more) LINUX ("\"namespaces\":[{\"type\":\"mount\"}" more "]")
#define DEVICES(more) LINUX ("\"resources\":{\"devices\":[" more "]}")
#define DENY "{\"allow\":false,\"access\":\"rwm\"}"
#define TUN "{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":200,\"access\":\"rwm\"}"
#define ALL "{\"allow\":true,\"access\":\"rwm\"}"
#define SECCOMP(action, more)                                                                      \
  LINUX ("\"seccomp\":{\"defaultAction\":\"" action "\",\"syscalls\":[" more "]}")
#define CALLS(action, names) "{\"names\":[" names "],\"action\":\"" action "\"}"

static const struct
{
  const char *old, *new;
  const char *told; /* one line each */
} cases[] = {
  /* nothing is widened */
  { "{}", "{}", "" },
  { MOUNT (BIND ("/srv", "\"rw\"")), MOUNT (BIND ("/srv", "\"ro\"")), "" },
  { MOUNT (BIND ("/srv", "")), MOUNT (BIND ("/srv/data", "")), "" },
  { MOUNT (BIND ("/", "")), MOUNT (BIND ("/etc", "")), "" },
  { MOUNT (""), MOUNT ("{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}"), "" },
  { MOUNT (""),
    MOUNT (
        "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]}"),
    "" },
  { NAMESPACES (""), NAMESPACES (",{\"type\":\"network\"},{\"type\":\"user\"}"), "" },
  { NAMESPACES (""), NAMESPACES (",{\"type\":\"network\",\"path\":\"/run/netns/x\"}"), "" },
  { DEVICES (DENY "," ALL), DEVICES (DENY "," TUN), "" },
  { DEVICES (TUN), DEVICES (TUN "," DENY), "" },
  { LINUX ("\"readonlyPaths\":[\"/proc/sys\"]"), LINUX ("\"maskedPaths\":[\"/proc/sys\"]"), "" },
  { SECCOMP ("SCMP_ACT_ALLOW", ""),
    SECCOMP ("SCMP_ACT_ERRNO", CALLS ("SCMP_ACT_ALLOW", "\"read\"")), "" },
  { "{" PROCESS (",\"capabilities\":[\"CAP_KILL\"]") "}",
    "{" PROCESS (",\"capabilities\":{\"bounding\":[\"CAP_KILL\"]}") "}", "" },
  { "{" PROCESS ("") ",\"hooks\":{}}",
    "{" PROCESS ("") ",\"hooks\":{\"startContainer\":[{\"path\":\"/bin/x\"}]}}", "" },

  /* capabilities */
  { "{" PROCESS ("") "}",
    "{" PROCESS (
        ",\"capabilities\":{\"bounding\":[\"CAP_SYS_ADMIN\"],\"effective\":[\"CAP_KILL\"]}") "}",
    "gets more capabilities: CAP_KILL, CAP_SYS_ADMIN" },
  { "{" PROCESS (",\"capabilities\":{\"bounding\":[\"CAP_KILL\"]}") "}",
    "{" PROCESS (",\"capabilities\":{\"ambient\":[\"CAP_KILL\",\"CAP_CHOWN\"]}") "}",
    "gets more capabilities: CAP_CHOWN" },

  /* the host's folders */
  { MOUNT (""), MOUNT (BIND ("/srv/", "\"ro\"")), "can read /srv of the host" },
  { MOUNT (""), MOUNT (BIND ("/srv/x/../../etc", "\"rbind\"")),
    "can read and write /etc of the host" },
  { MOUNT (BIND ("/srv", "\"ro\"")), MOUNT (BIND ("/srv", "\"ro\",\"rw\"")),
    "can write to /srv of the host, which it could only read" },
  { MOUNT (BIND ("/srv/data", "")), MOUNT (BIND ("/srv", "\"ro\"")), "can read /srv of the host" },
  { MOUNT (BIND ("/srv", "")), MOUNT (BIND ("/srv2", "\"ro\"")), "can read /srv2 of the host" },
  { MOUNT (BIND ("/srv", "\"rslave\"")), MOUNT (BIND ("/srv", "\"rshared\"")),
    "can mount on the host, below /srv" },
  { MOUNT (""),
    MOUNT ("{\"destination\":\"/x\",\"type\":\"none\",\"source\":\"/etc\",\"options\":[\"bind\"]}"),
    "can read and write /etc of the host" },
  { MOUNT (""), MOUNT ("{\"destination\":\"/x\",\"type\":\"ext4\",\"source\":\"/dev/sda1\"}"),
    "mounts /dev/sda1 (ext4) of the host" },
  { MOUNT (""), MOUNT ("{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\"}"),
    "mounts sysfs (sysfs) of the host" },

  /* namespaces */
  { NAMESPACES (",{\"type\":\"network\"},{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}"),
    NAMESPACES (""),
    "shares the network of the host\nsees all processes of the host\n"
    "shares the memory and message queues of the host (IPC namespace)\n"
    "shares the host name of the host" },
  { NAMESPACES (""), LINUX ("\"namespaces\":[]"), "shares the mounts of the host" },
  { NAMESPACES (",{\"type\":\"network\"}"),
    NAMESPACES (",{\"type\":\"network\",\"path\":\"/run/netns/x\"}"),
    "joins the network namespace /run/netns/x" },
  { NAMESPACES (",{\"type\":\"cgroup\"}"), NAMESPACES (""), "sees all control groups of the host" },
  { NAMESPACES (",{\"type\":\"user\"}"), NAMESPACES (""),
    "has the users of the host, without a user namespace of its own" },

  /* devices */
  { DEVICES (DENY), DEVICES (DENY "," TUN), "can use the device c 10:200 rwm" },
  { DEVICES (DENY "," TUN), DEVICES (DENY "," TUN "," ALL), "can use all devices of the host" },
  { LINUX (""), LINUX ("\"devices\":[{\"path\":\"/dev/kvm\",\"type\":\"c\"}]"),
    "can use the device /dev/kvm" },
  { LINUX (""), DEVICES ("{\"allow\":true,\"type\":\"b\",\"access\":\"r\"}"),
    "can use the device b *:* r" },

  /* what holds it back */
  { SECCOMP ("SCMP_ACT_ERRNO", ""), LINUX (""), "can make any system call (no seccomp filter)" },
  { SECCOMP ("SCMP_ACT_ERRNO", ""), SECCOMP ("SCMP_ACT_ALLOW", ""),
    "can make any system call (no seccomp filter)" },
  { SECCOMP ("SCMP_ACT_ERRNO", ""), SECCOMP ("SCMP_ACT_ALLOW", CALLS ("SCMP_ACT_ERRNO", "\"bpf\"")),
    "can make all system calls but those that its seccomp filter names" },
  { SECCOMP ("SCMP_ACT_ERRNO", CALLS ("SCMP_ACT_ALLOW", "\"read\"")),
    SECCOMP ("SCMP_ACT_ERRNO", CALLS ("SCMP_ACT_ALLOW", "\"read\",\"mount\"") "," CALLS (
                                   "SCMP_ACT_ERRNO", "\"bpf\"")),
    "can make more system calls: mount" },
  { SECCOMP ("SCMP_ACT_ERRNO", ""), SECCOMP ("SCMP_ACT_ERRNO", CALLS ("SCMP_ACT_ALLOW", "\"bpf\"")),
    "can make more system calls: bpf" },
  { "{" PROCESS (",\"apparmorProfile\":\"web\"") "}",
    "{" PROCESS (",\"apparmorProfile\":\"unconfined\"") "}", "is no longer confined by AppArmor" },
  { "{" PROCESS (",\"selinuxLabel\":\"u:r:container_t:s0\"") "}",
    "{" PROCESS (",\"selinuxLabel\":\"u:r:spc_t:s0\"") "}", "is no longer confined by SELinux" },
  { "{" PROCESS ("") "}", "{\"process\":{\"user\":{\"uid\":5}}}",
    "can gain privileges by set-user-ID programs (noNewPrivileges is off)" },
  { "{" PROCESS ("") "}", "{\"process\":{\"noNewPrivileges\":true}}", "runs as root" },
  { LINUX ("\"maskedPaths\":[\"/proc/kcore\",\"/proc/keys\"],\"readonlyPaths\":[\"/proc/sys\"]"),
    LINUX ("\"maskedPaths\":[\"/proc/keys\"]"),
    "can see /proc/kcore, which was hidden\ncan write to /proc/sys, which was read-only" },
  { "{" PROCESS ("") "}", "{" PROCESS ("") ",\"hooks\":{\"prestart\":[{\"path\":\"/usr/bin/x\"}]}}",
    "runs /usr/bin/x on the host, as root (a hook)" },

  /* a first configuration, and one whose members have wrong types: what is not said is the host's
   */
  { "{}", "{\"process\":5,\"mounts\":{},\"hooks\":[],\"linux\":{\"namespaces\":[5,\"pid\"]}}",
    "shares the network of the host\nsees all processes of the host\n"
    "shares the memory and message queues of the host (IPC namespace)\n"
    "shares the host name of the host\nshares the mounts of the host\n"
    "sees all control groups of the host\ncan make any system call (no seccomp filter)\n"
    "can gain privileges by set-user-ID programs (noNewPrivileges is off)\nruns as root" },
};

static AtmPrivileges *
privileges_of (const char *text, GHashTable *host_files)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (GError) error = NULL;

  if (!atm_json_parse_object (bytes, &object, &error))
    g_error ("%s: %s", text, error->message);
  return atm_privileges_new (object, host_files);
}

static void
test_compare (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmPrivileges) old = privileges_of (cases[i].old, NULL),
                                new = privileges_of (cases[i].new, NULL);
      g_auto (GStrv) told = atm_privileges_compare (old, new);
      g_auto (GStrv) same = atm_privileges_compare (new, new);
      g_autofree char *text = g_strjoinv ("\n", told);

      if (!g_str_equal (text, cases[i].told))
        g_error ("%s → %s: “%s”, not “%s”", cases[i].old, cases[i].new, text, cases[i].told);
      g_assert_cmpuint (g_strv_length (same), ==, 0);
    }
}

static void
test_root_in_namespace (void)
{
  const char *const mapped
      = LINUX ("\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,"
               "\"hostID\":100000,\"size\":1000}]");
  const char *const root
      = LINUX ("\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,"
               "\"hostID\":0,\"size\":1000}]");
  g_autoptr (AtmPrivileges) old = privileges_of (mapped, NULL), new = privileges_of (root, NULL);
  g_auto (GStrv) told = atm_privileges_compare (old, new);

  g_assert_cmpuint (g_strv_length (told), ==, 1);
  g_assert_cmpstr (told[0], ==, "runs as root");
}

static void
test_host_files (void)
{
  g_autoptr (GHashTable) before = atm_test_map ("/etc/a", "1", NULL);
  g_autoptr (GHashTable) after
      = atm_test_map ("/etc/a", "2", "/usr/bin/c", "3", "/etc/b", "4", NULL);
  g_autoptr (AtmPrivileges) old = privileges_of ("{}", before), new = privileges_of ("{}", after);
  g_autoptr (AtmPrivileges) none = atm_privileges_new (NULL, NULL);
  g_auto (GStrv) told = atm_privileges_compare (old, new);
  g_auto (GStrv) all = atm_privileges_compare (none, new);
  g_autofree char *text = g_strjoinv ("\n", told);

  g_assert_cmpstr (text, ==,
                   "puts the file /etc/b on the host\nputs the file /usr/bin/c on the host");
  g_assert_cmpuint (g_strv_length (all), ==, 3);
}

/* A hostile image cannot flood the terminal, nor what it hides be lost. */
static void
test_bound (void)
{
  g_autoptr (GString) text = g_string_new ("{" PROCESS ("") ",\"mounts\":[");
  g_autoptr (AtmPrivileges) old = privileges_of (MOUNT (""), NULL), new = NULL;
  g_auto (GStrv) told = NULL;

  for (guint i = 0; i < 100; i++)
    g_string_append_printf (text, "%s" BIND ("/srv/%u", "\"ro\""), i > 0 ? "," : "", i);
  g_string_append (text, "]}");
  new = privileges_of (text->str, NULL);
  told = atm_privileges_compare (old, new);
  g_assert_cmpuint (g_strv_length (told), ==, ATM_PRIVILEGES_TOLD_MAX + 1);
  g_assert_cmpstr (told[ATM_PRIVILEGES_TOLD_MAX], ==, "and 36 things more");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/privileges/compare", test_compare);
  g_test_add_func ("/privileges/root-in-namespace", test_root_in_namespace);
  g_test_add_func ("/privileges/host-files", test_host_files);
  g_test_add_func ("/privileges/bound", test_bound);
  return g_test_run ();
}
