/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/scratch.h"
#include "image/origin.h"

static void
test_registry (void)
{
  const struct
  {
    const char *text;
    AtmScheme scheme;
    const char *canonical;
    const char *familiar;
  } good[] = {
    { "etcd", ATM_SCHEME_CONFIGURED, "docker.io/library/etcd:latest", "etcd:latest" },
    { "oci:etcd:1", ATM_SCHEME_CONFIGURED, "docker.io/library/etcd:1", "etcd:1" },
    { "oci:q.io/etcd", ATM_SCHEME_CONFIGURED, "q.io/etcd:latest", "q.io/etcd:latest" },
    { "http:localhost:5000/etcd", ATM_SCHEME_HTTP, "localhost:5000/etcd:latest",
      "localhost:5000/etcd:latest" },
    { "http://localhost:5000/etcd", ATM_SCHEME_HTTP, "localhost:5000/etcd:latest",
      "localhost:5000/etcd:latest" },
    { "https:q.io/etcd:2", ATM_SCHEME_HTTPS, "q.io/etcd:2", "q.io/etcd:2" },
    { "https://q.io/etcd:2", ATM_SCHEME_HTTPS, "q.io/etcd:2", "q.io/etcd:2" },
    { "docker://q.io/etcd:2", ATM_SCHEME_CONFIGURED, "q.io/etcd:2", "q.io/etcd:2" },
    { "Myhost/etcd:1", ATM_SCHEME_CONFIGURED, "myhost/etcd:1", "Myhost/etcd:1" },
    /* Hosts that are called as other sources are. */
    { "docker://dir:5000/x:1", ATM_SCHEME_CONFIGURED, "dir:5000/x:1", "dir:5000/x:1" },
    { "docker://docker-daemon:5000/x", ATM_SCHEME_CONFIGURED, "docker-daemon:5000/x:latest",
      "docker-daemon:5000/x:latest" },
    { "http:oci:5000/x:1", ATM_SCHEME_HTTP, "oci:5000/x:1", "oci:5000/x:1" },
  };
  const char *const bad[]
      = { "http://q.io/etcd?x=1", "https://u:p@q.io/etcd", "http:",         "oci:",
          "ftp://q.io/x",         "docker:///x",           "oci:http:x:1:2" };
  g_autoptr (GError) error = NULL;
  AtmOrigin *none = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (AtmOrigin) origin = NULL, stored = NULL;
      g_autofree char *canonical = NULL;

      g_assert_true (atm_origin_parse (good[i].text, &origin, &error));
      canonical = atm_origin_to_string (origin);
      g_assert_cmpstr (canonical, ==, good[i].canonical);
      g_assert_cmpstr (origin->name->familiar, ==, good[i].familiar);
      g_assert_cmpint (origin->scheme, ==, good[i].scheme);
      g_assert_cmpstr (atm_origin_get_transport_name (origin), ==, "docker");

      g_assert_true (atm_origin_parse_stored (canonical, origin->name->familiar, &stored, &error));
      g_assert_cmpstr (stored->name->familiar, ==, good[i].familiar);
      g_assert_cmpint (stored->name->domain_typed, ==, origin->name->domain_typed);
      g_assert_cmpstr (stored->name->domain, ==, origin->name->domain);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      if (atm_origin_parse (bad[i], &none, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_error (error, ATM_NAME_ERROR, ATM_NAME_ERROR_SYNTAX);
    }
}

static void
test_layout (void)
{
  const struct
  {
    const char *folder, *tag, *familiar;
  } good[] = {
    { "etcd", "", "etcd:latest" },         { "etcd", ":3.5", "etcd:3.5" },
    { "etcd", ":@0", "etcd:latest" },      { "etcd", ":q.io/x/etcd:1", "q.io/x/etcd:1" },
    { "My Images_", ":1", "my-images:1" }, { "a..b__c", "", "a.b_c:latest" },
  };
  const char *const bad[] = { "etcd:", "etcd:-x", "etcd:q.io/X", "no:colon", "none", "___" };
  g_autofree char *scratch = atm_test_scratch_path ();
  g_autofree char *root = realpath (scratch, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *path = g_build_filename (root, good[i].folder, NULL);
      g_autofree char *link = g_strdup_printf ("%s/link%u", root, i);
      g_autofree char *text = g_strconcat ("oci:", link, good[i].tag, NULL);
      g_autofree char *expected = g_strconcat ("oci:", path, good[i].tag, NULL);
      g_autofree char *canonical = NULL, *stored_canonical = NULL;
      g_autoptr (AtmOrigin) origin = NULL, stored = NULL;
      g_auto (GStrv) scopes = NULL;

      g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
      g_assert_cmpint (symlink (path, link), ==, 0);
      g_assert_true (atm_origin_parse (text, &origin, &error));
      g_assert_no_error (error);
      canonical = atm_origin_to_string (origin);
      g_assert_cmpstr (canonical, ==, expected);
      g_assert_cmpstr (origin->path, ==, path);
      g_assert_cmpstr (origin->name->familiar, ==, good[i].familiar);
      g_assert_cmpstr (atm_origin_get_transport_name (origin), ==, "oci");

      scopes = atm_origin_dup_scopes (origin);
      g_assert_cmpstr (scopes[0], ==, path);
      g_assert_cmpstr (scopes[1], ==, root);
      g_assert_cmpuint (strlen (scopes[g_strv_length (scopes) - 1]), >, 1);
      g_assert_false (g_strv_contains ((const char *const *) scopes, "/"));
      g_assert_false (g_strv_contains ((const char *const *) scopes, ""));

      g_assert_true (atm_origin_parse_stored (canonical, good[i].familiar, &stored, &error));
      stored_canonical = atm_origin_to_string (stored);
      g_assert_cmpstr (stored_canonical, ==, canonical);
    }

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *folder = g_strndup (bad[i], strcspn (bad[i], ":"));
      g_autofree char *path = g_build_filename (root, folder, NULL);
      g_autofree char *text = g_strconcat ("oci:", root, "/", bad[i], NULL);
      AtmOrigin *origin = NULL;

      if (!g_str_equal (folder, "none") && !g_str_equal (folder, "no"))
        g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
      if (atm_origin_parse (text, &origin, &error))
        g_error ("accepted: %s", text);
      g_assert_nonnull (error);
    }
}

