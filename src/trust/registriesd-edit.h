/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Edits of files of registries.d: from text to text, line by line, so that comments and the order
   of lines stay. What comes out is read again and compared with what was meant; where a file is
   written in a way that this cannot edit, the answer is an error that says what to write by hand.
 */

/**
 * atm_registriesd_edit_set:
 * @old: (borrowed) (nullable): the file; %NULL: there is none
 * @path: where it is from, for messages
 * @scope: of transport docker
 * @url: the new “lookaside” of @scope
 * @new_out: (out) (transfer full): the file with “docker: SCOPE: lookaside: URL”
 * @error: %ATM_TRUST_ERROR_REGISTRIES_CONFIG
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registriesd_edit_set (GBytes *old, const char *path, const char *scope,
                                   const char *url, GBytes **new_out, GError **error);

/**
 * atm_registriesd_edit_remove:
 * @new_out: (out) (transfer full) (nullable): the file without the entry for @scope; %NULL if
 *   there is nothing left in it, not even a comment
 *
 * As atm_registriesd_edit_set().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registriesd_edit_remove (GBytes *old, const char *path, const char *scope,
                                      GBytes **new_out, GError **error);
