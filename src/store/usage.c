/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/usage.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/walk.h"
#include "util/error.h"

/* Digits of SHA-256 and of SHA-512. */
#define HEX_SHORT 64
#define HEX_LONG 128

void
atm_usage_add_blobs (GBytes *manifest, GHashTable *blobs)
{
  gsize size = 0;
  const char *text = g_bytes_get_data (manifest, &size);
  gsize start = 0;

  for (gsize i = 0; i <= size; i++)
    {
      if (i < size && (g_ascii_isdigit (text[i]) || (text[i] >= 'a' && text[i] <= 'f')))
        continue;
      if (i - start == HEX_SHORT || i - start == HEX_LONG)
        g_hash_table_add (blobs, g_strndup (text + start, i - start));
      start = i + 1;
    }
}

char **
atm_usage_dup_commits (AtmStore *store, const AtmStoredImage *image)
{
  g_autoptr (GHashTable) blobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GPtrArray *commits = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer hex;

  if (ostree_validate_checksum_string (image->commit, NULL))
    g_ptr_array_add (commits, g_strdup (image->commit));
  if (image->manifest != NULL)
    atm_usage_add_blobs (image->manifest, blobs);
  g_hash_table_iter_init (&iter, blobs);
  while (g_hash_table_iter_next (&iter, &hex, NULL))
    {
      g_autofree char *ref = g_strconcat (ATM_REF_PREFIX "/", hex, NULL);
      char *commit = NULL;

      if (ostree_repo_resolve_rev (store->repo, ref, TRUE, &commit, NULL) && commit != NULL)
        g_ptr_array_add (commits, commit);
    }
  g_ptr_array_add (commits, NULL);
  return (char **) g_ptr_array_free (commits, FALSE);
}

gboolean
atm_store_has_commit (AtmStore *store, const char *commit)
{
  gboolean there = FALSE;

  return ostree_validate_checksum_string (commit, NULL)
         && ostree_repo_has_object (store->repo, OSTREE_OBJECT_TYPE_COMMIT, commit, &there, NULL,
                                    NULL)
         && there;
}

/* ---- measuring ---- */

/* Who needs an object: a number, from 1, or: */
#define SHARED G_MAXUINT

typedef struct
{
  GHashTable *owners; /* (owned) (element-type utf8 guint): “HEX.TYPE” */
  guint number;       /* of the image that is walked */
} Measure;

/* What is shared was walked to its end when it became so, what is one's own when it was met first;
   so nothing is walked more than twice. */
static gboolean
take_or_share (OstreeObjectType type, const char *checksum, const char *path G_GNUC_UNUSED,
               gpointer data)
{
  Measure *measure = data;
  g_autofree char *name = ostree_object_to_string (checksum, type);
  const guint owner = GPOINTER_TO_UINT (g_hash_table_lookup (measure->owners, name));

  if (owner == measure->number || owner == SHARED)
    return FALSE;
  g_hash_table_insert (measure->owners, g_steal_pointer (&name),
                       GUINT_TO_POINTER (owner == 0 ? measure->number : SHARED));
  return TRUE;
}

static void
ignore_damage (OstreeObjectType type G_GNUC_UNUSED, const char *checksum G_GNUC_UNUSED,
               const char *path G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED,
               gpointer data G_GNUC_UNUSED)
{
}

/* One number for all names of a commit. */
static guint
number_of (GHashTable *numbers, const char *commit)
{
  guint number = GPOINTER_TO_UINT (g_hash_table_lookup (numbers, commit));

  if (number == 0)
    {
      number = g_hash_table_size (numbers) + 1;
      g_hash_table_insert (numbers, (gpointer) commit, GUINT_TO_POINTER (number));
    }
  return number;
}

static void
add_sizes (AtmStore *store, GHashTable *owners, guint64 *bytes)
{
  GHashTableIter iter;
  gpointer name, owner;

  g_hash_table_iter_init (&iter, owners);
  while (g_hash_table_iter_next (&iter, &name, &owner))
    {
      g_autofree char *checksum = NULL;
      OstreeObjectType type;
      char path[ATM_OBJECT_PATH_BYTES];
      struct stat st;

      if (GPOINTER_TO_UINT (owner) == SHARED)
        continue;
      ostree_object_from_string (name, &checksum, &type);
      atm_object_path (type, checksum, path);
      if (fstatat (ostree_repo_get_dfd (store->repo), path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        bytes[GPOINTER_TO_UINT (owner)] += (guint64) st.st_size;
    }
}

gboolean
atm_usage_measure (AtmStore *store, GPtrArray *images, GArray **unique_bytes_out,
                   GCancellable *cancellable, GError **error)
{
  static const AtmWalkFuncs funcs = { .need = take_or_share, .damaged = ignore_damage };
  g_autoptr (GHashTable) owners = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) numbers = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GArray) unique = g_array_new (FALSE, TRUE, sizeof (guint64));
  g_autofree guint64 *bytes = g_new0 (guint64, (gsize) images->len + 1);
  Measure measure = { .owners = owners };

  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *image = images->pdata[i];
      g_auto (GStrv) commits = NULL;

      if (g_hash_table_contains (numbers, image->commit))
        continue;
      commits = atm_usage_dup_commits (store, image);
      measure.number = number_of (numbers, image->commit);
      for (guint c = 0; commits[c] != NULL; c++)
        if (!atm_walk_commit (store, commits[c], &funcs, &measure, cancellable, error))
          return atm_prefix_error (error, "Measuring the image %s", image->reference);
    }
  add_sizes (store, owners, bytes);
  for (guint i = 0; i < images->len; i++)
    {
      const AtmStoredImage *image = images->pdata[i];

      g_array_append_val (unique, bytes[number_of (numbers, image->commit)]);
    }
  *unique_bytes_out = g_steal_pointer (&unique);
  return TRUE;
}

/* ---- completeness ---- */

typedef struct
{
  int repo_fd;      /* (borrowed) */
  GHashTable *seen; /* (owned) (element-type utf8): “HEX.TYPE” */
  guint missing;
} Count;

/* Commits and dirtrees are read by the walk itself. */
static gboolean
look_for (OstreeObjectType type, const char *checksum, const char *path G_GNUC_UNUSED,
          gpointer data)
{
  Count *count = data;
  char object[ATM_OBJECT_PATH_BYTES];

  if (!g_hash_table_add (count->seen, ostree_object_to_string (checksum, type)))
    return FALSE;
  atm_object_path (type, checksum, object);
  if ((type == OSTREE_OBJECT_TYPE_FILE || type == OSTREE_OBJECT_TYPE_DIR_META)
      && faccessat (count->repo_fd, object, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
    count->missing++;
  return TRUE;
}

static void
count_damaged (OstreeObjectType type G_GNUC_UNUSED, const char *checksum G_GNUC_UNUSED,
               const char *path G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED, gpointer data)
{
  Count *count = data;

  count->missing++;
}

gboolean
atm_usage_count_missing (AtmStore *store, const char *commit, guint *missing_out,
                         GCancellable *cancellable, GError **error)
{
  static const AtmWalkFuncs funcs = { .need = look_for, .damaged = count_damaged };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Count count = { .repo_fd = ostree_repo_get_dfd (store->repo), .seen = seen };

  if (!atm_walk_commit (store, commit, &funcs, &count, cancellable, error))
    return atm_prefix_error (error, "Looking for the objects of commit %s", commit);
  *missing_out = count.missing;
  return TRUE;
}
