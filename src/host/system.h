/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* AtmSystem: the host as configuration and environment describe it. Only ops/ and cli/ see it;
   lower rooms are given descriptors and values (command.md 4 and 5, system-image.md 6 and 9.1). */

/* Immutable once read. All pointers (owned). */
typedef struct
{
  char *checkout;        /* CHECKOUT */
  char *repository;      /* the OSTree repository */
  char *unit_dir;        /* /etc/systemd/system */
  char *tmpfiles_dir;    /* /etc/tmpfiles.d */
  char *run_dir;         /* /run/atomic */
  char *runtime;         /* default OCI runtime */
  char *program;         /* absolute path of this program */
  char *policy;          /* (nullable): --policy */
  char *registries_d;    /* (nullable): registry_confdir of atomic.conf */
  char *registries_conf; /* (nullable): --registries-conf, CONTAINERS_REGISTRIES_CONF */
  char *force_image_id;  /* (nullable): ATOMIC_OSTREE_TEST_FORCE_IMAGE_ID */
  char *http_proxy;      /* (nullable): these three from the environment or atomic.conf */
  char *https_proxy;     /* (nullable) */
  char *no_proxy;        /* (nullable) */
  char *default_signer;  /* (nullable): these two from atomic.conf */
  char *gnupg_homedir;   /* (nullable) */
  guint downloads;       /* max-parallel-downloads of atomic.conf; 0: it says nothing */
  gboolean no_wait;      /* --no-wait: fail rather than wait for another atomic process */
} AtmSystem;

/**
 * atm_system_new:
 * @system_out: (out) (transfer full): from the environment, /etc/atomic.conf (ATOMIC_CONF) and the
 *   defaults, in this order
 * @error: %G_IO_ERROR_INVALID_DATA if the configuration cannot be read
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_system_new (AtmSystem **system_out, GError **error);
void atm_system_free (AtmSystem *system);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSystem, atm_system_free)

/**
 * atm_system_parse_conf:
 * @bytes: (borrowed): a file such as /etc/atomic.conf: “key: value” lines and comments
 * @settings_out: (out) (transfer full) (element-type utf8 utf8): by key in lower case; empty and
 *   nested values are left out
 * @error: %G_IO_ERROR_INVALID_DATA, with the line
 *
 * For tests; atm_system_new() uses it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_system_parse_conf (GBytes *bytes, GHashTable **settings_out, GError **error);
