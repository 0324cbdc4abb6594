/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/* Claims: the locks of the containers that a command is about to change. With them comes that
   nothing of these containers is left half-done. */

typedef struct
{
  GPtrArray *names; /* (owned) (element-type utf8): sorted */
  GArray *fds;      /* (owned) (element-type int): as many locks */
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
void atm_claim_clear (AtmClaim *claim);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmClaim, atm_claim_clear)
