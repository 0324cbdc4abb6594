/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Platforms: what an image can run on, in the words of Go (registry.md 4.4). */

typedef struct
{
  char *os;           /* (owned) */
  char *architecture; /* (owned): as Go names it */
  char *variant;      /* (owned) (nullable) */
} AtmPlatform;

/**
 * atm_platform_new_host:
 *
 * Returns: (transfer full): linux and the architecture of this machine (registry.md 4.4)
 */
AtmPlatform *atm_platform_new_host (void);
void atm_platform_free (AtmPlatform *platform);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPlatform, atm_platform_free)

/**
 * atm_platform_to_string:
 *
 * Returns: (transfer full): “linux/arm/v7”
 */
char *atm_platform_to_string (const AtmPlatform *platform);

/**
 * atm_platform_dup_variants:
 *
 * Returns: (transfer full): the variants that run on @platform, best first; "" stands for an entry
 *   without a variant
 */
char **atm_platform_dup_variants (const AtmPlatform *platform);

/**
 * atm_platform_arm_variant:
 * @cpuinfo: the text of /proc/cpuinfo on a 32-bit ARM
 *
 * Returns: (nullable): “v5” to “v8”
 */
const char *atm_platform_arm_variant (const char *cpuinfo);
