/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/verdict.h"

#include <string.h>

#include "trust/verdict-private.h"
#include "util/json.h"
#include "util/sha256.h"

/* A requirement that was met. */
typedef struct
{
  char *type;        /* (owned) */
  char *fingerprint; /* (owned) (nullable) */
} Met;

/* What is told of a signature besides its bytes. */
typedef struct
{
  char *fingerprint; /* (owned) */
  gint64 created_unix;
  char *identity; /* (owned) (nullable): NULL of the signature of a commit */
} Told;

/* Why something is allowed. */
typedef struct
{
  char *transport;       /* (owned) */
  char *scope;           /* (owned) (nullable) */
  GPtrArray *met;        /* (owned) (element-type Met) */
  GPtrArray *signatures; /* (owned) (element-type GBytes) */
  GPtrArray *told;       /* (owned) (element-type Told): as signatures */
} Reasons;

struct _AtmVerdict
{
  gatomicrefcount references;
  char *reference; /* (owned) */
  AtmDigest digest;
  gint64 time_unix;
  Reasons image;
  char *site_reference; /* (owned) (nullable): no site, if NULL */
  GBytes *site_commit;  /* (owned) (nullable) */
  Reasons site;
};

static void
met_free (Met *met)
{
  g_free (met->type);
  g_free (met->fingerprint);
  g_free (met);
}

static void
told_free (Told *told)
{
  g_free (told->fingerprint);
  g_free (told->identity);
  g_free (told);
}

static void
reasons_init (Reasons *reasons, const char *transport, const char *scope)
{
  reasons->transport = g_strdup (transport);
  reasons->scope = g_strdup (scope);
  reasons->met = g_ptr_array_new_with_free_func ((GDestroyNotify) met_free);
  reasons->signatures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  reasons->told = g_ptr_array_new_with_free_func ((GDestroyNotify) told_free);
}

static void
reasons_clear (Reasons *reasons)
{
  g_clear_pointer (&reasons->transport, g_free);
  g_clear_pointer (&reasons->scope, g_free);
  g_clear_pointer (&reasons->met, g_ptr_array_unref);
  g_clear_pointer (&reasons->signatures, g_ptr_array_unref);
  g_clear_pointer (&reasons->told, g_ptr_array_unref);
}

AtmVerdict *
atm_verdict_new (const char *reference, const char *transport, const char *scope,
                 const AtmDigest *digest)
{
  AtmVerdict *verdict = g_new0 (AtmVerdict, 1);

  g_atomic_ref_count_init (&verdict->references);
  verdict->reference = g_strdup (reference);
  verdict->digest = *digest;
  verdict->time_unix = g_get_real_time () / G_USEC_PER_SEC;
  reasons_init (&verdict->image, transport, scope);
  reasons_init (&verdict->site, "ostree", NULL);
  return verdict;
}

AtmVerdict *
atm_verdict_ref (AtmVerdict *verdict)
{
  g_atomic_ref_count_inc (&verdict->references);
  return verdict;
}

void
atm_verdict_unref (AtmVerdict *verdict)
{
  if (verdict == NULL || !g_atomic_ref_count_dec (&verdict->references))
    return;
  g_free (verdict->reference);
  g_free (verdict->site_reference);
  g_clear_pointer (&verdict->site_commit, g_bytes_unref);
  reasons_clear (&verdict->image);
  reasons_clear (&verdict->site);
  g_free (verdict);
}

static void
add_requirement (Reasons *reasons, const char *type, const char *fingerprint)
{
  Met *met = g_new0 (Met, 1);

  met->type = g_strdup (type);
  met->fingerprint = g_strdup (fingerprint);
  g_ptr_array_add (reasons->met, met);
}

void
atm_verdict_add_requirement (AtmVerdict *verdict, const char *type, const char *fingerprint)
{
  add_requirement (&verdict->image, type, fingerprint);
}

