/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "trust/policy-edit.h"
#include "trust/policy.h"
#include "trust/registriesd-edit.h"
#include "trust/registriesd.h"
#include "trust/scope.h"
#include "trust/trust.h"

#include <string.h>
#include <unistd.h>

/* ---- policies ---- */

static void
assert_text (GBytes *bytes, const char *expected)
{
  g_autofree char *text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_autofree char *compact = NULL;
  g_auto (GStrv) words = NULL;

  /* json-glib puts a blank before each colon; what counts is what it says, and in which order. */
  words = g_strsplit_set (text, " \n", -1);
  compact = g_strjoinv ("", words);
  g_assert_cmpstr (compact, ==, expected);
}

#define OLD                                                                                        \
  "{\"transports\":{\"docker\":{\"z.test\":[{\"type\":\"reject\"}],\"A.test/x\":[{\"type\":"       \
  "\"insecureAcceptAnything\"}]},\"unheard-of\":{\"?\":[{\"type\":\"reject\"}]}},\"default\":"     \
  "[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\"}]}"

static void
test_set (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) old = atm_test_bytes (OLD), added = NULL, replaced = NULL;
  gboolean has = TRUE;

  g_assert_true (atm_policy_edit_has (old, "p", "docker", "a.test", &has, &error));
  g_assert_false (has);
  g_assert_true (atm_policy_edit_has (old, "p", "docker", "a.test/X", &has, &error) && !has);
  g_assert_true (atm_policy_edit_has (old, "p", "docker", "a.test/x", &has, &error) && has);

  /* Order and strangers stay, the new one comes last. */
  g_assert_true (atm_policy_edit_set (old, "p", "docker", "a.test",
                                      atm_policy_edit_new_list ("reject", NULL, FALSE), &added,
                                      &error));
  assert_text (added,
               "{\"transports\":{\"docker\":{\"z.test\":[{\"type\":\"reject\"}],\"A.test/x\":[{"
               "\"type\":\"insecureAcceptAnything\"}],\"a.test\":[{\"type\":\"reject\"}]},"
               "\"unheard-of\":{\"?\":[{\"type\":\"reject\"}]}},\"default\":[{\"type\":"
               "\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\"}]}");

  /* The case of the host is that of the file, and the place too. */
  g_assert_true (atm_policy_edit_set (added, "p", "docker", "a.test/x",
                                      atm_policy_edit_new_list ("reject", NULL, FALSE), &replaced,
                                      &error));
  assert_text (replaced,
               "{\"transports\":{\"docker\":{\"z.test\":[{\"type\":\"reject\"}],\"A.test/x\":[{"
               "\"type\":\"reject\"}],\"a.test\":[{\"type\":\"reject\"}]},"
               "\"unheard-of\":{\"?\":[{\"type\":\"reject\"}]}},\"default\":[{\"type\":"
               "\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/k\"}]}");
}

static AtmPolicyKey *
new_key (const char *path, const char *data)
{
  AtmPolicyKey *key = g_new0 (AtmPolicyKey, 1);

  key->path = g_strdup (path);
  key->data = data != NULL ? atm_test_bytes (data) : NULL;
  return key;
}

static void
test_keys (void)
{
  const struct
  {
    const char *first, *second, *data;
    gboolean any;
    const char *expected;
  } rows[] = {
    { "/a", NULL, NULL, FALSE,
      "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/a\"}" },
    { "/a", "/b", NULL, FALSE,
      "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/a\"},"
      "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/b\"}" },
    { "/a", "/b", NULL, TRUE,
      "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPaths\":[\"/a\",\"/b\"]}" },
    { NULL, NULL, "key", TRUE,
      "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyData\":\"a2V5\"}" },
  };
  g_autoptr (GBytes) start = atm_policy_edit_new ();

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GPtrArray) keys
          = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_policy_key_free);
      g_autoptr (GBytes) edited = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *expected = g_strdup_printf (
          "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{\"s.test\":[%s]}}}",
          rows[i].expected);

      g_ptr_array_add (keys, new_key (rows[i].first, rows[i].data));
      if (rows[i].second != NULL)
        g_ptr_array_add (keys, new_key (rows[i].second, NULL));
      g_assert_true (atm_policy_edit_set (start, "p", "docker", "s.test",
                                          atm_policy_edit_new_list ("signedBy", keys, rows[i].any),
                                          &edited, &error));
      assert_text (edited, expected);
    }
}

