/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/name.h"
#include "registry/credentials.h"

/* Files with credentials: auth.json, docker's config.json and .dockercfg (registry.md 7.2). */

typedef enum
{
  ATM_AUTH_FILE_CONTAINERS, /* auth.json; keys are HOST[:PORT][/PATH] */
  ATM_AUTH_FILE_DOCKER,     /* config.json; keys may be URLs */
  ATM_AUTH_FILE_OLD         /* .dockercfg; as config.json, with “auths” at the top level */
} AtmAuthFileKind;

typedef struct _AtmAuthFile AtmAuthFile;

/**
 * atm_auth_file_parse:
 * @bytes: (borrowed): untrusted; no bytes at all are a file without credentials
 * @path: for messages
 * @file_out: (out) (transfer full): the file
 * @error: %G_IO_ERROR_INVALID_DATA, naming @path and the place in it, never what is there
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_auth_file_parse (GBytes *bytes, const char *path, AtmAuthFileKind kind,
                              AtmAuthFile **file_out, GError **error);
void atm_auth_file_free (AtmAuthFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmAuthFile, atm_auth_file_free)

/**
 * atm_auth_file_has_secrets:
 *
 * Returns: something in it must be kept from other users
 */
gboolean atm_auth_file_has_secrets (const AtmAuthFile *file);

/**
 * atm_auth_file_get_warnings:
 *
 * Returns: (borrowed) (element-type utf8): entries of no use, and keys that can never match; a line
 *   each, naming file and key
 */
const GPtrArray *atm_auth_file_get_warnings (const AtmAuthFile *file);

/**
 * atm_auth_file_find_helper:
 * @server_out: (out) (borrowed): what it is to be asked for
 *
 * Returns: (borrowed) (nullable): the helper of “credHelpers” for the domain of @name. Nothing else
 *   of the file is for that domain then
 */
const char *atm_auth_file_find_helper (const AtmAuthFile *file, const AtmImageName *name,
                                       const char **server_out);

/**
 * atm_auth_file_find:
 *
 * Returns: (transfer full) (nullable): what the file itself has for @name: for the longest part of
 *   its repository that is a key, else for its domain as docker writes it
 */
AtmCredential *atm_auth_file_find (const AtmAuthFile *file, const AtmImageName *name);

/**
 * atm_auth_file_find_store:
 *
 * As atm_auth_file_find_helper(), the one of “credsStore”, to be asked if the file has nothing.
 */
const char *atm_auth_file_find_store (const AtmAuthFile *file, const AtmImageName *name,
                                      const char **server_out);
