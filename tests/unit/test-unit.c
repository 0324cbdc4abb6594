/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "container/template.h"
#include "container/unit.h"
#include "container/values.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

static const AtmToolValues tool = {
  .name = "web",
  .destdir = "/tmp/web.0", /* a folder that exists, for systemd-analyze */
  .image_name = "i",
  .image_id = "1",
  .runtime = "/usr/bin/env",
  .pid_file = TRUE,
  .atomic = "/usr/bin/atomic",
};

static char *
render (const char *template, const char *config_text)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (AtmImageConfig) config = atm_test_config (config_text);
  g_autoptr (GHashTable) values = NULL;
  g_autoptr (AtmBundle) bundle = NULL;
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = atm_test_scratch_dir ();

  if (template != NULL)
    exports->service_template = atm_test_bytes (template);
  values = atm_values_resolve (exports, &tool, NULL, NULL);
  g_assert_true (atm_bundle_render (exports, values, config, fd, &bundle, &error));
  g_assert_true (atm_unit_render (exports, values, config, bundle, &text, &error));
  g_assert_no_error (error);
  return g_strndup (g_bytes_get_data (text, NULL), g_bytes_get_size (text));
}

static void
test_default (void)
{
  const struct
  {
    const char *config;
    const char *line;
  } cases[] = {
    { NULL, "\nType=exec\n" },
    { NULL, "\nExecStartPre=-/usr/bin/env delete --force 'web'\n" },
    { NULL, "\nExecStart=/usr/bin/env run 'web'\n" },
    { NULL, "\nWorkingDirectory=/tmp/web\n" }, /* the link: no update changes it */
    { NULL, "\nKillSignal=15\n" },
    { NULL, "\nSuccessExitStatus=143\n" },
    { NULL, "\nRestart=on-failure\n" },
    { NULL, "\nDelegate=yes\n" },
    { NULL, "\nWantedBy=multi-user.target\n" },
    { "{\"Cmd\":[\"x\"],\"Notify\":1}", "\nType=notify\nNotifyAccess=all\n" },
    { "{\"Cmd\":[\"x\"],\"StopSignal\":\"SIGQUIT\"}", "\nKillSignal=3\n" },
    { "{\"Cmd\":[\"x\"],\"StopSignal\":\"int\"}", "\nKillSignal=2\n" },
    { "{\"Cmd\":[\"x\"],\"StopSignal\":\"37\"}", "\nKillSignal=37\n" },
    { "{\"Cmd\":[\"x\"],\"StopSignal\":\"SIGRTMIN+3\"}", "\nSuccessExitStatus=165\n" },
    { "{\"Cmd\":[\"x\"],\"StopSignal\":\"SIGRTMIN+31\"}", "\nKillSignal=15\n" },
    { "{\"Cmd\":[\"x\"],\"StopSignal\":\"9\\nExecStart=/bin/sh\"}", "\nKillSignal=15\n" },
    { "{\"Cmd\":[\"x\"],\"StopSignal\":\"0\"}", "\nKillSignal=15\n" },
    { "{\"Cmd\":[\"x\"],\"ExposedPorts\":[\"80/tcp\",\"x\",\"1\\n\",\"53\",\"6-7/udp\"]}",
      "\nX-ExposedPorts=80/tcp 53 6-7/udp\n" },
    { "{\"Cmd\":[\"x\"],\"ExposedPorts\":[\"80/tcp\\nExecStart=/bin/sh\"]}",
      "\nDescription=web\nRequiresMountsFor=" },
    { "{\"Cmd\":[\"x\"],\"Volumes\":[\"/50%\"]}", "\nRequiresMountsFor=/var/lib/web/50_25\n" },
    { "{\"Cmd\":[\"x\"],\"Volumes\":[\"/a\\nb\"]}", "\nRequiresMountsFor=/var/lib/web/a_0ab\n" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = render (NULL, cases[i].config);

      if (strstr (text, cases[i].line) == NULL)
        g_error ("case %u: no %s in %s", i, cases[i].line, text);
    }
}

/* crun has a notify socket for root only. */
static void
test_notify (void)
{
  const struct
  {
    const char *runtime;
    const char *user;
    const char *line;
  } cases[] = {
    { "/usr/bin/runc", "5", "\nType=notify\n" },
    { "/usr/bin/crun", "0", "\nType=notify\n" },
    { "/usr/bin/crun", "5", "\nType=exec\n" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AtmToolValues mine = tool;
      g_autofree char *json
          = g_strdup_printf ("{\"Cmd\":[\"x\"],\"Notify\":1,\"User\":\"%s\"}", cases[i].user);
      g_autoptr (AtmExports) exports = atm_exports_new ();
      g_autoptr (AtmImageConfig) config = atm_test_config (json);
      g_autoptr (GHashTable) values = NULL;
      g_autoptr (AtmBundle) bundle = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *text = NULL;
      g_autoptr (GError) error = NULL;
      atm_autofd int fd = atm_test_scratch_dir ();

      mine.runtime = cases[i].runtime;
      values = atm_values_resolve (exports, &mine, NULL, NULL);
      g_assert_true (atm_bundle_render (exports, values, config, fd, &bundle, &error));
      g_assert_true (atm_unit_render (exports, values, config, bundle, &bytes, &error));
      text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
      if (strstr (text, cases[i].line) == NULL)
        g_error ("case %u: %s", i, text);
    }
}

static void
test_template (void)
{
  g_autofree char *text = render ("ExecStartPre=$EXEC_STARTPRE\nExecStop=$EXEC_STOP\n"
                                  "ExecStopPost=$EXEC_STOPPOST\nPIDFile=$PIDFILE\n%n $$X\n",
                                  NULL);

  g_assert_cmpstr (text, ==,
                   "ExecStartPre=-/usr/bin/env delete --force 'web'\nExecStop=\n"
                   "ExecStopPost=/usr/bin/env delete 'web'\n"
                   "PIDFile=/run/container-web.pid\n%n $X\n");
}

/* The units that we write, by systemd's own word. */
static void
test_verify (void)
{
  const char *const templates[]
      = { NULL,
          "[Unit]\nDescription=$NAME\n[Service]\nExecStartPre=$EXEC_STARTPRE\n"
          "ExecStart=$EXEC_START\nExecStop=$EXEC_STOP\nExecStopPost=$EXEC_STOPPOST\n"
          "WorkingDirectory=$DESTDIR\n",
          "[Unit]\nDescription=$NAME\n[Service]\nExecStartPre=$EXEC_STARTPRE\n"
          "ExecStart=$EXEC_START\nExecStop=$EXEC_STOP\nExecStopPost=$EXEC_STOPPOST\n"
          "WorkingDirectory=$DESTDIR\nPIDFile=$PIDFILE\n" };
  g_autofree char *analyze = g_find_program_in_path ("systemd-analyze");
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (folder, "web.service", NULL);

  if (analyze == NULL)
    {
      g_test_skip ("systemd-analyze is not installed");
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (templates); i++)
    {
      const char *const argv[] = { analyze, "verify", "--man=no", path, NULL };
      g_autofree char *text = render (templates[i], "{\"Cmd\":[\"x\"],\"Volumes\":[\"/50%\"],"
                                                    "\"ExposedPorts\":[\"80/tcp\"]}");
      g_autofree char *output = NULL;
      g_autoptr (GSubprocess) process = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (g_file_set_contents (path, text, -1, &error));
      process = g_subprocess_newv (
          argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error);
      g_assert_no_error (error);
      g_assert_true (g_subprocess_communicate_utf8 (process, NULL, NULL, &output, NULL, &error));
      if (!g_subprocess_get_successful (process) || strstr (output, "web.service") != NULL)
        g_error ("unit %u: %s", i, output);
    }
}

static char *
render_tmpfiles (const char *template, const char *config_json, const char *image_config)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (AtmImageConfig) config = atm_test_config (image_config);
  g_autoptr (GHashTable) values = NULL;
  g_autoptr (AtmBundle) bundle = NULL;
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = atm_test_scratch_dir ();

  if (template != NULL)
    exports->tmpfiles_template = atm_test_bytes (template);
  if (config_json != NULL)
    exports->config = atm_test_bytes (config_json);
  values = atm_values_resolve (exports, &tool, NULL, NULL);
  g_hash_table_insert (values, g_strdup ("HOST_UID"), g_strdup ("0"));
  g_hash_table_insert (values, g_strdup ("HOST_GID"), g_strdup ("0"));
  g_assert_true (atm_bundle_render (exports, values, config, fd, &bundle, &error));
  g_assert_true (atm_tmpfiles_render (exports, values, bundle, &text, &error));
  g_assert_no_error (error);
  return text != NULL ? g_strndup (g_bytes_get_data (text, NULL), g_bytes_get_size (text)) : NULL;
}

#define FRAME(mounts)                                                                              \
  "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"mounts\":[" mounts \
  "]}"
#define BIND(source) "{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"" source "\"}"

static void
test_tmpfiles (void)
{
  const struct
  {
    const char *template;
    const char *config;
    const char *image_config;
    const char *result; /* NULL: nothing to say */
  } cases[] = {
    { "", FRAME (BIND ("/a")), NULL, NULL },
    { " \n", FRAME (BIND ("/a")), NULL, NULL },
    { "d /a/$NAME\n", FRAME (""), NULL, "d /a/web\n" },
    { NULL, FRAME (""), NULL, NULL },
    { NULL, FRAME (BIND ("/no/a") "," BIND ("/no/b$C%") "," BIND ("/no/a")), NULL,
      "d    /no/a   :0700 :0 :0 - -\nd    /no/b$C%%   :0700 :0 :0 - -\n" },
    /* what exists keeps its mode and owner; what is a file, or likely one, is no folder */
    { NULL, FRAME (BIND ("/etc") "," BIND ("/etc/passwd") "," BIND ("/no/x.conf")), NULL,
      "d    /etc   :0700 :0 :0 - -\n" },
    { NULL, FRAME (BIND ("relative") "," BIND ("/no/../x") "," BIND ("/no/x y")), NULL, NULL },
    { NULL, FRAME (BIND ("/no/x\\nf /etc/evil") "," BIND ("/no/\\\"")), NULL, NULL },
    { NULL, NULL, "{\"Cmd\":[\"x\"],\"User\":\"5:6\",\"Volumes\":[\"/no\"]}",
      "d    /var/lib/web   :0700 :0 :0 - -\nd    /var/lib/web/no   :0700 :5 :6 - -\n" },
    { NULL, "{}", NULL, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text
          = render_tmpfiles (cases[i].template, cases[i].config, cases[i].image_config);

      g_assert_cmpstr (text, ==, cases[i].result);
    }
}

static void
test_quiet (void)
{
  const char *const quiet[] = {
    "",
    "# D /run/a\n\n",
    "d /var/lib/a :0700 :0 :0 - -\n",
    "  d\t/var/lib/a\nf /run/a/x - - - - text\nL /run/b - - - - /run/a\nC /etc/a\n",
  };
  const char *const loud[] = {
    "D /run/a\n",
    "R /run/a\n",
    "r /run/a/pid\n",
    "d /run/a\nr! /run/a/pid",
    "f+ /run/a/x - - - - text\n",
    "L+ /run/a - - - - /run/b\n",
    "d= /run/a\n",
    "F /run/a/x\n",
    "w /sys/x - - - - 1\n",
    "z /run/a 0700\n",
    "Z /run/a 0700\n",
    "t /run/a - - - - user.x=1\n",
    "a+ /run/a - - - - u:1:r\n",
    "\"D\" /run/a\n",
    "d",
    "dD /run/a\n",
    "\xff /run/a\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (quiet); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (quiet[i]);

      g_assert_true (atm_tmpfiles_is_quiet (bytes));
    }
  for (guint i = 0; i < G_N_ELEMENTS (loud); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (loud[i]);

      if (atm_tmpfiles_is_quiet (bytes))
        g_error ("quiet: %s", loud[i]);
    }
}

static void
test_refuses (void)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (AtmImageConfig) config = atm_test_config (NULL);
  g_autoptr (GHashTable) values = NULL;
  g_autoptr (AtmBundle) bundle = NULL;
  g_autoptr (GError) error = NULL, unit_error = NULL, tmpfiles_error = NULL;
  atm_autofd int fd = atm_test_scratch_dir ();
  GBytes *text = NULL;

  exports->service_template = atm_test_bytes ("$MISSING");
  exports->tmpfiles_template = atm_test_bytes ("$GONE");
  values = atm_values_resolve (exports, &tool, NULL, NULL);
  g_assert_true (atm_bundle_render (exports, values, config, fd, &bundle, &error));
  g_assert_false (atm_unit_render (exports, values, config, bundle, &text, &unit_error));
  g_assert_error (unit_error, ATM_TEMPLATE_ERROR, ATM_TEMPLATE_ERROR_UNSET);
  g_assert_nonnull (strstr (unit_error->message, "'service.template'"));
  g_assert_false (atm_tmpfiles_render (exports, values, bundle, &text, &tmpfiles_error));
  g_assert_nonnull (strstr (tmpfiles_error->message, "'tmpfiles.template'"));
  g_assert_null (text);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/unit/default", test_default);
  g_test_add_func ("/unit/notify", test_notify);
  g_test_add_func ("/unit/template", test_template);
  g_test_add_func ("/unit/verify", test_verify);
  g_test_add_func ("/unit/tmpfiles", test_tmpfiles);
  g_test_add_func ("/unit/quiet", test_quiet);
  g_test_add_func ("/unit/refuses", test_refuses);
  return g_test_run ();
}
