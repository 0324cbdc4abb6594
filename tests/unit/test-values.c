/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "container/values.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"

static const AtmToolValues tool = {
  .name = "etcd",
  .destdir = "/c/etcd.0",
  .image_name = "registry/etcd:1",
  .image_id = "1234",
  .runtime = "/usr/bin/runc",
  .pid_file = TRUE,
  .atomic = "/usr/bin/atomic",
};

static void
test_set (void)
{
  const char *const good[] = { "A=1", "B=", "C=a=b,c=d", "A=2", "M=,{\"type\":\"bind\"}", NULL };
  const char *const bad[] = { "A", "", "=x", "A=\xff" };
  g_autoptr (GHashTable) values = NULL, none = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_values_parse_set (NULL, &none, &error));
  g_assert_cmpuint (g_hash_table_size (none), ==, 0);
  g_assert_true (atm_values_parse_set ((char **) good, &values, &error));
  g_assert_cmpuint (g_hash_table_size (values), ==, 4);
  g_assert_cmpstr (g_hash_table_lookup (values, "A"), ==, "2");
  g_assert_cmpstr (g_hash_table_lookup (values, "B"), ==, "");
  g_assert_cmpstr (g_hash_table_lookup (values, "C"), ==, "a=b,c=d");

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      const char *const settings[] = { bad[i], NULL };
      GHashTable *out = NULL;

      g_assert_false (atm_values_parse_set ((char **) settings, &out, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      if (i == 0)
        g_assert_cmpstr (error->message, ==, "Invalid value 'A'.  Expected form NAME=VALUE");
    }
}

/* system-image.md 3.5: each variable at its place in the order. */
static void
test_precedence (void)
{
  const struct
  {
    const char *name;
    const char *value;
  } cases[] = {
    { "NAME", "etcd" },
    { "DESTDIR", "/c/etcd.0" },
    { "IMAGE_NAME", "registry/etcd:1" },
    { "IMAGE_ID", "1234" },
    { "EXEC_START", "/usr/bin/runc run 'etcd'" },
    { "EXEC_STOP", "/usr/bin/runc kill 'etcd'" },
    { "EXEC_STARTPRE", "-/usr/bin/runc delete --force 'etcd'" },
    { "EXEC_STOPPOST", "" },
    { "CONF_DIRECTORY", "/etc" },        /* not what the image says */
    { "STATE_DIRECTORY", "/srv/state" }, /* --set over stored */
    { "RUN_DIRECTORY", "/run/stored" },  /* stored over the tool */
    { "PIDFILE", "/run/stored/container-etcd.pid" },
    { "RUNTIME", "/usr/bin/runc" },
    { "ATOMIC", "/usr/bin/atomic" },
    { "DEFAULTED", "image" },
    { "SET", "set" },
    { "STORED", "stored" },
    { "UUID", "image-uuid" },
  };
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) set = atm_test_map ("SET", "set", "STATE_DIRECTORY", "/srv/state", "NAME",
                                             "x", "EXEC_START", "x", "UNUSED", "y", NULL);
  g_autoptr (GHashTable) stored = atm_test_map ("STORED", "stored", "SET", "old", "STATE_DIRECTORY",
                                                "/old", "RUN_DIRECTORY", "/run/stored", NULL);
  g_autoptr (GHashTable) values = NULL, kept = NULL;

  g_clear_pointer (&exports->default_values, g_hash_table_unref);
  exports->default_values
      = atm_test_map ("DEFAULTED", "image", "SET", "image", "STORED", "image", "CONF_DIRECTORY",
                      "/image", "NAME", "image", "UUID", "image-uuid", NULL);
  values = atm_values_resolve (exports, &tool, set, stored);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpstr (g_hash_table_lookup (values, cases[i].name), ==, cases[i].value);

  kept = atm_values_to_store (values, set, stored);
  g_assert_cmpuint (g_hash_table_size (kept), ==, 6);
  g_assert_cmpstr (g_hash_table_lookup (kept, "SET"), ==, "set");
  g_assert_cmpstr (g_hash_table_lookup (kept, "STORED"), ==, "stored");
  g_assert_cmpstr (g_hash_table_lookup (kept, "UNUSED"), ==, "y");
  g_assert_cmpstr (g_hash_table_lookup (kept, "UUID"), ==, "image-uuid");
  g_assert_false (g_hash_table_contains (kept, "NAME"));
  g_assert_false (g_hash_table_contains (kept, "DEFAULTED"));
}

