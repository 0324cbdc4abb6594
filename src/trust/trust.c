/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/trust.h"

#include "trust/evaluation.h"
#include "trust/extension.h"
#include "trust/lookaside.h"
#include "trust/places.h"
#include "trust/policy.h"
#include "trust/refusal.h"
#include "trust/registriesd.h"
#include "trust/signature.h"
#include "trust/site.h"
#include "trust/verdict-private.h"
#include "util/error.h"
#include "util/text.h"

/* One requirement list of the policy, and why it is that one. */
typedef struct
{
  GPtrArray *list;       /* (borrowed) (element-type AtmRequirement) */
  const char *scope;     /* (borrowed) (nullable) */
  const char *transport; /* static */
  char *place;           /* (owned): scope and file, for messages */
  char *narrow_scope;    /* (owned): the scope to write an entry for this image under */
} Rules;

static void
rules_clear (Rules *rules)
{
  g_clear_pointer (&rules->place, g_free);
  g_clear_pointer (&rules->narrow_scope, g_free);
}

struct _AtmTrust
{
  char *registries_d;      /* (owned) (nullable) */
  char *gpg_home_parent;   /* (owned) */
  char *config_dir;        /* (owned) */
  char *lookaside_dir;     /* (owned): the built-in one */
  GProxyResolver *proxies; /* (owned) (nullable) */
  AtmSource *source;       /* (owned) (nullable) */
  AtmPolicy *policy;       /* (owned) */
  char *reference;         /* (owned): what the user named, for messages */
  char *image_reference;   /* (owned): what is judged: the same without a site */
  AtmImageName *name;      /* (owned) (nullable): NULL where the transport has no names */
  char *dir; /* (owned) (nullable): of a “dir:” image: where its signatures are, too */
  gboolean from_site;
  Rules image;
  Rules site;          /* if from_site */
  AtmTrace *own_trace; /* (owned) (nullable): where nobody asked for one */
  AtmTrace *trace;     /* (borrowed) */
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
  g_clear_object (&trust->proxies);
  g_clear_object (&trust->source);
  atm_policy_free (trust->policy);
  g_free (trust->reference);
  g_free (trust->image_reference);
  atm_name_free (trust->name);
  g_free (trust->dir);
  rules_clear (&trust->image);
  rules_clear (&trust->site);
  atm_trace_free (trust->own_trace);
  g_free (trust);
}

/* ---- the requirements that apply ---- */

static char *
describe_place (const AtmTrust *trust, const Rules *rules)
{
  const char *path = atm_policy_get_path (trust->policy);
  g_autofree char *safe = NULL;

  if (rules->scope == NULL)
    return g_strdup_printf ("“default” in %s", path);
  if (*rules->scope == '\0')
    return g_strdup_printf ("the default of transport “%s” in %s", rules->transport, path);
  safe = atm_text_escape (rules->scope);
  return g_strdup_printf ("scope “%s” of transport “%s” in %s", safe, rules->transport, path);
}

/* What an entry that allows the image would hold. */
static const char *
describe_entry (const char *transport)
{
  if (g_str_equal (transport, "docker") || g_str_equal (transport, "dir"))
    return "add a “signedBy” entry with the publisher's key";
  if (g_str_equal (transport, "ostree"))
    return "add a “signedBy” entry with the key of the site";
  return "which carries no signatures, add what is asked of it";
}

static gboolean
check_possible (const AtmTrust *trust, const Rules *rules, const AtmRequirement *requirement,
                GError **error)
{
  if (requirement->unsupported != NULL)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_UNSUPPORTED,
                      "%s asks for %s, which this version cannot check and so refuses; ask for a "
                      "“signedBy” signature with the “GPGKeys” of the publisher",
                      rules->place, requirement->unsupported);
  if (requirement->type == ATM_REQUIREMENT_REJECT)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REJECTED,
                      "%s rejects it; to allow it, %s for scope “%s” of transport “%s” to %s",
                      rules->place, describe_entry (rules->transport), rules->narrow_scope,
                      rules->transport, atm_policy_get_path (trust->policy));
  return TRUE;
}

