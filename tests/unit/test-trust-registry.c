/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/client.h"
#include "fixtures/import.h"
#include "fixtures/publisher.h"
#include "fixtures/registry.h"
#include "fixtures/scratch.h"
#include "fixtures/signer.h"
#include "ops/pull.h"
#include "trust/extension.h"
#include "trust/signature.h"
#include "trust/trust.h"

#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

/* Signatures of images that a registry has served: the signature extension (trust.md 13, row 62),
   mirrors (12), and a pull with a registry, a web server and a gpg that are real. */

#define READY " port "
#define TOKEN "t0k3n"
#define POLICY                                                                                     \
  "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{\"reg.test:5000\":[{"          \
  "\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"%s\"}]}}}"

static AtmTestPublisher *world; /* (owned) */

/* ---- the document ---- */

#define ENTRY "{\"schemaVersion\":2,\"type\":\"atomic\",\"name\":\"x\",\"content\":\"owA=\"}"
#define ENTRIES(list) "{\"signatures\":[" list "]}"

static char *
repeat (const char *entry, guint count)
{
  GString *list = g_string_new (entry);

  for (guint i = 1; i < count; i++)
    g_string_append_printf (list, ",%s", entry);
  g_string_prepend (list, "{\"signatures\":[");
  g_string_append (list, "]}");
  return g_string_free (list, FALSE);
}

static void
test_document (void)
{
  g_autofree char *most = repeat (ENTRY, ATM_SIGNATURES_MAX);
  g_autofree char *skipped = repeat ("{\"schemaVersion\":1,\"type\":\"atomic\"}", 1000);
  const struct
  {
    const char *text;
    guint count;
  } cases[] = {
    { ENTRIES (""), 0 },
    { ENTRIES (ENTRY), 1 },
    { ENTRIES (ENTRY "," ENTRY) "\n", 2 },
    { "{\"signatures\":[" ENTRY "],\"kind\":\"x\"}", 1 },
    { ENTRIES ("{\"schemaVersion\":3,\"type\":\"atomic\",\"content\":\"?\"}," ENTRY), 1 },
    { ENTRIES ("{\"schemaVersion\":2,\"type\":\"Atomic\"}"), 0 },
    { ENTRIES ("{\"schemaVersion\":2,\"type\":\"atomic\",\"content\":\"\",\"more\":[1]}"), 1 },
    { most, ATM_SIGNATURES_MAX },
    { skipped, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_autoptr (GPtrArray) blobs = NULL;
      g_autoptr (GError) error = NULL;

      if (!atm_extension_parse (bytes, &blobs, &error))
        g_error ("%s: %s", cases[i].text, error->message);
      g_assert_cmpuint (blobs->len, ==, cases[i].count);
    }
}

static void
test_document_refuses (void)
{
  g_autofree char *many = repeat (ENTRY, ATM_SIGNATURES_MAX + 1);
  const struct
  {
    const char *text;
    AtmTrustError code;
  } cases[] = {
    { "", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { "[]", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { "{}", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { "<html>", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { "{\"signatures\":null}", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { "{\"signatures\":{}}", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { "{\"Signatures\":[]}", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { "{\"signatures\":[],\"signatures\":[]}", ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("") ENTRIES (""), ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("null"), ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{}"), ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":\"2\",\"type\":\"atomic\",\"content\":\"owA=\"}"),
      ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":2.0,\"type\":\"atomic\",\"content\":\"owA=\"}"),
      ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":2,\"type\":1}"), ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":1,\"type\":\"x\",\"content\":1}"),
      ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":1,\"type\":\"x\",\"name\":1}"),
      ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":2,\"type\":\"atomic\"}"), ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":2,\"type\":\"atomic\",\"content\":null}"),
      ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":2,\"type\":\"atomic\",\"content\":\"owA\"}"),
      ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { ENTRIES ("{\"schemaVersion\":2,\"type\":\"atomic\",\"content\":\"o!A=\"}"),
      ATM_TRUST_ERROR_LOOKASIDE_ERROR },
    { many, ATM_TRUST_ERROR_LIMIT_EXCEEDED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_autoptr (GError) error = NULL;
      GPtrArray *blobs = NULL;

      if (atm_extension_parse (bytes, &blobs, &error))
        g_error ("accepted: %s", cases[i].text);
      g_assert_error (error, ATM_TRUST_ERROR, (int) cases[i].code);
      g_assert_null (blobs);
    }
}

/* ---- a registry that may have the extension ---- */

typedef struct
{
  const char *header;     /* the value of X-Registry-Supports-Signatures; NULL: none */
  const char *status;     /* of the document; NULL: 200 */
  const char *signatures; /* names of blobs of the publisher, separated by spaces */
  const char *body;       /* (nullable): instead */
  gboolean wants_token;
} Registry;

static char *
make_document (const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);
  GString *text = g_string_new ("{\"signatures\":[");

  for (guint i = 0; *names != '\0' && list[i] != NULL; i++)
    {
      gsize length = 0;
      const guchar *data = g_bytes_get_data (atm_test_publisher_blob (list[i]), &length);
      g_autofree char *base64 = g_base64_encode (data, length);

      g_string_append_printf (text,
                              "%s{\"schemaVersion\":2,\"type\":\"atomic\",\"name\":\"sha256:0@%u\","
                              "\"content\":\"%s\"}",
                              i > 0 ? "," : "", i, base64);
    }
  g_string_append (text, "]}");
  return g_string_free (text, FALSE);
}

static void
answer (const char *request, GString *response, gpointer user_data)
{
  const Registry *registry = user_data;
  const char *host = strstr (request, "\r\nHost: ");
  g_autofree char *headers = g_strdup ("");

  if (strstr (request, "/token?") != NULL)
    {
      atm_test_http_reply (response, "200 OK", "", "{\"token\":\"" TOKEN "\"}");
      return;
    }
  if (registry->wants_token && strstr (request, "\r\nAuthorization: Bearer " TOKEN) == NULL)
    {
      host += strlen ("\r\nHost: ");
      g_free (headers);
      headers = g_strdup_printf ("X-Registry-Supports-Signatures: 1\r\n"
                                 "WWW-Authenticate: Bearer realm=\"http://%.*s/token\"\r\n",
                                 (int) strcspn (host, "\r"), host);
      atm_test_http_reply (response, "401 Who", headers, "");
      return;
    }
  if (g_str_has_prefix (request, "GET /v2/ ") && registry->header != NULL)
    {
      g_free (headers);
      headers = g_strdup_printf ("X-Registry-Supports-Signatures: %s\r\n", registry->header);
    }
  if (g_str_has_prefix (request, "GET /extensions/"))
    {
      g_autofree char *document = registry->body != NULL ? g_strdup (registry->body)
                                                         : make_document (registry->signatures);

      atm_test_http_reply (response, registry->status != NULL ? registry->status : "200 OK", "",
                           document);
      return;
    }
  atm_test_http_reply (response, "200 OK", headers, ATM_TEST_MANIFEST);
}

/* ---- one question ---- */

static void
write_text (const char *name, const char *text)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);

  atm_test_publisher_write (name, bytes);
}

