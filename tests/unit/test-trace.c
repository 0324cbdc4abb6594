/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/publisher.h"
#include "fixtures/scratch.h"
#include "trust/trust.h"

#include <glib/gstdio.h>
#include <string.h>

/* What a trace tells of each kind of refusal, with real keys and the real gpg. */

static AtmTestPublisher *world; /* (owned) */

#define SCOPED(list)                                                                               \
  "{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{\"reg.test:5000\":[" list "]}" \
  "}}"
#define BY(key) "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"@" key "@\"}"
#define ACCEPT "{\"type\":\"insecureAcceptAnything\"}"
#define REJECT "{\"type\":\"reject\"}"

static void
write_policy (const char *template)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (GStrv) parts = g_strsplit (template, "@", -1);
  g_autoptr (GBytes) bytes = NULL;

  for (guint i = 0; parts[i] != NULL; i++)
    {
      g_autofree char *path = i % 2 == 1 ? atm_test_publisher_file (parts[i]) : NULL;

      g_string_append (text, path != NULL ? path : parts[i]);
    }
  bytes = atm_test_bytes (text->str);
  atm_test_publisher_write ("policy.json", bytes);
}

static GPtrArray *
get_blobs (const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);
  GPtrArray *blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  for (guint i = 0; *names != '\0' && list[i] != NULL; i++)
    g_ptr_array_add (blobs, g_bytes_ref (atm_test_publisher_blob (list[i])));
  return blobs;
}

/* With @signatures %NULL the lookaside folder is asked, which is empty. */
static gboolean
ask (const char *policy, GPtrArray *signatures, AtmTrace *trace, GError **error)
{
  g_autofree char *path = atm_test_publisher_file ("policy.json"),
                  *none = atm_test_publisher_file ("registries.d");
  const AtmTrustOptions options = { .policy_path = path,
                                    .registries_d = none,
                                    .gpg_home_parent = world->run,
                                    .lookaside_dir = world->lookaside,
                                    .trace = trace };
  g_autoptr (GBytes) manifest = atm_test_bytes (ATM_TEST_MANIFEST);
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmTrust) trust = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;

  write_policy (policy);
  g_assert_true (atm_origin_parse (ATM_TEST_IMAGE, &origin, NULL));
  return atm_trust_open (&options, origin, &trust, error)
         && atm_trust_judge (trust, manifest, signatures, NULL, &verdict, error);
}

static const AtmTraceRequirement *
get_requirement (const AtmTrace *trace, guint i)
{
  g_assert_nonnull (trace->image);
  g_assert_cmpuint (i, <, trace->image->requirements->len);
  return trace->image->requirements->pdata[i];
}

