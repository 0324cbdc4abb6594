/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/descriptor.h"
#include "image/platform.h"

/* Manifests and indexes: the documents that say what an image is made of (registry.md 4). */

#define ATM_MANIFEST_MAX_BYTES (4 * 1024 * 1024)
#define ATM_CONFIG_MAX_BYTES (4 * 1024 * 1024)
#define ATM_LAYERS_MAX 1000
#define ATM_INDEX_ENTRIES_MAX 1000
#define ATM_INDEX_DEPTH_MAX 2

#define ATM_MANIFEST_ERROR (atm_manifest_error_quark ())
GQuark atm_manifest_error_quark (void);

typedef enum
{
  ATM_MANIFEST_ERROR_INVALID,     /* broken, or could be read as two things */
  ATM_MANIFEST_ERROR_UNSUPPORTED, /* schema 1, an artifact, an encrypted layer … */
  ATM_MANIFEST_ERROR_PLATFORM     /* the index offers nothing for the platform */
} AtmManifestError;

#define ATM_TYPE_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define ATM_TYPE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define ATM_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define ATM_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define ATM_TYPE_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define ATM_TYPE_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

/**
 * atm_manifest_type_of:
 * @content_type: (nullable): untrusted, with or without parameters
 *
 * Returns: (nullable): which of the four types it is; a static string
 */
const char *atm_manifest_type_of (const char *content_type);

typedef enum
{
  ATM_MANIFEST_KIND_IMAGE,
  ATM_MANIFEST_KIND_INDEX
} AtmManifestKind;

/**
 * atm_manifest_get_kind:
 * @bytes: (borrowed): untrusted, at most %ATM_MANIFEST_MAX_BYTES
 * @content_type: (nullable): what the server called it
 * @what: for messages: the canonical name of the image
 * @kind_out: (out): image or index
 * @error: %ATM_MANIFEST_ERROR, %ATM_JSON_ERROR
 *
 * The type tests of registry.md 4.3 and 4.7, and no more: this much is read before trust is asked.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_manifest_get_kind (GBytes *bytes, const char *content_type, const char *what,
                                AtmManifestKind *kind_out, GError **error);

typedef struct
{
  AtmDescriptor config;
  GPtrArray *layers; /* (owned) (element-type AtmDescriptor): base first */
} AtmManifest;

/**
 * atm_manifest_parse:
 * @bytes: (borrowed): of %ATM_MANIFEST_KIND_IMAGE
 * @manifest_out: (out) (transfer full): config and layers; media types of layers are known ones
 * @error: %ATM_MANIFEST_ERROR, %ATM_JSON_ERROR, %ATM_DIGEST_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_manifest_parse (GBytes *bytes, AtmManifest **manifest_out, GError **error);
void atm_manifest_free (AtmManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmManifest, atm_manifest_free)

/**
 * atm_index_choose:
 * @bytes: (borrowed): of %ATM_MANIFEST_KIND_INDEX
 * @what: for messages: the canonical name of the image
 * @descriptor_out: (out) (transfer full): the entry for @platform; it may be an index again
 * @error: %ATM_MANIFEST_ERROR (PLATFORM lists what is offered), %ATM_JSON_ERROR, %ATM_DIGEST_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_index_choose (GBytes *bytes, const AtmPlatform *platform, const char *what,
                           AtmDescriptor **descriptor_out, GError **error);
