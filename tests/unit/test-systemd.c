/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Against a manager of our own on a private bus; the real one is met in tests/host. */
#include <string.h>
#include <unistd.h>

#include "host/systemd.h"

#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define JOB "/org/freedesktop/systemd1/job/7"

static const char introspection[]
    = "<node><interface name='org.freedesktop.systemd1.Manager'>"
      "<method name='Subscribe'/><method name='Reload'/>"
      "<method name='EnableUnitFiles'><arg type='as' direction='in'/><arg type='b' direction='in'/>"
      "<arg type='b' direction='in'/><arg type='b' direction='out'/>"
      "<arg type='a(sss)' direction='out'/></method>"
      "<method name='DisableUnitFiles'><arg type='as' direction='in'/>"
      "<arg type='b' direction='in'/><arg type='a(sss)' direction='out'/></method>"
      "<method name='StopUnit'><arg type='s' direction='in'/><arg type='s' direction='in'/>"
      "<arg type='o' direction='out'/></method>"
      "<method name='StartUnit'><arg type='s' direction='in'/><arg type='s' direction='in'/>"
      "<arg type='o' direction='out'/></method>"
      "<method name='ResetFailedUnit'><arg type='s' direction='in'/></method>"
      "<method name='LoadUnit'><arg type='s' direction='in'/><arg type='o' "
      "direction='out'/></method>"
      "<method name='ListUnitsByPatterns'><arg type='as' direction='in'/>"
      "<arg type='as' direction='in'/><arg type='a(ssssssouso)' direction='out'/></method>"
      "<method name='ListUnitsByNames'><arg type='as' direction='in'/>"
      "<arg type='a(ssssssouso)' direction='out'/></method>"
      "</interface><interface name='org.freedesktop.systemd1.Unit'>"
      "<property name='FragmentPath' type='s' access='read'/>"
      "<property name='LoadState' type='s' access='read'/>"
      "<property name='LoadError' type='(ss)' access='read'/>"
      "<property name='ActiveState' type='s' access='read'/>"
      "<property name='SubState' type='s' access='read'/>"
      "<property name='UnitFileState' type='s' access='read'/>"
      "<property name='StateChangeTimestamp' type='t' access='read'/>"
      "<property name='NeedDaemonReload' type='b' access='read'/>"
      "<property name='WantedBy' type='as' access='read'/>"
      "<property name='RequiredBy' type='as' access='read'/>"
      "<property name='BoundBy' type='as' access='read'/>"
      "<property name='UpheldBy' type='as' access='read'/>"
      "<property name='TriggeredBy' type='as' access='read'/>"
      "</interface><interface name='org.freedesktop.systemd1.Service'>"
      "<property name='Type' type='s' access='read'/>"
      "<property name='Result' type='s' access='read'/>"
      "<property name='NRestarts' type='u' access='read'/>"
      "</interface></node>";

/* Units that have a state; what becomes of them is said by change_unit(). */
static const char *const unit_paths[] = { "/unit/a",
                                          "/unit/none",
                                          "/org/freedesktop/systemd1/unit/good_2eservice",
                                          "/org/freedesktop/systemd1/unit/spoof_2eservice",
                                          "/org/freedesktop/systemd1/unit/again_2eservice",
                                          "/org/freedesktop/systemd1/unit/pause_2eservice",
                                          "/org/freedesktop/systemd1/unit/requires_2eservice",
                                          "/org/freedesktop/systemd1/unit/skipped_2eservice",
                                          "/org/freedesktop/systemd1/unit/condition_2eservice",
                                          "/org/freedesktop/systemd1/unit/hang_2eservice",
                                          "/org/freedesktop/systemd1/unit/missing_2eservice",
                                          "/org/freedesktop/systemd1/unit/refused_2eservice",
                                          "/org/freedesktop/systemd1/unit/dies_2eservice" };

/* The thread of the manager touches all but @cancellable alone; @log is read when it has ended. */
typedef struct
{
  GMainLoop *loop;
  GDBusConnection *bus;
  GDBusConnection *stranger; /* somebody else on the bus */
  GCancellable *cancellable;
  GString *log;
  char *address;
  GMutex mutex;
  GCond cond;
  gboolean ready;
} Fake;

