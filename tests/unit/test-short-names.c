/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/scratch.h"
#include "image/source.h"
#include "registry/short-names.h"

#define H "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TWO "unqualified-search-registries = [\"Q.io\", \"docker.io\"]\n"

static AtmRegistriesConf *
parse (const char *text)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (GError) error = NULL;
  AtmRegistriesConf *conf = NULL;

  g_assert_true (atm_registries_conf_parse (bytes, "test.conf", &conf, &error));
  g_assert_no_error (error);
  return conf;
}

static AtmCandidates *
resolve (const AtmRegistriesConf *conf, const char *text, GError **error)
{
  g_autoptr (AtmImageName) name = NULL;
  AtmCandidates *candidates = NULL;

  g_assert_true (atm_name_parse (text, TRUE, &name, NULL));
  if (!atm_registries_conf_resolve (conf, name, &candidates, error))
    {
      g_assert_null (candidates);
      return NULL;
    }
  for (guint i = 0; i < candidates->names->len; i++)
    {
      const AtmImageName *candidate = g_ptr_array_index (candidates->names, i);

      g_assert_true (candidate->domain_typed);
      g_assert_cmpstr (candidate->familiar, ==, name->familiar);
    }
  return candidates;
}

static char *
join (const AtmCandidates *candidates)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < candidates->names->len; i++)
    {
      g_autofree char *name = atm_name_to_string (g_ptr_array_index (candidates->names, i));

      g_string_append_printf (text, "%s%s", i > 0 ? " " : "", name);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
test_resolve (void)
{
  const struct
  {
    const char *text, *name, *result;
    AtmCandidatesMode mode;
    const char *origin;
  } cases[] = {
    /* not short */
    { TWO, "r.io/etcd", "r.io/etcd:latest", ATM_CANDIDATES_ONE, NULL },
    { TWO, "docker.io/etcd", "docker.io/library/etcd:latest", ATM_CANDIDATES_ONE, NULL },
    { TWO, "localhost/etcd", "localhost/etcd:latest", ATM_CANDIDATES_ONE, NULL },
    { TWO, "myhost:5000/etcd", "myhost:5000/etcd:latest", ATM_CANDIDATES_ONE, NULL },
    { "[aliases]\n\"etcd\" = \"a.io/x\"\n", "r.io/etcd", "r.io/etcd:latest", ATM_CANDIDATES_ONE,
      NULL },
    /* aliases */
    { TWO "[aliases]\n\"etcd\" = \"a.io/coreos/etcd\"\n", "etcd", "a.io/coreos/etcd:latest",
      ATM_CANDIDATES_ONE, "the alias “etcd” in test.conf" },
    { "[aliases]\n\"etcd\" = \"a.io/x\"\n", "etcd:3.5", "a.io/x:3.5", ATM_CANDIDATES_ONE,
      "the alias “etcd” in test.conf" },
    { "[aliases]\n\"etcd\" = \"a.io/x\"\n", "etcd@sha256:" H, "a.io/x@sha256:" H,
      ATM_CANDIDATES_ONE, "the alias “etcd” in test.conf" },
    { "[aliases]\n\"etcd\" = \"a.io/x\"\n", "etcd:3@sha256:" H, "a.io/x:3@sha256:" H,
      ATM_CANDIDATES_ONE, "the alias “etcd” in test.conf" },
    { "[aliases]\n\"etcd\" = \"docker.io/etcd\"\n", "etcd", "docker.io/library/etcd:latest",
      ATM_CANDIDATES_ONE, "the alias “etcd” in test.conf" },
    { "[aliases]\n\"coreos/etcd\" = \"a.io:5000/x\"\n", "coreos/etcd", "a.io:5000/x:latest",
      ATM_CANDIDATES_ONE, "the alias “coreos/etcd” in test.conf" },
    { TWO "[aliases]\n\"library/etcd\" = \"a.io/x\"\n", "etcd",
      "q.io/etcd:latest docker.io/library/etcd:latest", ATM_CANDIDATES_ASK_OR_TRY,
      "“unqualified-search-registries” in test.conf" },
    /* search registries: “library/” only on docker.io */
    { "unqualified-search-registries = [\"q.io\"]\nshort-name-mode = \"enforcing\"\n", "etcd",
      "q.io/etcd:latest", ATM_CANDIDATES_ONE, "“unqualified-search-registries” in test.conf" },
    { TWO, "coreos/etcd:3", "q.io/coreos/etcd:3 docker.io/coreos/etcd:3", ATM_CANDIDATES_ASK_OR_TRY,
      "“unqualified-search-registries” in test.conf" },
    { TWO, "myhost/etcd", "q.io/myhost/etcd:latest docker.io/myhost/etcd:latest",
      ATM_CANDIDATES_ASK_OR_TRY, "“unqualified-search-registries” in test.conf" },
    { "unqualified-search-registries = [\"localhost:5000\", \"[::1]:80\"]\n", "etcd",
      "localhost:5000/etcd:latest [::1]:80/etcd:latest", ATM_CANDIDATES_ASK_OR_TRY,
      "“unqualified-search-registries” in test.conf" },
    { TWO "short-name-mode = \"permissive\"\n", "etcd",
      "q.io/etcd:latest docker.io/library/etcd:latest", ATM_CANDIDATES_ASK_OR_TRY,
      "“unqualified-search-registries” in test.conf" },
    { TWO "short-name-mode = \"enforcing\"\n", "etcd",
      "q.io/etcd:latest docker.io/library/etcd:latest", ATM_CANDIDATES_ASK_OR_REFUSE,
      "“unqualified-search-registries” in test.conf" },
    { TWO "short-name-mode = \"disabled\"\n", "etcd",
      "q.io/etcd:latest docker.io/library/etcd:latest", ATM_CANDIDATES_IN_ORDER,
      "“unqualified-search-registries” in test.conf" },
    /* version 1 */
    { "[registries.search]\nregistries = ['q.io/']\n", "etcd", "q.io/etcd:latest",
      ATM_CANDIDATES_ONE, "“unqualified-search-registries” in test.conf" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmRegistriesConf) conf = parse (cases[i].text);
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmCandidates) candidates = resolve (conf, cases[i].name, &error);
      g_autofree char *result = NULL;

      g_assert_no_error (error);
      result = join (candidates);
      g_assert_cmpstr (result, ==, cases[i].result);
      g_assert_cmpint (candidates->mode, ==, cases[i].mode);
      g_assert_cmpstr (candidates->origin, ==, cases[i].origin);
    }
}

