/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <archive_entry.h>
#include <glib.h>

/* Names in pax headers as they were written. libarchive composes their letters (Unicode NFC), so
   that two files could become one; names in images are bytes (registry.md 5.4, rule 5). Internal to
   store/. */

/**
 * atm_pax_restore_names:
 * @headers: (array length=length): untrusted: the stream from the first header of the entry on, or
 *   any other bytes: only names that are the same but for composition are taken from them
 * @entry: (inout): what libarchive made of them
 */
void atm_pax_restore_names (const guint8 *headers, gsize length, struct archive_entry *entry);
