/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/manifest.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#define REFERENCE_TYPE "vnd.docker.reference.type"
#define UNKNOWN_OS "unknown"
/* A message lists no more than this; an index has up to ATM_INDEX_ENTRIES_MAX entries. */
#define OFFERS_SHOWN_MAX 32

/* An image, or a nested index, that an index offers. */
typedef struct
{
  AtmDescriptor *descriptor; /* (owned) */
  AtmPlatform *platform;     /* (owned) (nullable) */
} Entry;

static void
entry_free (Entry *entry)
{
  atm_descriptor_free (entry->descriptor);
  atm_platform_free (entry->platform);
  g_free (entry);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Entry, entry_free)

typedef struct
{
  char *media_type;        /* (owned) (nullable) */
  char *artifact_type;     /* (owned) (nullable) */
  JsonObject *platform;    /* (owned) (nullable) */
  JsonObject *annotations; /* (owned) (nullable) */
} Fields;

static void
fields_clear (Fields *fields)
{
  g_free (fields->media_type);
  g_free (fields->artifact_type);
  g_clear_pointer (&fields->platform, json_object_unref);
  g_clear_pointer (&fields->annotations, json_object_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fields, fields_clear)

static gboolean
read_platform (JsonObject *object, const char *where, AtmPlatform **platform_out, GError **error)
{
  static const AtmJsonField table[] = {
    { "os", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmPlatform, os), ATM_JSON_MANDATORY },
    { "architecture", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmPlatform, architecture),
      ATM_JSON_MANDATORY },
    { "variant", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmPlatform, variant), ATM_JSON_NULLABLE },
  };
  g_autoptr (AtmPlatform) platform = g_new0 (AtmPlatform, 1);

  if (!atm_descriptor_check_members (object, where, error)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, where,
                         platform, error))
    return FALSE;
  *platform_out = g_steal_pointer (&platform);
  return TRUE;
}

/* @entry_out is NULL if the entry is neither an image nor an index: attestations, signatures,
   artifacts, types that we do not know (registry.md 4.4). */
static gboolean
read_entry (JsonNode *node, const char *where, Entry **entry_out, GError **error)
{
  static const AtmJsonField table[] = {
    { "mediaType", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, media_type), ATM_JSON_OPTIONAL },
    { "artifactType", ATM_JSON_STRING, G_STRUCT_OFFSET (Fields, artifact_type), ATM_JSON_OPTIONAL },
    { "platform", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Fields, platform), ATM_JSON_NULLABLE },
    { "annotations", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Fields, annotations), ATM_JSON_NULLABLE },
  };
  g_auto (Fields) fields = { 0 };
  g_autoptr (Entry) entry = g_new0 (Entry, 1);
  g_autofree char *platform_where = g_strconcat (where, ".platform", NULL);

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID, "“%s” is no object",
                      where);
  if (!atm_json_read (json_node_get_object (node), table, G_N_ELEMENTS (table),
                      ATM_JSON_ALLOW_UNKNOWN, where, &fields, error))
    return FALSE;
  if (atm_manifest_type_of (fields.media_type) == NULL
      || (fields.artifact_type != NULL && !g_str_equal (fields.artifact_type, ATM_TYPE_OCI_CONFIG))
      || (fields.annotations != NULL
          && json_object_has_member (fields.annotations, REFERENCE_TYPE)))
    return TRUE;
  if (fields.platform != NULL
      && !read_platform (fields.platform, platform_where, &entry->platform, error))
    return FALSE;
  if (entry->platform != NULL && g_str_equal (entry->platform->os, UNKNOWN_OS))
    return TRUE;
  if (!atm_descriptor_read (json_node_get_object (node), where, &entry->descriptor, error))
    return FALSE;
  *entry_out = g_steal_pointer (&entry);
  return TRUE;
}

/* Sorted and each once, for a message. */
static char *
join_set (GHashTable *set)
{
  g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (set), (GCompareFunc) strcmp);
  GString *text = g_string_new (NULL);
  guint shown = 0;

  for (GList *l = keys; l != NULL && shown < OFFERS_SHOWN_MAX; l = l->next, shown++)
    {
      g_autofree char *safe = atm_text_escape (l->data);

      g_string_append_printf (text, "%s%s", shown > 0 ? ", " : "", safe);
    }
  if (g_hash_table_size (set) > shown)
    g_string_append (text, ", …");
  if (shown == 0)
    g_string_append (text, "nothing");
  return g_string_free (text, FALSE);
}

