/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/policy.h"

#include <stdlib.h>

#include "trust/places.h"
#include "trust/refusal.h"
#include "trust/scope.h"
#include "trust/trusted-file.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

struct _AtmPolicy
{
  char *path;             /* (owned) */
  GPtrArray *fallback;    /* (owned) (element-type AtmRequirement): “default” */
  GHashTable *transports; /* (owned): char * → GHashTable of char * → GPtrArray */
};

typedef struct
{
  JsonArray *fallback;    /* (owned) (nullable) */
  JsonObject *transports; /* (owned) (nullable) */
} Members;

static void
members_clear (Members *members)
{
  g_clear_pointer (&members->fallback, json_array_unref);
  g_clear_pointer (&members->transports, json_object_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Members, members_clear)

static const AtmJsonField fields[] = {
  { "default", ATM_JSON_ARRAY, G_STRUCT_OFFSET (Members, fallback), ATM_JSON_MANDATORY },
  { "transports", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Members, transports), ATM_JSON_OPTIONAL },
};

/* ---- reading ---- */

static gboolean
read_list (JsonArray *array, const char *where, GPtrArray **list_out, GError **error)
{
  g_autoptr (GPtrArray) list
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_requirement_free);

  if (json_array_get_length (array) == 0)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s” is an empty list", where);
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      g_autofree char *element = g_strdup_printf ("%s[%u]", where, i);
      AtmRequirement *requirement = NULL;

      if (!atm_requirement_parse (json_array_get_element (array, i), element, &requirement, error))
        return FALSE;
      g_ptr_array_add (list, requirement);
    }
  *list_out = g_steal_pointer (&list);
  return TRUE;
}

static gboolean
read_scopes (JsonObject *object, const char *transport, GHashTable **scopes_out, GError **error)
{
  g_autoptr (GHashTable) scopes
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  g_autofree char *safe_transport = atm_text_escape (transport);
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &value))
    {
      g_autofree char *safe = atm_text_escape (name);
      g_autofree char *where = g_strdup_printf ("transports.%s[\"%s\"]", safe_transport, safe);
      g_autofree char *scope = NULL;
      g_autoptr (GPtrArray) list = NULL;

      if (!JSON_NODE_HOLDS_ARRAY (value))
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“%s” is no list", where);
      if (!atm_scope_read (transport, name, &scope, error)
          || !read_list (json_node_get_array (value), where, &list, error))
        return FALSE;
      if (g_hash_table_contains (scopes, scope))
        return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                          "“%s” is there twice: the case of a host does not matter", where);
      g_hash_table_insert (scopes, g_steal_pointer (&scope), g_steal_pointer (&list));
    }
  *scopes_out = g_steal_pointer (&scopes);
  return TRUE;
}

static gboolean
read_transports (AtmPolicy *policy, JsonObject *object, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &value))
    {
      g_autoptr (GHashTable) scopes = NULL;

      if (!JSON_NODE_HOLDS_OBJECT (value))
        {
          g_autofree char *safe = atm_text_escape (name);

          return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER,
                            "“transports.%s” is no object", safe);
        }
      if (!read_scopes (json_node_get_object (value), name, &scopes, error))
        return FALSE;
      g_hash_table_insert (policy->transports, g_strdup (name), g_steal_pointer (&scopes));
    }
  return TRUE;
}

static gboolean
read_policy (AtmPolicy *policy, GBytes *bytes, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  g_auto (Members) members = { 0 };

  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_REFUSE_UNKNOWN, "",
                         &members, error)
      || !read_list (members.fallback, "default", &policy->fallback, error))
    return FALSE;
  return members.transports == NULL || read_transports (policy, members.transports, error);
}

gboolean
atm_policy_parse (GBytes *bytes, const char *path, AtmPolicy **policy_out, GError **error)
{
  g_autoptr (AtmPolicy) policy = g_new0 (AtmPolicy, 1);

  policy->path = g_strdup (path);
  policy->transports = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                              (GDestroyNotify) g_hash_table_unref);
  if (!read_policy (policy, bytes, error))
    {
      (void) atm_refusal_convert (error, ATM_TRUST_ERROR_POLICY_SYNTAX);
      return atm_prefix_error (error, "The policy %s cannot be used until this is corrected", path);
    }
  *policy_out = g_steal_pointer (&policy);
  return TRUE;
}

void
atm_policy_free (AtmPolicy *policy)
{
  if (policy == NULL)
    return;
  g_free (policy->path);
  g_clear_pointer (&policy->fallback, g_ptr_array_unref);
  g_clear_pointer (&policy->transports, g_hash_table_unref);
  g_free (policy);
}

/* ---- finding ---- */

static AtmTrustError
code_for (const GError *error)
{
  switch ((AtmTrustedFileError) error->code)
    {
    case ATM_TRUSTED_FILE_ERROR_INSECURE:
      return ATM_TRUST_ERROR_POLICY_INSECURE_FILE;
    case ATM_TRUSTED_FILE_ERROR_TOO_LARGE:
      return ATM_TRUST_ERROR_POLICY_SYNTAX;
    default:
      return ATM_TRUST_ERROR_POLICY_MISSING;
    }
}

