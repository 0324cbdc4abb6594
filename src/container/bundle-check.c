/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle-check.h"

#include <string.h>

#include "container/bundle-shape.h"
#include "container/bundle.h"
#include "util/error.h"

static gboolean throw_at (GError **error, const char *path, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static gboolean
throw_at (GError **error, const char *path, const char *format, ...)
{
  g_autofree char *why = NULL;
  va_list args;

  va_start (args, format);
  why = g_strdup_vprintf (format, args);
  va_end (args);
  return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                    "Invalid configuration file.  %s %s", path, why);
}

/* ---- types ---- */

static gboolean check_value (const AtmShape *shape, JsonNode *node, const char *path,
                             GError **error);

static gboolean
check_string (const AtmShape *shape, JsonNode *node, const char *path, GError **error)
{
  const char *text = NULL;

  if (json_node_get_value_type (node) != G_TYPE_STRING)
    return throw_at (error, path, "is not a string");
  text = json_node_get_string (node);
  if (shape->words != NULL && !g_strv_contains (shape->words, text))
    return throw_at (error, path, "is “%s”, which no runtime knows", text);
  if (shape->absolute && !g_path_is_absolute (text))
    return throw_at (error, path, "is “%s”, not an absolute path", text);
  return !shape->filled || *text != '\0' || throw_at (error, path, "is empty");
}

static gboolean
check_integer (const AtmShape *shape, JsonNode *node, const char *path, GError **error)
{
  gint64 value = 0;

  if (json_node_get_value_type (node) != G_TYPE_INT64)
    return throw_at (error, path, "is not an integer");
  value = json_node_get_int (node);
  return (value >= shape->min && value <= shape->max)
         || throw_at (error, path,
                      "is %" G_GINT64_FORMAT ", not within %" G_GINT64_FORMAT "…%" G_GINT64_FORMAT,
                      value, shape->min, shape->max);
}

/* runc finds members whatever the case of their letters (Go's encoding/json). */
static const AtmShapeField *
find_field (const AtmShape *shape, const char *name)
{
  for (const AtmShapeField *field = shape->fields; field->name != NULL; field++)
    if (g_ascii_strcasecmp (field->name, name) == 0)
      return field;
  return NULL;
}

static char *
join_path (const char *path, const char *name)
{
  return *path != '\0' ? g_strconcat (path, ".", name, NULL) : g_strdup (name);
}