static void
test_unknown (void)
{
  const char *const texts[] = { "", "unqualified-search-registries = []\n",
                                "[aliases]\n\"etcd\" = \"\"\n\"etc\" = \"a.io/x\"\n" };
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *file = g_build_filename (folder, "none.conf", NULL);
  g_autoptr (AtmRegistriesConf) empty = NULL;
  g_autoptr (GError) none = NULL;
  g_autoptr (AtmCandidates) nothing = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (AtmRegistriesConf) conf = parse (texts[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (AtmCandidates) candidates = resolve (conf, "etcd:3.5", &error);

      g_assert_null (candidates);
      g_assert_error (error, ATM_SHORT_NAME_ERROR, ATM_SHORT_NAME_ERROR_UNKNOWN);
      g_assert_cmpstr (error->message, ==,
                       "“etcd:3.5” names no registry, and neither an alias nor "
                       "“unqualified-search-registries” says which one (test.conf read); write "
                       "the full name, HOST[:PORT]/etcd:3.5, as in docker.io/library/etcd:3.5");
    }

  g_assert_true (atm_registries_conf_load_places (&(AtmRegistriesPlaces){ .system_file = file },
                                                  &empty, &none));
  nothing = resolve (empty, "coreos/etcd", &none);
  g_assert_error (none, ATM_SHORT_NAME_ERROR, ATM_SHORT_NAME_ERROR_UNKNOWN);
  g_assert_nonnull (strstr (none->message, file));
  g_assert_nonnull (strstr (none->message, "as in docker.io/coreos/etcd:latest"));
}

static void
test_errors (void)
{
  const struct
  {
    GQuark domain;
    int code;
    gboolean goes_on;
  } cases[] = {
    { ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND, TRUE },
    { ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED, TRUE },
    { ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, FALSE },
    { ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL, FALSE },
    { ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE, FALSE },
    { G_IO_ERROR, G_IO_ERROR_NOT_FOUND, FALSE },
    { G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE, FALSE },
  };
  g_autoptr (AtmRegistriesConf) conf = parse (TWO "short-name-mode = \"enforcing\"\n");
  g_autoptr (GError) ambiguous = NULL;
  g_autoptr (AtmCandidates) candidates = resolve (conf, "etcd:3", &ambiguous);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = g_error_new_literal (cases[i].domain, cases[i].code, "x");

      g_assert_true (atm_candidates_may_go_on (error) == cases[i].goes_on);
    }
  g_assert_false (atm_candidates_throw_ambiguous (candidates, &ambiguous));
  g_assert_error (ambiguous, ATM_SHORT_NAME_ERROR, ATM_SHORT_NAME_ERROR_AMBIGUOUS);
  g_assert_nonnull (strstr (ambiguous->message, "q.io/etcd:3, docker.io/library/etcd:3"));
}

