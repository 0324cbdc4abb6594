/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/exports.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

static void
test_reads (void)
{
  g_autoptr (AtmExports) exports = NULL, none = NULL;
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = atm_test_scratch_dir (), empty_fd = atm_test_scratch_dir ();

  g_assert_true (atm_exports_read (empty_fd, "i", &none, &error));
  g_assert_false (none->found);
  g_assert_true (none->use_links);
  g_assert_cmpuint (g_hash_table_size (none->default_values), ==, 0);

  atm_test_write_at (fd, "exports/config.json", "{}");
  atm_test_write_at (fd, "exports/service.template", "[Unit]\n");
  atm_test_write_at (fd, "exports/hostfs/etc/x", "x");
  /* net-snmp of the collection: a manifest without default values, an empty tmpfiles template */
  atm_test_write_at (fd, "exports/tmpfiles.template", "");
  atm_test_write_at (fd, "exports/manifest.json",
                     "{\"version\":\"1.0\",\"useLinks\":false,\"noContainerService\":true,"
                     "\"renameFiles\":{\"/a\":\"/b\"},\"installedFilesTemplate\":[\"/b\"],"
                     "\"other\":[1]}");
  g_assert_true (atm_exports_read (fd, "i", &exports, &error));
  g_assert_no_error (error);
  g_assert_true (exports->found && exports->has_hostfs && exports->no_service);
  g_assert_false (exports->use_links);
  g_assert_nonnull (exports->config);
  g_assert_null (exports->config_template);
  g_assert_nonnull (exports->service_template);
  g_assert_cmpuint (g_bytes_get_size (exports->tmpfiles_template), ==, 0);
  g_assert_cmpstr (g_hash_table_lookup (exports->rename_files, "/a"), ==, "/b");
  g_assert_cmpstr (exports->installed_templates[0], ==, "/b");
  g_assert_cmpuint (g_hash_table_size (exports->default_values), ==, 0);
}

/* Links of the image end in the image. */
static void
test_links (void)
{
  const char *const targets[] = { "/etc/passwd", "../../../../../../../etc/passwd" };

  for (guint i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_autoptr (AtmExports) exports = NULL;
      g_autoptr (GError) error = NULL;
      atm_autofd int fd = atm_test_scratch_dir ();

      atm_test_write_at (fd, "exports/service.template", "");
      g_assert_cmpint (symlinkat (targets[i], fd, "exports/config.json"), ==, 0);
      g_assert_true (atm_exports_read (fd, "i", &exports, &error));
      g_assert_null (exports->config);
      g_clear_pointer (&exports, atm_exports_free);

      atm_test_write_at (fd, "etc/passwd", "inside");
      g_assert_true (atm_exports_read (fd, "i", &exports, &error));
      g_assert_cmpmem (g_bytes_get_data (exports->config, NULL), g_bytes_get_size (exports->config),
                       "inside", 6);
    }
}

static void
test_refuses_files (void)
{
  g_autofree char *large = g_strnfill (ATM_EXPORTS_FILE_MAX_BYTES + 1, 'x');

  for (guint i = 0; i < 5; i++)
    {
      AtmExports *exports = NULL;
      g_autoptr (GError) error = NULL;
      atm_autofd int fd = atm_test_scratch_dir ();

      if (i < 4)
        g_assert_cmpint (mkdirat (fd, "exports", 0755), ==, 0);
      if (i == 0)
        g_assert_cmpint (mkfifoat (fd, "exports/config.json", 0644), ==, 0);
      if (i == 1)
        g_assert_cmpint (mkdirat (fd, "exports/service.template", 0755), ==, 0);
      if (i == 2)
        atm_test_write_at (fd, "exports/config.json.template", large);
      if (i == 3)
        g_assert_cmpint (symlinkat ("config.json", fd, "exports/config.json"), ==, 0);
      if (i == 4)
        atm_test_write_at (fd, "exports", "a file");
      g_assert_false (atm_exports_read (fd, "i", &exports, &error));
      if (i == 2)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
      else if (i == 3)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
      else
        g_assert_error (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID);
      g_assert_null (exports);
    }
}

static void
test_refuses_manifest (void)
{
  const struct
  {
    const char *text;
    const char *why;
  } cases[] = {
    { "", "Invalid JSON" },
    { "{", "Invalid JSON" },
    { "[]", "Not a JSON object" },
    { "{\"defaultValues\":[]}", "“defaultValues”" },
    { "{\"defaultValues\":null}", "“defaultValues”" },
    { "{\"defaultValues\":{\"A\":1}}", "“defaultValues”" },
    { "{\"renameFiles\":\"x\"}", "“renameFiles”" },
    { "{\"installedFilesTemplate\":{}}", "“installedFilesTemplate”" },
    { "{\"installedFilesTemplate\":[1]}", "“installedFilesTemplate”" },
    { "{\"useLinks\":\"yes\"}", "“useLinks”" },
    { "{\"noContainerService\":1}", "“noContainerService”" },
    { "{\"useLinks\":true,\"useLinks\":false}", "twice" },
    { "{\"defaultValues\":{\"A\":\"1\",\"\\u0041\":\"2\"}}", "twice" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AtmExports *exports = NULL;
      g_autoptr (GError) error = NULL;
      atm_autofd int fd = atm_test_scratch_dir ();

      atm_test_write_at (fd, "exports/manifest.json", cases[i].text);
      g_assert_false (atm_exports_read (fd, "some/image", &exports, &error));
      g_assert_error (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID);
      g_assert_true (
          g_str_has_prefix (error->message, "Invalid manifest.json file in image: some/image."));
      g_assert_nonnull (strstr (error->message, cases[i].why));
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/exports/reads", test_reads);
  g_test_add_func ("/exports/links", test_links);
  g_test_add_func ("/exports/refuses-files", test_refuses_files);
  g_test_add_func ("/exports/refuses-manifest", test_refuses_manifest);
  return g_test_run ();
}
