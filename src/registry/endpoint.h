/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "registry/conf.h"
#include "registry/http.h"

/* Endpoints: one place that may serve an image, with what was learnt of it: whether it speaks TLS,
   and what it wants to be asked with (registry.md 3.3, 3.4). For all threads; the connections are
   of one thread each. */

typedef struct _AtmEndpoint AtmEndpoint;

/**
 * atm_endpoint_new:
 * @context: (borrowed): must outlive it
 * @logical: (borrowed): what the user asked for; must outlive it
 * @place: (borrowed): from atm_registries_conf_look_up()
 * @scheme: what the user wrote, for this place
 * @tls_verify: what the user said
 *
 * Returns: (transfer full): nobody has been asked yet
 */
AtmEndpoint *atm_endpoint_new (AtmRegistryContext *context, const AtmImageName *logical,
                               const AtmRegistryEndpoint *place, AtmScheme scheme,
                               AtmTlsVerify tls_verify);
void atm_endpoint_free (AtmEndpoint *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmEndpoint, atm_endpoint_free)

/**
 * atm_endpoint_get_name:
 *
 * Returns: (borrowed): the physical name
 */
const AtmImageName *atm_endpoint_get_name (const AtmEndpoint *self);

/**
 * atm_endpoint_is_mirror:
 */
gboolean atm_endpoint_is_mirror (const AtmEndpoint *self);

/**
 * atm_endpoint_new_http:
 * @http_out: (out) (transfer full): connections to @self, for one thread; @self must outlive them
 * @error: of atm_certs_load()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_endpoint_new_http (AtmEndpoint *self, AtmHttp **http_out, GError **error);

/**
 * atm_endpoint_keeps_signatures:
 *
 * Returns: whether the registry has said that it keeps signatures itself (trust.md 13); %FALSE
 *   while it has not been asked for anything
 */
gboolean atm_endpoint_keeps_signatures (AtmEndpoint *self);

/**
 * atm_endpoint_get_signatures:
 * @http: (borrowed): from atm_endpoint_new_http()
 * @digest: of the manifest
 * @url_out: (out) (transfer full): where they are, harmless to print
 * @document_out: (out) (transfer full): untrusted: the answer of status 200
 * @error: as atm_endpoint_get(), naming the URL; a document of more than
 *   %ATM_SOURCE_SIGNATURES_MAX_BYTES is %ATM_SOURCE_ERROR_SIZE
 *
 * For a registry that keeps signatures itself.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_endpoint_get_signatures (AtmEndpoint *self, AtmHttp *http, const AtmDigest *digest,
                                      char **url_out, GBytes **document_out,
                                      GCancellable *cancellable, GError **error);

/**
 * atm_endpoint_get:
 * @http: (borrowed): from atm_endpoint_new_http()
 * @rest: of the path, as in “manifests/latest”
 * @request: (borrowed): without an authorization
 * @thing: what is asked for, as in “image”
 * @answer_out: (out caller-allocates) (transfer full): of status 200; also of 206 or 416 if
 *   @request is for a part
 * @error: %ATM_SOURCE_ERROR, naming the host; %G_IO_ERROR_CANCELLED; of atm_credentials_look_up()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_endpoint_get (AtmEndpoint *self, AtmHttp *http, const char *rest,
                           const AtmHttpRequest *request, const char *thing,
                           AtmHttpAnswer *answer_out, GCancellable *cancellable, GError **error);
