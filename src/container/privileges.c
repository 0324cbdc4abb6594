/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/privileges.h"

#include <string.h>

#include "container/bundle.h"

#define LIST_MAX 41 /* the kernel of today has so many capabilities */

/* How a folder or file of the host is bound. */
typedef struct
{
  gboolean writable;
  gboolean shared; /* what is mounted below it inside is mounted on the host, too */
} Bind;

/* The kinds of namespaces that keep something of the host away; “” is a namespace of its own, NULL
   the host's, all else the path of one that is joined. */
static const struct
{
  const char *type;
  const char *shares;
} namespaces[] = {
  { "network", "shares the network of the host" },
  { "pid", "sees all processes of the host" },
  { "ipc", "shares the memory and message queues of the host (IPC namespace)" },
  { "uts", "shares the host name of the host" },
  { "mount", "shares the mounts of the host" },
  { "cgroup", "sees all control groups of the host" },
  { "user", "has the users of the host, without a user namespace of its own" },
};

#define USER_NAMESPACE (G_N_ELEMENTS (namespaces) - 1)

/* All tables (owned); but for the first, sets of strings. */
struct _AtmPrivileges
{
  GHashTable *binds; /* (element-type utf8 Bind): by absolute source */
  GHashTable *capabilities;
  GHashTable *mounts;
  GHashTable *devices;
  GHashTable *hooks;
  GHashTable *masked;
  GHashTable *readonly;
  GHashTable *calls; /* what the filter of system calls lets through */
  GHashTable *host_files;
  char *joined[G_N_ELEMENTS (namespaces)]; /* (owned) (nullable) */
  gboolean runs;                           /* there is a configuration at all */
  gboolean all_devices;
  gboolean filtered;  /* seccomp */
  gboolean all_calls; /* filtered, but what is not named is let through */
  gboolean apparmor;
  gboolean selinux;
  gboolean no_new_privileges;
  gboolean root;
};

/* ---- reading ---- */

static JsonNode *
get_member (JsonObject *object, const char *name)
{
  return object != NULL ? json_object_get_member (object, name) : NULL;
}

