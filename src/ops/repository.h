/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/info.h"
#include "host/system.h"
#include "ops/report.h"
#include "store/lock.h"

/* The repository and who uses what is in it: what the commands that look after images begin with.
 */

/**
 * atm_repository_open:
 * @store_out: (out) (transfer full): the store of @system, which must be there
 * @error: %ATM_STORE_ERROR_NOT_FOUND: there is no repository yet; %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repository_open (const AtmSystem *system, AtmStore **store_out,
                              GCancellable *cancellable, GError **error);

/**
 * atm_repository_check_wait:
 * @report: (borrowed): told for whom the caller is about to wait, if he is
 * @error: %G_IO_ERROR_BUSY: he would, and @system says not to wait
 *
 * Before a lock of the repository is taken. Somebody may come between; then there is a wait.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repository_check_wait (const AtmSystem *system, AtmStore *store, gboolean exclusive,
                                    const AtmReport *report, GError **error);

/**
 * atm_repository_lock:
 *
 * atm_repository_check_wait() and atm_store_lock_take().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repository_lock (const AtmSystem *system, AtmStore *store, gboolean exclusive,
                              const AtmReport *report, AtmStoreLock *lock,
                              GCancellable *cancellable, GError **error);

/* A deployment on this host. All pointers (owned). */
typedef struct
{
  char *container;
  char *folder;     /* “NAME.0”, in CHECKOUT */
  gboolean current; /* what the unit of the container runs */
  AtmInfo *info;    /* (nullable): %NULL if it cannot be read */
  char *problem;    /* (nullable): why */
} AtmInstalled;

void atm_installed_free (AtmInstalled *installed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmInstalled, atm_installed_free)

/**
 * atm_repository_list_installed:
 * @installed_out: (out) (transfer full) (element-type AtmInstalled): both deployments of each
 *   container, by name; damaged ones too
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repository_list_installed (const AtmSystem *system, GPtrArray **installed_out,
                                        GError **error);

/**
 * atm_repository_find_image:
 * @images: (element-type AtmStoredImage): all of the store
 * @text: as typed: a name, with or without the prefix of its source; an image id or 12 digits and
 *   more of it (registry.md 1.4), which are looked for first
 * @found_out: (out) (transfer container) (element-type AtmStoredImage): (borrowed) from @images:
 *   one for a name; for an id all names of that image
 * @error: %ATM_STORE_ERROR_NOT_FOUND; %G_IO_ERROR_INVALID_ARGUMENT: an id that several images
 *   begin with, which are listed; %ATM_NAME_ERROR, %ATM_ORIGIN_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_repository_find_image (GPtrArray *images, const char *text, GPtrArray **found_out,
                                    GError **error);
