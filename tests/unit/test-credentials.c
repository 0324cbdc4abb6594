/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/scratch.h"
#include "registry/credential-helper.h"
#include "registry/credentials.h"
#include "util/fd.h"

#define SECRET "hunter2-S3cret"
/* printf 'user:hunter2-S3cret' | base64 */
#define AUTH "dXNlcjpodW50ZXIyLVMzY3JldA=="
#define ENTRY(key) "\"" key "\": {\"auth\": \"" AUTH "\"}"

/* A home of its own, and options that see nothing else. */
typedef struct
{
  char *home;         /* (owned) */
  char *boot_file;    /* (owned) */
  char *bin;          /* (owned): where helpers are */
  char *variables[8]; /* (owned): the environment */
  AtmCredentialOptions options;
} World;

static void
set_up (World *world, gconstpointer data)
{
  (void) data;
  world->home = atm_test_scratch_path ();
  world->boot_file = g_build_filename (world->home, "boot.json", NULL);
  world->bin = g_build_filename (world->home, "bin", NULL);
  g_assert_cmpint (g_mkdir (world->bin, 0700), ==, 0);
  world->variables[0] = g_strdup_printf ("HOME=%s", world->home);
  world->variables[1] = g_strdup_printf ("XDG_RUNTIME_DIR=%s/run", world->home);
  world->options.environment = (const char *const *) world->variables;
  world->options.boot_file = world->boot_file;
  world->options.helper_path = world->bin;
}

static void
tear_down (World *world, gconstpointer data)
{
  (void) data;
  g_free (world->home);
  g_free (world->boot_file);
  g_free (world->bin);
  for (guint i = 0; i < G_N_ELEMENTS (world->variables); i++)
    g_free (world->variables[i]);
}

static char *
put (World *world, const char *name, const char *text, mode_t mode)
{
  char *path = g_build_filename (world->home, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (chmod (path, mode), ==, 0);
  return path;
}

static void
put_file (World *world, const char *name, const char *text)
{
  g_free (put (world, name, text, 0600));
}

/* docker-credential-NAME, a shell script. */
static void
put_helper (World *world, const char *name, const char *script)
{
  g_autofree char *file = g_strconcat ("bin/docker-credential-", name, NULL);
  g_autofree char *text = g_strconcat ("#!/bin/sh\n", script, NULL);

  g_free (put (world, file, text, 0700));
}

static AtmCredentials *
open_credentials (World *world)
{
  g_autoptr (GError) error = NULL;
  AtmCredentials *credentials = NULL;

  g_assert_true (atm_credentials_new (&world->options, &credentials, &error));
  g_assert_no_error (error);
  return credentials;
}

static AtmImageName *
parse_name (const char *text)
{
  g_autoptr (GError) error = NULL;
  AtmImageName *name = NULL;

  g_assert_true (atm_name_parse (text, TRUE, &name, &error));
  return name;
}

/* “USER:PASSWORD”, “identity TOKEN”, “registry TOKEN” or “none”; after “!”, the message. */
static char *
look_up_at (AtmCredentials *credentials, const char *logical_text, const char *physical_text)
{
  g_autoptr (AtmImageName) logical = parse_name (logical_text);
  g_autoptr (AtmImageName) physical = parse_name (physical_text);
  g_autoptr (AtmCredential) credential = NULL;
  g_autoptr (GError) error = NULL;

  if (!atm_credentials_look_up (credentials, logical, physical, &credential, NULL, &error))
    {
      g_assert_null (credential);
      g_assert_null (strstr (error->message, SECRET));
      g_assert_null (strstr (error->message, AUTH));
      return g_strconcat ("!", error->message, NULL);
    }
  if (credential == NULL)
    return g_strdup ("none");
  g_assert_null (strstr (credential->source, SECRET));
  if (credential->registry_token != NULL)
    return g_strconcat ("registry ", credential->registry_token, NULL);
  if (credential->identity_token != NULL)
    return g_strconcat ("identity ", credential->identity_token, NULL);
  return g_strconcat (credential->user, ":", credential->password, NULL);
}

static char *
look_up (World *world, const char *name)
{
  g_autoptr (AtmCredentials) credentials = open_credentials (world);

  return look_up_at (credentials, name, name);
}

static void
assert_found (World *world, const char *name, const char *expected)
{
  g_autofree char *found = look_up (world, name);

  g_assert_cmpstr (found, ==, expected);
}

static void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("“%s” is not in “%s”", part, text);
}