static AtmTraceRequirement *
get_traced (const AtmTraceList *list, guint i)
{
  return g_ptr_array_index (list->requirements, i);
}

static AtmTraceList *
trace_list (const Rules *rules, char **scopes)
{
  const char *const data[] = { "keyData", NULL };
  AtmTraceList *list
      = atm_trace_list_new (rules->transport, (const char *const *) scopes, rules->scope);

  for (guint i = 0; i < rules->list->len; i++)
    {
      const AtmRequirement *requirement = g_ptr_array_index (rules->list, i);
      const char *const *paths = (const char *const *) requirement->key_paths;

      atm_trace_list_add (list, atm_requirement_get_type_name (requirement),
                          requirement->key_data != NULL ? data : paths,
                          requirement->identity != NULL
                              ? atm_identity_get_type_name (requirement->identity)
                              : NULL);
    }
  return list;
}

static gboolean
select_list (const AtmTrust *trust, const char *transport, char **scopes, char *narrow_scope,
             Rules *rules, AtmTraceList **trace, GError **error)
{
  rules->transport = transport;
  rules->list
      = atm_policy_select (trust->policy, transport, (const char *const *) scopes, &rules->scope);
  rules->place = describe_place (trust, rules);
  rules->narrow_scope = narrow_scope;
  *trace = trace_list (rules, scopes);
  for (guint i = 0; i < rules->list->len; i++)
    if (!check_possible (trust, rules, g_ptr_array_index (rules->list, i), error))
      {
        get_traced (*trace, i)->state = ATM_TRACE_NOT_MET;
        return FALSE;
      }
  return TRUE;
}

/* An image of a site is judged twice: as what the site serves, and as that of its registry. */
static gboolean
select_lists (AtmTrust *trust, const AtmOrigin *origin, GError **error)
{
  const char *transport = atm_origin_get_transport_name (origin);
  g_auto (GStrv) scopes = atm_origin_dup_scopes (origin);
  g_auto (GStrv) names = NULL;

  /* Of a registry image the first scope is the identity; an entry for it would end with the tag. */
  if (!trust->from_site)
    return select_list (trust, transport, scopes,
                        trust->name != NULL ? atm_name_get_repository (trust->name)
                                            : atm_text_escape (scopes[0]),
                        &trust->image, &trust->trace->image, error);
  names = atm_name_dup_scopes (trust->name, TRUE);
  return select_list (trust, transport, scopes, atm_text_escape (origin->site), &trust->site,
                      &trust->trace->site, error)
         && select_list (trust, "docker", names, atm_name_get_repository (trust->name),
                         &trust->image, &trust->trace->image, error);
}

static gboolean
load_policy (AtmTrust *trust, const char *path, GError **error)
{
  if (!atm_policy_load (path, trust->config_dir, ATM_POLICY_VENDOR_DIR, &trust->policy, error))
    return FALSE;
  trust->trace->policy_path = g_strdup (atm_policy_get_path (trust->policy));
  return TRUE;
}

/* What leaves the room and what the trace says is one sentence. */
static gboolean
refuse (AtmTrust *trust, GError **local, GError **error)
{
  (void) atm_refusal_name (local, trust->reference);
  atm_trace_finish (trust->trace, *local);
  g_propagate_error (error, g_steal_pointer (local));
  return FALSE;
}