/* Row 74, and what “delete” leaves. */
static void
test_default_and_remove (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) old = atm_test_bytes (OLD), changed = NULL, removed = NULL, none = NULL;

  g_assert_true (atm_policy_edit_set_default (old, "p", "reject", &changed, &error));
  g_assert_true (atm_policy_edit_remove (changed, "p", "docker", "a.test/x", &removed, &error));
  assert_text (removed, "{\"transports\":{\"docker\":{\"z.test\":[{\"type\":\"reject\"}]},"
                        "\"unheard-of\":{\"?\":[{\"type\":\"reject\"}]}},\"default\":[{\"type\":"
                        "\"reject\"}]}");
  g_assert_false (atm_policy_edit_remove (removed, "p", "docker", "a.test/x", &none, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_null (none);
}

static void
test_layout (void)
{
  g_autoptr (GBytes) start = atm_policy_edit_new ();
  const char *text = g_bytes_get_data (start, NULL);

  g_assert_true (g_str_has_prefix (text, "{\n    \"default\""));
  g_assert_true (text[g_bytes_get_size (start) - 1] == '\n');
}

static void
test_refuses (void)
{
  const char *const bad[] = {
    "",
    "{}",
    "{\"default\":[]}",
    "{\"default\":[{\"type\":\"reject\"}]}{}",
    "{\"default\":[{\"type\":\"reject\"}],\"default\":[{\"type\":\"reject\"}]}",
    "/* mine */{\"default\":[{\"type\":\"reject\"}]}",
    "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{\"x\":[]}}}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) old = atm_test_bytes (bad[i]), next = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_false (atm_policy_edit_set_default (old, "p", "reject", &next, &error));
      g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_SYNTAX);
      g_assert_null (next);
    }
}

/* ---- scopes that mean nothing ---- */

static void
test_faults (void)
{
  const char *const good[]
      = { "docker.io",
          "docker.io/library/busybox",
          "docker.io/ns",
          "localhost",
          "localhost:5000",
          "reg.test:5000/ns/app:1",
          "*.test",
          "127.0.0.1:5000/a",
          "[::1]:5000/a",
          "Registry/app",
          "reg.test/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" };
  const char *const bad[]
      = { "*",
          "*.",
          "*.test:5000",
          "*.test/app",
          "busybox",
          "ns/app",
          "a*.test",
          "reg.test/",
          "reg.test//a",
          "https://reg.test",
          "reg.test/App",
          "index.docker.io/ns",
          "docker.io/busybox:1",
          "reg.test/a b",
          "reg.test/a:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autofree char *fault = atm_scope_find_fault ("docker", good[i]);

      if (fault != NULL)
        g_error ("%s: %s", good[i], fault);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *fault = atm_scope_find_fault ("docker", bad[i]);

      if (fault == NULL)
        g_error ("%s is thought to be good", bad[i]);
    }
}

static void
test_fault_of_link (void)
{
  g_autofree char *folder = atm_test_scratch_path (), *real = NULL, *link = NULL;
  g_autofree char *none = NULL, *fault = NULL, *unknown = NULL;

  real = g_build_filename (folder, "real", NULL);
  link = g_build_filename (folder, "link", NULL);
  g_assert_cmpint (g_mkdir_with_parents (real, 0755), ==, 0);
  g_assert_cmpint (symlink (real, link), ==, 0);
  none = atm_scope_find_fault ("oci", real);
  fault = atm_scope_find_fault ("oci", link);
  unknown = atm_scope_find_fault ("dokcer", "reg.test");
  g_assert_null (none);
  g_assert_nonnull (strstr (fault, real));
  g_assert_nonnull (unknown);
}

/* ---- registries.d ---- */

#define URL "https://s.test/x"

