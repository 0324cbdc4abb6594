/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/trust.h"

#include "trust/evaluation.h"
#include "trust/lookaside.h"
#include "trust/places.h"
#include "trust/policy.h"
#include "trust/refusal.h"
#include "trust/registriesd.h"
#include "trust/signature.h"
#include "trust/verdict-private.h"
#include "util/error.h"
#include "util/text.h"

struct _AtmTrust
{
  char *registries_d;    /* (owned) (nullable) */
  char *gpg_home_parent; /* (owned) */
  char *config_dir;      /* (owned) */
  char *lookaside_dir;   /* (owned): the built-in one */
  AtmPolicy *policy;     /* (owned) */
  GPtrArray *list;       /* (borrowed from policy) (element-type AtmRequirement) */
  const char *scope;     /* (borrowed from policy) (nullable) */
  const char *transport; /* static */
  char *reference;       /* (owned) */
  AtmImageName *name;    /* (owned) (nullable): NULL where the transport has no names */
  char *dir;          /* (owned) (nullable): of a “dir:” image: where its signatures are, too */
  char *place;        /* (owned): scope and file, for messages */
  char *narrow_scope; /* (owned): the scope to write an entry for this image under */
};

void
atm_trust_free (AtmTrust *trust)
{
  if (trust == NULL)
    return;
  g_free (trust->registries_d);
  g_free (trust->gpg_home_parent);
  g_free (trust->config_dir);
  g_free (trust->lookaside_dir);
  atm_policy_free (trust->policy);
  g_free (trust->reference);
  atm_name_free (trust->name);
  g_free (trust->dir);
  g_free (trust->place);
  g_free (trust->narrow_scope);
  g_free (trust);
}

/* ---- the requirements that apply ---- */

static char *
describe_place (const AtmTrust *trust)
{
  const char *path = atm_policy_get_path (trust->policy);
  g_autofree char *safe = atm_text_escape (trust->scope);

  if (trust->scope == NULL)
    return g_strdup_printf ("“default” in %s", path);
  if (*trust->scope == '\0')
    return g_strdup_printf ("the default of transport “%s” in %s", trust->transport, path);
  return g_strdup_printf ("scope “%s” of transport “%s” in %s", safe, trust->transport, path);
}

static gboolean
check_possible (const AtmTrust *trust, const AtmRequirement *requirement, GError **error)
{
  if (requirement->unsupported != NULL)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_UNSUPPORTED,
                      "%s asks for %s, which this version cannot check and so refuses; ask for a "
                      "“signedBy” signature with the “GPGKeys” of the publisher",
                      trust->place, requirement->unsupported);
  if (requirement->type == ATM_REQUIREMENT_REJECT)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REJECTED,
                      "%s rejects it; to allow it, %s for scope “%s” of transport “%s” to %s",
                      trust->place,
                      g_str_equal (trust->transport, "docker") || trust->dir != NULL
                          ? "add a “signedBy” entry with the publisher's key"
                          : "which carries no signatures, add what is asked of it",
                      trust->narrow_scope, trust->transport, atm_policy_get_path (trust->policy));
  return TRUE;
}

static gboolean
select_list (AtmTrust *trust, const AtmTrustOptions *options, const AtmOrigin *origin,
             GError **error)
{
  g_auto (GStrv) scopes = atm_origin_dup_scopes (origin);

  if (!atm_policy_load (options->policy_path, trust->config_dir, &trust->policy, error))
    return FALSE;
  trust->list = atm_policy_select (trust->policy, trust->transport, (const char *const *) scopes,
                                   &trust->scope);
  trust->place = describe_place (trust);
  /* Of a registry image the first scope is the identity; an entry for it would end with the tag. */
  trust->narrow_scope
      = trust->name != NULL ? atm_name_get_repository (trust->name) : atm_text_escape (scopes[0]);
  for (guint i = 0; i < trust->list->len; i++)
    if (!check_possible (trust, g_ptr_array_index (trust->list, i), error))
      return FALSE;
  return TRUE;
}

gboolean
atm_trust_open (const AtmTrustOptions *options, const AtmOrigin *origin, AtmTrust **trust_out,
                GError **error)
{
  g_autoptr (AtmTrust) trust = g_new0 (AtmTrust, 1);

  trust->registries_d = g_strdup (options->registries_d);
  trust->gpg_home_parent = g_strdup (options->gpg_home_parent);
  trust->config_dir
      = g_strdup (options->config_dir != NULL ? options->config_dir : ATM_SYSCONFDIR "/containers");
  trust->lookaside_dir = options->lookaside_dir != NULL ? g_strdup (options->lookaside_dir)
                                                        : atm_places_dup_lookaside ();
  trust->transport = atm_origin_get_transport_name (origin);
  trust->reference = atm_origin_to_string (origin);
  if (origin->transport == ATM_TRANSPORT_DOCKER)
    {
      trust->name = atm_name_copy (origin->name);
      /* With a digest the tag is only remembered; nobody has resolved it (trust.md 2). */
      if (trust->name->has_digest)
        g_clear_pointer (&trust->name->tag, g_free);
    }
  else if (origin->transport == ATM_TRANSPORT_DIR)
    trust->dir = g_strdup (origin->path);
  if (!select_list (trust, options, origin, error))
    return atm_refusal_name (error, trust->reference);
  *trust_out = g_steal_pointer (&trust);
  return TRUE;
}

