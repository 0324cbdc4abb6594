/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/scratch.h"
#include "trust/payload.h"
#include "trust/trust.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TYPE "\"type\":\"atomic container signature\""
#define IMAGE "\"image\":{\"docker-manifest-digest\":\"sha256:" HEX "\"}"
#define IDENTITY "\"identity\":{\"docker-reference\":\"h.test/a:1\"}"
#define CRITICAL "\"critical\":{" TYPE "," IMAGE "," IDENTITY "}"
#define DOCUMENT(optional) "{" CRITICAL ",\"optional\":" optional "}"
#define WITH(critical) "{\"critical\":{" critical "},\"optional\":{}}"

static void
test_accepts (void)
{
  const char *const good[] = {
    DOCUMENT ("{}"),
    DOCUMENT ("{\"creator\":\"x\",\"timestamp\":1458239713}"),
    DOCUMENT ("{\"timestamp\":1.0}"),
    DOCUMENT ("{\"timestamp\":1e3}"),
    DOCUMENT ("{\"timestamp\":-9223372036854775808}"),
    DOCUMENT ("{\"other\":[1,{\"a\":null}],\"Creator\":7}"),
    DOCUMENT ("{}") "\n \t\r\n",
    " " DOCUMENT ("{}"),
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (good[i]);
      g_autoptr (AtmPayload) payload = NULL;
      g_autoptr (GError) error = NULL;

      if (!atm_payload_parse (bytes, &payload, &error))
        g_error ("%s", error->message);
      g_assert_cmpstr (payload->digest.hex, ==, HEX);
      g_assert_cmpstr (payload->reference, ==, "h.test/a:1");
    }
}

static void
test_refuses (void)
{
  const char *const bad[] = {
    "",
    "text",
    "[]",
    "{}",
    "{" CRITICAL "}",
    "{\"optional\":{}}",
    DOCUMENT ("null"),
    DOCUMENT ("[]"),
    DOCUMENT ("\"\""),
    DOCUMENT ("{}") "{}",
    DOCUMENT ("{}") "x",
    "\xef\xbb\xbf" DOCUMENT ("{}"),
    "{" CRITICAL ",\"optional\":{},\"more\":1}",
    "{" CRITICAL ",\"optional\":{},\"Optional\":{}}",
    "{" CRITICAL "," CRITICAL ",\"optional\":{}}",
    "{\"critical\":null,\"optional\":{}}",
    WITH (TYPE "," IMAGE),
    WITH (TYPE "," IDENTITY),
    WITH (IMAGE "," IDENTITY),
    WITH (TYPE "," IMAGE "," IDENTITY ",\"more\":{}"),
    WITH (TYPE "," TYPE "," IMAGE "," IDENTITY),
    WITH ("\"type\":\"Atomic container signature\"," IMAGE "," IDENTITY),
    WITH ("\"type\":\"atomic container signature \"," IMAGE "," IDENTITY),
    WITH ("\"Type\":\"atomic container signature\"," IMAGE "," IDENTITY),
    WITH ("\"type\":1," IMAGE "," IDENTITY),
    WITH (TYPE ",\"image\":{}," IDENTITY),
    WITH (TYPE ",\"image\":\"sha256:" HEX "\"," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":1}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":null}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":\"" HEX "\"}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":\"sha256:" HEX "0\"}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":\"sha256:abc\"}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":\"SHA256:" HEX "\"}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":"
               "\"sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"}"
               "," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":\"sha256:" HEX "\",\"x\":1}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":\"sha256:" HEX "\","
               "\"docker-manifest-digest\":\"sha256:" HEX "\"}," IDENTITY),
    WITH (TYPE ",\"image\":{\"docker-manifest-digest\":\"sha256:" HEX "\","
               "\"docker-manifest-d\\u0069gest\":\"sha256:" HEX "\"}," IDENTITY),
    WITH (TYPE "," IMAGE ",\"identity\":{}"),
    WITH (TYPE "," IMAGE ",\"identity\":{\"docker-reference\":null}"),
    WITH (TYPE "," IMAGE ",\"identity\":{\"docker-reference\":[]}"),
    WITH (TYPE "," IMAGE ",\"identity\":{\"docker-reference\":\"h.test/a\\u0000:1\"}"),
    WITH (TYPE "," IMAGE ",\"identity\":{\"docker-reference\":\"h.test/a:1\",\"x\":1}"),
    DOCUMENT ("{\"timestamp\":1.5}"),
    DOCUMENT ("{\"timestamp\":\"1\"}"),
    DOCUMENT ("{\"timestamp\":null}"),
    DOCUMENT ("{\"timestamp\":true}"),
    DOCUMENT ("{\"timestamp\":9223372036854775808}"),
    DOCUMENT ("{\"timestamp\":9.3e18}"),
    DOCUMENT ("{\"timestamp\":1e999}"),
    DOCUMENT ("{\"creator\":1}"),
    DOCUMENT ("{\"creator\":null}"),
    DOCUMENT ("{\"a\":1,\"a\":1}"),
    DOCUMENT ("{\"a\":{\"b\":1,\"b\":2}}"),
    DOCUMENT ("{\"a\":01}"),
    DOCUMENT ("{} /* x */"),
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i]);
      g_autoptr (GError) error = NULL;
      AtmPayload *payload = NULL;

      if (atm_payload_parse (bytes, &payload, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_PAYLOAD_INVALID);
      g_assert_null (payload);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/payload/accepts", test_accepts);
  g_test_add_func ("/payload/refuses", test_refuses);
  return g_test_run ();
}
