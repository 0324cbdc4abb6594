/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/info.h"
#include "host/system.h"

/* What a deployment needs of its files and of the host. For ops/check.c. */

typedef struct
{
  const AtmSystem *system; /* (borrowed) */
  const AtmInfo *info;     /* (borrowed) */
  int deployment_fd;       /* (borrowed) */
  const char *unit;        /* (borrowed): text of its unit */
  const char *tmpfiles;    /* (borrowed) (nullable): text of its tmpfiles fragment on the host */
} AtmBundleCheck;

/**
 * atm_check_bundle:
 * @problems: (element-type utf8): what would keep the container from starting is added
 *
 * config.json, the runtime, the root file system and the program in it, and the sources of binds.
 */
void atm_check_bundle (const AtmBundleCheck *check, GPtrArray *problems);