/* One signature that does not count: the trace says why, and by which key. */
static void
test_signatures (void)
{
  const struct
  {
    const char *key, *signature, *kind;
    const char *fingerprint; /* (nullable): gpg tells none */
    gboolean payload;        /* what was signed may be looked at */
  } table[] = {
    { "a.gpg", "b", "unknown-key", world->b, FALSE },
    { "a.gpg", "other-digest", "digest-mismatch", world->a, TRUE },
    { "a.gpg", "a-tag2", "identity-mismatch", world->a, TRUE },
    { "a.gpg", "a-old", "expired-signature", world->a, FALSE },
    { "expired.gpg", "expired", "expired-key", world->expired, FALSE },
    { "revoked.gpg", "revoked", "revoked-key", world->revoked, FALSE },
    { "sub.gpg", "sub-revoked", "revoked-key", world->sub_revoked_sub, FALSE },
    { "rsa.gpg", "rsa-sha1", "weak-digest", world->rsa, FALSE },
    { "a.gpg", "html", "signature-format", NULL, FALSE },
    { "a.gpg", "not-json", "payload-invalid", world->a, FALSE },
    { "a.gpg", "a-plain-payload", "bad-signature", NULL, FALSE },
    { "a.gpg", "bomb", "limit-exceeded", NULL, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (GStrv) parts = g_strsplit (SCOPED (BY ("KEY")), "KEY", 2);
      g_autofree char *policy = g_strjoinv (table[i].key, parts);
      g_autoptr (GPtrArray) blobs = get_blobs (table[i].signature);
      g_autoptr (AtmTrace) trace = atm_trace_new ();
      g_autoptr (GError) error = NULL;
      const AtmTraceRequirement *requirement = NULL;
      const AtmTraceSignature *signature = NULL;

      g_test_message ("%s", table[i].signature);
      g_assert_false (ask (policy, blobs, trace, &error));
      g_assert_false (trace->accepted);
      g_assert_cmpstr (atm_trace_get_kind (trace), ==, table[i].kind);
      g_assert_cmpstr (trace->refusal->message, ==, error->message);
      g_assert_true (g_str_has_suffix (trace->digest, world->hex));

      requirement = get_requirement (trace, 0);
      g_assert_cmpint (requirement->state, ==, ATM_TRACE_NOT_MET);
      g_assert_cmpuint (requirement->signatures->len, ==, 1);
      signature = requirement->signatures->pdata[0];
      g_assert_false (signature->counted);
      g_assert_cmpstr (signature->kind, ==, table[i].kind);
      g_assert_cmpstr (signature->source, ==, "the store");
      g_assert_nonnull (strstr (error->message, signature->reason));
      if (table[i].fingerprint != NULL)
        {
          g_assert_cmpstr (signature->fingerprint, ==, table[i].fingerprint);
          g_assert_cmpint (signature->created_unix, >, 0);
        }
      g_assert_cmpint (signature->digest != NULL, ==, table[i].payload);
      g_assert_cmpint (signature->identity != NULL, ==, table[i].payload);
    }
}

static void
test_accepted (void)
{
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (GPtrArray) blobs = get_blobs ("b a");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) keys = NULL;
  const AtmTraceRequirement *requirement = NULL;
  const AtmTraceSignature *signature = NULL;

  g_assert_true (ask (SCOPED (ACCEPT "," BY ("a.gpg")), blobs, trace, &error));
  g_assert_true (trace->accepted);
  g_assert_null (trace->refusal);
  g_assert_cmpstr (trace->reference, ==, ATM_TEST_IMAGE);
  g_assert_cmpstr (trace->image->scope, ==, "reg.test:5000");
  g_assert_cmpstr (trace->image->passed_scopes[0], ==, ATM_TEST_IMAGE);
  g_assert_cmpstr (trace->image->passed_scopes[1], ==, "reg.test:5000/ns/app");
  g_assert_cmpstr (trace->image->passed_scopes[2], ==, "reg.test:5000/ns");
  g_assert_null (trace->image->passed_scopes[3]);
  g_assert_cmpint (get_requirement (trace, 0)->state, ==, ATM_TRACE_MET);

  requirement = get_requirement (trace, 1);
  g_assert_cmpint (requirement->state, ==, ATM_TRACE_MET);
  g_assert_true (g_str_has_suffix (requirement->keys[0], "a.gpg"));
  g_assert_cmpstr (requirement->identity, ==, "matchRepoDigestOrExact");
  g_assert_cmpuint (requirement->signatures->len, ==, 2);
  signature = requirement->signatures->pdata[0];
  g_assert_cmpstr (signature->kind, ==, "unknown-key");
  signature = requirement->signatures->pdata[1];
  g_assert_true (signature->counted);
  g_assert_null (signature->reason);
  g_assert_cmpstr (signature->identity, ==, ATM_TEST_IMAGE);
  g_assert_true (g_str_has_suffix (signature->digest, world->hex));
  keys = atm_trace_dup_keys (trace);
  g_assert_cmpuint (g_strv_length (keys), ==, 1);
  g_assert_cmpstr (keys[0], ==, world->a);
}

