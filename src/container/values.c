/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/values.h"

#include <string.h>
#include <unistd.h>

#include "container/template.h"
#include "util/error.h"

/* Values that are computed anew each time, whoever says otherwise. */
static const char *const forced[] = {
  "NAME",     "DESTDIR",    "EXEC_START", "EXEC_STOP", "EXEC_STARTPRE", "EXEC_STOPPOST", "HOST_UID",
  "HOST_GID", "IMAGE_NAME", "IMAGE_ID",   NULL,
};

/* Values that the tool has unless the user says otherwise; atm_values_resolve() computes them. */
static const char *const supplied[] = {
  "RUN_DIRECTORY",
  "PIDFILE",
  "CONF_DIRECTORY",
  "STATE_DIRECTORY",
  "ALL_PROCESS_CAPABILITIES",
  "RUNTIME",
  "ATOMIC",
  "UUID",
  NULL,
};

/* What the Python tool kept in `info` although only the tool of the day can know it. */
static const char *const frozen_by_python[] = {
  "RUNTIME",
  "ATOMIC",
  "ALL_PROCESS_CAPABILITIES",
  NULL,
};

/* In the order of the kernel's numbers (capabilities(7), linux/capability.h). */
static const char *const capabilities[] = {
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
};

static GHashTable *
new_table (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static void
put (GHashTable *table, const char *name, const char *value)
{
  g_hash_table_insert (table, g_strdup (name), g_strdup (value));
}

static void
put_default (GHashTable *table, const char *name, const char *value)
{
  if (!g_hash_table_contains (table, name))
    put (table, name, value);
}

static void
put_all (GHashTable *table, GHashTable *more)
{
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, more);
  while (g_hash_table_iter_next (&iter, &name, &value))
    put (table, name, value);
}

static void
remove_names (GHashTable *table, const char *const *names)
{
  for (guint i = 0; names[i] != NULL; i++)
    g_hash_table_remove (table, names[i]);
}

/* Only the Python tool stored forced variables, and with them everything it had supplied. */
static gboolean
is_pythons (GHashTable *stored)
{
  return g_hash_table_contains (stored, "EXEC_START");
}

/* What the user said: @set over @stored, without what is not for the user to say. */
static GHashTable *
dup_user_values (GHashTable *set, GHashTable *stored)
{
  g_autoptr (GHashTable) table = new_table ();

  if (stored != NULL)
    {
      put_all (table, stored);
      if (is_pythons (stored))
        remove_names (table, frozen_by_python);
    }
  if (set != NULL)
    put_all (table, set);
  remove_names (table, forced);
  return g_steal_pointer (&table);
}

gboolean
atm_values_parse_set (char **settings, GHashTable **values_out, GError **error)
{
  g_autoptr (GHashTable) values = new_table ();

  for (guint i = 0; settings != NULL && settings[i] != NULL; i++)
    {
      const char *equals = strchr (settings[i], '=');

      if (equals == NULL || equals == settings[i])
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                          "Invalid value '%s'.  Expected form NAME=VALUE", settings[i]);
      /* It is kept in `info`, and JSON is UTF-8. */
      if (!g_utf8_validate (settings[i], -1, NULL))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                          "Invalid value '%s'.  It is not UTF-8 text", settings[i]);
      g_hash_table_insert (values, g_strndup (settings[i], (gsize) (equals - settings[i])),
                           g_strdup (equals + 1));
    }

  *values_out = g_steal_pointer (&values);
  return TRUE;
}

/* What systemd itself may still hand on: in a container, or with CapabilityBoundingSet= of
   systemd-system.conf(5), that is less than the kernel knows, and a runtime refuses the rest. */
static guint64
read_bounding_set (void)
{
  g_autofree char *status = NULL;
  const char *line = NULL;

  if (!g_file_get_contents ("/proc/1/status", &status, NULL, NULL)
      || (line = strstr (status, "\nCapBnd:")) == NULL)
    return G_MAXUINT64;
  return g_ascii_strtoull (line + strlen ("\nCapBnd:"), NULL, 16);
}

/* “"CAP_CHOWN",⏎"CAP_…"⏎”: images put it between the brackets of a JSON array. */
static char *
dup_capabilities (void)
{
  g_autofree char *last_text = NULL;
  guint64 granted = read_bounding_set ();
  guint64 last = 0;
  GString *text = g_string_new (NULL);

  if (!g_file_get_contents ("/proc/sys/kernel/cap_last_cap", &last_text, NULL, NULL)
      || !g_ascii_string_to_unsigned (g_strstrip (last_text), 10, 0, 63, &last, NULL))
    last = G_N_ELEMENTS (capabilities) - 1;
  for (guint i = 0; i <= last && i < G_N_ELEMENTS (capabilities); i++)
    if ((granted & (G_GUINT64_CONSTANT (1) << i)) != 0)
      g_string_append_printf (text, "%s\"CAP_%s\"", text->len > 0 ? ",\n" : "", capabilities[i]);
  g_string_append_c (text, '\n');
  return g_string_free (text, FALSE);
}

/* In this form systemd follows the container's own process by its PID file. */
static gboolean
wants_pid_file (const AtmExports *exports)
{
  return exports->service_template != NULL
         && atm_template_uses (exports->service_template, "EXEC_STOPPOST")
         && atm_template_uses (exports->service_template, "PIDFILE");
}

