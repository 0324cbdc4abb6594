/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/config.h"
#include "ops/report.h"
#include "store/store.h"

/* All that is known of one image: in the store, or at its source (registry.md 9, T25). Strings that
   come from the image are untrusted. */

typedef struct
{
  char *digest;       /* (owned): of the blob, “sha256:…” */
  char *diff_id;      /* (owned) (nullable): of what it unpacks to */
  guint64 size_bytes; /* as transferred */
  gboolean stored;    /* its layer is in the store, for other images to use */
} AtmImageLayer;

typedef struct
{
  char *reference;        /* (owned) */
  char *canonical;        /* (owned) (nullable) */
  char *digest;           /* (owned): of the manifest: the image id, “sha256:…” */
  char *config_digest;    /* (owned) (nullable): where the manifest could be read */
  gboolean remote;        /* from the source: nothing was judged, the members below the layers
                             but @config are unset */
  GPtrArray *layers;      /* (owned) (element-type AtmImageLayer): base first */
  AtmImageConfig *config; /* (owned) (nullable): %NULL if the store has none */
  char **other_names;     /* (owned): of the same image */
  GHashTable *defaults;   /* (owned) (element-type utf8 utf8): variables that --set may set */
  char **supplied;        /* (owned): those that the tool has a value for */
  char **required;        /* (owned): those that must be set */
  gboolean has_exports;   /* it says itself how it is run; else that is derived from @config */
  char *verdict;          /* (owned) (nullable): atm_verdict_to_json() of the pull */
  guint n_signatures;
  guint64 pulled_unix;
  guint64 size_bytes;   /* of the layers as transferred; 0: unknown */
  guint64 unique_bytes; /* in the store, of what no other image needs */
  char **used_by;       /* (owned): deployments, as “NAME.0” */
  gboolean pinned;
  char *notice; /* (owned) (nullable): what was left out of it */
} AtmImageInfo;

void atm_image_info_free (AtmImageInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmImageInfo, atm_image_info_free)

/**
 * atm_image_info:
 * @image: as typed: a name, or an id (all names of which are one image)
 * @remote: ask the source instead of the store; @image must be a name then
 * @info_out: (out) (transfer full)
 * @error: %ATM_STORE_ERROR_NOT_FOUND; of the rooms below
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_info (const AtmSystem *system, const char *image, gboolean remote,
                         const AtmReport *report, AtmImageInfo **info_out,
                         GCancellable *cancellable, GError **error);

/* One name of an image, here and at its source. All (owned). */
typedef struct
{
  char *reference;
  char *id;      /* digest of the manifest in hex */
  char *version; /* label “Version” or “org.opencontainers.image.version”; "" if it has none */
  char *remote_id;      /* (nullable) */
  char *remote_version; /* (nullable) */
} AtmImageVersion;

void atm_image_version_free (AtmImageVersion *version);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmImageVersion, atm_image_version_free)

/**
 * atm_image_versions:
 * @names: (array zero-terminated=1): names and ids as typed; none with @all
 * @remote: ask the sources, too
 * @report: (borrowed): told about images of @all whose source cannot be asked
 * @versions_out: (out) (transfer full) (element-type AtmImageVersion)
 * @error: %ATM_STORE_ERROR_NOT_FOUND; of the rooms below
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_versions (const AtmSystem *system, char **names, gboolean all, gboolean remote,
                             const AtmReport *report, GPtrArray **versions_out,
                             GCancellable *cancellable, GError **error);

/**
 * atm_image_update:
 * @names: (array zero-terminated=1): names and ids as typed; none with @all
 * @all: all images with a full name; others are reported with “skipping” (command.md 2.7)
 * @error: of atm_pull(); with @all the first one, after the others were tried
 *
 * Pulls again from where each image came from. Reports “Image is up to date” where nothing changed.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_image_update (const AtmSystem *system, char **names, gboolean all,
                           const AtmReport *report, GCancellable *cancellable, GError **error);
