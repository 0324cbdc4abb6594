/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/requirement.h"

#include "trust/sigstore.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

static const char *const type_names[] = {
  [ATM_REQUIREMENT_ACCEPT] = "insecureAcceptAnything",
  [ATM_REQUIREMENT_REJECT] = "reject",
  [ATM_REQUIREMENT_SIGNED_BY] = "signedBy",
  [ATM_REQUIREMENT_SIGSTORE_SIGNED] = "sigstoreSigned",
  [ATM_REQUIREMENT_SIGNED_BASE_LAYER] = "signedBaseLayer",
};

#define SUPPORTED_KEY_TYPE "GPGKeys"

static const char *const key_types[]
    = { SUPPORTED_KEY_TYPE, "signedByGPGKeys", "X509Certificates", "signedByX509CAs", NULL };

typedef struct
{
  char *type;           /* (owned) (nullable) */
  char *key_type;       /* (owned) (nullable) */
  char *path;           /* (owned) (nullable) */
  char **paths;         /* (owned) (nullable) */
  char *data;           /* (owned) (nullable) */
  JsonObject *identity; /* (owned) (nullable) */
} Members;

static void
members_clear (Members *members)
{
  g_clear_pointer (&members->type, g_free);
  g_clear_pointer (&members->key_type, g_free);
  g_clear_pointer (&members->path, g_free);
  g_clear_pointer (&members->paths, g_strfreev);
  g_clear_pointer (&members->data, g_free);
  g_clear_pointer (&members->identity, json_object_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Members, members_clear)

#define FIELD(name, type, member, flags)                                                           \
  {                                                                                                \
    name, type, G_STRUCT_OFFSET (Members, member), flags                                           \
  }

static const AtmJsonField plain_fields[]
    = { FIELD ("type", ATM_JSON_STRING, type, ATM_JSON_MANDATORY) };

static const AtmJsonField base_layer_fields[] = {
  FIELD ("type", ATM_JSON_STRING, type, ATM_JSON_MANDATORY),
  FIELD ("baseLayerIdentity", ATM_JSON_OBJECT, identity, ATM_JSON_MANDATORY),
};

static const AtmJsonField signed_by_fields[] = {
  FIELD ("type", ATM_JSON_STRING, type, ATM_JSON_MANDATORY),
  FIELD ("keyType", ATM_JSON_STRING, key_type, ATM_JSON_MANDATORY),
  FIELD ("keyPath", ATM_JSON_STRING, path, ATM_JSON_OPTIONAL),
  FIELD ("keyPaths", ATM_JSON_STRING_ARRAY, paths, ATM_JSON_OPTIONAL),
  FIELD ("keyData", ATM_JSON_STRING, data, ATM_JSON_OPTIONAL),
  FIELD ("signedIdentity", ATM_JSON_OBJECT, identity, ATM_JSON_OPTIONAL),
};

static gboolean
read_keys (AtmRequirement *requirement, Members *members, const char *where, GError **error)
{
  guint n = (members->path != NULL) + (members->paths != NULL) + (members->data != NULL);

  if (n != 1)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“%s” needs exactly one of “keyPath”, “keyPaths” and “keyData”", where);
  if (members->path != NULL)
    {
      if (*members->path == '\0')
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s.keyPath” is empty",
                          where);
      requirement->key_paths = g_new0 (char *, 2);
      requirement->key_paths[0] = g_steal_pointer (&members->path);
    }
  requirement->key_paths
      = requirement->key_paths != NULL ? requirement->key_paths : g_steal_pointer (&members->paths);
  if (members->data != NULL)
    {
      requirement->key_data = atm_base64_decode (members->data);
      if (requirement->key_data == NULL)
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                          "“%s.keyData” is not base64", where);
    }
  return TRUE;
}

