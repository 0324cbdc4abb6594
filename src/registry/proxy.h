/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libsoup/soup.h>

/* Proxies, from the environment alone: what GIO would ask differs from system to system
   (registry.md 3.6). */

/**
 * atm_proxy_resolver_new:
 * @environment: (array zero-terminated=1): NAME=VALUE, as from g_get_environ()
 *
 * Returns: (transfer full): a resolver; without proxies it says “direct://”
 */
GProxyResolver *atm_proxy_resolver_new (char **environment);

/**
 * atm_proxy_dup_host:
 *
 * Returns: (transfer full) (nullable): HOST[:PORT] of the proxy on the way to @uri, harmless to
 *   print; %NULL if there is none
 */
char *atm_proxy_dup_host (GProxyResolver *resolver, GUri *uri);

/**
 * atm_proxy_authorize:
 * @message: (inout): a request that is about to be sent, by libsoup for a tunnel or by us
 *
 * Adds the user and the password that the address of the proxy has, where the proxy will read them
 * and nobody behind it.
 */
void atm_proxy_authorize (GProxyResolver *resolver, SoupMessage *message);
