/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/daemon.h"

#include <gio/gunixsocketaddress.h>
#include <libsoup/soup.h>
#include <string.h>

#include "image/docker-archive.h"
#include "registry/refusal.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/text.h"

#define DEFAULT_SOCKET "/run/docker.sock"
#define UNIX_SCHEME "unix://"
#define USER_AGENT "atomic/" PACKAGE_VERSION
/* Newer daemons refuse clients older than 1.44, and old ones may know nothing after 1.24; what is
   asked for has been the same since then. */
#define API_MINOR_MIN 24
#define API_MINOR_MAX 44
#define ANSWER_SEC 60
/* Before it sends the first byte, a daemon copies the image into a file of its own. */
#define SAVE_SEC 3600

#define ATM_TYPE_DAEMON (atm_daemon_get_type ())
G_DECLARE_FINAL_TYPE (AtmDaemon, atm_daemon, ATM, DAEMON, GObject)

struct _AtmDaemon
{
  GObject parent;

  char *what;          /* (owned): the canonical name of the image */
  char *name;          /* (owned): what the daemon is asked for: as typed, or an id */
  char *socket;        /* (owned): path */
  char *temporary_dir; /* (owned) */
  AtmSource *saved;    /* (owned) (nullable): the image, once the daemon has given it */
};

static void daemon_source_init (AtmSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (AtmDaemon, atm_daemon, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (ATM_TYPE_SOURCE, daemon_source_init))

/* ---- requests ---- */

static SoupSession *
new_session (const AtmDaemon *self, guint timeout_sec)
{
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (self->socket);
  SoupSession *session = soup_session_new_with_options ("remote-connectable", address, "timeout",
                                                        timeout_sec, "user-agent", USER_AGENT,
                                                        "accept-language-auto", FALSE, NULL);

  /* What is on the wire is the archive; see registry/http.c. */
  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_AUTH_MANAGER);
  return session;
}

static gboolean
throw_send (const AtmDaemon *self, const GError *cause, GError **error)
{
  AtmSourceError code = ATM_SOURCE_ERROR_UNREACHABLE;
  const char *advice = "";

  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    {
      code = ATM_SOURCE_ERROR_DENIED;
      advice = "; only root and members of the group docker may use it";
    }
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)
           || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    advice = "; start the Docker daemon, or name another socket by the variable DOCKER_HOST";
  return atm_throw (error, ATM_SOURCE_ERROR, code, "%s: cannot reach the daemon at %s: %s%s",
                    self->what, self->socket, cause->message, advice);
}

/* The “message” of an answer that is no success; NULL if it has none. */
static char *
read_message (GBytes *body)
{
  static const AtmJsonField table[] = { { "message", ATM_JSON_STRING, 0, ATM_JSON_MANDATORY } };
  g_autoptr (JsonObject) object = NULL;
  g_autofree char *message = NULL;

  if (!atm_json_parse_object (body, &object, NULL)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "", &message,
                         NULL))
    return NULL;
  return atm_text_escape (message);
}

static gboolean
throw_status (const AtmDaemon *self, guint status, GInputStream *body, GCancellable *cancellable,
              GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *message = NULL;

  if (status == SOUP_STATUS_NOT_FOUND)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                      "%s: the daemon at %s has no image %s; “docker images” lists what it has",
                      self->what, self->socket, self->name);
  if (atm_read_stream (body, ATM_REFUSAL_BODY_MAX_BYTES, &bytes, cancellable, NULL))
    message = read_message (bytes);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                    "%s: the daemon at %s answered %u%s%s", self->what, self->socket, status,
                    message != NULL ? ": " : "", message != NULL ? message : "");
}

/* An answer of status 200. */
static gboolean
get (const AtmDaemon *self, SoupSession *session, const char *path, SoupMessage **message_out,
     GInputStream **body_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *url = g_strconcat ("http://localhost", path, NULL);
  g_autoptr (SoupMessage) message = soup_message_new (SOUP_METHOD_GET, url);
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (GError) local = NULL;

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  body = soup_session_send (session, message, cancellable, &local);
  if (body == NULL)
    return throw_send (self, local, error);
  if (soup_message_get_status (message) != SOUP_STATUS_OK)
    return throw_status (self, soup_message_get_status (message), body, cancellable, error);
  *message_out = g_steal_pointer (&message);
  *body_out = g_steal_pointer (&body);
  return TRUE;
}

/* ---- the conversation ---- */

/* The newest version that both know; the oldest if the daemon does not say. */
static gboolean
negotiate (const AtmDaemon *self, SoupSession *session, guint *minor_out, GCancellable *cancellable,
           GError **error)
{
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (GBytes) ignored = NULL;
  const char *version = NULL;
  guint64 minor = API_MINOR_MIN;

  if (!get (self, session, "/_ping", &message, &body, cancellable, error)
      || !atm_read_stream (body, ATM_REFUSAL_BODY_MAX_BYTES, &ignored, cancellable, error))
    return FALSE;
  version
      = soup_message_headers_get_one (soup_message_get_response_headers (message), "API-Version");
  if (version != NULL
      && (!g_str_has_prefix (version, "1.")
          || !g_ascii_string_to_unsigned (version + 2, 10, API_MINOR_MIN, G_MAXUINT, &minor, NULL)))
    {
      g_autofree char *shown = atm_text_escape (version);

      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                        "%s: the daemon at %s speaks version %s of the API, this program 1.%d to "
                        "1.%d",
                        self->what, self->socket, shown, API_MINOR_MIN, API_MINOR_MAX);
    }
  *minor_out = (guint) MIN (minor, API_MINOR_MAX);
  return TRUE;
}

