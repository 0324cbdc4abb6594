/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/unit.h"

#include <signal.h>
#include <string.h>

#include "container/template.h"
#include "container/volume.h"
#include "util/error.h"

/* Long enough for a database to close its files, short enough for a reboot. */
#define STOP_TIMEOUT_SEC 30
#define SIGNALS_MAX 64

/* A label "true" says that the program tells its readiness by sd_notify(3). */
#define NOTIFY_LABEL "atomic.notify"

/* systemd.unit(5), "Specifiers". */
static char *
escape_specifiers (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "%", -1);

  return g_strjoinv ("%%", parts);
}

/* A path that can stand in a unit or in a tmpfiles fragment as it is, but for “%”. Others come from
   nobody but an image that tries something. */
static gboolean
is_plain_path (const char *path)
{
  g_autofree char *canonical = NULL;

  if (!g_path_is_absolute (path) || !g_utf8_validate (path, -1, NULL))
    return FALSE;
  for (const char *p = path; *p != '\0'; p++)
    if ((guchar) *p <= ' ' || *p == 0x7f || strchr ("\"'\\", *p) != NULL)
      return FALSE;
  canonical = g_canonicalize_filename (path, "/");
  return g_str_equal (path, canonical);
}

/* “SIGTERM”, “TERM”, “15” or “SIGRTMIN+3” (OCI image-spec, config.md, "StopSignal"); untrusted.
   0 if it is none of them. */
static int
parse_signal (const char *text)
{
  guint64 number = 0;
  g_autofree char *upper = g_ascii_strup (text, -1);
  const char *name = g_str_has_prefix (upper, "SIG") ? upper + 3 : upper;

  if (g_ascii_string_to_unsigned (text, 10, 1, SIGNALS_MAX, &number, NULL))
    return (int) number;
  if (g_str_has_prefix (name, "RTMIN+")
      && g_ascii_string_to_unsigned (name + strlen ("RTMIN+"), 10, 0,
                                     (guint64) (SIGNALS_MAX - SIGRTMIN), &number, NULL))
    return SIGRTMIN + (int) number;
  for (int i = 1; i < SIGRTMIN; i++)
    {
      const char *known = sigabbrev_np (i);

      if (known != NULL && g_str_equal (known, name))
        return i;
    }
  return 0;
}

static int
get_stop_signal (const AtmImageConfig *config)
{
  int number
      = config != NULL && config->stop_signal != NULL ? parse_signal (config->stop_signal) : 0;

  return number > 0 ? number : SIGTERM;
}

static const char *
get (GHashTable *values, const char *name)
{
  return g_hash_table_lookup (values, name);
}

/* Of the container's first process; config.json may be the image's own, and say anything. */
static gint64
get_uid (const AtmBundle *bundle)
{
  JsonNode *node = json_object_get_member (bundle->object, "process");

  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    node = json_object_get_member (json_node_get_object (node), "user");
  if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node))
    return 0;
  return json_object_get_int_member_with_default (json_node_get_object (node), "uid", 0);
}

/* The socket that crun makes for READY=1 is in a folder that only root can enter (1.8.1; the folder
   has mode 0700 to this day): a container of another user would never be ready. */
static gboolean
can_notify (GHashTable *values, const AtmBundle *bundle)
{
  const char *start = get (values, "EXEC_START");
  g_autofree char *runtime = g_strndup (start, strcspn (start, " "));
  g_autofree char *base = g_path_get_basename (runtime);

  return !g_str_equal (base, "crun") || get_uid (bundle) == 0;
}

static gboolean
says_when_ready (const AtmImageConfig *config)
{
  return config != NULL
         && g_strcmp0 (g_hash_table_lookup (config->labels, NOTIFY_LABEL), "true") == 0;
}

/* “80”, “80/tcp” or “8000-8010/udp” (OCI image-spec, config.md, "ExposedPorts"); untrusted. */
static gboolean
is_port (const char *text)
{
  return g_regex_match_simple ("^[0-9]{1,5}(-[0-9]{1,5})?(/(tcp|udp|sctp))?$", text,
                               G_REGEX_DOLLAR_ENDONLY, 0);
}

