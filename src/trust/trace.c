/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/trace.h"

#include "trust/trust.h"

static void
signature_free (AtmTraceSignature *signature)
{
  g_free (signature->source);
  g_free (signature->fingerprint);
  g_free (signature->digest);
  g_free (signature->identity);
  g_free (signature->reason);
  g_free (signature);
}

static void
requirement_free (AtmTraceRequirement *requirement)
{
  g_free (requirement->type);
  g_strfreev (requirement->keys);
  g_ptr_array_unref (requirement->signatures);
  g_free (requirement);
}

static void
list_free (AtmTraceList *list)
{
  g_strfreev (list->passed_scopes);
  g_free (list->scope);
  g_ptr_array_unref (list->requirements);
  g_free (list);
}

static void
place_free (AtmTracePlace *place)
{
  g_free (place->url);
  g_free (place->result);
  g_free (place);
}

AtmTrace *
atm_trace_new (void)
{
  AtmTrace *trace = g_new0 (AtmTrace, 1);

  trace->places = g_ptr_array_new_with_free_func ((GDestroyNotify) place_free);
  return trace;
}

void
atm_trace_clear (AtmTrace *trace)
{
  g_clear_pointer (&trace->reference, g_free);
  g_clear_pointer (&trace->policy_path, g_free);
  g_clear_pointer (&trace->digest, g_free);
  g_clear_pointer (&trace->image, list_free);
  g_clear_pointer (&trace->site, list_free);
  g_ptr_array_set_size (trace->places, 0);
  trace->accepted = FALSE;
  g_clear_error (&trace->refusal);
}

void
atm_trace_free (AtmTrace *trace)
{
  if (trace == NULL)
    return;
  atm_trace_clear (trace);
  g_ptr_array_unref (trace->places);
  g_free (trace);
}

AtmTraceList *
atm_trace_list_new (const char *transport, const char *const *scopes, const char *scope)
{
  AtmTraceList *list = g_new0 (AtmTraceList, 1);
  g_autoptr (GStrvBuilder) passed = g_strv_builder_new ();

  for (guint i = 0; scopes[i] != NULL && g_strcmp0 (scopes[i], scope) != 0; i++)
    g_strv_builder_add (passed, scopes[i]);
  list->transport = transport;
  list->passed_scopes = g_strv_builder_end (passed);
  list->scope = g_strdup (scope);
  list->requirements = g_ptr_array_new_with_free_func ((GDestroyNotify) requirement_free);
  return list;
}

void
atm_trace_list_add (AtmTraceList *list, const char *type, const char *const *keys,
                    const char *identity)
{
  AtmTraceRequirement *requirement = g_new0 (AtmTraceRequirement, 1);

  requirement->type = g_strdup (type);
  requirement->keys = g_strdupv ((char **) keys);
  requirement->identity = identity;
  requirement->signatures = g_ptr_array_new_with_free_func ((GDestroyNotify) signature_free);
  g_ptr_array_add (list->requirements, requirement);
}

void
atm_trace_add_place (AtmTrace *trace, const char *url, guint n_signatures, const GError *failure)
{
  AtmTracePlace *place = NULL;

  if (trace == NULL)
    return;
  place = g_new0 (AtmTracePlace, 1);
  place->url = g_strdup (url);
  if (failure != NULL)
    place->result = g_strdup (failure->message);
  else if (n_signatures == 0)
    place->result = g_strdup ("no signature");
  else
    place->result = g_strdup_printf ("%u signature%s", n_signatures, n_signatures == 1 ? "" : "s");
  g_ptr_array_add (trace->places, place);
}

AtmTraceSignature *
atm_trace_requirement_add (AtmTraceRequirement *requirement, guint number, const char *source)
{
  AtmTraceSignature *signature = g_new0 (AtmTraceSignature, 1);

  signature->number = number;
  signature->source = g_strdup (source);
  g_ptr_array_add (requirement->signatures, signature);
  return signature;
}

void
atm_trace_signature_refuse (AtmTraceSignature *signature, const GError *reason)
{
  if (reason == NULL)
    return;
  g_free (signature->reason);
  signature->reason = g_strdup (reason->message);
  if (reason->domain == ATM_TRUST_ERROR)
    signature->kind = atm_trust_error_get_kind ((AtmTrustError) reason->code);
}

void
atm_trace_finish (AtmTrace *trace, const GError *refusal)
{
  trace->accepted = refusal == NULL;
  g_clear_error (&trace->refusal);
  if (refusal != NULL && refusal->domain == ATM_TRUST_ERROR)
    trace->refusal = g_error_copy (refusal);
}

const char *
atm_trace_get_kind (const AtmTrace *trace)
{
  return trace->refusal != NULL ? atm_trust_error_get_kind ((AtmTrustError) trace->refusal->code)
                                : NULL;
}

static void
add_keys (const AtmTraceList *list, gboolean counted, GPtrArray *keys)
{
  for (guint i = 0; list != NULL && i < list->requirements->len; i++)
    {
      const AtmTraceRequirement *requirement = list->requirements->pdata[i];

      for (guint k = 0; k < requirement->signatures->len; k++)
        {
          const AtmTraceSignature *signature = requirement->signatures->pdata[k];

          if (signature->fingerprint != NULL && (signature->counted || !counted)
              && !g_ptr_array_find_with_equal_func (keys, signature->fingerprint, g_str_equal,
                                                    NULL))
            g_ptr_array_add (keys, g_strdup (signature->fingerprint));
        }
    }
}

char **
atm_trace_dup_keys (const AtmTrace *trace)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();

  add_keys (trace->site, trace->accepted, keys);
  add_keys (trace->image, trace->accepted, keys);
  g_ptr_array_add (keys, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&keys), FALSE);
}
