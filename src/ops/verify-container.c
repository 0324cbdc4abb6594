/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/verify-container.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "container/exports.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

void
atm_verified_container_free (AtmVerifiedContainer *container)
{
  if (container == NULL)
    return;
  g_free (container->container);
  g_free (container->folder);
  g_clear_pointer (&container->findings, g_ptr_array_unref);
  g_free (container->problem);
  g_free (container);
}

/* ---- mount points, which the installation made in the checkout (registry.md 5.7) ---- */

/* Where @path leads inside of the root file system, and all folders above it. */
static void
add_extra (GHashTable *extra, int rootfs_fd, const char *path)
{
  g_autofree char *root_link = g_strdup_printf ("/proc/self/fd/%d", rootfs_fd);
  g_autofree char *root = g_file_read_link (root_link, NULL);
  g_autofree char *link = NULL, *real = NULL;
  atm_autofd int fd = -1;

  if (root == NULL || !atm_open_in_root (rootfs_fd, path, O_PATH, &fd, NULL))
    return;
  link = g_strdup_printf ("/proc/self/fd/%d", fd);
  real = g_file_read_link (link, NULL);
  if (real == NULL || !g_str_has_prefix (real, root))
    return;
  for (char *below = real + strlen (root); *below == '/' && below[1] != '\0';)
    {
      g_hash_table_add (extra, g_strdup (below));
      *strrchr (below, '/') = '\0';
    }
}

static JsonObject *
get_object (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static const char *
get_string (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : NULL;
}

/* Of the config.json as it is on the disk; without one there are none. */
static void
add_mount_points (GHashTable *extra, int deployment_fd, int rootfs_fd)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (JsonObject) config = NULL;
  JsonObject *process = NULL;
  JsonNode *mounts = NULL;
  JsonArray *array = NULL;
  const char *cwd = NULL;

  if (!atm_read_file_at (deployment_fd, "config.json", FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &bytes,
                         NULL)
      || !atm_json_parse_object (bytes, &config, NULL))
    return;
  process = get_object (config, "process");
  cwd = process != NULL ? get_string (process, "cwd") : NULL;
  if (cwd != NULL)
    add_extra (extra, rootfs_fd, cwd);
  mounts = json_object_get_member (config, "mounts");
  array = mounts != NULL && JSON_NODE_HOLDS_ARRAY (mounts) ? json_node_get_array (mounts) : NULL;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonNode *mount = json_array_get_element (array, i);
      const char *destination = JSON_NODE_HOLDS_OBJECT (mount)
                                    ? get_string (json_node_get_object (mount), "destination")
                                    : NULL;

      if (destination != NULL)
        add_extra (extra, rootfs_fd, destination);
    }
}

/* ---- one deployment ---- */

/* Images that only bring host files, and containers on somebody else's root file system, have no
   checkout. */
static gboolean
has_checkout (const AtmInstalled *installed)
{
  return installed->info->remote == NULL && installed->info->has_service;
}

static gboolean
compare (const AtmSystem *system, AtmStore *store, const AtmInstalled *installed,
         AtmCheckoutOptions *options, GPtrArray **findings_out, GCancellable *cancellable,
         GError **error)
{
  g_autoptr (GHashTable) extra = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *path = g_build_filename (system->checkout, installed->folder, NULL);
  atm_autofd int deployment_fd = -1, rootfs_fd = -1;

  if (installed->info->commit == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                      "Its info does not say which commit it was checked out from");
  if (!atm_open_dir_at (AT_FDCWD, path, &deployment_fd, error)
      || !atm_open_dir_at (deployment_fd, "rootfs", &rootfs_fd, error))
    return FALSE;
  add_mount_points (extra, deployment_fd, rootfs_fd);
  options->commit = installed->info->commit;
  options->rootfs_fd = rootfs_fd;
  options->extra = extra;
  if (!atm_checkout_verify (store, options, findings_out, cancellable, error))
    return FALSE;
  return !options->repair || syncfs (rootfs_fd) == 0 || atm_throw_errno (error, "Syncing %s", path);
}

gboolean
atm_verify_container (const AtmSystem *system, AtmStore *store, const AtmInstalled *installed,
                      GHashTable *damages, GHashTable *before, gboolean wanted, gboolean repair,
                      AtmVerifiedContainer **container_out, GCancellable *cancellable,
                      GError **error)
{
  g_autoptr (AtmVerifiedContainer) container = g_new0 (AtmVerifiedContainer, 1);
  g_autoptr (GError) local = NULL;
  AtmCheckoutOptions options = {
    .damages = damages,
    .before = before,
    .only_before = !wanted,
    .repair = repair,
  };

  container->container = g_strdup (installed->container);
  container->folder = g_strdup (installed->folder);
  container->current = installed->current;
  container->problem = g_strdup (installed->problem);
  if (installed->info != NULL && has_checkout (installed)
      && !compare (system, store, installed, &options, &container->findings, cancellable, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      container->problem = g_strdup (local->message);
    }
  if (container->findings == NULL)
    container->findings = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_finding_free);
  *container_out = NULL;
  if (wanted || container->findings->len > 0)
    *container_out = g_steal_pointer (&container);
  return TRUE;
}
