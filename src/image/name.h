/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/digest.h"

/* Image names: references to a repository with a tag or a digest, parsed once (registry.md 1). */

#define ATM_NAME_ERROR (atm_name_error_quark ())
GQuark atm_name_error_quark (void);

typedef enum
{
  ATM_NAME_ERROR_SYNTAX, /* against the grammar of registry.md 1.1 */
  ATM_NAME_ERROR_ID      /* an image id (64 hex digits), which is no name (registry.md 1.4) */
} AtmNameError;

/* Immutable; strings are ASCII and valid by the grammar. */
typedef struct
{
  char *domain; /* (owned): HOST[:PORT], lower case, “docker.io” if none was written */
  char *path;   /* (owned): “library/busybox” */
  char *tag;    /* (owned) (nullable) */
  gboolean has_digest;
  AtmDigest digest;      /* valid if has_digest */
  char *familiar;        /* (owned): as typed, with “:latest” where atm_name_parse() added it */
  gboolean domain_typed; /* the user wrote the domain: the name is fully qualified */
} AtmImageName;

/**
 * atm_name_parse:
 * @text: untrusted: NAME[:TAG][@DIGEST]
 * @add_latest: TRUE for names a user types: “:latest” where neither tag nor digest is given;
 *   FALSE for references in policies and signatures
 * @name_out: (out) (transfer full): the name
 * @error: %ATM_NAME_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_name_parse (const char *text, gboolean add_latest, AtmImageName **name_out,
                         GError **error);
AtmImageName *atm_name_copy (const AtmImageName *name);
void atm_name_free (AtmImageName *name);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmImageName, atm_name_free)

/**
 * atm_name_parse_location:
 * @text: HOST[:PORT][/PATH[:TAG|@DIGEST]] or *.DOMAIN, as a prefix of registries.conf or of a
 *   policy has it; there need be no path, and nothing is added
 *
 * Returns: (transfer full) (nullable): @text with its domain in lower case; %NULL if it is invalid
 */
char *atm_name_parse_location (const char *text);

/**
 * atm_name_get_repository:
 *
 * Returns: (transfer full): “docker.io/library/busybox”
 */
char *atm_name_get_repository (const AtmImageName *name);

/**
 * atm_name_to_string:
 *
 * Returns: (transfer full): the canonical form, with tag and digest where there are
 */
char *atm_name_to_string (const AtmImageName *name);

/**
 * atm_name_to_identity:
 *
 * Returns: (transfer full): “REPOSITORY@DIGEST” if there is a digest, else “REPOSITORY:TAG”
 *   (trust.md 4.1)
 */
char *atm_name_to_identity (const AtmImageName *name);

/**
 * atm_name_dup_scopes:
 * @with_identity: begin with the identity
 *
 * Returns: (transfer full): what trust.md 4.1 looks up for the docker transport, most specific
 *   first: identity, repository, its parents, the domain, wildcards; not the empty scope
 */
char **atm_name_dup_scopes (const AtmImageName *name, gboolean with_identity);

/**
 * atm_ref_encode:
 * @reference: as typed, with tag or digest
 *
 * Returns: (transfer full): the OSTree ref “ociimage/…” (registry.md 1.6); for one that would be
 *   longer than 200 bytes “ociimage/__” and the SHA-256 of @reference. (Not “ociimage/=”:
 *   libostree takes only letters, digits, “-”, “.” and “_” in a ref.)
 */
char *atm_ref_encode (const char *reference);

/**
 * atm_ref_decode:
 * @ref: with or without “ociimage/”
 *
 * Returns: (transfer full): the reference; a malformed or hashed one is returned as it is
 */
char *atm_ref_decode (const char *ref);

/**
 * atm_name_suggest_container:
 *
 * Returns: (transfer full): the container name that install gives by default: the last component
 *   of the path, with “-TAG” unless the tag is “latest” (command.md 2.2)
 */
char *atm_name_suggest_container (const AtmImageName *name);
