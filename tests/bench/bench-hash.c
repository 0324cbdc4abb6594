/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How fast content is hashed: ours (libcrypto) and GLib's GChecksum in turn over the same bytes.
   Prints the median of each and the ratio; never fails on time. */
#include <glib.h>
#include <stdlib.h>

#include "util/sha256.h"

#define ROUNDS 5
#define SIZE_BYTES (64 * 1024 * 1024)

static int
compare (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return (x > y) - (x < y);
}

static double
median_seconds (gint64 *usec)
{
  qsort (usec, ROUNDS, sizeof *usec, compare);
  return (double) usec[ROUNDS / 2] / G_USEC_PER_SEC;
}

int
main (void)
{
  g_autofree guint8 *data = g_malloc (SIZE_BYTES);
  gint64 ours_usec[ROUNDS], glib_usec[ROUNDS];
  double ours = 0.0, glib = 0.0;

  for (gsize i = 0; i < SIZE_BYTES; i++)
    data[i] = (guint8) (i * 2654435761u >> 24);
  for (guint round = 0; round < ROUNDS; round++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new_static (data, SIZE_BYTES);
      g_autofree char *hex = NULL, *reference = NULL;
      gint64 start = g_get_monotonic_time ();

      hex = atm_sha256_hex (bytes);
      ours_usec[round] = g_get_monotonic_time () - start;
      start = g_get_monotonic_time ();
      reference = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, SIZE_BYTES);
      glib_usec[round] = g_get_monotonic_time () - start;
      g_assert_cmpstr (hex, ==, reference);
    }
  ours = median_seconds (ours_usec);
  glib = median_seconds (glib_usec);
  g_print ("sha256 of %d MiB, median of %d: ours %.3f s, GChecksum %.3f s, ratio %.2f\n",
           SIZE_BYTES >> 20, ROUNDS, ours, glib, ours / glib);
  return 0;
}
