/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "util/sha256.h"

/* Digests: an algorithm and the hex of a checksum; a value of this type is always valid. */

#define ATM_DIGEST_ERROR (atm_digest_error_quark ())
GQuark atm_digest_error_quark (void);

typedef enum
{
  ATM_DIGEST_ERROR_SYNTAX,  /* not sha256 or sha512 with lower-case hex of the right length */
  ATM_DIGEST_ERROR_MISMATCH /* the bytes hash to something else */
} AtmDigestError;

typedef struct
{
  AtmHashType algorithm;
  char hex[129]; /* 64 or 128 lower-case digits and a NUL */
} AtmDigest;

/**
 * atm_digest_parse:
 * @text: untrusted, as in “sha256:9f86…” (OCI image-spec, descriptor.md, "Digests")
 * @digest_out: (out caller-allocates): the digest
 * @error: %ATM_DIGEST_ERROR_SYNTAX
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_digest_parse (const char *text, AtmDigest *digest_out, GError **error);

/**
 * atm_digest_of:
 *
 * Computes the digest of @bytes.
 */
void atm_digest_of (AtmHashType algorithm, GBytes *bytes, AtmDigest *digest_out);

/**
 * atm_digest_take_hash:
 * @hash: (transfer full): a checksum that has seen all bytes
 */
void atm_digest_take_hash (AtmHashType algorithm, AtmHash *hash, AtmDigest *digest_out);

gboolean atm_digest_equal (const AtmDigest *a, const AtmDigest *b);

/**
 * atm_digest_to_string:
 *
 * Returns: (transfer full): “sha256:” and the hex
 */
char *atm_digest_to_string (const AtmDigest *digest);

/**
 * atm_digest_check:
 * @bytes: (borrowed): untrusted
 * @what: for the message, as in “the manifest of …”
 * @error: %ATM_DIGEST_ERROR_MISMATCH, naming both digests
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_digest_check (const AtmDigest *digest, GBytes *bytes, const char *what,
                           GError **error);
