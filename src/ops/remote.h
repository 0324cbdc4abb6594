/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/config.h"
#include "image/origin.h"

/* What a source has under a name now, looked at and not judged: for people who ask what there is.
   Nothing of it may be stored or run. */
typedef struct
{
  AtmDigest digest;       /* of the manifest for this host */
  AtmManifest *manifest;  /* (owned) */
  AtmImageConfig *config; /* (owned) */
} AtmRemoteImage;

void atm_remote_image_free (AtmRemoteImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRemoteImage, atm_remote_image_free)

/**
 * atm_remote_look:
 * @origin: (borrowed): which image
 * @image_out: (out) (transfer full): what is there
 * @error: of image/ and registry/
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_remote_look (const AtmSystem *system, const AtmOrigin *origin,
                          AtmRemoteImage **image_out, GCancellable *cancellable, GError **error);
