/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"
#include "util/fd.h"

/* bench/checkout REPOSITORY REFERENCE FOLDER: what `atomic install` does with a stored image before
   units come in: the root file system is checked out to FOLDER/rootfs, and synced. */
int
main (int argc, char *argv[])
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (AtmStoredImage) image = NULL;
  atm_autofd int dir_fd = argc == 4 ? open (argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

  if (dir_fd < 0)
    {
      g_printerr ("usage: %s REPOSITORY REFERENCE FOLDER\n", argv[0]);
      return EXIT_FAILURE;
    }
  if (!atm_store_open (argv[1], FALSE, &store, NULL, &error)
      || !atm_store_load_image (store, argv[2], &image, NULL, &error)
      || !atm_store_check_out (store, image->commit, dir_fd, "rootfs", NULL, &error)
      || syncfs (dir_fd) < 0)
    {
      g_printerr ("%s: %s\n", argv[0], error != NULL ? error->message : "syncfs failed");
      return EXIT_FAILURE;
    }
  return EXIT_SUCCESS;
}
