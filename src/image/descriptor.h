/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "image/digest.h"

/* Descriptors: how one document refers to another, by type, digest and size (OCI image-spec,
   descriptor.md). */

/* No size in JSON may be larger: a double holds integers exactly up to here (registry.md 4.3). */
#define ATM_DESCRIPTOR_SIZE_MAX (G_GINT64_CONSTANT (1) << 53)

/* More addresses are left out, as are longer ones. */
#define ATM_DESCRIPTOR_URLS_MAX 8
#define ATM_DESCRIPTOR_URL_MAX_BYTES 2048

typedef struct
{
  char *media_type; /* (owned) (nullable) */
  AtmDigest digest;
  guint64 size_bytes;
  char **urls;  /* (owned) (nullable): where a layer is that is not in its registry; “http:” and
                   “https:” only, untrusted; NULL for any other type, and where there are none */
  GBytes *data; /* (owned) (nullable): the content itself, checked against digest and size; only
                   of the configuration of an image */
} AtmDescriptor;

/**
 * atm_descriptor_read:
 * @object: (borrowed): untrusted
 * @where: the path of @object for messages, as in “layers[2]”
 * @descriptor_out: (out) (transfer full): the descriptor
 * @error: %ATM_JSON_ERROR_MEMBER, %ATM_DIGEST_ERROR_SYNTAX
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_descriptor_read (JsonObject *object, const char *where, AtmDescriptor **descriptor_out,
                              GError **error);

/**
 * atm_descriptor_take_data:
 * @descriptor: (inout): of a document that is no larger than ours may be
 * @object: (borrowed): what it was read from
 *
 * Takes what is embedded in “data”, if it is what the descriptor is of; else it is as if it were
 * not there, and can be fetched (registry.md 4.6).
 */
void atm_descriptor_take_data (AtmDescriptor *descriptor, JsonObject *object);
AtmDescriptor *atm_descriptor_copy (const AtmDescriptor *descriptor);
void atm_descriptor_clear (AtmDescriptor *descriptor);
void atm_descriptor_free (AtmDescriptor *descriptor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmDescriptor, atm_descriptor_free)

/**
 * atm_descriptor_check_members:
 * @object: (borrowed): untrusted: an object of a manifest, an index or a configuration
 * @where: the path of @object for messages, "" at the top
 * @error: %ATM_JSON_ERROR_MEMBER
 *
 * Refuses members that differ only in case: other clients take “Digest” for “digest”, and one
 * signature must not cover two readings (registry.md 4.3).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_descriptor_check_members (JsonObject *object, const char *where, GError **error);