static void
assert_fails (World *world, const char *name, const char *part)
{
  g_autofree char *found = look_up (world, name);

  g_assert_cmpint (found[0], ==, '!');
  assert_contains (found, part);
}

static void
assert_warned (AtmCredentials *credentials, guint n, const char *part)
{
  g_autoptr (GPtrArray) warnings = atm_credentials_steal_warnings (credentials);

  g_assert_cmpuint (warnings->len, ==, n);
  for (guint i = 0; i < n; i++)
    {
      g_assert_null (strstr (g_ptr_array_index (warnings, i), SECRET));
      g_assert_null (strstr (g_ptr_array_index (warnings, i), AUTH));
      assert_contains (g_ptr_array_index (warnings, i), part);
    }
}

/* ---- inside a file ---- */

static void
test_file (World *world, gconstpointer data)
{
  const struct
  {
    const char *auths, *name, *found;
  } cases[] = {
    { ENTRY ("reg.local"), "reg.local/ns/img", "user:" SECRET },
    { ENTRY ("reg.local"), "reg.local:5000/ns/img", "none" },
    { ENTRY ("reg.local:5000"), "reg.local:5000/ns/img", "user:" SECRET },
    { ENTRY ("Reg.Local"), "reg.local/ns/img", "user:" SECRET },
    { ENTRY ("reg.local/ns"), "reg.local/ns/user/img", "user:" SECRET },
    { ENTRY ("reg.local/ns"), "reg.local/nsx/img", "none" },
    { ENTRY ("reg.local/ns"), "reg.local/img", "none" },
    { ENTRY ("reg.local/ns/img/x"), "reg.local/ns/img", "none" },
    /* the longest key: base64 of “a:1” and “b:2” */
    { "\"r.io\": {\"auth\": \"YTox\"}, \"r.io/ns\": {\"auth\": \"Yjoy\"}", "r.io/ns/i", "b:2" },
    { "\"r.io\": {\"auth\": \"YTox\"}, \"r.io/ns\": {\"auth\": \"Yjoy\"}", "r.io/i", "a:1" },
    { "\"r.io\": {\"auth\": \"YTox\"}, \"r.io/ns\": {}", "r.io/ns/i", "a:1" },
    { "\"https://r.io/v2/\": {\"auth\": \"YTox\"}, \"r.io\": {\"auth\": \"Yjoy\"}", "r.io/i",
      "b:2" },
    /* as docker writes them */
    { ENTRY ("https://reg.local/v1/"), "reg.local/i", "user:" SECRET },
    { ENTRY ("http://reg.local:5000"), "reg.local:5000/i", "user:" SECRET },
    { ENTRY ("https://index.docker.io/v1/"), "docker.io/library/etcd", "user:" SECRET },
    { ENTRY ("https://index.docker.io/v1/"), "registry-1.docker.io/library/etcd", "user:" SECRET },
    { ENTRY ("index.docker.io"), "docker.io/etcd", "user:" SECRET },
    { ENTRY ("registry-1.docker.io"), "docker.io/etcd", "user:" SECRET },
    { ENTRY ("docker.io"), "docker.io/etcd", "user:" SECRET },
    { ENTRY ("docker.io/library"), "docker.io/etcd", "user:" SECRET },
    { ENTRY ("docker.io.evil.example"), "docker.io/etcd", "none" },
    { ENTRY ("evil.example/docker.io"), "docker.io/etcd", "none" },
    { ENTRY ("https://evil.example/docker.io"), "docker.io/etcd", "none" },
    /* what is in an entry: base64 of “u:a:b”, “u:”, “u:p” NUL NUL, “:p” */
    { "\"r.io\": {\"auth\": \"dTphOmI=\"}", "r.io/i", "u:a:b" },
    { "\"r.io\": {\"auth\": \"dTo=\"}", "r.io/i", "u:" },
    { "\"r.io\": {\"auth\": \"dTpwAAA=\"}", "r.io/i", "u:p" },
    { "\"r.io\": {\"auth\": \"OnA=\"}", "r.io/i", ":p" },
    { "\"r.io\": {\"auth\": \"dTo=\", \"identitytoken\": \"idt\"}", "r.io/i", "identity idt" },
    { "\"r.io\": {\"identitytoken\": \"idt\", \"email\": \"x\"}", "r.io/i", "identity idt" },
    { "\"r.io\": {\"registrytoken\": \"rt\"}", "r.io/i", "registry rt" },
    { "\"r.io\": {\"auth\": \"\"}", "r.io/i", "none" },
    { "\"r.io\": {\"auth\": null}", "r.io/i", "none" },
    { "\"r.io\": {}", "r.io/i", "none" },
    { "", "r.io/i", "none" },
  };

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"auths\": {%s}}", cases[i].auths);
      g_autofree char *found = NULL;

      put_file (world, ".docker/config.json", text);
      found = look_up (world, cases[i].name);
      g_assert_cmpstr (found, ==, cases[i].found);
    }
}