static gboolean
throw_no_image (GError **error, JsonArray *manifests, const char *what)
{
  g_autoptr (GHashTable) types = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *list = NULL;

  for (guint i = 0; i < json_array_get_length (manifests); i++)
    {
      JsonObject *object = json_array_get_object_element (manifests, i);
      const char *type
          = json_object_get_string_member_with_default (object, "mediaType", "no type");

      g_hash_table_add (types, (gpointer) json_object_get_string_member_with_default (
                                   object, "artifactType", type));
    }
  list = join_set (types);
  return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_UNSUPPORTED,
                    "%s contains no container image; found: %s", what, list);
}

static gboolean
throw_no_platform (GError **error, GPtrArray *entries, const AtmPlatform *platform,
                   const char *what)
{
  g_autoptr (GHashTable) offers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *wanted = atm_platform_to_string (platform), *list = NULL;

  for (guint i = 0; i < entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (entries, i);

      g_hash_table_add (offers, entry->platform != NULL ? atm_platform_to_string (entry->platform)
                                                        : g_strdup ("an unnamed platform"));
    }
  list = join_set (offers);
  return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_PLATFORM,
                    "no image for %s in %s; available: %s", wanted, what, list);
}

static const Entry *
choose (GPtrArray *entries, const AtmPlatform *platform, gboolean allow_unnamed)
{
  g_auto (GStrv) variants = atm_platform_dup_variants (platform);
  const Entry *unnamed = NULL;
  guint n_unnamed = 0;

  for (guint v = 0; variants[v] != NULL; v++)
    for (guint i = 0; i < entries->len; i++)
      {
        const Entry *entry = g_ptr_array_index (entries, i);

        if (entry->platform != NULL && g_str_equal (entry->platform->os, platform->os)
            && g_str_equal (entry->platform->architecture, platform->architecture)
            && g_str_equal (entry->platform->variant != NULL ? entry->platform->variant : "",
                            variants[v]))
          return entry;
      }

  for (guint i = 0; i < entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (entries, i);

      if (entry->platform == NULL)
        {
          unnamed = entry;
          n_unnamed++;
        }
    }
  return allow_unnamed && n_unnamed == 1 ? unnamed : NULL;
}

gboolean
atm_index_choose (GBytes *bytes, const AtmPlatform *platform, const char *what,
                  AtmDescriptor **descriptor_out, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
  AtmManifestKind kind = ATM_MANIFEST_KIND_IMAGE;
  JsonArray *manifests = NULL;
  const Entry *chosen = NULL;
  gboolean docker = FALSE;

  if (!atm_manifest_get_kind (bytes, NULL, what, &kind, error))
    return FALSE;
  if (kind != ATM_MANIFEST_KIND_INDEX)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "%s was said to be an index, and is a manifest", what);
  if (!atm_json_parse_object (bytes, &object, error))
    return FALSE;

  manifests = json_object_get_array_member (object, "manifests");
  if (json_array_get_length (manifests) > ATM_INDEX_ENTRIES_MAX)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "%s: the index has %u entries, more than %d", what,
                      json_array_get_length (manifests), ATM_INDEX_ENTRIES_MAX);
  for (guint i = 0; i < json_array_get_length (manifests); i++)
    {
      g_autofree char *where = g_strdup_printf ("manifests[%u]", i);
      g_autoptr (Entry) entry = NULL;

      if (!read_entry (json_array_get_element (manifests, i), where, &entry, error))
        return atm_prefix_error (error, "The index of %s", what);
      if (entry != NULL)
        g_ptr_array_add (entries, g_steal_pointer (&entry));
    }
  if (entries->len == 0)
    return throw_no_image (error, manifests, what);

  /* Only OCI lets an entry be without a platform. */
  docker = g_str_equal (json_object_get_string_member_with_default (object, "mediaType", ""),
                        ATM_TYPE_DOCKER_LIST);
  chosen = choose (entries, platform, !docker);
  if (chosen == NULL)
    return throw_no_platform (error, entries, platform, what);
  *descriptor_out = atm_descriptor_copy (chosen->descriptor);
  return TRUE;
}
