/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/keyring.h"

#include "trust/refusal.h"
#include "trust/trusted-file.h"
#include "util/error.h"
#include "util/text.h"

static gboolean
import_file (const char *path, AtmOpenpgp *engine, gsize *left_bytes, GError **error)
{
  g_autoptr (GBytes) keyring = NULL;
  g_autofree char *safe = atm_text_escape (path);

  /* Relative to what? To whatever folder somebody happened to be in. */
  if (*path != '/')
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_KEYRING_ERROR,
                      "The key file “%s” is not an absolute path; write it as one", safe);
  if (!atm_trusted_file_read (path, *left_bytes, &keyring, error))
    {
      (void) atm_refusal_convert (error, ATM_TRUST_ERROR_KEYRING_ERROR);
      return atm_prefix_error (error, "A key file that the policy names cannot be used");
    }
  *left_bytes -= g_bytes_get_size (keyring);
  return atm_openpgp_import (engine, keyring, safe, error);
}

gboolean
atm_keyring_import (const AtmRequirement *requirement, AtmOpenpgp *engine, GError **error)
{
  gsize left_bytes = ATM_KEYRING_MAX_BYTES;

  if (requirement->key_data != NULL)
    return atm_openpgp_import (engine, requirement->key_data, "“keyData”", error);
  if (requirement->key_paths == NULL || requirement->key_paths[0] == NULL)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_KEYRING_ERROR,
                      "“keyPaths” is empty: it names no public keys; add the key file of the "
                      "publisher");
  for (char **path = requirement->key_paths; *path != NULL; path++)
    if (!import_file (*path, engine, &left_bytes, error))
      return FALSE;
  return TRUE;
}
