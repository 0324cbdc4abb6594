/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/* Claims: the locks of the containers that a command is about to change. With them comes that
   nothing of these containers is left half-done. */

typedef struct
{
  GPtrArray *names; /* (owned) (element-type utf8): sorted */
  GArray *locks;    /* (owned) (element-type AtmLock): as many */
} AtmClaim;

/**
 * atm_claim_take:
 * @claim: (out caller-allocates): zeroed
 * @names: (array zero-terminated=1): valid names of containers, which need not exist
 * @report: (borrowed): told for whom it waits, and what was recovered
 * @error: %G_IO_ERROR_BUSY: somebody has one of them, and @system says not to wait;
 *   %G_IO_ERROR_CANCELLED; of atm_recover() as far as these containers are concerned
 *
 * Every command that changes containers begins with this. Takes the locks, in an order that all
 * commands have in common, then finishes or undoes what interrupted commands left: always of these
 * containers, and of others as far as nobody is at work on them.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_claim_take (AtmClaim *claim, const AtmSystem *system, const char *const *names,
                         const AtmReport *report, GCancellable *cancellable, GError **error);

/**
 * atm_claim_has:
 *
 * Returns: whether the lock of container @name is among them
 */
gboolean atm_claim_has (const AtmClaim *claim, const char *name);

/**
 * atm_claim_try:
 * @taken_out: (out): FALSE: somebody is at work on one of them
 * @error: %G_IO_ERROR
 *
 * Takes the locks of all containers in @names, or none. Nothing is recovered.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_claim_try (AtmClaim *claim, const AtmSystem *system, const char *const *names,
                        gboolean *taken_out, GError **error);

/**
 * atm_claim_recover_others:
 * @claim: (borrowed): what the caller has; not looked at
 * @at_boot: as for atm_recover_plan()
 * @error: the first failure; all is tried nevertheless
 *
 * Finishes or undoes what interrupted commands left of containers that nobody is at work on, and
 * removes what was left under construction.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_claim_recover_others (const AtmClaim *claim, const AtmSystem *system, gboolean at_boot,
                                   const AtmReport *report, GError **error);

void atm_claim_clear (AtmClaim *claim);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmClaim, atm_claim_clear)