static void
add_signature (Reasons *reasons, GBytes *blob, const char *fingerprint, gint64 created_unix,
               const char *identity)
{
  Told *told = NULL;

  if (g_ptr_array_find_with_equal_func (reasons->signatures, blob, g_bytes_equal, NULL))
    return;
  told = g_new0 (Told, 1);
  told->fingerprint = g_strdup (fingerprint);
  told->created_unix = created_unix;
  told->identity = g_strdup (identity);
  g_ptr_array_add (reasons->signatures, g_bytes_ref (blob));
  g_ptr_array_add (reasons->told, told);
}

void
atm_verdict_add_signature (AtmVerdict *verdict, GBytes *blob, const char *fingerprint,
                           gint64 created_unix, const char *identity)
{
  add_signature (&verdict->image, blob, fingerprint, created_unix, identity);
}

void
atm_verdict_set_site (AtmVerdict *verdict, const char *reference, const char *scope, GBytes *commit)
{
  verdict->site_reference = g_strdup (reference);
  verdict->site.scope = g_strdup (scope);
  verdict->site_commit = g_bytes_ref (commit);
}

void
atm_verdict_add_site_requirement (AtmVerdict *verdict, const char *type, const char *fingerprint)
{
  add_requirement (&verdict->site, type, fingerprint);
}

void
atm_verdict_add_site_signature (AtmVerdict *verdict, GBytes *blob, const char *fingerprint,
                                gint64 created_unix)
{
  add_signature (&verdict->site, blob, fingerprint, created_unix, NULL);
}

const AtmDigest *
atm_verdict_get_digest (const AtmVerdict *verdict)
{
  return &verdict->digest;
}

const char *
atm_verdict_get_reference (const AtmVerdict *verdict)
{
  return verdict->reference;
}

GPtrArray *
atm_verdict_get_signatures (const AtmVerdict *verdict)
{
  return verdict->image.signatures;
}

GBytes *
atm_verdict_get_site_commit (const AtmVerdict *verdict)
{
  return verdict->site_commit;
}

GPtrArray *
atm_verdict_get_site_signatures (const AtmVerdict *verdict)
{
  return verdict->site.signatures;
}

const char *
atm_verdict_get_site_reference (const AtmVerdict *verdict)
{
  return verdict->site_reference;
}

static gboolean
get_created (const Reasons *reasons, const char *fingerprint, gint64 *created_unix_out)
{
  gboolean found = FALSE;

  for (guint i = 0; i < reasons->told->len; i++)
    {
      const Told *told = g_ptr_array_index (reasons->told, i);

      if (!g_str_equal (told->fingerprint, fingerprint)
          || (found && told->created_unix <= *created_unix_out))
        continue;
      *created_unix_out = told->created_unix;
      found = TRUE;
    }
  return found;
}

gboolean
atm_verdict_get_created (const AtmVerdict *verdict, const char *fingerprint,
                         gint64 *created_unix_out)
{
  return get_created (&verdict->image, fingerprint, created_unix_out);
}

gboolean
atm_verdict_get_site_created (const AtmVerdict *verdict, const char *fingerprint,
                              gint64 *created_unix_out)
{
  return get_created (&verdict->site, fingerprint, created_unix_out);
}

/* ---- as JSON ---- */

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_time (JsonBuilder *builder, const char *name, gint64 time_unix)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (time_unix);
  g_autofree char *text = time != NULL ? g_date_time_format_iso8601 (time) : NULL;

  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, text != NULL ? text : "");
}

