/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/privileges.h"

struct _AtmPrivileges
{
  GHashTable *host_files; /* (owned) */
};

AtmPrivileges *
atm_privileges_new (JsonObject *config G_GNUC_UNUSED, GHashTable *host_files)
{
  AtmPrivileges *privileges = g_new0 (AtmPrivileges, 1);

  privileges->host_files = host_files != NULL ? g_hash_table_ref (host_files) : NULL;
  return privileges;
}

void
atm_privileges_free (AtmPrivileges *privileges)
{
  if (privileges == NULL)
    return;
  g_clear_pointer (&privileges->host_files, g_hash_table_unref);
  g_free (privileges);
}

char **
atm_privileges_compare (const AtmPrivileges *old G_GNUC_UNUSED,
                        const AtmPrivileges *new G_GNUC_UNUSED)
{
  return g_new0 (char *, 1);
}