static gboolean
check_object (const AtmShape *shape, JsonObject *object, const char *path, GError **error)
{
  JsonObjectIter iter;
  const char *name = NULL;
  JsonNode *node = NULL;

  for (const AtmShapeField *field = shape->fields; field->name != NULL; field++)
    {
      JsonNode *member = json_object_get_member (object, field->name);
      g_autofree char *below = join_path (path, field->name);

      if (field->mandatory && (member == NULL || JSON_NODE_HOLDS_NULL (member)))
        return throw_at (error, below, "is missing");
    }
  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &node))
    {
      const AtmShapeField *field = find_field (shape, name);
      g_autofree char *below = join_path (path, name);

      if (field != NULL && !JSON_NODE_HOLDS_NULL (node)
          && !check_value (field->shape, node, below, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check_map (const AtmShape *shape, JsonObject *object, const char *path, GError **error)
{
  JsonObjectIter iter;
  const char *name = NULL;
  JsonNode *node = NULL;

  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &node))
    {
      g_autofree char *below = g_strdup_printf ("%s[\"%s\"]", path, name);

      if (!check_value (shape->of, node, below, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check_array (const AtmShape *shape, JsonArray *array, const char *path, GError **error)
{
  if (shape->filled && json_array_get_length (array) == 0)
    return throw_at (error, path, "is empty");
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      g_autofree char *below = g_strdup_printf ("%s[%u]", path, i);

      if (!check_value (shape->of, json_array_get_element (array, i), below, error))
        return FALSE;
    }
  return TRUE;
}

/* Recurses along the table, which ends, and not along the document. */
static gboolean
check_value (const AtmShape *shape, JsonNode *node, const char *path, GError **error)
{
  switch (shape->kind)
    {
    case ATM_SHAPE_STRING:
      return check_string (shape, node, path, error);
    case ATM_SHAPE_BOOLEAN:
      return json_node_get_value_type (node) == G_TYPE_BOOLEAN
             || throw_at (error, path, "is not true or false");
    case ATM_SHAPE_INTEGER:
      return check_integer (shape, node, path, error);
    case ATM_SHAPE_ARRAY:
      return JSON_NODE_HOLDS_ARRAY (node)
                 ? check_array (shape, json_node_get_array (node), path, error)
                 : throw_at (error, path, "is not an array");
    case ATM_SHAPE_OBJECT:
    case ATM_SHAPE_MAP:
    default:
      if (!JSON_NODE_HOLDS_OBJECT (node))
        return throw_at (error, path, "is not an object");
      return shape->kind == ATM_SHAPE_MAP
                 ? check_map (shape, json_node_get_object (node), path, error)
                 : check_object (shape, json_node_get_object (node), path, error);
    }
}

/* ---- what members say of each other ---- */

/* All of the right type by now. */
static JsonNode *
get_member (JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;

  return node != NULL && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

static JsonObject *
get_object (JsonObject *object, const char *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL ? json_node_get_object (node) : NULL;
}

static guint
get_length (JsonObject *object, const char *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL ? json_array_get_length (json_node_get_array (node)) : 0;
}

static gboolean
is_filled (JsonObject *object, const char *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && *json_node_get_string (node) != '\0';
}

static JsonObject *
get_namespace (JsonObject *linux_part, const char *type)
{
  for (guint i = 0; i < get_length (linux_part, "namespaces"); i++)
    {
      JsonObject *entry = json_array_get_object_element (
          json_object_get_array_member (linux_part, "namespaces"), i);

      if (g_str_equal (json_object_get_string_member (entry, "type"), type))
        return entry;
    }
  return NULL;
}

static gboolean
check_namespaces (JsonObject *linux_part, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < get_length (linux_part, "namespaces"); i++)
    {
      JsonObject *entry = json_array_get_object_element (
          json_object_get_array_member (linux_part, "namespaces"), i);
      g_autofree char *path = g_strdup_printf ("linux.namespaces[%u]", i);

      if (!g_hash_table_add (seen, (gpointer) json_object_get_string_member (entry, "type")))
        return throw_at (error, path, "is the second of its type");
      if (is_filled (entry, "path")
          && !g_path_is_absolute (json_object_get_string_member (entry, "path")))
        return throw_at (error, path, "has a path that is not absolute");
    }
  return TRUE;
}

/* What would be the host's without a namespace of its own is refused by runc and crun. */
static gboolean
check_needs (JsonObject *object, JsonObject *linux_part, GError **error)
{
  const char *const names[] = { "hostname", "domainname" };
  const char *const paths[] = { "maskedPaths", "readonlyPaths" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (is_filled (object, names[i]) && get_namespace (linux_part, "uts") == NULL)
      return throw_at (error, names[i], "is set, but linux.namespaces has no “uts”");
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    if (get_length (linux_part, paths[i]) > 0 && get_namespace (linux_part, "mount") == NULL)
      return throw_at (error, paths[i], "is set, but linux.namespaces has no “mount”");
  return TRUE;
}

/* config-linux.md, "Sysctl": only what belongs to a namespace. */
static gboolean
check_sysctl (JsonObject *linux_part, GError **error)
{
  static const struct
  {
    const char *prefix; /* a name, or all that begin with it if it ends in “.” */
    const char *type;
  } known[] = {
    { "net.", "network" },          { "fs.mqueue.", "ipc" },
    { "kernel.msgmax", "ipc" },     { "kernel.msgmnb", "ipc" },
    { "kernel.msgmni", "ipc" },     { "kernel.sem", "ipc" },
    { "kernel.shmall", "ipc" },     { "kernel.shmmax", "ipc" },
    { "kernel.shmmni", "ipc" },     { "kernel.shm_rmid_forced", "ipc" },
    { "kernel.domainname", "uts" },
  };
  JsonObject *sysctl = get_object (linux_part, "sysctl");
  JsonObjectIter iter;
  const char *name = NULL;
  JsonNode *node = NULL;

  if (sysctl == NULL)
    return TRUE;
  json_object_iter_init_ordered (&iter, sysctl);
  while (json_object_iter_next_ordered (&iter, &name, &node))
    {
      g_autofree char *path = g_strdup_printf ("linux.sysctl[\"%s\"]", name);
      const char *type = NULL;

      for (guint i = 0; i < G_N_ELEMENTS (known); i++)
        if (g_str_has_suffix (known[i].prefix, ".") ? g_str_has_prefix (name, known[i].prefix)
                                                    : g_str_equal (name, known[i].prefix))
          type = known[i].type;
      if (type == NULL)
        return throw_at (error, path, "would change the host, and no runtime allows it");
      if (get_namespace (linux_part, type) == NULL)
        return throw_at (error, path, "would change the host: linux.namespaces has no “%s”", type);
    }
  return TRUE;
}

/* “NAME=value” (config.md, "env"): the process would not be started. */
static gboolean
check_environment (JsonObject *process, GError **error)
{
  for (guint i = 0; i < get_length (process, "env"); i++)
    {
      const char *entry
          = json_array_get_string_element (json_object_get_array_member (process, "env"), i);
      g_autofree char *path = g_strdup_printf ("process.env[%u]", i);

      if (strchr (entry, '=') == NULL || *entry == '=')
        return throw_at (error, path, "is not NAME=VALUE");
    }
  return TRUE;
}

/* capabilities(7): the kernel gives no process an effective one that is not permitted. */
static gboolean
check_capabilities (JsonObject *process, GError **error)
{
  JsonObject *sets = get_object (process, "capabilities");
  g_autoptr (GHashTable) permitted = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < get_length (sets, "permitted"); i++)
    g_hash_table_add (permitted, (gpointer) json_array_get_string_element (
                                     json_object_get_array_member (sets, "permitted"), i));
  for (guint i = 0; i < get_length (sets, "effective"); i++)
    {
      const char *name
          = json_array_get_string_element (json_object_get_array_member (sets, "effective"), i);
      g_autofree char *path = g_strdup_printf ("process.capabilities.effective[%u]", i);

      if (!g_hash_table_contains (permitted, name))
        return throw_at (error, path, "is %s, which is not in “permitted”", name);
    }
  return TRUE;
}

gboolean
atm_bundle_check (JsonObject *object, GError **error)
{
  JsonObject *linux_part = NULL;

  if (!check_object (&atm_bundle_shape, object, "", error))
    return FALSE;
  linux_part = get_object (object, "linux");
  return check_environment (get_object (object, "process"), error)
         && check_capabilities (get_object (object, "process"), error)
         && check_namespaces (linux_part, error) && check_needs (object, linux_part, error)
         && check_sysctl (linux_part, error);
}
