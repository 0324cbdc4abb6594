/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/order.h"
#include "fixtures/scratch.h"

#define UNITS_MAX 4

typedef struct
{
  const char *names[UNITS_MAX + 1];
  const char *units[UNITS_MAX]; /* NULL: no unit */
  const char *order[UNITS_MAX + 1];
} Case;

static const Case cases[] = {
  { { NULL }, { NULL }, { NULL } },
  { { "a" }, { "[Unit]\nAfter=a.service\n" }, { "a" } },
  { { "a", "b" }, { "[Unit]\nAfter=b.service\n", "" }, { "b", "a" } },
  { { "a", "b" }, { "", "[Unit]\nBefore=a.service\n" }, { "b", "a" } },
  { { "docker", "flannel", "etcd" },
    { "[Unit]\n After = network.target flannel.service\n", "[Unit]\nAfter=\\\n  etcd.service\n",
      NULL },
    { "etcd", "flannel", "docker" } },
  { { "a", "b", "c" },
    { "After=x.service c.service", "[Unit]\nBefore=y.service\n", "" },
    { "b", "c", "a" } },
  /* what says nothing */
  { { "a", "b" }, { "#After=b.service\n;After=b.service\n", NULL }, { "a", "b" } },
  { { "a", "b" },
    { "After=b\nAfter=b.socket\nAfter=bb.service\nAfter\n=b.service\n", "" },
    { "a", "b" } },
  { { "a", "b" }, { "Description=After=b.service\nRequires=b.service\n", "" }, { "a", "b" } },
  { { "a", "b" }, { "After=b.service \\", "" }, { "a", "b" } },
  { { "a", "b" }, { "# \\\nDescription=x \\\nAfter=b.service\n", "" }, { "a", "b" } },
  { { "a", "b" }, { "After=.service\n", "" }, { "a", "b" } },
  /* a cycle is left as it is, and the rest is in order */
  { { "a", "b", "c" },
    { "After=b.service", "After=a.service", "Before=a.service" },
    { "c", "a", "b" } },
  { { "a", "b", "c" },
    { "After=b.service", "After=a.service", "After=b.service" },
    { "a", "b", "c" } },
};

static void
test_cases (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      GBytes *units[UNITS_MAX] = { NULL };
      g_autofree guint *order = NULL;

      for (guint j = 0; cases[i].names[j] != NULL; j++)
        if (cases[i].units[j] != NULL)
          units[j] = atm_test_bytes (cases[i].units[j]);
      order = atm_order_containers (cases[i].names, units);
      for (guint j = 0; cases[i].names[j] != NULL; j++)
        {
          g_test_message ("case %u, place %u", i, j);
          g_assert_cmpstr (cases[i].names[order[j]], ==, cases[i].order[j]);
        }
      for (guint j = 0; j < UNITS_MAX; j++)
        g_clear_pointer (&units[j], g_bytes_unref);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/order/cases", test_cases);
  return g_test_run ();
}