static void
write_policy (void)
{
  g_autofree char *key = atm_test_publisher_file ("a.gpg");
  g_autofree char *policy = g_strdup_printf (POLICY, key);

  write_text ("policy.json", policy);
}

/* The blob @name becomes signature-1 in @folder for the manifest of that digest. */
static void
publish (const char *folder, const char *path, const char *hex, GBytes *blob)
{
  g_autofree char *place = g_strdup_printf ("%s/%s@sha256=%s", folder, path, hex);
  g_autofree char *file = g_build_filename (place, "signature-1", NULL);

  g_assert_cmpint (g_mkdir_with_parents (place, 0755), ==, 0);
  g_assert_true (g_file_set_contents (file, g_bytes_get_data (blob, NULL),
                                      (gssize) g_bytes_get_size (blob), NULL));
}

/* Fetches the manifest of ATM_TEST_IMAGE as @conf says, and judges it. */
static gboolean
ask (const char *conf, const char *lookaside, AtmTrace *trace, GError **error)
{
  g_autofree char *policy = atm_test_publisher_file ("policy.json"),
                  *registries_d = atm_test_publisher_file ("registries.d");
  const AtmTrustOptions options = { .policy_path = policy,
                                    .registries_d = registries_d,
                                    .gpg_home_parent = world->run,
                                    .lookaside_dir = lookaside,
                                    .trace = trace };
  g_autoptr (AtmTestClient) client = atm_test_client_new ();
  g_autoptr (AtmSource) source = atm_test_client_open (client, ATM_TEST_IMAGE, conf);
  g_autoptr (GBytes) manifest = atm_test_bytes (ATM_TEST_MANIFEST);
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmTrust) trust = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;

  atm_test_assert_manifest (source, ATM_TEST_MANIFEST);
  write_policy ();
  g_assert_true (atm_origin_parse (ATM_TEST_IMAGE, &origin, NULL));
  g_assert_true (atm_trust_open (&options, origin, &trust, NULL));
  atm_trust_set_source (trust, source);
  return atm_trust_judge (trust, manifest, NULL, NULL, &verdict, error);
}

