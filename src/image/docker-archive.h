/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "image/source.h"

/* Docker archives, as “docker save” writes them: configuration and uncompressed layers, and no
   manifest of a registry (registry.md 6.2). One is made, of schema 2, in which the layers' diff IDs
   are their digests; so it is the same each time, and its digest is known nowhere else. */

#define ATM_DOCKER_ARCHIVE_LIST_MAX_BYTES (1024 * 1024)
#define ATM_DOCKER_ARCHIVE_IMAGES_MAX 1000

/**
 * atm_docker_archive_open:
 * @origin: (borrowed): of %ATM_TRANSPORT_DOCKER_ARCHIVE
 * @temporary_dir: (borrowed): for what is compressed
 * @source_out: (out) (transfer full): the image; of an archive that holds an OCI layout only, that
 * @error: %ATM_SOURCE_ERROR, %ATM_JSON_ERROR, %ATM_DIGEST_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_docker_archive_open (const AtmOrigin *origin, const char *temporary_dir,
                                  AtmSource **source_out, GCancellable *cancellable,
                                  GError **error);

/**
 * atm_docker_archive_new:
 * @what: canonical name of the image, for messages
 * @which: (nullable): as in #AtmOrigin
 *
 * As atm_docker_archive_open(), of an archive that is open.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_docker_archive_new (const char *what, AtmArchiveFile *archive, const char *which,
                                 AtmSource **source_out, GCancellable *cancellable, GError **error);

/**
 * atm_docker_archive_learn_name:
 * @origin: (borrowed): of %ATM_TRANSPORT_DOCKER_ARCHIVE; where it says no reference, its name
 *   becomes the first one that the archive has for the image, if it has any. The archive stays
 *   open in it, and there is no notice of a manifest that was made if none has to be
 * @error: as atm_docker_archive_open(), and %ATM_NAME_ERROR if that is no name
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_docker_archive_learn_name (AtmOrigin *origin, const char *temporary_dir,
                                        GCancellable *cancellable, GError **error);

/* What an archive's “manifest.json” says of one image; all untrusted. */
typedef struct
{
  char *config;  /* (owned): name of a file */
  char **tags;   /* (owned) (nullable): references */
  char **layers; /* (owned) (nullable): names of files, base first */
} AtmDockerArchiveImage;

void atm_docker_archive_image_free (AtmDockerArchiveImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmDockerArchiveImage, atm_docker_archive_image_free)

/**
 * atm_docker_archive_choose:
 * @bytes: (borrowed): the contents of “manifest.json”, untrusted
 * @which: (nullable): a reference, or “@INDEX”, counted from 0; %NULL: the only image
 * @image_out: (out) (transfer full): the image
 * @error: %ATM_SOURCE_ERROR_NOT_FOUND, listing what is there, %ATM_SOURCE_ERROR_PROTOCOL,
 *   %ATM_JSON_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_docker_archive_choose (GBytes *bytes, const char *which,
                                    AtmDockerArchiveImage **image_out, GError **error);
