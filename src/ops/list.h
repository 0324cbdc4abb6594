/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/* What is installed and what is stored, as lists. */

/* One container. All pointers (owned), none %NULL unless it says so. */
typedef struct
{
  char *name;
  char *image_id;
  char *image_name;
  char *command;
  gint64 created_unix; /* 0: unknown */
  char *state; /* “running”, “failed”, “inactive”, “no service” (command.md 2.4) */
  char *runtime;
  char *active_state;   /* of its unit, as systemd says; "" if it is not known */
  char *deployment;     /* “NAME.0”; "" if there is none */
  char **accepted_by;   /* (nullable): who vouched for the image */
  gboolean auto_update; /* after atm_list_add_records() */
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

/**
 * atm_list_add_records:
 * @rows: (element-type AtmContainerRow): the settings are filled in
 * @report: (borrowed): told about records that are damaged
 */
void atm_list_add_records (const AtmSystem *system, GPtrArray *rows, const AtmReport *report);

/**
 * atm_list_state_of:
 * @active_state: (nullable): of the unit of a container, or “not-found”; %NULL if it is not known
 *
 * Returns: (transfer none): “state” of a container
 */
const char *atm_list_state_of (gboolean has_service, const char *active_state);

/* One image, or a layer without a name. */
typedef struct
{
  char *reference; /* (owned) (nullable): %NULL for a layer */
  char *id;        /* (owned): digest of the manifest or of the layer, in hex */
  gint64 created_unix;
  guint64 size_bytes;   /* as transferred; 0: unknown */
  guint64 unique_bytes; /* in the store, of what no other image needs; with
                           %ATM_LIST_UNIQUE_SIZES only */
  gboolean used;        /* a container was installed from this reference */
  gboolean dangling;    /* a layer that no image needs */
} AtmImageRow;

void atm_image_row_free (AtmImageRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmImageRow, atm_image_row_free)

typedef enum
{
  ATM_LIST_DEFAULT = 0,
  ATM_LIST_LAYERS = 1 << 0,      /* list layers, too */
  ATM_LIST_UNIQUE_SIZES = 1 << 1 /* measure images, which takes a look at each of their objects */
} AtmListFlags;

/**
 * atm_list_images:
 * @report: (borrowed): told about images that are damaged
 * @rows_out: (out) (transfer full) (element-type AtmImageRow): by reference, then layers by digest;
 *   none if there is no repository yet
 * @error: of the rooms below
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_list_images (const AtmSystem *system, AtmListFlags flags, const AtmReport *report,
                          GPtrArray **rows_out, GCancellable *cancellable, GError **error);
