/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/trust.h"

#include <string.h>

#include "trust/refusal.h"
#include "trust/verdict-private.h"
#include "util/error.h"
#include "util/json.h"

typedef struct
{
  char *reference;       /* (owned) (nullable) */
  JsonArray *signatures; /* (owned) (nullable) */
  JsonObject *site;      /* (owned) (nullable) */
} Installed;

static void
installed_clear (Installed *installed)
{
  g_clear_pointer (&installed->reference, g_free);
  g_clear_pointer (&installed->signatures, json_array_unref);
  g_clear_pointer (&installed->site, json_object_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Installed, installed_clear)

typedef struct
{
  char *fingerprint; /* (owned) (nullable) */
  char *created;     /* (owned) (nullable) */
} Signature;

static void
signature_clear (Signature *signature)
{
  g_clear_pointer (&signature->fingerprint, g_free);
  g_clear_pointer (&signature->created, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Signature, signature_clear)

static const AtmJsonField installed_fields[] = {
  { "reference", ATM_JSON_STRING, G_STRUCT_OFFSET (Installed, reference), ATM_JSON_MANDATORY },
  { "signatures", ATM_JSON_ARRAY, G_STRUCT_OFFSET (Installed, signatures), ATM_JSON_MANDATORY },
  { "site", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Installed, site), ATM_JSON_OPTIONAL },
};

static const AtmJsonField signature_fields[] = {
  { "fingerprint", ATM_JSON_STRING, G_STRUCT_OFFSET (Signature, fingerprint), ATM_JSON_MANDATORY },
  { "created", ATM_JSON_STRING, G_STRUCT_OFFSET (Signature, created), ATM_JSON_MANDATORY },
};

/* When a key signed what the verdict is about: atm_verdict_get_created(), or that of the site. */
typedef gboolean (*GetCreated) (const AtmVerdict *verdict, const char *fingerprint,
                                gint64 *created_unix_out);

static gboolean
check_signature (const AtmVerdict *verdict, GetCreated get_created, JsonNode *node, GError **error)
{
  g_auto (Signature) signature = { 0 };
  g_autoptr (GDateTime) created = NULL;
  g_autoptr (GDateTime) offered = NULL;
  g_autofree char *offered_text = NULL;
  gint64 offered_unix = 0;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "a signature is no object");
  if (!atm_json_read (json_node_get_object (node), signature_fields,
                      G_N_ELEMENTS (signature_fields), ATM_JSON_ALLOW_UNKNOWN, "signatures",
                      &signature, error))
    return FALSE;
  created = g_date_time_new_from_iso8601 (signature.created, NULL);
  if (created == NULL)
    return atm_throw (error, ATM_JSON_ERROR, ATM_JSON_ERROR_MEMBER, "“created” is no time");
  if (!get_created (verdict, signature.fingerprint, &offered_unix)
      || offered_unix >= g_date_time_to_unix (created))
    return TRUE;
  offered = g_date_time_new_from_unix_utc (offered_unix);
  offered_text = offered != NULL ? g_date_time_format_iso8601 (offered) : NULL;
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_DOWNGRADE,
                    "key %s signed this image at %s, and the installed one later, at %s; if the "
                    "publisher means to go back, ask for a new signature of the old image",
                    signature.fingerprint, offered_text != NULL ? offered_text : "an unknown time",
                    signature.created);
}

static gboolean
check_signatures (const AtmVerdict *verdict, GetCreated get_created, JsonArray *signatures,
                  GError **error)
{
  for (guint i = 0; i < json_array_get_length (signatures); i++)
    if (!check_signature (verdict, get_created, json_array_get_element (signatures, i), error))
      return FALSE;
  return TRUE;
}

/* An old commit of the site stays signed, too. */
static gboolean
check_site (const AtmVerdict *verdict, JsonObject *object, GError **error)
{
  const char *reference = atm_verdict_get_site_reference (verdict);
  g_auto (Installed) installed = { 0 };

  return atm_json_read (object, installed_fields, G_N_ELEMENTS (installed_fields),
                        ATM_JSON_ALLOW_UNKNOWN, "site", &installed, error)
         && (g_strcmp0 (installed.reference, reference) != 0
             || check_signatures (verdict, atm_verdict_get_site_created, installed.signatures,
                                  error));
}

static gboolean
check (const AtmVerdict *verdict, const char *text, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  g_autoptr (JsonObject) object = NULL;
  g_auto (Installed) installed = { 0 };

  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_json_read (object, installed_fields, G_N_ELEMENTS (installed_fields),
                         ATM_JSON_ALLOW_UNKNOWN, "", &installed, error))
    return FALSE;
  return !g_str_equal (installed.reference, atm_verdict_get_reference (verdict))
         || (check_signatures (verdict, atm_verdict_get_created, installed.signatures, error)
             && (installed.site == NULL || check_site (verdict, installed.site, error)));
}

gboolean
atm_trust_check_downgrade (const AtmVerdict *verdict, const char *installed, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (installed == NULL || check (verdict, installed, &local))
    return TRUE;
  if (local->domain != ATM_TRUST_ERROR)
    (void) atm_prefix_error (&local, "What was kept of the installed image cannot be read, so the "
                                     "two cannot be compared; pull the image that is installed "
                                     "again");
  (void) atm_refusal_convert (&local, ATM_TRUST_ERROR_DOWNGRADE);
  g_propagate_error (error, g_steal_pointer (&local));
  return atm_refusal_name (error, atm_verdict_get_reference (verdict));
}
