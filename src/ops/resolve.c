/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/resolve.h"

#include "registry/conf.h"
#include "registry/short-names.h"

static AtmOrigin *
new_origin (const AtmOrigin *origin, const AtmImageName *name)
{
  AtmOrigin *resolved = g_new0 (AtmOrigin, 1);

  resolved->transport = origin->transport;
  resolved->scheme = origin->scheme;
  resolved->name = atm_name_copy (name);
  return resolved;
}

/* Leaves only the one that the user chose. */
static gboolean
ask (GPtrArray *origins, const char *typed, AtmChooseFunc choose, gpointer choose_data,
     GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) choices = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *question = g_strdup_printf ("Which image is meant by “%s”?", typed);
  AtmOrigin *chosen = NULL;
  guint index = 0;

  for (guint i = 0; i < origins->len; i++)
    g_ptr_array_add (choices, atm_origin_to_string (origins->pdata[i]));
  g_ptr_array_add (choices, NULL);
  if (!choose (question, (const char *const *) choices->pdata, &index, choose_data, cancellable,
               error))
    return FALSE;
  g_return_val_if_fail (index < origins->len, FALSE);
  chosen = g_ptr_array_steal_index (origins, index);
  g_ptr_array_set_size (origins, 0);
  g_ptr_array_add (origins, chosen);
  return TRUE;
}

gboolean
atm_resolve_short_name (const AtmSystem *system, const AtmOrigin *origin, AtmChooseFunc choose,
                        gpointer choose_data, const AtmReport *report, GPtrArray **origins_out,
                        GCancellable *cancellable, GError **error)
{
  const char *typed = origin->name->familiar;
  g_autoptr (AtmRegistriesConf) conf = NULL;
  g_autoptr (AtmCandidates) candidates = NULL;
  g_autoptr (GPtrArray) origins = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_origin_free);

  if (!atm_registries_conf_load (system->registries_conf, &conf, error)
      || !atm_registries_conf_resolve (conf, origin->name, &candidates, error))
    return FALSE;
  for (guint i = 0; i < candidates->names->len; i++)
    g_ptr_array_add (origins, new_origin (origin, candidates->names->pdata[i]));

  if (candidates->mode == ATM_CANDIDATES_ASK_OR_REFUSE && choose == NULL)
    return atm_candidates_throw_ambiguous (candidates, error);
  if (choose != NULL
      && (candidates->mode == ATM_CANDIDATES_ASK_OR_REFUSE
          || candidates->mode == ATM_CANDIDATES_ASK_OR_TRY)
      && !ask (origins, typed, choose, choose_data, cancellable, error))
    return FALSE;

  if (origins->len == 1)
    {
      g_autofree char *meant = atm_origin_to_string (origins->pdata[0]);

      atm_report (report, ATM_REPORT_NOTICE, "%s is %s (%s)", typed, meant, candidates->origin);
    }
  *origins_out = g_steal_pointer (&origins);
  return TRUE;
}
