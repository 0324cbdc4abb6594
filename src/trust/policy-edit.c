/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/policy-edit.h"

#include <string.h>

#include "trust/policy.h"
#include "trust/scope.h"
#include "trust/trust.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

void
atm_policy_key_free (AtmPolicyKey *key)
{
  if (key == NULL)
    return;
  g_free (key->path);
  g_clear_pointer (&key->data, g_bytes_unref);
  g_free (key);
}

/* ---- requirements ---- */

static JsonObject *
add_requirement (JsonArray *list, const char *type)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "type", type);
  json_array_add_object_element (list, object);
  return object;
}

static void
add_key (JsonArray *list, const char *type, const AtmPolicyKey *key)
{
  JsonObject *object = add_requirement (list, type);

  json_object_set_string_member (object, "keyType", "GPGKeys");
  if (key->path != NULL)
    json_object_set_string_member (object, "keyPath", key->path);
  else
    {
      gsize length = 0;
      const guchar *data = g_bytes_get_data (key->data, &length);
      g_autofree char *base64 = g_base64_encode (data, length);

      json_object_set_string_member (object, "keyData", base64);
    }
}

static void
add_key_files (JsonArray *list, const char *type, GPtrArray *keys)
{
  JsonObject *object = add_requirement (list, type);
  JsonArray *paths = json_array_new ();

  json_object_set_string_member (object, "keyType", "GPGKeys");
  for (guint i = 0; i < keys->len; i++)
    json_array_add_string_element (paths, ((AtmPolicyKey *) keys->pdata[i])->path);
  json_object_set_array_member (object, "keyPaths", paths);
}

JsonArray *
atm_policy_edit_new_list (const char *type, GPtrArray *keys, gboolean any)
{
  JsonArray *list = json_array_new ();

  if (keys == NULL || keys->len == 0)
    (void) add_requirement (list, type);
  else if (any && keys->len > 1)
    add_key_files (list, type, keys);
  else
    for (guint i = 0; i < keys->len; i++)
      add_key (list, type, g_ptr_array_index (keys, i));
  return list;
}

/* ---- documents ---- */

static gboolean
check (GBytes *bytes, const char *path, GError **error)
{
  g_autoptr (AtmPolicy) policy = NULL;

  return atm_policy_parse (bytes, path, &policy, error);
}

static gboolean
parse (GBytes *bytes, const char *path, JsonObject **object_out, GError **error)
{
  return check (bytes, path, error) && atm_json_parse_object (bytes, object_out, error);
}

static gboolean
print (JsonObject *object, const char *path, GBytes **bytes_out, GError **error)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (GBytes) bytes = NULL;
  char *text = NULL;

  json_node_set_object (node, object);
  text = atm_json_to_text (node, TRUE);
  bytes = g_bytes_new_take (text, strlen (text));
  if (g_bytes_get_size (bytes) > ATM_POLICY_MAX_BYTES)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "%s would have more than %d bytes; name key files instead of keys", path,
                      ATM_POLICY_MAX_BYTES);
  if (!check (bytes, path, error))
    return atm_prefix_error (error, "The edited policy would not be valid, so it is not written");
  *bytes_out = g_steal_pointer (&bytes);
  return TRUE;
}

static JsonObject *
get_object (JsonObject *object, const char *name)
{
  return json_object_has_member (object, name) ? json_object_get_object_member (object, name)
                                               : NULL;
}

static JsonObject *
get_scopes (JsonObject *policy, const char *transport)
{
  JsonObject *transports = get_object (policy, "transports");

  return transports != NULL ? get_object (transports, transport) : NULL;
}

/* The member that means @scope, as it is written: the case of a host does not matter. */
static char *
find_member (JsonObject *scopes, const char *transport, const char *scope)
{
  g_autofree char *wanted = NULL;
  JsonObjectIter iter;
  const char *name;

  if (scopes == NULL || !atm_scope_read (transport, scope, &wanted, NULL))
    return NULL;
  json_object_iter_init_ordered (&iter, scopes);
  while (json_object_iter_next_ordered (&iter, &name, NULL))
    {
      g_autofree char *folded = NULL;

      if (atm_scope_read (transport, name, &folded, NULL) && g_str_equal (folded, wanted))
        return g_strdup (name);
    }
  return NULL;
}

gboolean
atm_policy_edit_has (GBytes *old, const char *path, const char *transport, const char *scope,
                     gboolean *has_out, GError **error)
{
  g_autoptr (JsonObject) policy = NULL;
  g_autofree char *member = NULL;

  if (!parse (old, path, &policy, error))
    return FALSE;
  member = find_member (get_scopes (policy, transport), transport, scope);
  *has_out = member != NULL;
  return TRUE;
}

static JsonObject *
ensure_object (JsonObject *object, const char *name)
{
  if (!json_object_has_member (object, name))
    json_object_set_object_member (object, name, json_object_new ());
  return json_object_get_object_member (object, name);
}

gboolean
atm_policy_edit_set (GBytes *old, const char *path, const char *transport, const char *scope,
                     JsonArray *list, GBytes **new_out, GError **error)
{
  g_autoptr (JsonArray) owned = list;
  g_autoptr (JsonObject) policy = NULL;
  g_autofree char *member = NULL;
  JsonObject *scopes = NULL;

  if (!parse (old, path, &policy, error))
    return FALSE;
  scopes = ensure_object (ensure_object (policy, "transports"), transport);
  member = find_member (scopes, transport, scope);
  json_object_set_array_member (scopes, member != NULL ? member : scope, g_steal_pointer (&owned));
  return print (policy, path, new_out, error);
}

gboolean
atm_policy_edit_remove (GBytes *old, const char *path, const char *transport, const char *scope,
                        GBytes **new_out, GError **error)
{
  g_autoptr (JsonObject) policy = NULL;
  g_autofree char *member = NULL;

  if (!parse (old, path, &policy, error))
    return FALSE;
  member = find_member (get_scopes (policy, transport), transport, scope);
  if (member == NULL)
    {
      g_autofree char *safe = atm_text_escape (scope);

      return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                        "%s has no entry for “%s” of transport “%s”; `atomic trust show` lists "
                        "what it has",
                        path, safe, transport);
    }
  json_object_remove_member (get_scopes (policy, transport), member);
  return print (policy, path, new_out, error);
}

gboolean
atm_policy_edit_set_default (GBytes *old, const char *path, const char *type, GBytes **new_out,
                             GError **error)
{
  g_autoptr (JsonObject) policy = NULL;

  if (!parse (old, path, &policy, error))
    return FALSE;
  json_object_set_array_member (policy, "default", atm_policy_edit_new_list (type, NULL, FALSE));
  return print (policy, path, new_out, error);
}

GBytes *
atm_policy_edit_new (void)
{
  g_autoptr (JsonObject) policy = json_object_new ();
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  char *text = NULL;

  json_object_set_array_member (policy, "default",
                                atm_policy_edit_new_list ("reject", NULL, FALSE));
  json_node_set_object (node, policy);
  text = atm_json_to_text (node, TRUE);
  return g_bytes_new_take (text, strlen (text));
}
