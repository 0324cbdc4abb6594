/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Checksums of content, by OpenSSL's libcrypto (four times as fast as GLib's). */

typedef enum
{
  ATM_HASH_SHA256,
  ATM_HASH_SHA512
} AtmHashType;

/* AtmHash: a checksum in the making; not for several threads at once. */
typedef struct _AtmHash AtmHash;

/**
 * atm_hash_new:
 * @type: which algorithm
 *
 * Returns: (transfer full): a checksum of no bytes yet
 */
AtmHash *atm_hash_new (AtmHashType type);
void atm_hash_free (AtmHash *hash);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmHash, atm_hash_free)

void atm_hash_update (AtmHash *hash, gconstpointer data, gsize length_bytes);

/**
 * atm_hash_finish:
 *
 * Ends the checksum; afterwards only atm_hash_free() may follow.
 *
 * Returns: (transfer full): lower-case hex digits, 64 or 128
 */
char *atm_hash_finish (AtmHash *hash);

#define ATM_HASH_MAX_BYTES 64

/**
 * atm_hash_finish_raw:
 * @raw_out: (out caller-allocates): 32 or 64 bytes; room for %ATM_HASH_MAX_BYTES always does
 *
 * As atm_hash_finish(), without the hex digits.
 */
void atm_hash_finish_raw (AtmHash *hash, guint8 *raw_out);

/**
 * atm_sha256_hex:
 *
 * Returns: (transfer full): 64 lower-case hex digits
 */
char *atm_sha256_hex (GBytes *bytes);
