/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "registry/conf.h"

/* Short names: “etcd:3.5” names no registry, so the configuration says which ones may be meant
   (registry.md 2.3).

   ops/ resolves the name of an origin of %ATM_TRANSPORT_DOCKER once, before anything else is done
   with it, and goes on with the candidates: policies, credentials, endpoints and metadata see only
   a candidate, never the short name. By @mode it takes the only candidate, asks which one (through
   a callback of cli/, if there is a terminal; --assumeyes is no answer), refuses, or tries them in
   order; in order it reports the name before each attempt, and goes on to the next one only after
   an error for which atm_candidates_may_go_on() holds. */

#define ATM_SHORT_NAME_ERROR (atm_short_name_error_quark ())
GQuark atm_short_name_error_quark (void);

typedef enum
{
  ATM_SHORT_NAME_ERROR_UNKNOWN,  /* neither an alias nor a registry to search */
  ATM_SHORT_NAME_ERROR_AMBIGUOUS /* several candidates, and nobody to ask */
} AtmShortNameError;

typedef enum
{
  ATM_CANDIDATES_ONE,          /* there is one, use it */
  ATM_CANDIDATES_IN_ORDER,     /* “disabled”: try one after the other */
  ATM_CANDIDATES_ASK_OR_TRY,   /* “permissive”: ask on a terminal; without one, in order */
  ATM_CANDIDATES_ASK_OR_REFUSE /* “enforcing”: ask on a terminal; without one,
                                  atm_candidates_throw_ambiguous() */
} AtmCandidatesMode;

typedef struct
{
  GPtrArray *names; /* (owned) (element-type AtmImageName): at least one; fully qualified
                       (domain_typed), familiar as it was typed */
  AtmCandidatesMode mode;
  char *origin; /* (owned) (nullable): what made a short name into these, for messages: “the alias
                   “etcd” in FILE”; %NULL if the name was not short */
} AtmCandidates;

void atm_candidates_free (AtmCandidates *candidates);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmCandidates, atm_candidates_free)

/**
 * atm_registries_conf_resolve:
 * @name: (borrowed): as a user typed it; short if its domain was not typed. A name that is not
 *   short is its own and only candidate
 * @candidates_out: (out) (transfer full): what may be meant
 * @error: %ATM_SHORT_NAME_ERROR_UNKNOWN, naming the files that were read and the full name to
 *   write; %ATM_NAME_ERROR if a registry and @name make no name together
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_resolve (const AtmRegistriesConf *conf, const AtmImageName *name,
                                      AtmCandidates **candidates_out, GError **error);

/**
 * atm_candidates_may_go_on:
 * @error: why the manifest of a candidate could not be had
 *
 * Returns: the candidate does not exist there, or not for us. After anything else the next one must
 *   not be tried: who can cut off a registry would choose where an image comes from.
 */
gboolean atm_candidates_may_go_on (const GError *error);

/**
 * atm_candidates_throw_ambiguous:
 * @error: %ATM_SHORT_NAME_ERROR_AMBIGUOUS, with the full names to choose from
 *
 * Returns: %FALSE
 */
gboolean atm_candidates_throw_ambiguous (const AtmCandidates *candidates, GError **error);
