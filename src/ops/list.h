/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"
#include "store/store.h"

/* What is installed and what is stored, as lists. */

/* One container. All pointers (owned), none %NULL. */
typedef struct
{
  char *name;
  char *image_id;
  char *image_name;
  char *command;
  gint64 created_unix; /* 0: unknown */
  char *state; /* “running”, “failed”, “inactive”, “no service” (command.md 2.4) */
  char *runtime;
} AtmContainerRow;

void atm_container_row_free (AtmContainerRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmContainerRow, atm_container_row_free)

/**
 * atm_list_containers:
 * @report: (borrowed): told about containers that are damaged
 * @rows_out: (out) (transfer full) (element-type AtmContainerRow): by name
 * @error: of the rooms below
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_list_containers (const AtmSystem *system, const AtmReport *report,
                              GPtrArray **rows_out, GError **error);

/* One image. */
typedef struct
{
  AtmStoredImage *image; /* (owned) */
  gboolean used;         /* a container was installed from this reference */
} AtmImageRow;

void atm_image_row_free (AtmImageRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmImageRow, atm_image_row_free)

/**
 * atm_list_images:
 * @rows_out: (out) (transfer full) (element-type AtmImageRow): by reference; none if there is no
 *   repository yet
 * @error: of the rooms below
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_list_images (const AtmSystem *system, GPtrArray **rows_out, GCancellable *cancellable,
                          GError **error);