/* Entries of no use are told of once, and are as if they were not there. */
static void
test_warnings (World *world, gconstpointer data)
{
  const struct
  {
    const char *auths, *warning;
  } cases[] = {
    /* base64 of “user” and of “u” NUL “:p”; what is none; no padding; URL-safe alphabet */
    { "\"r.io\": {\"auth\": \"dXNlcg==\"}", "base64 of USER:PASSWORD" },
    { "\"r.io\": {\"auth\": \"dQA6cA==\"}", "base64 of USER:PASSWORD" },
    { "\"r.io\": {\"auth\": \"?\"}", "base64 of USER:PASSWORD" },
    { "\"r.io\": {\"auth\": \"dTo\"}", "base64 of USER:PASSWORD" },
    { "\"r.io\": {\"auth\": \"dTrDvy__\"}", "base64 of USER:PASSWORD" },
    { "\"r.io\": {\"identitytoken\": \"a b\"}", "identitytoken" },
    { "\"r.io\": {\"registrytoken\": \"a\\r\\nX: y\"}", "registrytoken" },
    { "\"https://u:" SECRET "@r.io/\": {\"auth\": \"?\"}", "“https://…@r.io/”" },
    { ENTRY ("r.io/i:latest"), "neither a tag nor a digest" },
    { ENTRY ("r.io/i@sha256:abc"), "neither a tag nor a digest" },
  };
  g_autoptr (AtmCredentials) credentials = NULL;
  g_autofree char *path = NULL, *found = NULL, *again = NULL;

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"auths\": {%s}}", cases[i].auths);
      g_autoptr (AtmCredentials) fresh = open_credentials (world);
      g_autofree char *none = NULL;

      put_file (world, ".docker/config.json", text);
      none = look_up_at (fresh, "r.io/i", "r.io/i");
      g_assert_cmpstr (none, ==, "none");
      assert_warned (fresh, 1, cases[i].warning);
      g_free (look_up_at (fresh, "r.io/i", "r.io/i"));
      assert_warned (fresh, 0, "");
    }

  path = put (world, ".docker/config.json", "{\"auths\": {" ENTRY ("r.io") "}}", 0644);
  credentials = open_credentials (world);
  found = look_up_at (credentials, "r.io/i", "r.io/i");
  g_assert_cmpstr (found, ==, "user:" SECRET);
  assert_warned (credentials, 1, "every user may read it");
  g_assert_cmpint (chmod (path, 0640), ==, 0);
  g_clear_pointer (&credentials, atm_credentials_unref);
  credentials = open_credentials (world);
  again = look_up_at (credentials, "r.io/i", "r.io/i");
  assert_warned (credentials, 0, "");

  /* Only where docker does not write such keys itself. */
  put_file (world, ".docker/config.json", "{}");
  put_file (world, ".config/containers/auth.json", "{\"auths\": {" ENTRY ("https://r.io") "}}");
  g_free (look_up_at (credentials, "r.io/i", "r.io/i"));
  assert_warned (credentials, 1, "without “http://”");
}