/* (transfer full): @format with @root for “%s”. */
static char *
fill (const char *format, const char *root)
{
  g_auto (GStrv) parts = g_strsplit (format, "%s", -1);

  return g_strjoinv (root, parts);
}

static void
test_daemon (void)
{
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  const struct
  {
    const char *text, *canonical, *familiar, *scope; /* the first; NULL: only “” */
  } good[] = {
    { "docker:busybox:1.36", "docker-daemon:docker.io/library/busybox:1.36", "busybox:1.36",
      "docker.io/library/busybox:1.36" },
    { "docker:fedora", "docker-daemon:docker.io/library/fedora:latest", "fedora:latest",
      "docker.io/library/fedora:latest" },
    { "docker-daemon:q.io/x:1", "docker-daemon:q.io/x:1", "q.io/x:1", "q.io/x:1" },
    { "docker-daemon:localhost:5000/x", "docker-daemon:localhost:5000/x:latest",
      "localhost:5000/x:latest", "localhost:5000/x:latest" },
    { "docker:5000/x:1", "docker-daemon:docker.io/5000/x:1", "5000/x:1", "docker.io/5000/x:1" },
    { "docker:Myhost/etcd:1", "docker-daemon:myhost/etcd:1", "Myhost/etcd:1", "myhost/etcd:1" },
    { "docker:sha256:" HEX, "docker-daemon:sha256:" HEX, "sha256-0123456789ab:latest", NULL },
  };
  const char *const bad[] = {
    "docker:",
    "docker-daemon:",
    "docker:Fedora",
    "docker:a:b:c",
    "docker:/x",
    "docker-daemon:x:",
    "docker:x:1:",
    "docker:" HEX,
    "docker: x",
    ("docker:x@sha256:" HEX),
    ("docker:x:1@sha256:" HEX),
    "docker:HEX:",
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmOrigin) origin = NULL, stored = NULL;
      g_autofree char *canonical = NULL, *stored_canonical = NULL;
      g_auto (GStrv) scopes = NULL, stored_scopes = NULL;

      g_assert_true (atm_origin_parse (good[i].text, &origin, &error));
      g_assert_no_error (error);
      canonical = atm_origin_to_string (origin);
      scopes = atm_origin_dup_scopes (origin);
      g_assert_cmpstr (canonical, ==, good[i].canonical);
      g_assert_cmpstr (origin->name->familiar, ==, good[i].familiar);
      g_assert_cmpstr (atm_origin_get_transport_name (origin), ==, "docker-daemon");
      g_assert_cmpstr (scopes[0], ==, good[i].scope);
      g_assert_nonnull (origin->notice);

      g_assert_true (atm_origin_parse_stored (canonical, good[i].familiar, &stored, &error));
      stored_canonical = atm_origin_to_string (stored);
      stored_scopes = atm_origin_dup_scopes (stored);
      g_assert_cmpstr (stored_canonical, ==, canonical);
      g_assert_cmpstr (stored->name->familiar, ==, good[i].familiar);
      g_assert_cmpstr (stored->image_id, ==, origin->image_id);
      g_assert_true (
          g_strv_equal ((const char *const *) scopes, (const char *const *) stored_scopes));
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      AtmOrigin *origin = NULL;

      if (atm_origin_parse (bad[i], &origin, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_nonnull (error);
    }
}

/* In @text and @canonical “%s” is a folder that holds the file x.tar and others. */
static void
test_files (void)
{
  const struct
  {
    const char *text, *canonical, *familiar, *transport, *which;
    gboolean scoped; /* by the path */
  } good[] = {
    { "dockertar:%s/x.tar", "docker-archive:%s/x.tar", "x:latest", "docker-archive", NULL, FALSE },
    /* Scripts of the Python tool write two slashes. */
    { "dockertar:/%s/x.tar", "docker-archive:%s/x.tar", "x:latest", "docker-archive", NULL, FALSE },
    { "dockertar:///%s//x.tar", "docker-archive:%s/x.tar", "x:latest", "docker-archive", NULL,
      FALSE },
    { "docker-archive:%s/My_App.tar.gz", "docker-archive:%s/My_App.tar.gz", "my_app:latest",
      "docker-archive", NULL, FALSE },
    { "dockertar:%s/x.tar:busybox", "docker-archive:%s/x.tar:busybox", "busybox:latest",
      "docker-archive", "busybox", FALSE },
    { "dockertar:%s/x.tar:q.io:5/a/b:1", "docker-archive:%s/x.tar:q.io:5/a/b:1", "q.io:5/a/b:1",
      "docker-archive", "q.io:5/a/b:1", FALSE },
    { "dockertar:%s/x.tar:@1", "docker-archive:%s/x.tar:@1", "x:latest", "docker-archive", "@1",
      FALSE },
    { "dockertar:%s/link", "docker-archive:%s/x.tar", "x:latest", "docker-archive", NULL, FALSE },
    { "dockertar:x.tar", "docker-archive:%s/x.tar", "x:latest", "docker-archive", NULL, FALSE },
    { "oci-archive:%s/x.tar", "oci-archive:%s/x.tar", "x:latest", "oci-archive", NULL, TRUE },
    { "oci-archive:./x.tar:3.5", "oci-archive:%s/x.tar:3.5", "x:3.5", "oci-archive", "3.5", TRUE },
    { "oci-archive:%s/x.tar:q.io/y:1", "oci-archive:%s/x.tar:q.io/y:1", "q.io/y:1", "oci-archive",
      "q.io/y:1", TRUE },
    { "oci-archive:%s/x.tar:@0", "oci-archive:%s/x.tar:@0", "x:latest", "oci-archive", "@0", TRUE },
    { "dir:%s/folder", "dir:%s/folder", "folder:latest", "dir", NULL, TRUE },
    { "dir:folder", "dir:%s/folder", "folder:latest", "dir", NULL, TRUE },
    { "dir:%s/with:colon", "dir:%s/with:colon", "with-colon:latest", "dir", NULL, TRUE },
  };
  const char *const bad[] = {
    "dockertar:",
    "dockertar:%s/none.tar",
    "dockertar:%s/x.tar:",
    "dockertar:%s/x.tar:X",
    "docker-archive:",
    ("dockertar:%s/x.tar:y@sha256:" HEX),
    "oci-archive:",
    "oci-archive:%s/x.tar:",
    "oci-archive::x",
    "dir:",
    "dir:/",
    "dir:%s/none",
    "dockertar:/",
    "oci-archive:%s/with:colon",
    "dockertar:%s/x.tar:a:b:c",
    "dir:%s/___",
  };
  const char *const files[] = { "x.tar", "My_App.tar.gz" };
  const char *const folders[] = { "folder", "with:colon", "___" };
  g_autofree char *scratch = atm_test_scratch_path (), *before = g_get_current_dir ();
  g_autofree char *root = realpath (scratch, NULL), *link = g_build_filename (root, "link", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (root, files[i], NULL);

      g_assert_true (g_file_set_contents (path, "", 0, NULL));
    }
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_build_filename (root, folders[i], NULL);

      g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
    }
  g_assert_cmpint (symlink ("x.tar", link), ==, 0);
  g_assert_cmpint (chdir (root), ==, 0);

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *text = fill (good[i].text, root), *expected = fill (good[i].canonical, root);
      g_autofree char *canonical = NULL, *stored_canonical = NULL;
      g_autoptr (AtmOrigin) origin = NULL, stored = NULL;
      g_auto (GStrv) scopes = NULL, stored_scopes = NULL;

      if (!atm_origin_parse (text, &origin, &error))
        g_error ("%s: %s", text, error->message);
      canonical = atm_origin_to_string (origin);
      g_assert_cmpstr (canonical, ==, expected);
      g_assert_cmpstr (origin->name->familiar, ==, good[i].familiar);
      g_assert_cmpstr (atm_origin_get_transport_name (origin), ==, good[i].transport);
      g_assert_cmpstr (origin->which, ==, good[i].which);
      scopes = atm_origin_dup_scopes (origin);
      g_assert_cmpstr (scopes[0], ==, good[i].scoped ? origin->path : NULL);
      if (good[i].scoped)
        g_assert_cmpstr (scopes[1], ==, root);

      g_assert_true (atm_origin_parse_stored (canonical, good[i].familiar, &stored, &error));
      stored_canonical = atm_origin_to_string (stored);
      stored_scopes = atm_origin_dup_scopes (stored);
      g_assert_cmpstr (stored_canonical, ==, canonical);
      g_assert_cmpstr (stored->which, ==, origin->which);
      g_assert_cmpstr (stored->name->familiar, ==, good[i].familiar);
      g_assert_true (
          g_strv_equal ((const char *const *) scopes, (const char *const *) stored_scopes));
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *text = fill (bad[i], root);
      AtmOrigin *origin = NULL;

      if (atm_origin_parse (text, &origin, &error))
        g_error ("accepted: %s", text);
      g_assert_nonnull (error);
    }
  g_assert_cmpint (chdir (before), ==, 0);
}