/* A main file without search registries, a drop-in as Debian has it, and what podman noted. */
static void
test_files (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *main_file = g_build_filename (folder, "registries.conf", NULL);
  g_autofree char *shortnames = g_build_filename (folder, "shortnames.conf", NULL);
  g_autofree char *later = g_build_filename (folder, "zz.conf", NULL);
  g_autofree char *cache = g_build_filename (folder, "cache", NULL);
  const AtmRegistriesPlaces places
      = { .system_file = main_file, .system_folder = folder, .alias_cache = cache };
  g_autoptr (AtmRegistriesConf) conf = NULL;
  g_autoptr (GError) error = NULL;
  const struct
  {
    const char *name, *result;
  } cases[] = { { "almalinux", "docker.io/library/almalinux:latest" },
                { "ubi8/ubi", "registry.access.redhat.com/ubi8/ubi:latest" },
                { "rhel7/open-vm-tools:1", "r.example.org/tools:1" },
                { "debian", "cache.example.org/debian:latest" } };
  g_autoptr (AtmCandidates) gone = NULL;
  AtmRegistriesConf *broken = NULL;

  g_assert_true (
      g_file_set_contents (main_file, "# unqualified-search-registries = [\"x\"]\n", -1, NULL));
  g_assert_true (g_file_set_contents (
      shortnames,
      "[aliases]\n"
      "  # almalinux\n"
      "  \"almalinux\" = \"docker.io/library/almalinux\"\n"
      "  \"debian\" = \"docker.io/library/debian\"\n"
      "  # Red Hat\n"
      "  \"ubi8/ubi\" = \"registry.access.redhat.com/ubi8/ubi\"\n"
      "  \"rhel7/open-vm-tools\" = \"registry.access.redhat.com/rhel7/open-vm-tools\"\n"
      "  \"oraclelinux\" = \"container-registry.oracle.com/os/oraclelinux\"\n",
      -1, NULL));
  g_assert_true (g_file_set_contents (later,
                                      "[aliases]\n\"rhel7/open-vm-tools\" = "
                                      "\"r.example.org/tools\"\n\"oraclelinux\" = \"\"\n",
                                      -1, NULL));
  g_assert_true (g_file_set_contents (cache,
                                      "unqualified-search-registries = [\"evil.example\"]\n"
                                      "[aliases]\n\"debian\" = \"cache.example.org/debian\"\n",
                                      -1, NULL));
  g_assert_true (atm_registries_conf_load_places (&places, &conf, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmCandidates) candidates = resolve (conf, cases[i].name, &error);
      g_autofree char *result = NULL;

      g_assert_no_error (error);
      result = join (candidates);
      g_assert_cmpstr (result, ==, cases[i].result);
    }
  gone = resolve (conf, "oraclelinux", &error);
  g_assert_error (error, ATM_SHORT_NAME_ERROR, ATM_SHORT_NAME_ERROR_UNKNOWN);
  for (guint i = 0; i < 4; i++)
    g_assert_nonnull (
        strstr (error->message, ((const char *[]){ main_file, shortnames, later, cache })[i]));

  g_clear_error (&error);
  g_assert_true (g_file_set_contents (cache, "[aliases]\nx = 1\n", -1, NULL));
  g_assert_false (atm_registries_conf_load_places (&places, &broken, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_true (g_str_has_prefix (error->message, cache));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/short-names/resolve", test_resolve);
  g_test_add_func ("/short-names/unknown", test_unknown);
  g_test_add_func ("/short-names/errors", test_errors);
  g_test_add_func ("/short-names/files", test_files);
  return g_test_run ();
}
