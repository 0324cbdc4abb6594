/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Credential helpers: programs docker-credential-NAME that keep secrets elsewhere
   (registry.md 7.3). */

#define ATM_CREDENTIAL_HELPER_LIMIT_SEC 30
#define ATM_CREDENTIAL_HELPER_OUTPUT_MAX_BYTES (64 * 1024)

/* What is the same for all helpers. */
typedef struct
{
  const char *path;               /* folders, separated by “:”; only absolute ones count */
  const char *const *environment; /* of the helper, “NAME=VALUE” */
  guint limit_msec;               /* it is killed after this time, with the processes it made */
} AtmCredentialHelperSetting;

/**
 * atm_credential_helper_dup_environment:
 * @environment: (borrowed): of this process
 * @as_root: leave only what helpers need: HOME, XDG_*, DBUS_SESSION_BUS_ADDRESS, AWS_*, GOOGLE_*,
 *   AZURE_*, and the fixed %ATM_CREDENTIAL_HELPER_ROOT_PATH as PATH
 *
 * Returns: (transfer full): the environment for helpers
 */
char **atm_credential_helper_dup_environment (const char *const *environment, gboolean as_root);
#define ATM_CREDENTIAL_HELPER_ROOT_PATH "/usr/local/bin:/usr/bin:/bin"

/**
 * atm_credential_helper_get:
 * @name: untrusted, from a configuration: [A-Za-z0-9._-]+
 * @server: HOST[:PORT], or a URL as docker has it for docker.io
 * @user_out: (out) (transfer full) (nullable): %NULL, with @secret_out: there are no credentials
 * @secret_out: (out) (transfer full) (nullable): to be overwritten before it is freed. User
 *   “<token>” says that it is an identity token
 * @error: %G_IO_ERROR, naming the helper; %G_IO_ERROR_TIMED_OUT, %G_IO_ERROR_CANCELLED. Has the
 *   first line of what the helper says only if that is not where the secret is
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_credential_helper_get (const AtmCredentialHelperSetting *setting, const char *name,
                                    const char *server, char **user_out, char **secret_out,
                                    GCancellable *cancellable, GError **error);
