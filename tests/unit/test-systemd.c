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
      "<method name='LoadUnit'><arg type='s' direction='in'/><arg type='o' "
      "direction='out'/></method>"
      "<method name='ListUnitsByPatterns'><arg type='as' direction='in'/>"
      "<arg type='as' direction='in'/><arg type='a(ssssssouso)' direction='out'/></method>"
      "<method name='ListUnitsByNames'><arg type='as' direction='in'/>"
      "<arg type='a(ssssssouso)' direction='out'/></method>"
      "</interface><interface name='org.freedesktop.systemd1.Unit'>"
      "<property name='FragmentPath' type='s' access='read'/></interface></node>";

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
             const char *interface G_GNUC_UNUSED, const char *property G_GNUC_UNUSED,
             GError **error G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  return g_variant_new_string (g_str_equal (path, "/unit/a") ? "/usr/lib/systemd/system/a.service"
                                                             : "");
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
  for (guint i = 0; i < 2; i++)
    g_assert_cmpuint (
        g_dbus_connection_register_object (fake->bus, i == 0 ? "/unit/a" : "/unit/none",
                                           node->interfaces[1], &table, fake, NULL, NULL),
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
