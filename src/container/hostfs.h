/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "container/exports.h"
#include "container/hostfiles.h"

/* Host files: what an image brings in /exports/hostfs for the host itself (system-image.md 5). They
   are guests there: what is not ours is never replaced, and nothing is written through a link.
   A plan is made and checked before anything is touched; hostfiles.h carries it out. */

#define ATM_HOSTFS_ENTRIES_MAX 10000

/* What would be put where, with all texts rendered and all checksums known. */
typedef struct _AtmHostPlan AtmHostPlan;

/**
 * atm_hostfs_plan:
 * @rootfs_fd: (borrowed): the checked-out root file system
 * @host_fd: (borrowed): the root of the host
 * @exports: (borrowed)
 * @values: (borrowed): for templates and for the values of renameFiles
 * @current: (borrowed) (nullable): the deployment that is updated; %NULL at an installation
 * @others: (borrowed) (nullable): from atm_hostfiles_find_others()
 * @plan_out: (out) (transfer full): what is there to do; nothing has been touched
 * @error: %ATM_TEMPLATE_ERROR, %ATM_EXPORTS_ERROR_INVALID, %G_IO_ERROR,
 *   %ATM_HOSTFILES_ERROR_BLOCKED, %ATM_HOSTFILES_ERROR_CONFLICT
 *
 * A path that exists on the host and is nobody's is left out of the plan, with a notice (5.2,
 * step 3). Of a file of @current that an administrator changed, and that the image has changed too,
 * the new version is planned beside it (%ATM_HOSTFILES_NEW_SUFFIX) as well. One that the image no
 * longer has stays on record if it was changed. A path that another container brings is shared with
 * it, if both have the same content.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_hostfs_plan (int rootfs_fd, int host_fd, const AtmExports *exports, GHashTable *values,
                          const AtmHostSet *current, GHashTable *others, AtmHostPlan **plan_out,
                          GError **error);
void atm_host_plan_free (AtmHostPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmHostPlan, atm_host_plan_free)

/**
 * atm_hostfs_plan_recorded:
 * @rootfs_fd: (borrowed): of a deployment of the Python tool
 * @host_fd: (borrowed): the root of the host
 * @info: (borrowed): what it says of itself
 * @plan_out: (out) (transfer full): what can be made again as it is on record; fit for
 *   atm_host_plan_stage() only
 * @error: %G_IO_ERROR
 *
 * A part of atm_hostfiles_adopt().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_hostfs_plan_recorded (int rootfs_fd, int host_fd, const AtmInfo *info,
                                   AtmHostPlan **plan_out, GError **error);

/**
 * atm_host_plan_stage:
 * @deployment_fd: (borrowed): the deployment under construction, with its rootfs
 * @error: %G_IO_ERROR
 *
 * Writes the folder “hostfiles” of the deployment, without syncing. Files of a rootfs that belongs
 * to the deployment are hard links: nobody may write to them.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_plan_stage (const AtmHostPlan *plan, int deployment_fd, GError **error);

/**
 * atm_host_plan_dup_checksums:
 *
 * Returns: (transfer full) (element-type utf8 utf8): host path to checksum (5.4): what `info` must
 *   have before the plan is carried out. "" is for a file of @current that an administrator changed
 *   and the image has no more.
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
