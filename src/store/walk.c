/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/walk.h"

#include <string.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"

/* In a commit (OSTREE_COMMIT_GVARIANT_STRING). */
#define COMMIT_DIRTREE 6
#define COMMIT_DIRMETA 7

static gboolean
check_form (OstreeObjectType type, GVariant *variant, GError **error)
{
  switch (type)
    {
    case OSTREE_OBJECT_TYPE_COMMIT:
      return ostree_validate_structureof_commit (variant, error);
    case OSTREE_OBJECT_TYPE_DIR_TREE:
      return ostree_validate_structureof_dirtree (variant, error);
    default:
      return ostree_validate_structureof_dirmeta (variant, error);
    }
}

gboolean
atm_walk_load (AtmStore *store, OstreeObjectType type, const char *checksum, GVariant **variant_out,
               GError **error)
{
  static const char *const formats[] = {
    [OSTREE_OBJECT_TYPE_DIR_TREE] = "(a(say)a(sayay))",
    [OSTREE_OBJECT_TYPE_DIR_META] = "(uuua(ayay))",
    [OSTREE_OBJECT_TYPE_COMMIT] = "(a{sv}aya(say)sstayay)",
  };
  char path[ATM_OBJECT_PATH_BYTES];
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) variant = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *actual = NULL;

  atm_object_path (type, checksum, path);
  if (!atm_read_file_at (ostree_repo_get_dfd (store->repo), path, FALSE, OSTREE_MAX_METADATA_SIZE,
                         &bytes, error))
    return FALSE;
  actual = atm_sha256_hex (bytes);
  if (!g_str_equal (actual, checksum))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "its bytes hash to %s", actual);
  variant = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE (formats[type]), bytes, FALSE));
  if (!check_form (type, variant, &local))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s", local->message);
  *variant_out = g_steal_pointer (&variant);
  return TRUE;
}

/* A dirtree that waits. */
typedef struct
{
  char checksum[OSTREE_SHA256_STRING_LEN + 1];
  char *path; /* (owned): “” for the root */
} Folder;

static void
folder_clear (Folder *folder)
{
  g_free (folder->path);
}

static gboolean
load_or_tell (AtmStore *store, const AtmWalkFuncs *funcs, OstreeObjectType type,
              const char *checksum, const char *path, gpointer data, GVariant **variant_out,
              GError **error)
{
  g_autoptr (GError) local = NULL;

  *variant_out = NULL;
  if (atm_walk_load (store, type, checksum, variant_out, &local))
    return TRUE;
  if (funcs->damaged != NULL)
    {
      funcs->damaged (type, checksum, path, local, data);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return atm_prefix_error (error, "The object %s.%s", checksum,
                           ostree_object_type_to_string (type));
}

static void
checksum_of (GVariant *bytes, char hex_out[OSTREE_SHA256_STRING_LEN + 1])
{
  ostree_checksum_inplace_from_bytes (g_variant_get_data (bytes), hex_out);
}

static void
add_folder (GArray *waiting, const AtmWalkFuncs *funcs, GVariant *contents, GVariant *meta,
            char *path, gpointer data)
{
  Folder folder = { .path = path };
  char meta_hex[OSTREE_SHA256_STRING_LEN + 1];
  const char *shown = *path != '\0' ? path : "/";

  checksum_of (contents, folder.checksum);
  checksum_of (meta, meta_hex);
  (void) funcs->need (OSTREE_OBJECT_TYPE_DIR_META, meta_hex, shown, data);
  if (funcs->need (OSTREE_OBJECT_TYPE_DIR_TREE, folder.checksum, shown, data))
    g_array_append_val (waiting, folder);
  else
    folder_clear (&folder);
}

static void
walk_folder (GArray *waiting, const AtmWalkFuncs *funcs, GVariant *tree, const char *path,
             gpointer data)
{
  g_autoptr (GVariant) files = g_variant_get_child_value (tree, 0);
  g_autoptr (GVariant) folders = g_variant_get_child_value (tree, 1);

  for (gsize i = 0; i < g_variant_n_children (files); i++)
    {
      g_autoptr (GVariant) checksum = NULL;
      g_autofree char *below = NULL;
      const char *name = NULL;
      char hex[OSTREE_SHA256_STRING_LEN + 1];

      g_variant_get_child (files, i, "(&s@ay)", &name, &checksum);
      checksum_of (checksum, hex);
      below = g_strconcat (path, "/", name, NULL);
      (void) funcs->need (OSTREE_OBJECT_TYPE_FILE, hex, below, data);
    }
  for (gsize i = 0; i < g_variant_n_children (folders); i++)
    {
      g_autoptr (GVariant) contents = NULL, meta = NULL;
      const char *name = NULL;

      g_variant_get_child (folders, i, "(&s@ay@ay)", &name, &contents, &meta);
      add_folder (waiting, funcs, contents, meta, g_strconcat (path, "/", name, NULL), data);
    }
}

gboolean
atm_walk_commit (AtmStore *store, const char *commit, const AtmWalkFuncs *funcs, gpointer data,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr (GArray) waiting = g_array_new (FALSE, FALSE, sizeof (Folder));
  g_autoptr (GVariant) variant = NULL, contents = NULL, meta = NULL;

  g_array_set_clear_func (waiting, (GDestroyNotify) folder_clear);
  /* libostree reads refs as they are, and would read beyond a short one. */
  if (!ostree_validate_checksum_string (commit, error))
    return FALSE;
  if (!funcs->need (OSTREE_OBJECT_TYPE_COMMIT, commit, "", data))
    return TRUE;
  if (!load_or_tell (store, funcs, OSTREE_OBJECT_TYPE_COMMIT, commit, "", data, &variant, error))
    return FALSE;
  if (variant == NULL)
    return TRUE;
  contents = g_variant_get_child_value (variant, COMMIT_DIRTREE);
  meta = g_variant_get_child_value (variant, COMMIT_DIRMETA);
  add_folder (waiting, funcs, contents, meta, g_strdup (""), data);

  while (waiting->len > 0)
    {
      Folder last = g_array_index (waiting, Folder, waiting->len - 1);
      g_autofree char *path = g_steal_pointer (&last.path);
      g_autoptr (GVariant) tree = NULL;

      g_array_index (waiting, Folder, waiting->len - 1).path = NULL;
      g_array_set_size (waiting, waiting->len - 1);
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !load_or_tell (store, funcs, OSTREE_OBJECT_TYPE_DIR_TREE, last.checksum,
                            *path != '\0' ? path : "/", data, &tree, error))
        return FALSE;
      if (tree != NULL)
        walk_folder (waiting, funcs, tree, path, data);
    }
  return TRUE;
}
