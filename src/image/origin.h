/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/name.h"

/* Origins: what a user types to say which image, prefix and all (registry.md 6.1). */

#define ATM_ORIGIN_ERROR (atm_origin_error_quark ())
GQuark atm_origin_error_quark (void);

typedef enum
{
  ATM_ORIGIN_ERROR_SYNTAX,
  ATM_ORIGIN_ERROR_UNSUPPORTED /* a source that this version does not read */
} AtmOriginError;

typedef enum
{
  ATM_TRANSPORT_DOCKER, /* a registry */
  ATM_TRANSPORT_OCI,    /* an OCI layout folder */
  ATM_TRANSPORT_OSTREE  /* another OSTree repository, where a site has unpacked the image */
} AtmTransport;

typedef enum
{
  ATM_SCHEME_CONFIGURED, /* https, and what registries.conf says about it */
  ATM_SCHEME_HTTP,       /* “http:”: plain HTTP, no attempt at TLS */
  ATM_SCHEME_HTTPS       /* “https:”: TLS even where configuration would do without */
} AtmScheme;

typedef struct
{
  AtmTransport transport;
  AtmScheme scheme;   /* registry only */
  AtmImageName *name; /* (owned): of a registry image its name; of a layout the name under which
                         it is stored: the folder's last component (what no name may hold is
                         turned into “-”) and the tag, or, where that is more than a tag, the
                         annotation “org.opencontainers.image.ref.name” itself; of an image of a
                         site the name under which it is stored there, which is that of a registry
                         image */
  char *path;         /* (owned) (nullable): layout: the folder, absolute, links resolved */
  char *layout_tag;   /* (owned) (nullable): layout: which entry of index.json, by its annotation
                         or as “@INDEX” */
  char *site;         /* (owned) (nullable): OSTree repository: the name of a remote, or an absolute
                         path, links resolved */
} AtmOrigin;

/**
 * atm_origin_parse:
 * @text: untrusted: [PREFIX:]IMAGE as registry.md 6.1 has it. Understood: none, “oci:NAME”,
 *   “oci:/DIR[:TAG]” (also ./ and ../; the folder's path cannot hold “:”), “http:”, “https:”
 *   (also with “//”), “docker://”, “ostree:REMOTE:IMAGE”, “ostree:/DIR:IMAGE” (also ./ and ../)
 * @origin_out: (out) (transfer full): where the image is
 * @error: %ATM_ORIGIN_ERROR, %ATM_NAME_ERROR; %G_IO_ERROR if the folder of a layout or repository
 *   cannot be resolved
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_origin_parse (const char *text, AtmOrigin **origin_out, GError **error);
void atm_origin_free (AtmOrigin *origin);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmOrigin, atm_origin_free)

/**
 * atm_origin_parse_stored:
 * @canonical: what atm_origin_to_string() gave when the image was pulled
 * @familiar: the reference that it is stored under
 * @origin_out: (out) (transfer full): the origin that policies are asked about again (trust.md
 *   17); the folder of a layout or repository need not exist any more
 * @error: %ATM_ORIGIN_ERROR_SYNTAX, %ATM_NAME_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_origin_parse_stored (const char *canonical, const char *familiar,
                                  AtmOrigin **origin_out, GError **error);

/**
 * atm_origin_to_string:
 *
 * Returns: (transfer full): the canonical name, for messages and metadata:
 *   “registry.example.org/etcd:3.5”, “oci:/srv/etcd:3.5” or
 *   “ostree:site:registry.example.org/etcd:3.5”
 */
char *atm_origin_to_string (const AtmOrigin *origin);

/**
 * atm_origin_get_transport_name:
 *
 * Returns: the name that policy.json has for the transport: “docker”, “oci” or “ostree”
 */
const char *atm_origin_get_transport_name (const AtmOrigin *origin);

/**
 * atm_origin_dup_scopes:
 *
 * Returns: (transfer full): the scopes of the transport in policy.json, most specific first,
 *   without the empty one (trust.md 4.1). Of an image of a site: SITE:SCOPE for each scope that
 *   the image has as one of a registry, then SITE
 */
char **atm_origin_dup_scopes (const AtmOrigin *origin);
