/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "container/info.h"
#include "util/fd.h"

/* Deployments: the folders NAME.0 and NAME.1, and the link NAME that says which one is current
   (system-image.md 6; DESIGN section 5). */

#define ATM_CONTAINER_ERROR (atm_container_error_quark ())
GQuark atm_container_error_quark (void);

typedef enum
{
  ATM_CONTAINER_ERROR_NAME,      /* not a name that a container can have */
  ATM_CONTAINER_ERROR_NOT_FOUND, /* no such container */
  ATM_CONTAINER_ERROR_DAMAGED    /* it is there, but cannot be read */
} AtmContainerError;

/**
 * atm_container_check_name:
 * @name: untrusted
 * @error: %ATM_CONTAINER_ERROR_NAME
 *
 * A name is a file name, a unit name and an OCI container id at once: 1 to 200 of
 * [A-Za-z0-9_.-], beginning with a letter, a digit or “_”.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_check_name (const char *name, GError **error);

/* A container as the checkout folder has it. All pointers (owned). */
typedef struct
{
  char *name;
  char *deployment; /* (nullable): “NAME.0”; %NULL if the link leads nowhere */
  AtmInfo *info;    /* (nullable): %NULL if it is damaged */
  char *command;    /* process.args joined by blanks; "" if unknown */
  char *problem;    /* (nullable): why it is damaged, for people */
} AtmContainer;

void atm_container_free (AtmContainer *container);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmContainer, atm_container_free)

/**
 * atm_container_list:
 * @checkout_fd: (borrowed): CHECKOUT, or -1 if there is none yet
 * @containers_out: (out) (transfer full) (element-type AtmContainer): by name; one that is damaged
 *   is in the list too and spoils it for nobody
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_list (int checkout_fd, GPtrArray **containers_out, GError **error);

/**
 * atm_container_list_summaries:
 *
 * As atm_container_list(), with an “info” as of atm_info_parse_summary().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_list_summaries (int checkout_fd, GPtrArray **containers_out, GError **error);

/**
 * atm_container_load:
 * @name: valid
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND; a damaged one is returned
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_load (int checkout_fd, const char *name, AtmContainer **container_out,
                             GError **error);

/* A deployment under construction; its cleanup removes it from the disk unless it was published. */
typedef struct _AtmDeployment AtmDeployment;

/**
 * atm_deployment_begin:
 * @checkout_fd: (borrowed): CHECKOUT; must outlive the deployment
 * @name: valid
 * @number: 0 or 1
 * @deployment_out: (out) (transfer full): an empty folder under a dot-name, “.NAME.N.XXXXXX”
 * @error: %G_IO_ERROR
 *
 * The caller holds the lock of the container: what a run that was killed left of such folders is
 * removed first.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_begin (int checkout_fd, const char *name, guint number,
                               AtmDeployment **deployment_out, GError **error);
void atm_deployment_free (AtmDeployment *deployment);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmDeployment, atm_deployment_free)

/**
 * atm_deployment_get_fd:
 *
 * Returns: (borrowed): the folder
 */
int atm_deployment_get_fd (const AtmDeployment *deployment);

