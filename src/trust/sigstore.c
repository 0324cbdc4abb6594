/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/sigstore.h"

#include "trust/identity.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/json.h"

typedef enum
{
  KIND_STRING,
  KIND_STRINGS,
  KIND_BASE64,
  KIND_BASE64S,
  KIND_OBJECT
} Kind;

/* A member, and the group of which it is one choice. */
typedef struct
{
  const char *name;
  Kind kind;
  char group; /* 0: none */
} Member;

/* How many members of a group there must be. */
typedef struct
{
  char group;
  guint min, max;
  const char *names; /* for messages */
} Group;

#define KEYS "keyPath, keyPaths, keyData, keyDatas, fulcio and pki"
#define REKOR "rekorPublicKeyPath, rekorPublicKeyPaths, rekorPublicKeyData and rekorPublicKeyDatas"

static const Member top_members[] = {
  { "type", KIND_STRING, 0 },
  { "keyPath", KIND_STRING, 'k' },
  { "keyPaths", KIND_STRINGS, 'k' },
  { "keyData", KIND_BASE64, 'k' },
  { "keyDatas", KIND_BASE64S, 'k' },
  { "fulcio", KIND_OBJECT, 'k' },
  { "pki", KIND_OBJECT, 'k' },
  { "rekorPublicKeyPath", KIND_STRING, 'r' },
  { "rekorPublicKeyPaths", KIND_STRINGS, 'r' },
  { "rekorPublicKeyData", KIND_BASE64, 'r' },
  { "rekorPublicKeyDatas", KIND_BASE64S, 'r' },
  { "signedIdentity", KIND_OBJECT, 0 },
};

static const Member fulcio_members[] = {
  { "caPath", KIND_STRING, 'c' },
  { "caData", KIND_BASE64, 'c' },
  { "oidcIssuer", KIND_STRING, 'o' },
  { "subjectEmail", KIND_STRING, 's' },
};

static const Group fulcio_groups[] = {
  { 'c', 1, 1, "caPath and caData" },
  { 'o', 1, 1, "oidcIssuer" },
  { 's', 1, 1, "subjectEmail" },
};

static const Member pki_members[] = {
  { "caRootsPath", KIND_STRING, 'c' },         { "caRootsData", KIND_BASE64, 'c' },
  { "caIntermediatesPath", KIND_STRING, 'i' }, { "caIntermediatesData", KIND_BASE64, 'i' },
  { "subjectEmail", KIND_STRING, 's' },        { "subjectHostname", KIND_STRING, 's' },
};

static const Group pki_groups[] = {
  { 'c', 1, 1, "caRootsPath and caRootsData" },
  { 'i', 0, 1, "caIntermediatesPath and caIntermediatesData" },
  { 's', 1, 2, "subjectEmail and subjectHostname" },
};

static gboolean
is_text (JsonNode *node, gboolean base64)
{
  g_autoptr (GBytes) bytes = NULL;

  if (json_node_get_value_type (node) != G_TYPE_STRING)
    return FALSE;
  if (!base64)
    return TRUE;
  bytes = atm_base64_decode (json_node_get_string (node));
  return bytes != NULL;
}

static gboolean
is_of_kind (JsonNode *node, Kind kind)
{
  JsonArray *array = NULL;

  if (kind == KIND_OBJECT)
    return JSON_NODE_HOLDS_OBJECT (node);
  if (kind == KIND_STRING || kind == KIND_BASE64)
    return is_text (node, kind == KIND_BASE64);
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  array = json_node_get_array (node);
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (!is_text (json_array_get_element (array, i), kind == KIND_BASE64S))
      return FALSE;
  return TRUE;
}

/* Every member is known and of its kind; how many of each group there are is in @counts. */
static gboolean
check_members (JsonObject *object, const Member *members, gsize n_members, const char *where,
               guint counts[128], GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, &value))
    {
      gsize i = 0;

      while (i < n_members && !g_str_equal (members[i].name, name))
        i++;
      if (i == n_members)
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "unknown member “%s.%s”",
                          where, name);
      if (!is_of_kind (value, members[i].kind))
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                          "“%s.%s” has the wrong type", where, name);
      counts[(guchar) members[i].group]++;
    }
  return TRUE;
}

static gboolean
check_groups (const Group *groups, gsize n_groups, const guint counts[128], const char *where,
              GError **error)
{
  for (gsize i = 0; i < n_groups; i++)
    {
      guint n = counts[(guchar) groups[i].group];

      if (n < groups[i].min || n > groups[i].max)
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                          "“%s” has %u of %s, where %u to %u are possible", where, n,
                          groups[i].names, groups[i].min, groups[i].max);
    }
  return TRUE;
}

static gboolean
check_part (JsonObject *object, const char *name, const Member *members, gsize n_members,
            const Group *groups, gsize n_groups, const char *where, GError **error)
{
  g_autofree char *path = g_strconcat (where, ".", name, NULL);
  guint counts[128] = { 0 };

  return check_members (json_object_get_object_member (object, name), members, n_members, path,
                        counts, error)
         && check_groups (groups, n_groups, counts, path, error);
}

gboolean
atm_sigstore_check (JsonObject *object, const char *where, GError **error)
{
  gboolean fulcio = json_object_has_member (object, "fulcio");
  gboolean pki = json_object_has_member (object, "pki");
  const Group groups[] = { { 'k', 1, 1, KEYS }, { 'r', fulcio ? 1 : 0, pki ? 0 : 1, REKOR } };
  guint counts[128] = { 0 };
  g_autofree char *identity_where = g_strconcat (where, ".signedIdentity", NULL);
  g_autoptr (AtmIdentity) identity = NULL;
  JsonObject *identity_object = NULL;

  if (!check_members (object, top_members, G_N_ELEMENTS (top_members), where, counts, error)
      || !check_groups (groups, G_N_ELEMENTS (groups), counts, where, error))
    return FALSE;
  if (fulcio
      && !check_part (object, "fulcio", fulcio_members, G_N_ELEMENTS (fulcio_members),
                      fulcio_groups, G_N_ELEMENTS (fulcio_groups), where, error))
    return FALSE;
  if (pki
      && !check_part (object, "pki", pki_members, G_N_ELEMENTS (pki_members), pki_groups,
                      G_N_ELEMENTS (pki_groups), where, error))
    return FALSE;
  if (json_object_has_member (object, "signedIdentity"))
    identity_object = json_object_get_object_member (object, "signedIdentity");
  return atm_identity_parse (identity_object, identity_where, &identity, error);
}
