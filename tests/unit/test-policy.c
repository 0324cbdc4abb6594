/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "trust/places.h"
#include "trust/policy.h"
#include "trust/trust.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "image/origin.h"

#define REJECT "[{\"type\":\"reject\"}]"
#define ACCEPT "[{\"type\":\"insecureAcceptAnything\"}]"
#define DEFAULT "\"default\":" REJECT
/* One requirement, in a scope that no test asks about. */
#define WITH(requirement)                                                                          \
  "{" DEFAULT ",\"transports\":{\"docker\":{\"other.test\":[" requirement "]}}}"
#define SIGNED(members) WITH ("{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\"," members "}")
#define IDENTITY(identity) SIGNED ("\"keyPath\":\"/k\",\"signedIdentity\":" identity)
#define SCOPE(transport, scope)                                                                    \
  "{" DEFAULT ",\"transports\":{\"" transport "\":{\"" scope "\":" REJECT "}}}"
#define SIGSTORE(members) WITH ("{\"type\":\"sigstoreSigned\"," members "}")
#define D "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
test_accepts (void)
{
  const char *const good[] = {
    "{" DEFAULT "}",
    " {" DEFAULT "}\n",
    "{" DEFAULT ",\"transports\":{}}",
    "{" DEFAULT ",\"transports\":{\"docker\":{}}}",
    "{" DEFAULT ",\"transports\":{\"docker\":{\"\":" ACCEPT "}}}",
    "{\"default\":[{\"type\":\"insecureAcceptAnything\"},{\"type\":\"reject\"}]}",
    SCOPE ("nobody-knows", "/any/../thing"),
    SCOPE ("docker", "any thing"),
    SCOPE ("atomic", "h.test:5000/ns/stream:tag"),
    SCOPE ("docker-daemon", "docker.io/library/busybox:latest"),
    SCOPE ("dir", "/srv/a"),
    SCOPE ("oci", "/srv/a:b"),
    SCOPE ("ostree", "/ostree/repo:a/b"),
    SCOPE ("ostree", "/ostree/repo"),
    SCOPE ("ostree", "site"),
    SCOPE ("ostree", "site:q.io/a:1"),
    SIGNED ("\"keyPath\":\"/k\""),
    SIGNED ("\"keyPath\":\"relative\""),
    SIGNED ("\"keyPaths\":[\"/a\",\"/b\"]"),
    SIGNED ("\"keyPaths\":[]"),
    SIGNED ("\"keyData\":\"\""),
    SIGNED ("\"keyData\":\"AA==\""),
    SIGNED ("\"keyData\":\"A\\r\\nAA\\n=\\n\""),
    WITH ("{\"type\":\"signedBy\",\"keyType\":\"signedByGPGKeys\",\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"signedBy\",\"keyType\":\"X509Certificates\",\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"signedBy\",\"keyType\":\"signedByX509CAs\",\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"signedBaseLayer\",\"baseLayerIdentity\":{\"type\":\"matchExact\"}}"),
    IDENTITY ("{\"type\":\"matchExact\"}"),
    IDENTITY ("{\"type\":\"exactReference\",\"dockerReference\":\"h.test/a:1" D "\"}"),
    IDENTITY ("{\"type\":\"exactReference\",\"dockerReference\":\"a:1\"}"),
    IDENTITY ("{\"type\":\"exactRepository\",\"dockerRepository\":\"h.test/a:1\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h:1\",\"signedPrefix\":\"docker.io/x\"}"),
    SIGSTORE ("\"keyPath\":\"/k\""),
    SIGSTORE ("\"keyDatas\":[\"AA==\"],\"rekorPublicKeyPath\":\"/r\""),
    SIGSTORE ("\"fulcio\":{\"caPath\":\"/c\",\"oidcIssuer\":\"i\",\"subjectEmail\":\"e\"},"
              "\"rekorPublicKeyDatas\":[\"AA==\"]"),
    SIGSTORE ("\"pki\":{\"caRootsPath\":\"/c\",\"subjectEmail\":\"e\",\"subjectHostname\":\"h\"},"
              "\"signedIdentity\":{\"type\":\"matchRepository\"}"),
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (good[i]);
      g_autoptr (AtmPolicy) policy = NULL;
      g_autoptr (GError) error = NULL;

      if (!atm_policy_parse (bytes, "FILE", &policy, &error))
        g_error ("%s: %s", good[i], error->message);
    }
}

