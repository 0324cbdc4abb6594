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
