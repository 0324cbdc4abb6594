/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The journal of the host: for decisions that an administrator may ask about later
   (systemd.journal-fields(7)). */

typedef enum
{
  ATM_JOURNAL_WARNING = 4, /* as in syslog(3) */
  ATM_JOURNAL_INFO = 6
} AtmJournalPriority;

/* An entry has no more fields; the rest is left out. */
#define ATM_JOURNAL_FIELDS_MAX 256

/**
 * atm_journal_send:
 * @message_id: 32 hex digits
 * @message: one sentence; may have foreign words in it
 * @fields: (array zero-terminated=1): “NAME=value”, values may be foreign
 *
 * Nobody hears of a failure: a host without a journal has decided to do without.
 */
void atm_journal_send (AtmJournalPriority priority, const char *message_id, const char *message,
                       const char *const *fields);