static void
emit_job (GDBusConnection *from, const char *job, const char *unit, const char *result)
{
  g_dbus_connection_emit_signal (from, NULL, MANAGER_PATH, MANAGER, "JobRemoved",
                                 g_variant_new ("(uoss)", 7, job, unit, result), NULL);
  g_assert_true (g_dbus_connection_flush_sync (from, NULL, NULL));
}

static void
stop_unit (Fake *fake, const char *unit, GDBusMethodInvocation *call)
{
  if (g_str_equal (unit, "missing.service"))
    {
      g_dbus_method_invocation_return_dbus_error (call, "org.freedesktop.systemd1.NoSuchUnit",
                                                  "Unit missing.service not loaded.");
      return;
    }
  if (g_str_equal (unit, "refused.service"))
    {
      g_dbus_method_invocation_return_dbus_error (call, "org.freedesktop.DBus.Error.AccessDenied",
                                                  "Access denied");
      return;
    }
  if (g_str_equal (unit, "early.service"))
    emit_job (fake->bus, JOB, unit, "done");
  if (g_str_equal (unit, "spoof.service"))
    emit_job (fake->stranger, JOB, unit, "failed");
  g_dbus_method_invocation_return_value (call, g_variant_new ("(o)", JOB));
  if (g_str_equal (unit, "hang.service"))
    g_cancellable_cancel (fake->cancellable);
  else if (g_str_equal (unit, "timeout.service"))
    emit_job (fake->bus, JOB, unit, "timeout");
  else if (!g_str_equal (unit, "early.service"))
    {
      emit_job (fake->bus, "/org/freedesktop/systemd1/job/6", "other.service", "failed");
      emit_job (fake->bus, JOB, unit, "done");
    }
}

static void
emit_change (GDBusConnection *from, const char *unit, const char *interface, const char *properties)
{
  g_autofree char *stem = g_strndup (unit, strcspn (unit, "."));
  g_autofree char *path = g_strconcat ("/org/freedesktop/systemd1/unit/", stem, "_2eservice", NULL);
  GVariant *changed = g_variant_parse (G_VARIANT_TYPE ("a{sv}"), properties, NULL, NULL, NULL);

  g_assert_nonnull (changed);
  g_dbus_connection_emit_signal (
      from, NULL, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
      g_variant_new ("(s@a{sv}@as)", interface, changed, g_variant_new_strv (NULL, 0)), NULL);
  g_assert_true (g_dbus_connection_flush_sync (from, NULL, NULL));
}

#define SERVICE "org.freedesktop.systemd1.Service"
#define UNIT "org.freedesktop.systemd1.Unit"

static void
start_unit (Fake *fake, const char *unit, GDBusMethodInvocation *call)
{
  const char *result = "done";

  if (g_str_equal (unit, "missing.service") || g_str_equal (unit, "refused.service"))
    {
      stop_unit (fake, unit, call);
      return;
    }
  /* of somebody else, and of another unit */
  emit_change (fake->stranger, unit, SERVICE, "{'NRestarts': <uint32 5>}");
  emit_change (fake->bus, "other.service", SERVICE, "{'NRestarts': <uint32 5>}");
  g_dbus_method_invocation_return_value (call, g_variant_new ("(o)", JOB));
  if (g_str_equal (unit, "again.service") || g_str_equal (unit, "pause.service"))
    {
      emit_change (fake->bus, unit, SERVICE,
                   "{'ExecMainCode': <1>, 'ExecMainStatus': <9>, 'Result': <'exit-code'>}");
      /* by then the next try has begun */
      emit_change (fake->bus, unit, SERVICE, "{'Result': <'success'>, 'ExecMainCode': <0>}");
      if (*unit == 'a')
        emit_change (fake->bus, unit, SERVICE, "{'Other': <[1, 2]>, 'NRestarts': <uint32 1>}");
      else
        emit_change (fake->bus, unit, UNIT, "{'SubState': <'auto-restart'>}");
      return;
    }
  if (g_str_equal (unit, "hang.service"))
    {
      g_cancellable_cancel (fake->cancellable);
      return;
    }
  if (g_str_equal (unit, "requires.service"))
    result = "dependency";
  if (g_str_equal (unit, "skipped.service"))
    result = "canceled";
  if (g_str_equal (unit, "condition.service"))
    emit_change (fake->bus, unit, UNIT,
                 "{'ConditionResult': <false>, 'ConditionTimestamp': <uint64 5>}");
  emit_job (fake->bus, JOB, unit, result);
}