/* What is refused without a look at any signature. */
static void
test_before_signatures (void)
{
  const struct
  {
    const char *policy, *kind, *scope;
    guint failed; /* the requirement */
  } table[] = {
    { SCOPED (REJECT), "rejected", "reg.test:5000", 0 },
    { SCOPED (BY ("a.gpg") "," REJECT), "rejected", "reg.test:5000", 1 },
    { SCOPED ("{\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\"}"), "policy-unsupported",
      "reg.test:5000", 0 },
    { "{\"default\":[" REJECT "]}", "rejected", NULL, 0 },
    { SCOPED (BY ("missing")), "keyring-error", "reg.test:5000", 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (AtmTrace) trace = atm_trace_new ();
      g_autoptr (GPtrArray) blobs = get_blobs ("a");
      g_autoptr (GError) error = NULL;

      g_assert_false (ask (table[i].policy, blobs, trace, &error));
      g_assert_cmpstr (atm_trace_get_kind (trace), ==, table[i].kind);
      g_assert_cmpstr (trace->image->scope, ==, table[i].scope);
      g_assert_cmpint (get_requirement (trace, table[i].failed)->state, ==, ATM_TRACE_NOT_MET);
      if (table[i].failed > 0)
        g_assert_cmpint (get_requirement (trace, 0)->state, ==, ATM_TRACE_NOT_REACHED);
    }
}

/* A policy that cannot be understood has no scopes to tell of. */
static void
test_no_policy (void)
{
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (GError) error = NULL;

  g_assert_false (ask ("{}", NULL, trace, &error));
  g_assert_cmpstr (atm_trace_get_kind (trace), ==, "policy-syntax");
  g_assert_cmpstr (trace->reference, ==, ATM_TEST_IMAGE);
  g_assert_null (trace->image);
  g_assert_null (trace->policy_path);
}

static void
assert_place (const AtmTrace *trace, guint i, guint number, const char *result)
{
  g_autofree char *url = g_strdup_printf ("file://%s/ns/app@sha256=%s/signature-%u",
                                          world->lookaside, world->hex, number);
  const AtmTracePlace *place = NULL;

  g_assert_cmpuint (i, <, trace->places->len);
  place = trace->places->pdata[i];
  g_assert_cmpstr (place->url, ==, url);
  g_assert_cmpstr (place->result, ==, result);
}

static void
test_places (void)
{
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autofree char *folder = g_strdup_printf ("%s/ns/app@sha256=%s", world->lookaside, world->hex);
  g_autofree char *first = g_build_filename (folder, "signature-1", NULL);
  GBytes *blob = atm_test_publisher_blob ("a");
  g_autoptr (GError) error = NULL;

  g_assert_false (ask (SCOPED (BY ("a.gpg")), NULL, trace, &error));
  g_assert_cmpstr (atm_trace_get_kind (trace), ==, "unsigned");
  g_assert_cmpuint (trace->places->len, ==, 1);
  assert_place (trace, 0, 1, "no signature");

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_assert_true (g_file_set_contents (first, g_bytes_get_data (blob, NULL),
                                      (gssize) g_bytes_get_size (blob), NULL));
  atm_trace_clear (trace);
  g_assert_true (ask (SCOPED (BY ("a.gpg")), NULL, trace, NULL));
  g_assert_cmpuint (trace->places->len, ==, 2);
  assert_place (trace, 0, 1, "1 signature");
  assert_place (trace, 1, 2, "no signature");

  /* Cleared, it tells of another image alone. */
  atm_trace_clear (trace);
  g_assert_true (ask (SCOPED (ACCEPT), NULL, trace, NULL));
  g_assert_cmpuint (trace->places->len, ==, 0);
  g_assert_null (trace->refusal);
}

int
main (int argc, char *argv[])
{
  int result = 0;

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  world = atm_test_publisher_new ();
  g_test_add_func ("/trace/signatures", test_signatures);
  g_test_add_func ("/trace/accepted", test_accepted);
  g_test_add_func ("/trace/before-signatures", test_before_signatures);
  g_test_add_func ("/trace/no-policy", test_no_policy);
  g_test_add_func ("/trace/places", test_places);
  result = g_test_run ();
  atm_test_publisher_free (world);
  return result;
}
