/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle-default.h"

#include <limits.h>
#include <string.h>

#include "container/bundle-user.h"
#include "container/bundle.h"
#include "container/seccomp.h"
#include "container/volume.h"
#include "util/error.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HOSTNAME_MAX 64 /* sethostname(2) */

/* Docker's default capabilities without MKNOD and NET_RAW: no device cgroup stands behind ours
   (limits belong to the unit), so a node of the host's disk would open it; and on the host's
   network raw sockets would read everybody's packets. No network namespace: containers that come
   before any network plug-in live on the host's. */
static const char *const capabilities[] = {
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
  "CAP_NET_BIND_SERVICE",
  NULL,
};

/* /run and /tmp before all binds, which may be below them. */
static const char frame[]
    = "{ \"ociVersion\": \"1.0.2\","
      "  \"process\": {"
      "    \"terminal\": false,"
      "    \"noNewPrivileges\": true },"
      "  \"root\": { \"path\": \"rootfs\", \"readonly\": true },"
      "  \"mounts\": ["
      "    { \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\","
      "      \"options\": [\"nosuid\", \"noexec\", \"nodev\"] },"
      "    { \"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\","
      "      \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"] },"
      "    { \"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\","
      "      \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\","
      "                    \"mode=0620\", \"gid=5\"] },"
      "    { \"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\","
      "      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"] },"
      "    { \"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\","
      "      \"options\": [\"nosuid\", \"noexec\", \"nodev\"] },"
      "    { \"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\","
      "      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"] },"
      "    { \"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\","
      "      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"] },"
      "    { \"destination\": \"/tmp\", \"type\": \"tmpfs\", \"source\": \"tmpfs\","
      "      \"options\": [\"nosuid\", \"nodev\", \"mode=1777\"] },"
      "    { \"destination\": \"/run\", \"type\": \"tmpfs\", \"source\": \"tmpfs\","
      "      \"options\": [\"nosuid\", \"nodev\", \"mode=755\"] },"
      "    { \"destination\": \"/etc/resolv.conf\", \"type\": \"bind\","
      "      \"source\": \"/etc/resolv.conf\","
      "      \"options\": [\"rbind\", \"ro\", \"nosuid\", \"noexec\", \"nodev\"] },"
      "    { \"destination\": \"/etc/hosts\", \"type\": \"bind\", \"source\": \"/etc/hosts\","
      "      \"options\": [\"rbind\", \"ro\", \"nosuid\", \"noexec\", \"nodev\"] } ],"
      "  \"linux\": {"
      "    \"resources\": {},"
      "    \"namespaces\": [ { \"type\": \"pid\" }, { \"type\": \"ipc\" }, { \"type\": \"uts\" },"
      "                      { \"type\": \"mount\" } ],"
      "    \"maskedPaths\": [ \"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\","
      "                       \"/proc/latency_stats\", \"/proc/timer_list\","
      "                       \"/proc/timer_stats\", \"/proc/sched_debug\", \"/proc/scsi\","
      "                       \"/sys/firmware\", \"/sys/devices/virtual/powercap\" ],"
      "    \"readonlyPaths\": [ \"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\","
      "                         \"/proc/sysrq-trigger\" ] } }";

static void
add_strings (JsonArray *array, char **strings)
{
  for (guint i = 0; strings != NULL && strings[i] != NULL; i++)
    json_array_add_string_element (array, strings[i]);
}

static JsonObject *
new_capabilities (void)
{
  const char *const sets[] = { "bounding", "effective", "permitted" };
  JsonObject *object = json_object_new ();

  for (guint i = 0; i < G_N_ELEMENTS (sets); i++)
    {
      JsonArray *array = json_array_new ();

      for (guint j = 0; capabilities[j] != NULL; j++)
        json_array_add_string_element (array, capabilities[j]);
      json_object_set_array_member (object, sets[i], array);
    }
  return object;
}

static gboolean
has_variable (char **env, const char *prefix)
{
  for (guint i = 0; env != NULL && env[i] != NULL; i++)
    if (g_str_has_prefix (env[i], prefix))
      return TRUE;
  return FALSE;
}

static JsonArray *
new_environment (char **env, const char *home, GPtrArray *notices)
{
  JsonArray *array = json_array_new ();

  if (!has_variable (env, "PATH="))
    json_array_add_string_element (array, DEFAULT_PATH);
  if (!has_variable (env, "HOME="))
    {
      g_autofree char *variable = g_strconcat ("HOME=", home, NULL);

      json_array_add_string_element (array, variable);
    }
  for (guint i = 0; env != NULL && env[i] != NULL; i++)
    {
      const char *equals = strchr (env[i], '=');

      if (equals != NULL && equals != env[i])
        json_array_add_string_element (array, env[i]);
      else
        g_ptr_array_add (notices, g_strdup_printf ("“%s” in the environment of the image has no "
                                                   "form NAME=VALUE; it is left out",
                                                   env[i]));
    }
  return array;
}