static gboolean
check_exists (const AtmDaemon *self, SoupSession *session, guint minor, GCancellable *cancellable,
              GError **error)
{
  g_autofree char *name = g_uri_escape_string (self->name, NULL, FALSE);
  g_autofree char *path = g_strdup_printf ("/v1.%u/images/%s/json", minor, name);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) body = NULL;

  return get (self, session, path, &message, &body, cancellable, error)
         && g_input_stream_close (body, cancellable, error);
}

static gboolean
save (AtmDaemon *self, guint minor, GCancellable *cancellable, GError **error)
{
  g_autoptr (SoupSession) session = new_session (self, SAVE_SEC);
  g_autofree char *name = g_uri_escape_string (self->name, NULL, FALSE);
  g_autofree char *path = g_strdup_printf ("/v1.%u/images/get?names=%s", minor, name);
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) body = NULL;
  g_autoptr (AtmArchiveFile) archive = NULL;
  g_autoptr (GError) local = NULL;

  if (!get (self, session, path, &message, &body, cancellable, error))
    return FALSE;
  /* That the body of a chunked answer has ended says nothing (registry.md 3.1); the archive does.
   */
  if (!atm_archive_file_open_stream (body, self->temporary_dir, &archive, cancellable, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                          "%s: the daemon at %s has cut the image off; look into its log and try "
                          "again",
                          self->what, self->socket);
      g_propagate_error (error, g_steal_pointer (&local));
      return atm_prefix_error (error, "%s: what the daemon at %s sent", self->what, self->socket);
    }
  return atm_docker_archive_new (self->what, archive, NULL, &self->saved, cancellable, error);
}

static gboolean
daemon_get_manifest (AtmSource *source, const AtmDigest *digest, GBytes **bytes_out,
                     char **content_type_out, GCancellable *cancellable, GError **error)
{
  AtmDaemon *self = ATM_DAEMON (source);

  if (self->saved == NULL)
    {
      g_autoptr (SoupSession) session = new_session (self, ANSWER_SEC);
      guint minor = 0;

      if (!negotiate (self, session, &minor, cancellable, error)
          || !check_exists (self, session, minor, cancellable, error)
          || !save (self, minor, cancellable, error))
        return FALSE;
    }
  return ATM_SOURCE_GET_IFACE (self->saved)
      ->get_manifest (self->saved, digest, bytes_out, content_type_out, cancellable, error);
}

static gboolean
daemon_open_blob (AtmSource *source, const AtmDescriptor *descriptor, GInputStream **stream_out,
                  GCancellable *cancellable, GError **error)
{
  AtmDaemon *self = ATM_DAEMON (source);

  g_return_val_if_fail (self->saved != NULL, FALSE);
  return ATM_SOURCE_GET_IFACE (self->saved)
      ->open_blob (self->saved, descriptor, stream_out, cancellable, error);
}

static void
daemon_source_init (AtmSourceInterface *iface)
{
  iface->get_manifest = daemon_get_manifest;
  iface->open_blob = daemon_open_blob;
}

static void
daemon_finalize (GObject *object)
{
  AtmDaemon *self = ATM_DAEMON (object);

  g_free (self->what);
  g_free (self->name);
  g_free (self->socket);
  g_free (self->temporary_dir);
  g_clear_object (&self->saved);
  G_OBJECT_CLASS (atm_daemon_parent_class)->finalize (object);
}

static void
atm_daemon_class_init (AtmDaemonClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = daemon_finalize;
}

static void
atm_daemon_init (AtmDaemon *self)
{
  (void) self;
}

gboolean
atm_daemon_open (const AtmOrigin *origin, const char *docker_host, const char *temporary_dir,
                 AtmSource **source_out, GError **error)
{
  g_autoptr (AtmDaemon) self = g_object_new (ATM_TYPE_DAEMON, NULL);
  const char *socket = DEFAULT_SOCKET;

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_DOCKER_DAEMON, FALSE);
  if (docker_host != NULL && *docker_host != '\0')
    {
      socket = g_str_has_prefix (docker_host, UNIX_SCHEME "/") ? docker_host + strlen (UNIX_SCHEME)
                                                               : NULL;
      if (socket == NULL)
        {
          g_autofree char *shown = atm_text_escape (docker_host);

          return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_UNSUPPORTED,
                            "DOCKER_HOST is “%s”; only sockets of this host are supported, as in "
                            "unix://" DEFAULT_SOCKET,
                            shown);
        }
    }
  self->what = atm_origin_to_string (origin);
  self->name = g_strdup (origin->image_id != NULL ? origin->image_id : origin->name->familiar);
  self->socket = g_strdup (socket);
  self->temporary_dir = g_strdup (temporary_dir);
  *source_out = ATM_SOURCE (g_steal_pointer (&self));
  return TRUE;
}