/* ---- the signatures that there are ---- */

static gboolean
read_lookaside (AtmTrust *trust, const AtmDigest *digest, GPtrArray **blobs_out, char **source_out,
                GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmRegistriesd) conf = NULL;
  g_autofree char *fallback = NULL;
  const char *url = NULL;

  if (trust->dir != NULL)
    {
      *source_out = g_strdup_printf ("There is no file signature-1 in %s", trust->dir);
      return atm_lookaside_read_dir (trust->dir, digest, blobs_out, cancellable, error);
    }
  if (trust->name == NULL)
    {
      *blobs_out = g_ptr_array_new ();
      *source_out
          = g_strdup_printf ("An image of transport “%s” carries no signatures", trust->transport);
      return TRUE;
    }
  if (!atm_registriesd_load (trust->registries_d, trust->config_dir, &conf, error))
    return FALSE;
  url = atm_registriesd_look_up (conf, trust->name);
  if (url == NULL)
    {
      fallback = g_filename_to_uri (trust->lookaside_dir, NULL, error);
      if (fallback == NULL)
        return atm_refusal_convert (error, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
      url = fallback;
    }
  *source_out = g_strdup_printf ("There is no signature for it in %s", url);
  return atm_lookaside_read (url, trust->name->path, digest, blobs_out, cancellable, error);
}

/* All of them, so that one that is none fails the image whatever the others say. */
static gboolean
load_signatures (AtmTrust *trust, const AtmDigest *digest, GPtrArray *stored, AtmEvidence *evidence,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) blobs = NULL;

  if (stored != NULL)
    {
      blobs = g_ptr_array_ref (stored);
      evidence->missing = g_strdup ("No signature was stored with it when it was pulled");
      evidence->advice = "pull the image again";
    }
  else if (!read_lookaside (trust, digest, &blobs, &evidence->missing, cancellable, error))
    return FALSE;
  if (blobs->len > ATM_SIGNATURES_MAX)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "more than %d signatures; pull the image again", ATM_SIGNATURES_MAX);
  for (guint i = 0; i < blobs->len; i++)
    {
      AtmSignature *signature = NULL;

      if (!atm_signature_new (i + 1, g_ptr_array_index (blobs, i), &signature, error))
        return FALSE;
      g_ptr_array_add (evidence->signatures, signature);
    }
  return TRUE;
}

/* ---- the decision ---- */

static gboolean
needs_signatures (const AtmTrust *trust)
{
  for (guint i = 0; i < trust->list->len; i++)
    {
      const AtmRequirement *requirement = g_ptr_array_index (trust->list, i);

      if (requirement->type == ATM_REQUIREMENT_SIGNED_BY)
        return TRUE;
    }
  return FALSE;
}

static gboolean
meet (AtmTrust *trust, const AtmRequirement *requirement, const AtmEvidence *evidence,
      AtmVerdict *verdict, GCancellable *cancellable, GError **error)
{
  if (!check_possible (trust, requirement, error))
    return FALSE;
  if (requirement->type == ATM_REQUIREMENT_SIGNED_BY)
    return atm_evaluate_signed_by (requirement, evidence, verdict, cancellable, error);
  atm_verdict_add_requirement (verdict, atm_requirement_get_type_name (requirement), NULL);
  return TRUE;
}

static gboolean
judge (AtmTrust *trust, GBytes *manifest, GPtrArray *stored, GCancellable *cancellable,
       AtmVerdict **verdict_out, GError **error)
{
  g_auto (AtmEvidence) evidence = { .name = trust->name,
                                    .place = trust->place,
                                    .gpg_home_parent = trust->gpg_home_parent,
                                    .advice = "ask the publisher for a signature, or for the place "
                                              "where signatures are and name it in registries.d" };
  g_autoptr (AtmVerdict) verdict = NULL;

  evidence.signatures = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_signature_free);
  atm_digest_of (ATM_HASH_SHA256, manifest, &evidence.digest);
  if (needs_signatures (trust)
      && !load_signatures (trust, &evidence.digest, stored, &evidence, cancellable, error))
    return FALSE;

  verdict = atm_verdict_new (trust->reference, trust->transport, trust->scope, &evidence.digest);
  for (guint i = 0; i < trust->list->len; i++)
    if (!meet (trust, g_ptr_array_index (trust->list, i), &evidence, verdict, cancellable, error))
      return FALSE;
  *verdict_out = g_steal_pointer (&verdict);
  return TRUE;
}

gboolean
atm_trust_judge (AtmTrust *trust, GBytes *manifest, GPtrArray *stored, GCancellable *cancellable,
                 AtmVerdict **verdict_out, GError **error)
{
  if (!judge (trust, manifest, stored, cancellable, verdict_out, error))
    return atm_refusal_name (error, trust->reference);
  return TRUE;
}
