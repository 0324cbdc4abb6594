/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/time.h"

char *
atm_cli_format_time (gint64 unix_time)
{
  g_autoptr (GDateTime) time = unix_time != 0 ? g_date_time_new_from_unix_local (unix_time) : NULL;

  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S") : g_strdup ("");
}
