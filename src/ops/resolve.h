/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "ops/report.h"

/**
 * AtmChooseFunc:
 * @question: for the user
 * @choices: (array zero-terminated=1): two or more
 * @chosen_out: (out): an index of @choices
 * @error: the user has chosen nothing; %G_IO_ERROR_CANCELLED
 *
 * Asks a person, on a terminal.
 */
typedef gboolean (*AtmChooseFunc) (const char *question, const char *const *choices,
                                   guint *chosen_out, gpointer data, GCancellable *cancellable,
                                   GError **error);

/**
 * atm_resolve_short_name:
 * @origin: (borrowed): of a registry, whose name was typed without one
 * @choose: (nullable): NULL: there is nobody to ask
 * @report: (borrowed): told what the name means
 * @origins_out: (out) (transfer full) (element-type AtmOrigin): what may be meant, to be tried in
 *   this order; the references under which they are stored are as typed
 * @error: %ATM_SHORT_NAME_ERROR, %ATM_NAME_ERROR, %G_IO_ERROR; of @choose
 *
 * What a short name means is for registries.conf to say, and for the user if it leaves a choice
 * (registry.md 2.3).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_resolve_short_name (const AtmSystem *system, const AtmOrigin *origin,
                                 AtmChooseFunc choose, gpointer choose_data,
                                 const AtmReport *report, GPtrArray **origins_out,
                                 GCancellable *cancellable, GError **error);
