/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/digest.h"

/* Payloads: what a simple signature signs: this name means these bytes (trust.md 9). */

#define ATM_PAYLOAD_MAX_BYTES (1024 * 1024)

typedef struct
{
  AtmDigest digest; /* critical.image.docker-manifest-digest */
  char *reference;  /* (owned): critical.identity.docker-reference, as written */
} AtmPayload;

/**
 * atm_payload_parse:
 * @bytes: (borrowed): verified already, and still not to be guessed about
 * @payload_out: (out) (transfer full): the claim
 * @error: %ATM_TRUST_ERROR_PAYLOAD_INVALID
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_payload_parse (GBytes *bytes, AtmPayload **payload_out, GError **error);
void atm_payload_free (AtmPayload *payload);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPayload, atm_payload_free)

/**
 * atm_payload_write:
 * @digest: (borrowed): of a manifest; SHA-256
 * @reference: the name that it is signed for, canonical
 * @creator: who says so: program and version
 * @timestamp_unix: when
 *
 * Returns: (transfer full): the document to sign, compact
 */
GBytes *atm_payload_write (const AtmDigest *digest, const char *reference, const char *creator,
                           gint64 timestamp_unix);
