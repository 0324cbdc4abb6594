/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/judge.h"

#include "host/journal.h"
#include "ops/pull.h"
#include "util/error.h"

gboolean
atm_judge_find_origin (const AtmStoredImage *image, AtmOrigin **origin_out, GError **error)
{
  g_autoptr (AtmOrigin) origin = NULL;

  if (image->canonical != NULL)
    return atm_origin_parse_stored (image->canonical, image->reference, origin_out, error);
  /* The Python tool kept only the name, and tried registries one after the other for a short one. A
     full name may have come from an archive or a daemon, too; whoever says what may be pulled under
     it says so for what is stored under it. */
  if (!atm_origin_parse (image->reference, &origin, error))
    return FALSE;
  if (origin->transport != ATM_TRANSPORT_DOCKER || !origin->name->domain_typed)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "%s was stored by another program, which did not keep which registry it came "
                      "from; pull it again",
                      image->reference);
  *origin_out = g_steal_pointer (&origin);
  return TRUE;
}

gboolean
atm_judge_stored (const AtmSystem *system, const AtmStoredImage *image, AtmTrace *trace,
                  AtmVerdict **verdict_out, GCancellable *cancellable, GError **error)
{
  const AtmSiteProof proof = { image->site_commit, image->site_signatures };
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmTrust) trust = NULL;

  if (!atm_judge_find_origin (image, &origin, error)
      || !atm_pull_open_trust (system, origin, trace, &trust, error))
    return FALSE;
  return image->site_commit != NULL ? atm_trust_judge_site (
             trust, &proof, image->manifest, image->signatures, cancellable, verdict_out, error)
                                    : atm_trust_judge (trust, image->manifest, image->signatures,
                                                       cancellable, verdict_out, error);
}

gboolean
atm_judge_check_judgeable (const AtmStoredImage *image, GError **error)
{
  g_autoptr (AtmOrigin) origin = NULL;

  if (image->problem != NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "the record of %s is damaged (%s); delete the image and pull it again",
                      image->reference, image->problem);
  return atm_judge_find_origin (image, &origin, error);
}

gboolean
atm_judge_check_downgrade (const AtmVerdict *verdict, const AtmStoredImage *stored, AtmTrace *trace,
                           GError **error)
{
  g_autoptr (GError) local = NULL;

  if (stored == NULL || atm_trust_check_downgrade (verdict, stored->verdict, &local))
    return TRUE;
  atm_trace_finish (trace, local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* ---- the journal ---- */

/* Made once with `systemd-id128 new`; man/atomic.1 tells them. */
#define ACCEPTED_ID "fcb155bcd13b4ab5b6946f5ee9e81186"
#define REFUSED_ID "923372c7bdd243f89a0088644999d80d"

static void
add_field (GPtrArray *fields, const char *name, const char *value)
{
  if (value != NULL)
    g_ptr_array_add (fields, g_strdup_printf ("%s=%s", name, value));
}

static void
add_scope (GPtrArray *fields, const AtmTraceList *list)
{
  if (list != NULL)
    add_field (fields, "ATOMIC_SCOPE", list->scope != NULL ? list->scope : "default");
}

static char *
describe (const AtmTrace *trace, char **keys)
{
  g_autofree char *signers = g_strjoinv (", ", keys);

  if (!trace->accepted)
    return g_strdup (trace->refusal->message);
  return g_strdup_printf ("trust: accepted: %s: %s", trace->reference,
                          *keys != NULL ? signers : "no signature is asked for");
}

void
atm_judge_record (const AtmTrace *trace)
{
  g_autoptr (GPtrArray) fields = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) keys = atm_trace_dup_keys (trace);
  g_autofree char *message = NULL;

  if (!trace->accepted && trace->refusal == NULL)
    return;
  message = describe (trace, keys);
  add_field (fields, "ATOMIC_VERDICT", trace->accepted ? "accepted" : "refused");
  add_field (fields, "ATOMIC_KIND", atm_trace_get_kind (trace));
  add_field (fields, "ATOMIC_IMAGE", trace->reference);
  add_field (fields, "ATOMIC_DIGEST", trace->digest);
  add_scope (fields, trace->site);
  add_scope (fields, trace->image);
  for (char **key = keys; *key != NULL; key++)
    add_field (fields, "ATOMIC_KEY_FINGERPRINT", *key);
  g_ptr_array_add (fields, NULL);
  atm_journal_send (trace->accepted ? ATM_JOURNAL_INFO : ATM_JOURNAL_WARNING,
                    trace->accepted ? ACCEPTED_ID : REFUSED_ID, message,
                    (const char *const *) fields->pdata);
}
