/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Secrets: text that is overwritten before its memory is given back (registry.md 7.4). */

void atm_secret_free (char *secret);

/* An owned secret that goes with its scope. */
#define atm_autosecret __attribute__ ((cleanup (atm_secret_clear)))
void atm_secret_clear (char **secret);

/**
 * atm_secret_basic:
 *
 * Returns: (transfer full): secret: “Basic …” for a header (RFC 7617)
 */
char *atm_secret_basic (const char *user, const char *password);
