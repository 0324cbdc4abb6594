/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <gio/gio.h>

/* Errors: each function here sets a GError and returns FALSE, so that a failure is one return. */

/**
 * atm_throw:
 * @error: (out) (nullable): where the error goes
 * @domain: error domain
 * @code: code in @domain
 * @format: what was tried, where, why it failed, what to do next; one line
 *
 * Returns: %FALSE, always
 */
gboolean atm_throw (GError **error, GQuark domain, int code, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

/**
 * atm_throw_errno:
 * @error: (out) (nullable): where the error goes
 * @format: what was tried; “: ” and the text for errno follow it
 *
 * The error is %G_IO_ERROR with the code that GIO gives to errno.
 *
 * Returns: %FALSE, always
 */
gboolean atm_throw_errno (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

/**
 * atm_prefix_error:
 * @error: (inout) (nullable): an error that is set
 * @format: what only this level knows; “: ” follows it
 *
 * Returns: %FALSE, always
 */
gboolean atm_prefix_error (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);
