/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "container/seccomp.h"

/* What the rules that have no condition say of each call: the action, and after “:” the error. */
static GHashTable *
read_rules (JsonObject *object, GHashTable *conditional)
{
  GHashTable *found = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  JsonArray *rules = json_object_get_array_member (object, "syscalls");

  for (guint i = 0; i < json_array_get_length (rules); i++)
    {
      JsonObject *rule = json_array_get_object_element (rules, i);
      JsonArray *names = json_object_get_array_member (rule, "names");

      g_assert_cmpuint (json_array_get_length (names), >, 0);
      for (guint j = 0; j < json_array_get_length (names); j++)
        {
          const char *name = json_array_get_string_element (names, j);

          g_assert_cmpstr (name, !=, "");
          if (json_object_has_member (rule, "args"))
            {
              g_hash_table_add (conditional, g_strdup (name));
              continue;
            }
          if (!g_hash_table_insert (
                  found, g_strdup (name),
                  g_strdup_printf (
                      "%s:%d", json_object_get_string_member (rule, "action"),
                      (int) json_object_get_int_member_with_default (rule, "errnoRet", 0))))
            g_error ("%s has two rules", name);
        }
    }
  return found;
}

#define ALLOWED "SCMP_ACT_ALLOW:0"
#define REFUSED "SCMP_ACT_ERRNO:1"

/* Which capabilities a call needs, one of them; no other container may make it. */
static void
test_capabilities (void)
{
  const char *const none[] = { NULL };
  const char *const all[] = {
    "CAP_BPF",        "CAP_DAC_READ_SEARCH", "CAP_PERFMON",
    "CAP_SYSLOG",     "CAP_SYS_ADMIN",       "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT", "CAP_SYS_MODULE",      "CAP_SYS_NICE",
    "CAP_SYS_PACCT",  "CAP_SYS_PTRACE",      "CAP_SYS_RAWIO",
    "CAP_SYS_TIME",   "CAP_SYS_TTY_CONFIG",  NULL,
  };
  const char *const calls[][3] = {
    { "acct", "CAP_SYS_PACCT" },
    { "add_key" },
    { "bpf", "CAP_BPF", "CAP_SYS_ADMIN" },
    { "chroot", "CAP_SYS_CHROOT" },
    { "clock_settime", "CAP_SYS_TIME" },
    { "finit_module", "CAP_SYS_MODULE" },
    { "fsopen", "CAP_SYS_ADMIN" },
    { "init_module", "CAP_SYS_MODULE" },
    { "iopl", "CAP_SYS_RAWIO" },
    { "kexec_load", "CAP_SYS_BOOT" },
    { "keyctl" },
    { "mount", "CAP_SYS_ADMIN" },
    { "move_pages", "CAP_SYS_NICE" },
    { "open_by_handle_at", "CAP_DAC_READ_SEARCH" },
    { "perf_event_open", "CAP_PERFMON", "CAP_SYS_ADMIN" },
    { "pivot_root", "CAP_SYS_ADMIN" },
    { "process_vm_writev", "CAP_SYS_PTRACE" },
    { "ptrace", "CAP_SYS_PTRACE" },
    { "reboot", "CAP_SYS_BOOT" },
    { "request_key" },
    { "setns", "CAP_SYS_ADMIN" },
    { "swapon", "CAP_SYS_ADMIN" },
    { "syslog", "CAP_SYSLOG", "CAP_SYS_ADMIN" },
    { "unshare", "CAP_SYS_ADMIN" },
    { "userfaultfd" },
    { "vhangup", "CAP_SYS_TTY_CONFIG" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    for (guint j = 0; j < G_N_ELEMENTS (all); j++)
      {
        const char *const one[] = { all[j], NULL };
        gboolean enough
            = g_strcmp0 (all[j], calls[i][1]) == 0 || g_strcmp0 (all[j], calls[i][2]) == 0;
        g_autoptr (JsonObject) object = atm_seccomp_new (all[j] != NULL ? one : none);
        g_autoptr (GHashTable) conditional
            = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr (GHashTable) rules = read_rules (object, conditional);

        enough = enough && all[j] != NULL;
        g_assert_cmpstr (g_hash_table_lookup (rules, calls[i][0]), ==, enough ? ALLOWED : REFUSED);
      }
}

/* What every program needs; what has conditions; and what there is no rule for. */
static void
test_harmless (void)
{
  const char *const allowed[] = { "read",    "openat",  "mmap",   "execve", "exit_group", "futex",
                                  "accept4", "prctl",   "statx",  "wait4",  "bind",       "kill",
                                  "pipe2",   "seccomp", "setuid", "rseq",   "getrandom",  "fork" };
  const char *const conditional[] = { "clone", "personality", "socket", "socketpair" };
  const char *const absent[]
      = { "io_uring_setup", "modify_ldt", "nfsservctl", "socketcall", "uselib", "vm86", "_sysctl" };
  const char *const capabilities[] = { "CAP_CHOWN", NULL };
  g_autoptr (JsonObject) object = atm_seccomp_new (capabilities);
  g_autoptr (GHashTable) conditions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) rules = read_rules (object, conditions);
  g_autofree char *clone3 = g_strdup_printf ("SCMP_ACT_ERRNO:%d", ENOSYS);

  g_assert_cmpstr (json_object_get_string_member (object, "defaultAction"), ==, "SCMP_ACT_ERRNO");
  g_assert_cmpint (json_object_get_int_member (object, "defaultErrnoRet"), ==, ENOSYS);
  for (guint i = 0; i < G_N_ELEMENTS (allowed); i++)
    g_assert_cmpstr (g_hash_table_lookup (rules, allowed[i]), ==, ALLOWED);
  g_assert_cmpuint (g_hash_table_size (conditions), ==, G_N_ELEMENTS (conditional));
  for (guint i = 0; i < G_N_ELEMENTS (conditional); i++)
    {
      g_assert_true (g_hash_table_contains (conditions, conditional[i]));
      g_assert_false (g_hash_table_contains (rules, conditional[i]));
    }
  for (guint i = 0; i < G_N_ELEMENTS (absent); i++)
    g_assert_false (g_hash_table_contains (rules, absent[i]));
  g_assert_cmpstr (g_hash_table_lookup (rules, "clone3"), ==, clone3);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/seccomp/capabilities", test_capabilities);
  g_test_add_func ("/seccomp/harmless", test_harmless);
  return g_test_run ();
}
