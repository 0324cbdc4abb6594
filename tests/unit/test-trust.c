/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/publisher.h"
#include "fixtures/scratch.h"
#include "trust/gpg-wait.h"
#include "trust/trust.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "util/json.h"

/* The cases of trust.md 21, with real keys and the real gpg. Numbers are those of its table. */

static AtmTestPublisher *world; /* (owned) */

/* ---- one question ---- */

/* “@NAME@” becomes the path of the file NAME, “%NAME%” its base64. */
static char *
fill_in (const char *template)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (GStrv) parts = g_strsplit_set (template, "@%", -1);
  gsize at = 0;

  for (guint i = 0; parts[i] != NULL; i++)
    {
      g_autofree char *path = i % 2 == 1 ? atm_test_publisher_file (parts[i]) : NULL;
      g_autofree char *contents = NULL, *base64 = NULL;
      gsize length = 0;

      if (path != NULL && template[at - 1] == '%')
        {
          g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
          base64 = g_base64_encode ((const guchar *) contents, length);
        }
      g_string_append (text, base64 != NULL ? base64 : path != NULL ? path : parts[i]);
      at += strlen (parts[i]) + 1;
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
write_policy (const char *policy)
{
  g_autofree char *filled = fill_in (policy);
  g_autoptr (GBytes) bytes = atm_test_bytes (filled);

  atm_test_publisher_write ("policy.json", bytes);
}

static char *
signature_folder (const char *repository_path)
{
  return g_strdup_printf ("%s/%s@sha256=%s", world->lookaside, repository_path, world->hex);
}

/* @names, separated by spaces, are signature-1, signature-2 …; “-” leaves a gap. */
static void
publish (const char *repository_path, const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);
  g_autofree char *folder = signature_folder (repository_path);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  for (guint i = 0; i < 9; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/signature-%u", folder, i + 1);

      (void) unlink (path);
    }
  for (guint i = 0; *names != '\0' && list[i] != NULL; i++)
    if (!g_str_equal (list[i], "-"))
      {
        g_autofree char *path = g_strdup_printf ("%s/signature-%u", folder, i + 1);
        gsize length = 0;
        const char *data = g_bytes_get_data (atm_test_publisher_blob (list[i]), &length);

        g_assert_true (g_file_set_contents (path, data, (gssize) length, NULL));
      }
}

static GPtrArray *
stored (const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);
  GPtrArray *blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  for (guint i = 0; *names != '\0' && list[i] != NULL; i++)
    g_ptr_array_add (blobs, g_bytes_ref (atm_test_publisher_blob (list[i])));
  return blobs;
}

/* Row 77: nothing of gpg is left, neither a folder nor a process. */
static void
assert_clean (void)
{
  g_autoptr (GDir) left = g_dir_open (world->run, 0, NULL);
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  const char *name;

  g_assert_null (g_dir_read_name (left));
  while ((name = g_dir_read_name (processes)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc", name, "cmdline", NULL);
      g_autofree char *line = NULL;
      gsize length = 0;

      if (!g_ascii_isdigit (*name) || !g_file_get_contents (path, &line, &length, NULL))
        continue;
      for (gsize i = 0; i < length; i++)
        if (line[i] == '\0')
          line[i] = ' ';
      if (length > 0 && strstr (line, world->run) != NULL && strstr (line, "gpg-agent") != NULL)
        g_error ("left behind: %s", line);
    }
}

static gboolean
ask (const char *image, GPtrArray *signatures, AtmVerdict **verdict_out, GError **error)
{
  g_autofree char *policy = atm_test_publisher_file ("policy.json"),
                  *none = atm_test_publisher_file ("registries.d");
  const AtmTrustOptions options = { .policy_path = policy,
                                    .registries_d = none,
                                    .gpg_home_parent = world->run,
                                    .lookaside_dir = world->lookaside };
  g_autoptr (GBytes) manifest = atm_test_bytes (ATM_TEST_MANIFEST);
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmTrust) trust = NULL;
  gboolean allowed = FALSE;

  if (!atm_origin_parse (image, &origin, error))
    return FALSE;
  allowed = atm_trust_open (&options, origin, &trust, error)
            && atm_trust_judge (trust, manifest, signatures, NULL, verdict_out, error);
  assert_clean ();
  return allowed;
}