gboolean
atm_trust_open (const AtmTrustOptions *options, const AtmOrigin *origin, AtmTrust **trust_out,
                GError **error)
{
  g_autoptr (AtmTrust) trust = g_new0 (AtmTrust, 1);
  g_autoptr (GError) local = NULL;

  trust->own_trace = options->trace == NULL ? atm_trace_new () : NULL;
  trust->trace = options->trace != NULL ? options->trace : trust->own_trace;
  trust->registries_d = g_strdup (options->registries_d);
  trust->gpg_home_parent = g_strdup (options->gpg_home_parent);
  trust->config_dir
      = g_strdup (options->config_dir != NULL ? options->config_dir : ATM_SYSCONFDIR "/containers");
  trust->lookaside_dir = options->lookaside_dir != NULL ? g_strdup (options->lookaside_dir)
                                                        : atm_places_dup_lookaside ();
  trust->proxies = options->proxies != NULL ? g_object_ref (options->proxies) : NULL;
  trust->from_site = origin->transport == ATM_TRANSPORT_OSTREE;
  trust->reference = atm_origin_to_string (origin);
  trust->image_reference
      = trust->from_site ? atm_name_to_string (origin->name) : g_strdup (trust->reference);
  if (origin->transport == ATM_TRANSPORT_DOCKER || trust->from_site)
    {
      trust->name = atm_name_copy (origin->name);
      /* With a digest the tag is only remembered; nobody has resolved it (trust.md 2). */
      if (trust->name->has_digest)
        g_clear_pointer (&trust->name->tag, g_free);
    }
  else if (origin->transport == ATM_TRANSPORT_DIR)
    trust->dir = g_strdup (origin->path);
  trust->trace->reference = g_strdup (trust->reference);
  if (!load_policy (trust, options->policy_path, &local) || !select_lists (trust, origin, &local))
    return refuse (trust, &local, error);
  *trust_out = g_steal_pointer (&trust);
  return TRUE;
}

void
atm_trust_set_source (AtmTrust *trust, AtmSource *source)
{
  g_set_object (&trust->source, source);
}

/* ---- the signatures that there are ---- */

/* No answer is no “there are none”. */
static gboolean
throw_source (GError **error, const GError *cause)
{
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  return atm_throw (error, ATM_TRUST_ERROR,
                    g_error_matches (cause, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE)
                        ? ATM_TRUST_ERROR_LIMIT_EXCEEDED
                        : ATM_TRUST_ERROR_LOOKASIDE_ERROR,
                    "The registry keeps signatures itself, and they cannot be read: %s",
                    cause->message);
}

static gboolean
ask_source (AtmTrust *trust, const AtmDigest *digest, AtmSourceSignatures *signatures_out,
            GCancellable *cancellable, GError **error)
{
  AtmSourceInterface *iface = trust->source != NULL ? ATM_SOURCE_GET_IFACE (trust->source) : NULL;
  g_autoptr (GError) local = NULL;

  if (iface == NULL || iface->get_signatures == NULL)
    signatures_out->name = atm_name_copy (trust->name);
  else if (!iface->get_signatures (trust->source, digest, signatures_out, cancellable, &local))
    return throw_source (error, local);
  /* As of the name that the user gave. */
  if (signatures_out->name->has_digest)
    g_clear_pointer (&signatures_out->name->tag, g_free);
  return TRUE;
}

static char *
dup_place (const char *base_url, const char *path, const AtmDigest *digest)
{
  return g_strdup_printf ("%s/%s@sha256=%s", base_url, path, digest->hex);
}

static gboolean
read_document (AtmTrust *trust, const AtmSourceSignatures *kept, GPtrArray **blobs_out,
               GError **error)
{
  g_autoptr (GError) local = NULL;
  const gboolean read = atm_extension_parse (kept->document, blobs_out, &local);

  atm_trace_add_place (trust->trace, kept->url, read ? (*blobs_out)->len : 0, local);
  if (read)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return atm_prefix_error (error, "The signatures in %s cannot be used", kept->url);
}