/* system-image.md 3.4, without --systemd-cgroup (DESIGN section 9, cgroup). */
static void
put_exec_directives (GHashTable *values, const AtmExports *exports, const AtmToolValues *tool)
{
  const char *cgroup = tool->no_cgroups ? " --cgroup-manager=disabled" : "";
  const char *pid_file = g_hash_table_lookup (values, "PIDFILE");
  g_autofree char *start = NULL, *stop = NULL, *start_pre = NULL, *stop_post = NULL;

  if (tool->pid_file && wants_pid_file (exports))
    {
      start = g_strdup_printf ("%s%s run -d --pid-file %s '%s'", tool->runtime, cgroup, pid_file,
                               tool->name);
      stop = g_strdup ("");
      stop_post = g_strdup_printf ("%s delete '%s'", tool->runtime, tool->name);
    }
  else
    {
      start = g_strdup_printf ("%s%s run '%s'", tool->runtime, cgroup, tool->name);
      stop = g_strdup_printf ("%s kill '%s'", tool->runtime, tool->name);
      stop_post = g_strdup ("");
    }
  /* The Python tool left it empty. A runtime that was killed leaves its container's state, and the
     next “run” says that the container exists; so what is left goes first. When nothing is left
     some runtimes call that an error: “-” lets systemd go on. */
  start_pre = g_strdup_printf ("-%s delete --force '%s'", tool->runtime, tool->name);

  put (values, "EXEC_START", start);
  put (values, "EXEC_STOP", stop);
  put (values, "EXEC_STARTPRE", start_pre);
  put (values, "EXEC_STOPPOST", stop_post);
}

GHashTable *
atm_values_resolve (const AtmExports *exports, const AtmToolValues *tool, GHashTable *set,
                    GHashTable *stored)
{
  g_autoptr (GHashTable) values = dup_user_values (set, stored);
  g_autofree char *all_capabilities = dup_capabilities ();
  g_autofree char *uid = g_strdup_printf ("%u", (guint) getuid ());
  g_autofree char *gid = g_strdup_printf ("%u", (guint) getgid ());
  g_autofree char *uuid = g_uuid_string_random ();
  g_autofree char *pid_file = NULL;
  GHashTableIter iter;
  gpointer name, value;

  put_default (values, "RUN_DIRECTORY", "/run");
  pid_file = g_strdup_printf ("%s/container-%s.pid",
                              (char *) g_hash_table_lookup (values, "RUN_DIRECTORY"), tool->name);
  put_default (values, "PIDFILE", pid_file);
  put_default (values, "CONF_DIRECTORY", "/etc");
  put_default (values, "STATE_DIRECTORY", "/var/lib");
  put_default (values, "ALL_PROCESS_CAPABILITIES", all_capabilities);
  put_default (values, "RUNTIME", tool->runtime);
  put_default (values, "ATOMIC", tool->atomic);

  put (values, "NAME", tool->name);
  put (values, "DESTDIR", tool->destdir);
  put (values, "IMAGE_NAME", tool->image_name);
  put (values, "IMAGE_ID", tool->image_id);
  put (values, "HOST_UID", uid);
  put (values, "HOST_GID", gid);
  put_exec_directives (values, exports, tool);

  g_hash_table_iter_init (&iter, exports->default_values);
  while (g_hash_table_iter_next (&iter, &name, &value))
    put_default (values, name, value);
  put_default (values, "UUID", uuid);
  return g_steal_pointer (&values);
}

GHashTable *
atm_values_to_store (GHashTable *values, GHashTable *set, GHashTable *stored)
{
  g_autoptr (GHashTable) table = dup_user_values (set, stored);

  put (table, "UUID", g_hash_table_lookup (values, "UUID"));
  return g_steal_pointer (&table);
}

GHashTable *
atm_values_dup_kept (GHashTable *stored, const AtmExports *exports)
{
  g_autoptr (GHashTable) table = dup_user_values (NULL, stored);
  GHashTableIter iter;
  gpointer name, value;

  if (exports == NULL || !is_pythons (stored))
    return g_steal_pointer (&table);
  g_hash_table_iter_init (&iter, exports->default_values);
  while (g_hash_table_iter_next (&iter, &name, &value))
    if (!g_str_equal (name, "UUID") && g_strcmp0 (g_hash_table_lookup (table, name), value) == 0)
      g_hash_table_remove (table, name);
  return g_steal_pointer (&table);
}

gboolean
atm_values_would_change (GHashTable *set, GHashTable *stored)
{
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, set);
  while (g_hash_table_iter_next (&iter, &name, &value))
    if (atm_values_get_kind (name) != ATM_VALUE_FORCED
        && g_strcmp0 (g_hash_table_lookup (stored, name), value) != 0)
      return TRUE;
  return FALSE;
}

AtmValueKind
atm_values_get_kind (const char *name)
{
  if (g_strv_contains (forced, name))
    return ATM_VALUE_FORCED;
  return g_strv_contains (supplied, name) ? ATM_VALUE_SUPPLIED : ATM_VALUE_OF_IMAGE;
}