static void
test_uuid_and_capabilities (void)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) first = atm_values_resolve (exports, &tool, NULL, NULL);
  g_autoptr (GHashTable) second = atm_values_resolve (exports, &tool, NULL, NULL);
  g_autoptr (GHashTable) stored = atm_values_to_store (first, NULL, NULL);
  g_autoptr (GHashTable) third = atm_values_resolve (exports, &tool, NULL, stored);
  const char *all = g_hash_table_lookup (first, "ALL_PROCESS_CAPABILITIES");

  g_assert_true (g_uuid_string_is_valid (g_hash_table_lookup (first, "UUID")));
  g_assert_cmpstr (g_hash_table_lookup (first, "UUID"), !=, g_hash_table_lookup (second, "UUID"));
  g_assert_cmpstr (g_hash_table_lookup (first, "UUID"), ==, g_hash_table_lookup (third, "UUID"));
  g_assert_true (g_str_has_prefix (all, "\"CAP_CHOWN\",\n\"CAP_DAC_OVERRIDE\",\n"));
  g_assert_true (g_str_has_suffix (all, "\"\n"));
}

/* The Python tool stored everything; what was its own must not stay for ever. */
static void
test_python (void)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) stored = atm_test_map (
      "EXEC_START", "old", "NAME", "etcd", "RUNTIME", "/bin/old", "ATOMIC", "/old/atomic",
      "ALL_PROCESS_CAPABILITIES", "\"CAP_CHOWN\"\n", "UUID", "kept", "PORT", "80", NULL);
  g_autoptr (GHashTable) values = atm_values_resolve (exports, &tool, NULL, stored);
  g_autoptr (GHashTable) kept = atm_values_to_store (values, NULL, stored);

  g_assert_cmpstr (g_hash_table_lookup (values, "RUNTIME"), ==, "/usr/bin/runc");
  g_assert_cmpstr (g_hash_table_lookup (values, "ATOMIC"), ==, "/usr/bin/atomic");
  g_assert_cmpstr (g_hash_table_lookup (values, "ALL_PROCESS_CAPABILITIES"), !=, "\"CAP_CHOWN\"\n");
  g_assert_cmpstr (g_hash_table_lookup (values, "UUID"), ==, "kept");
  g_assert_cmpstr (g_hash_table_lookup (values, "PORT"), ==, "80");
  g_assert_cmpuint (g_hash_table_size (kept), ==, 2);
}

/* The Python tool stored defaults as if somebody had set them. */
static void
test_kept (void)
{
  static const char *const of_python[]
      = { "EXEC_START", "/bin/runc run x", "NAME", "etcd",   "PORT",
          "80",         "LEVEL",           "info", "UUID",   "u",
          "RUNTIME",    "/bin/runc",       "OWN",  "secret", NULL };
  static const char *const of_ours[] = { "PORT", "80", "UUID", "u", NULL };
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GHashTable) kept = NULL, unknown = NULL, ours = NULL;
  g_autoptr (GHashTable) python = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) own = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; of_python[i] != NULL; i += 2)
    g_hash_table_insert (python, (char *) of_python[i], (char *) of_python[i + 1]);
  for (guint i = 0; of_ours[i] != NULL; i += 2)
    g_hash_table_insert (own, (char *) of_ours[i], (char *) of_ours[i + 1]);
  g_hash_table_insert (exports->default_values, g_strdup ("PORT"), g_strdup ("80"));
  g_hash_table_insert (exports->default_values, g_strdup ("LEVEL"), g_strdup ("debug"));
  g_hash_table_insert (exports->default_values, g_strdup ("UUID"), g_strdup ("u"));

  kept = atm_values_dup_kept (python, exports);
  g_assert_cmpuint (g_hash_table_size (kept), ==, 3);
  g_assert_cmpstr (g_hash_table_lookup (kept, "LEVEL"), ==, "info");
  g_assert_cmpstr (g_hash_table_lookup (kept, "OWN"), ==, "secret");
  g_assert_cmpstr (g_hash_table_lookup (kept, "UUID"), ==, "u");
  unknown = atm_values_dup_kept (python, NULL);
  g_assert_cmpstr (g_hash_table_lookup (unknown, "PORT"), ==, "80");
  ours = atm_values_dup_kept (own, exports);
  g_assert_cmpstr (g_hash_table_lookup (ours, "PORT"), ==, "80");
}

