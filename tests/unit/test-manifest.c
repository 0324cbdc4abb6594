/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/scratch.h"
#include "image/manifest.h"
#include "util/json.h"

#define WHAT "q.io/x:1"
#define H "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DESCRIPTOR(type, size) "{\"mediaType\":\"" type "\",\"digest\":\"" H "\",\"size\":" size "}"
#define CONFIG DESCRIPTOR (ATM_TYPE_OCI_CONFIG, "7")
#define DOCKER_CONFIG DESCRIPTOR (ATM_TYPE_DOCKER_CONFIG, "7")
#define LAYER DESCRIPTOR ("application/vnd.oci.image.layer.v1.tar+gzip", "9")
#define V2 "\"schemaVersion\":2"
#define TYPE(type) ",\"mediaType\":\"" type "\""
#define IMAGE "{" V2 ",\"config\":" CONFIG ",\"layers\":[" LAYER "]}"
#define INDEX "{" V2 ",\"manifests\":[]}"

static void
test_kinds (void)
{
  const struct
  {
    const char *text, *type;
    AtmManifestKind kind;
  } good[] = {
    { IMAGE, ATM_TYPE_OCI_MANIFEST, ATM_MANIFEST_KIND_IMAGE },
    { IMAGE, NULL, ATM_MANIFEST_KIND_IMAGE },
    { IMAGE, "text/plain; charset=utf-8", ATM_MANIFEST_KIND_IMAGE },
    { IMAGE, "Application/VND.oci.image.manifest.v1+json ; x=1", ATM_MANIFEST_KIND_IMAGE },
    { "{" V2 TYPE (ATM_TYPE_DOCKER_MANIFEST) ",\"config\":" DOCKER_CONFIG ",\"layers\":[]}",
      ATM_TYPE_DOCKER_MANIFEST, ATM_MANIFEST_KIND_IMAGE },
    { "{" V2 TYPE (ATM_TYPE_DOCKER_MANIFEST) ",\"config\":" DOCKER_CONFIG ",\"layers\":[]}",
      "application/octet-stream", ATM_MANIFEST_KIND_IMAGE },
    { "{" V2 TYPE ("x/y") ",\"config\":" CONFIG ",\"layers\":[]}", NULL, ATM_MANIFEST_KIND_IMAGE },
    { INDEX, ATM_TYPE_OCI_INDEX, ATM_MANIFEST_KIND_INDEX },
    { INDEX, NULL, ATM_MANIFEST_KIND_INDEX },
    { "{" V2 TYPE (ATM_TYPE_DOCKER_LIST) ",\"manifests\":[]}", ATM_TYPE_DOCKER_LIST,
      ATM_MANIFEST_KIND_INDEX },
    { "{" V2 ",\"artifactType\":\"x/y\",\"config\":" CONFIG ",\"layers\":[]}", NULL,
      ATM_MANIFEST_KIND_IMAGE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (good[i].text);
      g_autoptr (GError) error = NULL;
      AtmManifestKind kind = ATM_MANIFEST_KIND_IMAGE;

      g_assert_true (atm_manifest_get_kind (bytes, good[i].type, WHAT, &kind, &error));
      g_assert_no_error (error);
      g_assert_cmpint (kind, ==, good[i].kind);
    }
}

static void
test_no_kinds (void)
{
  const struct
  {
    const char *text, *type, *message;
  } bad[] = {
    { "", NULL, WHAT },
    { "[]", NULL, "Not a JSON object" },
    { "{}", NULL, "neither the manifest of an image nor an index" },
    { "{" V2 "}", NULL, "neither" },
    { "{" V2 ",\"config\":" CONFIG "}", NULL, "neither" },
    { "{\"config\":" CONFIG ",\"layers\":[]}", NULL, "neither" },
    { "{\"config\":" CONFIG ",\"layers\":[]}", ATM_TYPE_OCI_MANIFEST,
      "“schemaVersion” is missing" },
    { "{\"schemaVersion\":3,\"config\":" CONFIG ",\"layers\":[]}", NULL, "not 2" },
    { "{\"schemaVersion\":\"2\",\"config\":" CONFIG ",\"layers\":[]}", NULL, "neither" },
    { "{\"schemaVersion\":2.0,\"config\":" CONFIG ",\"layers\":[]}", NULL, "neither" },
    { "{" V2 ",\"mediaType\":1,\"config\":" CONFIG ",\"layers\":[]}", NULL, "is no string" },
    { IMAGE, ATM_TYPE_OCI_INDEX, "ambiguous" },
    { INDEX, ATM_TYPE_OCI_MANIFEST, "ambiguous" },
    { "{" V2 TYPE (ATM_TYPE_OCI_MANIFEST) ",\"config\":" CONFIG ",\"layers\":[]}",
      ATM_TYPE_OCI_INDEX, "is served as" },
    { "{" V2 TYPE (ATM_TYPE_OCI_MANIFEST) ",\"config\":" CONFIG ",\"layers\":[]}",
      ATM_TYPE_DOCKER_MANIFEST, "is served as" },
    { "{" V2 ",\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}", NULL, "ambiguous" },
    { "{" V2 ",\"config\":" CONFIG ",\"layers\":[],\"Manifests\":[]}", NULL, "ambiguous" },
    { "{" V2 ",\"config\":" CONFIG ",\"layers\":[],\"fsLayers\":[]}", NULL, "ambiguous" },
    { "{" V2 ",\"config\":" CONFIG ",\"layers\":[],\"HISTORY\":[]}", NULL, "ambiguous" },
    { "{" V2 ",\"manifests\":[],\"Layers\":[]}", NULL, "ambiguous" },
    { "{" V2 ",\"manifests\":[],\"cOnfig\":{}}", NULL, "ambiguous" },
    { "{" V2 ",\"manifests\":[],\"history\":[]}", NULL, "ambiguous" },
    { "{" V2 ",\"config\":" CONFIG ",\"layers\":[],\"Layers\":[]}", NULL, "different case" },
    { "{" V2 ",\"config\":" CONFIG ",\"layers\":[],\"layer\xc5\xbf\":[]}", NULL, "different case" },
    { "{" V2 ",\"config\":" CONFIG ",\"config\":{},\"layers\":[]}", NULL, "The manifest of " WHAT },
    { "{" V2 ",\"config\":[],\"layers\":[]}", NULL, "wrong type" },
    { "{" V2 ",\"config\":" CONFIG ",\"layers\":{}}", NULL, "wrong type" },
    { "{" V2 ",\"config\":{},\"layers\":[]}", NULL, "“config.mediaType” is missing" },
    { "<!DOCTYPE html><html>", NULL, "a web page, not a manifest" },
    { " \n<html>", "application/json", "a web page" },
    { "{}", "text/html; charset=utf-8", "a web page" },
    { "{'a':1}", NULL, WHAT },
    { "{" V2 ",/* */\"manifests\":[]}", NULL, WHAT },
  };
  const struct
  {
    const char *text, *type, *message;
  } unsupported[] = {
    { "{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "obsolete image format \"schema 1\"" },
    { "{\"schemaVersion\":1}", "application/vnd.docker.distribution.manifest.v1+prettyjws",
      "schema 1" },
    { "{}", "application/vnd.docker.distribution.manifest.v1+json", "schema 1" },
    { "{}", "application/vnd.oci.artifact.manifest.v1+json", "is an OCI artifact of type" },
    { "{" V2
      ",\"config\":" DESCRIPTOR ("application/vnd.cncf.helm.config.v1+json", "2") ",\"layers\":[]}",
      ATM_TYPE_OCI_MANIFEST,
      WHAT " is an OCI artifact of type application/vnd.cncf.helm.config.v1+json, not a container "
           "image" },
    { "{" V2 ",\"artifactType\":\"x/\\u001b[1my\",\"config\":" DESCRIPTOR (
          "application/vnd.oci.empty.v1+json", "2") ",\"layers\":[]}",
      NULL, "artifact of type x/\\x1b[1my," },
  };
  g_autofree char *brackets = g_strnfill (1024 * 1024, '[');
  g_autofree char *large = g_strnfill (ATM_MANIFEST_MAX_BYTES + 1, ' ');
  g_autoptr (GBytes) deep = atm_test_bytes (brackets), oversize = atm_test_bytes (large);
  AtmManifestKind kind = ATM_MANIFEST_KIND_IMAGE;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i].text);
      g_autoptr (GError) error = NULL;

      if (atm_manifest_get_kind (bytes, bad[i].type, WHAT, &kind, &error))
        g_error ("accepted: %s", bad[i].text);
      if (strstr (error->message, bad[i].message) == NULL || strstr (error->message, WHAT) == NULL)
        g_error ("%s: %s", bad[i].text, error->message);
    }
  for (guint i = 0; i < G_N_ELEMENTS (unsupported); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (unsupported[i].text);
      g_autoptr (GError) error = NULL;

      g_assert_false (atm_manifest_get_kind (bytes, unsupported[i].type, WHAT, &kind, &error));
      g_assert_error (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, unsupported[i].message));
    }
  g_assert_false (atm_manifest_get_kind (deep, NULL, WHAT, &kind, NULL));
  g_assert_false (atm_manifest_get_kind (oversize, NULL, WHAT, &kind, NULL));
}