/**
 * atm_deployment_write:
 * @file: one component
 * @mode: permission bits
 * @error: %G_IO_ERROR
 *
 * Writes without syncing; atm_deployment_publish() syncs all at once.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_write (AtmDeployment *deployment, const char *file, GBytes *bytes,
                               mode_t mode, GError **error);

/**
 * atm_deployment_add_mount_points:
 * @mount_points: as the container sees them, untrusted; each that is missing in rootfs/ is made:
 *   an empty folder 0755, or an empty file where its source is a file
 * @sources: as many: the source of a bind mount, or ""; both from atm_bundle_dup_mount_points()
 * @error: %G_IO_ERROR
 *
 * registry.md 5.7: nothing can be made in a read-only rootfs at run time. Links of the image are
 * resolved inside rootfs/; no file of the image is written.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_add_mount_points (AtmDeployment *deployment, char **mount_points,
                                          char **sources, GError **error);

/**
 * atm_deployment_sync:
 * @error: %G_IO_ERROR
 *
 * Brings all that was written to the disk.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_sync (AtmDeployment *deployment, GError **error);

/**
 * atm_deployment_stage:
 * @error: %G_IO_ERROR
 *
 * Syncs the deployment and gives it the name .NAME.NUMBER.staged, under which it waits; what had
 * the name is removed. From here on the cleanup leaves it alone.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_stage (AtmDeployment *deployment, GError **error);

/**
 * atm_deployment_open_staged:
 * @name: valid
 * @number: 0 or 1
 * @deployment_out: (out) (transfer full): ready to be published; its cleanup leaves it alone
 * @error: %G_IO_ERROR_NOT_FOUND: none waits
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_open_staged (int checkout_fd, const char *name, guint number,
                                     AtmDeployment **deployment_out, GError **error);

/**
 * atm_deployment_drop_staged:
 * @error: %G_IO_ERROR
 *
 * Removes the one that waits, if there is one.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_drop_staged (int checkout_fd, const char *name, guint number,
                                     GError **error);

/**
 * atm_deployment_publish:
 * @error: %G_IO_ERROR
 *
 * Names the folder NAME.NUMBER and syncs CHECKOUT; what had the name becomes .NAME.NUMBER.old (the
 * current deployment is %G_IO_ERROR_EXISTS). atm_deployment_sync() comes before it. From here on
 * the cleanup leaves it alone.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_publish (AtmDeployment *deployment, GError **error);

/**
 * atm_deployment_unpublish:
 * @replaces: there was a NAME.NUMBER before
 * @error: %G_IO_ERROR
 *
 * As if atm_deployment_publish() had not been called, whether it was, was killed or was not.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_unpublish (int checkout_fd, const char *name, guint number,
                                   gboolean replaces, GError **error);

/**
 * atm_deployment_drop_old:
 * @error: %G_IO_ERROR
 *
 * Removes .NAME.NUMBER.old, if there is one.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_drop_old (int checkout_fd, const char *name, guint number, GError **error);

/**
 * atm_deployment_exists:
 *
 * Returns: whether there is a folder NAME.NUMBER
 */
gboolean atm_deployment_exists (int checkout_fd, const char *name, int number);

/**
 * atm_container_get_current:
 * @number_out: (out): where the link NAME leads: 0, 1, or -1 if there is no link
 * @error: %ATM_CONTAINER_ERROR_DAMAGED: it is no link, or leads to no deployment of this container
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_get_current (int checkout_fd, const char *name, int *number_out,
                                    GError **error);

/**
 * atm_deployment_make_current:
 * @checkout: absolute path of CHECKOUT: the link is absolute
 * @sync: %ATM_SYNC_LATER: the caller syncs CHECKOUT
 * @error: %G_IO_ERROR
 *
 * The commit point: replaces the link NAME in one step.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_deployment_make_current (int checkout_fd, const char *checkout, const char *name,
                                      guint number, AtmSync sync, GError **error);

/**
 * atm_container_unlink:
 * @error: %ATM_CONTAINER_ERROR_DAMAGED: it is a folder; %G_IO_ERROR
 *
 * The commit point of an uninstallation: removes the link NAME; that there is none is no error.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_unlink (int checkout_fd, const char *name, GError **error);

/**
 * atm_container_sweep:
 * @error: %G_IO_ERROR
 *
 * Removes what runs left that were killed while they built or removed a deployment. The caller
 * holds the lock of the container, and there is no plan for it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_sweep (int checkout_fd, const char *name, GError **error);

/**
 * atm_container_list_left_overs:
 * @left_overs_out: (out) (transfer full) (element-type utf8 utf8): what there is for
 *   atm_container_sweep(): the entry, and the container it is of, which need not exist
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_list_left_overs (int checkout_fd, GHashTable **left_overs_out,
                                        GError **error);

/**
 * atm_container_remove:
 * @error: %G_IO_ERROR
 *
 * Removes the link NAME, then NAME.0 and NAME.1, what waits there and what was left; what is not
 * there is no error.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_container_remove (int checkout_fd, const char *name, GError **error);
