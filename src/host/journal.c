/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/journal.h"

#include <string.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "util/text.h"

static void
add (struct iovec *entry, int *n, const char *field)
{
  entry[*n].iov_base = (char *) field;
  entry[*n].iov_len = strlen (field);
  (*n)++;
}

void
atm_journal_send (AtmJournalPriority priority, const char *message_id, const char *message,
                  const char *const *fields)
{
  g_autofree char *safe = atm_text_escape (message);
  g_autofree char *message_field = g_strconcat ("MESSAGE=", safe, NULL),
                  *id_field = g_strconcat ("MESSAGE_ID=", message_id, NULL),
                  *priority_field = g_strdup_printf ("PRIORITY=%d", (int) priority);
  struct iovec entry[ATM_JOURNAL_FIELDS_MAX];
  int n = 0, result = 0;

  add (entry, &n, message_field);
  add (entry, &n, id_field);
  add (entry, &n, priority_field);
  add (entry, &n, "SYSLOG_IDENTIFIER=atomic");
  for (guint i = 0; fields[i] != NULL && n < ATM_JOURNAL_FIELDS_MAX; i++)
    add (entry, &n, fields[i]);
  result = sd_journal_sendv (entry, n);
  if (result < 0)
    g_debug ("The journal: %s", g_strerror (-result));
}
