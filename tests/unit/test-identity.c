/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "trust/identity.h"
#include "util/json.h"

#define D "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define E "@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static gboolean
parse (const char *text, AtmIdentity **identity_out, GError **error)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (JsonObject) object = NULL;

  return atm_json_parse_object (bytes, &object, error)
         && atm_identity_parse (object, "x", identity_out, error);
}

/* The table of trust.md 6: one letter per column, in the order of signed_names. */
static void
test_table (void)
{
  const char *const signed_names[] = { "h.test/r",   "h.test/r:t",   "h.test/r:u", "h.test/r" D,
                                       "h.test/r" E, "h.test/r:t" D, "h.test/q:t" };
  const struct
  {
    const char *image;
    const char *identity;
    const char *answers;
  } rows[] = {
    { "h.test/r:t", "{\"type\":\"matchExact\"}", "-y-----" },
    { "h.test/r" D, "{\"type\":\"matchExact\"}", "---y---" },
    { "h.test/r:t" D, "{\"type\":\"matchExact\"}", "-----y-" },
    { "h.test/r:t", "{\"type\":\"matchRepoDigestOrExact\"}", "-y-----" },
    { "h.test/r" D, "{\"type\":\"matchRepoDigestOrExact\"}", "-yyyyy-" },
    { "h.test/r:t" D, "{\"type\":\"matchRepoDigestOrExact\"}", "-----y-" },
    { "h.test/r:t", "{\"type\":\"matchRepository\"}", "yyyyyy-" },
    { "h.test/r" D, "{\"type\":\"matchRepository\"}", "yyyyyy-" },
    { "h.test/r:t" D, "{\"type\":\"matchRepository\"}", "yyyyyy-" },
    { "h.test/z:9", "{\"type\":\"exactReference\",\"dockerReference\":\"h.test/r:t\"}", "-y-----" },
    { "h.test/z:9", "{\"type\":\"exactReference\",\"dockerReference\":\"h.test/r" D "\"}",
      "---y---" },
    { "h.test/z:9", "{\"type\":\"exactReference\",\"dockerReference\":\"h.test/r:t" D "\"}",
      "-----y-" },
    { "h.test/z:9", "{\"type\":\"exactRepository\",\"dockerRepository\":\"h.test/r\"}", "yyyyyy-" },
    { "h.test/z:9", "{\"type\":\"exactRepository\",\"dockerRepository\":\"h.test/r:x\"}",
      "yyyyyy-" },
    { NULL, "{\"type\":\"matchExact\"}", "-------" },
    { NULL, "{\"type\":\"matchRepoDigestOrExact\"}", "-------" },
    { NULL, "{\"type\":\"matchRepository\"}", "-------" },
    { NULL, "{\"type\":\"exactReference\",\"dockerReference\":\"h.test/r:t\"}", "-y-----" },
    { NULL, "{\"type\":\"exactRepository\",\"dockerRepository\":\"h.test/r\"}", "yyyyyy-" },
    { NULL, "{\"type\":\"remapIdentity\",\"prefix\":\"h.test\",\"signedPrefix\":\"h.test\"}",
      "-------" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (AtmIdentity) identity = NULL;
      g_autoptr (AtmImageName) image = NULL;

      g_assert_true (parse (rows[i].identity, &identity, NULL));
      if (rows[i].image != NULL)
        g_assert_true (atm_name_parse (rows[i].image, FALSE, &image, NULL));
      for (guint j = 0; j < G_N_ELEMENTS (signed_names); j++)
        if (atm_identity_matches (identity, image, signed_names[j]) != (rows[i].answers[j] == 'y'))
          g_error ("%s, %s, %s", rows[i].image, rows[i].identity, signed_names[j]);
    }
}

static void
test_spelling (void)
{
  const struct
  {
    const char *image, *claim;
    gboolean matches;
  } cases[] = {
    { "app:1", "docker.io/library/app:1", TRUE },
    { "app:1", "index.docker.io/app:1", TRUE },
    { "app:1", "app:1", TRUE },
    { "h.test/a:1", "H.Test/a:1", TRUE },
    { "H.TEST/a:1", "h.test/a:1", TRUE },
    { "app:1", "docker.io/library/App:1", FALSE },
    { "h.test:5000/a:1", "h.test/a:1", FALSE },
    { "h.test/a:1", "h.test:5000/a:1", FALSE },
    { "h.test/a:1", "", FALSE },
    { "h.test/a:1", " h.test/a:1", FALSE },
    { "h.test/a:1", "h.test/a:1\n", FALSE },
    { "h.test/a:1", "h.test/\xd0\xb0:1", FALSE },
    { "h.test/a:1", "docker://h.test/a:1", FALSE },
    { "h.test/a:latest", "h.test/a", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmIdentity) identity = NULL;
      g_autoptr (AtmImageName) image = NULL;

      g_assert_true (atm_identity_parse (NULL, "x", &identity, NULL));
      g_assert_true (atm_name_parse (cases[i].image, FALSE, &image, NULL));
      if (atm_identity_matches (identity, image, cases[i].claim) != cases[i].matches)
        g_error ("%s, %s", cases[i].image, cases[i].claim);
    }
}

static void
test_remap (void)
{
  const struct
  {
    const char *image, *prefix, *signed_prefix;
    const char *claim; /* that is accepted */
    gboolean matches;
  } cases[] = {
    { "mirror:5000/vendor/app:1", "mirror:5000/vendor", "vendor.example", "vendor.example/app:1",
      TRUE },
    { "mirror:5000/vendor/app:1", "mirror:5000/vendor/app", "vendor.example/x",
      "vendor.example/x:1", TRUE },
    { "mirror:5000/vendor/app:1", "Mirror:5000", "vendor.example", "vendor.example/vendor/app:1",
      TRUE },
    { "mirror:5000/vendor/app" D, "mirror:5000", "vendor.example", "vendor.example/vendor/app:7",
      TRUE },
    { "mirror:5000/vendor/app:1", "mirror:5000/vendor", "vendor.example", "vendor.example/app:2",
      FALSE },
    { "mirror:50000/vendor/app:1", "mirror:5000", "vendor.example", "vendor.example/vendor/app:1",
      FALSE },
    { "mirror:50000/vendor/app:1", "mirror:5000", "vendor.example", "mirror:50000/vendor/app:1",
      TRUE },
    { "mirror:5000/vendor2/app:1", "mirror:5000/vendor", "v.example", "v.example2/app:1", FALSE },
    { "mirror:5000/vendor2/app:1", "mirror:5000/vendor", "v.example", "mirror:5000/vendor2/app:1",
      TRUE },
    { "mirror/vendor/app:1", "mirror", "v.example", "docker.io/mirror/vendor/app:1", TRUE },
    { "mirror/vendor/app:1", "mirror", "v.example", "v.example/vendor/app:1", FALSE },
    { "m.example/busybox:1", "m.example", "docker.io", "docker.io/library/busybox:1", FALSE },
    { "m.example/busybox:1", "m.example", "docker.io", "docker.io/busybox:1", FALSE },
    { "m.example/busybox:1", "m.example", "docker.io/library", "docker.io/library/busybox:1",
      TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf (
          "{\"type\":\"remapIdentity\",\"prefix\":\"%s\",\"signedPrefix\":\"%s\"}", cases[i].prefix,
          cases[i].signed_prefix);
      g_autoptr (AtmIdentity) identity = NULL;
      g_autoptr (AtmImageName) image = NULL;
      g_autoptr (GError) error = NULL;

      if (!parse (text, &identity, &error))
        g_error ("%s", error->message);
      g_assert_true (atm_name_parse (cases[i].image, FALSE, &image, NULL));
      if (atm_identity_matches (identity, image, cases[i].claim) != cases[i].matches)
        g_error ("%s: %s, %s", text, cases[i].image, cases[i].claim);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/identity/table", test_table);
  g_test_add_func ("/identity/spelling", test_spelling);
  g_test_add_func ("/identity/remap", test_remap);
  return g_test_run ();
}