/* A refusal is one line that names kind and image (trust.md 20). */
static void
check_message (const char *row, const char *image, const GError *error, const char *kind)
{
  g_autoptr (AtmOrigin) origin = NULL;
  g_autofree char *reference = NULL, *start = NULL;

  g_assert_true (atm_origin_parse (image, &origin, NULL));
  reference = atm_origin_to_string (origin);
  start = g_strdup_printf ("trust: %s: %s: ", kind, reference);
  if (error->domain != ATM_TRUST_ERROR || !g_str_has_prefix (error->message, start)
      || strchr (error->message, '\n') != NULL)
    g_error ("row %s: expected “%s…”, got “%s”", row, start, error->message);
  g_test_message ("%s: %s", row, error->message);
}

#define SCOPED(scope, list)                                                                        \
  "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{\"" scope "\":[" list "]}}}"
#define BY(members) "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\"," members "}"
#define LIST(list) SCOPED ("reg.test:5000", list)
#define PATH(key) BY ("\"keyPath\":\"@" key "@\"")
#define DATA(key) BY ("\"keyData\":\"%" key "%\"")
#define BY_A PATH ("a.gpg")
#define BY_B PATH ("b.gpg")
#define NAMED(identity) BY ("\"keyPath\":\"@a.gpg@\",\"signedIdentity\":" identity)
#define REMAP                                                                                      \
  NAMED ("{\"type\":\"remapIdentity\",\"prefix\":\"reg.test:5000\","                               \
         "\"signedPrefix\":\"vendor.example\"}")
#define ACCEPT "{\"type\":\"insecureAcceptAnything\"}"
#define DIGEST "@DIGEST" /* replaced by the manifest's */