static JsonObject *
get_object (JsonObject *object, const char *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static JsonArray *
get_array (JsonObject *object, const char *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static const char *
get_string (JsonObject *object, const char *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : "";
}

static gboolean
get_boolean (JsonObject *object, const char *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_BOOLEAN
         && json_node_get_boolean (node);
}

static gint64
get_integer (JsonObject *object, const char *name, gint64 otherwise)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_INT64 ? json_node_get_int (node)
                                                                         : otherwise;
}

static guint
length_of (JsonArray *array)
{
  return array != NULL ? json_array_get_length (array) : 0;
}

/* NULL if it is no object. */
static JsonObject *
get_item (JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element (array, i);

  return JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static void
add_strings (GHashTable *set, JsonArray *array)
{
  for (guint i = 0; i < length_of (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);

      if (json_node_get_value_type (node) == G_TYPE_STRING)
        g_hash_table_add (set, json_node_dup_string (node));
    }
}

/* The five sets of today, and the one array of before (system-image.md 4.4). */
static void
read_capabilities (AtmPrivileges *privileges, JsonObject *process, JsonObject *linux_part)
{
  const char *const sets[] = { "bounding", "effective", "permitted", "inheritable", "ambient" };
  JsonObject *object = get_object (process, "capabilities");

  for (guint i = 0; i < G_N_ELEMENTS (sets); i++)
    add_strings (privileges->capabilities, get_array (object, sets[i]));
  add_strings (privileges->capabilities, get_array (process, "capabilities"));
  add_strings (privileges->capabilities, get_array (linux_part, "capabilities"));
}

/* The last one counts, as for the runtimes. */
static gboolean
has_option (JsonObject *mount, const char *const *yes, const char *const *no, gboolean otherwise)
{
  JsonArray *options = get_array (mount, "options");
  gboolean has = otherwise;

  for (guint i = 0; i < length_of (options); i++)
    {
      JsonNode *node = json_array_get_element (options, i);
      const char *option
          = json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : "";

      if (g_strv_contains (yes, option))
        has = TRUE;
      else if (g_strv_contains (no, option))
        has = FALSE;
    }
  return has;
}

/* The same source twice: what the one or the other allows. */
static void
add_bind (AtmPrivileges *privileges, const char *source, gboolean writable, gboolean shared)
{
  g_autofree char *path = g_canonicalize_filename (source, "/");
  Bind *bind = g_hash_table_lookup (privileges->binds, path);

  if (bind == NULL)
    {
      bind = g_new0 (Bind, 1);
      g_hash_table_insert (privileges->binds, g_steal_pointer (&path), bind);
    }
  bind->writable |= writable;
  bind->shared |= shared;
}

static void
read_mount (AtmPrivileges *privileges, JsonObject *mount)
{
  const char *const bind[] = { "bind", "rbind", NULL }, *const none[] = { NULL },
                    *const ro[] = { "ro", "rro", NULL }, *const rw[] = { "rw", "rrw", NULL },
                    *const shared[] = { "shared", "rshared", NULL },
                    *const apart[] = { "private",    "rprivate",    "slave", "rslave",
                                       "unbindable", "runbindable", NULL };
  /* What the kernel makes up for the container alone; sysfs and cgroups are the host's. */
  const char *const own[] = { "", "proc", "tmpfs", "devpts", "mqueue", "ramfs", NULL };
  const char *const visible[] = { "sysfs", "cgroup", "cgroup2", NULL };
  const char *type = get_string (mount, "type"), *source = get_string (mount, "source");
  gboolean writable = !has_option (mount, ro, rw, FALSE);

  if (strstr (type, "bind") != NULL || has_option (mount, bind, none, FALSE))
    {
      if (g_path_is_absolute (source))
        add_bind (privileges, source, writable, has_option (mount, shared, apart, FALSE));
    }
  else if (!g_strv_contains (own, type) && (writable || !g_strv_contains (visible, type)))
    g_hash_table_add (privileges->mounts, g_strdup_printf ("%s (%s)", source, type));
}

static void
read_namespaces (AtmPrivileges *privileges, JsonObject *linux_part)
{
  JsonArray *array = get_array (linux_part, "namespaces");

  for (guint i = 0; i < G_N_ELEMENTS (namespaces); i++)
    g_clear_pointer (&privileges->joined[i], g_free);
  for (guint i = 0; i < length_of (array); i++)
    for (guint k = 0; k < G_N_ELEMENTS (namespaces); k++)
      if (g_str_equal (get_string (get_item (array, i), "type"), namespaces[k].type))
        {
          g_free (privileges->joined[k]);
          privileges->joined[k] = g_strdup (get_string (get_item (array, i), "path"));
        }
}

/* “c 10:200 rwm”, with “*” for all numbers (config-linux.md, "Allowed Device list"). */
static char *
device_rule (JsonObject *rule)
{
  gint64 major = get_integer (rule, "major", -1), minor = get_integer (rule, "minor", -1);
  g_autofree char *first
      = major < 0 ? g_strdup ("*") : g_strdup_printf ("%" G_GINT64_FORMAT, major);
  g_autofree char *second
      = minor < 0 ? g_strdup ("*") : g_strdup_printf ("%" G_GINT64_FORMAT, minor);
  const char *type = get_string (rule, "type");

  return g_strdup_printf ("%s %s:%s %s", *type != '\0' ? type : "a", first, second,
                          get_string (rule, "access"));
}

/* Rules apply in their order; one for all devices makes those before it void. */
static void
read_devices (AtmPrivileges *privileges, JsonObject *linux_part)
{
  JsonArray *rules = get_array (get_object (linux_part, "resources"), "devices");
  JsonArray *nodes = get_array (linux_part, "devices");

  for (guint i = 0; i < length_of (rules); i++)
    {
      JsonObject *rule = get_item (rules, i);
      const char *type = get_string (rule, "type");
      gboolean all = (*type == '\0' || *type == 'a') && get_integer (rule, "major", -1) < 0
                     && get_integer (rule, "minor", -1) < 0;

      if (all)
        {
          privileges->all_devices = get_boolean (rule, "allow");
          g_hash_table_remove_all (privileges->devices);
        }
      else if (get_boolean (rule, "allow"))
        g_hash_table_add (privileges->devices, device_rule (rule));
    }
  for (guint i = 0; i < length_of (nodes); i++)
    g_hash_table_add (privileges->devices, g_strdup (get_string (get_item (nodes, i), "path")));
}

/* config.md, "POSIX-platform Hooks": all but startContainer are programs of the host. */
static void
read_hooks (AtmPrivileges *privileges, JsonObject *hooks)
{
  const char *const kinds[]
      = { "prestart", "createRuntime", "createContainer", "poststart", "poststop" };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      JsonArray *array = get_array (hooks, kinds[i]);

      for (guint k = 0; k < length_of (array); k++)
        g_hash_table_add (privileges->hooks, g_strdup (get_string (get_item (array, k), "path")));
    }
}

static void
read_seccomp (AtmPrivileges *privileges, JsonObject *seccomp)
{
  const char *const lets[] = { "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", NULL };
  JsonArray *rules = get_array (seccomp, "syscalls");

  privileges->all_calls = g_strv_contains (lets, get_string (seccomp, "defaultAction"));
  privileges->filtered = seccomp != NULL && (!privileges->all_calls || length_of (rules) > 0);
  for (guint i = 0; i < length_of (rules); i++)
    if (g_strv_contains (lets, get_string (get_item (rules, i), "action")))
      add_strings (privileges->calls, get_array (get_item (rules, i), "names"));
}

/* On the host, that is: a user namespace may map it to somebody else. */
static gboolean
is_root (const AtmPrivileges *privileges, JsonObject *process, JsonObject *linux_part)
{
  JsonArray *mappings = get_array (linux_part, "uidMappings");

  if (privileges->joined[USER_NAMESPACE] == NULL)
    return get_integer (get_object (process, "user"), "uid", 0) == 0;
  for (guint i = 0; i < length_of (mappings); i++)
    if (get_integer (get_item (mappings, i), "hostID", 0) == 0)
      return TRUE;
  return FALSE;
}

static void
read_config (AtmPrivileges *privileges, JsonObject *config)
{
  JsonObject *process = get_object (config, "process"), *linux_part = get_object (config, "linux");
  JsonArray *mounts = get_array (config, "mounts");
  const char *apparmor = get_string (process, "apparmorProfile");
  const char *selinux = get_string (process, "selinuxLabel");

  privileges->runs = TRUE;
  read_capabilities (privileges, process, linux_part);
  for (guint i = 0; i < MIN (length_of (mounts), ATM_MOUNTS_MAX); i++)
    if (get_item (mounts, i) != NULL)
      read_mount (privileges, get_item (mounts, i));
  read_namespaces (privileges, linux_part);
  read_devices (privileges, linux_part);
  read_hooks (privileges, get_object (config, "hooks"));
  read_seccomp (privileges, get_object (linux_part, "seccomp"));
  add_strings (privileges->masked, get_array (linux_part, "maskedPaths"));
  add_strings (privileges->readonly, get_array (linux_part, "readonlyPaths"));
  privileges->apparmor = *apparmor != '\0' && !g_str_equal (apparmor, "unconfined");
  privileges->selinux = *selinux != '\0' && strstr (selinux, ":spc_t:") == NULL
                        && strstr (selinux, ":unconfined_t:") == NULL;
  privileges->no_new_privileges = get_boolean (process, "noNewPrivileges");
  privileges->root = is_root (privileges, process, linux_part);
}

static GHashTable *
new_set (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

AtmPrivileges *
atm_privileges_new (JsonObject *config, GHashTable *host_files)
{
  AtmPrivileges *privileges = g_new0 (AtmPrivileges, 1);
  GHashTableIter iter;
  gpointer path = NULL;

  privileges->binds = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  privileges->capabilities = new_set ();
  privileges->mounts = new_set ();
  privileges->devices = new_set ();
  privileges->hooks = new_set ();
  privileges->masked = new_set ();
  privileges->readonly = new_set ();
  privileges->calls = new_set ();
  privileges->host_files = new_set ();
  /* What nobody runs is confined in all ways, but that nobody has users of his own. */
  for (guint i = 0; i < USER_NAMESPACE; i++)
    privileges->joined[i] = g_strdup ("");
  privileges->filtered = TRUE;
  privileges->no_new_privileges = TRUE;
  if (config != NULL && json_object_get_size (config) > 0)
    read_config (privileges, config);

  if (host_files != NULL)
    g_hash_table_iter_init (&iter, host_files);
  while (host_files != NULL && g_hash_table_iter_next (&iter, &path, NULL))
    g_hash_table_add (privileges->host_files, g_strdup (path));
  return privileges;
}

void
atm_privileges_free (AtmPrivileges *privileges)
{
  if (privileges == NULL)
    return;
  g_hash_table_unref (privileges->binds);
  g_hash_table_unref (privileges->capabilities);
  g_hash_table_unref (privileges->mounts);
  g_hash_table_unref (privileges->devices);
  g_hash_table_unref (privileges->hooks);
  g_hash_table_unref (privileges->masked);
  g_hash_table_unref (privileges->readonly);
  g_hash_table_unref (privileges->calls);
  g_hash_table_unref (privileges->host_files);
  for (guint i = 0; i < G_N_ELEMENTS (namespaces); i++)
    g_free (privileges->joined[i]);
  g_free (privileges);
}

/* ---- comparing ---- */

typedef struct
{
  GPtrArray *sentences; /* (owned) */
  guint left;           /* how many there is no room for */
} Told;

static void tell (Told *told, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
tell (Told *told, const char *format, ...)
{
  va_list args;

  if (told->sentences->len == ATM_PRIVILEGES_TOLD_MAX)
    {
      told->left++;
      return;
    }
  va_start (args, format);
  g_ptr_array_add (told->sentences, g_strdup_vprintf (format, args));
  va_end (args);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Keys of @new that @old has not, sorted; (transfer container). */
static GPtrArray *
find_more (GHashTable *old, GHashTable *new)
{
  GPtrArray *more = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key = NULL;

  g_hash_table_iter_init (&iter, new);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (!g_hash_table_contains (old, key))
      g_ptr_array_add (more, key);
  g_ptr_array_sort (more, compare_strings);
  return more;
}

/* One sentence for each of @new that is not in @old. */
static void
tell_each (Told *told, GHashTable *old, GHashTable *new, const char *begin, const char *end)
{
  g_autoptr (GPtrArray) more = find_more (old, new);

  for (guint i = 0; i < more->len; i++)
    tell (told, "%s%s%s", begin, (const char *) more->pdata[i], end);
}

/* One sentence for all of them, though no longer than can be read. */
static void
tell_all (Told *told, GHashTable *old, GHashTable *new, const char *begin)
{
  g_autoptr (GPtrArray) more = find_more (old, new);
  g_autofree char *list = NULL;
  guint left = more->len - MIN (more->len, LIST_MAX);

  if (more->len == 0)
    return;
  g_ptr_array_set_size (more, (int) (more->len - left));
  g_ptr_array_add (more, NULL);
  list = g_strjoinv (", ", (char **) more->pdata);
  if (left > 0)
    tell (told, "%s%s and %u more", begin, list, left);
  else
    tell (told, "%s%s", begin, list);
}

static gboolean
is_below (const char *path, const char *folder)
{
  gsize length = strlen (folder);

  return g_str_equal (folder, "/")
         || (g_str_has_prefix (path, folder) && (path[length] == '\0' || path[length] == '/'));
}

/* What was bound before, or a folder above it, gives the same. */
static void
tell_bind (Told *told, GHashTable *old, const char *source, const Bind *bind)
{
  gboolean reads = FALSE, writes = FALSE, shares = FALSE;
  GHashTableIter iter;
  gpointer above = NULL, value = NULL;

  g_hash_table_iter_init (&iter, old);
  while (g_hash_table_iter_next (&iter, &above, &value))
    if (is_below (source, above))
      {
        const Bind *before = value;

        reads = TRUE;
        writes |= before->writable;
        shares |= before->shared;
      }
  if (bind->writable && !writes)
    tell (told,
          reads ? "can write to %s of the host, which it could only read"
                : "can read and write %s of the host",
          source);
  else if (!reads)
    tell (told, "can read %s of the host", source);
  if (bind->shared && !shares)
    tell (told, "can mount on the host, below %s", source);
}

static void
tell_namespaces (Told *told, const AtmPrivileges *old, const AtmPrivileges *new)
{
  for (guint i = 0; i < G_N_ELEMENTS (namespaces); i++)
    {
      const char *before = old->joined[i], *now = new->joined[i];

      /* who shared the host's has nothing left to gain */
      if (before == NULL || g_strcmp0 (before, now) == 0)
        continue;
      if (now == NULL)
        tell (told, "%s", namespaces[i].shares);
      else if (*now != '\0')
        tell (told, "joins the %s namespace %s", namespaces[i].type, now);
    }
}

static void
tell_confinement (Told *told, const AtmPrivileges *old, const AtmPrivileges *new)
{
  if (old->filtered && !new->filtered)
    tell (told, "can make any system call (no seccomp filter)");
  else if (old->filtered && new->all_calls && !old->all_calls)
    tell (told, "can make all system calls but those that its seccomp filter names");
  else if (old->runs && old->filtered && !old->all_calls)
    tell_all (told, old->calls, new->calls, "can make more system calls: ");
  if (old->apparmor && !new->apparmor)
    tell (told, "is no longer confined by AppArmor");
  if (old->selinux && !new->selinux)
    tell (told, "is no longer confined by SELinux");
  if (old->no_new_privileges && !new->no_new_privileges)
    tell (told, "can gain privileges by set-user-ID programs (noNewPrivileges is off)");
  if (new->root && !old->root)
    tell (told, "runs as root");
}

static void
tell_paths (Told *told, const AtmPrivileges *old, const AtmPrivileges *new)
{
  g_autoptr (GPtrArray) seen = find_more (new->masked, old->masked);
  g_autoptr (GPtrArray) writable = find_more (new->readonly, old->readonly);

  for (guint i = 0; i < seen->len; i++)
    tell (told, "can see %s, which was hidden", (const char *) seen->pdata[i]);
  for (guint i = 0; i < writable->len; i++)
    if (!g_hash_table_contains (new->masked, writable->pdata[i]))
      tell (told, "can write to %s, which was read-only", (const char *) writable->pdata[i]);
}

static void
tell_binds (Told *told, const AtmPrivileges *old, const AtmPrivileges *new)
{
  g_autoptr (GHashTable) none = new_set ();
  g_autoptr (GPtrArray) sources = find_more (none, new->binds);

  for (guint i = 0; i < sources->len; i++)
    tell_bind (told, old->binds, sources->pdata[i],
               g_hash_table_lookup (new->binds, sources->pdata[i]));
}

char **
atm_privileges_compare (const AtmPrivileges *old, const AtmPrivileges *new)
{
  g_autoptr (GPtrArray) sentences = g_ptr_array_new_with_free_func (g_free);
  Told told = { .sentences = sentences };

  tell_all (&told, old->capabilities, new->capabilities, "gets more capabilities: ");
  tell_binds (&told, old, new);
  tell_each (&told, old->mounts, new->mounts, "mounts ", " of the host");
  tell_namespaces (&told, old, new);
  if (new->all_devices && !old->all_devices)
    tell (&told, "can use all devices of the host");
  else if (!old->all_devices)
    tell_each (&told, old->devices, new->devices, "can use the device ", "");
  tell_each (&told, old->hooks, new->hooks, "runs ", " on the host, as root (a hook)");
  tell_confinement (&told, old, new);
  tell_paths (&told, old, new);
  tell_each (&told, old->host_files, new->host_files, "puts the file ", " on the host");

  if (told.left > 0)
    g_ptr_array_add (sentences, g_strdup_printf ("and %u things more", told.left));
  g_ptr_array_add (sentences, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&sentences), FALSE);
}
