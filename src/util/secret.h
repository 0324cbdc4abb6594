/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Secrets: text and bytes that are overwritten before they are freed (registry.md 7.4). The types
   are the plain ones; the names give g_autoptr() another end. */

/* (nullable) everywhere */
typedef char AtmSecret;
void atm_secret_free (AtmSecret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSecret, atm_secret_free)

/**
 * atm_secret_bytes_free:
 * @bytes: (nullable): on the heap, and ours alone: nobody else may hold a reference
 */
typedef GBytes AtmSecretBytes;
void atm_secret_bytes_free (AtmSecretBytes *bytes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSecretBytes, atm_secret_bytes_free)
