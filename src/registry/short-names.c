/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/short-names.h"

#include <string.h>

#include "image/source.h"
#include "registry/conf-private.h"
#include "util/error.h"

#define EXAMPLE_REGISTRY "docker.io"

G_DEFINE_QUARK (atm_short_name_error, atm_short_name_error)

void
atm_candidates_free (AtmCandidates *candidates)
{
  if (candidates == NULL)
    return;
  g_ptr_array_unref (candidates->names);
  g_free (candidates->origin);
  g_free (candidates);
}

static AtmCandidates *
candidates_new (void)
{
  AtmCandidates *candidates = g_new0 (AtmCandidates, 1);

  candidates->names = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_name_free);
  return candidates;
}

/* As it was typed, not with the “library/” that the parser adds for docker.io. */
static char *
dup_typed_path (const AtmImageName *name)
{
  return g_strndup (name->familiar, strcspn (name->familiar, ":@"));
}

/* @full with the tag and the digest of @name, stored under what was typed. */
static gboolean
add_candidate (AtmCandidates *candidates, const char *full, const AtmImageName *name,
               GError **error)
{
  g_autofree char *digest = name->has_digest ? atm_digest_to_string (&name->digest) : NULL;
  g_autofree char *text
      = g_strconcat (full, name->tag != NULL ? ":" : "", name->tag != NULL ? name->tag : "",
                     digest != NULL ? "@" : "", digest != NULL ? digest : "", NULL);
  g_autoptr (AtmImageName) candidate = NULL;

  if (!atm_name_parse (text, FALSE, &candidate, error))
    return FALSE;
  g_free (candidate->familiar);
  candidate->familiar = g_strdup (name->familiar);
  g_ptr_array_add (candidates->names, g_steal_pointer (&candidate));
  return TRUE;
}

static char *
join (GPtrArray *files)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < files->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "",
                            (const char *) g_ptr_array_index (files, i));
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
throw_unknown (const AtmRegistriesConf *conf, const AtmImageName *name, const char *path,
               GError **error)
{
  g_autofree char *files = join (conf->files), *absent = join (conf->absent);
  g_autofree char *read = conf->files->len > 0 ? g_strdup_printf ("%s read", files)
                                               : g_strdup_printf ("there is no %s", absent);
  /* Only a single component needs it on docker.io. */
  const char *library = strchr (path, '/') == NULL ? "library/" : "";

  return atm_throw (error, ATM_SHORT_NAME_ERROR, ATM_SHORT_NAME_ERROR_UNKNOWN,
                    "“%s” names no registry, and neither an alias nor "
                    "“unqualified-search-registries” says which one (%s); write the full name, "
                    "HOST[:PORT]/%s, as in %s/%s%s",
                    name->familiar, read, name->familiar, EXAMPLE_REGISTRY, library,
                    name->familiar);
}

gboolean
atm_registries_conf_resolve (const AtmRegistriesConf *conf, const AtmImageName *name,
                             AtmCandidates **candidates_out, GError **error)
{
  static const AtmCandidatesMode modes[] = {
    [ATM_SHORT_NAMES_UNSET] = ATM_CANDIDATES_ASK_OR_TRY,
    [ATM_SHORT_NAMES_ENFORCING] = ATM_CANDIDATES_ASK_OR_REFUSE,
    [ATM_SHORT_NAMES_PERMISSIVE] = ATM_CANDIDATES_ASK_OR_TRY,
    [ATM_SHORT_NAMES_DISABLED] = ATM_CANDIDATES_IN_ORDER,
  };
  g_autoptr (AtmCandidates) candidates = candidates_new ();
  g_autofree char *path = NULL;
  const AtmConfAlias *alias = NULL;

  if (name->domain_typed)
    {
      g_ptr_array_add (candidates->names, atm_name_copy (name));
      *candidates_out = g_steal_pointer (&candidates);
      return TRUE;
    }

  path = dup_typed_path (name);
  alias = g_hash_table_lookup (conf->aliases, path);
  if (alias != NULL)
    {
      if (!add_candidate (candidates, alias->name, name, error))
        return atm_prefix_error (error, "%s: the alias “%s”", alias->file, path);
      candidates->origin = g_strdup_printf ("the alias “%s” in %s", path, alias->file);
      *candidates_out = g_steal_pointer (&candidates);
      return TRUE;
    }

  for (guint i = 0; conf->search != NULL && conf->search[i] != NULL; i++)
    {
      g_autofree char *full = g_strconcat (conf->search[i], "/", path, NULL);

      if (!add_candidate (candidates, full, name, error))
        return FALSE;
    }
  if (candidates->names->len == 0)
    return throw_unknown (conf, name, path, error);
  if (candidates->names->len > 1)
    candidates->mode = modes[conf->mode];
  candidates->origin = g_strdup_printf ("“unqualified-search-registries” in %s", conf->search_file);
  *candidates_out = g_steal_pointer (&candidates);
  return TRUE;
}

gboolean
atm_candidates_may_go_on (const GError *error)
{
  return g_error_matches (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND)
         || g_error_matches (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED);
}

gboolean
atm_candidates_throw_ambiguous (const AtmCandidates *candidates, GError **error)
{
  const AtmImageName *first = g_ptr_array_index (candidates->names, 0);
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < candidates->names->len; i++)
    {
      g_autofree char *name = atm_name_to_string (g_ptr_array_index (candidates->names, i));

      g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", name);
    }
  return atm_throw (error, ATM_SHORT_NAME_ERROR, ATM_SHORT_NAME_ERROR_AMBIGUOUS,
                    "“%s” may be any of several images (%s), and there is no terminal to ask on; "
                    "write one of these: %s",
                    first->familiar, candidates->origin, names->str);
}