static void
test_malformed (World *world, gconstpointer data)
{
  const struct
  {
    const char *text, *part;
  } bad[] = {
    { "{\"auths\": {\"r.io\": {\"auth\": \"" SECRET "\"", "line 1, column" },
    { SECRET, "line 1, column 1" },
    { "[]", "Not a JSON object" },
    { "{\"auths\": []}", "wrong type" },
    { "{\"auths\": {\"r.io\": \"" SECRET "\"}}", "“r.io” is no object" },
    { "{\"auths\": {\"r.io\": {\"auth\": 1}}}", "wrong type" },
    { "{\"auths\": {\"r.io\": {\"identitytoken\": {}}}}", "wrong type" },
    { "{\"auths\": {\"r.io\": {}, \"r.io\": {}}}", "twice" },
    { "{\"credHelpers\": {\"r.io\": 1}}", "wrong type" },
    { "{\"credHelpers\": \"x\"}", "wrong type" },
    { "{\"credsStore\": {}}", "wrong type" },
    { "{} {}", "after the end" },
  };

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      put_file (world, ".docker/config.json", bad[i].text);
      assert_fails (world, "r.io/i", "/.docker/config.json is no file of credentials: ");
      assert_fails (world, "r.io/i", bad[i].part);
    }
  put_file (world, ".docker/config.json", "");
  assert_found (world, "r.io/i", "none");
  put_file (world, ".dockercfg", "{\"r.io\": []}");
  assert_fails (world, "r.io/i", "/.dockercfg is no file of credentials: ");
}

/* ---- which files ---- */

/* What lies later is hidden by what lies before; each file has its own user. */
static void
test_order (World *world, gconstpointer data)
{
  const char *const names[] = { "boot.json", ".dockercfg", ".docker/config.json",
                                ".config/containers/auth.json", "run/containers/auth.json" };

  (void) data;
  assert_found (world, "r.io/i", "none");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *plain = g_strdup_printf ("%u:x", i);
      g_autofree char *auth = g_base64_encode ((const guchar *) plain, strlen (plain));
      g_autofree char *text
          = g_str_equal (names[i], ".dockercfg")
                ? g_strdup_printf ("{\"https://r.io/v1\": {\"auth\": \"%s\"}}", auth)
                : g_strdup_printf ("{\"auths\": {\"r.io\": {\"auth\": \"%s\"}}}", auth);

      put_file (world, names[i], text);
      assert_found (world, "r.io/i", plain);
    }

  world->variables[2] = g_strdup_printf ("DOCKER_CONFIG=%s/elsewhere", world->home);
  world->variables[3] = g_strdup_printf ("XDG_CONFIG_HOME=%s/nowhere", world->home);
  g_free (world->variables[1]);
  world->variables[1] = g_strdup_printf ("XDG_RUNTIME_DIR=%s/none", world->home);
  assert_found (world, "r.io/i", "1:x");
  put_file (world, "elsewhere/config.json", "{\"auths\": {" ENTRY ("r.io") "}}");
  assert_found (world, "r.io/i", "user:" SECRET);
}

static void
test_authfile (World *world, gconstpointer data)
{
  g_autofree char *authfile = put (world, "mine.json", "{\"auths\": {\"r.io\": {}}}", 0600);
  g_autofree char *missing = g_build_filename (world->home, "missing.json", NULL);
  g_autofree char *places = NULL;
  g_autoptr (AtmCredentials) credentials = NULL;
  const char *const helpers[] = { "none-such", NULL };

  (void) data;
  put_file (world, ".docker/config.json", "{\"auths\": {" ENTRY ("r.io") "}}");
  world->options.helpers = helpers;
  world->variables[2] = g_strdup_printf ("REGISTRY_AUTH_FILE=%s", authfile);
  assert_found (world, "r.io/i", "none");
  put_file (world, "mine.json", "{\"auths\": {" ENTRY ("r.io") "}}");
  assert_found (world, "r.io/i", "user:" SECRET);
  credentials = open_credentials (world);
  places = atm_credentials_dup_places (credentials);
  g_assert_cmpstr (places, ==, authfile);

  world->options.authfile = missing;
  assert_fails (world, "r.io/i", "missing.json: No such file");
  world->options.authfile = world->home;
  assert_fails (world, "r.io/i", "Not a regular file");
}