/* When the last question about it was answered, it fails. */
static gboolean
fail_dies (gpointer data)
{
  Fake *fake = data;

  emit_change (fake->bus, "dies.service", SERVICE,
               "{'Result': <'signal'>, 'ExecMainCode': <2>, 'ExecMainStatus': <9>}");
  emit_change (fake->bus, "dies.service", UNIT, "{'ActiveState': <'failed'>}");
  return G_SOURCE_REMOVE;
}

static gboolean
cancel_watch (gpointer data)
{
  Fake *fake = data;

  g_cancellable_cancel (fake->cancellable);
  return G_SOURCE_REMOVE;
}

static void
call_later (GSourceFunc function, Fake *fake)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_callback (source, function, fake, NULL);
  g_source_attach (source, g_main_loop_get_context (fake->loop));
}

#define ROW(name, load, active)                                                                    \
  "('" name "', '', '" load "', '" active                                                          \
  "', '', '', objectpath '/a', uint32 0, '', objectpath '/')"

static void
on_call (GDBusConnection *bus G_GNUC_UNUSED, const char *sender G_GNUC_UNUSED,
         const char *path G_GNUC_UNUSED, const char *interface G_GNUC_UNUSED, const char *method,
         GVariant *parameters, GDBusMethodInvocation *call, gpointer data)
{
  Fake *fake = data;
  g_autofree char *text = g_variant_print (parameters, FALSE);
  const char *unit = NULL;

  g_string_append_printf (fake->log, "%s%s\n", method, text);
  if (g_str_equal (method, "StopUnit"))
    {
      g_variant_get_child (parameters, 0, "&s", &unit);
      stop_unit (fake, unit, call);
    }
  else if (g_str_equal (method, "StartUnit"))
    {
      g_variant_get_child (parameters, 0, "&s", &unit);
      start_unit (fake, unit, call);
    }
  else if (g_str_equal (method, "ResetFailedUnit") && strstr (text, "gone.service") != NULL)
    g_dbus_method_invocation_return_dbus_error (call, "org.freedesktop.systemd1.NoSuchUnit",
                                                "Unit gone.service not loaded.");
  else if (g_str_equal (method, "LoadUnit"))
    {
      g_variant_get_child (parameters, 0, "&s", &unit);
      g_dbus_method_invocation_return_value (
          call, g_variant_new ("(o)", g_str_equal (unit, "a.service") ? "/unit/a" : "/unit/none"));
    }
  else if (g_str_equal (method, "EnableUnitFiles"))
    g_dbus_method_invocation_return_value (call, g_variant_new_parsed ("(true, @a(sss) [])"));
  else if (g_str_equal (method, "DisableUnitFiles") && strstr (text, "gone.service") != NULL)
    g_dbus_method_invocation_return_dbus_error (call, "org.freedesktop.systemd1.NoSuchUnit",
                                                "Unit gone.service does not exist");
  else if (g_str_equal (method, "DisableUnitFiles"))
    g_dbus_method_invocation_return_value (call, g_variant_new_parsed ("(@a(sss) [],)"));
  else if (g_str_equal (method, "ListUnitsByPatterns"))
    g_dbus_method_invocation_return_value (
        call, g_variant_new_parsed ("([" ROW ("a.service", "loaded", "active") ", " ROW (
                  "c.service", "not-found", "active") "],)"));
  else if (g_str_equal (method, "ListUnitsByNames"))
    g_dbus_method_invocation_return_value (
        call, g_variant_new_parsed ("([" ROW ("b.service", "not-found", "inactive") "],)"));
  else
    g_dbus_method_invocation_return_value (call, NULL);
}

