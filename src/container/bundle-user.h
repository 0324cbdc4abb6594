/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Users of an image: its “User” as numbers, by its own passwd and group. For bundle-default.c. */

#define ATM_ACCOUNTS_MAX_BYTES (1024 * 1024)
#define ATM_GROUPS_MAX 256

typedef struct
{
  guint32 uid;
  guint32 gid;
  GArray *groups; /* (owned) (element-type guint32): supplementary ones */
  char *home;     /* (owned): absolute; “/” where passwd does not say */
} AtmBundleUser;

void atm_bundle_user_clear (AtmBundleUser *user);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmBundleUser, atm_bundle_user_clear)

/**
 * atm_bundle_user_find:
 * @text: (nullable): USER[:GROUP], names or numbers, untrusted (OCI image-spec, config.md, "User")
 * @rootfs_fd: (borrowed)
 * @user: (out caller-allocates): zeroed; %NULL and "" mean root
 * @error: %ATM_BUNDLE_ERROR if there is no such user or group
 *
 * Without a group the user's own ones apply, supplementary ones too; with one, only that.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_bundle_user_find (const char *text, int rootfs_fd, AtmBundleUser *user,
                               GError **error);