static void
test_boot_file (World *world, gconstpointer data)
{
  g_autofree char *path = put (world, "boot.json", "{\"auths\": {" ENTRY ("r.io") "}}", 0640);

  (void) data;
  assert_fails (world, "r.io/i", "must be root's alone");
  g_assert_cmpint (chmod (path, 0400), ==, 0);
  assert_found (world, "r.io/i", "user:" SECRET);
  if (geteuid () == 0)
    {
      g_assert_cmpint (chown (path, 65534, (gid_t) -1), ==, 0);
      assert_fails (world, "r.io/i", "must be root's alone");
    }
}

static void
test_places (World *world, gconstpointer data)
{
  const char *const helpers[] = { "secretservice", "containers-auth.json", NULL };
  g_autoptr (AtmCredentials) credentials = NULL;
  g_autofree char *places = NULL, *expected = NULL;

  (void) data;
  world->options.helpers = helpers;
  credentials = open_credentials (world);
  places = atm_credentials_dup_places (credentials);
  expected = g_strdup_printf ("docker-credential-secretservice, %s/run/containers/auth.json, "
                              "%s/.config/containers/auth.json, %s/.docker/config.json, "
                              "%s/.dockercfg, %s/boot.json",
                              world->home, world->home, world->home, world->home, world->home);
  g_assert_cmpstr (places, ==, expected);
}

/* ---- --creds ---- */

static gboolean
answer_prompt (const char *question, char **secret_out, gpointer user_data, GError **error)
{
  (void) error;
  g_assert_cmpstr (question, ==, "Password of joe:");
  *secret_out = g_strdup (user_data);
  return TRUE;
}

static gboolean
refuse_prompt (const char *question, char **secret_out, gpointer user_data, GError **error)
{
  (void) question;
  (void) secret_out;
  (void) user_data;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "no");
  return FALSE;
}

static void
test_creds (World *world, gconstpointer data)
{
  g_autoptr (AtmCredentials) credentials = NULL;
  g_autofree char *same = NULL, *port = NULL, *mirror = NULL, *file = NULL;

  (void) data;
  put_file (world, ".docker/config.json", "{\"auths\": {" ENTRY ("m.io") "}}");
  world->options.creds = "joe:a:b";
  credentials = open_credentials (world);
  same = look_up_at (credentials, "r.io/i", "r.io/other");
  port = look_up_at (credentials, "r.io/i", "r.io:5000/i");
  mirror = look_up_at (credentials, "r.io/i", "m.io/i");
  g_assert_cmpstr (same, ==, "joe:a:b");
  g_assert_cmpstr (port, ==, "none");
  g_assert_cmpstr (mirror, ==, "user:" SECRET);

  world->options.creds = "joe:";
  assert_found (world, "r.io/i", "joe:");
  world->options.creds = "";
  assert_found (world, "r.io/i", "none");
  world->options.creds = "joe";
  world->options.prompt = answer_prompt;
  world->options.prompt_data = (char *) SECRET;
  assert_found (world, "r.io/i", "joe:" SECRET);

  world->options.creds = NULL;
  file = put (world, "creds", "joe:x y\n", 0600);
  world->options.creds_file = file;
  assert_found (world, "r.io/i", "joe:x y");
}

