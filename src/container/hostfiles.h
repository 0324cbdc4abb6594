/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "container/info.h"

/* Host files of deployments: each deployment has a copy of what it brings for the host below
   “hostfiles/”, under the final paths, and its `info` has their checksums. Out of two deployments,
   the one that was and the one that shall be, follows what is to be done on the host; no list of
   what was done is needed to undo it or to go on after a crash.

   Host paths are absolute; a link in the root folder, such as /bin, is the only kind of link that
   is followed, for the distribution made it and images cannot know. */

/* The copies in a deployment. Only root may look: templates are rendered, and values be secrets. */
#define ATM_HOSTFILES_FOLDER "hostfiles"

/* What is beside a file that an administrator changed: the image's new version of it. */
#define ATM_HOSTFILES_NEW_SUFFIX ".atomic-new"

#define ATM_HOSTFILES_ERROR (atm_hostfiles_error_quark ())
GQuark atm_hostfiles_error_quark (void);

typedef enum
{
  ATM_HOSTFILES_ERROR_BLOCKED, /* a link on the way, or a folder or the like where a file must go */
  ATM_HOSTFILES_ERROR_CONFLICT, /* another container has other content for the path */
  ATM_HOSTFILES_ERROR_DAMAGED   /* the deployment lacks its copy of a file */
} AtmHostFilesError;

/* The host files of one deployment; all (borrowed). A path with the checksum "" belongs to the
   container, but what is there is the administrator's: it is never replaced nor removed. */
typedef struct
{
  int deployment_fd;     /* the folder NAME.N, or what it is called while it is moved about */
  GHashTable *checksums; /* (element-type utf8 utf8): path to checksum, `info`.installed_files;
                            untrusted as far as its paths go */
} AtmHostSet;

/**
 * atm_hostfiles_find_others:
 * @checkout_fd: (borrowed): CHECKOUT
 * @host_fd: (borrowed): the root of the host
 * @except: (nullable) (array zero-terminated=1): the containers that are about to change, together
 * @others_out: (out) (transfer full): who else owns which path, by the deployments that are
 *   current; to be looked at by the functions of this file and hostfs.h only
 * @error: %G_IO_ERROR
 *
 * A container whose `info` cannot be read owns nothing. The caller holds the lock for host-wide
 * state from here to the end of atm_hostfiles_switch().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_hostfiles_find_others (int checkout_fd, int host_fd, const char *const *except,
                                    GHashTable **others_out, GError **error);

/**
 * atm_hostfiles_add_others:
 * @others: from atm_hostfiles_find_others()
 * @container: whose files @set are
 *
 * For several containers that are updated together: while the second is planned, the first counts
 * with its new deployment.
 */
void atm_hostfiles_add_others (GHashTable *others, int host_fd, const char *container,
                               const AtmHostSet *set);

/**
 * atm_hostfiles_check:
 * @to: (borrowed)
 * @others: (borrowed) (nullable)
 * @error: %ATM_HOSTFILES_ERROR_CONFLICT, %ATM_HOSTFILES_ERROR_DAMAGED, %G_IO_ERROR
 *
 * Whether a deployment that was made some time ago can be switched to, for a rollback and an update
 * that was staged: nothing has been touched yet. atm_hostfs_plan() has checked new ones.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_hostfiles_check (int host_fd, const AtmHostSet *to, GHashTable *others,
                              GError **error);

/**
 * atm_hostfiles_switch:
 * @host_fd: (borrowed): the root of the host
 * @from: (borrowed) (nullable): what the host had; %NULL at an installation
 * @to: (borrowed) (nullable): what it shall have; %NULL at an uninstallation
 * @others: (borrowed) (nullable): from atm_hostfiles_find_others(); %NULL: there are none
 * @created: (nullable) (element-type utf8): the paths that were created or replaced by this call
 *   are added, also before a failure
 * @notices: (nullable) (element-type utf8): what was kept, and why
 * @changed_out: (out) (optional): whether anything on the host is not as it was before, by this
 *   call or perhaps by one that was killed; a file that is to go and is gone already counts
 * @error: %G_IO_ERROR (%G_IO_ERROR_NO_SPACE …)
 *
 * Makes the host correspond to @to. For each path of the two:
 *
 * - it is as @to has it: nothing is done; only mode bits follow the image's.
 * - @to has it, and it is missing: created. It is as @from has it: replaced, owner and mode that an
 *   administrator changed stay. It is otherwise: kept, with a notice.
 * - only @from has it, and it is as @from has it: removed, unless it is a folder. It is otherwise:
 *   kept, with a notice.
 * - another container shares what @from has: neither replaced nor removed.
 *
 * May be killed at any point and called again, with the same arguments or with @from and @to
 * exchanged: each file is the old or the new one, and what was half-written goes. All is on the
 * disk when it returns. What somebody put in the way (a link, a folder) is a notice, so that the
 * only errors are those that may be gone the next time.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_hostfiles_switch (int host_fd, const AtmHostSet *from, const AtmHostSet *to,
                               GHashTable *others, GPtrArray *created, GPtrArray *notices,
                               gboolean *changed_out, GCancellable *cancellable, GError **error);

/**
 * atm_hostfiles_adopt:
 * @host_fd: (borrowed): the root of the host
 * @deployment_fd: (borrowed): a deployment; if it has the folder “hostfiles”, nothing is done
 * @info: (borrowed): what it says of itself
 * @error: %G_IO_ERROR, %ATM_EXPORTS_ERROR_INVALID
 *
 * For deployments of the Python tool: makes the folder out of rootfs/exports/hostfs, the renames,
 * the templates and the values, and where these do not give what the record says, out of files on
 * the host that are as recorded. What is found nowhere is left out: it can be removed from the
 * host, but atm_hostfiles_check() finds it missing. The folder is there whole and synced or not at
 * all. The caller holds the lock of the container.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_hostfiles_adopt (int host_fd, int deployment_fd, const AtmInfo *info, GError **error);
