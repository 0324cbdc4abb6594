/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <archive_entry.h>
#include <glib.h>

/* What tar headers say and libarchive does not pass on. It composes the letters of names (Unicode
   NFC), so that two files could become one, and names in images are bytes (registry.md 5.4, rule
   5); and it takes what it does not know for a regular file (5.5, row 38). Internal to store/. */

typedef enum
{
  ATM_PAX_TYPE_KNOWN,  /* what libarchive says is right */
  ATM_PAX_TYPE_SOCKET, /* “s” of star; libarchive says a regular file */
  ATM_PAX_TYPE_VENDOR, /* nothing of the image: dump folders and parts of other archives */
  ATM_PAX_TYPE_GLOBAL, /* a global header before it changes what entries are, which we do not read
                        */
  ATM_PAX_TYPE_UNKNOWN
} AtmPaxType;

/**
 * atm_pax_read:
 * @headers: (array length=length): untrusted: the stream from the first header of the entry on
 * @entry: (inout): what libarchive made of them; gets its names back
 *
 * Returns: what the typeflag of the entry means, that of the last of its headers
 */
AtmPaxType atm_pax_read (const guint8 *headers, gsize length, struct archive_entry *entry);