static const struct
{
  const char *row;
  const char *policy;
  const char *image; /* NULL: ATM_TEST_IMAGE */
  const char *signatures;
  const char *kind; /* NULL: allowed */
  const char *text; /* (nullable): part of the message */
} cases[] = {
  { "1", LIST (BY_A), NULL, "a", NULL, NULL },
  { "2", LIST (BY_A), NULL, "", "unsigned", NULL },
  { "3", LIST (BY_A), NULL, "b", "unknown-key", NULL },
  { "4", LIST (BY_A), NULL, "b a", NULL, NULL },
  { "5", LIST (BY_A), NULL, "- a", "unsigned", NULL },
  { "6", LIST (BY_A), NULL, "other-digest", "digest-mismatch", ATM_TEST_OTHER_HEX },
  { "7", LIST (BY_A), NULL, "a-tag2", "identity-mismatch", "ns/app:2" },
  { "8", LIST (BY_A), "reg.test:5000/ns/app" DIGEST, "a-tag2", NULL, NULL },
  { "9", LIST (NAMED ("{\"type\":\"matchExact\"}")), "reg.test:5000/ns/app" DIGEST, "a-tag2",
    "identity-mismatch", NULL },
  { "10 tag", LIST (BY_A), NULL, "a-bare", "identity-mismatch", NULL },
  { "10 digest", LIST (BY_A), "reg.test:5000/ns/app" DIGEST, "a-bare", "identity-mismatch", NULL },
  { "11", LIST (NAMED ("{\"type\":\"matchRepository\"}")), NULL, "a-bare", NULL, NULL },
  { "12", LIST (BY_A), NULL, "a-no-port", "identity-mismatch", NULL },
  { "13", LIST (REMAP), NULL, "a-vendor", NULL, NULL },
  { "14", SCOPED ("reg.test:50001", REMAP), "reg.test:50001/ns/app:1", "a-vendor",
    "identity-mismatch", NULL },
  { "15", LIST (NAMED ("{\"type\":\"exactReference\",\"dockerReference\":\"vendor.example/x:9\"}")),
    NULL, "a-x9", NULL, NULL },
  { "16", SCOPED ("docker.io", BY_A), "app:1", "a-index", NULL, NULL },
  { "17", SCOPED ("docker.io", BY_A), "app:1", "a-upper", "identity-mismatch", NULL },
  { "18", LIST (BY_A "," BY_B), NULL, "a", "unknown-key", NULL },
  { "19", LIST (BY_A "," BY_B), NULL, "a b", NULL, NULL },
  { "20", LIST (BY ("\"keyPaths\":[\"@b.gpg@\",\"@a.gpg@\"]")), NULL, "a", NULL, NULL },
  { "21", LIST (BY ("\"keyPaths\":[\"@a.gpg@\",\"@missing@\"]")), NULL, "a", "keyring-error",
    "missing" },
  { "22", LIST (PATH ("text.gpg")), NULL, "a", "keyring-error", "no public keys" },
  { "22 data", LIST (DATA ("text.gpg")), NULL, "a", "keyring-error", "no public keys" },
  { "23 armored", LIST (DATA ("a.asc")), NULL, "a", NULL, NULL },
  { "23 binary", LIST (DATA ("a.gpg")), NULL, "a", NULL, NULL },
  { "23 two, a", LIST (DATA ("both.asc")), NULL, "a", NULL, NULL },
  { "23 two, b", LIST (DATA ("both.asc")), NULL, "b", NULL, NULL },
  { "23 file", LIST (PATH ("both.asc")), NULL, "b", NULL, NULL },
  { "24", LIST (BY_A ",{\"type\":\"reject\"}"), NULL, "a", "rejected", "policy.json" },
  { "25", LIST (ACCEPT "," BY_A), NULL, "", "unsigned", NULL },
  { "accept", LIST (ACCEPT), NULL, "html", NULL, NULL },
  { "26", LIST ("{\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\"}"), NULL, "a",
    "policy-unsupported", "sigstoreSigned" },
  { "26 after", LIST (BY_A ",{\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\"}"), NULL, "a",
    "policy-unsupported", "reg.test:5000" },
  { "base", LIST ("{\"type\":\"signedBaseLayer\",\"baseLayerIdentity\":{\"type\":\"matchExact\"}}"),
    NULL, "a", "policy-unsupported", "signedBaseLayer" },
  { "27", LIST ("{\"type\":\"signedBy\",\"keyType\":\"X509Certificates\",\"keyPath\":\"@a.gpg@\"}"),
    NULL, "a", "policy-unsupported", "X509Certificates" },
  { "28", SCOPED (ATM_TEST_IMAGE, ACCEPT), "reg.test:5000/ns/app" DIGEST, "", "rejected", NULL },
  { "29", SCOPED ("reg.test", BY_A), NULL, "a", "rejected", "“default”" },
  { "30", SCOPED ("*.test", BY_A), NULL, "a", NULL, NULL },
  { "31", SCOPED ("*.reg.test", BY_A), NULL, "a", "rejected", NULL },
  { "31 star", SCOPED ("*", BY_A), NULL, "a", "rejected", NULL },
  { "32 payload", LIST (BY_A), NULL, "a-plain-payload", "bad-signature", NULL },
  { "32 signature", LIST (BY_A), NULL, "a-plain-signature", "bad-signature", NULL },
  { "33 clear", LIST (BY_A), NULL, "a-clear", "signature-format", "armored" },
  { "33 armor", LIST (BY_A), NULL, "a-armor", "signature-format", "armored" },
  { "33 beside", LIST (BY_A), NULL, "a a-armor", "signature-format", "signature-2" },
  { "34", LIST (BY_A), NULL, "a-detached", "bad-signature", NULL },
  { "35", LIST (BY_A), NULL, "literal", "signature-format", "no signature" },
  { "35 plain", LIST (BY_A), NULL, "literal-plain", "signature-format", NULL },
  { "36 encrypted", LIST (BY_A), NULL, "encrypted", "signature-format", NULL },
  { "36 empty", LIST (BY_A), NULL, "empty", "signature-format", NULL },
  { "36 html", LIST (BY_A), NULL, "html", "signature-format", NULL },
  { "37", LIST (BY ("\"keyPaths\":[\"@b.gpg@\",\"@a.gpg@\"]")), NULL, "two", "bad-signature",
    "2 signatures" },
  { "38", LIST (BY_A), NULL, "a-plain", NULL, NULL },
  { "39 after", LIST (BY_A), NULL, "plain-literal", "signature-format", NULL },
  { "39 before", LIST (BY_A), NULL, "literal-a-plain", "signature-format", NULL },
  { "39 twice", LIST (BY_A), NULL, "plain-twice", "signature-format", NULL },
  { "39 bytes", LIST (BY_A), NULL, "plain-trailing", "signature-format", NULL },
  { "40", LIST (BY_A), NULL, "trailing", NULL, NULL },
  { "41", LIST (BY_A), NULL, "bomb", "limit-exceeded", NULL },
  { "42 signature", LIST (BY_A), NULL, "a-old", "expired-signature", NULL },
  { "42 key", LIST (PATH ("expired.gpg")), NULL, "expired", "expired-key", NULL },
  { "42 revoked", LIST (PATH ("revoked.gpg")), NULL, "revoked", "revoked-key", NULL },
  { "42 subkey", LIST (PATH ("sub.gpg")), NULL, "sub-revoked", "revoked-key", NULL },
  { "43", LIST (BY_A), NULL, "a-sub", NULL, NULL },
  { "44", LIST (PATH ("rsa.gpg")), NULL, "rsa-sha1", "weak-digest", NULL },
  { "44 strong", LIST (PATH ("rsa.gpg")), NULL, "rsa-sha512", NULL, NULL },
  { "45", LIST (BY_A), NULL, "b-block", "unknown-key", NULL },
  { "45 again", LIST (BY_A), NULL, "b-block b", "unknown-key", "signature-2" },
  { "47", LIST (BY_A), NULL, "not-json", "payload-invalid", NULL },
  { "47 more", LIST (BY_A), NULL, "second-object", "payload-invalid", NULL },
  { "47 optional", LIST (BY_A), NULL, "no-optional", "payload-invalid", NULL },
  { "48", LIST (BY_A), NULL, "newline", NULL, NULL },
  { "49", LIST (BY_A), NULL, "short-digest", "payload-invalid", NULL },
  { "49 sha512", LIST (BY_A), NULL, "sha512", "digest-mismatch", NULL },
  { "50", LIST (BY_A), NULL, "tagged", NULL, NULL },
  { "51", LIST (BY_A), NULL, "sigstore a", NULL, NULL },
  { "51 alone", LIST (BY_A), NULL, "sigstore", "unsigned", NULL },
  { "51 other", LIST (BY_A), NULL, "a other-tag", "signature-format", NULL },
  { "52", SCOPED ("other.test", "{\"type\":\"x\"}"), NULL, "a", "policy-syntax", "other.test" },
  { "54", LIST (PATH ("open.gpg")), NULL, "a", "keyring-error", "go-w" },
  { "relative", LIST (BY ("\"keyPath\":\"a.gpg\"")), NULL, "a", "keyring-error", "absolute" },
  { "no paths", LIST (BY ("\"keyPaths\":[]")), NULL, "a", "keyring-error", "no public keys" },
  { "no data", LIST (BY ("\"keyData\":\"\"")), NULL, "a", "keyring-error", "no public keys" },
  { "secret", LIST (PATH ("secret.gpg")), NULL, "a", "keyring-error", NULL },
  { "several", LIST (BY_A), NULL, "b a-tag2 other-digest", "digest-mismatch",
    "signature-2: it signs the name" },
  { "61", SCOPED ("", BY_A), NULL, "a", NULL, NULL },
  { "67", LIST (BY_A), "reg.test:5000/ns/app:1" DIGEST, "a-tag2", NULL, NULL },
};