static void
add_met (JsonBuilder *builder, const Met *met)
{
  json_builder_begin_object (builder);
  add_string (builder, "type", met->type);
  json_builder_set_member_name (builder, "accepted-by");
  json_builder_begin_array (builder);
  if (met->fingerprint != NULL)
    json_builder_add_string_value (builder, met->fingerprint);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
add_told (JsonBuilder *builder, const Told *told)
{
  json_builder_begin_object (builder);
  add_string (builder, "fingerprint", told->fingerprint);
  add_time (builder, "created", told->created_unix);
  if (told->identity != NULL)
    add_string (builder, "identity", told->identity);
  json_builder_end_object (builder);
}

static void
add_reasons (JsonBuilder *builder, const Reasons *reasons)
{
  add_string (builder, "transport", reasons->transport);
  add_string (builder, "scope", reasons->scope != NULL ? reasons->scope : "default");
  if (reasons->scope == NULL)
    {
      json_builder_set_member_name (builder, "default");
      json_builder_add_boolean_value (builder, TRUE);
    }
  json_builder_set_member_name (builder, "requirements");
  json_builder_begin_array (builder);
  for (guint i = 0; i < reasons->met->len; i++)
    add_met (builder, g_ptr_array_index (reasons->met, i));
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "signatures");
  json_builder_begin_array (builder);
  for (guint i = 0; i < reasons->told->len; i++)
    add_told (builder, g_ptr_array_index (reasons->told, i));
  json_builder_end_array (builder);
}

static void
add_site (JsonBuilder *builder, const AtmVerdict *verdict)
{
  g_autofree char *commit = atm_sha256_hex (verdict->site_commit);

  json_builder_set_member_name (builder, "site");
  json_builder_begin_object (builder);
  add_string (builder, "reference", verdict->site_reference);
  add_string (builder, "commit", commit);
  add_reasons (builder, &verdict->site);
  json_builder_end_object (builder);
}

char *
atm_verdict_to_json (const AtmVerdict *verdict)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *digest = atm_digest_to_string (&verdict->digest);

  json_builder_begin_object (builder);
  add_string (builder, "reference", verdict->reference);
  add_string (builder, "digest", digest);
  add_reasons (builder, &verdict->image);
  if (verdict->site_reference != NULL)
    add_site (builder, verdict);
  add_time (builder, "time", verdict->time_unix);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return atm_json_to_text (root, FALSE);
}

/* A requirement as JSON has it. */
typedef struct
{
  char *type;         /* (owned) */
  char **accepted_by; /* (owned) */
} ReadMet;

static void
read_met_clear (ReadMet *met)
{
  g_clear_pointer (&met->type, g_free);
  g_clear_pointer (&met->accepted_by, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReadMet, read_met_clear)

static void
add_word (GPtrArray *words, const char *word)
{
  if (!g_ptr_array_find_with_equal_func (words, word, g_str_equal, NULL))
    g_ptr_array_add (words, g_strdup (word));
}

static void
read_met (JsonObject *object, GPtrArray *words)
{
  const AtmJsonField fields[] = {
    { "type", ATM_JSON_STRING, G_STRUCT_OFFSET (ReadMet, type), ATM_JSON_MANDATORY },
    { "accepted-by", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (ReadMet, accepted_by),
      ATM_JSON_MANDATORY },
  };
  g_auto (ReadMet) met = { 0 };

  if (!atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, "", &met,
                      NULL))
    return;
  for (char **key = met.accepted_by; *key != NULL; key++)
    add_word (words, *key);
  if (*met.accepted_by == NULL)
    add_word (words, met.type);
}

static void
read_requirements (JsonObject *reasons, GPtrArray *words)
{
  JsonNode *node = json_object_get_member (reasons, "requirements");
  JsonArray *array
      = node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonNode *element = json_array_get_element (array, i);

      if (JSON_NODE_HOLDS_OBJECT (element))
        read_met (json_node_get_object (element), words);
    }
}

char **
atm_verdict_dup_accepted_by (const char *json)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GBytes) bytes = g_bytes_new (json, strlen (json));
  g_autoptr (JsonObject) object = NULL;
  JsonNode *site = NULL;

  if (atm_json_parse_object (bytes, &object, NULL))
    {
      read_requirements (object, words);
      site = json_object_get_member (object, "site");
      if (site != NULL && JSON_NODE_HOLDS_OBJECT (site))
        read_requirements (json_node_get_object (site), words);
    }
  g_ptr_array_add (words, NULL);
  return (char **) g_ptr_array_steal (words, NULL);
}
