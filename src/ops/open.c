/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/open.h"

#include "image/dir.h"
#include "image/docker-archive.h"
#include "image/layout.h"
#include "registry/client.h"
#include "registry/daemon.h"
#include "registry/proxy.h"
#include "util/error.h"

/* The environment, with what the configuration has for units whose environment is empty. */
GProxyResolver *
atm_open_proxies (const AtmSystem *system)
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

/* Not /tmp, which may be memory: there may be gigabytes. */
static const char *
get_temporary_dir (void)
{
  const char *folder = g_getenv ("TMPDIR");

  return folder != NULL && *folder != '\0' ? folder : "/var/tmp";
}

gboolean
atm_open_origin (const char *text, AtmOrigin **origin_out, GCancellable *cancellable,
                 GError **error)
{
  g_autoptr (AtmOrigin) origin = NULL;

  if (!atm_origin_parse (text, &origin, error)
      || (origin->transport == ATM_TRANSPORT_DOCKER_ARCHIVE
          && !atm_docker_archive_learn_name (origin, get_temporary_dir (), cancellable, error)))
    return FALSE;
  *origin_out = g_steal_pointer (&origin);
  return TRUE;
}

static void
warn (const char *text, gpointer user_data)
{
  atm_report (user_data, ATM_REPORT_NOTICE, "%s", text);
}

static gboolean
open_registry (const AtmSystem *system, const AtmOrigin *origin, const AtmOpenOptions *options,
               const AtmReport *report, AtmSource **source_out, GError **error)
{
  g_autoptr (GProxyResolver) proxies = atm_open_proxies (system);
  g_autoptr (AtmRegistriesConf) conf = NULL;
  g_autoptr (AtmCredentials) credentials = NULL;
  AtmCredentialOptions credential_options = options->credentials;
  AtmRegistryOptions registry_options = { .cert_dir = options->cert_dir,
                                          .tls_verify = options->tls_verify,
                                          .warn = warn,
                                          .warn_data = (gpointer) report };
  const GPtrArray *warnings = NULL;

  if (!atm_registries_conf_load (system->registries_conf, &conf, error))
    return FALSE;
  warnings = atm_registries_conf_get_warnings (conf);
  for (guint i = 0; i < warnings->len; i++)
    warn (warnings->pdata[i], (gpointer) report);

  credential_options.helpers = atm_registries_conf_get_helpers (conf);
  if (!atm_credentials_new (&credential_options, &credentials, error))
    return FALSE;
  registry_options.credentials = credentials;
  return atm_registry_open (origin, conf, proxies, &registry_options, source_out, error);
}

gboolean
atm_open_source (const AtmSystem *system, const AtmOrigin *origin, const AtmOpenOptions *options,
                 const AtmReport *report, AtmSource **source_out, GCancellable *cancellable,
                 GError **error)
{
  const AtmOpenOptions no_options = { 0 };

  switch (origin->transport)
    {
    case ATM_TRANSPORT_OCI:
      return atm_layout_open (origin, source_out, error);
    case ATM_TRANSPORT_OCI_ARCHIVE:
      return atm_layout_open_archive (origin, get_temporary_dir (), source_out, cancellable, error);
    case ATM_TRANSPORT_DOCKER_ARCHIVE:
      return atm_docker_archive_open (origin, get_temporary_dir (), source_out, cancellable, error);
    case ATM_TRANSPORT_DOCKER_DAEMON:
      return atm_daemon_open (origin, g_getenv ("DOCKER_HOST"), get_temporary_dir (), source_out,
                              error);
    case ATM_TRANSPORT_DIR:
      return atm_dir_open (origin, source_out, error);
    case ATM_TRANSPORT_OSTREE:
      return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_UNSUPPORTED,
                        "ostree:%s: a site serves images unpacked, without manifest and blobs to "
                        "ask for; pull the image first, and name what was pulled",
                        origin->site);
    case ATM_TRANSPORT_DOCKER:
      break;
    }
  return open_registry (system, origin, options != NULL ? options : &no_options, report, source_out,
                        error);
}
