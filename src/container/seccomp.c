/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/seccomp.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/socket.h>

#define ALLOW "SCMP_ACT_ALLOW"
#define DENY "SCMP_ACT_ERRNO"

/* The native architecture and the 32-bit one that its kernel runs too. A call by another way ends
   the program: x32 only doubles what there is to attack, and Debian's kernels have it off. */
static const char *const architectures[] = {
#if defined(__x86_64__) && defined(__LP64__)
  "SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
#elif defined(__aarch64__)
  "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
#endif
  NULL
};

/* clone() has its flags in the second argument there (clone(2), "C library/kernel differences"). */
#if defined(__s390x__)
#define CLONE_FLAGS_INDEX 1
#else
#define CLONE_FLAGS_INDEX 0
#endif

/* CLONE_NEWTIME is not among them: it lies in the bits of the signal, and clone() ignores it. */
static const guint64 namespace_flags[] = {
  CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
  CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET,
};

/* The others reach the hypervisor (AF_VSOCK), load seldom used modules into the kernel (AF_ALG,
   AF_TIPC, …) or need a capability that containers do not have (AF_PACKET). A program that makes
   32-bit calls on amd64 gets at them all the same: with socket() libseccomp lets socketcall()
   through, whose arguments no filter sees, and takes no rule against it (tried with 2.5.4). */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

/* personality(2): Linux, 32 bits, and with the old version number; all ones asks for the present
   one. Not ADDR_NO_RANDOMIZE or READ_IMPLIES_EXEC, which make attacks easier. */
static const guint64 personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

/* Names that an architecture or a runtime's library does not have are left out by the runtimes. */
static const char files[]
    = "access arm_fadvise64_64 arm_sync_file_range cachestat chdir chmod chown chown32 close "
      "close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 "
      "fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 "
      "fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat "
      "fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents "
      "getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 "
      "inotify_rm_watch ioctl landlock_add_rule landlock_create_ruleset landlock_restrict_self "
      "lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr _llseek "
      "lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at "
      "newfstatat oldfstat oldlstat oldstat open openat openat2 pipe pipe2 pread64 preadv preadv2 "
      "pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat readv removexattr "
      "removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat "
      "splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range "
      "sync_file_range2 syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat "
      "utimensat_time64 utimes vmsplice write writev";
static const char memory[]
    = "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 "
      "mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc "
      "pkey_free pkey_mprotect remap_file_pages";
static const char processes[]
    = "alarm arch_prctl cacheflush capget capset execve execveat exit exit_group fork "
      "get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 "
      "getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getrandom getresgid "
      "getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32 "
      "ioprio_get ioprio_set kill nice oldolduname olduname pause pidfd_open pidfd_send_signal "
      "prctl prlimit64 process_mrelease restart_syscall riscv_flush_icache riscv_hwprobe rseq "
      "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
      "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
      "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
      "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
      "sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_thread_area "
      "set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
      "setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
      "setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 sgetmask sigaction "
      "sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend ssetmask "
      "sysinfo tgkill time times tkill ugetrlimit uname vfork wait4 waitid waitpid";
/* No io_uring: it makes calls that no filter sees. */
static const char communication[]
    = "accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait "
      "epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 futex futex_requeue futex_time64 "
      "futex_wait futex_waitv futex_wake getpeername getsockname getsockopt io_cancel io_destroy "
      "io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ipc listen "
      "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
      "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd _newselect poll ppoll "
      "ppoll_time64 pselect6 pselect6_time64 recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
      "select semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto "
      "setsockopt shmat shmctl shmdt shmget shutdown";
/* adjtimex reads for everybody; to change the clock is refused by the kernel. */
static const char times[]
    = "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
      "clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep "
      "setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
      "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
      "timerfd_settime timerfd_settime64";

