/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle-fit.h"

#include <string.h>

#include "container/bundle.h"
#include "util/error.h"

#define OCI_VERSION "1.0.2" /* OCI runtime-spec; what runc 1.1 and crun 1.8 both know */

static gboolean
throw_type (GError **error, const char *member)
{
  return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                    "Invalid configuration file.  “%s” has the wrong type", member);
}

/* crun refuses versions before 1.0.0; the documents of then are otherwise what they are now. */
static gboolean
fit_version (JsonObject *object, GPtrArray *notices, gboolean *changed, GError **error)
{
  JsonNode *node = json_object_get_member (object, "ociVersion");
  const char *version = "";

  if (node != NULL && json_node_get_value_type (node) != G_TYPE_STRING)
    return throw_type (error, "ociVersion");
  if (node != NULL)
    version = json_node_get_string (node);
  if (*version != '\0' && !g_str_has_prefix (version, "0.")
      && !g_str_has_prefix (version, "1.0.0-"))
    return TRUE;

  g_ptr_array_add (notices, g_strdup_printf ("config.json is for version “%s” of the runtime "
                                             "specification; it is installed as %s",
                                             version, OCI_VERSION));
  json_object_set_string_member (object, "ociVersion", OCI_VERSION);
  *changed = TRUE;
  return TRUE;
}

static JsonObject *
get_object (JsonObject *object, const char *name)
{
  return json_object_has_member (object, name) ? json_object_get_object_member (object, name)
                                               : NULL;
}

/* The array that @object has as “capabilities”; NULL if that is in today's form or missing. */
static gboolean
get_capability_array (JsonObject *object, JsonArray **array_out, GError **error)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, "capabilities") : NULL;
  JsonArray *array = NULL;

  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return TRUE;
  array = json_node_get_array (node);
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (json_node_get_value_type (json_array_get_element (array, i)) != G_TYPE_STRING)
      return throw_type (error, "capabilities");
  *array_out = json_array_ref (array);
  return TRUE;
}

static JsonObject *
new_capability_sets (JsonArray *array)
{
  const char *const sets[] = { "bounding", "effective", "inheritable", "permitted", "ambient" };
  JsonObject *object = json_object_new ();

  for (guint i = 0; i < G_N_ELEMENTS (sets); i++)
    json_object_set_array_member (object, sets[i], json_array_ref (array));
  return object;
}

/* An array in “process” (1.0.0-rc3), or one in “linux” (0.3.0): one set for all purposes. */
static gboolean
fit_capabilities (JsonObject *object, GPtrArray *notices, gboolean *changed, GError **error)
{
  JsonObject *process = get_object (object, "process"), *linux_part = get_object (object, "linux");
  g_autoptr (JsonArray) ours = NULL, old = NULL;

  if (!get_capability_array (process, &ours, error)
      || !get_capability_array (linux_part, &old, error))
    return FALSE;
  if (old != NULL)
    json_object_remove_member (linux_part, "capabilities");
  if (ours == NULL && old != NULL && process != NULL
      && !json_object_has_member (process, "capabilities"))
    ours = json_array_ref (old);
  if (ours != NULL)
    json_object_set_object_member (process, "capabilities", new_capability_sets (ours));
  if (ours == NULL && old == NULL)
    return TRUE;

  g_ptr_array_add (notices, g_strdup ("config.json lists its capabilities in an old form; they are "
                                      "installed as the five sets of today"));
  *changed = TRUE;
  return TRUE;
}

/* The folder that systemd gives to a unit: names that could be files of the kernel's get a “_”
   (systemd: CGROUP_DELEGATION.md, cg_escape()). */
static char *
unit_cgroup (const char *name)
{
  const char *const controllers[]
      = { "blkio", "cgroup", "cpu",  "cpuacct", "cpuset",   "devices",    "freezer", "hugetlb",
          "io",    "memory", "misc", "net_cls", "net_prio", "perf_event", "pids",    "rdma" };
  g_autofree char *unit = g_strconcat (name, ".service", NULL);
  gboolean escape = unit[0] == '_' || unit[0] == '.';

  for (guint i = 0; i < G_N_ELEMENTS (controllers) && !escape; i++)
    escape = g_str_has_prefix (unit, controllers[i]) && unit[strlen (controllers[i])] == '.';
  return g_strconcat (escape ? "_" : "", unit, NULL);
}

static gboolean
fit_cgroup (JsonObject *object, const char *name, gboolean *changed, GError **error)
{
  JsonObject *linux_part = get_object (object, "linux");
  JsonNode *node = linux_part != NULL ? json_object_get_member (linux_part, "cgroupsPath") : NULL;
  g_autofree char *unit = unit_cgroup (name);
  g_autofree char *path = g_strdup_printf ("/system.slice/%s/%s", unit, name);

  if (node != NULL && json_node_get_value_type (node) != G_TYPE_STRING)
    return throw_type (error, "linux.cgroupsPath");
  if (node != NULL && *json_node_get_string (node) != '\0')
    return TRUE;

  if (linux_part == NULL)
    {
      linux_part = json_object_new ();
      json_object_set_object_member (object, "linux", linux_part);
    }
  json_object_set_string_member (linux_part, "cgroupsPath", path);
  *changed = TRUE;
  return TRUE;
}

gboolean
atm_bundle_fit (JsonObject *object, const char *name, GPtrArray *notices, gboolean *changed_out,
                GError **error)
{
  gboolean changed = FALSE;

  if (!fit_version (object, notices, &changed, error)
      || !fit_capabilities (object, notices, &changed, error)
      || !fit_cgroup (object, name, &changed, error))
    return FALSE;
  *changed_out = changed;
  return TRUE;
}