static gboolean
parse_signed_by (JsonObject *object, AtmRequirement *requirement, const char *where, GError **error)
{
  g_auto (Members) members = { 0 };
  g_autofree char *identity_where = g_strconcat (where, ".signedIdentity", NULL);

  if (!atm_json_read (object, signed_by_fields, G_N_ELEMENTS (signed_by_fields),
                      ATM_JSON_REFUSE_UNKNOWN, where, &members, error)
      || !read_keys (requirement, &members, where, error))
    return FALSE;
  if (!g_strv_contains (key_types, members.key_type))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“%s.keyType” is none that there is", where);
  if (!g_str_equal (members.key_type, SUPPORTED_KEY_TYPE))
    requirement->unsupported = g_strdup_printf ("“signedBy” with “keyType” “%s”", members.key_type);
  return atm_identity_parse (members.identity, identity_where, &requirement->identity, error);
}

static gboolean
parse_base_layer (JsonObject *object, AtmRequirement *requirement, const char *where,
                  GError **error)
{
  g_auto (Members) members = { 0 };
  g_autoptr (AtmIdentity) identity = NULL;
  g_autofree char *identity_where = g_strconcat (where, ".baseLayerIdentity", NULL);

  requirement->unsupported = g_strdup ("“signedBaseLayer”");
  return atm_json_read (object, base_layer_fields, G_N_ELEMENTS (base_layer_fields),
                        ATM_JSON_REFUSE_UNKNOWN, where, &members, error)
         && atm_identity_parse (members.identity, identity_where, &identity, error);
}

static gboolean
parse_plain (JsonObject *object, const char *where, GError **error)
{
  g_auto (Members) members = { 0 };

  return atm_json_read (object, plain_fields, G_N_ELEMENTS (plain_fields), ATM_JSON_REFUSE_UNKNOWN,
                        where, &members, error);
}

static gboolean
parse_members (JsonObject *object, AtmRequirement *requirement, const char *where, GError **error)
{
  switch (requirement->type)
    {
    case ATM_REQUIREMENT_ACCEPT:
    case ATM_REQUIREMENT_REJECT:
      return parse_plain (object, where, error);
    case ATM_REQUIREMENT_SIGNED_BY:
      return parse_signed_by (object, requirement, where, error);
    case ATM_REQUIREMENT_SIGSTORE_SIGNED:
      requirement->unsupported = g_strdup ("“sigstoreSigned”");
      return atm_sigstore_check (object, where, error);
    case ATM_REQUIREMENT_SIGNED_BASE_LAYER:
      return parse_base_layer (object, requirement, where, error);
    }
  return FALSE;
}

static gboolean
find_type (JsonObject *object, const char *where, AtmRequirementType *type_out, GError **error)
{
  JsonNode *node = json_object_get_member (object, "type");
  g_autofree char *safe = NULL;

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_STRING)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“%s.type” is missing or no string", where);
  for (guint i = 0; i < G_N_ELEMENTS (type_names); i++)
    if (g_str_equal (json_node_get_string (node), type_names[i]))
      {
        *type_out = (AtmRequirementType) i;
        return TRUE;
      }
  safe = atm_text_escape (json_node_get_string (node));
  return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                    "“%s.type” is “%s”, which this version does not know", where, safe);
}

gboolean
atm_requirement_parse (JsonNode *node, const char *where, AtmRequirement **requirement_out,
                       GError **error)
{
  g_autoptr (AtmRequirement) requirement = g_new0 (AtmRequirement, 1);
  JsonObject *object = NULL;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s” is no object", where);
  object = json_node_get_object (node);
  if (!find_type (object, where, &requirement->type, error)
      || !parse_members (object, requirement, where, error))
    return FALSE;
  *requirement_out = g_steal_pointer (&requirement);
  return TRUE;
}

void
atm_requirement_free (AtmRequirement *requirement)
{
  if (requirement == NULL)
    return;
  g_free (requirement->unsupported);
  g_strfreev (requirement->key_paths);
  g_clear_pointer (&requirement->key_data, g_bytes_unref);
  atm_identity_free (requirement->identity);
  g_free (requirement);
}

const char *
atm_requirement_get_type_name (const AtmRequirement *requirement)
{
  return type_names[requirement->type];
}