static void
assert_asked (const char *conf, const char *lookaside, const char *kind, const char *text,
              AtmTrace *trace)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *start = g_strdup_printf ("trust: %s: " ATM_TEST_IMAGE ": ", kind);

  if (ask (conf, lookaside, trace, &error) != (kind == NULL))
    g_error ("not “%s”: %s", kind, error != NULL ? error->message : "allowed");
  if (kind != NULL
      && (!g_str_has_prefix (error->message, start) || strstr (error->message, text) == NULL))
    g_error ("“%s”, not “%s…%s”", error->message, start, text);
}

/* One document of the registry, if it gave one, or each URL of the lookaside storage. */
static void
assert_places (const AtmTrace *trace, gboolean lookaside, const char *signatures)
{
  const AtmTracePlace *place = trace->places->len > 0 ? trace->places->pdata[0] : NULL;

  if (lookaside)
    {
      g_assert_cmpuint (trace->places->len, ==, 2);
      g_assert_true (g_str_has_suffix (place->url, "/signature-1"));
      g_assert_cmpstr (place->result, ==, "1 signature");
      return;
    }
  g_assert_cmpuint (trace->places->len, <=, 1);
  if (place != NULL)
    g_assert_nonnull (strstr (place->url, "/extensions/v2/ns/app/signatures/"));
  if (trace->accepted)
    g_assert_cmpstr (place->result, ==, strchr (signatures, ' ') ? "2 signatures" : "1 signature");
}

/* Row 62. The lookaside storage has a good signature throughout. */
static void
test_extension (void)
{
  g_autofree char *large = g_strnfill (5 * 1024 * 1024, ' ');
  const struct
  {
    Registry registry;
    const char *kind; /* NULL: allowed */
    const char *text;
    gboolean lookaside; /* it is the lookaside storage that is asked */
  } cases[] = {
    { { .header = "1", .signatures = "a" }, NULL, NULL, FALSE },
    { { .header = "1", .signatures = "b a" }, NULL, NULL, FALSE },
    { { .header = "1", .signatures = "a", .wants_token = TRUE }, NULL, NULL, FALSE },
    { { .header = "1", .signatures = "" }, "unsigned", "/extensions/v2/ns/app/signatures/", FALSE },
    { { .header = "1", .signatures = "b" }, "unknown-key", "", FALSE },
    { { .header = "1", .signatures = "a-armor" }, "signature-format", "", FALSE },
    { { .header = "1", .signatures = "a empty" }, "signature-format", "", FALSE },
    { { .header = "1", .status = "404 Not Found", .signatures = "" },
      "lookaside-error",
      "/extensions/v2/ns/app/signatures/",
      FALSE },
    { { .header = "1", .status = "403 Forbidden", .signatures = "a" },
      "lookaside-error",
      "/extensions/v2/ns/app/signatures/",
      FALSE },
    { { .header = "1", .status = "500 Broken", .signatures = "a" },
      "lookaside-error",
      "/extensions/v2/ns/app/signatures/",
      FALSE },
    { { .header = "1", .body = "{}" },
      "lookaside-error",
      "/extensions/v2/ns/app/signatures/",
      FALSE },
    { { .header = "1", .body = large },
      "limit-exceeded",
      "/extensions/v2/ns/app/signatures/",
      FALSE },
    { { .signatures = "b" }, NULL, NULL, TRUE },
    { { .header = "0", .signatures = "b" }, NULL, NULL, TRUE },
    { { .header = "1, 1", .signatures = "b" }, NULL, NULL, TRUE },
  };

  publish (world->lookaside, "ns/app", world->hex, atm_test_publisher_blob ("a"));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Registry registry = cases[i].registry;
      g_autoptr (AtmTrace) trace = atm_trace_new ();
      g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer, &registry);
      g_autofree char *conf
          = g_strdup_printf ("[[registry]]\nprefix = \"reg.test:5000\"\nlocation = \"%s\"\n"
                             "insecure = true\n",
                             atm_test_http_get_host (http));
      g_autofree char *line
          = g_strdup_printf ("GET /extensions/v2/ns/app/signatures/%s HTTP/1.1\r\n", world->digest);

      assert_asked (conf, world->lookaside, cases[i].kind, cases[i].text, trace);
      g_assert_cmpint (atm_test_http_count (http, line) > 0, ==, !cases[i].lookaside);
      g_assert_cmpuint (atm_test_http_count (http, "/blobs/"), ==, 0);
      assert_places (trace, cases[i].lookaside, cases[i].registry.signatures);
    }
}