static void
test_parse (void)
{
  const char *const layers[] = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  };
  g_autoptr (GString) text = g_string_new ("{" V2 ",\"config\":" CONFIG ",\"layers\":[");
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (layers); i++)
    g_string_append_printf (text, "%s{\"mediaType\":\"%s\",\"digest\":\"" H "\",\"size\":%u}",
                            i > 0 ? "," : "", layers[i], i);
  g_string_append (text, "]}");
  bytes = atm_test_bytes (text->str);
  g_assert_true (atm_manifest_parse (bytes, &manifest, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (manifest->config.size_bytes, ==, 7);
  g_assert_cmpstr (manifest->config.media_type, ==, ATM_TYPE_OCI_CONFIG);
  g_assert_cmpuint (manifest->layers->len, ==, G_N_ELEMENTS (layers));
  for (guint i = 0; i < G_N_ELEMENTS (layers); i++)
    {
      const AtmDescriptor *layer = g_ptr_array_index (manifest->layers, i);

      g_assert_cmpstr (layer->media_type, ==, layers[i]);
      g_assert_cmpuint (layer->size_bytes, ==, i);
    }
}

static void
test_parse_refuses (void)
{
#define WITH(layer) "{" V2 ",\"config\":" CONFIG ",\"layers\":[" LAYER "," layer "]}"
#define SIZED(size) WITH (DESCRIPTOR ("application/vnd.oci.image.layer.v1.tar", size))
  const char *const bad[] = {
    INDEX,
    SIZED ("-1"),
    SIZED ("9007199254740993"),
    SIZED ("9223372036854775808"),
    SIZED ("1e3"),
    SIZED ("1.0"),
    SIZED ("\"5\""),
    SIZED ("null"),
    WITH ("1"),
    WITH ("null"),
    WITH ("{}"),
    WITH ("{\"digest\":\"" H "\",\"size\":1}"),
    WITH ("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"size\":1}"),
    WITH ("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" H "\"}"),
    WITH ("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" H
          "\",\"size\":1,\"Size\":2}"),
    WITH ("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"md5:00\","
          "\"size\":1}"),
    WITH ("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"blake3:" H
          "\",\"size\":1}"),
    WITH ("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:../x\","
          "\"size\":1}"),
    WITH ("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" H
          "\\u0000\",\"size\":1}"),
    WITH (DESCRIPTOR ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "1")),
    WITH (DESCRIPTOR ("application/vnd.oci.image.layer.v1.tar+bzip2", "1")),
    WITH (DESCRIPTOR ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "1")),
    WITH (DESCRIPTOR ("", "1")),
  };
  g_autoptr (GString) many = g_string_new ("{" V2 ",\"config\":" CONFIG ",\"layers\":[" LAYER);
  g_autoptr (GBytes) many_bytes = NULL;
  g_autoptr (GError) error = NULL;
  AtmManifest *manifest = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i]);

      if (atm_manifest_parse (bytes, &manifest, &error))
        g_error ("accepted: %s", bad[i]);
      g_assert_nonnull (error);
    }
  for (guint i = 0; i < ATM_LAYERS_MAX; i++)
    g_string_append (many, "," LAYER);
  g_string_append (many, "]}");
  many_bytes = atm_test_bytes (many->str);
  g_assert_false (atm_manifest_parse (many_bytes, &manifest, &error));
  g_assert_error (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID);
  g_assert_null (manifest);
}

