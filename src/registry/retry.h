/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Retries: which failures are tried again, how often, and after what delay (registry.md 3.7). */

/* Longer than this is not waited for, though a server may ask for it … */
#define ATM_RETRY_AFTER_CAP_SEC 60
/* … and one that asks for more than this is believed: there is no point in asking before. */
#define ATM_RETRY_AFTER_PATIENCE_SEC 300

typedef enum
{
  ATM_RETRY_NONE,      /* it would fail again */
  ATM_RETRY_TRANSPORT, /* no answer at all */
  ATM_RETRY_SERVER,    /* 408, 425, 500, 502, 503, 504 */
  ATM_RETRY_RATE       /* 429 */
} AtmRetryKind;

/* The retries of one request; all zero for none yet. */
typedef struct
{
  guint counts[ATM_RETRY_RATE + 1];
} AtmRetry;

AtmRetryKind atm_retry_kind_of_status (guint status);

/**
 * atm_retry_after_parse:
 * @header: (nullable): the value of Retry-After, untrusted: seconds or an HTTP date
 * @now_sec: since 1970
 * @seconds_out: (out): how long to wait
 *
 * Returns: whether it says anything; a date that is past does not
 */
gboolean atm_retry_after_parse (const char *header, gint64 now_sec, guint64 *seconds_out);

/**
 * atm_retry_next:
 * @kind: what went wrong
 * @asked_sec: what the server asks us to wait; 0 if it does not say
 * @second_msec: how long a second is: 1000, less in tests
 * @delay_msec_out: (out): what to wait before the next attempt
 *
 * Counts a failure.
 *
 * Returns: whether there is to be another attempt
 */
gboolean atm_retry_next (AtmRetry *retry, AtmRetryKind kind, guint64 asked_sec, guint second_msec,
                         guint *delay_msec_out);