/* Signatures are looked for under the name that the image has at the mirror; what they say is about
   the name that the user gave. */
static void
test_mirror (void)
{
  Registry registry = { 0 };
  g_autoptr (AtmTestHttp) http = atm_test_http_new (NULL, answer, &registry);
  g_autofree char *conf
      = g_strdup_printf ("[[registry]]\nlocation = \"reg.test:5000\"\n"
                         "[[registry.mirror]]\nlocation = \"%s/copies\"\ninsecure = true\n",
                         atm_test_http_get_host (http));
  g_autofree char *logical = atm_test_scratch_path (), *physical = atm_test_scratch_path (),
                  *renamed = atm_test_scratch_path ();
  g_autofree char *identity = g_strconcat (atm_test_http_get_host (http), "/copies/ns/app:1", NULL);
  g_autofree char *args = g_strdup_printf ("--passphrase= -u %s! --sign", world->a);
  g_autoptr (GBytes) payload = atm_test_signer_payload (world->digest, identity);
  g_autoptr (GBytes) of_mirror = atm_test_signer_run (world->home, payload, args);

  publish (logical, "ns/app", world->hex, atm_test_publisher_blob ("a"));
  publish (physical, "copies/ns/app", world->hex, atm_test_publisher_blob ("a"));
  publish (renamed, "copies/ns/app", world->hex, of_mirror);
  assert_asked (conf, physical, NULL, NULL, NULL);
  assert_asked (conf, logical, "unsigned", "", NULL);
  assert_asked (conf, renamed, "identity-mismatch", "copies/ns/app", NULL);
}

/* ---- all of it real ---- */

