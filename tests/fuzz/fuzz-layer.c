/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>

#include "fuzz/fuzz.h"
#include "store/import.h"
#include "store/merge.h"

/* One layer as two: the entries are merged onto an empty tree, and onto what they made of it. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
  const AtmInode folder_inode = { .mode = 0755 };
  guint8 folder[ATM_CHECKSUM_BYTES], contents[ATM_CHECKSUM_BYTES];
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (GInputStream) blob = g_memory_input_stream_new_from_bytes (bytes);
  g_autoptr (AtmObjects) objects = NULL;
  g_auto (AtmImported) imported = { 0 };
  g_autoptr (AtmTree) tree = NULL;

  setlocale (LC_CTYPE, "C.UTF-8");
  /* Small enough that a bomb does not look like a hang. */
  limits.layer_max_bytes = 16 * 1024 * 1024;
  limits.steps_max = 1000000;
  /* The same input must take the same way each time. */
  limits.writers_max = 0;
  objects = atm_objects_new (NULL, FALSE);
  if (!atm_import_layer (blob, ATM_HASH_SHA256, objects, &limits, &imported, NULL, NULL))
    return 0;

  g_assert_true (atm_objects_put_dirmeta (objects, &folder_inode, folder, NULL, NULL));
  tree = atm_tree_new (folder, &limits);
  for (guint number = 1; number <= 2; number++)
    {
      g_autofree char *merge_notice = NULL;

      if (!atm_merge_layer (tree, imported.layer, number, &limits, &merge_notice, NULL, NULL))
        return 0;
    }
  g_assert_true (atm_tree_write (tree, objects, contents, NULL, NULL));
  return 0;
}
