/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "fixtures/http.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "image/digest.h"
#include "registry/daemon.h"

/* What the daemon of a test does wrong. */
typedef enum
{
  FAULT_NONE,
  FAULT_NO_VERSION,
  FAULT_OLD,
  FAULT_VERSION_2,
  FAULT_NO_IMAGE,
  FAULT_ERROR,
  FAULT_NO_JSON,
  FAULT_CUT_LENGTH,
  FAULT_CUT_CHUNKED,
  FAULT_CUT_BETWEEN,
  FAULT_NOT_TAR,
  FAULT_CLOSED,
  FAULT_REDIRECT
} Fault;

typedef struct
{
  Fault fault;
  GBytes *archive; /* (owned) */
  gsize between;   /* where a member of the archive ends */
} Daemon;

static void
daemon_init (Daemon *daemon)
{
  g_autoptr (GBytes) layer = atm_test_tar_of ("f hello world\n");
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autofree char *hex = atm_sha256_hex (layer), *config = NULL;
  gsize length = 0;
  gconstpointer data = g_bytes_get_data (layer, &length);

  config = g_strdup_printf ("{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["
                            "\"sha256:%s\"]}}",
                            hex);
  atm_test_tar_add (tar, '0', "manifest.json", 0644, "",
                    "[{\"Config\":\"c.json\",\"RepoTags\":[\"hello:1\"],\"Layers\":[\"l.tar\"]}]");
  atm_test_tar_add (tar, '0', "c.json", 0644, "", config);
  atm_test_tar_add_raw (tar, '0', "l.tar", 0644, "", "", length);
  atm_test_tar_append (tar, data, length);
  daemon->archive = atm_test_tar_end (tar);
  daemon->between = g_bytes_get_size (daemon->archive) - 1024;
}

