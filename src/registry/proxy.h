/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Proxies, from the environment alone: what GIO would ask differs from system to system
   (registry.md 3.6). */

/**
 * atm_proxy_resolver_new:
 * @environment: (array zero-terminated=1): NAME=VALUE, as from g_get_environ()
 *
 * Returns: (transfer full): a resolver; without proxies it says “direct://”
 */
GProxyResolver *atm_proxy_resolver_new (char **environment);
