/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"
#include "store/checkout-verify.h"
#include "store/verify.h"

/* Verification of images and of the containers that were installed from them, and repair. */

typedef struct
{
  char **names;    /* (borrowed): containers, and images by name or id; a container is meant where
                      both are called so */
  gboolean all;    /* everything that is stored or installed, instead of @names */
  gboolean repair; /* put right what can be */
} AtmVerifyOptions;

/* One deployment whose files were compared. All (owned). */
typedef struct
{
  char *container;
  char *folder;        /* “NAME.0” */
  gboolean current;    /* what the unit runs */
  gboolean running;    /* the unit is active and @current: it reads these files */
  GPtrArray *findings; /* (element-type AtmFinding) */
  char *problem;       /* (nullable): why it could not be compared */
} AtmVerifiedContainer;

typedef struct
{
  AtmVerification store; /* (owned) */
  GPtrArray *images;     /* (owned) (element-type utf8): references that were verified */
  GPtrArray *containers; /* (owned) (element-type AtmVerifiedContainer) */
  GPtrArray *notices;    /* (owned) (element-type utf8): what was not repaired and why; damage of
                            images that is none of an object */
  gboolean healthy;      /* no damage is left */
} AtmVerifyResult;

void atm_verify_result_clear (AtmVerifyResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmVerifyResult, atm_verify_result_clear)

/**
 * atm_verify:
 * @result_out: (out caller-allocates): damage is a result, not an error
 * @error: %ATM_STORE_ERROR_NOT_FOUND: neither image nor container; of the rooms below. That one
 *   image cannot be repaired is a notice: the others are
 *
 * Hashes all objects of the images anew, and compares the files of containers with them. To repair,
 * today's policy is asked about the stored proof, and layers that hold damaged objects are fetched
 * from where the image came from, by the digests of the stored manifest. No service is restarted.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_verify (const AtmSystem *system, const AtmVerifyOptions *options,
                     const AtmReport *report, AtmVerifyResult *result_out,
                     GCancellable *cancellable, GError **error);
