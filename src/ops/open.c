/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/open.h"

#include "image/layout.h"
#include "registry/client.h"
#include "registry/proxy.h"
#include "util/error.h"

/* The environment, with what the configuration has for units whose environment is empty. */
static GProxyResolver *
new_proxies (const AtmSystem *system)
{
  g_auto (GStrv) environment = g_get_environ ();

  if (system->http_proxy != NULL)
    environment = g_environ_setenv (environment, "http_proxy", system->http_proxy, TRUE);
  if (system->https_proxy != NULL)
    environment = g_environ_setenv (environment, "https_proxy", system->https_proxy, TRUE);
  if (system->no_proxy != NULL)
    environment = g_environ_setenv (environment, "no_proxy", system->no_proxy, TRUE);
  return atm_proxy_resolver_new (environment);
}

gboolean
atm_open_source (const AtmSystem *system, const AtmOrigin *origin, AtmSource **source_out,
                 GError **error)
{
  g_autoptr (AtmRegistriesConf) conf = NULL;
  g_autoptr (GProxyResolver) proxies = NULL;

  if (origin->transport == ATM_TRANSPORT_OSTREE)
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_UNSUPPORTED,
                      "ostree:%s: a site serves images unpacked, without manifest and blobs to ask "
                      "for; pull the image first, and name what was pulled",
                      origin->site);
  if (origin->transport == ATM_TRANSPORT_OCI)
    return atm_layout_open (origin, source_out, error);
  proxies = new_proxies (system);
  return atm_registries_conf_load (system->registries_conf, &conf, error)
         && atm_registry_open (origin, conf, proxies, source_out, error);
}
