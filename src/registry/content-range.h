/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Content-Range: which part of a blob an answer of status 206 holds (RFC 9110, 14.4). */

typedef struct
{
  guint64 first; /* offset of the first byte */
  guint64 last;  /* of the last one, which is part of it */
  gboolean has_total;
  guint64 total_bytes; /* of the whole blob; valid if has_total */
} AtmContentRange;

/**
 * atm_content_range_parse:
 * @header: (nullable): the value of the header, untrusted; what several headers said, joined by
 *   commas, is refused, as is everything that is no range of bytes within a possible total
 * @range_out: (out caller-allocates): the part
 *
 * Returns: whether @header is one valid range
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_content_range_parse (const char *header, AtmContentRange *range_out);

/**
 * atm_content_range_is_rest:
 * @start_bytes: what was asked for: everything from here on
 * @size_bytes: of the whole blob, by its descriptor
 *
 * Returns: whether @header announces exactly the bytes from @start_bytes to the end of the blob
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_content_range_is_rest (const char *header, guint64 start_bytes, guint64 size_bytes);
