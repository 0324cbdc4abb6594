/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/exports.h"

#include <fcntl.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

G_DEFINE_QUARK (atm_exports_error, atm_exports_error)

static gboolean
read_file (int rootfs_fd, const char *path, GBytes **bytes_out, GError **error)
{
  atm_autofd int fd = -1;
  g_autoptr (GError) local = NULL;

  if (!atm_open_in_root (rootfs_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!atm_read_all (fd, ATM_EXPORTS_FILE_MAX_BYTES, bytes_out, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE))
        return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                          "/%s of the image is not a regular file", path);
      g_propagate_error (error, g_steal_pointer (&local));
      return atm_prefix_error (error, "Reading /%s of the image", path);
    }
  return TRUE;
}

static gboolean
read_folder (int rootfs_fd, const char *path, gboolean *found_out, GError **error)
{
  atm_autofd int fd = -1;
  g_autoptr (GError) local = NULL;

  if (!atm_open_in_root (rootfs_fd, path, O_PATH | O_DIRECTORY, &fd, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY))
        return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                          "/%s of the image is not a folder", path);
      if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
  *found_out = fd >= 0;
  return TRUE;
}

static GHashTable *
new_map (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

AtmExports *
atm_exports_new (void)
{
  AtmExports *exports = g_new0 (AtmExports, 1);

  exports->default_values = new_map ();
  exports->rename_files = new_map ();
  exports->installed_templates = g_new0 (char *, 1);
  exports->use_links = TRUE;
  return exports;
}

/* The members of manifest.json; what it lacks is NULL. */
typedef struct
{
  GHashTable *default_values;
  GHashTable *rename_files;
  char **installed_templates;
  gboolean use_links;
  gboolean no_service;
} Manifest;

static void
manifest_clear (Manifest *manifest)
{
  g_clear_pointer (&manifest->default_values, g_hash_table_unref);
  g_clear_pointer (&manifest->rename_files, g_hash_table_unref);
  g_clear_pointer (&manifest->installed_templates, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Manifest, manifest_clear)

gboolean
atm_exports_parse_manifest (AtmExports *exports, GBytes *bytes, GError **error)
{
  const AtmJsonField fields[] = {
    { "defaultValues", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (Manifest, default_values),
      ATM_JSON_OPTIONAL },
    { "renameFiles", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (Manifest, rename_files),
      ATM_JSON_OPTIONAL },
    { "installedFilesTemplate", ATM_JSON_STRING_ARRAY,
      G_STRUCT_OFFSET (Manifest, installed_templates), ATM_JSON_OPTIONAL },
    { "useLinks", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (Manifest, use_links), ATM_JSON_OPTIONAL },
    { "noContainerService", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (Manifest, no_service),
      ATM_JSON_OPTIONAL },
  };
  g_auto (Manifest) manifest = { .use_links = TRUE };
  g_autoptr (JsonObject) object = NULL;

  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, "",
                         &manifest, error))
    return FALSE;

  if (manifest.default_values != NULL)
    {
      g_hash_table_unref (exports->default_values);
      exports->default_values = g_steal_pointer (&manifest.default_values);
    }
  if (manifest.rename_files != NULL)
    {
      g_hash_table_unref (exports->rename_files);
      exports->rename_files = g_steal_pointer (&manifest.rename_files);
    }
  if (manifest.installed_templates != NULL)
    {
      g_strfreev (exports->installed_templates);
      exports->installed_templates = g_steal_pointer (&manifest.installed_templates);
    }
  exports->use_links = manifest.use_links;
  exports->no_service = manifest.no_service;
  return TRUE;
}

gboolean
atm_exports_read (int rootfs_fd, const char *image, AtmExports **exports_out, GError **error)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  g_autoptr (GBytes) manifest = NULL;
  g_autoptr (GError) local = NULL;

  if (!read_folder (rootfs_fd, "exports", &exports->found, error)
      || (exports->found
          && (!read_folder (rootfs_fd, "exports/hostfs", &exports->has_hostfs, error)
              || !read_file (rootfs_fd, "exports/config.json", &exports->config, error)
              || !read_file (rootfs_fd, "exports/config.json.template", &exports->config_template,
                             error)
              || !read_file (rootfs_fd, "exports/service.template", &exports->service_template,
                             error)
              || !read_file (rootfs_fd, "exports/tmpfiles.template", &exports->tmpfiles_template,
                             error)
              || !read_file (rootfs_fd, "exports/manifest.json", &manifest, error))))
    return FALSE;

  if (manifest != NULL && !atm_exports_parse_manifest (exports, manifest, &local))
    return atm_throw (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                      "Invalid manifest.json file in image: %s. %s", image, local->message);

  *exports_out = g_steal_pointer (&exports);
  return TRUE;
}

void
atm_exports_free (AtmExports *exports)
{
  if (exports == NULL)
    return;
  g_clear_pointer (&exports->config, g_bytes_unref);
  g_clear_pointer (&exports->config_template, g_bytes_unref);
  g_clear_pointer (&exports->service_template, g_bytes_unref);
  g_clear_pointer (&exports->tmpfiles_template, g_bytes_unref);
  g_clear_pointer (&exports->default_values, g_hash_table_unref);
  g_clear_pointer (&exports->rename_files, g_hash_table_unref);
  g_strfreev (exports->installed_templates);
  g_free (exports);
}
