/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "container/exports.h"

/* Host files: what an image brings in /exports/hostfs for the host itself (system-image.md 5). They
   are guests there: what is not ours is never replaced, and nothing is written through a link. */

#define ATM_HOSTFS_ENTRIES_MAX 10000

/* What would be put where, with all texts rendered and all checksums known. */
typedef struct _AtmHostPlan AtmHostPlan;

/**
 * atm_hostfs_plan:
 * @rootfs_fd: (borrowed): the checked-out root file system
 * @host_fd: (borrowed): the root of the host
 * @exports: (borrowed)
 * @values: (borrowed): for templates and for the values of renameFiles
 * @plan_out: (out) (transfer full): what is there to do; nothing has been touched
 * @error: %ATM_TEMPLATE_ERROR, %ATM_EXPORTS_ERROR_INVALID, %G_IO_ERROR
 *
 * A path that exists on the host is left out of the plan, with a notice (5.2, step 3).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_hostfs_plan (int rootfs_fd, int host_fd, const AtmExports *exports, GHashTable *values,
                          AtmHostPlan **plan_out, GError **error);
void atm_host_plan_free (AtmHostPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmHostPlan, atm_host_plan_free)

/**
 * atm_host_plan_dup_checksums:
 *
 * Returns: (transfer full) (element-type utf8 utf8): host path to checksum (5.4): what `info` must
 *   have before the plan is carried out
 */
GHashTable *atm_host_plan_dup_checksums (const AtmHostPlan *plan);

/**
 * atm_host_plan_dup_renames:
 *
 * Returns: (transfer full) (element-type utf8 utf8): renameFiles with its values rendered
 */
GHashTable *atm_host_plan_dup_renames (const AtmHostPlan *plan);

/**
 * atm_host_plan_get_notices:
 *
 * Returns: (transfer none) (element-type utf8): what people should know
 */
GPtrArray *atm_host_plan_get_notices (const AtmHostPlan *plan);

/**
 * atm_host_plan_apply:
 * @created: (element-type utf8): the paths that were created are added, also before a failure
 * @error: %G_IO_ERROR (%G_IO_ERROR_EXISTS: somebody made the file since the plan)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_plan_apply (const AtmHostPlan *plan, GPtrArray *created,
                              GCancellable *cancellable, GError **error);

/**
 * atm_hostfs_remove:
 * @host_fd: (borrowed): the root of the host
 * @checksums: (element-type utf8 utf8): from `info`; untrusted as far as its paths go
 * @notices: (nullable) (element-type utf8): told about each file that is kept
 *
 * Removes the files that are as they were written; folders stay (5.1). A file that cannot be
 * removed is a notice, for the others are to go nevertheless.
 */
void atm_hostfs_remove (int host_fd, GHashTable *checksums, GPtrArray *notices);
