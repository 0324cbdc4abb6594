/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target over the files of its corpus, in builds without libFuzzer. */
#include <gio/gio.h>

#include "fuzz/fuzz.h"

int
main (int argc, char *argv[])
{
  g_autofree char *name = g_path_get_basename (argv[0]);
  const char *srcdir = g_getenv ("G_TEST_SRCDIR");
  const char *target = strstr (name, "fuzz-");
  g_autofree char *corpus = NULL;
  g_autoptr (GDir) dir = NULL;
  g_autoptr (GError) error = NULL;
  const char *file;
  guint count = 0;

  if (target == NULL)
    return 2;
  corpus = argc > 1 ? g_strdup (argv[1])
                    : g_build_filename (srcdir != NULL ? srcdir : "tests", "fuzz", "corpus",
                                        target + strlen ("fuzz-"), NULL);
  dir = g_dir_open (corpus, 0, &error);
  if (dir == NULL)
    g_error ("%s", error->message);
  while ((file = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (corpus, file, NULL);
      g_autofree char *data = NULL;
      gsize length = 0;

      if (!g_file_get_contents (path, &data, &length, &error))
        g_error ("%s", error->message);
      LLVMFuzzerTestOneInput ((const guint8 *) data, length);
      count++;
    }
  g_assert_cmpuint (count, >, 0);
  g_print ("ok 1 - %s: %u files of the corpus\n1..1\n", target, count);
  return 0;
}
