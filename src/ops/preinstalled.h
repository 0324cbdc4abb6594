/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"

/* Preinstalled containers: those that packages of the Python tool brought, each a folder that is
   its own deployment (system-image.md 6). The package manager owns them. */

/**
 * atm_preinstalled_has:
 * @name: untrusted
 *
 * Returns: whether a package brought @name, and nobody installed a container of that name over it
 */
gboolean atm_preinstalled_has (const AtmSystem *system, const char *name);

/**
 * atm_preinstalled_add:
 * @containers: (element-type AtmContainer): those of packages join them, by name
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_preinstalled_add (const AtmSystem *system, GPtrArray *containers, GError **error);