/* Allowed to who has the capability (capabilities(7)); a call may be in several. */
static const struct
{
  const char *capability; /* NULL: nobody gets it by a capability */
  const char *calls;
} groups[] = {
  /* Keys are not in a namespace, and userfaultfd helps those who attack the kernel more than
     anybody else. */
  { NULL, "add_key keyctl request_key userfaultfd" },
  { "CAP_SYS_ADMIN",
    "bpf fanotify_init lookup_dcookie perf_event_open quotactl quotactl_fd setdomainname "
    "sethostname setns swapoff swapon syslog unshare" },
  { "CAP_SYS_ADMIN",
    "fsconfig fsmount fsopen fspick listmount mount mount_setattr move_mount open_tree "
    "pivot_root statmount umount umount2" },
  { "CAP_BPF", "bpf" },
  { "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
  { "CAP_PERFMON", "perf_event_open" },
  { "CAP_SYSLOG", "syslog" },
  { "CAP_SYS_BOOT", "kexec_file_load kexec_load reboot" },
  { "CAP_SYS_CHROOT", "chroot" },
  { "CAP_SYS_MODULE", "create_module delete_module finit_module init_module" },
  { "CAP_SYS_NICE",
    "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node" },
  { "CAP_SYS_PACCT", "acct" },
  { "CAP_SYS_PTRACE",
    "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace" },
  { "CAP_SYS_RAWIO", "ioperm iopl" },
  { "CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime" },
  { "CAP_SYS_TTY_CONFIG", "vhangup" },
};

/* One rule; @names are separated by blanks; @error_number 0: none. */
static JsonObject *
add_rule (JsonArray *rules, const char *names, const char *action, int error_number)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);
  JsonArray *array = json_array_new ();
  JsonObject *rule = json_object_new ();

  for (guint i = 0; list[i] != NULL; i++)
    json_array_add_string_element (array, list[i]);
  json_object_set_array_member (rule, "names", array);
  json_object_set_string_member (rule, "action", action);
  if (error_number != 0)
    json_object_set_int_member (rule, "errnoRet", error_number);
  json_array_add_object_element (rules, rule);
  return rule;
}

/* Makes a rule one by an argument of the call. */
static void
add_condition (JsonObject *rule, guint index, const char *operator, guint64 value,
               guint64 value_two)
{
  JsonObject *argument = json_object_new ();
  JsonArray *arguments = json_array_new ();

  json_object_set_int_member (argument, "index", index);
  json_object_set_int_member (argument, "value", (gint64) value);
  json_object_set_int_member (argument, "valueTwo", (gint64) value_two);
  json_object_set_string_member (argument, "op", operator);
  json_array_add_object_element (arguments, argument);
  json_object_set_array_member (rule, "args", arguments);
}

static gboolean
has_capability (const char *const *capabilities, const char *capability)
{
  return capability != NULL && g_strv_contains (capabilities, capability);
}

/* What one group allows no other one refuses. */
static void
add_groups (JsonArray *rules, const char *const *capabilities)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < G_N_ELEMENTS (groups); i++)
      {
        gboolean allowed = has_capability (capabilities, groups[i].capability);
        g_auto (GStrv) names = g_strsplit (groups[i].calls, " ", -1);

        if (allowed != (pass == 0))
          continue;
        for (guint j = 0; names[j] != NULL; j++)
          if (g_hash_table_add (seen, g_strdup (names[j])))
            add_rule (rules, names[j], allowed ? ALLOW : DENY, allowed ? 0 : EPERM);
      }
}

/* A program may make threads and processes, but namespaces only if it could by unshare(). clone3()
   has its flags in memory, where no filter can look: with ENOSYS libraries use clone(). */
static void
add_clone (JsonArray *rules, const char *const *capabilities)
{
  guint64 all = 0;

  if (has_capability (capabilities, "CAP_SYS_ADMIN"))
    {
      add_rule (rules, "clone clone3", ALLOW, 0);
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (namespace_flags); i++)
    {
      all |= namespace_flags[i];
      add_condition (add_rule (rules, "clone", DENY, EPERM), CLONE_FLAGS_INDEX,
                     "SCMP_CMP_MASKED_EQ", namespace_flags[i], namespace_flags[i]);
    }
  add_condition (add_rule (rules, "clone", ALLOW, 0), CLONE_FLAGS_INDEX, "SCMP_CMP_MASKED_EQ", all,
                 0);
  add_rule (rules, "clone3", DENY, ENOSYS);
}

static void
add_sockets (JsonArray *rules)
{
  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    add_condition (add_rule (rules, "socket socketpair", ALLOW, 0), 0, "SCMP_CMP_EQ",
                   (guint64) families[i], 0);
}

JsonObject *
atm_seccomp_new (const char *const *capabilities)
{
  const char *const harmless[] = { files, memory, processes, communication, times };
  JsonObject *object = json_object_new ();
  JsonArray *rules = json_array_new (), *list = json_array_new ();

  json_object_set_string_member (object, "defaultAction", DENY);
  json_object_set_int_member (object, "defaultErrnoRet", ENOSYS);
  for (guint i = 0; architectures[i] != NULL; i++)
    json_array_add_string_element (list, architectures[i]);
  json_object_set_array_member (object, "architectures", list);

  for (guint i = 0; i < G_N_ELEMENTS (harmless); i++)
    add_rule (rules, harmless[i], ALLOW, 0);
  add_groups (rules, capabilities);
  add_clone (rules, capabilities);
  add_sockets (rules);
  for (guint i = 0; i < G_N_ELEMENTS (personalities); i++)
    add_condition (add_rule (rules, "personality", ALLOW, 0), 0, "SCMP_CMP_EQ", personalities[i],
                   0);
  json_object_set_array_member (object, "syscalls", rules);
  return object;
}
