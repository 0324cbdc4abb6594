/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * atm_holder_describe:
 * @path: absolute path of a file that some process has locked
 *
 * Looks through /proc for the processes that have it open and locked (proc(5), fdinfo).
 *
 * Returns: (transfer full): for people, as in “atomic (process 4711)”, or “another process” where
 *   /proc does not tell
 */
char *atm_holder_describe (const char *path);
