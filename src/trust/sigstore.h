/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

/* Requirements of type sigstoreSigned: read, so that a policy shared with other tools loads, and
   never met (trust.md 16). */

/**
 * atm_sigstore_check:
 * @object: (borrowed): the requirement
 * @where: its path, for messages
 * @error: %ATM_JSON_ERROR, %ATM_NAME_ERROR if it is no valid requirement
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_sigstore_check (JsonObject *object, const char *where, GError **error);
