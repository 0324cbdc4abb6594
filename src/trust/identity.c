/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/identity.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"

static const char *const type_names[] = {
  [ATM_IDENTITY_MATCH_EXACT] = "matchExact",
  [ATM_IDENTITY_MATCH_REPO_DIGEST_OR_EXACT] = "matchRepoDigestOrExact",
  [ATM_IDENTITY_MATCH_REPOSITORY] = "matchRepository",
  [ATM_IDENTITY_EXACT_REFERENCE] = "exactReference",
  [ATM_IDENTITY_EXACT_REPOSITORY] = "exactRepository",
  [ATM_IDENTITY_REMAP] = "remapIdentity",
};

/* ---- reading ---- */

typedef struct
{
  char *type;          /* (owned) (nullable) */
  char *reference;     /* (owned) (nullable) */
  char *prefix;        /* (owned) (nullable) */
  char *signed_prefix; /* (owned) (nullable) */
} Members;

static void
members_clear (Members *members)
{
  g_clear_pointer (&members->type, g_free);
  g_clear_pointer (&members->reference, g_free);
  g_clear_pointer (&members->prefix, g_free);
  g_clear_pointer (&members->signed_prefix, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Members, members_clear)

#define FIELD(name, member)                                                                        \
  {                                                                                                \
    name, ATM_JSON_STRING, G_STRUCT_OFFSET (Members, member), ATM_JSON_MANDATORY                   \
  }

static const AtmJsonField plain_fields[] = { FIELD ("type", type) };

static const AtmJsonField reference_fields[] = {
  FIELD ("type", type),
  FIELD ("dockerReference", reference),
};

static const AtmJsonField repository_fields[] = {
  FIELD ("type", type),
  FIELD ("dockerRepository", reference),
};

static const AtmJsonField remap_fields[] = {
  FIELD ("type", type),
  FIELD ("prefix", prefix),
  FIELD ("signedPrefix", signed_prefix),
};

static const struct
{
  const AtmJsonField *fields;
  gsize n_fields;
} tables[] = {
  [ATM_IDENTITY_MATCH_EXACT] = { plain_fields, G_N_ELEMENTS (plain_fields) },
  [ATM_IDENTITY_MATCH_REPO_DIGEST_OR_EXACT] = { plain_fields, G_N_ELEMENTS (plain_fields) },
  [ATM_IDENTITY_MATCH_REPOSITORY] = { plain_fields, G_N_ELEMENTS (plain_fields) },
  [ATM_IDENTITY_EXACT_REFERENCE] = { reference_fields, G_N_ELEMENTS (reference_fields) },
  [ATM_IDENTITY_EXACT_REPOSITORY] = { repository_fields, G_N_ELEMENTS (repository_fields) },
  [ATM_IDENTITY_REMAP] = { remap_fields, G_N_ELEMENTS (remap_fields) },
};

static gboolean
find_type (JsonObject *object, const char *where, AtmIdentityType *type_out, GError **error)
{
  JsonNode *node = json_object_get_member (object, "type");

  if (node != NULL && json_node_get_value_type (node) == G_TYPE_STRING)
    for (guint i = 0; i < G_N_ELEMENTS (type_names); i++)
      if (g_str_equal (json_node_get_string (node), type_names[i]))
        {
          *type_out = (AtmIdentityType) i;
          return TRUE;
        }
  return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                    "“%s.type” is missing or no type of identity that this version knows", where);
}

/* A bare domain[:port], or a name that is written with its domain; no tag, no digest. */
static gboolean
read_prefix (const char *text, const char *where, const char *member, char **prefix_out,
             GError **error)
{
  g_autofree char *location = atm_name_parse_location (text);
  const char *colon = strchr (text, ':');
  gboolean valid = location != NULL;

  if (valid && strchr (location, '/') != NULL)
    {
      g_autoptr (AtmImageName) name = NULL;
      g_autofree char *start = NULL;

      if (!atm_name_parse (location, FALSE, &name, error))
        return atm_prefix_error (error, "“%s.%s”", where, member);
      start = g_strconcat (name->domain, "/", NULL);
      valid = name->tag == NULL && !name->has_digest && g_str_has_prefix (location, start);
    }
  else if (valid && *text != '[' && colon != NULL)
    valid = strspn (colon + 1, "0123456789") == strlen (colon + 1);

  if (!valid || strchr (text, '@') != NULL)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“%s.%s” is neither HOST[:PORT] nor HOST[:PORT]/PATH without tag and digest",
                      where, member);
  *prefix_out = g_steal_pointer (&location);
  return TRUE;
}