/* systemd leaves alone what begins with “X-” (systemd.unit(5)). */
static void
append_ports (GString *text, const AtmImageConfig *config)
{
  gboolean any = FALSE;

  for (guint i = 0;
       config != NULL && config->exposed_ports != NULL && config->exposed_ports[i] != NULL; i++)
    if (is_port (config->exposed_ports[i]))
      {
        g_string_append_printf (text, "%s%s",
                                any ? " " : "X-ExposedPorts=", config->exposed_ports[i]);
        any = TRUE;
      }
  if (any)
    g_string_append_c (text, '\n');
}

/* The default unit of 4.1 lets systemd follow the container by a PID file. Ours keeps the runtime
   in the foreground: output goes to the journal, the state of the unit is that of the container,
   READY=1 reaches systemd, and runc and crun need no more than “run”. What follows from that:
   - the stop signal is systemd's KillSignal, which the runtime hands on; an ExecStop that sends it
     would be followed at once by a second signal to the runtime, and so to the container;
   - only the runtime gets it (KillMode=mixed); the rest of the cgroup is killed at the time-out;
   - the container's cgroup is made below the unit's, so the unit delegates it (DESIGN section 9).
   The bundle is found by the link NAME, not in DESTDIR: so most updates leave the unit as it is,
   and systemd need not read it again while the service is down.
 */
static GBytes *
default_unit (GHashTable *values, const AtmImageConfig *config, const AtmBundle *bundle)
{
  GString *text = g_string_new (NULL);
  g_auto (GStrv) sources = atm_bundle_dup_bind_sources (bundle);
  g_autofree char *checkout = g_path_get_dirname (get (values, "DESTDIR"));
  g_autofree char *link = g_build_filename (checkout, get (values, "NAME"), NULL);
  g_autofree char *folder = escape_specifiers (link);
  int stop_signal = get_stop_signal (config);

  g_string_append_printf (text, "[Unit]\nDescription=%s\n", get (values, "NAME"));
  append_ports (text, config);
  for (guint i = 0; sources[i] != NULL; i++)
    if (is_plain_path (sources[i]))
      {
        g_autofree char *source = escape_specifiers (sources[i]);

        g_string_append_printf (text, "RequiresMountsFor=%s\n", source);
      }
  g_string_append_printf (
      text, "\n[Service]\nType=%s\nWorkingDirectory=%s\n",
      says_when_ready (config) && can_notify (values, bundle) ? "notify\nNotifyAccess=all" : "exec",
      folder);
  g_string_append_printf (text, "ExecStartPre=%s\nExecStart=%s\n", get (values, "EXEC_STARTPRE"),
                          get (values, "EXEC_START"));
  /* The same clean-up afterwards, for a runtime that was killed. */
  g_string_append_printf (text, "ExecStopPost=%s\n", get (values, "EXEC_STARTPRE"));
  g_string_append_printf (text,
                          "Delegate=yes\nKillMode=mixed\nKillSignal=%d\nTimeoutStopSec=%d\n"
                          "SuccessExitStatus=%d\nRestart=on-failure\nRestartSec=1\n",
                          stop_signal, STOP_TIMEOUT_SEC, 128 + stop_signal);
  g_string_append (text, "\n[Install]\nWantedBy=multi-user.target\n");
  return g_string_free_to_bytes (text);
}

gboolean
atm_unit_render (const AtmExports *exports, GHashTable *values, const AtmImageConfig *config,
                 const AtmBundle *bundle, GBytes **text_out, GError **error)
{
  if (exports->service_template != NULL)
    return atm_template_substitute (exports->service_template, values, "service.template", text_out,
                                    error);
  *text_out = default_unit (values, config, bundle);
  return TRUE;
}

/* Who a state folder belongs to: the container's user where we wrote its configuration, for then
   nobody else will; else the caller, as in 4.3. */
