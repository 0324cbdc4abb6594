/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <sys/stat.h>

/* Paths of host files, and what is there; a part of hostfs.h and hostfiles.h. */

/**
 * atm_host_path_check:
 * @path: untrusted
 * @error: %ATM_EXPORTS_ERROR_INVALID: not absolute, or with “.” or “..”
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_path_check (const char *path, GError **error);

/**
 * atm_host_path_resolve:
 * @path: valid
 *
 * Returns: (transfer full): the same place without the link in the root folder that may lead there,
 *   so that two paths of one file compare equal
 */
char *atm_host_path_resolve (int host_fd, const char *path);

/**
 * atm_host_path_open_folder:
 * @path: untrusted
 * @make: whether missing folders are made, 0755 and durably
 * @fd_out: (out): the folder that @path is in
 * @name_out: (out) (transfer full): the last component of @path
 * @error: %ATM_HOSTFILES_ERROR_BLOCKED, %G_IO_ERROR (%G_IO_ERROR_NOT_FOUND unless @make)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_path_open_folder (int host_fd, const char *path, gboolean make, int *fd_out,
                                    char **name_out, GError **error);

/**
 * atm_host_path_checksum:
 * @path: valid
 *
 * Returns: (transfer full): of a link what it leads to; “0” for nothing and for a folder
 *   (system-image.md 5.4); "", which matches no record, for what cannot be read
 */
char *atm_host_path_checksum (int host_fd, const char *path);

typedef enum
{
  ATM_HOST_NOTHING = 0,
  ATM_HOST_FILE,
  ATM_HOST_LINK,
  ATM_HOST_FOLDER,
  ATM_HOST_OTHER /* a device, a socket and the like */
} AtmHostKind;

/* What is at a path. */
typedef struct
{
  AtmHostKind kind;
  struct stat st; /* unless it is nothing */
  char *content; /* (owned) (nullable): of a file its checksum, of a link “symlink:TARGET”, of a
                    folder “0”: same string, same content */
  char *target;  /* (owned) (nullable): of a link */
} AtmHostObject;

void atm_host_object_clear (AtmHostObject *object);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmHostObject, atm_host_object_clear)

/**
 * atm_host_object_look:
 * @dir_fd: (borrowed)
 * @name: one component; a link is not followed
 * @hash: whether a file is read; without, its content stays %NULL
 * @object_out: (out caller-allocates): zeroed by the caller
 * @error: %G_IO_ERROR; that there is nothing is no error
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_object_look (int dir_fd, const char *name, gboolean hash,
                               AtmHostObject *object_out, GError **error);

/**
 * atm_host_path_look:
 * @path: untrusted
 * @error: as atm_host_path_open_folder()
 *
 * As atm_host_object_look(), with hash; where the folder is missing, there is nothing.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_path_look (int host_fd, const char *path, AtmHostObject *object_out,
                             GError **error);
