/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Inodes: owner, mode and attributes as an image has them, and how a file of ours gets them.
   Internal to store/. */

typedef struct
{
  guint32 uid;
  guint32 gid;
  guint32 mode;     /* permission bits, 07777 at most; the type is told by the function */
  GVariant *xattrs; /* (nullable): a(ayay), names unique, sorted, each with its NUL */
} AtmInode;

/**
 * atm_inode_apply:
 * @fd: (borrowed): a complete file or folder, which nobody else can get at yet
 * @error: %G_IO_ERROR; names an attribute that the file system refuses
 *
 * Gives owner, mode and attributes, in this order: a change of owner clears set-id bits and
 * capabilities. The time is set to 0, as OSTree has it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_inode_apply (int fd, const AtmInode *inode, GError **error);

/**
 * atm_inode_apply_symlink:
 * @name: a symlink in @dir_fd
 *
 * As atm_inode_apply(), but links have no mode.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_inode_apply_symlink (int dir_fd, const char *name, const AtmInode *inode,
                                  GError **error);
