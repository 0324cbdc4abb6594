/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/verify.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "store/usage.h"
#include "store/walk.h"
#include "util/error.h"
#include "util/sha256.h"

static void
use_free (AtmDamageUse *use)
{
  g_free (use->image);
  g_free (use->layer);
  g_free (use->path);
  g_free (use);
}

void
atm_damage_free (AtmDamage *damage)
{
  if (damage == NULL)
    return;
  g_free (damage->object);
  g_free (damage->problem);
  g_ptr_array_unref (damage->uses);
  g_free (damage);
}

void
atm_verification_clear (AtmVerification *verification)
{
  g_clear_pointer (&verification->damages, g_ptr_array_unref);
}

/* ---- what there is to verify ---- */

typedef struct
{
  AtmStore *store;    /* (borrowed) */
  GHashTable *seen;   /* (owned) (element-type utf8): “HEX.TYPE” */
  GPtrArray *files;   /* (owned) (element-type utf8): checksums */
  GMutex lock;        /* of the rest */
  GPtrArray *damages; /* (owned) (element-type AtmDamage) */
  GHashTable *known;  /* (owned) (element-type utf8): borrowed from @damages */
  guint64 bytes;
  GCancellable *cancellable; /* (borrowed) (nullable) */
} Verify;

static void
add_damage (Verify *verify, OstreeObjectType type, const char *checksum, const GError *error)
{
  AtmDamage *damage = g_new0 (AtmDamage, 1);

  damage->object = ostree_object_to_string (checksum, type);
  damage->uses = g_ptr_array_new_with_free_func ((GDestroyNotify) use_free);
  damage->missing = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  if (damage->missing)
    damage->problem = g_strdup ("is missing");
  else if (error == NULL)
    damage->problem = g_strdup ("has changed: content, owner, mode or attributes");
  else
    damage->problem = g_strdup_printf ("cannot be read: %s", error->message);
  if (g_hash_table_add (verify->known, damage->object))
    g_ptr_array_add (verify->damages, damage);
  else
    atm_damage_free (damage);
}

static gboolean
need (OstreeObjectType type, const char *checksum, const char *path G_GNUC_UNUSED, gpointer data)
{
  Verify *verify = data;
  g_autoptr (GVariant) meta = NULL;
  g_autoptr (GError) local = NULL;

  if (!g_hash_table_add (verify->seen, ostree_object_to_string (checksum, type)))
    return FALSE;
  if (type == OSTREE_OBJECT_TYPE_FILE)
    g_ptr_array_add (verify->files, g_strdup (checksum));
  else if (type == OSTREE_OBJECT_TYPE_DIR_META
           && !atm_walk_load (verify->store, type, checksum, &meta, &local))
    add_damage (verify, type, checksum, local);
  return TRUE;
}

static void
tell_damaged (OstreeObjectType type, const char *checksum, const char *path G_GNUC_UNUSED,
              const GError *error, gpointer data)
{
  add_damage (data, type, checksum, error);
}

/* ---- files, in threads ---- */

/* A user's repository keeps owner and mode in an attribute, which libostree reads. */
static gboolean
user_object_matches (AtmStore *store, const char *checksum, gboolean *matches_out,
                     GCancellable *cancellable, GError **error)
{
  g_autoptr (GInputStream) content = NULL;
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GVariant) xattrs = NULL;
  g_autofree guchar *actual = NULL;
  char hex[OSTREE_SHA256_STRING_LEN + 1];

  if (!ostree_repo_load_file (store->repo, checksum, &content, &info, &xattrs, cancellable, error)
      || !ostree_checksum_file_from_input (info, xattrs, content, OSTREE_OBJECT_TYPE_FILE, &actual,
                                           cancellable, error))
    return FALSE;
  ostree_checksum_inplace_from_bytes (actual, hex);
  *matches_out = g_str_equal (hex, checksum);
  return TRUE;
}

static void
check_file (gpointer job, gpointer data)
{
  const char *checksum = job;
  Verify *verify = data;
  const int repo_fd = ostree_repo_get_dfd (verify->store->repo);
  g_autoptr (GError) local = NULL;
  char path[ATM_OBJECT_PATH_BYTES];
  struct stat st = { 0 };
  gboolean matches = FALSE, read = FALSE;

  atm_object_path (OSTREE_OBJECT_TYPE_FILE, checksum, path);
  if (!g_cancellable_is_cancelled (verify->cancellable))
    read = verify->store->user_mode ? user_object_matches (verify->store, checksum, &matches,
                                                           verify->cancellable, &local)
                                    : atm_content_matches (repo_fd, path, checksum, &matches,
                                                           verify->cancellable, &local);
  (void) fstatat (repo_fd, path, &st, AT_SYMLINK_NOFOLLOW);

  g_mutex_lock (&verify->lock);
  if (!matches && (read || local != NULL) && !g_cancellable_is_cancelled (verify->cancellable))
    add_damage (verify, OSTREE_OBJECT_TYPE_FILE, checksum, local);
  verify->bytes += (guint64) st.st_size;
  g_mutex_unlock (&verify->lock);
}

