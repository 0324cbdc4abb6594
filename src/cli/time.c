/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/time.h"

#include <time.h>

#define YEAR_LAST 9999

/* GDateTime would look for the time zone of the host each time. */
char *
atm_cli_format_time (gint64 unix_time)
{
  time_t when = (time_t) unix_time;
  struct tm local;
  char text[sizeof "YYYY-MM-DD HH:MM:SS"];

  if (unix_time == 0 || localtime_r (&when, &local) == NULL || local.tm_year + 1900 < 0
      || local.tm_year > YEAR_LAST - 1900
      || strftime (text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) == 0)
    return g_strdup ("");
  return g_strdup (text);
}