static GVariant *
on_property (GDBusConnection *bus G_GNUC_UNUSED, const char *sender G_GNUC_UNUSED, const char *path,
             const char *interface G_GNUC_UNUSED, const char *property,
             GError **error G_GNUC_UNUSED, gpointer data)
{
  static const struct
  {
    const char *property;
    const char *value;
  } values[] = {
    { "LoadState", "'loaded'" },      { "LoadError", "('', '')" },
    { "ActiveState", "'active'" },    { "SubState", "'running'" },
    { "UnitFileState", "'enabled'" }, { "StateChangeTimestamp", "uint64 7000000" },
    { "NeedDaemonReload", "true" },   { "WantedBy", "['multi-user.target']" },
    { "Type", "'notify'" },           { "Result", "'success'" },
    { "NRestarts", "uint32 0" },
  };

  /* the last question about a unit */
  if (g_str_equal (property, "NRestarts") && strstr (path, "/dies_") != NULL)
    call_later (fail_dies, data);
  if (g_str_equal (property, "NRestarts") && strstr (path, "/hang_") != NULL)
    call_later (cancel_watch, data);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    if (g_str_equal (property, values[i].property))
      return g_variant_parse (NULL, values[i].value, NULL, NULL, NULL);
  if (g_str_has_suffix (property, "By"))
    return g_variant_new_strv (NULL, 0);
  return g_variant_new_string (
      g_str_equal (path, "/unit/none") ? "" : "/usr/lib/systemd/system/a.service");
}

static GDBusConnection *
join_bus (const char *address)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *bus = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);

  g_assert_no_error (error);
  return bus;
}