static gboolean
read_signatures (AtmTrust *trust, const AtmDigest *digest, GPtrArray **blobs_out, char **source_out,
                 char **place_out, GCancellable *cancellable, GError **error)
{
  const AtmLookasideWeb web = { .proxies = trust->proxies };
  g_auto (AtmSourceSignatures) kept = { 0 };
  g_autoptr (AtmRegistriesd) conf = NULL;
  g_autofree char *fallback = NULL;
  const char *url = NULL;

  if (trust->dir != NULL)
    {
      *source_out = g_strdup_printf ("There is no file signature-1 in %s", trust->dir);
      *place_out = g_strdup (trust->dir);
      return atm_lookaside_read_dir (trust->dir, digest, trust->trace, blobs_out, cancellable,
                                     error);
    }
  if (trust->name == NULL)
    {
      *blobs_out = g_ptr_array_new ();
      *source_out = g_strdup_printf ("An image of transport “%s” carries no signatures",
                                     trust->image.transport);
      return TRUE;
    }
  if (!ask_source (trust, digest, &kept, cancellable, error))
    return FALSE;
  if (kept.document != NULL)
    {
      *source_out = g_strdup_printf ("There is no signature for it in %s", kept.url);
      *place_out = g_strdup (kept.url);
      return read_document (trust, &kept, blobs_out, error);
    }
  if (!atm_registriesd_load (trust->registries_d, trust->config_dir, &conf, error))
    return FALSE;
  url = atm_registriesd_look_up (conf, kept.name);
  if (url == NULL)
    {
      fallback = g_filename_to_uri (trust->lookaside_dir, NULL, error);
      if (fallback == NULL)
        return atm_refusal_convert (error, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
      url = fallback;
    }
  *source_out = g_strdup_printf ("There is no signature for it in %s", url);
  *place_out = dup_place (url, kept.name->path, digest);
  return atm_lookaside_read (url, kept.name->path, digest, &web, trust->trace, blobs_out,
                             cancellable, error);
}

/* It spoils the image for all requirements that look at signatures; the first of them tells. */
static void
note_unreadable (const AtmTrust *trust, guint number, const char *source, const GError *reason)
{
  for (guint i = 0; i < trust->image.list->len; i++)
    {
      const AtmRequirement *requirement = g_ptr_array_index (trust->image.list, i);
      AtmTraceRequirement *traced = get_traced (trust->trace->image, i);

      if (requirement->type != ATM_REQUIREMENT_SIGNED_BY)
        continue;
      traced->state = ATM_TRACE_NOT_MET;
      atm_trace_signature_refuse (atm_trace_requirement_add (traced, number, source), reason);
      return;
    }
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
      evidence->source = g_strdup (trust->from_site ? "the site" : "the store");
      evidence->missing
          = g_strdup (trust->from_site ? "The site keeps no signature of the publisher with it"
                                       : "No signature was stored with it when it was pulled");
      evidence->advice = trust->from_site ? "pull it there again, under a policy that asks for one"
                                          : "pull the image again";
    }
  else if (!read_signatures (trust, digest, &blobs, &evidence->missing, &evidence->source,
                             cancellable, error))
    return FALSE;
  if (blobs->len > ATM_SIGNATURES_MAX)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "more than %d signatures; pull the image again", ATM_SIGNATURES_MAX);
  for (guint i = 0; i < blobs->len; i++)
    {
      AtmSignature *signature = NULL;
      g_autoptr (GError) local = NULL;

      if (!atm_signature_new (i + 1, g_ptr_array_index (blobs, i), &signature, &local))
        {
          note_unreadable (trust, i + 1, evidence->source, local);
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      g_ptr_array_add (evidence->signatures, signature);
    }
  return TRUE;
}

/* ---- the decision ---- */

static gboolean
needs_signatures (const AtmTrust *trust)
{
  for (guint i = 0; i < trust->image.list->len; i++)
    {
      const AtmRequirement *requirement = g_ptr_array_index (trust->image.list, i);

      if (requirement->type == ATM_REQUIREMENT_SIGNED_BY)
        return TRUE;
    }
  return FALSE;
}

static gboolean
meet (const AtmTrust *trust, const AtmRequirement *requirement, const AtmEvidence *evidence,
      AtmTraceRequirement *traced, AtmVerdict *verdict, GCancellable *cancellable, GError **error)
{
  traced->state = ATM_TRACE_NOT_MET;
  if (!check_possible (trust, &trust->image, requirement, error))
    return FALSE;
  if (requirement->type != ATM_REQUIREMENT_SIGNED_BY)
    atm_verdict_add_requirement (verdict, atm_requirement_get_type_name (requirement), NULL);
  else if (!atm_evaluate_signed_by (requirement, evidence, traced, verdict, cancellable, error))
    return FALSE;
  traced->state = ATM_TRACE_MET;
  return TRUE;
}