static void
test_creds_refuses (World *world, gconstpointer data)
{
  g_autofree char *open_file = put (world, "open", "joe:" SECRET, 0640);
  g_autofree char *lines = put (world, "lines", "joe:" SECRET "\nx\n", 0600);
  g_autofree char *empty = put (world, "empty", "\n", 0600);
  g_autofree char *missing = g_build_filename (world->home, "missing", NULL);
  const struct
  {
    const char *creds, *file;
    AtmCredentialPrompt prompt;
    int code;
  } bad[] = {
    { ":" SECRET, NULL, NULL, G_IO_ERROR_INVALID_ARGUMENT },
    { "joe", NULL, NULL, G_IO_ERROR_INVALID_ARGUMENT },
    { "joe", NULL, refuse_prompt, G_IO_ERROR_CANCELLED },
    { "joe:" SECRET, lines, NULL, G_IO_ERROR_INVALID_ARGUMENT },
    { NULL, open_file, NULL, G_IO_ERROR_PERMISSION_DENIED },
    { NULL, lines, NULL, G_IO_ERROR_INVALID_DATA },
    { NULL, empty, NULL, G_IO_ERROR_INVALID_DATA },
    { NULL, missing, NULL, G_IO_ERROR_NOT_FOUND },
  };
  AtmCredentials *credentials = NULL;

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      world->options.creds = bad[i].creds;
      world->options.creds_file = bad[i].file;
      world->options.prompt = bad[i].prompt;
      g_assert_false (atm_credentials_new (&world->options, &credentials, &error));
      g_assert_error (error, G_IO_ERROR, bad[i].code);
      g_assert_null (strstr (error->message, SECRET));
    }
  g_assert_null (credentials);
}

/* ---- helpers ---- */

#define ANSWER(user)                                                                               \
  "printf '{\"ServerURL\":\"x\",\"Username\":\"" user "\",\"Secret\":\"" SECRET "\"}'\n"

static void
test_helpers (World *world, gconstpointer data)
{
  g_autofree char *log = g_build_filename (world->home, "log", NULL);
  g_autofree char *script = g_strdup_printf ("echo \"$1 $(cat)\" >>%s\n" ANSWER ("u"), log);
  g_autofree char *said = NULL, *first = NULL, *second = NULL, *other = NULL;
  g_autoptr (AtmCredentials) credentials = NULL;
  const char *const helpers[] = { "none", "containers-auth.json", "good", NULL };

  (void) data;
  put_helper (world, "good", script);
  put_helper (world, "token", ANSWER ("<token>"));
  put_helper (world, "blank", "printf '{\"Username\":\"\",\"Secret\":\"\"}'\n");
  put_helper (world, "none", "echo 'credentials not found in native keychain'; exit 1\n");
  put_file (world, ".docker/config.json",
            "{\"auths\": {" ENTRY (
                "final.io") ", \"https://index.docker.io/v1/\": {}, "
                            "\"in-file.io\": {\"auth\": \"YTox\"}},"
                            " \"credHelpers\": {\"one.io\": \"good\", \"token.io\": \"token\","
                            " \"https://hub.io/v1/\": \"good\", \"final.io\": \"none\"},"
                            " \"credsStore\": \"good\"}");

  credentials = open_credentials (world);
  first = look_up_at (credentials, "one.io/i", "one.io/i");
  second = look_up_at (credentials, "one.io/other", "one.io/other");
  other = look_up_at (credentials, "hub.io/i", "hub.io/i");
  g_assert_cmpstr (first, ==, "u:" SECRET);
  g_assert_cmpstr (second, ==, "u:" SECRET);
  g_assert_cmpstr (other, ==, "u:" SECRET);
  assert_found (world, "token.io/i", "identity " SECRET);
  assert_found (world, "docker.io/etcd", "u:" SECRET);
  assert_found (world, "in-file.io/i", "a:1");
  assert_found (world, "final.io/i", "none");

  put_file (world, ".docker/config.json", "{\"credsStore\": \"blank\"}");
  assert_found (world, "one.io/i", "none");
  world->options.helpers = helpers;
  assert_found (world, "listed.io/i", "u:" SECRET);

  /* What was asked once is not asked again, and nobody is asked for what is not its own. */
  g_assert_true (g_file_get_contents (log, &said, NULL, NULL));
  g_assert_cmpstr (said, ==,
                   "get one.io\nget https://hub.io/v1/\nget https://index.docker.io/v1/\n"
                   "get listed.io\n");
}

