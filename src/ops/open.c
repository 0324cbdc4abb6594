/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/open.h"

#include "image/layout.h"
#include "registry/client.h"
#include "registry/proxy.h"

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

static void
warn (const char *text, gpointer user_data)
{
  atm_report (user_data, ATM_REPORT_NOTICE, "%s", text);
}

gboolean
atm_open_source (const AtmSystem *system, const AtmOrigin *origin, const AtmOpenOptions *options,
                 const AtmReport *report, AtmSource **source_out, GError **error)
{
  const AtmRegistryOptions registry_options = {
    .cert_dir = options != NULL ? options->cert_dir : NULL,
    .tls_verify = options != NULL ? options->tls_verify : ATM_TLS_CONFIGURED,
    .warn = warn,
    .warn_data = (gpointer) report,
  };
  g_autoptr (AtmRegistriesConf) conf = NULL;
  g_autoptr (GProxyResolver) proxies = NULL;

  if (origin->transport == ATM_TRANSPORT_OCI)
    return atm_layout_open (origin, source_out, error);
  proxies = new_proxies (system);
  return atm_registries_conf_load (system->registries_conf, &conf, error)
         && atm_registry_open (origin, conf, proxies, &registry_options, source_out, error);
}