static gboolean
meet_site (const AtmTrust *trust, const AtmRequirement *requirement, const AtmSiteProof *proof,
           AtmTraceRequirement *traced, AtmVerdict *verdict, GCancellable *cancellable,
           GError **error)
{
  traced->state = ATM_TRACE_NOT_MET;
  if (!check_possible (trust, &trust->site, requirement, error))
    return FALSE;
  if (requirement->type != ATM_REQUIREMENT_SIGNED_BY)
    atm_verdict_add_site_requirement (verdict, atm_requirement_get_type_name (requirement), NULL);
  else if (!atm_site_evaluate_signed_by (requirement, proof, trust->site.place,
                                         trust->gpg_home_parent, traced, verdict, cancellable,
                                         error))
    return FALSE;
  traced->state = ATM_TRACE_MET;
  return TRUE;
}

static gboolean
judge_site (const AtmTrust *trust, const AtmSiteProof *proof, AtmVerdict *verdict,
            GCancellable *cancellable, GError **error)
{
  if (proof == NULL)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNSIGNED,
                      "nothing is kept of what the site said for it; pull the image again");
  atm_verdict_set_site (verdict, trust->reference, trust->site.scope, proof->commit);
  for (guint i = 0; i < trust->site.list->len; i++)
    if (!meet_site (trust, g_ptr_array_index (trust->site.list, i), proof,
                    get_traced (trust->trace->site, i), verdict, cancellable, error))
      return FALSE;
  return TRUE;
}

static gboolean
judge (AtmTrust *trust, const AtmSiteProof *proof, GBytes *manifest, GPtrArray *stored,
       GCancellable *cancellable, AtmVerdict **verdict_out, GError **error)
{
  g_auto (AtmEvidence) evidence = { .name = trust->name,
                                    .place = trust->image.place,
                                    .gpg_home_parent = trust->gpg_home_parent,
                                    .advice = "ask the publisher for a signature, or for the place "
                                              "where signatures are and name it in registries.d" };
  g_autoptr (AtmVerdict) verdict = NULL;

  evidence.signatures = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_signature_free);
  atm_digest_of (ATM_HASH_SHA256, manifest, &evidence.digest);
  trust->trace->digest = atm_digest_to_string (&evidence.digest);
  verdict = atm_verdict_new (trust->image_reference, trust->image.transport, trust->image.scope,
                             &evidence.digest);
  if (trust->from_site && !judge_site (trust, proof, verdict, cancellable, error))
    return FALSE;
  if (needs_signatures (trust)
      && !load_signatures (trust, &evidence.digest, stored, &evidence, cancellable, error))
    return FALSE;
  for (guint i = 0; i < trust->image.list->len; i++)
    if (!meet (trust, g_ptr_array_index (trust->image.list, i), &evidence,
               get_traced (trust->trace->image, i), verdict, cancellable, error))
      return FALSE;
  *verdict_out = g_steal_pointer (&verdict);
  return TRUE;
}

gboolean
atm_trust_judge (AtmTrust *trust, GBytes *manifest, GPtrArray *stored, GCancellable *cancellable,
                 AtmVerdict **verdict_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!judge (trust, NULL, manifest, stored, cancellable, verdict_out, &local))
    return refuse (trust, &local, error);
  atm_trace_finish (trust->trace, NULL);
  return TRUE;
}

gboolean
atm_trust_judge_site (AtmTrust *trust, const AtmSiteProof *proof, GBytes *manifest,
                      GPtrArray *stored, GCancellable *cancellable, AtmVerdict **verdict_out,
                      GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!judge (trust, proof, manifest, stored, cancellable, verdict_out, &local))
    return refuse (trust, &local, error);
  atm_trace_finish (trust->trace, NULL);
  return TRUE;
}
