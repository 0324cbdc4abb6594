/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libsoup/soup.h>

#include "registry/options.h"
#include "registry/watchdog.h"

/* Contexts: what all endpoints and all threads of one pull share: time limits, how much may go
   wrong, and where warnings go. */

/* Of what registries say in “Warning” headers (registry.md 3.11). */
#define ATM_SERVER_WARNINGS_MAX_BYTES 4096

/* All but what is under @lock is set once. */
typedef struct
{
  gatomicrefcount references;
  AtmRegistryLimits limits;
  GProxyResolver *proxies;     /* (owned) */
  AtmCredentials *credentials; /* (owned) (nullable): does its own locking */
  char *cert_dir;              /* (owned) (nullable) */
  AtmWatchdog *watchdog;       /* (owned) */
  AtmRegistryWarn warn_func;   /* (nullable) */
  gpointer warn_data;          /* (borrowed) */

  GMutex lock;
  guint failures;     /* requests that failed */
  GHashTable *said;   /* (owned) (element-type utf8): what was warned of: each once */
  gsize server_bytes; /* how much of it servers have said */
} AtmRegistryContext;

/**
 * atm_registry_context_new:
 * @options: (borrowed): see there for what must outlive the context
 *
 * Returns: (transfer full): may be used by any thread
 */
AtmRegistryContext *atm_registry_context_new (GProxyResolver *proxies,
                                              const AtmRegistryOptions *options);
AtmRegistryContext *atm_registry_context_ref (AtmRegistryContext *self);
void atm_registry_context_unref (AtmRegistryContext *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRegistryContext, atm_registry_context_unref)

/**
 * atm_registry_context_warn:
 * @format: one line without secrets; text of others must be escaped
 *
 * Tells the user, unless it was told before.
 */
void atm_registry_context_warn (AtmRegistryContext *self, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/**
 * atm_registry_context_relay:
 * @host: who answered
 * @headers: (borrowed): untrusted; “Warning: 299 - "TEXT"” is for people, other forms are not
 */
void atm_registry_context_relay (AtmRegistryContext *self, const char *host,
                                 SoupMessageHeaders *headers);

/**
 * atm_registry_context_count_failure:
 *
 * Returns: whether the pull has failures left, so that there is a point in trying again
 */
gboolean atm_registry_context_count_failure (AtmRegistryContext *self);
