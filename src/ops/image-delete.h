/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/report.h"

/* Images without which we would do: their names are deleted, then what nobody needs is pruned
   (command.md 2.7). */

/* What is to be deleted, chosen before anybody is asked. */
typedef struct
{
  char *reference; /* (owned) */
  char *id;        /* (owned): "" if the image is damaged */
} AtmDoomedImage;

void atm_doomed_image_free (AtmDoomedImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmDoomedImage, atm_doomed_image_free)

/**
 * atm_image_delete_plan:
 * @names: (array zero-terminated=1): names and ids as typed; none with @all
 * @all: all that are not in use and not pinned
 * @force: also images that containers were installed from. Those keep running, and the files that
 *   they have stay; an update with another value has to pull again
 * @report: (borrowed): told about images that @all leaves
 * @doomed_out: (out) (transfer full) (element-type AtmDoomedImage): each name once
 * @error: %ATM_STORE_ERROR_NOT_FOUND; %G_IO_ERROR_BUSY: in use or pinned
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_delete_plan (const AtmSystem *system, char **names, gboolean all, gboolean force,
                                const AtmReport *report, GPtrArray **doomed_out,
                                GCancellable *cancellable, GError **error);

/**
 * atm_image_delete:
 * @doomed: (element-type AtmDoomedImage): from atm_image_delete_plan(), which is asked again under
 *   the lock
 * @error: as there
 *
 * Deletes the names, each in one step. Space is freed by atm_image_prune().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_delete (const AtmSystem *system, GPtrArray *doomed, gboolean force,
                           const AtmReport *report, GCancellable *cancellable, GError **error);

/**
 * atm_image_tag:
 * @image: as typed: a name or an id
 * @target: the second name
 * @error: %ATM_STORE_ERROR_NOT_FOUND: “Cannot find image X.”; of the rooms below
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_tag (const AtmSystem *system, const char *image, const char *target,
                        const AtmReport *report, GCancellable *cancellable, GError **error);

/**
 * atm_image_pin:
 * @image: as typed: a name or an id, all names of which are pinned
 * @pinned: FALSE: take the pin away
 * @error: %ATM_STORE_ERROR_NOT_FOUND; of the rooms below
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_pin (const AtmSystem *system, const char *image, gboolean pinned,
                        const AtmReport *report, GCancellable *cancellable, GError **error);

typedef struct
{
  char **refs;        /* (owned): of layers that went, or would go */
  char **deployments; /* (owned): folders in CHECKOUT that no container had */
  guint n_objects;
  guint64 freed_bytes;
  guint n_partials; /* layers that pulls fetched in part */
  guint64 partials_bytes;
} AtmImagePruned;

void atm_image_pruned_clear (AtmImagePruned *pruned);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmImagePruned, atm_image_pruned_clear)

/**
 * atm_image_prune:
 * @dry_run: only say what would go
 * @report: (borrowed): “Deleting ociimage/HEX” for each layer (command.md 2.7)
 * @pruned_out: (out caller-allocates): what went
 * @error: of the rooms below
 *
 * Removes layers that no image needs, objects that neither an image nor a deployment needs,
 * deployments that lost their container, and what commands that were killed left.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_prune (const AtmSystem *system, gboolean dry_run, const AtmReport *report,
                          AtmImagePruned *pruned_out, GCancellable *cancellable, GError **error);
