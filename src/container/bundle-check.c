/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle-check.h"

#include "container/bundle.h"
#include "util/error.h"

gboolean
atm_bundle_check (JsonObject *object, GError **error)
{
  return json_object_get_size (object) > 0
         || atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                       "Invalid configuration file.  It is empty");
}