/* An entry whose size tells which one it is. */
#define ENTRY(size, rest)                                                                          \
  "{\"mediaType\":\"" ATM_TYPE_OCI_MANIFEST "\",\"digest\":\"" H "\",\"size\":" size rest "}"
#define ON(os, arch) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"
#define ON_VARIANT(arch, variant)                                                                  \
  ",\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\",\"variant\":\"" variant "\"}"
#define OFFER(entries) "{" V2 ",\"manifests\":[" entries "]}"
#define ATTESTATION ENTRY ("90", ON ("unknown", "unknown"))

static void
test_choose (void)
{
  const struct
  {
    const char *platform, *text;
    guint64 chosen;
  } cases[] = {
    { "linux/amd64", OFFER (ENTRY ("1", ON ("linux", "amd64"))), 1 },
    { "linux/amd64",
      OFFER (ATTESTATION "," ENTRY ("1", ON ("windows", "amd64")) "," ENTRY (
          "2", ON ("linux", "arm64")) "," ENTRY ("3", ON ("linux",
                                                          "amd64")) "," ENTRY ("4", ON ("linux",
                                                                                        "amd64"))),
      3 },
    { "linux/amd64",
      OFFER (ENTRY ("1", ON_VARIANT ("amd64", "v3")) "," ENTRY ("2", ON ("linux", "amd64"))), 2 },
    { "linux/amd64/v3",
      OFFER (ENTRY ("2", ON ("linux", "amd64")) "," ENTRY ("1", ON_VARIANT ("amd64", "v3"))), 1 },
    { "linux/arm/v7",
      OFFER (ENTRY ("1", ON ("linux", "arm")) "," ENTRY ("2", ON_VARIANT ("arm", "v8")) "," ENTRY (
          "3", ON_VARIANT ("arm", "v6"))),
      3 },
    { "linux/arm/v7",
      OFFER (ENTRY ("1", ON_VARIANT ("arm", "v8")) "," ENTRY ("2", ON ("linux", "arm"))), 2 },
    { "linux/arm",
      OFFER (ENTRY ("1", ON_VARIANT ("arm", "v5")) "," ENTRY ("2", ON_VARIANT ("arm", "v6"))), 2 },
    { "linux/arm64/v8", OFFER (ENTRY ("1", ON ("linux", "arm64"))), 1 },
    { "linux/arm64/v8",
      OFFER (ENTRY ("1", ON ("linux", "arm64")) "," ENTRY ("2", ON_VARIANT ("arm64", "v8"))), 2 },
    { "linux/amd64", OFFER (ENTRY ("1", "") "," ENTRY ("2", ON ("linux", "s390x"))), 1 },
    { "linux/amd64",
      OFFER (ENTRY ("9", ",\"annotations\":{\"vnd.docker.reference.type\":\"x\"}" ON (
                             "linux", "amd64")) "," ENTRY ("2", ON ("linux", "amd64"))),
      2 },
    { "linux/amd64",
      OFFER (ENTRY ("9", ",\"artifactType\":\"x/y\"" ON ("linux", "amd64")) "," ENTRY (
          "2", ON ("linux", "amd64"))),
      2 },
    { "linux/amd64", OFFER ("{\"mediaType\":\"x/y\"}," ENTRY ("2", ON ("linux", "amd64"))), 2 },
    { "linux/amd64",
      OFFER ("{\"mediaType\":\"" ATM_TYPE_OCI_INDEX "\",\"digest\":\"" H "\",\"size\":5}"), 5 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_auto (GStrv) parts = g_strsplit (cases[i].platform, "/", -1);
      const AtmPlatform platform = { parts[0], parts[1], parts[2] };
      g_autoptr (AtmDescriptor) descriptor = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *shown = atm_platform_to_string (&platform);

      g_assert_cmpstr (shown, ==, cases[i].platform);
      g_assert_true (atm_index_choose (bytes, &platform, WHAT, &descriptor, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (descriptor->size_bytes, ==, cases[i].chosen);
    }
}

static void
test_choose_refuses (void)
{
  const struct
  {
    const char *text;
    int code; /* -1: of another domain */
    const char *message;
  } cases[] = {
    { OFFER (ENTRY ("1", ON ("linux", "s390x")) "," ENTRY ("1", ON ("linux", "amd64")) "," ENTRY (
          "2", ON ("linux", "amd64"))),
      ATM_MANIFEST_ERROR_PLATFORM,
      "no image for linux/arm64/v8 in " WHAT "; available: linux/amd64, linux/s390x" },
    { OFFER (ENTRY ("1", "") "," ENTRY ("2", "")), ATM_MANIFEST_ERROR_PLATFORM,
      "available: an unnamed platform" },
    { "{" V2 TYPE (ATM_TYPE_DOCKER_LIST) ",\"manifests\":[" ENTRY ("1", "") "]}",
      ATM_MANIFEST_ERROR_PLATFORM, "unnamed" },
    { OFFER (ENTRY ("1", ON ("linux\\u001b", "x"))), ATM_MANIFEST_ERROR_PLATFORM, "linux\\x1b/x" },
    { OFFER (""), ATM_MANIFEST_ERROR_UNSUPPORTED, "contains no container image; found: nothing" },
    { OFFER (ATTESTATION ",{\"mediaType\":\"x/y\"},{}"), ATM_MANIFEST_ERROR_UNSUPPORTED,
      "found: " ATM_TYPE_OCI_MANIFEST ", no type, x/y" },
    { OFFER ("1"), ATM_MANIFEST_ERROR_INVALID, "manifests[0]" },
    { OFFER (ENTRY ("-1", ON ("linux", "arm64"))), -1, "manifests[0].size" },
    { OFFER (ENTRY ("1", ",\"platform\":{}")), -1, "manifests[0].platform.os" },
    { OFFER (ENTRY ("1", ",\"platform\":{\"os\":\"linux\",\"OS\":\"linux\","
                         "\"architecture\":\"arm64\"}")),
      -1, "different case" },
    { OFFER (ENTRY ("1", ",\"platform\":1")), -1, "wrong type" },
    { OFFER ("{\"mediaType\":\"" ATM_TYPE_OCI_MANIFEST "\",\"digest\":\"blake3:0\",\"size\":1}"),
      -1, "manifests[0].digest" },
    { IMAGE, ATM_MANIFEST_ERROR_INVALID, "is a manifest" },
    { "{", -1, WHAT },
  };
  const AtmPlatform platform = { (char *) "linux", (char *) "arm64", (char *) "v8" };
  g_autoptr (GString) many = g_string_new ("{" V2 ",\"manifests\":[{}");
  g_autoptr (GBytes) many_bytes = NULL;
  g_autoptr (GError) error = NULL;
  AtmDescriptor *descriptor = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++, g_clear_error (&error))
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);

      if (atm_index_choose (bytes, &platform, WHAT, &descriptor, &error))
        g_error ("accepted: %s", cases[i].text);
      g_assert_cmpint (error->domain == ATM_MANIFEST_ERROR ? error->code : -1, ==, cases[i].code);
      if (strstr (error->message, cases[i].message) == NULL)
        g_error ("%s: %s", cases[i].text, error->message);
    }
  for (guint i = 0; i < ATM_INDEX_ENTRIES_MAX; i++)
    g_string_append (many, ",{}");
  g_string_append (many, "]}");
  many_bytes = atm_test_bytes (many->str);
  g_assert_false (atm_index_choose (many_bytes, &platform, WHAT, &descriptor, &error));
  g_assert_error (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID);
  g_assert_null (descriptor);
}