static void
test_yaml_set (void)
{
  const struct
  {
    const char *scope, *old, *expected; /* NULL: has to be refused */
  } rows[] = {
    { "reg.test", NULL, "docker:\n  reg.test:\n    lookaside: " URL "\n" },
    { "*.test", NULL, "docker:\n  \"*.test\":\n    lookaside: " URL "\n" },
    { "[::1]:5000", NULL, "docker:\n  \"[::1]:5000\":\n    lookaside: " URL "\n" },
    { "reg.test:5000/a", "# mine\n",
      "# mine\ndocker:\n  reg.test:5000/a:\n    lookaside: " URL "\n" },
    /* replaced, with what is written beside it */
    { "reg.test",
      "# head\ndocker:\n    # why\n    Reg.test:   # ours\n        sigstore: http://o/\n"
      "        lookaside:  http://a/b # old\n\n    b.test:\n        lookaside: http://b/\n# end\n",
      "# head\ndocker:\n    # why\n    Reg.test:   # ours\n        sigstore: http://o/\n"
      "        lookaside: " URL " # old\n\n    b.test:\n        lookaside: http://b/\n# end\n" },
    /* a member more */
    { "reg.test", "docker:\n  'reg.test':\n    # written\n    lookaside-staging: file:///w\n",
      "docker:\n  'reg.test':\n    lookaside: " URL
      "\n    # written\n    lookaside-staging: file:///w\n" },
    { "reg.test", "docker:\n  reg.test:\n", "docker:\n  reg.test:\n    lookaside: " URL "\n" },
    /* a scope more, behind the others and before what follows */
    { "reg.test",
      "docker:\n   a.test:\n      lookaside: http://a/\n# of the default\ndefault-docker:\n"
      "  lookaside: http://d/\n",
      "docker:\n   a.test:\n      lookaside: http://a/\n   reg.test:\n     lookaside: " URL
      "\n# of the default\ndefault-docker:\n  lookaside: http://d/\n" },
    { "reg.test", "default-docker:\n  lookaside: http://d/",
      "default-docker:\n  lookaside: http://d/\ndocker:\n  reg.test:\n    lookaside: " URL "\n" },
    /* not line by line */
    { "reg.test", "docker: {a.test: {lookaside: 'http://a/'}}\n", NULL },
    { "reg.test", "{docker: {}}\n", NULL },
    { "reg.test", "docker:\n  reg.test: {lookaside: 'http://a/'}\n", NULL },
    { "reg.test", "docker:\n  reg.test:\n    ? lookaside\n    : http://a/\n", NULL },
    { "reg.test", "docker:\n  reg.test:\n    lookaside:\n      http://a/\n", NULL },
    /* no file of registries.d */
    { "reg.test", "docker: [a]\n", NULL },
    { "reg.test", "docker:\n  reg.test:\n    lookaside: ftp://a/\n", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GBytes) old = rows[i].old != NULL ? atm_test_bytes (rows[i].old) : NULL;
      g_autoptr (GBytes) next = NULL;
      g_autoptr (GError) error = NULL;
      gboolean done = atm_registriesd_edit_set (old, "f", rows[i].scope, URL, &next, &error);

      if (rows[i].expected == NULL)
        {
          g_assert_false (done);
          g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
          g_assert_null (next);
          continue;
        }
      g_assert_no_error (error);
      g_assert_cmpmem (g_bytes_get_data (next, NULL), g_bytes_get_size (next), rows[i].expected,
                       strlen (rows[i].expected));
    }
}

static void
test_yaml_remove (void)
{
  const struct
  {
    const char *old, *expected; /* "": the file goes; NULL: has to be refused */
  } rows[] = {
    { "docker:\n  reg.test:\n    lookaside: " URL "\n", "" },
    { "# mine\n\ndocker:\n  reg.test:\n    lookaside: " URL "\n", "# mine\n\n" },
    { "docker:\n  a.test:\n    lookaside: http://a/\n  REG.test:\n    # of it\n"
      "    lookaside: " URL "\n\n  # of b\n  b.test:\n    lookaside: http://b/\n",
      "docker:\n  a.test:\n    lookaside: http://a/\n\n  # of b\n  b.test:\n"
      "    lookaside: http://b/\n" },
    { "docker:\n  reg.test:\n    lookaside: " URL "\ndefault-docker:\n  lookaside: http://d/\n",
      "default-docker:\n  lookaside: http://d/\n" },
    { "docker: {reg.test: {lookaside: 'http://a/'}}\n", NULL },
    { "docker:\n  ? reg.test\n  :\n    lookaside: http://a/\n", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GBytes) old = atm_test_bytes (rows[i].old), next = NULL;
      g_autoptr (GError) error = NULL;
      gboolean done = atm_registriesd_edit_remove (old, "f", "reg.test", &next, &error);

      g_assert_cmpint (done, ==, rows[i].expected != NULL);
      if (!done)
        g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG);
      else if (*rows[i].expected == '\0')
        g_assert_null (next);
      else
        g_assert_cmpmem (g_bytes_get_data (next, NULL), g_bytes_get_size (next), rows[i].expected,
                         strlen (rows[i].expected));
    }
}

