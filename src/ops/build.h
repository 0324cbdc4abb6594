/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/bundle.h"
#include "container/deployment.h"
#include "container/exports.h"
#include "container/hostfs.h"
#include "host/system.h"
#include "host/tool.h"
#include "ops/report.h"
#include "store/store.h"

/* Builds: an image becomes a deployment under construction, with all that its container needs
   rendered and checked. Nothing outside of the deployment's own folder is touched. */

/* What is to be built. Pointers (borrowed). */
typedef struct
{
  const char *name; /* of the container; valid */
  guint number;     /* of the deployment: 0 or 1 */
  int checkout_fd;
  int host_fd;            /* the root of the host */
  const char *runtime;    /* absolute path of the OCI runtime */
  AtmRuntime abilities;   /* of it */
  const char *remote;     /* (nullable): a root file system elsewhere is shared (--rootfs) */
  GHashTable *set;        /* (element-type utf8 utf8): from --set */
  const AtmInfo *current; /* (nullable): of the deployment that is to be replaced */
  GHashTable *stored;     /* (nullable) (element-type utf8 utf8): values of it that stay */
  GHashTable *others;     /* (nullable): from atm_hostfiles_find_others(); %NULL: as they are now,
                             of all containers but this one */
  AtmStore *store;
  const AtmStoredImage *image;
  const char *verdict; /* (nullable): atm_verdict_to_json() of today's policy on @image; %NULL: it
                          was pulled just now, and has it itself */
} AtmBuildOptions;

/* What was built. All pointers (owned). */
typedef struct
{
  char *name;
  AtmDeployment *deployment; /* under construction; goes with the build unless it is published */
  int rootfs_fd;             /* the checked-out root file system, or the shared one */
  char *commit;              /* of the image, in the store */
  AtmExports *exports;
  AtmBundle *bundle;
  AtmInfo *info;
  GBytes *unit;
  GBytes *tmpfiles; /* (nullable) */
  AtmHostPlan *host_plan;
} AtmBuild;

/**
 * atm_build:
 * @options: (borrowed): the caller holds the lock of the container
 * @build_out: (out) (transfer full): a complete deployment under a dot-name: rootfs, config.json,
 *   info, unit and tmpfiles fragment; its cleanup removes it from the disk unless it was published
 * @error: of container/ and store/, with the image's name in front; %G_IO_ERROR_NOT_SUPPORTED for
 *   an image that is to be run once
 *
 * Steps 9 to 18 of system-image.md 7, for install and for update.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_build (const AtmSystem *system, const AtmBuildOptions *options,
                    const AtmReport *report, AtmBuild **build_out, GCancellable *cancellable,
                    GError **error);
void atm_build_free (AtmBuild *build);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmBuild, atm_build_free)

/**
 * atm_build_find_remote:
 * @path: of --rootfs: the folder of a deployment, or a root file system itself
 * @remote_out: (out) (transfer full): real path of the root file system
 * @error: %G_IO_ERROR
 *
 * command.md 2.2
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_build_find_remote (const char *path, const AtmReport *report, char **remote_out,
                                GError **error);
