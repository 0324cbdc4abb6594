/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <archive_entry.h>
#include <gio/gio.h>

/* Extended attributes of a tar entry: which are kept, and in what form (store.md 6.3, registry.md
   5.5 rows 33-36). Internal to store/. */

typedef struct
{
  guint overlay;    /* attributes that a later overlay mount would act on */
  guint capability; /* capabilities that no kernel knows, or that a user cannot set */
} AtmXattrsDropped;

/**
 * atm_xattrs_read:
 * @entry: (borrowed): attributes are untrusted; those of later records come first
 * @user_mode: drop capabilities
 * @dropped: (inout): counts what should be told; other attributes are dropped silently
 * @xattrs_out: (out) (transfer full) (nullable): a(ayay), sorted by name; %NULL if there are none
 * @error: %ATM_STORE_ERROR_LAYER if they are too large
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_xattrs_read (struct archive_entry *entry, gboolean user_mode,
                          AtmXattrsDropped *dropped, GVariant **xattrs_out, GError **error);
