/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

/* The system calls that a container of an image without a config.json may make (DESIGN section 6;
   OCI runtime-spec, config-linux.md, "Seccomp"). For bundle-default.c. */

/**
 * atm_seccomp_new:
 * @capabilities: (borrowed) (array zero-terminated=1): what the container has, as “CAP_CHOWN”
 *
 * A list of what is allowed: what programs need that manage nothing but themselves, and what
 * belongs to one of @capabilities. A call that is known to need more fails with EPERM; one that is
 * not in our tables, such as one of a kernel of tomorrow, with ENOSYS, upon which libraries fall
 * back to what they did before it.
 *
 * Returns: (transfer full): the value of “linux.seccomp”
 */
JsonObject *atm_seccomp_new (const char *const *capabilities);