static void
test_site (void)
{
  g_autofree char *scratch = atm_test_scratch_path ();
  g_autofree char *root = realpath (scratch, NULL);
  g_autofree char *link = g_build_filename (root, "link", NULL);
  g_autofree char *by_path = g_strconcat ("ostree:", link, ":q.io/etcd:1", NULL);
  g_autofree char *path_canonical = g_strconcat ("ostree:", root, ":q.io/etcd:1", NULL);
  g_autofree char *with_colon = g_build_filename (root, "a:b", NULL);
  g_autofree char *colon_link = g_build_filename (root, "colon", NULL);
  g_autofree char *colon_text = g_strconcat ("ostree:", colon_link, ":q.io/etcd:1", NULL);
  const struct
  {
    const char *text, *canonical, *familiar, *site;
  } good[] = {
    { "ostree:site:q.io/etcd:1", "ostree:site:q.io/etcd:1", "q.io/etcd:1", "site" },
    { "ostree:my_site-2.b:etcd", "ostree:my_site-2.b:docker.io/library/etcd:latest", "etcd:latest",
      "my_site-2.b" },
    { "ostree:s:Myhost/etcd:1", "ostree:s:myhost/etcd:1", "Myhost/etcd:1", "s" },
    { by_path, path_canonical, "q.io/etcd:1", root },
  };
  const char *const bad[] = { "ostree:",
                              "ostree:site",
                              "ostree:site/etcd",
                              "ostree::etcd",
                              "ostree:a b:etcd",
                              "ostree:a/b:etcd",
                              "ostree:.x:etcd",
                              "ostree:-x:etcd",
                              "ostree:site:",
                              "ostree:site:q.io/X",
                              "ostree:/no/where:etcd",
                              "ostree:/:",
                              "ostree:site:ostree:site:etcd",
                              colon_text };

  g_assert_cmpint (symlink (root, link), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (with_colon, 0755), ==, 0);
  g_assert_cmpint (symlink (with_colon, colon_link), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmOrigin) origin = NULL, stored = NULL;
      g_autofree char *canonical = NULL, *stored_canonical = NULL, *first = NULL;
      g_auto (GStrv) scopes = NULL;

      g_assert_true (atm_origin_parse (good[i].text, &origin, &error));
      g_assert_no_error (error);
      canonical = atm_origin_to_string (origin);
      g_assert_cmpstr (canonical, ==, good[i].canonical);
      g_assert_cmpstr (origin->site, ==, good[i].site);
      g_assert_cmpstr (origin->name->familiar, ==, good[i].familiar);
      g_assert_cmpstr (atm_origin_get_transport_name (origin), ==, "ostree");

      scopes = atm_origin_dup_scopes (origin);
      first = g_strconcat ("ostree:", scopes[0], NULL);
      g_assert_cmpstr (first, ==, good[i].canonical);
      g_assert_cmpstr (scopes[g_strv_length (scopes) - 1], ==, good[i].site);

      g_assert_true (atm_origin_parse_stored (canonical, good[i].familiar, &stored, &error));
      stored_canonical = atm_origin_to_string (stored);
      g_assert_cmpstr (stored_canonical, ==, canonical);
      g_assert_cmpstr (stored->name->familiar, ==, good[i].familiar);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      AtmOrigin *origin = NULL;

      if (atm_origin_parse (bad[i], &origin, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_nonnull (error);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/origin/registry", test_registry);
  g_test_add_func ("/origin/layout", test_layout);
  g_test_add_func ("/origin/daemon", test_daemon);
  g_test_add_func ("/origin/files", test_files);
  g_test_add_func ("/origin/site", test_site);
  return g_test_run ();
}
