/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle-shape.h"

/* ---- values ---- */

static const AtmShape string = { .kind = ATM_SHAPE_STRING };
static const AtmShape filled = { .kind = ATM_SHAPE_STRING, .filled = TRUE };
static const AtmShape absolute = { .kind = ATM_SHAPE_STRING, .absolute = TRUE };
static const AtmShape boolean = { .kind = ATM_SHAPE_BOOLEAN };
static const AtmShape int32 = { .kind = ATM_SHAPE_INTEGER, .min = G_MININT32, .max = G_MAXINT32 };
static const AtmShape int64 = { .kind = ATM_SHAPE_INTEGER, .min = G_MININT64, .max = G_MAXINT64 };
static const AtmShape uint16 = { .kind = ATM_SHAPE_INTEGER, .max = G_MAXUINT16 };
static const AtmShape uint32 = { .kind = ATM_SHAPE_INTEGER, .max = G_MAXUINT32 };
static const AtmShape uint64 = { .kind = ATM_SHAPE_INTEGER, .max = G_MAXINT64 };
static const AtmShape strings = { .kind = ATM_SHAPE_ARRAY, .of = &string };
static const AtmShape string_map = { .kind = ATM_SHAPE_MAP, .of = &string };
static const AtmShape uint32s = { .kind = ATM_SHAPE_ARRAY, .of = &uint32 };