static void
test_helper_faults (World *world, gconstpointer data)
{
  const struct
  {
    const char *script, *part, *not_shown;
  } cases[] = {
    { "echo garbage\n", "no JSON object", "garbage" },
    { "echo '{\"Username\":\"u\"}'\n", "no JSON object", "\"u\"" },
    { "echo '{\"Username\":\"u\",\"Secret\":1}'\n", "no JSON object", "\"u\"" },
    { ANSWER ("u") ANSWER ("u"), "no JSON object", SECRET },
    { "", "no JSON object", "status" },
    { "echo 'the keychain is locked'; exit 3\n", "(status 3): the keychain is locked", "\n" },
    { "echo noise; echo 'dbus is away' >&2; exit 1\n", "(status 1): dbus is away", "noise" },
    { ANSWER ("u") "echo 'refused: " SECRET "' >&2; exit 1\n", "(status 1)", "refused" },
    { ANSWER ("u") "echo 'refused: aHVudGVyMi1TM2NyZXQ=' >&2; exit 1\n", "(status 1)", "refused" },
    { ANSWER ("u") "echo 'just so' >&2; exit 1\n", "(status 1): just so", "{" },
    { ANSWER ("u") "exit 1\n", "(status 1)", "{" },
    { "printf '{\"Secret\":\"" SECRET "\",'; echo 'oops " SECRET "' >&2; exit 1\n", "(status 1)",
      "oops" },
    { "printf 'a\\033[31mb'; exit 1\n", "a\\x1b[31mb", "\033" },
    { "kill -TERM $$\n", "(signal 15)", "status" },
    { "head -c 70000 /dev/zero\n", "more than 65536 bytes", "status" },
    { "head -c 70000 /dev/zero >&2; sleep 60\n", "more than 65536 bytes", "status" },
  };

  (void) data;
  put_file (world, ".docker/config.json", "{\"credsStore\": \"bad\"}");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *found = NULL;

      put_helper (world, "bad", cases[i].script);
      found = look_up (world, "r.io/i");
      g_assert_cmpint (found[0], ==, '!');
      assert_contains (found, "/.docker/config.json: the credential helper "
                              "docker-credential-bad ");
      assert_contains (found, cases[i].part);
      if (strstr (found, cases[i].not_shown) != NULL)
        g_error ("shown: %s", found);
    }

  put_file (world, ".docker/config.json", "{\"credsStore\": \"missing\"}");
  assert_fails (world, "r.io/i", "docker-credential-missing is not in ");
  put_file (world, ".docker/config.json", "{\"credsStore\": \"../bin/bad\"}");
  assert_fails (world, "r.io/i", "no name of a credential helper");
  put_file (world, ".docker/config.json", "{\"credHelpers\": {\"r.io\": \"\"}}");
  assert_fails (world, "r.io/i", "no name of a credential helper");
}

