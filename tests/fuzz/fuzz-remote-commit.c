/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"
#include "store/remote-commit.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmRemoteCommit) commit = NULL;

  if (atm_remote_commit_parse (bytes, &commit, NULL))
    {
      g_assert_nonnull (commit->reference);
      g_assert_nonnull (commit->canonical);
      g_assert_nonnull (commit->config);
      g_assert_cmpuint (strlen (commit->contents), ==, 64);
      g_assert_cmpuint (strlen (commit->meta), ==, 64);
    }
  return 0;
}