static void
test_cases (void)
{
  g_autofree char *open_key = atm_test_publisher_file ("open.gpg");

  g_assert_cmpint (chmod (open_key, 0666), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *template = cases[i].image != NULL ? cases[i].image : ATM_TEST_IMAGE;
      g_auto (GStrv) parts = g_strsplit (template, DIGEST, 2);
      g_autofree char *image = g_strconcat (parts[0], parts[1] != NULL ? "@" : "",
                                            parts[1] != NULL ? world->digest : "", NULL);
      g_autoptr (AtmVerdict) verdict = NULL;
      g_autoptr (GError) error = NULL;

      write_policy (cases[i].policy);
      publish (g_str_has_prefix (image, "app") ? "library/app" : "ns/app", cases[i].signatures);
      if (ask (image, NULL, &verdict, &error) != (cases[i].kind == NULL))
        g_error ("row %s: %s", cases[i].row, error != NULL ? error->message : "allowed");
      if (cases[i].kind != NULL)
        check_message (cases[i].row, image, error, cases[i].kind);
      if (cases[i].text != NULL && strstr (error->message, cases[i].text) == NULL)
        g_error ("row %s: %s", cases[i].row, error->message);
    }
}

/* Row 46: the keyring and the ownertrust of the user are not asked. */
static void
test_user_keyring (void)
{
  g_autofree char *home = atm_test_scratch_path ();
  g_autofree char *link = g_build_filename (home, ".gnupg", NULL);
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (symlink (world->home, link), ==, 0);
  g_setenv ("HOME", home, TRUE);
  g_setenv ("GNUPGHOME", world->home, TRUE);
  write_policy (LIST (BY_A));
  publish ("ns/app", "b");
  g_assert_false (ask (ATM_TEST_IMAGE, NULL, &verdict, &error));
  g_unsetenv ("GNUPGHOME");
  check_message ("46", ATM_TEST_IMAGE, error, "unknown-key");
}

