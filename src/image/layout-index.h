/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/descriptor.h"

/* The two documents at the top of an OCI layout: which version it has, and which images
   (OCI image-spec, image-layout.md; registry.md 6.4). */

#define ATM_LAYOUT_INDEX_MAX_BYTES (1024 * 1024)

/**
 * atm_layout_check_version:
 * @bytes: (borrowed): the contents of “oci-layout”, untrusted
 * @error: %ATM_SOURCE_ERROR_PROTOCOL, %ATM_JSON_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layout_check_version (GBytes *bytes, GError **error);

/**
 * atm_layout_index_choose:
 * @bytes: (borrowed): the contents of “index.json”, untrusted
 * @tag: (nullable): the annotation “org.opencontainers.image.ref.name” of the entry, compared by
 *   bytes, or “@INDEX”, counted from 0; %NULL: the only entry
 * @descriptor_out: (out) (transfer full): the entry: a manifest or an index
 * @error: %ATM_SOURCE_ERROR_NOT_FOUND, listing what is there, %ATM_SOURCE_ERROR_PROTOCOL,
 *   %ATM_JSON_ERROR, %ATM_DIGEST_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_layout_index_choose (GBytes *bytes, const char *tag, AtmDescriptor **descriptor_out,
                                  GError **error);
