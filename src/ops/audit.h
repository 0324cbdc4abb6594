/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/* Audits: does today's policy still allow what is here? */

typedef enum
{
  ATM_AUDIT_ACCEPTED,
  ATM_AUDIT_REFUSED,
  ATM_AUDIT_UNKNOWN /* it cannot be judged: its record is damaged, gone, or not ours */
} AtmAuditStatus;

/* A deployment of a container, or an image in the store. All pointers (owned). */
typedef struct
{
  AtmAuditStatus status;
  char *container;  /* (nullable): %NULL of an image */
  char *deployment; /* (nullable): “NAME.0” */
  gboolean current; /* the deployment that the unit runs */
  char *image;      /* the reference */
  char *digest;     /* (nullable): of its manifest */
  char *scope;      /* (nullable): of the policy: the one that applies */
  char *kind;       /* (nullable): of a refusal (trust.md 20) */
  char *reason;     /* (nullable): why it does not pass, in one sentence */
} AtmAuditRow;

void atm_audit_row_free (AtmAuditRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmAuditRow, atm_audit_row_free)

/**
 * atm_audit:
 * @report: (borrowed): told for whom it waits
 * @rows_out: (out) (transfer full) (element-type AtmAuditRow): all deployments, by container, then
 *   all images
 * @n_failed_out: (out): how many of them do not pass
 * @error: %G_IO_ERROR (%G_IO_ERROR_CANCELLED): nothing could be listed; what is wrong with one of
 *   them is in its row
 *
 * Asks the policy again, without a network, about what was stored with each image (trust.md 17).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_audit (const AtmSystem *system, const AtmReport *report, GPtrArray **rows_out,
                    guint *n_failed_out, GCancellable *cancellable, GError **error);