/* One candidate; a file that is not there is no error unless it was @named by someone. */
static gboolean
try_file (const char *path, const char *named, GBytes **bytes_out, char **path_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_trusted_file_read (path, ATM_POLICY_MAX_BYTES, bytes_out, &local))
    {
      *path_out = g_strdup (path);
      return TRUE;
    }
  if (named == NULL
      && g_error_matches (local, ATM_TRUSTED_FILE_ERROR, ATM_TRUSTED_FILE_ERROR_MISSING))
    return TRUE;
  (void) atm_refusal_convert (&local, code_for (local));
  g_propagate_error (error, g_steal_pointer (&local));
  return atm_prefix_error (error, "The policy%s%s", named != NULL ? " of " : "",
                           named != NULL ? named : "");
}

gboolean
atm_policy_read (const char *named, const char *config_dir, const char *vendor_dir,
                 GBytes **bytes_out, char **path_out, GError **error)
{
  const char *environment = secure_getenv ("TRUST_POLICY");
  g_autofree char *home = NULL, *user = NULL, *host = NULL, *vendor = NULL, *path = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (named != NULL || environment != NULL)
    return try_file (named != NULL ? named : environment,
                     named != NULL ? "--policy" : "TRUST_POLICY", bytes_out, path_out, error);

  home = atm_places_dup_home ();
  host = g_build_filename (config_dir, "policy.json", NULL);
  vendor = g_build_filename (vendor_dir, "policy.json", NULL);
  if (home != NULL)
    {
      user = g_build_filename (home, ".config", "containers", "policy.json", NULL);
      if (!try_file (user, NULL, &bytes, &path, error))
        return FALSE;
    }
  if ((bytes == NULL && !try_file (host, NULL, &bytes, &path, error))
      || (bytes == NULL && !try_file (vendor, NULL, &bytes, &path, error)))
    return FALSE;
  if (bytes == NULL)
    return atm_throw (
        error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_MISSING,
        "There is no policy, neither %s nor %s nor %s, and without one nothing is allowed; "
        "write %s, with “reject” as its default and a “signedBy” entry for each "
        "publisher that you trust",
        user != NULL ? user : "one of the user", host, vendor, host);
  *bytes_out = g_steal_pointer (&bytes);
  *path_out = g_steal_pointer (&path);
  return TRUE;
}

gboolean
atm_policy_load (const char *named, const char *config_dir, const char *vendor_dir,
                 AtmPolicy **policy_out, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *path = NULL;

  return atm_policy_read (named, config_dir, vendor_dir, &bytes, &path, error)
         && atm_policy_parse (bytes, path, policy_out, error);
}

const char *
atm_policy_get_path (const AtmPolicy *policy)
{
  return policy->path;
}

/* ---- asking ---- */

GPtrArray *
atm_policy_select (const AtmPolicy *policy, const char *transport, const char *const *scopes,
                   const char **scope_out)
{
  GHashTable *table = g_hash_table_lookup (policy->transports, transport);
  gpointer key = NULL, list = NULL;

  *scope_out = NULL;
  if (table == NULL)
    return policy->fallback;
  for (const char *const *scope = scopes; *scope != NULL && list == NULL; scope++)
    (void) g_hash_table_lookup_extended (table, *scope, &key, &list);
  if (list == NULL && !g_hash_table_lookup_extended (table, "", &key, &list))
    return policy->fallback;
  *scope_out = key;
  return list;
}

static void
add_entry (GPtrArray *entries, const char *transport, const char *scope, GPtrArray *list)
{
  AtmPolicyEntry *entry = g_new0 (AtmPolicyEntry, 1);

  entry->transport = transport;
  entry->scope = scope;
  entry->list = list;
  g_ptr_array_add (entries, entry);
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const AtmPolicyEntry *first = *(const AtmPolicyEntry *const *) a;
  const AtmPolicyEntry *second = *(const AtmPolicyEntry *const *) b;
  int order = g_strcmp0 (first->transport, second->transport);

  return order != 0 ? order : g_strcmp0 (first->scope, second->scope);
}

GPtrArray *
atm_policy_dup_entries (const AtmPolicy *policy)
{
  GPtrArray *entries = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter transports;
  gpointer transport, table;

  add_entry (entries, NULL, NULL, policy->fallback);
  g_hash_table_iter_init (&transports, policy->transports);
  while (g_hash_table_iter_next (&transports, &transport, &table))
    {
      GHashTableIter scopes;
      gpointer scope, list;

      g_hash_table_iter_init (&scopes, table);
      while (g_hash_table_iter_next (&scopes, &scope, &list))
        add_entry (entries, transport, scope, list);
    }
  g_ptr_array_sort (entries, compare_entries);
  return entries;
}
