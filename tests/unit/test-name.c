/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/scratch.h"
#include "image/name.h"

#define H "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define L H H
#define UPPER_H "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASHED_REF "__" H
#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define X120 X60 X60
#define X240 X120 X120

/* The table of registry.md 1.5. */
static void
test_accepts (void)
{
  const struct
  {
    const char *text;
    const char *canonical;
  } good[] = {
    { "etcd", "docker.io/library/etcd:latest" },
    { "etcd:3.5", "docker.io/library/etcd:3.5" },
    { "coreos/etcd", "docker.io/coreos/etcd:latest" },
    { "library/etcd", "docker.io/library/etcd:latest" },
    { "a/b/c", "docker.io/a/b/c:latest" },
    { "docker.io/etcd", "docker.io/library/etcd:latest" },
    { "docker.io/library/etcd", "docker.io/library/etcd:latest" },
    { "index.docker.io/etcd", "docker.io/library/etcd:latest" },
    { "registry-1.docker.io/library/etcd", "registry-1.docker.io/library/etcd:latest" },
    { "quay.io/coreos/etcd:v3.5.9", "quay.io/coreos/etcd:v3.5.9" },
    { "quay.io/coreos/etcd@sha256:" H, "quay.io/coreos/etcd@sha256:" H },
    { "quay.io/coreos/etcd:v1@sha256:" H, "quay.io/coreos/etcd:v1@sha256:" H },
    { "localhost/etcd", "localhost/etcd:latest" },
    { "localhost:5000/etcd:1", "localhost:5000/etcd:1" },
    { "localhost", "docker.io/library/localhost:latest" },
    { "localhost:5000", "docker.io/library/localhost:5000" },
    { "myhost/etcd", "docker.io/myhost/etcd:latest" },
    { "myhost:5000/etcd", "myhost:5000/etcd:latest" },
    { "Myhost/etcd", "myhost/etcd:latest" },
    { "Reg.Example.COM/etcd", "reg.example.com/etcd:latest" },
    { "127.0.0.1:5000/etcd", "127.0.0.1:5000/etcd:latest" },
    { "[::1]:5000/etcd", "[::1]:5000/etcd:latest" },
    { "[::1]/etcd", "[::1]/etcd:latest" },
    { "quay.io/coreos/etcd:V3.5_RC-1", "quay.io/coreos/etcd:V3.5_RC-1" },
    { "quay.io/coreos/etcd@sha512:" L, "quay.io/coreos/etcd@sha512:" L },
    { "foo_bar", "docker.io/library/foo_bar:latest" },
    { "foo__bar", "docker.io/library/foo__bar:latest" },
    { "foo--bar", "docker.io/library/foo--bar:latest" },
    { "foo.bar", "docker.io/library/foo.bar:latest" },
    { "xn--80ak6aa92e.com/foo", "xn--80ak6aa92e.com/foo:latest" },
    { "a.b", "docker.io/library/a.b:latest" },
    { "a.b/c", "a.b/c:latest" },
    { "quay.io/foo:" X120 "xxxxxxxx", "quay.io/foo:" X120 "xxxxxxxx" },
    { "quay.io/" X240 X10 "xxxxx", "quay.io/" X240 X10 "xxxxx:latest" },
    { X240 "xxxxxxx", "docker.io/library/" X240 "xxxxxxx:latest" },
    { "docker.io", "docker.io/library/docker.io:latest" },
    { "quay.io", "docker.io/library/quay.io:latest" },
    { "foo:5000/bar:tag", "foo:5000/bar:tag" },
    { "library/" H, "docker.io/library/" H ":latest" },
    { "index.docker.io:443/etcd", "index.docker.io:443/etcd:latest" },
    { "q.io:65535/x", "q.io:65535/x:latest" },
    { "ns/app:1", "docker.io/ns/app:1" },
    { "localhost/app:1", "localhost/app:1" },
    { "notlocalhost/app:1", "docker.io/notlocalhost/app:1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (AtmImageName) name = NULL, again = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *canonical = NULL, *canonical_again = NULL;

      g_assert_true (atm_name_parse (good[i].text, TRUE, &name, &error));
      g_assert_no_error (error);
      canonical = atm_name_to_string (name);
      g_assert_cmpstr (canonical, ==, good[i].canonical);

      /* “myhost” has lost what made it a host; see test_origins(). */
      if (g_str_equal (canonical, "myhost/etcd:latest"))
        continue;
      g_assert_true (atm_name_parse (canonical, FALSE, &again, &error));
      canonical_again = atm_name_to_string (again);
      g_assert_cmpstr (canonical_again, ==, canonical);
      g_assert_true (again->domain_typed);
    }
}

static void
test_refuses (void)
{
  const char *const bad[] = {
    "quay.io/coreos/etcd@sha256:" H ":v1",
    "myhost:/etcd",
    "myhost:5000/",
    "::1/etcd",
    "[fe80::1%eth0]:5000/etcd",
    "Etcd",
    "quay.io/CoreOS/etcd",
    "quay.io/coreos/etcd:-bad",
    "quay.io/coreos/etcd:.bad",
    "quay.io/coreos/etcd:",
    "quay.io/coreos/etcd@",
    "quay.io/coreos/etcd@sha256:abcd",
    "quay.io/coreos/etcd@sha256:" H "a",
    "quay.io/coreos/etcd@sha256:" UPPER_H,
    "quay.io/coreos/etcd@SHA256:" H,
    "quay.io/coreos/etcd@sha512:" H,
    "quay.io/coreos/etcd@sha384:" H "0123456789abcdef0123456789abcdef",
    "quay.io/coreos/etcd@blake3:" H,
    "quay.io/coreos/etcd@md5:0123456789abcdef0123456789abcdef",
    "foo___bar",
    "foo..bar",
    "foo-_bar",
    "foo._bar",
    "-foo",
    "foo-",
    "_foo",
    "foo/_bar",
    "foo//bar",
    "/foo",
    "foo/",
    "quay.io//foo",
    " quay.io/foo",
    "quay.io/foo ",
    "quay.io/foo\n",
    "quay.io/foo bar",
    "quay.io/f\xc3\xb6",
    "quay.io/foo:\xc3\xa4",
    "-bad.com/foo",
    "bad-.com/foo",
    "a..com/foo",
    ".com/foo",
    "quay.io:99999/foo",
    "quay.io:65536/foo",
    "quay.io:0/foo",
    "quay.io:05000/foo",
    "quay.io:+80/foo",
    "quay.io:/foo",
    "quay.io:5000:5000/foo",
    "http://quay.io/foo",
    "docker://quay.io/foo",
    "quay.io/foo:" X120 "xxxxxxxxx",
    "quay.io/" X240 X10 "xxxxxx",
    X240 X10 "xxxxx",
    "docker.io/",
    "foo:bar/baz",
    "quay.io/foo:a:b",
    "quay.io/foo@sha256:" H "@sha256:" H,
    "@sha256:" H,
    ":tag",
    "",
    ".",
    "..",
    "../etc",
    "a.b/../c",
    "[::1/etcd",
    "[]/etcd",
    "[::1]x/etcd",
    "[::1]:/etcd",
    "user@host/etcd",
    "user:pw@quay.io/etcd",
    X240 X240 X240 X240 X240,
  };
  const char *const ids[] = {
    H, UPPER_H, H ":latest", "sha256:" H, "sha512:" L, H "@sha256:" H,
  };
  g_autoptr (GError) error = NULL;
  AtmImageName *name = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      if (atm_name_parse (bad[i], TRUE, &name, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_error (error, ATM_NAME_ERROR, ATM_NAME_ERROR_SYNTAX);
    }
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++, g_clear_error (&error))
    {
      if (atm_name_parse (ids[i], TRUE, &name, &error))
        g_error ("accepted: %s", ids[i]);
      g_assert_error (error, ATM_NAME_ERROR, ATM_NAME_ERROR_ID);
    }
  g_assert_null (name);
}

static void
test_forms (void)
{
  const struct
  {
    const char *text;
    gboolean add_latest;
    const char *familiar, *identity, *repository, *container;
    gboolean typed;
  } cases[] = {
    { "busybox", TRUE, "busybox:latest", "docker.io/library/busybox:latest",
      "docker.io/library/busybox", "busybox", FALSE },
    { "busybox", FALSE, "busybox", "docker.io/library/busybox", "docker.io/library/busybox",
      "busybox", FALSE },
    { "Q.io/ns/App", TRUE, NULL, NULL, NULL, NULL, FALSE },
    { "Q.io/ns/app:1.2", TRUE, "Q.io/ns/app:1.2", "q.io/ns/app:1.2", "q.io/ns/app", "app-1.2",
      TRUE },
    { "q.io/app:1@sha256:" H, TRUE, "q.io/app:1@sha256:" H, "q.io/app@sha256:" H, "q.io/app",
      "app-1", TRUE },
    { "q.io/app@sha256:" H, TRUE, "q.io/app@sha256:" H, "q.io/app@sha256:" H, "q.io/app", "app",
      TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmImageName) parsed = NULL, name = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *identity = NULL, *repository = NULL, *container = NULL;

      if (cases[i].familiar == NULL)
        {
          g_assert_false (atm_name_parse (cases[i].text, cases[i].add_latest, &parsed, &error));
          g_assert_nonnull (strstr (error->message, "lower case"));
          continue;
        }
      g_assert_true (atm_name_parse (cases[i].text, cases[i].add_latest, &parsed, &error));
      name = atm_name_copy (parsed);
      identity = atm_name_to_identity (name);
      repository = atm_name_get_repository (name);
      container = atm_name_suggest_container (name);
      g_assert_cmpstr (name->familiar, ==, cases[i].familiar);
      g_assert_cmpstr (identity, ==, cases[i].identity);
      g_assert_cmpstr (repository, ==, cases[i].repository);
      g_assert_cmpstr (container, ==, cases[i].container);
      g_assert_cmpint (name->domain_typed, ==, cases[i].typed);
    }
}

/* trust.md 4.2 */
static void
test_scopes (void)
{
  const struct
  {
    const char *text;
    const char *scopes;
  } cases[] = {
    { "busybox", "docker.io/library/busybox:latest docker.io/library/busybox docker.io/library "
                 "docker.io *.io" },
    { "yet.another.example.com:8443/ns/repo:t",
      "yet.another.example.com:8443/ns/repo:t yet.another.example.com:8443/ns/repo "
      "yet.another.example.com:8443/ns yet.another.example.com:8443 *.another.example.com "
      "*.example.com *.com" },
    { "example.com/repo@sha256:" H,
      "example.com/repo@sha256:" H " example.com/repo example.com *.com" },
    { "example.com/repo:1@sha256:" H,
      "example.com/repo@sha256:" H " example.com/repo example.com *.com" },
    { "localhost:5000/a:1", "localhost:5000/a:1 localhost:5000/a localhost:5000" },
    { "127.0.0.1:5000/a:1",
      "127.0.0.1:5000/a:1 127.0.0.1:5000/a 127.0.0.1:5000 *.0.0.1 *.0.1 *.1" },
    { "[::1]:5000/a:1", "[::1]:5000/a:1 [::1]:5000/a [::1]:5000" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmImageName) name = NULL;
      g_auto (GStrv) scopes = NULL, without = NULL;
      g_autofree char *joined = NULL, *joined_without = NULL;

      g_assert_true (atm_name_parse (cases[i].text, TRUE, &name, NULL));
      scopes = atm_name_dup_scopes (name, TRUE);
      joined = g_strjoinv (" ", scopes);
      g_assert_cmpstr (joined, ==, cases[i].scopes);
      without = atm_name_dup_scopes (name, FALSE);
      joined_without = g_strjoinv (" ", without);
      g_assert_cmpstr (joined_without, ==, strchr (cases[i].scopes, ' ') + 1);
    }
}

static void
test_locations (void)
{
  const struct
  {
    const char *text;
    const char *location; /* NULL: refused */
  } cases[] = {
    { "docker.io", "docker.io" },
    { "Docker.IO/library", "docker.io/library" },
    { "myhost", "myhost" },
    { "localhost:5000", "localhost:5000" },
    { "[::1]:5000/a", "[::1]:5000/a" },
    { "q.io/a/b:Tag", "q.io/a/b:Tag" },
    { "q.io/a@sha256:" H, "q.io/a@sha256:" H },
    { "*.Example.com", "*.example.com" },
    { "", NULL },
    { "*", NULL },
    { "*.", NULL },
    { "*.example.com/x", NULL },
    { "*.example.com:5000", NULL },
    { "q.*.com", NULL },
    { "q.io/", NULL },
    { "q.io/a/", NULL },
    { "q.io/A", NULL },
    { "q.io:tag", NULL },
    { "q.io@sha256:" H, NULL },
    { "q.io/a:", NULL },
    { "q.io/a:t@sha256:" H, NULL },
    { "https://q.io", NULL },
    { "user@q.io/a", NULL },
    { "q.io/../a", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *location = atm_name_parse_location (cases[i].text);

      g_assert_cmpstr (location, ==, cases[i].location);
    }
}

static void
test_refs (void)
{
  const struct
  {
    const char *reference;
    const char *ref;
  } cases[] = {
    { "busybox:latest", "ociimage/busybox_3Alatest" },
    { "q.io:5000/a_b-c:1", "ociimage/q.io_3A5000_2Fa_5Fb-c_3A1" },
    { "[::1]/x:1", "ociimage/_5B_3A_3A1_5D_2Fx_3A1" },
  };
  const char *const kept[]
      = { "ociimage/a_3", "ociimage/a_3a", "ociimage/_41", "x_00y", HASHED_REF };
  g_autofree char *hashed = atm_ref_encode ("q.io/" X240 ":1");
  g_autofree char *hashed_again = atm_ref_encode ("q.io/" X240 ":2");
  g_autofree char *hashed_decoded = atm_ref_decode (hashed);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *ref = atm_ref_encode (cases[i].reference);
      g_autofree char *reference = atm_ref_decode (ref);

      g_assert_cmpstr (ref, ==, cases[i].ref);
      g_assert_cmpstr (reference, ==, cases[i].reference);
    }
  for (guint i = 0; i < G_N_ELEMENTS (kept); i++)
    {
      g_autofree char *reference = atm_ref_decode (kept[i]);

      g_assert_cmpstr (reference, ==, kept[i]);
    }
  g_assert_true (g_str_has_prefix (hashed, "ociimage/__"));
  g_assert_cmpuint (strlen (hashed), ==, strlen ("ociimage/__") + 64);
  g_assert_cmpstr (hashed, !=, hashed_again);
  g_assert_cmpstr (hashed_decoded, ==, hashed);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/name/accepts", test_accepts);
  g_test_add_func ("/name/refuses", test_refuses);
  g_test_add_func ("/name/forms", test_forms);
  g_test_add_func ("/name/scopes", test_scopes);
  g_test_add_func ("/name/locations", test_locations);
  g_test_add_func ("/name/refs", test_refs);
  return g_test_run ();
}