/* Row 52 of trust.md 21: each row of 3.3, also where the scope concerns nobody. */
static void
test_refuses (void)
{
  const char *const bad[] = {
    "",
    " ",
    "null",
    "[]",
    "{}",
    "\xef\xbb\xbf{" DEFAULT "}",
    "{" DEFAULT "} {}",
    "{" DEFAULT "}x",
    "{" DEFAULT ",}",
    "/* c */ {" DEFAULT "}",
    "{" DEFAULT " // c\n}",
    "{'default':" REJECT "}",
    "{" DEFAULT ",\"x\":\"\xff\"}",
    "{" DEFAULT ",\"_comment\":\"x\"}",
    "{\"Default\":" REJECT "}",
    "{" DEFAULT ",\"Transports\":{}}",
    "{" DEFAULT "," DEFAULT "}",
    "{" DEFAULT ",\"d\\u0065fault\":" REJECT "}",
    "{\"default\":null}",
    "{\"default\":[]}",
    "{\"default\":{\"type\":\"reject\"}}",
    "{" DEFAULT ",\"transports\":null}",
    "{" DEFAULT ",\"transports\":[]}",
    "{" DEFAULT ",\"transports\":{\"docker\":null}}",
    "{" DEFAULT ",\"transports\":{\"docker\":[]}}",
    "{" DEFAULT ",\"transports\":{\"docker\":{\"a\":null}}}",
    "{" DEFAULT ",\"transports\":{\"docker\":{\"a\":[]}}}",
    "{" DEFAULT ",\"transports\":{\"docker\":{\"a\":{}}}}",
    "{" DEFAULT ",\"transports\":{\"docker\":{\"a\":" REJECT ",\"a\":" REJECT "}}}",
    "{" DEFAULT ",\"transports\":{\"docker\":{\"h.test\":" REJECT ",\"H.test\":" REJECT "}}}",
    "{" DEFAULT ",\"transports\":{\"nobody-knows\":null}}",
    "{" DEFAULT ",\"transports\":{\"nobody-knows\":{\"a\":[{\"type\":\"x\"}]}}}",
    WITH (""),
    WITH ("null"),
    WITH ("\"reject\""),
    WITH ("[]"),
    WITH ("{}"),
    WITH ("{\"Type\":\"reject\"}"),
    WITH ("{\"type\":null}"),
    WITH ("{\"type\":1}"),
    WITH ("{\"type\":\"\"}"),
    WITH ("{\"type\":\"Reject\"}"),
    WITH ("{\"type\":\"signedBySomething\"}"),
    WITH ("{\"type\":\"reject\",\"x\":1}"),
    WITH ("{\"type\":\"insecureAcceptAnything\",\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"reject\",\"type\":\"reject\"}"),
    WITH ("{\"type\":\"signedBy\"}"),
    WITH ("{\"type\":\"signedBy\",\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"signedBy\",\"keyType\":\"\",\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"signedBy\",\"keyType\":\"gpgkeys\",\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"signedBy\",\"keyType\":null,\"keyPath\":\"/k\"}"),
    WITH ("{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\"}"),
    SIGNED ("\"keyPath\":\"\""),
    SIGNED ("\"keyPath\":null"),
    SIGNED ("\"keyPath\":7"),
    SIGNED ("\"keyPath\":\"/a\\u0000b\""),
    SIGNED ("\"keyPath\":\"/k\",\"KeyPath\":\"/k\""),
    SIGNED ("\"keyPath\":\"/k\",\"keyData\":\"\""),
    SIGNED ("\"keyPath\":\"/k\",\"keyPaths\":[]"),
    SIGNED ("\"keyPaths\":[\"/k\"],\"keyData\":\"AA==\""),
    SIGNED ("\"keyPaths\":null"),
    SIGNED ("\"keyPaths\":\"/k\""),
    SIGNED ("\"keyPaths\":[1]"),
    SIGNED ("\"keyPaths\":[null]"),
    SIGNED ("\"keyData\":null"),
    SIGNED ("\"keyData\":\"A\""),
    SIGNED ("\"keyData\":\"AA\""),
    SIGNED ("\"keyData\":\"AA=\""),
    SIGNED ("\"keyData\":\"A===\""),
    SIGNED ("\"keyData\":\"====\""),
    SIGNED ("\"keyData\":\"AA==AA==\""),
    SIGNED ("\"keyData\":\"AA= =\""),
    SIGNED ("\"keyData\":\"A-_A\""),
    SIGNED ("\"keyData\":\"-----BEGIN PGP PUBLIC KEY BLOCK-----\""),
    IDENTITY ("null"),
    IDENTITY ("\"matchExact\""),
    IDENTITY ("[]"),
    IDENTITY ("{}"),
    IDENTITY ("{\"type\":\"matchexact\"}"),
    IDENTITY ("{\"type\":\"matchExact\",\"x\":1}"),
    IDENTITY ("{\"type\":\"matchExact\",\"dockerReference\":\"h.test/a:1\"}"),
    IDENTITY ("{\"type\":\"exactReference\"}"),
    IDENTITY ("{\"type\":\"exactReference\",\"dockerReference\":null}"),
    IDENTITY ("{\"type\":\"exactReference\",\"dockerReference\":\"\"}"),
    IDENTITY ("{\"type\":\"exactReference\",\"dockerReference\":\"h.test/A:1\"}"),
    IDENTITY ("{\"type\":\"exactReference\",\"dockerReference\":\"h.test/a\"}"),
    IDENTITY ("{\"type\":\"exactReference\",\"dockerRepository\":\"h.test/a:1\"}"),
    IDENTITY ("{\"type\":\"exactRepository\"}"),
    IDENTITY ("{\"type\":\"exactRepository\",\"dockerRepository\":\"h.test/a b\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test\",\"signedPrefix\":\"\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test/\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test/a/\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test/a:1\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test:tag\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test/a" D "\",\"signedPrefix\":\"h\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"h.test" D "\",\"signedPrefix\":\"h\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"*.test\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"a/b\",\"signedPrefix\":\"h.test\"}"),
    IDENTITY ("{\"type\":\"remapIdentity\",\"prefix\":\"index.docker.io/b\","
              "\"signedPrefix\":\"h.test\"}"),
    WITH ("{\"type\":\"signedBaseLayer\"}"),
    WITH ("{\"type\":\"signedBaseLayer\",\"baseLayerIdentity\":null}"),
    WITH ("{\"type\":\"signedBaseLayer\",\"baseLayerIdentity\":{\"type\":\"x\"}}"),
    SIGSTORE ("\"signedIdentity\":{\"type\":\"matchExact\"}"),
    SIGSTORE ("\"keyPath\":\"/k\",\"keyData\":\"AA==\""),
    SIGSTORE ("\"keyPath\":\"/k\",\"keyType\":\"GPGKeys\""),
    SIGSTORE ("\"keyPath\":1"),
    SIGSTORE ("\"keyData\":\"?\""),
    SIGSTORE ("\"keyDatas\":[\"?\"]"),
    SIGSTORE ("\"keyPaths\":\"/k\""),
    SIGSTORE ("\"keyPath\":\"/k\",\"signedIdentity\":null"),
    SIGSTORE ("\"keyPath\":\"/k\",\"rekorPublicKeyPath\":\"/r\",\"rekorPublicKeyData\":\"AA==\""),
    SIGSTORE ("\"fulcio\":{\"caPath\":\"/c\",\"oidcIssuer\":\"i\",\"subjectEmail\":\"e\"}"),
    SIGSTORE ("\"fulcio\":{\"oidcIssuer\":\"i\",\"subjectEmail\":\"e\"},"
              "\"rekorPublicKeyPath\":\"/r\""),
    SIGSTORE ("\"fulcio\":{\"caPath\":\"/c\",\"subjectEmail\":\"e\"},"
              "\"rekorPublicKeyPath\":\"/r\""),
    SIGSTORE ("\"fulcio\":{\"caPath\":\"/c\",\"oidcIssuer\":\"i\",\"subjectEmail\":\"e\","
              "\"x\":1},\"rekorPublicKeyPath\":\"/r\""),
    SIGSTORE ("\"fulcio\":null,\"rekorPublicKeyPath\":\"/r\""),
    SIGSTORE ("\"pki\":{\"caRootsPath\":\"/c\"}"),
    SIGSTORE ("\"pki\":{\"subjectEmail\":\"e\"}"),
    SIGSTORE ("\"pki\":{\"caRootsPath\":\"/c\",\"caRootsData\":\"AA==\",\"subjectEmail\":\"e\"}"),
    SIGSTORE ("\"pki\":{\"caRootsPath\":\"/c\",\"subjectEmail\":\"e\"},"
              "\"rekorPublicKeyPath\":\"/r\""),
    SCOPE ("atomic", "h.test/ns/stream/more"),
    SCOPE ("docker-daemon",
           "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    SCOPE ("dir", "/"),
    SCOPE ("dir", "rel/path"),
    SCOPE ("dir", "/a/"),
    SCOPE ("dir", "/a//b"),
    SCOPE ("dir", "/a/./b"),
    SCOPE ("dir", "/a/../b"),
    SCOPE ("oci", "/"),
    SCOPE ("oci", "a"),
    SCOPE ("oci-archive", "/a/"),
    SCOPE ("docker-archive", "/x"),
    SCOPE ("tarball", "x"),
    SCOPE ("ostree", ":a"),
    SCOPE ("ostree", "ostree/repo"),
    SCOPE ("ostree", "ostree/repo:a"),
    SCOPE ("ostree", "/ostree/repo/:a"),
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i]);
      g_autoptr (GError) error = NULL;
      AtmPolicy *policy = NULL;

      if (atm_policy_parse (bytes, "FILE", &policy, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_SYNTAX);
      g_assert_nonnull (strstr (error->message, "FILE"));
      g_assert_null (policy);
    }
}

