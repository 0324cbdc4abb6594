/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "container/info.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/json.h"

/* As the Python tool wrote it (Atomic/syscontainers.py, _write_info_file). */
static const char python[]
    = "{\n    \"image\": \"registry/etcd:latest\",\n    \"revision\": \"0123\",\n"
      "    \"ostree-commit\": \"4567\",\n    \"created\": 1500000000,\n"
      "    \"values\": {\"UUID\": \"u\", \"HOST_UID\": 0, \"NAME\": \"etcd\"},\n"
      "    \"has-container-service\": true,\n    \"installed-files\": [\"/etc/a\", \"/b\"],\n"
      "    \"installed-files-checksum\": {\"/etc/a\": \"00\", \"/b\": \"11\"},\n"
      "    \"installed-files-template\": [\"/b\"],\n    \"rename-installed-files\": {\"/x\": "
      "\"/b\"},\n"
      "    \"rpm-installed\": null,\n    \"system-package\": \"no\",\n    \"remote\": null,\n"
      "    \"use-links\": true,\n    \"runtime\": \"/usr/bin/runc\"\n}\n";

static void
check_python (const AtmInfo *info)
{
  g_assert_cmpstr (info->image, ==, "registry/etcd:latest");
  g_assert_cmpstr (info->revision, ==, "0123");
  g_assert_cmpstr (info->commit, ==, "4567");
  g_assert_cmpint (info->created_unix, ==, 1500000000);
  g_assert_cmpstr (g_hash_table_lookup (info->values, "UUID"), ==, "u");
  g_assert_cmpstr (g_hash_table_lookup (info->values, "HOST_UID"), ==, "0");
  g_assert_true (info->has_service && info->use_links);
  g_assert_cmpstr (g_hash_table_lookup (info->installed_files, "/b"), ==, "11");
  g_assert_cmpstr (info->installed_templates[0], ==, "/b");
  g_assert_cmpstr (g_hash_table_lookup (info->rename_files, "/x"), ==, "/b");
  g_assert_cmpstr (info->system_package, ==, "no");
  g_assert_null (info->remote);
  g_assert_cmpstr (info->runtime, ==, "/usr/bin/runc");
}

static void
test_round_trip (void)
{
  g_autoptr (GBytes) in = atm_test_bytes (python), out = NULL, again = NULL;
  g_autoptr (AtmInfo) first = NULL, second = NULL;
  g_autoptr (GError) error = NULL;
  const char *text = NULL;

  g_assert_true (atm_info_parse (in, &first, &error));
  g_assert_no_error (error);
  check_python (first);
  out = atm_info_to_bytes (first);
  g_assert_true (atm_info_parse (out, &second, &error));
  check_python (second);
  again = atm_info_to_bytes (second);
  g_assert_true (g_bytes_equal (out, again));
  text = g_bytes_get_data (out, NULL);
  g_assert_true (g_str_has_prefix (text, "{\n    \"image\" : "));
  g_assert_cmpint (text[g_bytes_get_size (out) - 1], ==, '\n');
  g_assert_null (strstr (text, "accepted-by"));
}

static void
test_accepted_by (void)
{
  g_autoptr (AtmInfo) info = atm_info_new (), again = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  info->accepted_by = g_strsplit ("0123,insecureAcceptAnything", ",", -1);
  bytes = atm_info_to_bytes (info);
  g_assert_true (atm_info_parse (bytes, &again, &error));
  g_assert_cmpstrv (again->accepted_by, info->accepted_by);
}

/* The right-hand column of 6.1. */
static void
test_missing (void)
{
  g_autoptr (GBytes) old = atm_test_bytes ("{\"values\":{},\"installed-files\":[\"/a\"]}");
  g_autoptr (GBytes) packaged
      = atm_test_bytes ("{\"values\":{},\"installed-files\":[],\"rpm-installed\":\"x.rpm\"}");
  g_autoptr (AtmInfo) info = NULL, second = NULL, empty = atm_info_new ();
  g_autoptr (GBytes) written = atm_info_to_bytes (empty);
  g_autoptr (AtmInfo) third = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_info_parse (old, &info, &error));
  g_assert_cmpstr (info->image, ==, "");
  g_assert_null (info->revision);
  g_assert_cmpint (info->created_unix, ==, 0);
  g_assert_true (info->has_service);
  g_assert_false (info->use_links);
  g_assert_cmpstr (g_hash_table_lookup (info->installed_files, "/a"), ==, "");
  g_assert_null (info->runtime);
  g_assert_cmpstr (info->system_package, ==, "no");

  g_assert_true (atm_info_parse (packaged, &second, &error));
  g_assert_cmpstr (second->system_package, ==, "yes");
  g_assert_true (atm_info_parse (written, &third, &error));
  g_assert_no_error (error);
}

static void
test_refuses (void)
{
  const char *const bad[] = {
    "",
    "[]",
    "{}",
    "{\"values\":{}}",
    "{\"installed-files\":[]}",
    "{\"values\":[],\"installed-files\":[]}",
    "{\"values\":{\"A\":null},\"installed-files\":[]}",
    "{\"values\":{\"A\":{}},\"installed-files\":[]}",
    "{\"values\":{},\"installed-files\":{}}",
    "{\"values\":{},\"installed-files\":[],\"created\":\"x\"}",
    "{\"values\":{},\"installed-files\":[],\"installed-files-checksum\":{\"/a\":1}}",
    "{\"values\":{},\"installed-files\":[],\"runtime\":3}",
    "{\"values\":{},\"installed-files\":[]} x",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i]);
      g_autoptr (GError) error = NULL;
      AtmInfo *info = NULL;

      g_assert_false (atm_info_parse (bytes, &info, &error));
      g_assert_true (error->domain == ATM_JSON_ERROR);
      g_assert_null (info);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/info/accepted-by", test_accepted_by);
  g_test_add_func ("/info/round-trip", test_round_trip);
  g_test_add_func ("/info/missing", test_missing);
  g_test_add_func ("/info/refuses", test_refuses);
  return g_test_run ();
}
