/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/configure.h"

#include <fcntl.h>

#include "ops/claim.h"
#include "ops/describe.h"
#include "util/error.h"
#include "util/fd.h"

gboolean
atm_configure (const AtmSystem *system, const char *name, const AtmSettings *settings,
               const AtmReport *report, AtmRecord **record_out, GCancellable *cancellable,
               GError **error)
{
  const char *const names[] = { name, NULL };
  g_auto (AtmClaim) claim = { 0 };
  g_autoptr (AtmRecord) record = NULL, before = NULL;
  atm_autofd int checkout_fd = -1;

  /* The name is valid, and there is a container, before there is a lock of that name; and again
     with the lock, as it may have gone while we waited. */
  if (!atm_describe_record (system, name, NULL, &before, error)
      || !atm_claim_take (&claim, system, names, report, cancellable, error)
      || !atm_describe_record (system, name, report, &record, error))
    return FALSE;
  if (settings->set_auto_update)
    record->auto_update = settings->auto_update;
  if (settings->set_health_window)
    record->health_window_sec = settings->health_window_sec;

  if (!atm_open_dir_at (AT_FDCWD, system->checkout, &checkout_fd, error)
      || !atm_record_write (checkout_fd, name, record, error))
    return FALSE;
  g_clear_pointer (&record->problem, g_free);
  *record_out = g_steal_pointer (&record);
  return TRUE;
}
