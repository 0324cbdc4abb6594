/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/host-path.h"
#include "container/hostfiles.h"

/* What a deployment has for one host path; a part of hostfs.h and hostfiles.h. */
typedef struct
{
  gboolean recorded;  /* the path is in the set at all */
  gboolean staged;    /* the deployment has a copy */
  char *content;      /* (owned): as AtmHostObject has it; "" matches nothing. Without a copy the
                         record alone, which does not tell a link from what it leads to (5.4) */
  AtmHostObject copy; /* without the content of a file */
} AtmHostVersion;

void atm_host_version_clear (AtmHostVersion *version);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmHostVersion, atm_host_version_clear)

/**
 * atm_host_version_find:
 * @set: (borrowed) (nullable)
 * @path: valid
 * @version_out: (out caller-allocates): zeroed by the caller
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_version_find (const AtmHostSet *set, const char *path,
                                AtmHostVersion *version_out, GError **error);

/**
 * atm_host_version_open_copy:
 * @fd_out: (out): the folder of the copy
 * @name_out: (out) (transfer full): its name there
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_version_open_copy (const AtmHostSet *set, const char *path, int *fd_out,
                                     char **name_out, GError **error);

/**
 * atm_host_version_matches:
 * @path: where @object is
 * @object: (borrowed): with its content
 *
 * Returns: whether @object is as the deployment has it
 */
gboolean atm_host_version_matches (const AtmHostVersion *version, int host_fd, const char *path,
                                   const AtmHostObject *object);

/* An owner of a path in the table of others, by its resolved path. All (owned). */
typedef struct
{
  char *container;
  char *content; /* as in AtmHostVersion */
} AtmHostOwner;

/**
 * atm_host_owner_find:
 * @others: (borrowed) (nullable)
 *
 * Returns: (borrowed) (nullable): who else owns @path, which is valid
 */
const AtmHostOwner *atm_host_owner_find (GHashTable *others, int host_fd, const char *path);

/**
 * atm_host_owner_check:
 * @content: what is to be at @path
 * @error: %ATM_HOSTFILES_ERROR_CONFLICT
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_host_owner_check (GHashTable *others, int host_fd, const char *path,
                               const char *content, GError **error);