static void
test_would_change (void)
{
  const struct
  {
    const char *set[3];
    gboolean changes;
  } cases[] = {
    { { NULL }, FALSE },
    { { "PORT=80", NULL }, FALSE },
    { { "PORT=81", "PORT=80", NULL }, FALSE },
    { { "NAME=other", NULL }, FALSE },
    { { "DESTDIR=/x", NULL }, FALSE },
    { { "PORT=81", NULL }, TRUE },
    { { "PORT=", NULL }, TRUE },
    { { "port=80", NULL }, TRUE },
    { { "NEW=", NULL }, TRUE },
    { { "UUID=other", NULL }, TRUE },
  };
  g_autoptr (GHashTable) stored = g_hash_table_new (g_str_hash, g_str_equal);

  g_hash_table_insert (stored, (char *) "PORT", (char *) "80");
  g_hash_table_insert (stored, (char *) "UUID", (char *) "u");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GHashTable) set = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_values_parse_set ((char **) cases[i].set, &set, &error));
      g_test_message ("case %u", i);
      g_assert_cmpint (atm_values_would_change (set, stored), ==, cases[i].changes);
    }
}

static void
test_exec_forms (void)
{
  const struct
  {
    const char *template;
    gboolean knows_pid_file;
    gboolean no_cgroups;
    const char *start;
    const char *stop;
    const char *stop_post;
  } cases[] = {
    { "$EXEC_STOPPOST $PIDFILE", TRUE, FALSE,
      "/usr/bin/runc run -d --pid-file /run/container-etcd.pid 'etcd'", "",
      "/usr/bin/runc delete 'etcd'" },
    { "${EXEC_STOPPOST} ${PIDFILE}", TRUE, FALSE,
      "/usr/bin/runc run -d --pid-file /run/container-etcd.pid 'etcd'", "",
      "/usr/bin/runc delete 'etcd'" },
    { "$EXEC_STOPPOST $PIDFILE", FALSE, FALSE, "/usr/bin/runc run 'etcd'",
      "/usr/bin/runc kill 'etcd'", "" },
    { "$$EXEC_STOPPOST $PIDFILE", TRUE, FALSE, "/usr/bin/runc run 'etcd'",
      "/usr/bin/runc kill 'etcd'", "" },
    { "$EXEC_STOPPOST", TRUE, FALSE, "/usr/bin/runc run 'etcd'", "/usr/bin/runc kill 'etcd'", "" },
    { "$EXEC_STARTPRE", TRUE, TRUE, "/usr/bin/runc --cgroup-manager=disabled run 'etcd'",
      "/usr/bin/runc kill 'etcd'", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmExports) exports = atm_exports_new ();
      g_autoptr (GHashTable) values = NULL;
      AtmToolValues mine = tool;

      mine.pid_file = cases[i].knows_pid_file;
      mine.no_cgroups = cases[i].no_cgroups;
      exports->service_template = atm_test_bytes (cases[i].template);
      values = atm_values_resolve (exports, &mine, NULL, NULL);
      g_assert_cmpstr (g_hash_table_lookup (values, "EXEC_START"), ==, cases[i].start);
      g_assert_cmpstr (g_hash_table_lookup (values, "EXEC_STOP"), ==, cases[i].stop);
      g_assert_cmpstr (g_hash_table_lookup (values, "EXEC_STOPPOST"), ==, cases[i].stop_post);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/values/set", test_set);
  g_test_add_func ("/values/precedence", test_precedence);
  g_test_add_func ("/values/uuid-and-capabilities", test_uuid_and_capabilities);
  g_test_add_func ("/values/python", test_python);
  g_test_add_func ("/values/kept", test_kept);
  g_test_add_func ("/values/would-change", test_would_change);
  g_test_add_func ("/values/exec-forms", test_exec_forms);
  return g_test_run ();
}