static void
test_host (void)
{
  const struct
  {
    const char *cpuinfo, *variant;
  } cases[] = {
    { "processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\nCPU architecture: 7\n", "v7" },
    { "model name\t: ARMv6-compatible processor rev 7 (v6l)\nCPU architecture: 7\n", "v6" },
    { "CPU architecture: 8\n", "v8" },
    { "CPU architecture: AArch64\n", "v8" },
    { "CPU architecture: 6TEJ\n", "v6" },
    { "CPU architecture: 5TE\n", "v5" },
    { "CPU architecture: 4\n", NULL },
    { "CPU architecture\n", NULL },
    { "", NULL },
  };
  g_autoptr (AtmPlatform) host = atm_platform_new_host ();

  g_assert_cmpstr (host->os, ==, "linux");
#ifdef __x86_64__
  g_assert_cmpstr (host->architecture, ==, "amd64");
  g_assert_null (host->variant);
#endif
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpstr (atm_platform_arm_variant (cases[i].cpuinfo), ==, cases[i].variant);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/manifest/kinds", test_kinds);
  g_test_add_func ("/manifest/no-kinds", test_no_kinds);
  g_test_add_func ("/manifest/parse", test_parse);
  g_test_add_func ("/manifest/parse-refuses", test_parse_refuses);
  g_test_add_func ("/manifest/choose", test_choose);
  g_test_add_func ("/manifest/choose-refuses", test_choose_refuses);
  g_test_add_func ("/manifest/host", test_host);
  return g_test_run ();
}