static void
daemon_clear (Daemon *daemon)
{
  g_clear_pointer (&daemon->archive, g_bytes_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Daemon, daemon_clear)

/* @length bytes of the archive in chunks, as dockerd sends it. */
static void
send_chunked (const Daemon *daemon, gsize length, gboolean end, GString *response)
{
  const char *data = g_bytes_get_data (daemon->archive, NULL);

  g_string_append (response, "HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n");
  for (gsize at = 0; at < length;)
    {
      gsize size = MIN (length - at, 700);

      g_string_append_printf (response, "%" G_GSIZE_MODIFIER "x\r\n", size);
      g_string_append_len (response, data + at, (gssize) size);
      g_string_append (response, "\r\n");
      at += size;
    }
  if (end)
    g_string_append (response, "0\r\n\r\n");
}

static void
answer_save (const Daemon *daemon, GString *response)
{
  const gsize size = g_bytes_get_size (daemon->archive);

  switch (daemon->fault)
    {
    case FAULT_CUT_LENGTH:
      g_string_append_printf (
          response, "HTTP/1.1 200 OK\r\nContent-Length: %" G_GSIZE_FORMAT "\r\n\r\n", size);
      g_string_append_len (response, g_bytes_get_data (daemon->archive, NULL), 1000);
      break;
    case FAULT_CUT_CHUNKED:
      send_chunked (daemon, 1100, FALSE, response);
      break;
    case FAULT_CUT_BETWEEN:
      send_chunked (daemon, daemon->between, TRUE, response);
      break;
    case FAULT_NOT_TAR:
      atm_test_http_reply (response, "200 OK", "", "<html>");
      break;
    case FAULT_ERROR:
      atm_test_http_reply (response, "500 Internal Server Error", "",
                           "{\"message\":\"no space \\u001b[1m\"}");
      break;
    case FAULT_NO_JSON:
      atm_test_http_reply (response, "500 Internal Server Error", "", "<html>");
      break;
    default:
      send_chunked (daemon, size, TRUE, response);
    }
}

static void
answer (const char *request, GString *response, gpointer user_data)
{
  const Daemon *daemon = user_data;

  if (daemon->fault == FAULT_CLOSED)
    return;
  if (daemon->fault == FAULT_REDIRECT)
    atm_test_http_reply (response, "307 Temporary Redirect", "Location: http://evil.test/\r\n", "");
  else if (g_str_has_prefix (request, "GET /_ping "))
    atm_test_http_reply (response, "200 OK",
                         daemon->fault == FAULT_NO_VERSION  ? ""
                         : daemon->fault == FAULT_OLD       ? "API-Version: 1.12\r\n"
                         : daemon->fault == FAULT_VERSION_2 ? "API-Version: 2.0\r\n"
                                                            : "API-Version: 1.99\r\n",
                         "OK");
  else if (strstr (request, "/json ") != NULL && daemon->fault == FAULT_NO_IMAGE)
    atm_test_http_reply (response, "404 Not Found", "", "{\"message\":\"No such image: x\"}");
  else if (strstr (request, "/json ") != NULL)
    atm_test_http_reply (response, "200 OK", "", "{}");
  else if (strstr (request, "/images/get?") != NULL)
    answer_save (daemon, response);
  else
    atm_test_http_reply (response, "400 Bad Request", "", "");
}

static gboolean
fetch (const char *text, const char *socket, AtmSource **source_out, GBytes **manifest_out,
       GError **error)
{
  g_autofree char *host = socket != NULL ? g_strconcat ("unix://", socket, NULL) : NULL,
                  *type = NULL;
  g_autoptr (AtmOrigin) origin = NULL;

  g_assert_true (atm_origin_parse (text, &origin, error));
  return atm_daemon_open (origin, host, "/var/tmp", source_out, error)
         && atm_source_fetch_manifest (*source_out, NULL, NULL, manifest_out, &type, NULL, error);
}

static void
test_fetches (void)
{
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  const struct
  {
    const char *text;
    Fault fault;
    const char *asked, *got;
  } cases[] = {
    { "docker:hello:1", FAULT_NONE, "GET /v1.44/images/hello%3A1/json ",
      "GET /v1.44/images/get?names=hello%3A1 " },
    { "docker:hello", FAULT_NO_VERSION, "GET /v1.24/images/hello%3Alatest/json ",
      "GET /v1.24/images/get?names=hello%3Alatest " },
    { "docker-daemon:q.io:5000/a/b:1", FAULT_NONE, "/images/q.io%3A5000%2Fa%2Fb%3A1/json ",
      "names=q.io%3A5000%2Fa%2Fb%3A1 " },
    { "docker:sha256:" HEX, FAULT_NONE, "/images/sha256%3A" HEX "/json ",
      "names=sha256%3A" HEX " " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Daemon) daemon = { .fault = cases[i].fault };
      g_autofree char *folder = atm_test_scratch_path (), *requests = NULL;
      g_autofree char *socket = g_build_filename (folder, "d.sock", NULL);
      g_autoptr (AtmTestHttp) http = NULL;
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (AtmManifest) manifest = NULL;
      g_autoptr (GBytes) bytes = NULL, layer = NULL;
      g_autoptr (GError) error = NULL;

      daemon_init (&daemon);
      http = atm_test_http_new_unix (socket, answer, &daemon);
      if (!fetch (cases[i].text, socket, &source, &bytes, &error))
        g_error ("%s: %s", cases[i].text, error->message);
      g_assert_true (atm_manifest_parse (bytes, &manifest, &error));
      g_assert_true (
          atm_source_fetch_blob (source, manifest->layers->pdata[0], 100000, &layer, NULL, &error));
      requests = atm_test_http_dup_requests (http);
      g_assert_nonnull (strstr (requests, cases[i].asked));
      g_assert_nonnull (strstr (requests, cases[i].got));
      g_assert_nonnull (strstr (requests, "User-Agent: atomic/"));
      g_assert_null (strstr (requests, "Accept-Encoding"));
    }
}

static void
test_faults (void)
{
  const struct
  {
    Fault fault;
    AtmSourceError code;
    const char *message;
  } cases[] = {
    { FAULT_OLD, ATM_SOURCE_ERROR_PROTOCOL, "speaks version 1.12" },
    { FAULT_VERSION_2, ATM_SOURCE_ERROR_PROTOCOL, "speaks version 2.0" },
    { FAULT_NO_IMAGE, ATM_SOURCE_ERROR_NOT_FOUND, "has no image hello:1" },
    { FAULT_ERROR, ATM_SOURCE_ERROR_PROTOCOL, "500: no space \\x1b[1m" },
    { FAULT_NO_JSON, ATM_SOURCE_ERROR_PROTOCOL, "answered 500" },
    { FAULT_CUT_LENGTH, ATM_SOURCE_ERROR_PROTOCOL, "cut the image off" },
    { FAULT_CUT_CHUNKED, ATM_SOURCE_ERROR_PROTOCOL, "what the daemon at" },
    { FAULT_CUT_BETWEEN, ATM_SOURCE_ERROR_PROTOCOL, "cut off" },
    { FAULT_NOT_TAR, ATM_SOURCE_ERROR_PROTOCOL, "no tar file" },
    { FAULT_CLOSED, ATM_SOURCE_ERROR_UNREACHABLE, "cannot reach the daemon" },
    { FAULT_REDIRECT, ATM_SOURCE_ERROR_PROTOCOL, "answered 307" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Daemon) daemon = { .fault = cases[i].fault };
      g_autofree char *folder = atm_test_scratch_path ();
      g_autofree char *socket = g_build_filename (folder, "d.sock", NULL);
      g_autoptr (AtmTestHttp) http = NULL;
      g_autoptr (AtmSource) source = NULL;
      g_autoptr (GError) error = NULL;
      GBytes *bytes = NULL;

      daemon_init (&daemon);
      http = atm_test_http_new_unix (socket, answer, &daemon);
      g_assert_false (fetch ("docker:hello:1", socket, &source, &bytes, &error));
      if (!g_error_matches (error, ATM_SOURCE_ERROR, (int) cases[i].code)
          || strstr (error->message, cases[i].message) == NULL)
        g_error ("row %u: %s", i, error->message);
    }
}

static void
test_sockets (void)
{
  const char *const hosts[] = { "tcp://127.0.0.1:2375", "ssh://x", "unix://relative", "/run/x" };
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *missing = g_build_filename (folder, "none.sock", NULL),
                  *closed = g_build_filename (folder, "closed", NULL),
                  *denied = g_build_filename (closed, "d.sock", NULL);
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (GError) error = NULL;
  GBytes *bytes = NULL;

  g_assert_true (atm_origin_parse ("docker:x", &origin, &error));
  for (guint i = 0; i < G_N_ELEMENTS (hosts); i++, g_clear_error (&error))
    {
      AtmSource *source = NULL;

      g_assert_false (atm_daemon_open (origin, hosts[i], "/var/tmp", &source, &error));
      g_assert_error (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_UNSUPPORTED);
    }
  {
    g_autoptr (AtmSource) source = NULL;

    g_assert_false (fetch ("docker:x", missing, &source, &bytes, &error));
    g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE);
    g_assert_nonnull (strstr (error->message, "DOCKER_HOST"));
    g_clear_error (&error);
  }
  {
    g_autoptr (AtmSource) source = NULL;
    gboolean is_root = geteuid () == 0;

    g_assert_cmpint (mkdir (closed, is_root ? 0700 : 0), ==, 0);
    g_assert_cmpint (chmod (folder, 0755), ==, 0);
    /* Root may enter every folder; somebody else asks, then. */
    g_assert_true (!is_root || seteuid (65534) == 0);
    g_assert_false (fetch ("docker:x", denied, &source, &bytes, &error));
    g_assert_true (!is_root || seteuid (0) == 0);
    g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED);
    g_assert_nonnull (strstr (error->message, "group docker"));
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/daemon/fetches", test_fetches);
  g_test_add_func ("/daemon/faults", test_faults);
  g_test_add_func ("/daemon/sockets", test_sockets);
  return g_test_run ();
}
