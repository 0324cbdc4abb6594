/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/pull.h"
#include "ops/report.h"

typedef struct
{
  const char *image;   /* (borrowed): as typed, source prefix included */
  const char *name;    /* (borrowed) (nullable): of the container; %NULL: from the image's name */
  char **set;          /* (borrowed) (nullable): NAME=VALUE */
  const char *runtime; /* (borrowed) (nullable): %NULL: the default of @system */
  const char *rootfs;  /* (borrowed) (nullable): a root file system elsewhere, or the folder of a
                          deployment, to be shared instead of checking one out */
  AtmPullOptions pull; /* for an image that is not stored */
} AtmInstallOptions;

/**
 * atm_install:
 * @system: (borrowed)
 * @options: (borrowed)
 * @error: of any room below; after it nothing of the container is left, a complete image may be
 *
 * Pulls the image if the store has it not, asks today's policy about it, builds a deployment,
 * makes it current, and enables its unit without starting it (system-image.md 7). A container that
 * is there already is reported as “NAME already present”, which is success (command.md 2.2).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_install (const AtmSystem *system, const AtmInstallOptions *options,
                      const AtmReport *report, GCancellable *cancellable, GError **error);
