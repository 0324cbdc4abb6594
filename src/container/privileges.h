/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* Privileges: what a deployment may do to the host, so that an update can tell what it widens:
   capabilities, binds of the host's folders, other mounts of the host, namespaces, devices, hooks,
   seccomp, AppArmor and SELinux, set-user-ID programs, root, hidden and read-only paths, host
   files. What its unit lets run beside the runtime is not looked at. */

typedef struct _AtmPrivileges AtmPrivileges;

/* More is only counted. */
#define ATM_PRIVILEGES_TOLD_MAX 64

/**
 * atm_privileges_new:
 * @config: (borrowed) (nullable): config.json, untrusted; members of wrong types count as missing;
 *   for %NULL (a deployment that cannot be read) and the empty object nothing is allowed
 * @host_files: (borrowed) (nullable) (element-type utf8 utf8): paths of its files on the host, as
 *   AtmInfo.installed_files
 *
 * Returns: (transfer full): never %NULL
 */
AtmPrivileges *atm_privileges_new (JsonObject *config, GHashTable *host_files);
void atm_privileges_free (AtmPrivileges *privileges);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPrivileges, atm_privileges_free)

/**
 * atm_privileges_compare:
 * @old: (borrowed): of the version that runs
 * @new: (borrowed): of the one that is to come
 *
 * Returns: (transfer full) (array zero-terminated=1): a sentence for each thing that @new may do
 *   and @old may not, in plain words, as in “can read /srv of the host”, with foreign text in it;
 *   empty if nothing was widened
 */
char **atm_privileges_compare (const AtmPrivileges *old, const AtmPrivileges *new);
