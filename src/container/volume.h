/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "store/store.h"

/* Volumes: the state folders of an image without /exports, one for each path that the image says it
   writes to (OCI image-spec, config.md, "Volumes"). */

typedef struct
{
  char *path;   /* (owned): as the container sees it */
  char *source; /* (owned): absolute path of the folder on the host */
} AtmVolume;

AtmVolume *atm_volume_new (const char *path, const char *source);
void atm_volume_free (AtmVolume *volume);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmVolume, atm_volume_free)

/**
 * atm_volumes_to_map:
 * @volumes: (borrowed) (element-type AtmVolume)
 *
 * Returns: (transfer full) (element-type utf8 utf8): path in the container to folder of the host,
 * as `info` has it
 */
GHashTable *atm_volumes_to_map (GPtrArray *volumes);

/**
 * atm_volumes_from_map:
 *
 * Returns: (transfer full) (element-type AtmVolume): the volumes of @map, by path
 */
GPtrArray *atm_volumes_from_map (GHashTable *map);

/**
 * atm_volumes_fill:
 * @volumes: (borrowed) (element-type AtmVolume)
 * @store: (borrowed): has the image
 * @commit: the image commit that @rootfs_fd was checked out of
 * @rootfs_fd: (borrowed): links on the way to a volume are resolved in it
 * @notices: (borrowed) (element-type utf8): what stays empty and why is added
 * @error: %G_IO_ERROR, %ATM_STORE_ERROR
 *
 * Gives each volume that is missing or empty on the host what the image has at its path, with
 * owners and modes, the folder's own too. It is there whole or not at all, also after a power cut;
 * a folder with something in it is never touched, so that to call this again is harmless. The
 * caller holds the lock of the container. A volume that the image has nothing for is left to
 * tmpfiles (atm_tmpfiles_render()).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_volumes_fill (GPtrArray *volumes, AtmStore *store, const char *commit, int rootfs_fd,
                           GPtrArray *notices, GCancellable *cancellable, GError **error);
