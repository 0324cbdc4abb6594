/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/retry.h"

#include <libsoup/soup.h>
#include <string.h>

/* As many digits as a number of seconds that anybody could mean. */
#define SECONDS_DIGITS_MAX 9
#define JITTER_PERCENT 20

static const struct
{
  guint attempts; /* after the first one */
  guint first_sec;
} policies[] = {
  [ATM_RETRY_NONE] = { 0, 0 },
  [ATM_RETRY_TRANSPORT] = { 3, 1 },
  [ATM_RETRY_SERVER] = { 4, 1 },
  [ATM_RETRY_RATE] = { 5, 2 },
};

AtmRetryKind
atm_retry_kind_of_status (guint status)
{
  switch (status)
    {
    case 408:
    case 425:
    case 500:
    case 502:
    case 503:
    case 504:
      return ATM_RETRY_SERVER;
    case 429:
      return ATM_RETRY_RATE;
    default:
      return ATM_RETRY_NONE;
    }
}

gboolean
atm_retry_after_parse (const char *header, gint64 now_sec, guint64 *seconds_out)
{
  g_autoptr (GDateTime) date = NULL;
  gsize digits = header != NULL ? strspn (header, "0123456789") : 0;
  gint64 then_sec = 0;

  if (header == NULL)
    return FALSE;
  if (digits > 0 && digits <= SECONDS_DIGITS_MAX && header[digits] == '\0')
    {
      *seconds_out = g_ascii_strtoull (header, NULL, 10);
      return TRUE;
    }
  date = soup_date_time_new_from_http_string (header);
  then_sec = date != NULL ? g_date_time_to_unix (date) : 0;
  if (then_sec <= now_sec)
    return FALSE;
  *seconds_out = (guint64) (then_sec - now_sec);
  return TRUE;
}

gboolean
atm_retry_next (AtmRetry *retry, AtmRetryKind kind, guint64 asked_sec, guint second_msec,
                guint *delay_msec_out)
{
  guint done = retry->counts[kind]++;
  guint msec = 0, jitter = 0;

  if (done >= policies[kind].attempts || asked_sec > ATM_RETRY_AFTER_PATIENCE_SEC)
    return FALSE;
  /* What a server asks for is only ever lengthened: it would refuse whoever comes too early. */
  msec = asked_sec > 0 ? (guint) MIN (asked_sec, ATM_RETRY_AFTER_CAP_SEC) * second_msec
                       : (policies[kind].first_sec << done) * second_msec;
  jitter = msec * JITTER_PERCENT / 100;
  *delay_msec_out = asked_sec > 0
                        ? msec + (guint) g_random_int_range (0, (gint32) jitter + 1)
                        : msec - jitter + (guint) g_random_int_range (0, 2 * (gint32) jitter + 1);
  return TRUE;
}