static gboolean
check_files (Verify *verify, GError **error)
{
  GThreadPool *pool
      = g_thread_pool_new (check_file, verify, (gint) g_get_num_processors (), FALSE, error);

  if (pool == NULL)
    return atm_prefix_error (error, "Starting threads");
  for (guint i = 0; i < verify->files->len; i++)
    (void) g_thread_pool_push (pool, verify->files->pdata[i], NULL);
  /* waits for all; once cancelled there is not much to wait for */
  g_thread_pool_free (pool, FALSE, TRUE);
  return !g_cancellable_set_error_if_cancelled (verify->cancellable, error);
}

static int
compare_damages (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(AtmDamage *const *) a)->object, (*(AtmDamage *const *) b)->object);
}

static void
verify_clear (Verify *verify)
{
  g_clear_pointer (&verify->seen, g_hash_table_unref);
  g_clear_pointer (&verify->files, g_ptr_array_unref);
  g_clear_pointer (&verify->known, g_hash_table_unref);
  g_clear_pointer (&verify->damages, g_ptr_array_unref);
  g_mutex_clear (&verify->lock);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Verify, verify_clear)

gboolean
atm_store_verify (AtmStore *store, const char *const *commits, AtmVerification *verification_out,
                  GCancellable *cancellable, GError **error)
{
  static const AtmWalkFuncs funcs = { .need = need, .damaged = tell_damaged };
  g_auto (Verify) verify = {
    .store = store,
    .seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .files = g_ptr_array_new_with_free_func (g_free),
    .damages = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_damage_free),
    .known = g_hash_table_new (g_str_hash, g_str_equal),
    .cancellable = cancellable,
  };

  g_mutex_init (&verify.lock);
  for (gsize i = 0; commits[i] != NULL; i++)
    if (!atm_walk_commit (store, commits[i], &funcs, &verify, cancellable, error))
      return FALSE;
  if (!check_files (&verify, error))
    return FALSE;

  g_ptr_array_sort (verify.damages, compare_damages);
  verification_out->n_objects = g_hash_table_size (verify.seen);
  verification_out->bytes = verify.bytes;
  verification_out->damages = g_steal_pointer (&verify.damages);
  return TRUE;
}

/* ---- uses ---- */

GHashTable *
atm_verify_dup_table (GPtrArray *damages)
{
  GHashTable *table = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < damages->len; i++)
    {
      AtmDamage *damage = damages->pdata[i];

      if (!damage->repaired)
        g_hash_table_insert (table, damage->object, damage);
    }
  return table;
}

typedef struct
{
  GHashTable *damages; /* (owned) (element-type utf8 AtmDamage) */
  const char *image;   /* (nullable) */
  const char *layer;   /* (nullable) */
} Search;

static gboolean
note_use (OstreeObjectType type, const char *checksum, const char *path, gpointer data)
{
  Search *search = data;
  g_autofree char *name = ostree_object_to_string (checksum, type);
  AtmDamage *damage = g_hash_table_lookup (search->damages, name);
  AtmDamageUse *use = NULL;

  if (damage == NULL)
    return TRUE;
  if (damage->uses->len < ATM_DAMAGE_USES_MAX)
    {
      use = g_new0 (AtmDamageUse, 1);
      use->image = g_strdup (search->image);
      use->layer = g_strdup (search->layer);
      use->path = g_strdup (path);
      g_ptr_array_add (damage->uses, use);
    }
  return TRUE;
}

static void
ignore_damage (OstreeObjectType type G_GNUC_UNUSED, const char *checksum G_GNUC_UNUSED,
               const char *path G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED,
               gpointer data G_GNUC_UNUSED)
{
}

static const AtmWalkFuncs search_funcs = { .need = note_use, .damaged = ignore_damage };

static gboolean
search_layers (AtmStore *store, Search *search, GPtrArray *images, GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GHashTable) blobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer hex;

  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *image = images->pdata[i];

      if (image->manifest != NULL)
        atm_usage_add_blobs (image->manifest, blobs);
    }
  search->image = NULL;
  g_hash_table_iter_init (&iter, blobs);
  while (g_hash_table_iter_next (&iter, &hex, NULL))
    {
      g_autofree char *ref = g_strconcat (ATM_REF_PREFIX "/", hex, NULL);
      g_autofree char *commit = NULL;

      search->layer = hex;
      if (ostree_repo_resolve_rev (store->repo, ref, TRUE, &commit, NULL) && commit != NULL
          && !atm_walk_commit (store, commit, &search_funcs, search, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_verify_find_uses (AtmStore *store, GPtrArray *damages, GPtrArray *images,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) table = atm_verify_dup_table (damages);
  Search search = { .damages = table };

  if (damages->len == 0)
    return TRUE;
  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *image = images->pdata[i];

      search.image = image->reference;
      if (ostree_validate_checksum_string (image->commit, NULL)
          && !atm_walk_commit (store, image->commit, &search_funcs, &search, cancellable, error))
        return FALSE;
    }
  return search_layers (store, &search, images, cancellable, error);
}