static gpointer
run_fake (gpointer data)
{
  const GDBusInterfaceVTable table = { .method_call = on_call, .get_property = on_property };
  Fake *fake = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (introspection, NULL);
  g_autoptr (GVariant) reply = NULL;

  g_main_context_push_thread_default (context);
  fake->loop = g_main_loop_new (context, FALSE);
  fake->bus = join_bus (fake->address);
  fake->stranger = join_bus (fake->address);
  g_assert_cmpuint (g_dbus_connection_register_object (fake->bus, MANAGER_PATH, node->interfaces[0],
                                                       &table, fake, NULL, NULL),
                    >, 0);
  for (guint i = 0; i < 2 * G_N_ELEMENTS (unit_paths); i++)
    g_assert_cmpuint (g_dbus_connection_register_object (fake->bus, unit_paths[i / 2],
                                                         node->interfaces[1 + i % 2], &table, fake,
                                                         NULL, NULL),
                      >, 0);
  reply = g_dbus_connection_call_sync (fake->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "RequestName",
                                       g_variant_new ("(su)", "org.freedesktop.systemd1", 0), NULL,
                                       G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
  g_assert_nonnull (reply);

  g_mutex_lock (&fake->mutex);
  fake->ready = TRUE;
  g_cond_signal (&fake->cond);
  g_mutex_unlock (&fake->mutex);
  g_main_loop_run (fake->loop);

  g_assert_true (g_dbus_connection_close_sync (fake->stranger, NULL, NULL));
  g_assert_true (g_dbus_connection_close_sync (fake->bus, NULL, NULL));
  g_object_unref (fake->stranger);
  g_object_unref (fake->bus);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_stop (AtmSystemd *systemd, GCancellable *cancellable)
{
  const char *const good[] = { "a.service", "missing.service", "early.service", "spoof.service" };
  g_autoptr (GError) timeout = NULL, refused = NULL, cancelled = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) error = NULL;

      if (!atm_systemd_stop (systemd, good[i], cancellable, &error))
        g_error ("%s: %s", good[i], error->message);
    }
  g_assert_false (atm_systemd_stop (systemd, "timeout.service", cancellable, &timeout));
  g_assert_error (timeout, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB);
  g_assert_nonnull (strstr (timeout->message, "“timeout”"));
  g_assert_false (atm_systemd_stop (systemd, "refused.service", NULL, &refused));
  g_assert_error (refused, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_REFUSED);
  g_assert_false (atm_systemd_stop (systemd, "hang.service", cancellable, &cancelled));
  g_assert_error (cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_cancellable_reset (cancellable);
}

static void
test_start (AtmSystemd *systemd, GCancellable *cancellable)
{
  static const struct
  {
    const char *unit;
    int code;
    const char *words;
  } bad[] = {
    { "again.service", ATM_SYSTEMD_ERROR_JOB, "its main process ended with status 9" },
    { "pause.service", ATM_SYSTEMD_ERROR_JOB, "systemd tries it again" },
    { "requires.service", ATM_SYSTEMD_ERROR_JOB, "a unit that it requires" },
    { "skipped.service", ATM_SYSTEMD_ERROR_JOB, "“canceled”" },
    { "condition.service", ATM_SYSTEMD_ERROR_JOB, "Condition" },
    { "missing.service", ATM_SYSTEMD_ERROR_REFUSED, "no such unit" },
    { "refused.service", ATM_SYSTEMD_ERROR_REFUSED, "Access denied" },
  };
  g_autoptr (GError) good = NULL, cancelled = NULL, reset = NULL;

  g_assert_true (atm_systemd_start (systemd, "good.service", cancellable, &good));
  g_assert_true (atm_systemd_reset_failed (systemd, "good.service", &reset));
  g_assert_true (atm_systemd_reset_failed (systemd, "gone.service", &reset));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (atm_systemd_start (systemd, bad[i].unit, cancellable, &error));
      g_assert_error (error, ATM_SYSTEMD_ERROR, bad[i].code);
      if (strstr (error->message, bad[i].words) == NULL
          || strstr (error->message, bad[i].unit) == NULL)
        g_error ("%s: %s", bad[i].unit, error->message);
    }
  g_assert_false (atm_systemd_start (systemd, "hang.service", cancellable, &cancelled));
  g_assert_error (cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_cancellable_reset (cancellable);
}

static void
test_watch (AtmSystemd *systemd, GCancellable *cancellable)
{
  const char *const none[] = { NULL }, *const good[] = { "good.service", "spoof.service", NULL },
                    *const bad[] = { "good.service", "dies.service", NULL },
                    *const hang[] = { "good.service", "hang.service", NULL };
  g_autoptr (GError) error = NULL, dies = NULL, cancelled = NULL;

  g_assert_true (atm_systemd_watch (systemd, none, 60, cancellable, &error));
  g_assert_true (atm_systemd_watch (systemd, good, 0, cancellable, &error));
  /* an hour, but for the signal */
  g_assert_false (atm_systemd_watch (systemd, bad, 3600, cancellable, &dies));
  g_assert_error (dies, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_JOB);
  g_assert_nonnull (strstr (dies->message, "dies.service did not stay active"));
  g_assert_nonnull (strstr (dies->message, "killed by signal 9"));
  g_assert_false (atm_systemd_watch (systemd, hang, 3600, cancellable, &cancelled));
  g_assert_error (cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_cancellable_reset (cancellable);
}

static void
test_state (AtmSystemd *systemd)
{
  g_auto (AtmUnit) state = { 0 };
  g_autoptr (GError) error = NULL, none = NULL;

  g_assert_true (atm_systemd_get_unit (systemd, "good.service", &state, &error));
  g_assert_cmpstr (state.load_state, ==, "loaded");
  g_assert_cmpstr (state.load_error, ==, "");
  g_assert_cmpstr (state.active_state, ==, "active");
  g_assert_cmpstr (state.sub_state, ==, "running");
  g_assert_cmpstr (state.file_state, ==, "enabled");
  g_assert_cmpstr (state.path, ==, "/usr/lib/systemd/system/a.service");
  g_assert_cmpstr (state.type, ==, "notify");
  g_assert_cmpstr (state.result, ==, "success");
  g_assert_cmpuint (state.restarts, ==, 0);
  g_assert_cmpint (state.since_unix, ==, 7);
  g_assert_true (state.stale && state.wanted);
  g_assert_false (atm_systemd_get_unit (systemd, "unknown.service", &state, &none));
  g_assert_error (none, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_REFUSED);
}

static void
test_units (AtmSystemd *systemd, GString *log)
{
  const char *const units[]
      = { "a.service", "b.service", "c.service", "d.service", "e.service", NULL };
  g_autofree char *unit_dir = g_dir_make_tmp ("atomic-test-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (unit_dir, "e.service", NULL);
  g_autoptr (GHashTable) states = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL, *none = NULL;

  g_string_truncate (log, 0);
  g_assert_true (atm_systemd_reload (systemd, &error));
  g_assert_true (atm_systemd_enable (systemd, "a.service", &error));
  g_assert_true (atm_systemd_disable (systemd, "a.service", &error));
  g_assert_true (atm_systemd_disable (systemd, "gone.service", &error));
  g_assert_cmpstr (log->str, ==,
                   "Reload()\nEnableUnitFiles(['a.service'], false, false)\n"
                   "DisableUnitFiles(['a.service'], false)\n"
                   "DisableUnitFiles(['gone.service'], false)\n");

  g_assert_true (g_file_set_contents (file, "[Service]\n", -1, &error));
  g_string_truncate (log, 0);
  g_assert_true (atm_systemd_list_states (systemd, units, unit_dir, &states, &error));
  g_assert_cmpstr (log->str, ==,
                   "ListUnitsByPatterns([], ['*.service'])\n"
                   "ListUnitsByNames(['b.service', 'd.service'],)\n");
  g_assert_cmpstr (g_hash_table_lookup (states, "a.service"), ==, "active");
  g_assert_cmpstr (g_hash_table_lookup (states, "b.service"), ==, "not-found");
  g_assert_cmpstr (g_hash_table_lookup (states, "c.service"), ==, "active");
  g_assert_cmpstr (g_hash_table_lookup (states, "d.service"), ==, "not-found");
  g_assert_cmpstr (g_hash_table_lookup (states, "e.service"), ==, "inactive");
  g_assert_cmpint (unlink (file), ==, 0);
  g_assert_cmpint (rmdir (unit_dir), ==, 0);

  g_assert_true (atm_systemd_find_unit (systemd, "a.service", &found, &error));
  g_assert_cmpstr (found, ==, "/usr/lib/systemd/system/a.service");
  g_assert_true (atm_systemd_find_unit (systemd, "b.service", &none, &error));
  g_assert_null (none);
  g_assert_no_error (error);
}

static void
test_manager (void)
{
  g_autofree char *daemon = g_find_program_in_path ("dbus-daemon");
  g_autoptr (GTestDBus) dbus = NULL;
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autoptr (GError) error = NULL, lost = NULL;
  Fake fake = { .cancellable = g_cancellable_new (), .log = g_string_new (NULL) };
  GThread *thread = NULL;

  if (daemon == NULL)
    {
      g_test_skip ("dbus-daemon is not installed");
      return;
    }
  dbus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_up (dbus);
  fake.address = g_strdup (g_test_dbus_get_bus_address (dbus));
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", fake.address, TRUE);
  thread = g_thread_new ("manager", run_fake, &fake);
  g_mutex_lock (&fake.mutex);
  while (!fake.ready)
    g_cond_wait (&fake.cond, &fake.mutex);
  g_mutex_unlock (&fake.mutex);

  g_assert_true (atm_systemd_connect (&systemd, &error));
  g_assert_no_error (error);
  test_stop (systemd, fake.cancellable);
  test_start (systemd, fake.cancellable);
  test_watch (systemd, fake.cancellable);
  test_state (systemd);
  test_units (systemd, fake.log);

  g_main_loop_quit (fake.loop);
  g_thread_join (thread);
  /* a bus without a manager */
  g_assert_false (atm_systemd_reload (systemd, &lost));
  g_assert_error (lost, ATM_SYSTEMD_ERROR, ATM_SYSTEMD_ERROR_UNREACHABLE);

  g_clear_pointer (&systemd, atm_systemd_free);
  g_test_dbus_down (dbus);
  g_main_loop_unref (fake.loop);
  g_object_unref (fake.cancellable);
  g_string_free (fake.log, TRUE);
  g_free (fake.address);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/systemd/manager", test_manager);
  return g_test_run ();
}
