/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/record.h"
#include "ops/build.h"
#include "ops/update.h"

/* The parts of an update, for update.c alone. */

/* What one run works with. */
typedef struct
{
  const AtmSystem *system;         /* (borrowed) */
  const AtmUpdateOptions *options; /* (borrowed) */
  const AtmReport *report;         /* (borrowed) */
  GCancellable *cancellable;       /* (borrowed) (nullable) */
  int checkout_fd;
  int host_fd;
  AtmStore *store;   /* (owned) */
  GHashTable *set;   /* (owned): of --set */
  AtmOrigin *rebase; /* (owned) (nullable) */
} AtmUpdate;

/* A container on its way to another version. Pointers (owned) but for @update and @result. */
typedef struct
{
  const AtmUpdate *update; /* (borrowed) */
  AtmUpdateResult *result; /* (borrowed) */
  char *name;
  AtmContainer *container; /* with its info */
  AtmRecord *record;
  int number;            /* of the current deployment: 0 or 1 */
  AtmStoredImage *image; /* (nullable): what it is to have */
  char *verdict;         /* (nullable): today's policy on @image */
  gboolean wanted;       /* there is something to be done */

  AtmDeployment *deployment; /* (nullable): the new one: built or staged */
  AtmInfo *info;             /* (nullable): of it */
  GBytes *unit;              /* (nullable): of it */
} AtmUpdateCandidate;

void atm_update_candidate_free (AtmUpdateCandidate *candidate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmUpdateCandidate, atm_update_candidate_free)

/**
 * atm_update_check_name:
 * @name: untrusted
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND: no container can have this name
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_update_check_name (const char *name, GError **error);

/**
 * atm_update_load:
 * @name: valid
 * @result: (borrowed): gets what is found out
 * @candidate_out: (out) (transfer full): the container as it is
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND: “System container 'X' is not installed”;
 *   %ATM_CONTAINER_ERROR_DAMAGED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_update_load (const AtmUpdate *update, const char *name, AtmUpdateResult *result,
                          AtmUpdateCandidate **candidate_out, GError **error);

/**
 * atm_update_look:
 * @error: %ATM_TRUST_ERROR, or of image/ and registry/
 *
 * Asks the source what it has, and today's policy about that; sets the result's state.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_update_look (AtmUpdateCandidate *candidate, GError **error);

/**
 * atm_update_choose_image:
 * @error: %ATM_UPDATE_ERROR_REFUSED, %ATM_TRUST_ERROR, or as atm_pull()
 *
 * Finds the image, fetches it where that was asked for, and decides whether there is anything to be
 * done. If there is, today's policy and the rollback guard allow it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_update_choose_image (AtmUpdateCandidate *candidate, GError **error);

/**
 * atm_update_choose_staged:
 * @error: %ATM_UPDATE_ERROR_NOT_STAGED, or as atm_update_choose_image()
 *
 * The same for a deployment that was staged.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_update_choose_staged (AtmUpdateCandidate *candidate, GError **error);

/**
 * atm_update_build:
 * @others: from atm_hostfiles_find_others(), without the containers of the set; gets the new
 *   deployment
 * @error: as atm_build(), %ATM_HOSTFILES_ERROR, %ATM_UPDATE_ERROR_INVALID,
 *   %ATM_UPDATE_ERROR_PRIVILEGES
 *
 * The new deployment, unless it was staged: complete, and as far as can be told without running it
 * one that will start. Tells what it may do and the old one may not, which is an error where nobody
 * named the container, unless it was allowed.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_update_build (AtmUpdateCandidate *candidate, GHashTable *others, GError **error);
