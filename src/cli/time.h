/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * atm_cli_format_time:
 * @unix_time: seconds; 0: unknown
 *
 * Returns: (transfer full): “YYYY-MM-DD HH:MM:SS” in local time, or ""
 */
char *atm_cli_format_time (gint64 unix_time);
