/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* The terminal: questions for the person in front of it, wherever input and output lead. */

/* What somebody may type as an answer. */
#define ATM_TERMINAL_ANSWER_MAX_BYTES 1024

/**
 * atm_terminal_is_there:
 *
 * Returns: whether there is a person to ask: input and messages are on a terminal
 */
gboolean atm_terminal_is_there (void);

/**
 * atm_terminal_ask_secret:
 * @question: in one line, without a final blank
 * @answer_out: (out) (transfer full): secret: to be overwritten before it is freed; typed without
 *   echo
 * @error: %G_IO_ERROR (%G_IO_ERROR_CANCELLED)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_terminal_ask_secret (const char *question, char **answer_out,
                                  GCancellable *cancellable, GError **error);

/**
 * atm_terminal_choose:
 * @data: unused
 *
 * An #AtmChooseFunc; an answer that is none of the numbers is
 * %G_IO_ERROR_INVALID_ARGUMENT.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_terminal_choose (const char *question, const char *const *choices, guint *chosen_out,
                              gpointer data, GCancellable *cancellable, GError **error);