/* trust.md 4.2 and rows 28 to 31: where @found stands alone it is what is selected. */
static void
test_scopes (void)
{
  const struct
  {
    const char *scopes; /* of transport docker, each accepting; separated by spaces */
    const char *image;
    const char *found; /* NULL: the policy's default */
  } cases[] = {
    { "reg.test:5000", "reg.test:5000/ns/app:1", "reg.test:5000" },
    { "Reg.Test:5000", "reg.test:5000/ns/app:1", "reg.test:5000" },
    { "reg.test:5000 reg.test:5000/ns reg.test:5000/ns/app reg.test:5000/ns/app:1",
      "reg.test:5000/ns/app:1", "reg.test:5000/ns/app:1" },
    { "reg.test:5000 reg.test:5000/ns reg.test:5000/ns/app", "reg.test:5000/ns/app:1",
      "reg.test:5000/ns/app" },
    { "reg.test:5000/ns/app:1 reg.test:5000/ns", "reg.test:5000/ns/app" D, "reg.test:5000/ns" },
    { "reg.test:5000/ns/app:1 reg.test:5000/ns", "reg.test:5000/ns/app:1" D, "reg.test:5000/ns" },
    { "reg.test:5000/ns/app" D, "reg.test:5000/ns/app:1" D, "reg.test:5000/ns/app" D },
    { "reg.test", "reg.test:5000/ns/app:1", NULL },
    { "*.test", "reg.test:5000/ns/app:1", "*.test" },
    { "*.test reg.test:5000", "reg.test:5000/ns/app:1", "reg.test:5000" },
    { "*.reg.test *", "reg.test:5000/ns/app:1", NULL },
    { "*.example.com *.com", "yet.another.example.com:8443/ns/repo:t", "*.example.com" },
    { "docker.io/library", "busybox", "docker.io/library" },
    { "library/busybox busybox", "busybox", NULL },
    { "reg.test:5000/n", "reg.test:5000/ns/app:1", NULL },
    { "localhost:5000", "localhost:5000/a:1", "localhost:5000" },
    { "*.0.1", "127.0.0.1:5000/a:1", "*.0.1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (GStrv) names = g_strsplit (cases[i].scopes, " ", -1);
      g_autofree char *joined = g_strjoinv ("\":" ACCEPT ",\"", names);
      g_autofree char *text = g_strdup_printf (
          "{" DEFAULT ",\"transports\":{\"docker\":{\"%s\":" ACCEPT "}}}", joined);
      g_autoptr (GBytes) bytes = atm_test_bytes (text);
      g_autoptr (AtmPolicy) policy = NULL;
      g_autoptr (AtmOrigin) origin = NULL;
      g_auto (GStrv) scopes = NULL;
      const char *found = NULL;
      GPtrArray *list = NULL;

      g_assert_true (atm_policy_parse (bytes, "FILE", &policy, NULL));
      g_assert_true (atm_origin_parse (cases[i].image, &origin, NULL));
      scopes = atm_origin_dup_scopes (origin);
      list = atm_policy_select (policy, "docker", (const char *const *) scopes, &found);
      g_assert_cmpuint (list->len, ==, 1);
      g_assert_cmpstr (found, ==, cases[i].found);
    }
}

static void
write_policy (const char *path, const char *scope)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *text
      = g_strdup_printf ("{" DEFAULT ",\"transports\":{\"docker\":{\"%s\":" ACCEPT "}}}", scope);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_assert_true (
      g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, NULL));
  g_assert_cmpint (chmod (path, 0644), ==, 0);
}