#define WORDS(name, ...)                                                                           \
  static const char *const name##_words[] = { __VA_ARGS__, NULL };                                 \
  static const AtmShape name = { .kind = ATM_SHAPE_STRING, .words = name##_words }
#define OBJECT(name, ...)                                                                          \
  static const AtmShapeField name##_fields[] = { __VA_ARGS__, { NULL, NULL, FALSE } };             \
  static const AtmShape name = { .kind = ATM_SHAPE_OBJECT, .fields = name##_fields }
#define ARRAY(name, item) static const AtmShape name = { .kind = ATM_SHAPE_ARRAY, .of = &item }
#define MAP(name, item) static const AtmShape name = { .kind = ATM_SHAPE_MAP, .of = &item }

#define OPTIONAL FALSE
#define MANDATORY TRUE

/* What other platforms read; ours leaves it alone. */
OBJECT (foreign, { NULL, NULL, OPTIONAL });

OBJECT (id_mapping, { "containerID", &uint32, OPTIONAL }, { "hostID", &uint32, OPTIONAL },
        { "size", &uint32, OPTIONAL });
ARRAY (id_mappings, id_mapping);

/* ---- process (config.md, "Process") ---- */

static const AtmShape arguments = { .kind = ATM_SHAPE_ARRAY, .of = &string, .filled = TRUE };

OBJECT (console_size, { "height", &uint32, OPTIONAL }, { "width", &uint32, OPTIONAL });
OBJECT (user, { "uid", &uint32, OPTIONAL }, { "gid", &uint32, OPTIONAL },
        { "umask", &uint32, OPTIONAL }, { "additionalGids", &uint32s, OPTIONAL },
        { "username", &string, OPTIONAL });
OBJECT (capabilities, { "bounding", &strings, OPTIONAL }, { "effective", &strings, OPTIONAL },
        { "inheritable", &strings, OPTIONAL }, { "permitted", &strings, OPTIONAL },
        { "ambient", &strings, OPTIONAL });

WORDS (rlimit_type, "RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE",
       "RLIMIT_LOCKS", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_NOFILE",
       "RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO", "RLIMIT_RTTIME", "RLIMIT_SIGPENDING",
       "RLIMIT_STACK");
OBJECT (rlimit, { "type", &rlimit_type, MANDATORY }, { "hard", &uint64, OPTIONAL },
        { "soft", &uint64, OPTIONAL });
ARRAY (rlimits, rlimit);

OBJECT (scheduler, { "policy", &string, OPTIONAL }, { "nice", &int32, OPTIONAL },
        { "priority", &int32, OPTIONAL }, { "flags", &strings, OPTIONAL },
        { "runtime", &uint64, OPTIONAL }, { "deadline", &uint64, OPTIONAL },
        { "period", &uint64, OPTIONAL });
OBJECT (io_priority, { "class", &string, OPTIONAL }, { "priority", &int32, OPTIONAL });

OBJECT (process, { "args", &arguments, MANDATORY }, { "cwd", &absolute, MANDATORY },
        { "terminal", &boolean, OPTIONAL }, { "consoleSize", &console_size, OPTIONAL },
        { "user", &user, OPTIONAL }, { "commandLine", &string, OPTIONAL },
        { "env", &strings, OPTIONAL }, { "capabilities", &capabilities, OPTIONAL },
        { "rlimits", &rlimits, OPTIONAL }, { "noNewPrivileges", &boolean, OPTIONAL },
        { "apparmorProfile", &string, OPTIONAL }, { "oomScoreAdj", &int32, OPTIONAL },
        { "scheduler", &scheduler, OPTIONAL }, { "selinuxLabel", &string, OPTIONAL },
        { "ioPriority", &io_priority, OPTIONAL });

/* ---- root, mounts, hooks (config.md) ---- */

OBJECT (root, { "path", &filled, MANDATORY }, { "readonly", &boolean, OPTIONAL });

OBJECT (mount, { "destination", &absolute, MANDATORY }, { "type", &string, OPTIONAL },
        { "source", &string, OPTIONAL }, { "options", &strings, OPTIONAL },
        { "uidMappings", &id_mappings, OPTIONAL }, { "gidMappings", &id_mappings, OPTIONAL });
ARRAY (mounts, mount);

OBJECT (hook, { "path", &absolute, MANDATORY }, { "args", &strings, OPTIONAL },
        { "env", &strings, OPTIONAL }, { "timeout", &int32, OPTIONAL });
ARRAY (hook_list, hook);
OBJECT (hooks, { "prestart", &hook_list, OPTIONAL }, { "createRuntime", &hook_list, OPTIONAL },
        { "createContainer", &hook_list, OPTIONAL }, { "startContainer", &hook_list, OPTIONAL },
        { "poststart", &hook_list, OPTIONAL }, { "poststop", &hook_list, OPTIONAL });

/* ---- resources (config-linux.md, "Control groups") ---- */

WORDS (device_rule_type, "", "a", "b", "c");
OBJECT (device_rule, { "allow", &boolean, OPTIONAL }, { "type", &device_rule_type, OPTIONAL },
        { "major", &int64, OPTIONAL }, { "minor", &int64, OPTIONAL },
        { "access", &filled, MANDATORY });
ARRAY (device_rules, device_rule);

OBJECT (memory, { "limit", &int64, OPTIONAL }, { "reservation", &int64, OPTIONAL },
        { "swap", &int64, OPTIONAL }, { "kernel", &int64, OPTIONAL },
        { "kernelTCP", &int64, OPTIONAL }, { "swappiness", &uint64, OPTIONAL },
        { "disableOOMKiller", &boolean, OPTIONAL }, { "useHierarchy", &boolean, OPTIONAL },
        { "checkBeforeUpdate", &boolean, OPTIONAL });
OBJECT (cpu, { "shares", &uint64, OPTIONAL }, { "quota", &int64, OPTIONAL },
        { "burst", &uint64, OPTIONAL }, { "period", &uint64, OPTIONAL },
        { "realtimeRuntime", &int64, OPTIONAL }, { "realtimePeriod", &uint64, OPTIONAL },
        { "cpus", &string, OPTIONAL }, { "mems", &string, OPTIONAL }, { "idle", &int64, OPTIONAL });
OBJECT (pids, { "limit", &int64, OPTIONAL });

OBJECT (weight_device, { "major", &int64, OPTIONAL }, { "minor", &int64, OPTIONAL },
        { "weight", &uint16, OPTIONAL }, { "leafWeight", &uint16, OPTIONAL });
ARRAY (weight_devices, weight_device);
OBJECT (throttle_device, { "major", &int64, OPTIONAL }, { "minor", &int64, OPTIONAL },
        { "rate", &uint64, OPTIONAL });
ARRAY (throttle_devices, throttle_device);
OBJECT (block_io, { "weight", &uint16, OPTIONAL }, { "leafWeight", &uint16, OPTIONAL },
        { "weightDevice", &weight_devices, OPTIONAL },
        { "throttleReadBpsDevice", &throttle_devices, OPTIONAL },
        { "throttleWriteBpsDevice", &throttle_devices, OPTIONAL },
        { "throttleReadIOPSDevice", &throttle_devices, OPTIONAL },
        { "throttleWriteIOPSDevice", &throttle_devices, OPTIONAL });

OBJECT (page_limit, { "pageSize", &string, OPTIONAL }, { "limit", &uint64, OPTIONAL });
ARRAY (page_limits, page_limit);
OBJECT (net_priority, { "name", &string, OPTIONAL }, { "priority", &uint32, OPTIONAL });
ARRAY (net_priorities, net_priority);
OBJECT (net, { "classID", &uint32, OPTIONAL }, { "priorities", &net_priorities, OPTIONAL });
OBJECT (rdma_device, { "hcaHandles", &uint32, OPTIONAL }, { "hcaObjects", &uint32, OPTIONAL });
MAP (rdma, rdma_device);

OBJECT (resources, { "devices", &device_rules, OPTIONAL }, { "memory", &memory, OPTIONAL },
        { "cpu", &cpu, OPTIONAL }, { "pids", &pids, OPTIONAL }, { "blockIO", &block_io, OPTIONAL },
        { "hugepageLimits", &page_limits, OPTIONAL }, { "network", &net, OPTIONAL },
        { "rdma", &rdma, OPTIONAL }, { "unified", &string_map, OPTIONAL });

/* ---- seccomp (config-linux.md, "Seccomp") ---- */

WORDS (seccomp_action, "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
       "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",
       "SCMP_ACT_NOTIFY");
WORDS (seccomp_architecture, "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM",
       "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32",
       "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
       "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390",
       "SCMP_ARCH_S390X");
WORDS (seccomp_operator, "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE",
       "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ");
ARRAY (seccomp_architectures, seccomp_architecture);
OBJECT (seccomp_argument, { "index", &uint32, OPTIONAL }, { "value", &uint64, OPTIONAL },
        { "valueTwo", &uint64, OPTIONAL }, { "op", &seccomp_operator, MANDATORY });
ARRAY (seccomp_arguments, seccomp_argument);
OBJECT (seccomp_rule, { "names", &strings, OPTIONAL }, { "action", &seccomp_action, MANDATORY },
        { "errnoRet", &uint32, OPTIONAL }, { "args", &seccomp_arguments, OPTIONAL });
ARRAY (seccomp_rules, seccomp_rule);
OBJECT (seccomp, { "defaultAction", &seccomp_action, MANDATORY },
        { "defaultErrnoRet", &uint32, OPTIONAL },
        { "architectures", &seccomp_architectures, OPTIONAL }, { "flags", &strings, OPTIONAL },
        { "listenerPath", &string, OPTIONAL }, { "listenerMetadata", &string, OPTIONAL },
        { "syscalls", &seccomp_rules, OPTIONAL });

/* ---- linux (config-linux.md) ---- */

WORDS (namespace_type, "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time");
OBJECT (name_space, { "type", &namespace_type, MANDATORY }, { "path", &string, OPTIONAL });
ARRAY (name_spaces, name_space);

WORDS (device_type, "c", "u", "b", "p");
OBJECT (device, { "path", &absolute, MANDATORY }, { "type", &device_type, MANDATORY },
        { "major", &int64, OPTIONAL }, { "minor", &int64, OPTIONAL },
        { "fileMode", &uint32, OPTIONAL }, { "uid", &uint32, OPTIONAL },
        { "gid", &uint32, OPTIONAL });
ARRAY (devices, device);

WORDS (propagation, "", "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable",
       "runbindable");
OBJECT (intel_rdt, { "closID", &string, OPTIONAL }, { "l3CacheSchema", &string, OPTIONAL },
        { "memBwSchema", &string, OPTIONAL }, { "enableCMT", &boolean, OPTIONAL },
        { "enableMBM", &boolean, OPTIONAL });
OBJECT (personality, { "domain", &string, OPTIONAL }, { "flags", &strings, OPTIONAL });
OBJECT (time_offset, { "secs", &int64, OPTIONAL }, { "nanosecs", &uint32, OPTIONAL });
MAP (time_offsets, time_offset);

OBJECT (linux_part, { "namespaces", &name_spaces, OPTIONAL },
        { "uidMappings", &id_mappings, OPTIONAL }, { "gidMappings", &id_mappings, OPTIONAL },
        { "timeOffsets", &time_offsets, OPTIONAL }, { "sysctl", &string_map, OPTIONAL },
        { "resources", &resources, OPTIONAL }, { "cgroupsPath", &string, OPTIONAL },
        { "devices", &devices, OPTIONAL }, { "seccomp", &seccomp, OPTIONAL },
        { "rootfsPropagation", &propagation, OPTIONAL }, { "maskedPaths", &strings, OPTIONAL },
        { "readonlyPaths", &strings, OPTIONAL }, { "mountLabel", &string, OPTIONAL },
        { "intelRdt", &intel_rdt, OPTIONAL }, { "personality", &personality, OPTIONAL });

static const AtmShapeField bundle_fields[] = {
  { "ociVersion", &filled, MANDATORY },
  { "process", &process, MANDATORY },
  { "root", &root, MANDATORY },
  { "hostname", &string, OPTIONAL },
  { "domainname", &string, OPTIONAL },
  { "mounts", &mounts, OPTIONAL },
  { "hooks", &hooks, OPTIONAL },
  { "annotations", &string_map, OPTIONAL },
  { "linux", &linux_part, OPTIONAL },
  { "solaris", &foreign, OPTIONAL },
  { "windows", &foreign, OPTIONAL },
  { "vm", &foreign, OPTIONAL },
  { NULL, NULL, FALSE },
};

const AtmShape atm_bundle_shape = { .kind = ATM_SHAPE_OBJECT, .fields = bundle_fields };
