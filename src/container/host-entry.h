/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/host-path.h"

/* What an image has in /exports/hostfs, one by one; a part of hostfs.h. */

/* All pointers (owned). */
typedef struct
{
  AtmHostKind kind; /* a file, a link, or an empty folder: others come with what is in them,
                       wherever that is renamed to */
  char *source;     /* below hostfs */
  char *path;       /* on the host, valid, renamed */
  mode_t mode;
  GBytes *rendered; /* (nullable): the text of a template */
  char *target;     /* (nullable): of a link */
  char *content;    /* as in AtmHostObject */
} AtmHostEntry;

void atm_host_entry_free (AtmHostEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmHostEntry, atm_host_entry_free)

/**
 * atm_host_entry_copy:
 * @path: what the copy has for its own
 *
 * Returns: (transfer full)
 */
AtmHostEntry *atm_host_entry_copy (const AtmHostEntry *entry, const char *path);

/**
 * atm_host_entries_read:
 * @hostfs_fd: (borrowed): /exports/hostfs
 * @renames: (borrowed) (element-type utf8 utf8): renameFiles, rendered
 * @templates: (nullable) (array zero-terminated=1): installedFilesTemplate
 * @values: (borrowed): for templates
 * @lenient: whether what has no valid path or cannot be rendered is left out, rather than an error
 * @entries_out: (out) (transfer full) (element-type AtmHostEntry): in the order of the walk,
 * folders before what is in them; devices and the like are left out
 * @error: %ATM_TEMPLATE_ERROR, %ATM_EXPORTS_ERROR_INVALID (also: more than
 *   %ATM_HOSTFS_ENTRIES_MAX), %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_entries_read (int hostfs_fd, GHashTable *renames, char **templates,
                                GHashTable *values, gboolean lenient, GPtrArray **entries_out,
                                GError **error);
