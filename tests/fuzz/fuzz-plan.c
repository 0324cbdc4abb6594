/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/plan.h"
#include "fuzz/fuzz.h"

/* What was read is written so that it reads as the same again. */
int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (AtmPlan) plan = NULL, again = NULL;

  if (atm_plan_parse (bytes, &plan, NULL))
    {
      g_autoptr (GBytes) written = atm_plan_to_bytes (plan), second = NULL;

      g_assert_true (atm_plan_parse (written, &again, NULL));
      second = atm_plan_to_bytes (again);
      g_assert_true (g_bytes_equal (written, second));
    }
  return 0;
}