static void
test_writing (void)
{
  const char *const text = "default-docker:\n  sigstore: http://d/\ndocker:\n"
                           "  reg.test:\n    lookaside: http://r/\n"
                           "  reg.test/ns:\n    lookaside-staging: file:///w/\n";
  g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (AtmImageName) inner = NULL, outer = NULL, other = NULL;

  g_assert_true (atm_registriesd_add (conf, bytes, "/d/f.yaml", NULL));
  g_assert_true (atm_name_parse ("reg.test/ns/app:1", FALSE, &inner, NULL));
  g_assert_true (atm_name_parse ("reg.test/app:1", FALSE, &outer, NULL));
  g_assert_true (atm_name_parse ("other.test/app:1", FALSE, &other, NULL));
  /* row 60 */
  g_assert_cmpstr (atm_registriesd_look_up (conf, inner), ==, "http://r");
  g_assert_cmpstr (atm_registriesd_look_up_writing (conf, inner), ==, "file:///w");
  g_assert_cmpstr (atm_registriesd_look_up_writing (conf, outer), ==, "http://r");
  g_assert_cmpstr (atm_registriesd_look_up_writing (conf, other), ==, "http://d");
  g_assert_cmpstr (atm_registriesd_look_up_scope (conf, "reg.test/ns/app:1"), ==, "http://r");
  g_assert_null (atm_registriesd_look_up_scope (conf, "other.test"));
  g_assert_cmpstr (atm_registriesd_get_file (conf, "REG.test/ns"), ==, "/d/f.yaml");
  g_assert_null (atm_registriesd_get_file (conf, "reg.test/ns/app"));
}

/* ---- the examples of atomic-trust-policy(5) ---- */

static void
test_examples (void)
{
  g_autofree char *path
      = g_test_build_filename (G_TEST_DIST, "..", "man", "atomic-trust-policy.5", NULL);
  g_autofree char *page = NULL;
  g_auto (GStrv) parts = NULL;
  guint n_policies = 0, n_files = 0;

  g_assert_true (g_file_get_contents (path, &page, NULL, NULL));
  parts = g_strsplit (page, ".\\\" example ", -1);
  for (char **part = parts + 1; *part != NULL; part++)
    {
      char *start = strstr (*part, ".EX\n"), *end = strstr (*part, ".EE\n");
      g_autofree char *raw = NULL, *text = NULL;
      g_auto (GStrv) pieces = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (start != NULL && end != NULL && start < end);
      raw = g_strndup (start + 4, (gsize) (end - start - 4));
      pieces = g_strsplit (raw, "\\-", -1);
      text = g_strjoinv ("-", pieces);
      bytes = atm_test_bytes (text);
      if (g_str_has_prefix (*part, "policy "))
        {
          g_autoptr (AtmPolicy) policy = NULL;
          g_autoptr (GPtrArray) entries = NULL;

          if (!atm_policy_parse (bytes, *part, &policy, &error))
            g_error ("%s", error->message);
          entries = atm_policy_dup_entries (policy);
          for (guint i = 1; i < entries->len; i++)
            {
              const AtmPolicyEntry *entry = g_ptr_array_index (entries, i);
              g_autofree char *fault = atm_scope_find_fault (entry->transport, entry->scope);

              g_assert_cmpstr (fault, ==, NULL);
            }
          g_assert_cmpuint (entries->len, >, 1);
          n_policies++;
        }
      else
        {
          g_autoptr (AtmRegistriesd) conf = atm_registriesd_new ();

          if (!atm_registriesd_add (conf, bytes, *part, &error))
            g_error ("%s", error->message);
          g_assert_nonnull (atm_registriesd_get_file (conf, "registry.example.org"));
          n_files++;
        }
    }
  g_assert_cmpuint (n_policies, ==, 6);
  g_assert_cmpuint (n_files, ==, 2);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/policy-edit/set", test_set);
  g_test_add_func ("/policy-edit/keys", test_keys);
  g_test_add_func ("/policy-edit/default-and-remove", test_default_and_remove);
  g_test_add_func ("/policy-edit/layout", test_layout);
  g_test_add_func ("/policy-edit/refuses", test_refuses);
  g_test_add_func ("/policy-edit/faults", test_faults);
  g_test_add_func ("/policy-edit/fault-of-link", test_fault_of_link);
  g_test_add_func ("/policy-edit/yaml-set", test_yaml_set);
  g_test_add_func ("/policy-edit/yaml-remove", test_yaml_remove);
  g_test_add_func ("/policy-edit/writing", test_writing);
  g_test_add_func ("/policy-edit/examples", test_examples);
  return g_test_run ();
}
