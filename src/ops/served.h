/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/config.h"
#include "image/origin.h"
#include "image/platform.h"
#include "image/source.h"
#include "ops/report.h"

/* What a source has under a name now, looked at and not judged: for people who ask what there is.
   Nothing of it may be stored or run. */
typedef struct
{
  AtmDigest digest;       /* of the manifest for this host */
  AtmManifest *manifest;  /* (owned) */
  AtmImageConfig *config; /* (owned) */
} AtmServedImage;

void atm_served_image_free (AtmServedImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmServedImage, atm_served_image_free)

/**
 * atm_served_fetch_manifest:
 * @source: (borrowed): of @origin
 * @what: its canonical name, for messages
 * @bytes_out: (out) (transfer full): the manifest for this host as served, through an index if the
 *   source has one
 * @platform_out: (out) (transfer full) (nullable): what was chosen from an index
 * @error: of image/ and of @source
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_served_fetch_manifest (AtmSource *source, const AtmOrigin *origin, const char *what,
                                    GBytes **bytes_out, AtmPlatform **platform_out,
                                    GCancellable *cancellable, GError **error);

/**
 * atm_served_look:
 * @origin: (borrowed): which image
 * @report: (borrowed): for notices
 * @image_out: (out) (transfer full): what is there
 * @error: of image/ and registry/
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_served_look (const AtmSystem *system, const AtmOrigin *origin, const AtmReport *report,
                          AtmServedImage **image_out, GCancellable *cancellable, GError **error);