static gboolean
read_name (AtmIdentity *identity, const char *text, const char *where, GError **error)
{
  if (!atm_name_parse (text, FALSE, &identity->name, error))
    return atm_prefix_error (error, "“%s”", where);
  if (identity->type == ATM_IDENTITY_EXACT_REFERENCE && identity->name->tag == NULL
      && !identity->name->has_digest)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                      "“%s.dockerReference” has neither a tag nor a digest", where);
  return TRUE;
}

gboolean
atm_identity_parse (JsonObject *object, const char *where, AtmIdentity **identity_out,
                    GError **error)
{
  g_autoptr (AtmIdentity) identity = g_new0 (AtmIdentity, 1);
  g_auto (Members) members = { 0 };

  identity->type = ATM_IDENTITY_MATCH_REPO_DIGEST_OR_EXACT;
  if (object != NULL
      && (!find_type (object, where, &identity->type, error)
          || !atm_json_read (object, tables[identity->type].fields, tables[identity->type].n_fields,
                             ATM_JSON_REFUSE_UNKNOWN, where, &members, error)))
    return FALSE;
  if (members.reference != NULL && !read_name (identity, members.reference, where, error))
    return FALSE;
  if (members.prefix != NULL
      && (!read_prefix (members.prefix, where, "prefix", &identity->prefix, error)
          || !read_prefix (members.signed_prefix, where, "signedPrefix", &identity->signed_prefix,
                           error)))
    return FALSE;
  *identity_out = g_steal_pointer (&identity);
  return TRUE;
}

void
atm_identity_free (AtmIdentity *identity)
{
  if (identity == NULL)
    return;
  atm_name_free (identity->name);
  g_free (identity->prefix);
  g_free (identity->signed_prefix);
  g_free (identity);
}

const char *
atm_identity_get_type_name (const AtmIdentity *identity)
{
  return type_names[identity->type];
}

/* ---- matching ---- */

static gboolean
same_name (const AtmImageName *a, const AtmImageName *b)
{
  g_autofree char *a_text = atm_name_to_string (a), *b_text = atm_name_to_string (b);

  return g_str_equal (a_text, b_text);
}

static gboolean
same_repository (const AtmImageName *a, const AtmImageName *b)
{
  return g_str_equal (a->domain, b->domain) && g_str_equal (a->path, b->path);
}

static gboolean
is_bare (const AtmImageName *name)
{
  return name->tag == NULL && !name->has_digest;
}

static gboolean
match_exact (const AtmImageName *image, const AtmImageName *claim)
{
  return !is_bare (image) && same_name (image, claim);
}

static gboolean
match_repo_digest_or_exact (const AtmImageName *image, const AtmImageName *claim)
{
  /* Asked for by digest, the image is bound to the signature by its bytes, whatever tag they had
     when they were signed. */
  if (image->has_digest && image->tag == NULL)
    return !is_bare (claim) && same_repository (image, claim);
  return match_exact (image, claim);
}

/* The image under the name that its signer knows; NULL if that is no name in normal form. */
static AtmImageName *
remap (const AtmIdentity *identity, const AtmImageName *image)
{
  g_autofree char *repository = atm_name_get_repository (image);
  g_autofree char *full = atm_name_to_string (image);
  g_autofree char *mapped = NULL, *normal = NULL;
  g_autoptr (AtmImageName) name = NULL;
  gsize length = strlen (identity->prefix);

  if (!g_str_has_prefix (repository, identity->prefix)
      || (repository[length] != '\0' && repository[length] != '/'))
    return atm_name_copy (image);
  mapped = g_strconcat (identity->signed_prefix, full + length, NULL);
  if (!atm_name_parse (mapped, FALSE, &name, NULL))
    return NULL;
  normal = atm_name_to_string (name);
  return g_str_equal (normal, mapped) ? g_steal_pointer (&name) : NULL;
}

gboolean
atm_identity_matches (const AtmIdentity *identity, const AtmImageName *image,
                      const char *docker_reference)
{
  g_autoptr (AtmImageName) claim = NULL, mapped = NULL;

  if (!atm_name_parse (docker_reference, FALSE, &claim, NULL))
    return FALSE;
  switch (identity->type)
    {
    case ATM_IDENTITY_EXACT_REFERENCE:
      return same_name (identity->name, claim);
    case ATM_IDENTITY_EXACT_REPOSITORY:
      return same_repository (identity->name, claim);
    case ATM_IDENTITY_MATCH_EXACT:
      return image != NULL && match_exact (image, claim);
    case ATM_IDENTITY_MATCH_REPO_DIGEST_OR_EXACT:
      return image != NULL && match_repo_digest_or_exact (image, claim);
    case ATM_IDENTITY_MATCH_REPOSITORY:
      return image != NULL && same_repository (image, claim);
    case ATM_IDENTITY_REMAP:
      mapped = image != NULL ? remap (identity, image) : NULL;
      return mapped != NULL && match_repo_digest_or_exact (mapped, claim);
    }
  return FALSE;
}