/* A folder of the test's own. */
static char *vendor_dir;

static void
assert_load (const char *named, const char *config_dir, const char *path)
{
  g_autoptr (AtmPolicy) policy = NULL;
  g_autoptr (GError) error = NULL;

  if (!atm_policy_load (named, config_dir, vendor_dir, &policy, &error))
    g_error ("%s", error->message);
  g_assert_cmpstr (atm_policy_get_path (policy), ==, path);
}

static void
assert_no_load (const char *named, const char *config_dir, AtmTrustError code)
{
  g_autoptr (GError) error = NULL;
  AtmPolicy *policy = NULL;

  g_assert_false (atm_policy_load (named, config_dir, vendor_dir, &policy, &error));
  g_assert_error (error, ATM_TRUST_ERROR, (int) code);
  g_assert_null (policy);
}

/* Rows 53 and 56. */
static void
test_order (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *named = g_build_filename (folder, "named.json", NULL);
  g_autofree char *environment = g_build_filename (folder, "environment.json", NULL);
  g_autofree char *home = g_build_filename (folder, "home", NULL);
  g_autofree char *user = g_build_filename (home, ".config/containers/policy.json", NULL);
  g_autofree char *host = g_build_filename (folder, "policy.json", NULL);
  g_autofree char *vendor = g_build_filename (vendor_dir, "policy.json", NULL);
  g_autofree char *missing = g_build_filename (folder, "missing", NULL);

  write_policy (named, "a");
  write_policy (environment, "b");
  write_policy (user, "c");
  write_policy (host, "d");
  g_setenv ("HOME", home, TRUE);
  g_setenv ("TRUST_POLICY", environment, TRUE);
  assert_load (named, folder, named);
  assert_load (NULL, folder, environment);
  assert_no_load (missing, folder, ATM_TRUST_ERROR_POLICY_MISSING);
  g_setenv ("TRUST_POLICY", missing, TRUE);
  assert_no_load (NULL, folder, ATM_TRUST_ERROR_POLICY_MISSING);
  assert_load (named, folder, named);
  g_setenv ("TRUST_POLICY", "", TRUE);
  assert_no_load (NULL, folder, ATM_TRUST_ERROR_POLICY_MISSING);
  g_unsetenv ("TRUST_POLICY");
  assert_load (NULL, folder, user);
  g_assert_cmpint (unlink (user), ==, 0);
  assert_load (NULL, folder, host);
  write_policy (vendor, "e");
  assert_load (NULL, folder, host);
  g_assert_cmpint (unlink (host), ==, 0);
  assert_load (NULL, folder, vendor);
  g_assert_cmpint (unlink (vendor), ==, 0);
  assert_no_load (NULL, folder, ATM_TRUST_ERROR_POLICY_MISSING);
}

