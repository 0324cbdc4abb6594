/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "trust/policy.h"

/* Whatever is asked of a policy that is accepted, there is a list, and it is not empty. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const char *const scopes[] = { "h.test/a:1", "h.test/a", "h.test", "*.test", NULL };
  const char *const transports[] = { "docker", "oci", "x" };
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmPolicy) policy = NULL;

  if (!atm_policy_parse (bytes, "FILE", &policy, NULL))
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS (transports); i++)
    {
      const char *scope = NULL;
      GPtrArray *list = atm_policy_select (policy, transports[i], scopes, &scope);

      g_assert_cmpuint (list->len, >, 0);
      for (guint j = 0; j < list->len; j++)
        {
          const AtmRequirement *requirement = g_ptr_array_index (list, j);

          if (requirement->type == ATM_REQUIREMENT_SIGNED_BY && requirement->unsupported == NULL)
            (void) atm_identity_matches (requirement->identity, NULL, "h.test/a:1");
        }
    }
  return 0;
}