/* A helper that hangs is ended with what it has started: nobody holds the FIFO any more. */
static void
test_helper_hangs (World *world, gconstpointer data)
{
  g_autoptr (AtmCredentials) credentials = NULL;
  g_autoptr (AtmImageName) name = parse_name ("r.io/i");
  g_autoptr (AtmCredential) credential = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *fifo = g_build_filename (world->home, "fifo", NULL);
  g_autofree char *script = g_strdup_printf ("sleep 600 3>%s &\nwait\n", fifo);
  atm_autofd int fd = -1;
  struct pollfd poll_fd = { .events = POLLIN };

  (void) data;
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  fd = open (fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  put_file (world, ".docker/config.json", "{\"credsStore\": \"bad\"}");
  put_helper (world, "bad", script);
  world->options.helper_limit_msec = 2000;
  credentials = open_credentials (world);
  g_assert_false (atm_credentials_look_up (credentials, name, name, &credential, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  assert_contains (error->message, "docker-credential-bad did not answer for r.io within 2 s");
  poll_fd.fd = fd;
  g_assert_cmpint (poll (&poll_fd, 1, 60 * 1000), ==, 1);
  g_assert_cmpint (poll_fd.revents, ==, POLLHUP);
}

/* What a helper leaves behind may keep its output open; it is not waited for. */
static void
test_helper_leaves (World *world, gconstpointer data)
{
  g_autofree char *pid_file = g_build_filename (world->home, "pid", NULL);
  g_autofree char *script = g_strdup_printf ("sleep 600 &\necho $! >%s\n" ANSWER ("u"), pid_file);
  g_autofree char *text = NULL;

  (void) data;
  put_file (world, ".docker/config.json", "{\"credsStore\": \"good\"}");
  put_helper (world, "good", script);
  assert_found (world, "r.io/i", "u:" SECRET);
  g_assert_true (g_file_get_contents (pid_file, &text, NULL, NULL));
  g_assert_cmpint (kill (atoi (text), SIGKILL), ==, 0);
}

static gpointer
cancel_when_started (gpointer data)
{
  gpointer *both = data;
  atm_autofd int fd = open (both[0], O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_cancellable_cancel (both[1]);
  return NULL;
}

static void
test_helper_cancelled (World *world, gconstpointer data)
{
  g_autofree char *fifo = g_build_filename (world->home, "fifo", NULL);
  g_autofree char *script = g_strdup_printf ("echo >%s\nsleep 600\n", fifo);
  g_autoptr (AtmCredentials) credentials = NULL;
  g_autoptr (AtmImageName) name = parse_name ("r.io/i");
  g_autoptr (AtmCredential) credential = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  gpointer both[] = { fifo, cancellable };
  GThread *thread = NULL;

  (void) data;
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  put_file (world, ".docker/config.json", "{\"credsStore\": \"bad\"}");
  put_helper (world, "bad", script);
  credentials = open_credentials (world);
  thread = g_thread_new ("cancel", cancel_when_started, both);
  g_assert_false (
      atm_credentials_look_up (credentials, name, name, &credential, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

static void
test_helper_environment (World *world, gconstpointer data)
{
  const char *const before[] = { "HOME=/h",        "PATH=/evil",       "LD_PRELOAD=/evil.so",
                                 "AWS_PROFILE=p",  "XDG_DATA_HOME=/d", "REGISTRY_AUTH_FILE=/f",
                                 "http_proxy=u:p", "HOMEX=x",          NULL };
  g_auto (GStrv) root = atm_credential_helper_dup_environment (before, TRUE);
  g_auto (GStrv) user = atm_credential_helper_dup_environment (before, FALSE);
  g_autofree char *text = g_strjoinv (" ", root);

  (void) world;
  (void) data;
  g_assert_cmpstr (text, ==,
                   "HOME=/h AWS_PROFILE=p XDG_DATA_HOME=/d "
                   "PATH=" ATM_CREDENTIAL_HELPER_ROOT_PATH);
  g_assert_true (g_strv_equal ((const char *const *) user, before));
}

/* config.json as docker leaves it after “docker login” on a desktop. */
static void
test_field_sample (World *world, gconstpointer data)
{
  (void) data;
  put_file (world, ".docker/config.json",
            "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"" AUTH
            "\"\n\t\t},\n\t\t\"ghcr.io\": {}\n\t},\n"
            "\t\"HttpHeaders\": {\n\t\t\"User-Agent\": \"Docker-Client/19.03.6 (linux)\"\n\t},\n"
            "\t\"psFormat\": \"table {{.ID}}\\\\t{{.Image}}\",\n\t\"detachKeys\": \"ctrl-e,e\",\n"
            "\t\"currentContext\": \"default\",\n\t\"plugins\": {\"x\": {\"y\": \"z\"}},\n"
            "\t\"aliases\": {\"builder\": \"buildx\"}\n}\n");
  assert_found (world, "docker.io/library/etcd:3.5", "user:" SECRET);
  assert_found (world, "ghcr.io/x/y", "none");
}

int
main (int argc, char *argv[])
{
  const struct
  {
    const char *path;
    void (*test) (World *, gconstpointer);
  } tests[] = {
    { "/credentials/file", test_file },
    { "/credentials/warnings", test_warnings },
    { "/credentials/malformed", test_malformed },
    { "/credentials/order", test_order },
    { "/credentials/authfile", test_authfile },
    { "/credentials/boot-file", test_boot_file },
    { "/credentials/places", test_places },
    { "/credentials/creds", test_creds },
    { "/credentials/creds-refuses", test_creds_refuses },
    { "/credentials/helpers", test_helpers },
    { "/credentials/helper-faults", test_helper_faults },
    { "/credentials/helper-hangs", test_helper_hangs },
    { "/credentials/helper-leaves", test_helper_leaves },
    { "/credentials/helper-cancelled", test_helper_cancelled },
    { "/credentials/helper-environment", test_helper_environment },
    { "/credentials/field-sample", test_field_sample },
  };

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, World, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}
