/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "image/source.h"
#include "registry/conf.h"
#include "registry/options.h"

/* The client of a registry: an AtmSource that speaks the distribution API (registry.md 3). */

/**
 * atm_registry_open:
 * @origin: (borrowed): of %ATM_TRANSPORT_DOCKER
 * @conf: (borrowed): what applies to it
 * @proxies: (borrowed): from atm_proxy_resolver_new()
 * @options: (borrowed) (nullable): what the user said; %NULL: nothing
 * @source_out: (out) (transfer full): the image; nothing has been asked yet
 * @error: %ATM_SOURCE_ERROR_DENIED if the configuration blocks it, %G_IO_ERROR
 *
 * Use it from one thread. Plain HTTP only where @origin or @conf says so.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registry_open (const AtmOrigin *origin, const AtmRegistriesConf *conf,
                            GProxyResolver *proxies, const AtmRegistryOptions *options,
                            AtmSource **source_out, GError **error);
