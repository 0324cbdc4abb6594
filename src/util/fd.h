/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

/* Files, from directory descriptors: nothing here follows a link that somebody else made. */

/* Closes the descriptor at the end of the scope and keeps errno. */
#define atm_autofd __attribute__ ((cleanup (atm_fd_clear)))
void atm_fd_clear (int *fd);

/**
 * atm_write_all:
 * @fd: (borrowed): a descriptor open for writing
 * @bytes: (borrowed): what to write
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_write_all (int fd, GBytes *bytes, GError **error);

/**
 * atm_read_all:
 * @fd: (borrowed): a descriptor; what is not a regular file is refused
 * @max_bytes: a larger file is %G_IO_ERROR_MESSAGE_TOO_LARGE
 * @bytes_out: (out) (transfer full): the contents
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_read_all (int fd, gsize max_bytes, GBytes **bytes_out, GError **error);

/**
 * atm_read_stream:
 * @stream: (borrowed): read to its end
 * @max_bytes: more is %G_IO_ERROR_MESSAGE_TOO_LARGE
 * @bytes_out: (out) (transfer full): the contents
 * @error: %G_IO_ERROR, or what @stream throws
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_read_stream (GInputStream *stream, gsize max_bytes, GBytes **bytes_out,
                          GCancellable *cancellable, GError **error);

/**
 * atm_read_file_at:
 * @dir_fd: (borrowed): a folder, or %AT_FDCWD
 * @path: opened with O_NONBLOCK, so that a FIFO cannot hold us; a final link is not followed
 *   unless @follow
 * @max_bytes: as in atm_read_all()
 * @bytes_out: (out) (transfer full): the contents
 * @error: %G_IO_ERROR (%G_IO_ERROR_NOT_FOUND when there is no such file)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_read_file_at (int dir_fd, const char *path, gboolean follow, gsize max_bytes,
                           GBytes **bytes_out, GError **error);

/**
 * atm_open_in_root:
 * @root_fd: (borrowed): the root of a tree that an image wrote
 * @path: a path as the tree itself sees it; links are resolved below @root_fd
 * @flags: as for open(); O_CLOEXEC is added
 * @fd_out: (out): the descriptor
 * @error: %G_IO_ERROR
 *
 * openat2() with RESOLVE_IN_ROOT; there is no fall-back that could leave the tree.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_open_in_root (int root_fd, const char *path, int flags, int *fd_out, GError **error);

/**
 * atm_open_beneath:
 * @dir_fd: (borrowed): a folder
 * @path: relative; no component may be a link, and none may leave @dir_fd
 * @flags: as for open(); O_CLOEXEC is added
 * @fd_out: (out): the descriptor
 * @error: %G_IO_ERROR (%G_IO_ERROR_TOO_MANY_LINKS: a component is a link)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_open_beneath (int dir_fd, const char *path, int flags, int *fd_out, GError **error);

/* A process that is killed while it replaces NAME leaves “.NAME.” and as many hex digits. */
#define ATM_TEMPORARY_DIGITS 8

/**
 * atm_sweep_temporaries_at:
 * @dir_fd: (borrowed): a folder of ours
 * @name: one component
 * @error: %G_IO_ERROR
 *
 * Removes what runs that were killed left of the functions below. The caller knows that nobody else
 * is replacing @name.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_sweep_temporaries_at (int dir_fd, const char *name, GError **error);

/**
 * atm_list_temporaries_at:
 * @names: (element-type utf8): of what such runs were replacing is added
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_list_temporaries_at (int dir_fd, GHashTable *names, GError **error);

/**
 * atm_replace_file_at:
 * @dir_fd: (borrowed): a folder of ours
 * @name: one component; an existing file is replaced, a link is replaced and not followed
 * @bytes: (borrowed): contents
 * @mode: permission bits, independent of the umask
 * @error: %G_IO_ERROR
 *
 * After a power cut the old contents are there or the new ones, whole.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_replace_file_at (int dir_fd, const char *name, GBytes *bytes, mode_t mode,
                              GError **error);

/**
 * atm_create_file_at:
 *
 * As atm_replace_file_at(), but an existing @name is %G_IO_ERROR_EXISTS and is left as it is.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_create_file_at (int dir_fd, const char *name, GBytes *bytes, mode_t mode,
                             GError **error);

/**
 * atm_copy_file_at:
 * @from_fd: (borrowed): read from where it stands to its end
 *
 * As atm_create_file_at(), with contents that need not fit into memory.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_copy_file_at (int from_fd, int dir_fd, const char *name, mode_t mode, GError **error);

/**
 * atm_open_temporary:
 * @folder: an existing folder
 * @fd_out: (out): a new file without a name, open for reading and writing; its space is free again
 *   once nobody has it open
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_open_temporary (const char *folder, int *fd_out, GError **error);

/* When a change of a folder is to be on the disk. */
typedef enum
{
  ATM_SYNC_NOW,  /* when the call returns */
  ATM_SYNC_LATER /* when the caller syncs the folder; until then a power cut may undo it */
} AtmSync;

/**
 * atm_replace_symlink_at:
 * @dir_fd: (borrowed): a folder of ours
 * @target: what the link says
 * @name: one component; an existing link is replaced in one step
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_replace_symlink_at (const char *target, int dir_fd, const char *name, AtmSync sync,
                                 GError **error);

/**
 * atm_open_dir_at:
 * @dir_fd: (borrowed): a folder, or %AT_FDCWD
 * @path: a folder; a final link is not followed
 * @fd_out: (out): the descriptor
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_open_dir_at (int dir_fd, const char *path, int *fd_out, GError **error);

/**
 * atm_make_dirs:
 * @path: absolute; if it is missing it is made with @mode, and missing ones above it with 0755
 * @fd_out: (out) (optional): a descriptor of the last one
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_make_dirs (const char *path, mode_t mode, int *fd_out, GError **error);

/**
 * atm_remove_tree_at:
 * @dir_fd: (borrowed): a folder of ours
 * @name: one component: a file, a link (not followed) or a folder with all below it; that it
 *   does not exist is no error
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_remove_tree_at (int dir_fd, const char *name, GError **error);