static JsonObject *
new_user (const AtmBundleUser *user)
{
  JsonObject *object = json_object_new ();

  json_object_set_int_member (object, "uid", user->uid);
  json_object_set_int_member (object, "gid", user->gid);
  if (user->groups->len > 0)
    {
      JsonArray *groups = json_array_new ();

      for (guint i = 0; i < user->groups->len; i++)
        json_array_add_int_element (groups, g_array_index (user->groups, guint32, i));
      json_object_set_array_member (object, "additionalGids", groups);
    }
  return object;
}

/* “/var/lib/my_data” is “var-lib-my_5fdata”: one component, and no two paths share one. */
static char *
escape_volume (const char *path)
{
  GString *name = g_string_new (NULL);

  for (const char *p = path + 1; *p != '\0'; p++)
    {
      if (*p == '/')
        g_string_append_c (name, '-');
      else if (g_ascii_isalnum (*p) || (*p == '.' && p > path + 1))
        g_string_append_c (name, *p);
      else
        g_string_append_printf (name, "_%02x", (guchar) *p);
    }
  return g_string_free (name, FALSE);
}

static gboolean
add_volumes (JsonArray *mounts, char **volumes, GHashTable *values, GPtrArray *result,
             GError **error)
{
  const char *state = g_hash_table_lookup (values, "STATE_DIRECTORY");
  const char *container = g_hash_table_lookup (values, "NAME");

  for (guint i = 0; volumes != NULL && volumes[i] != NULL; i++)
    {
      const char *const options[] = { "rbind", "rw", "nosuid", "nodev" };
      g_autofree char *path = g_canonicalize_filename (volumes[i], "/");
      g_autofree char *name = escape_volume (path);
      g_autofree char *source = g_build_filename (state, container, name, NULL);
      JsonObject *mount = NULL;
      JsonArray *list = NULL;

      if (i == ATM_VOLUMES_MAX)
        return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                          "The image has more than %u volumes", ATM_VOLUMES_MAX);
      if (*name == '\0' || strlen (name) > NAME_MAX)
        return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                          "“%s” cannot be a volume of the image: it is the root, or too long",
                          volumes[i]);

      mount = json_object_new ();
      json_object_set_string_member (mount, "destination", path);
      json_object_set_string_member (mount, "type", "bind");
      json_object_set_string_member (mount, "source", source);
      list = json_array_new ();
      for (guint j = 0; j < G_N_ELEMENTS (options); j++)
        json_array_add_string_element (list, options[j]);
      json_object_set_array_member (mount, "options", list);
      json_array_add_object_element (mounts, mount);
      g_ptr_array_add (result, atm_volume_new (path, source));
    }
  return TRUE;
}

static gboolean
fill_in (JsonObject *object, GHashTable *values, const AtmImageConfig *config, int rootfs_fd,
         GPtrArray *volumes, GPtrArray *notices, GError **error)
{
  g_auto (AtmBundleUser) user = { 0 };
  JsonObject *process = json_object_get_object_member (object, "process");
  const char *name = g_hash_table_lookup (values, "NAME");
  const char *working_dir = config->working_dir != NULL ? config->working_dir : "";
  g_autofree char *cwd = g_canonicalize_filename (working_dir, "/");
  JsonArray *args = NULL;

  if (!atm_bundle_user_find (config->user, rootfs_fd, &user, error))
    return FALSE;
  json_object_set_object_member (process, "user", new_user (&user));
  args = json_array_new ();
  add_strings (args, config->entrypoint);
  add_strings (args, config->cmd);
  json_object_set_array_member (process, "args", args);
  json_object_set_array_member (process, "env", new_environment (config->env, user.home, notices));
  json_object_set_string_member (process, "cwd", cwd);
  json_object_set_object_member (process, "capabilities", new_capabilities ());
  json_object_set_object_member (json_object_get_object_member (object, "linux"), "seccomp",
                                 atm_seccomp_new (capabilities));
  if (strlen (name) <= HOSTNAME_MAX)
    json_object_set_string_member (object, "hostname", name);

  return add_volumes (json_object_get_array_member (object, "mounts"), config->volumes, values,
                      volumes, error);
}

static gboolean
has_strings (char **strings)
{
  return strings != NULL && strings[0] != NULL;
}

gboolean
atm_bundle_default (GHashTable *values, const AtmImageConfig *config, int rootfs_fd,
                    GPtrArray *volumes, GPtrArray *notices, JsonNode **node_out, GError **error)
{
  g_autoptr (JsonNode) node = NULL;

  if (config == NULL || (!has_strings (config->entrypoint) && !has_strings (config->cmd)))
    return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                      "The image does not say what to run: it has neither "
                      "/exports/config.json(.template) nor an entrypoint or a command");

  node = json_from_string (frame, NULL);
  g_assert (node != NULL);
  if (!fill_in (json_node_get_object (node), values, config, rootfs_fd, volumes, notices, error))
    return FALSE;
  *node_out = g_steal_pointer (&node);
  return TRUE;
}
