/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "registry/challenge.h"
#include "registry/http.h"

/* Tokens: the leave to read one repository, from the server that a challenge names
   (registry.md 3.4). */

#define ATM_TOKEN_ANSWER_MAX_BYTES (1024 * 1024)

/**
 * atm_token_fetch:
 * @challenge: (borrowed): with a realm, untrusted
 * @path: of the repository
 * @insecure: the endpoint may be asked over plain HTTP; so may the realm, then
 * @authorization_out: (out) (transfer full): “Bearer …” for the header of the same name
 * @error: %ATM_SOURCE_ERROR, %G_IO_ERROR_CANCELLED; never with what the server answered
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_token_fetch (AtmHttp *http, const AtmChallenge *challenge, const char *path,
                          gboolean insecure, char **authorization_out, GCancellable *cancellable,
                          GError **error);
