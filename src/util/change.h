/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Changes: a few files of an administrator that are replaced together, or not at all. */

typedef struct _AtmChange AtmChange;

/**
 * atm_change_new:
 *
 * Returns: (transfer full): a change of nothing
 */
AtmChange *atm_change_new (void);

/* What was added and not applied leaves no trace. */
void atm_change_free (AtmChange *change);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmChange, atm_change_free)

/**
 * atm_change_add:
 * @path: absolute; where it is a link to a file, that file is meant; its folder is made if it is
 *   missing
 * @bytes: (borrowed) (nullable): the new contents; %NULL: the file goes (and of a link the link)
 * @error: %G_IO_ERROR
 *
 * Writes the new file beside the old one, with its owner and mode (a new one has 0644), and syncs
 * it. Nothing that has a name of its own changes yet.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_change_add (AtmChange *change, const char *path, GBytes *bytes, GError **error);

/**
 * atm_change_apply:
 * @error: %G_IO_ERROR; then everything is as it was, or the message says what is not
 *
 * Puts the files in place, in the order in which they were added. A process that is killed on the
 * way has done the first of them; so add those first that do no harm alone.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_change_apply (AtmChange *change, GError **error);
