/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/* Would the next boot start it? What is installed, looked at without changing anything. */

/* All pointers (owned). */
typedef struct
{
  char *container;
  char *deployment;    /* (nullable): “NAME.0”; %NULL if the link leads nowhere */
  GPtrArray *problems; /* (element-type utf8): why the next boot would not start it; may be empty */
} AtmCheckedContainer;

void atm_checked_container_free (AtmCheckedContainer *checked);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmCheckedContainer, atm_checked_container_free)

/**
 * atm_check_container:
 * @name: of a container
 * @checked_out: (out) (transfer full)
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND, %G_IO_ERROR_CANCELLED; what is wrong with the container
 *   itself is in @checked_out
 *
 * Its deployment is complete and its commit with all objects is there, config.json can be read by
 * the runtime, the runtime is there, bind sources are there or made at boot, the unit is the
 * deployment's, enabled and verified by systemd, and nothing of it waits for the network. Takes no
 * lock: the caller holds the container's, or reads a state that may be about to change.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_check_container (const AtmSystem *system, const char *name,
                              AtmCheckedContainer **checked_out, GCancellable *cancellable,
                              GError **error);

/**
 * atm_check:
 * @names: (array zero-terminated=1) (nullable): containers; %NULL: all
 * @checked_out: (out) (transfer full) (element-type AtmCheckedContainer): in the order of @names,
 * or by name
 * @error: as atm_check_container()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_check (const AtmSystem *system, const char *const *names, GPtrArray **checked_out,
                    GCancellable *cancellable, GError **error);