static void
get_owner (const AtmExports *exports, GHashTable *values, const AtmBundle *bundle, char **uid_out,
           char **gid_out)
{
  JsonObject *process = NULL, *user = NULL;

  if (exports->config != NULL || exports->config_template != NULL)
    {
      *uid_out = g_strdup (get (values, "HOST_UID"));
      *gid_out = g_strdup (get (values, "HOST_GID"));
      return;
    }
  process = json_object_get_object_member (bundle->object, "process");
  user = json_object_get_object_member (process, "user");
  *uid_out = g_strdup_printf ("%" G_GINT64_FORMAT, json_object_get_int_member (user, "uid"));
  *gid_out = g_strdup_printf ("%" G_GINT64_FORMAT, json_object_get_int_member (user, "gid"));
}

/* The folder of all volumes: their own owners and modes are the container's to change, and then
   what is set-uid in them must not be for everybody on the host. */
static void
append_volumes_folder (GString *text, GHashTable *values, const AtmBundle *bundle)
{
  const AtmVolume *volume = bundle->volumes->len > 0 ? bundle->volumes->pdata[0] : NULL;
  g_autofree char *folder = volume != NULL ? g_path_get_dirname (volume->source) : NULL;
  g_autofree char *escaped = NULL;

  if (folder == NULL || !is_plain_path (folder))
    return;
  escaped = escape_specifiers (folder);
  g_string_append_printf (text, "d    %s   :0700 :%s :%s - -\n", escaped, get (values, "HOST_UID"),
                          get (values, "HOST_GID"));
}

/* All bind sources, whatever the host has of them today. “:” leaves mode and owner of a folder
   alone that is there already (tmpfiles.d(5)): it may be /etc. */
static GBytes *
default_tmpfiles (const AtmExports *exports, GHashTable *values, const AtmBundle *bundle)
{
  g_auto (GStrv) sources = atm_bundle_dup_bind_sources (bundle);
  g_autofree char *uid = NULL, *gid = NULL;
  GString *text = g_string_new (NULL);

  get_owner (exports, values, bundle, &uid, &gid);
  append_volumes_folder (text, values, bundle);
  for (guint i = 0; sources[i] != NULL; i++)
    if (is_plain_path (sources[i]) && !atm_bundle_looks_like_file (sources[i]))
      {
        g_autofree char *source = escape_specifiers (sources[i]);

        g_string_append_printf (text, "d    %s   :0700 :%s :%s - -\n", source, uid, gid);
      }
  return g_string_free_to_bytes (text);
}

static gboolean
is_blank (GBytes *text)
{
  gsize length = 0;
  const char *data = g_bytes_get_data (text, &length);

  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isspace (data[i]))
      return FALSE;
  return TRUE;
}

gboolean
atm_tmpfiles_render (const AtmExports *exports, GHashTable *values, const AtmBundle *bundle,
                     GBytes **text_out, GError **error)
{
  g_autoptr (GBytes) text = NULL;

  if (exports->tmpfiles_template == NULL)
    text = default_tmpfiles (exports, values, bundle);
  else if (!atm_template_substitute (exports->tmpfiles_template, values, "tmpfiles.template", &text,
                                     error))
    return FALSE;

  *text_out = is_blank (text) ? NULL : g_steal_pointer (&text);
  return TRUE;
}

/* Lines that make what is missing, and change nothing that is there but owner and mode of a folder
   (tmpfiles.d(5)); without modifiers. */
#define QUIET_TYPES "dvqQfLpcbCxX"

gboolean
atm_tmpfiles_is_quiet (GBytes *fragment)
{
  gsize size = 0;
  const char *data = g_bytes_get_data (fragment, &size);
  g_autofree char *text = size > 0 ? g_strndup (data, size) : g_strdup ("");
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    {
      g_strstrip (*line);
      if (**line != '\0' && **line != '#'
          && (strchr (QUIET_TYPES, **line) == NULL || !g_ascii_isspace ((*line)[1])))
        return FALSE;
    }
  return TRUE;
}
