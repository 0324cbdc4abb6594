/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/scratch.h"
#include "image/config.h"

#define H "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ROOTFS ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" H "\"]}"
#define LINUX "\"os\":\"linux\",\"architecture\":\"amd64\""

/* A manifest of which only the number of layers counts. */
static AtmManifest *
make_manifest (guint n_layers)
{
  AtmManifest *manifest = g_new0 (AtmManifest, 1);

  manifest->layers = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_descriptor_free);
  for (guint i = 0; i < n_layers; i++)
    g_ptr_array_add (manifest->layers, g_new0 (AtmDescriptor, 1));
  return manifest;
}

static void
test_full (void)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (
      "{" LINUX ROOTFS ",\"created\":\"2024-01-01T00:00:00Z\",\"config\":{\"User\":\"1:2\","
      "\"Env\":[\"A=b\"],\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\",\"d\"],\"WorkingDir\":\"/w\","
      "\"StopSignal\":\"SIGINT\",\"Labels\":{\"k\":\"v\"},\"Volumes\":{\"/v2\":{},\"/v1\":{}},"
      "\"ExposedPorts\":{\"80/tcp\":{}}}}");
  g_autoptr (AtmManifest) manifest = make_manifest (1);
  const AtmPlatform platform = { (char *) "linux", (char *) "amd64", NULL };
  g_autoptr (AtmImageConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_config_parse (bytes, manifest, &platform, &config, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (config->created, ==, "2024-01-01T00:00:00Z");
  g_assert_cmpuint (config->diff_ids->len, ==, 1);
  g_assert_cmpstr (config->user, ==, "1:2");
  g_assert_cmpstr (config->env[0], ==, "A=b");
  g_assert_cmpstr (config->entrypoint[0], ==, "/e");
  g_assert_cmpstr (config->cmd[1], ==, "d");
  g_assert_cmpstr (config->working_dir, ==, "/w");
  g_assert_cmpstr (config->stop_signal, ==, "SIGINT");
  g_assert_cmpstr (g_hash_table_lookup (config->labels, "k"), ==, "v");
  g_assert_cmpstr (config->volumes[0], ==, "/v1");
  g_assert_cmpstr (config->volumes[1], ==, "/v2");
  g_assert_cmpstr (config->exposed_ports[0], ==, "80/tcp");
}

static void
test_accepts (void)
{
  const char *const good[] = {
    "{" LINUX ROOTFS "}",
    "{\"os\":\"\"" ROOTFS "}",
    "{\"os\":\"linux\",\"architecture\":\"s390x\"" ROOTFS "}",
    "{" LINUX ROOTFS ",\"config\":null}",
    "{" LINUX ROOTFS ",\"config\":{\"Cmd\":\"x\",\"Labels\":null,\"Env\":[1],\"User\":3}}",
    "{" LINUX ROOTFS ",\"config\":{\"Volumes\":[],\"ExposedPorts\":null},\"created\":1}",
  };
  g_autoptr (AtmManifest) manifest = make_manifest (1);

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (good[i]);
      g_autoptr (AtmImageConfig) config = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_config_parse (bytes, manifest, NULL, &config, &error));
      g_assert_no_error (error);
      g_assert_null (config->cmd);
      g_assert_null (config->env);
      g_assert_null (config->user);
      g_assert_cmpuint (g_hash_table_size (config->labels), ==, 0);
      g_assert_cmpuint (g_strv_length (config->volumes), ==, 0);
      g_assert_cmpuint (g_strv_length (config->exposed_ports), ==, 0);
    }
}

