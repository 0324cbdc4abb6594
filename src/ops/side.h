/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/hostfiles.h"
#include "container/info.h"

/* Sides: what a switch leads from and to: a deployment as far as the host has to do with it. */

/* All pointers (owned). */
typedef struct
{
  char *container;
  char *entry;      /* (nullable): “NAME.0”; %NULL: no deployment */
  int fd;           /* -1: there is none, or it is gone */
  AtmInfo *info;    /* (nullable): %NULL if it cannot be read */
  char *problem;    /* (nullable): why it cannot */
  GBytes *unit;     /* (nullable): the unit, of a container that has a service */
  GBytes *tmpfiles; /* (nullable): the fragment, likewise */
} AtmSide;

#define ATM_SIDE_INIT                                                                              \
  {                                                                                                \
    .fd = -1                                                                                       \
  }

/**
 * atm_side_load:
 * @name: of a container
 * @number: 0, 1 or %ATM_PLAN_NONE
 * @side_out: (out caller-allocates): %ATM_SIDE_INIT; one that is damaged is no error
 * @error: %G_IO_ERROR other than that something is missing
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_side_load (int checkout_fd, const char *name, int number, AtmSide *side_out,
                        GError **error);
void atm_side_clear (AtmSide *side);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmSide, atm_side_clear)

/**
 * atm_side_check:
 * @error: %ATM_CONTAINER_ERROR_DAMAGED: it is no deployment that could be switched to
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_side_check (const AtmSide *side, GError **error);

/**
 * atm_side_get_host_set:
 * @set_out: (out caller-allocates): (borrowed) from @side
 *
 * Returns: its host files: @set_out, or %NULL if there are none
 */
const AtmHostSet *atm_side_get_host_set (const AtmSide *side, AtmHostSet *set_out);