/* A test that fails aborts, and would leave the server behind. */
static void
die_with_parent (gpointer user_data)
{
  (void) user_data;
  (void) prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* Serves @folder on the loopback address; @port_out is (transfer full). */
static GSubprocess *
serve (const char *folder, char **port_out)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_autoptr (GDataInputStream) output = NULL;
  g_autofree char *line = NULL;
  g_autoptr (GError) error = NULL;
  GSubprocess *process = NULL;
  const char *port = NULL;

  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  process = g_subprocess_launcher_spawn (launcher, &error, "python3", "-u", "-m", "http.server",
                                         "--bind", "127.0.0.1", "--directory", folder, "0", NULL);
  g_assert_no_error (error);
  output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  g_filter_input_stream_set_close_base_stream (G_FILTER_INPUT_STREAM (output), FALSE);
  line = g_data_input_stream_read_line (output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (line);
  port = strstr (line, READY);
  g_assert_nonnull (port);
  port += strlen (READY);
  *port_out = g_strndup (port, strspn (port, "0123456789"));
  return process;
}

/* (transfer full): @text with @from replaced by @to, once. */
static GBytes *
replace (GBytes *text, const char *from, const char *to)
{
  g_autoptr (GString) copy
      = g_string_new_len (g_bytes_get_data (text, NULL), (gssize) g_bytes_get_size (text));

  g_assert_cmpuint (g_string_replace (copy, from, to, 1), ==, 1);
  return g_string_free_to_bytes (g_steal_pointer (&copy));
}

/* Makes the configuration say that the image is for a host that there is not, and the manifest
   name that configuration. */
static void
make_foreign (AtmTestRegistry *registry, AtmTestImage *image, const char *architecture)
{
  g_autofree char *from = g_strdup_printf ("\"%s\"", architecture), *old_digest = NULL,
                  *new_digest = NULL;
  g_autoptr (GBytes) config = replace (image->config, from, "\"pdp11\""),
                     old = g_steal_pointer (&image->manifest);
  AtmDigest digest;

  atm_digest_of (ATM_HASH_SHA256, image->config, &digest);
  old_digest = atm_digest_to_string (&digest);
  new_digest = atm_test_registry_put_blob (registry, "ns/app", config);
  image->manifest = replace (old, old_digest, new_digest);
  atm_test_registry_put_manifest (registry, "ns/app", "foreign", ATM_TYPE_OCI_MANIFEST,
                                  image->manifest);
}

/* (transfer full): an image, which the registry has under the tag “1”. */
static AtmTestImage *
fill_registry (AtmTestRegistry *registry)
{
  AtmTestImage *image = atm_test_image_new ();
  g_autofree char *config = NULL;

  atm_test_image_add (image, "d etc\nf etc/name app\n");
  atm_test_image_end (image);
  for (guint i = 0; i < image->blobs->len; i++)
    g_free (atm_test_registry_put_blob (registry, "ns/app", image->blobs->pdata[i]));
  config = atm_test_registry_put_blob (registry, "ns/app", image->config);
  atm_test_registry_put_manifest (registry, "ns/app", "1", ATM_TYPE_OCI_MANIFEST, image->manifest);
  return image;
}

/* Puts an index before the image: the tag means it from now on. */
static GBytes *
put_index (AtmTestRegistry *registry, AtmTestImage *image, const char *architecture)
{
  g_autofree char *digest = NULL, *text = NULL;
  AtmDigest id;
  GBytes *index = NULL;

  atm_digest_of (ATM_HASH_SHA256, image->manifest, &id);
  digest = atm_digest_to_string (&id);
  text = g_strdup_printf (
      "{\"schemaVersion\":2,\"mediaType\":\"" ATM_TYPE_OCI_INDEX "\",\"manifests\":[{"
      "\"mediaType\":\"" ATM_TYPE_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":%" G_GSIZE_FORMAT
      ",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}}]}",
      digest, g_bytes_get_size (image->manifest), architecture);
  index = g_bytes_new (text, strlen (text));
  atm_test_registry_put_manifest (registry, "ns/app", "1", ATM_TYPE_OCI_INDEX, index);
  return index;
}

static void
take_line (AtmReportKind kind, const char *text, gpointer data)
{
  (void) kind;
  (void) data;
  g_test_message ("%s", text);
}

static void
take_progress (const char *what, guint64 done_bytes, guint64 total_bytes, gpointer data)
{
  (void) what;
  (void) data;
  g_assert_cmpuint (done_bytes, <=, total_bytes);
}

static gboolean
pull (AtmSystem *system, AtmStoredImage **image_out, GError **error)
{
  const AtmPullOptions options = { 0 };
  const AtmReport report = { .line = take_line, .progress = take_progress };
  g_autoptr (AtmOrigin) origin = NULL;

  g_assert_true (atm_origin_parse (ATM_TEST_IMAGE, &origin, NULL));
  return atm_pull (system, origin, &options, &report, image_out, NULL, error);
}

/* A host whose policy trusts the key a, a registry with an image, and a web server for signatures.
 */
typedef struct
{
  AtmTestRegistry *registry; /* (owned) (nullable): not installed */
  AtmTestImage *image;       /* (owned) */
  AtmTestStore *store;       /* (owned) */
  GSubprocess *server;       /* (owned) */
  char *sigs;                /* (owned) */
  AtmSystem system;          /* its strings (owned) */
} Site;

static void
site_init (Site *site)
{
  g_autofree char *folder = atm_test_scratch_path (), *scratch = atm_test_scratch_path ();
  g_autofree char *port = NULL, *conf = NULL, *yaml = NULL,
                  *yaml_path = g_build_filename (scratch, "web.yaml", NULL);

  site->registry = atm_test_registry_new ();
  if (site->registry == NULL)
    {
      g_test_skip ("docker-registry is not installed");
      return;
    }
  write_policy ();
  site->image = fill_registry (site->registry);
  site->store = atm_test_store_new ();
  site->sigs = g_build_filename (folder, "sigs", NULL);
  site->server = serve (folder, &port);
  conf = g_strdup_printf ("[[registry]]\nprefix = \"reg.test:5000\"\nlocation = \"%s\"\n"
                          "insecure = true\n",
                          atm_test_registry_get_host (site->registry));
  yaml = g_strdup_printf ("docker: {'%s': {lookaside: 'http://127.0.0.1:%s/sigs/'}}\n",
                          atm_test_registry_get_host (site->registry), port);
  write_text ("registries.conf", conf);
  g_assert_true (g_file_set_contents (yaml_path, yaml, -1, NULL));
  site->system.repository = g_strdup (site->store->path);
  site->system.checkout = g_build_filename (scratch, "checkout", NULL);
  site->system.run_dir = g_strdup (world->run);
  site->system.policy = atm_test_publisher_file ("policy.json");
  site->system.registries_conf = atm_test_publisher_file ("registries.conf");
  site->system.registries_d = g_steal_pointer (&scratch);
}

static void
site_clear (Site *site)
{
  if (site->server != NULL)
    {
      g_subprocess_force_exit (site->server);
      g_assert_true (g_subprocess_wait (site->server, NULL, NULL));
      g_object_unref (site->server);
    }
  atm_test_registry_free (site->registry);
  atm_test_image_free (site->image);
  atm_test_store_free (site->store);
  g_free (site->sigs);
  g_free (site->system.repository);
  g_free (site->system.checkout);
  g_free (site->system.run_dir);
  g_free (site->system.policy);
  g_free (site->system.registries_conf);
  g_free (site->system.registries_d);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Site, site_clear)

/* Signs @manifest as the image of the tests with the key a. */
static GBytes *
sign (Site *site, GBytes *manifest)
{
  g_autofree char *args = g_strdup_printf ("--passphrase= -u %s! --sign", world->a);
  g_autofree char *digest = NULL;
  g_autoptr (GBytes) payload = NULL;
  GBytes *blob = NULL;
  AtmDigest id;

  atm_digest_of (ATM_HASH_SHA256, manifest, &id);
  digest = atm_digest_to_string (&id);
  payload = atm_test_signer_payload (digest, ATM_TEST_IMAGE);
  blob = atm_test_signer_run (world->home, payload, args);
  publish (site->sigs, "ns/app", id.hex, blob);
  return blob;
}

static void
test_pull (void)
{
  g_auto (Site) site = { 0 };
  g_autoptr (GBytes) blob = NULL;
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GError) unsigned_error = NULL, error = NULL;
  AtmStoredImage *none = NULL;

  site_init (&site);
  if (site.registry == NULL)
    return;

  /* Row 77. */
  g_assert_false (pull (&site.system, &none, &unsigned_error));
  g_assert_error (unsigned_error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNSIGNED);
  g_assert_cmpuint (atm_test_count_refs (site.store), ==, 0);

  blob = sign (&site, site.image->manifest);
  g_assert_true (pull (&site.system, &image, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (image->signatures->len, ==, 1);
  g_assert_true (g_bytes_equal (image->signatures->pdata[0], blob));
  atm_test_fsck (site.store);
}

/* Rows 63 and 65: what counts is the signature of the image for this host. */
static void
test_index (void)
{
  g_autoptr (AtmPlatform) host = atm_platform_new_host ();
  g_auto (Site) site = { 0 };
  g_autoptr (GBytes) index = NULL, of_index = NULL, of_image = NULL, other_index = NULL,
                     of_other = NULL;
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GError) only_index = NULL, mismatch = NULL, error = NULL;
  AtmStoredImage *none = NULL;

  site_init (&site);
  if (site.registry == NULL)
    return;
  index = put_index (site.registry, site.image, host->architecture);
  of_index = sign (&site, index);
  g_assert_false (pull (&site.system, &none, &only_index));
  g_assert_error (only_index, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNSIGNED);
  g_assert_cmpuint (atm_test_count_refs (site.store), ==, 0);

  of_image = sign (&site, site.image->manifest);
  g_assert_true (pull (&site.system, &image, &error));
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (image->manifest, site.image->manifest));

  make_foreign (site.registry, site.image, host->architecture);
  other_index = put_index (site.registry, site.image, host->architecture);
  of_other = sign (&site, site.image->manifest);
  g_assert_false (pull (&site.system, &none, &mismatch));
  g_assert_error (mismatch, ATM_TRUST_ERROR, ATM_TRUST_ERROR_PLATFORM_MISMATCH);
  g_assert_true (
      g_str_has_prefix (mismatch->message, "trust: platform-mismatch: " ATM_TEST_IMAGE ": "));
}

int
main (int argc, char *argv[])
{
  int result = 0;

  setlocale (LC_ALL, "C.UTF-8");
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE); /* as in main.c */
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  world = atm_test_publisher_new ();
  g_test_add_func ("/trust-registry/document", test_document);
  g_test_add_func ("/trust-registry/document-refuses", test_document_refuses);
  g_test_add_func ("/trust-registry/extension", test_extension);
  g_test_add_func ("/trust-registry/mirror", test_mirror);
  g_test_add_func ("/trust-registry/pull", test_pull);
  g_test_add_func ("/trust-registry/index", test_index);
  result = g_test_run ();
  atm_test_publisher_free (world);
  return result;
}