static void
test_refuses (void)
{
  const struct
  {
    const char *text, *message;
  } bad[] = {
    { "", "" },
    { "[]", "Not a JSON object" },
    { "{" LINUX "}", "“rootfs” is missing" },
    { "{" LINUX ",\"rootfs\":[]}", "“rootfs” has the wrong type" },
    { "{" LINUX ",\"rootfs\":null}", "“rootfs” has the wrong type" },
    { "{" LINUX ",\"rootfs\":{\"diff_ids\":[\"" H "\"]}}", "“rootfs.type” is missing" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"x\",\"diff_ids\":[\"" H "\"]}}", "not “layers”" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"layers\"}}", "“rootfs.diff_ids” is missing" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null}}", "wrong type" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
      "0 diff IDs, but the manifest has 1 layers" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" H "\",\"" H "\"]}}",
      "2 diff IDs" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}", "wrong type" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:x\"]}}", "diff_ids[0]" },
    { "{" LINUX ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" H "\"],\"Diff_IDs\":[]}}",
      "different case" },
    { "{" LINUX ROOTFS ",\"RootFS\":{}}", "different case" },
    { "{" LINUX ROOTFS ",\"config\":{\"Cmd\":[],\"cmd\":[]}}", "different case" },
    { "{\"os\":1" ROOTFS "}", "“os” has the wrong type" },
    { "{\"os\":\"windows\",\"architecture\":\"amd64\"" ROOTFS "}",
      "for windows and not for linux" },
  };
  const char *const other[] = {
    "{\"os\":\"linux\",\"architecture\":\"arm64\"" ROOTFS "}",
    "{\"os\":\"linux\"" ROOTFS "}",
    "{\"architecture\":\"amd64\"" ROOTFS "}",
    "{\"os\":\"windows\",\"architecture\":\"amd64\"" ROOTFS "}",
  };
  const AtmPlatform platform = { (char *) "linux", (char *) "amd64", NULL };
  g_autoptr (AtmManifest) manifest = make_manifest (1);
  g_autoptr (GError) error = NULL;
  AtmImageConfig *config = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++, g_clear_error (&error))
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i].text);

      if (atm_config_parse (bytes, manifest, NULL, &config, &error))
        g_error ("accepted: %s", bad[i].text);
      if (strstr (error->message, bad[i].message) == NULL)
        g_error ("%s: %s", bad[i].text, error->message);
    }
  for (guint i = 0; i < G_N_ELEMENTS (other); i++, g_clear_error (&error))
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (other[i]);

      g_assert_false (atm_config_parse (bytes, manifest, &platform, &config, &error));
      g_assert_error (error, ATM_CONFIG_ERROR, ATM_CONFIG_ERROR_PLATFORM);
    }
  g_assert_null (config);
}

static void
test_notices (void)
{
  const struct
  {
    const char *text, *notice; /* NULL: none */
  } cases[] = {
    { "{\"os\":\"linux\"" ROOTFS "}", NULL },
    { "{\"os\":\"linux\"" ROOTFS ",\"history\":[]}", NULL },
    { "{\"os\":\"linux\"" ROOTFS ",\"history\":null}", NULL },
    { "{\"os\":\"linux\"" ROOTFS ",\"history\":[{\"empty_layer\":true},{}]}", NULL },
    { "{\"os\":\"linux\"" ROOTFS ",\"config\":{\"Cmd\":null,\"Labels\":{},\"Env\":[]}}", NULL },
    { "{\"os\":\"linux\"" ROOTFS ",\"history\":[{},{}]}", "tells of 2 layers, but it has 1" },
    { "{\"os\":\"linux\"" ROOTFS ",\"history\":[{\"empty_layer\":true}]}", "tells of 0 layers" },
    { "{\"os\":\"linux\"" ROOTFS ",\"history\":[1,{\"empty_layer\":1}]}", "tells of 2 layers" },
    { "{\"os\":\"\"" ROOTFS "}", "does not say for which system" },
    { "{\"os\":\"linux\",\"architecture\":\"\\u001b[2Jz80\"" ROOTFS "}", "for \\x1b[2Jz80" },
    { "{\"os\":\"linux\"" ROOTFS ",\"config\":{\"Cmd\":\"x\"}}", "“config.Cmd” of the image" },
    { "{\"os\":\"linux\"" ROOTFS ",\"config\":{\"Labels\":[]}}", "“config.Labels” of" },
  };
  g_autoptr (AtmManifest) manifest = make_manifest (1);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (cases[i].text);
      g_autoptr (AtmImageConfig) config = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *notices = NULL;

      g_assert_true (atm_config_parse (bytes, manifest, NULL, &config, &error));
      g_assert_no_error (error);
      notices = g_strjoinv ("\n", config->notices);
      if (cases[i].notice == NULL ? *notices != '\0' : strstr (notices, cases[i].notice) == NULL)
        g_error ("%u: “%s”", i, notices);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/config/full", test_full);
  g_test_add_func ("/config/accepts", test_accepts);
  g_test_add_func ("/config/refuses", test_refuses);
  g_test_add_func ("/config/notices", test_notices);
  return g_test_run ();
}