/* Row 75 and trust.md 17: what was stored is judged by the policy of today. */
static void
test_stored (void)
{
  const struct
  {
    const char *policy, *signatures, *kind;
  } table[] = {
    { LIST (BY_A), "a", NULL },
    { LIST (BY_A), "", "unsigned" },
    { LIST (BY_A "," BY_B), "a", "unknown-key" },
    { LIST (BY_B), "a", "unknown-key" },
    { LIST ("{\"type\":\"reject\"}"), "a", "rejected" },
    { LIST (ACCEPT), "", NULL },
  };

  publish ("ns/app", "a b");
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GPtrArray) signatures = stored (table[i].signatures);
      g_autoptr (AtmVerdict) verdict = NULL;
      g_autoptr (GError) error = NULL;

      write_policy (table[i].policy);
      g_assert_cmpint (ask (ATM_TEST_IMAGE, signatures, &verdict, &error), ==,
                       table[i].kind == NULL);
      if (table[i].kind != NULL)
        check_message ("75", ATM_TEST_IMAGE, error, table[i].kind);
    }
}

/* Row 68, with a layout: a folder has no name that could have been signed. */
static void
test_layout (void)
{
  const struct
  {
    const char *requirement, *kind;
  } table[] = {
    { BY_A, "identity-mismatch" },
    { NAMED ("{\"type\":\"matchRepository\"}"), "identity-mismatch" },
    { NAMED ("{\"type\":\"exactReference\",\"dockerReference\":\"" ATM_TEST_IMAGE "\"}"), NULL },
  };
  g_autofree char *layout = atm_test_publisher_file ("layout"),
                  *image = g_strconcat ("oci:", layout, ":1", NULL);

  g_assert_cmpint (g_mkdir (layout, 0755), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *policy = g_strdup_printf (
          "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"oci\":{\"%s\":[%s]}}}",
          world->folder, table[i].requirement);
      g_autoptr (GPtrArray) signatures = stored ("a");
      g_autoptr (AtmVerdict) verdict = NULL;
      g_autoptr (GError) error = NULL;

      write_policy (policy);
      g_assert_cmpint (ask (image, signatures, &verdict, &error), ==, table[i].kind == NULL);
      if (table[i].kind != NULL)
        check_message ("68", image, error, table[i].kind);
    }
}

