/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/archive-file.h"
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
  ATM_TRANSPORT_DOCKER,         /* a registry */
  ATM_TRANSPORT_OCI,            /* an OCI layout folder */
  ATM_TRANSPORT_OCI_ARCHIVE,    /* an OCI layout as a tar file */
  ATM_TRANSPORT_DOCKER_ARCHIVE, /* what “docker save” writes */
  ATM_TRANSPORT_DOCKER_DAEMON,  /* the storage of a Docker daemon on this host */
  ATM_TRANSPORT_DIR,            /* a folder of skopeo's, for tests and debugging */
  ATM_TRANSPORT_OSTREE          /* another OSTree repository, where a site has unpacked the image */
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
  AtmImageName *name; /* (owned): of a registry or daemon image its name; of an image of a site the
                         name under which it is stored there, which is that of a registry image;
                         of the others the name
                         under which it is stored: the last component of the path without “.tar”
                         (what no name may hold is turned into “-”) and the tag, or, where @which
                         is more than a tag, that itself. Of a Docker archive without a reference
                         it is only a stand-in until atm_docker_archive_learn_name() */
  char *path;     /* (owned) (nullable): layouts, archives, “dir:”: absolute, links resolved */
  char *which;    /* (owned) (nullable): which image of several: in a layout or an OCI archive
                     the annotation “org.opencontainers.image.ref.name”, in a Docker archive
                     a reference, in each “@INDEX” */
  char *image_id; /* (owned) (nullable): daemon: “sha256:HEX” instead of a name */
  char *site;     /* (owned) (nullable): OSTree repository: the name of a remote, or an absolute
                     path, links resolved */
  const char *notice;      /* static (nullable): what a person should know of such an image */
  AtmArchiveFile *archive; /* (owned) (nullable): @path, where it was opened already */
} AtmOrigin;

/**
 * atm_origin_parse:
 * @text: untrusted: [PREFIX:]IMAGE as registry.md 6.1 has it. Registries: none, “oci:NAME”,
 *   “http:”, “https:” (also with “//”), “docker://”. Other sources: “oci:/DIR[:TAG]” (also ./ and
 *   ../), “oci-archive:FILE[:TAG]”, “dockertar:FILE[:REFERENCE]” and “docker-archive:”, all with
 *   “:@INDEX” too and with paths that cannot hold “:”, “dir:DIR”, “docker:NAME[:TAG]” and
 *   “docker-daemon:”, both also with an id “sha256:HEX”, “ostree:REMOTE:IMAGE”,
 *   “ostree:/DIR:IMAGE” (also ./ and ../)
 * @origin_out: (out) (transfer full): where the image is
 * @error: %ATM_ORIGIN_ERROR, %ATM_NAME_ERROR; %G_IO_ERROR if a path cannot be resolved
 *
 * Opens nothing.
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
 *   17); a path need not exist any more
 * @error: %ATM_ORIGIN_ERROR_SYNTAX, %ATM_NAME_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_origin_parse_stored (const char *canonical, const char *familiar,
                                  AtmOrigin **origin_out, GError **error);

/**
 * atm_origin_to_string:
 *
 * Returns: (transfer full): the canonical name, for messages and metadata:
 *   “registry.example.org/etcd:3.5”, “oci:/srv/etcd:3.5”, “docker-archive:/srv/etcd.tar”,
 *   “docker-daemon:docker.io/library/etcd:3.5” or “ostree:site:registry.example.org/etcd:3.5”
 */
char *atm_origin_to_string (const AtmOrigin *origin);

/**
 * atm_origin_get_transport_name:
 *
 * Returns: the name that policy.json has for the transport, as in “docker” or “oci-archive”
 */
const char *atm_origin_get_transport_name (const AtmOrigin *origin);

/**
 * atm_origin_dup_scopes:
 *
 * Returns: (transfer full): the scopes of the transport in policy.json, most specific first,
 *   without the empty one; there may be none (trust.md 4.1). Of an image of a site: SITE:SCOPE for
 *   each scope that the image has as one of a registry, then SITE
 */
char **atm_origin_dup_scopes (const AtmOrigin *origin);
