/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "registry/content-range.h"
#include "registry/retry.h"

/* Numbers in headers: which part of a blob an answer holds, and how long to wait. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *header = g_strndup ((const char *) data, size);
  AtmContentRange range;
  guint64 seconds = 0;

  if (atm_content_range_parse (header, &range))
    {
      g_assert_cmpuint (range.first, <=, range.last);
      g_assert_cmpuint (range.last, <=, G_MAXINT64);
      g_assert_true (!range.has_total || range.last < range.total_bytes);
      g_assert_true (!atm_content_range_is_rest (header, range.first + 1, range.last + 1));
    }
  (void) atm_retry_after_parse (header, 1700000000, &seconds);
  return 0;
}