/* Row 55. */
static void
test_foreign_home (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *home = g_build_filename (folder, "home", NULL);
  g_autofree char *user = g_build_filename (home, ".config/containers/policy.json", NULL);
  g_autofree char *chosen = NULL, *foreign = NULL;

  if (geteuid () != 0)
    {
      g_test_skip ("only root can make a folder of another user");
      return;
    }
  write_policy (user, "a");
  g_setenv ("HOME", home, TRUE);
  chosen = atm_places_dup_home ();
  g_assert_cmpstr (chosen, ==, home);
  g_assert_cmpint (chown (home, 65534, 65534), ==, 0);
  foreign = atm_places_dup_home ();
  g_assert_cmpstr (foreign, !=, home);
}

/* Rows 53 and 54: files and folders that somebody else could have written. */
static void
test_files (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *open_folder = g_build_filename (folder, "open", NULL);
  g_autofree char *good = g_build_filename (folder, "good.json", NULL);
  g_autofree char *link = g_build_filename (folder, "link.json", NULL);
  g_autofree char *fifo = g_build_filename (folder, "fifo", NULL);
  g_autofree char *inside = g_build_filename (open_folder, "policy.json", NULL);
  g_autofree char *large = g_build_filename (folder, "large", NULL);
  const mode_t bad_modes[] = { 0666, 0622, 0646, 0664, 0660 };

  write_policy (good, "a");
  write_policy (inside, "a");
  assert_load (good, folder, good);
  assert_load (inside, folder, inside);
  for (guint i = 0; i < G_N_ELEMENTS (bad_modes); i++)
    {
      g_assert_cmpint (chmod (good, bad_modes[i]), ==, 0);
      assert_no_load (good, folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);
    }
  g_assert_cmpint (chmod (good, 0600), ==, 0);
  assert_load (good, folder, good);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_no_load (fifo, folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);
  assert_no_load (folder, folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);
  assert_no_load ("/dev/null", folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);

  /* The folder that counts is the one of the file, not that of a link to it. */
  g_assert_cmpint (symlink (inside, link), ==, 0);
  assert_load (link, folder, link);
  g_assert_cmpint (chmod (open_folder, 0777), ==, 0);
  assert_no_load (inside, folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);
  assert_no_load (link, folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);
  g_assert_cmpint (chmod (open_folder, 01777), ==, 0);
  assert_load (link, folder, link);

  g_assert_cmpint (close (g_open (large, O_CREAT | O_WRONLY, 0600)), ==, 0);
  g_assert_cmpint (truncate (large, ATM_POLICY_MAX_BYTES + 1), ==, 0);
  assert_no_load (large, folder, ATM_TRUST_ERROR_POLICY_SYNTAX);

  if (geteuid () == 0)
    {
      g_assert_cmpint (chown (open_folder, 65534, 65534), ==, 0);
      assert_no_load (inside, folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);
      g_assert_cmpint (chown (open_folder, 0, 0), ==, 0);
      g_assert_cmpint (chown (inside, 65534, 65534), ==, 0);
      assert_no_load (inside, folder, ATM_TRUST_ERROR_POLICY_INSECURE_FILE);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  vendor_dir = atm_test_scratch_path ();
  g_test_add_func ("/policy/accepts", test_accepts);
  g_test_add_func ("/policy/refuses", test_refuses);
  g_test_add_func ("/policy/scopes", test_scopes);
  g_test_add_func ("/policy/order", test_order);
  g_test_add_func ("/policy/foreign-home", test_foreign_home);
  g_test_add_func ("/policy/files", test_files);
  return g_test_run ();
}