/* Row 68: the signatures of a “dir:” image are files of the folder. */
static void
test_dir (void)
{
#define EXACT NAMED ("{\"type\":\"exactReference\",\"dockerReference\":\"" ATM_TEST_IMAGE "\"}")
  const struct
  {
    const char *requirement;
    const char *name; /* of the file; “HEX” becomes the digest's; NULL: none */
    const char *signature, *kind;
  } table[] = {
    { BY_A, "signature-1", "a", "identity-mismatch" },
    { EXACT, "signature-1", "a", NULL },
    { EXACT, "HEX.signature-1", "a", NULL },
    { EXACT, "signature-1", "b", "unknown-key" },
    { EXACT, "signature-1", "other-digest", "digest-mismatch" },
    { EXACT, "signature-1", "html", "signature-format" },
    { EXACT, "signature-2", "a", "unsigned" },
    { EXACT, NULL, NULL, "unsigned" },
    { ACCEPT, NULL, NULL, NULL },
    { "{\"type\":\"reject\"}", "signature-1", "a", "rejected" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *leaf = g_strdup_printf ("dir%u", i),
                      *folder = atm_test_publisher_file (leaf);
      g_autofree char *image = g_strconcat ("dir:", folder, NULL);
      g_autofree char *policy = g_strdup_printf (
          "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"dir\":{\"%s\":[%s]}}}",
          world->folder, table[i].requirement);
      g_autoptr (AtmVerdict) verdict = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (g_mkdir (folder, 0755), ==, 0);
      if (table[i].name != NULL)
        {
          g_auto (GStrv) parts = g_strsplit (table[i].name, "HEX", 2);
          g_autofree char *name = g_strjoinv (world->hex, parts);
          g_autofree char *path = g_build_filename (folder, name, NULL);
          gsize length = 0;
          const char *data
              = g_bytes_get_data (atm_test_publisher_blob (table[i].signature), &length);

          g_assert_true (g_file_set_contents (path, data, (gssize) length, NULL));
        }
      write_policy (policy);
      if (ask (image, NULL, &verdict, &error) != (table[i].kind == NULL))
        g_error ("row %u: %s", i, error != NULL ? error->message : "allowed");
      if (table[i].kind != NULL)
        check_message ("68 dir", image, error, table[i].kind);
    }
}

/* Sources without signatures: accepted or rejected, each by the scopes of its own transport. */
static void
test_unsigned_sources (void)
{
  const struct
  {
    const char *image, *transport, *scope, *requirement, *kind; /* “%s” is the folder */
  } table[] = {
    { "docker-archive:%s/x.tar", "docker-archive", "", ACCEPT, NULL },
    { "dockertar:%s/x.tar:busybox:1", "docker-archive", "", ACCEPT, NULL },
    { "docker-archive:%s/x.tar", "docker-archive", "", BY_A, "unsigned" },
    { "docker-archive:%s/x.tar", "docker", "", ACCEPT, "rejected" },
    { "docker-archive:%s/x.tar", "docker-archive", "%s", ACCEPT, "policy-syntax" },
    { "oci-archive:%s/x.tar:1", "oci-archive", "%s/x.tar", ACCEPT, NULL },
    { "oci-archive:%s/x.tar", "oci-archive", "%s", ACCEPT, NULL },
    { "oci-archive:%s/x.tar", "oci", "%s", ACCEPT, "rejected" },
    { "oci-archive:%s/x.tar", "oci-archive", "%s/x", ACCEPT, "rejected" },
    { "oci-archive:%s/x.tar", "oci-archive", "%s", BY_A, "unsigned" },
    { "docker:busybox:1", "docker-daemon", "docker.io/library/busybox", ACCEPT, NULL },
    { "docker:busybox:1", "docker-daemon", "docker.io/library/busybox:1", ACCEPT, NULL },
    { "docker:busybox:1", "docker-daemon", "docker.io", ACCEPT, NULL },
    { "docker:busybox:2", "docker-daemon", "docker.io/library/busybox:1", ACCEPT, "rejected" },
    { "docker:busybox:1", "docker", "docker.io", ACCEPT, "rejected" },
    { "docker:busybox:1", "docker-daemon", "docker.io", BY_A, "unsigned" },
    { "docker:sha256:" ATM_TEST_OTHER_HEX, "docker-daemon", "", ACCEPT, NULL },
    { "docker:sha256:" ATM_TEST_OTHER_HEX, "docker-daemon", "docker.io", ACCEPT, "rejected" },
  };
  g_autofree char *file = g_build_filename (world->folder, "x.tar", NULL);

  g_assert_true (g_file_set_contents (file, "", 0, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (GStrv) image_parts = g_strsplit (table[i].image, "%s", -1),
                     scope_parts = g_strsplit (table[i].scope, "%s", -1);
      g_autofree char *image = g_strjoinv (world->folder, image_parts),
                      *scope = g_strjoinv (world->folder, scope_parts);
      g_autofree char *policy = g_strdup_printf (
          "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"%s\":{\"%s\":[%s]}}}",
          table[i].transport, scope, table[i].requirement);
      g_autoptr (AtmVerdict) verdict = NULL;
      g_autoptr (GError) error = NULL;

      write_policy (policy);
      if (ask (image, NULL, &verdict, &error) != (table[i].kind == NULL))
        g_error ("row %u: %s", i, error != NULL ? error->message : "allowed");
      if (table[i].kind != NULL)
        check_message ("sources", image, error, table[i].kind);
    }
}

static void
test_verdict (void)
{
  g_auto (GStrv) accepted_by = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *json = NULL;
  JsonArray *requirements = NULL, *signatures = NULL;
  JsonObject *first = NULL;

  write_policy (LIST (ACCEPT "," BY_A "," BY_A "," BY_B));
  publish ("ns/app", "b a-sub a");
  if (!ask (ATM_TEST_IMAGE, NULL, &verdict, &error))
    g_error ("%s", error->message);
  g_assert_cmpstr (atm_verdict_get_reference (verdict), ==, ATM_TEST_IMAGE);
  g_assert_cmpstr (atm_verdict_get_digest (verdict)->hex, ==, world->hex);
  g_assert_cmpuint (atm_verdict_get_signatures (verdict)->len, ==, 2);
  g_assert_true (g_bytes_equal (g_ptr_array_index (atm_verdict_get_signatures (verdict), 0),
                                atm_test_publisher_blob ("a-sub")));

  json = atm_verdict_to_json (verdict);
  bytes = atm_test_bytes (json);
  g_assert_true (atm_json_parse_object (bytes, &object, &error));
  g_assert_cmpstr (json_object_get_string_member (object, "reference"), ==, ATM_TEST_IMAGE);
  g_assert_cmpstr (json_object_get_string_member (object, "digest"), ==, world->digest);
  g_assert_cmpstr (json_object_get_string_member (object, "transport"), ==, "docker");
  g_assert_cmpstr (json_object_get_string_member (object, "scope"), ==, "reg.test:5000");
  g_assert_false (json_object_has_member (object, "default"));
  requirements = json_object_get_array_member (object, "requirements");
  g_assert_cmpuint (json_array_get_length (requirements), ==, 4);
  first = json_array_get_object_element (requirements, 0);
  g_assert_cmpstr (json_object_get_string_member (first, "type"), ==, "insecureAcceptAnything");
  /* Row 43: the subkey signed, the primary key is named. */
  first = json_array_get_object_element (requirements, 1);
  g_assert_cmpstr (
      json_array_get_string_element (json_object_get_array_member (first, "accepted-by"), 0), ==,
      world->a);
  signatures = json_object_get_array_member (object, "signatures");
  g_assert_cmpuint (json_array_get_length (signatures), ==, 2);
  first = json_array_get_object_element (signatures, 1);
  g_assert_cmpstr (json_object_get_string_member (first, "fingerprint"), ==, world->b);
  g_assert_cmpstr (json_object_get_string_member (first, "identity"), ==, ATM_TEST_IMAGE);

  accepted_by = atm_verdict_dup_accepted_by (json);
  g_assert_cmpstr (accepted_by[0], ==, "insecureAcceptAnything");
  g_assert_cmpstr (accepted_by[1], ==, world->a);
  g_assert_cmpstr (accepted_by[2], ==, world->b);
  g_assert_null (accepted_by[3]);
}

static void
test_accepted_by_damaged (void)
{
  const char *const damaged[] = {
    "",
    "[]",
    "{}",
    "{\"requirements\":{}}",
    "{\"requirements\":[1,{}]}",
    "{\"requirements\":[{\"type\":\"x\",\"accepted-by\":\"y\"}]}",
    "{\"site\":[]}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (damaged); i++)
    {
      g_auto (GStrv) words = atm_verdict_dup_accepted_by (damaged[i]);

      g_assert_null (words[0]);
    }
}

static AtmVerdict *
verdict_on (const char *image, const char *names)
{
  g_autoptr (GPtrArray) signatures = stored (names);
  g_autoptr (GError) error = NULL;
  AtmVerdict *verdict = NULL;

  if (!ask (image, signatures, &verdict, &error))
    g_error ("%s", error->message);
  return verdict;
}

/* Row 76. */
static void
test_downgrade (void)
{
  const struct
  {
    const char *installed_image, *installed, *offered_image, *offered;
    gboolean allowed;
  } table[] = {
    { ATM_TEST_IMAGE, "a", ATM_TEST_IMAGE, "a", TRUE },
    { ATM_TEST_IMAGE, "a-2024", ATM_TEST_IMAGE, "a", TRUE },
    { ATM_TEST_IMAGE, "a", ATM_TEST_IMAGE, "a-2024", FALSE },
    { ATM_TEST_IMAGE, "b", ATM_TEST_IMAGE, "a-2024", TRUE },
    { "reg.test:5000/ns/app:2", "a", ATM_TEST_IMAGE, "a-2024", TRUE },
  };
  const char *const unreadable[]
      = { "",
          "{}",
          "[]",
          "{\"reference\":\"" ATM_TEST_IMAGE "\",\"signatures\":[1]}",
          "{\"reference\":\"" ATM_TEST_IMAGE "\",\"signatures\":[{}]}",
          "{\"reference\":\"" ATM_TEST_IMAGE
          "\",\"signatures\":[{\"fingerprint\":\"A\",\"created\":\"yesterday\"}]}" };
  g_autoptr (AtmVerdict) verdict = NULL;

  write_policy (LIST (BY ("\"keyPaths\":[\"@b.gpg@\",\"@a.gpg@\"],\"signedIdentity\":"
                          "{\"type\":\"matchRepository\"}")));
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (AtmVerdict) installed = verdict_on (table[i].installed_image, table[i].installed);
      g_autoptr (AtmVerdict) offered = verdict_on (table[i].offered_image, table[i].offered);
      g_autofree char *json = atm_verdict_to_json (installed);
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (atm_trust_check_downgrade (offered, json, &error), ==, table[i].allowed);
      if (!table[i].allowed)
        check_message ("76", table[i].offered_image, error, "downgrade");
    }

  verdict = verdict_on (ATM_TEST_IMAGE, "a");
  g_assert_true (atm_trust_check_downgrade (verdict, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (unreadable); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (atm_trust_check_downgrade (verdict, unreadable[i], &error));
      check_message ("76 unreadable", ATM_TEST_IMAGE, error, "downgrade");
    }
}

/* An operation whose time is up is an error, and the engine can be let go in the middle of it. */
static void
test_time (void)
{
  gpgme_ctx_t context = NULL;
  gpgme_data_t input = NULL, output = NULL;
  gpgme_error_t result = 0;
  g_autoptr (AtmGpgWait) wait = NULL;
  g_autoptr (GError) error = NULL;
  gsize length = 0;
  const char *data = g_bytes_get_data (atm_test_publisher_blob ("a"), &length);

  g_assert_cmpint ((int) gpgme_new (&context), ==, 0);
  g_assert_cmpint ((int) gpgme_ctx_set_engine_info (context, GPGME_PROTOCOL_OpenPGP, "/usr/bin/gpg",
                                                    world->home),
                   ==, 0);
  wait = atm_gpg_wait_new (context);
  g_assert_cmpint ((int) gpgme_data_new_from_mem (&input, data, length, 0), ==, 0);
  g_assert_cmpint ((int) gpgme_data_new (&output), ==, 0);
  g_assert_cmpint ((int) gpgme_op_verify_start (context, input, NULL, output), ==, 0);
  g_assert_false (atm_gpg_wait_run (wait, 0, &result, NULL, &error));
  g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED);
  gpgme_data_release (input);
  gpgme_data_release (output);
  gpgme_release (context);
}

static void
test_cancelled (void)
{
  g_autofree char *policy = atm_test_publisher_file ("policy.json"),
                  *none = atm_test_publisher_file ("registries.d");
  const AtmTrustOptions options = { .policy_path = policy,
                                    .registries_d = none,
                                    .gpg_home_parent = world->run,
                                    .lookaside_dir = world->lookaside };
  g_autoptr (GBytes) manifest = atm_test_bytes (ATM_TEST_MANIFEST);
  g_autoptr (GPtrArray) signatures = stored ("a");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmTrust) trust = NULL;
  g_autoptr (GError) error = NULL;
  AtmVerdict *verdict = NULL;

  write_policy (LIST (BY_A));
  g_assert_true (atm_origin_parse (ATM_TEST_IMAGE, &origin, NULL));
  g_assert_true (atm_trust_open (&options, origin, &trust, &error));
  g_cancellable_cancel (cancellable);
  g_assert_false (atm_trust_judge (trust, manifest, signatures, cancellable, &verdict, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (verdict);
  assert_clean ();
}

int
main (int argc, char *argv[])
{
  int result = 0;

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  world = atm_test_publisher_new ();
  g_test_add_func ("/trust/cases", test_cases);
  g_test_add_func ("/trust/user-keyring", test_user_keyring);
  g_test_add_func ("/trust/stored", test_stored);
  g_test_add_func ("/trust/layout", test_layout);
  g_test_add_func ("/trust/dir", test_dir);
  g_test_add_func ("/trust/unsigned-sources", test_unsigned_sources);
  g_test_add_func ("/trust/verdict", test_verdict);
  g_test_add_func ("/trust/accepted-by-damaged", test_accepted_by_damaged);
  g_test_add_func ("/trust/downgrade", test_downgrade);
  g_test_add_func ("/trust/time", test_time);
  g_test_add_func ("/trust/cancelled", test_cancelled);
  result = g_test_run ();
  atm_test_publisher_free (world);
  return result;
}
