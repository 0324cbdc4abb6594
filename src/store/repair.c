/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/repair.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/commit.h"
#include "store/layer-commit.h"
#include "store/staging.h"
#include "store/walk.h"
#include "util/error.h"
#include "util/fd.h"

/* Below tmp/, where libostree removes what is older than a day, too. */
#define FOLDER_PREFIX "atomic-repair-"

struct _AtmRepair
{
  AtmStore *store;     /* (borrowed) */
  GPtrArray *damages;  /* (borrowed) (element-type AtmDamage) */
  GHashTable *damaged; /* (owned) (element-type utf8 AtmDamage) */
  AtmStore *scratch;   /* (owned) */
  char *folder;        /* (owned): its name in tmp/ */
  GPtrArray *fetched;  /* (owned) (element-type utf8): refs of layers that were not lent */
};

static int
open_tmp (AtmStore *store)
{
  return openat (ostree_repo_get_dfd (store->repo), "tmp",
                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

gboolean
atm_repair_begin (AtmStore *store, GPtrArray *damages, AtmRepair **repair_out,
                  GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmRepair) repair = g_new0 (AtmRepair, 1);
  g_autofree char *path = NULL;

  repair->store = store;
  repair->damages = damages;
  repair->damaged = atm_verify_dup_table (damages);
  repair->fetched = g_ptr_array_new_with_free_func (g_free);
  repair->folder = g_strdup_printf (FOLDER_PREFIX "%08x", g_random_int ());
  path = g_build_filename (g_file_peek_path (ostree_repo_get_path (store->repo)), "tmp",
                           repair->folder, NULL);
  if (!atm_store_open (path, TRUE, &repair->scratch, cancellable, error))
    return FALSE;
  /* Nothing in it is kept, and what is taken over is synced before (atm_repair_apply). */
  ostree_repo_set_disable_fsync (repair->scratch->repo, TRUE);
  *repair_out = g_steal_pointer (&repair);
  return TRUE;
}

void
atm_repair_free (AtmRepair *repair)
{
  g_autoptr (GError) local = NULL;
  atm_autofd int tmp_fd = -1;

  if (repair == NULL)
    return;
  atm_store_free (repair->scratch);
  tmp_fd = open_tmp (repair->store);
  /* What stays is swept by the next prune or repair. */
  if (tmp_fd >= 0 && !atm_remove_tree_at (tmp_fd, repair->folder, &local))
    g_debug ("%s, going on without it", local->message);
  g_hash_table_unref (repair->damaged);
  g_ptr_array_unref (repair->fetched);
  g_free (repair->folder);
  g_free (repair);
}

AtmStore *
atm_repair_get_store (AtmRepair *repair)
{
  return repair->scratch;
}

gboolean
atm_store_sweep (AtmStore *store, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  int fd = open_tmp (store);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  struct dirent *entry;
  gboolean ok = TRUE;

  if (dir == NULL)
    {
      atm_fd_clear (&fd);
      return errno == ENOENT || atm_throw_errno (error, "Reading the tmp folder of the repository");
    }
  while ((entry = readdir (dir)) != NULL)
    if (g_str_has_prefix (entry->d_name, FOLDER_PREFIX)
        || g_str_has_prefix (entry->d_name, ATM_REF_TEMPORARY_PREFIX))
      g_ptr_array_add (found, g_strdup (entry->d_name));
  for (guint i = 0; ok && i < found->len; i++)
    ok = atm_remove_tree_at (fd, found->pdata[i], error);
  closedir (dir);
  atm_staging_remove_stale (store->repo);
  return ok;
}

/* ---- lending ---- */

/* Links an object of @from into @to, which keeps one that it has. */
static gboolean
link_object (AtmStore *from, AtmStore *to, const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  const int to_fd = ostree_repo_get_dfd (to->repo);

  if (mkdirat (to_fd, folder, 0755) < 0 && errno != EEXIST)
    return atm_throw_errno (error, "Creating the folder %s", folder);
  if (linkat (ostree_repo_get_dfd (from->repo), path, to_fd, path, 0) < 0 && errno != EEXIST)
    return atm_throw_errno (error, "Linking the object %s", path);
  return TRUE;
}

typedef struct
{
  AtmRepair *repair; /* (borrowed) */
  GHashTable *seen;  /* (owned) (element-type utf8) */
  GPtrArray *paths;  /* (owned) (element-type utf8): of objects, commits first */
  gboolean damaged;
} Collect;

static void
collect_clear (Collect *collect)
{
  g_clear_pointer (&collect->seen, g_hash_table_unref);
  g_clear_pointer (&collect->paths, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Collect, collect_clear)

static gboolean
collect_object (OstreeObjectType type, const char *checksum, const char *path G_GNUC_UNUSED,
                gpointer data)
{
  Collect *collect = data;
  char *name = ostree_object_to_string (checksum, type);
  char object[ATM_OBJECT_PATH_BYTES];

  collect->damaged |= g_hash_table_contains (collect->repair->damaged, name);
  if (!g_hash_table_add (collect->seen, name))
    return FALSE;
  atm_object_path (type, checksum, object);
  g_ptr_array_add (collect->paths, g_strdup (object));
  return !collect->damaged;
}

static void
collect_damage (OstreeObjectType type G_GNUC_UNUSED, const char *checksum G_GNUC_UNUSED,
                const char *path G_GNUC_UNUSED, const GError *error G_GNUC_UNUSED, gpointer data)
{
  ((Collect *) data)->damaged = TRUE;
}

static gboolean
collect_commit (AtmRepair *repair, AtmStore *store, const char *commit, Collect *collect,
                GCancellable *cancellable, GError **error)
{
  static const AtmWalkFuncs funcs = { .need = collect_object, .damaged = collect_damage };

  collect->repair = repair;
  collect->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  collect->paths = g_ptr_array_new_with_free_func (g_free);
  return atm_walk_commit (store, commit, &funcs, collect, cancellable, error);
}

gboolean
atm_repair_lend_layer (AtmRepair *repair, const AtmDescriptor *descriptor,
                       GCancellable *cancellable, GError **error)
{
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *commit = NULL;
  g_auto (Collect) collect = { 0 };

  if (!ostree_repo_resolve_rev (repair->store->repo, ref, TRUE, &commit, error))
    return FALSE;
  if (commit != NULL
      && !collect_commit (repair, repair->store, commit, &collect, cancellable, error))
    return FALSE;
  if (commit == NULL || collect.damaged)
    {
      if (!g_ptr_array_find_with_equal_func (repair->fetched, ref, g_str_equal, NULL))
        g_ptr_array_add (repair->fetched, g_steal_pointer (&ref));
      return TRUE;
    }
  for (guint i = 0; i < collect.paths->len; i++)
    if (!link_object (repair->store, repair->scratch, collect.paths->pdata[i], error))
      return FALSE;
  return ostree_repo_set_ref_immediate (repair->scratch->repo, NULL, ref, commit, cancellable,
                                        error);
}

/* ---- replacing ---- */

static gboolean
sync_store (AtmStore *store, GError **error)
{
  return syncfs (ostree_repo_get_dfd (store->repo)) == 0
         || atm_throw_errno (error, "Syncing the repository");
}

gboolean
atm_repair_has (AtmRepair *repair, const AtmDamage *damage)
{
  g_autofree char *checksum = NULL;
  char path[ATM_OBJECT_PATH_BYTES];
  OstreeObjectType type;

  ostree_object_from_string (damage->object, &checksum, &type);
  atm_object_path (type, checksum, path);
  return faccessat (ostree_repo_get_dfd (repair->scratch->repo), path, F_OK, AT_SYMLINK_NOFOLLOW)
         == 0;
}

/* One object, in one step: whoever opens the name has the old bytes or the right ones. */
static gboolean
replace_object (AtmRepair *repair, AtmDamage *damage, GError **error)
{
  g_autofree char *checksum = NULL, *folder = NULL;
  const int scratch_fd = ostree_repo_get_dfd (repair->scratch->repo);
  const int repo_fd = ostree_repo_get_dfd (repair->store->repo);
  char path[ATM_OBJECT_PATH_BYTES];
  OstreeObjectType type;

  ostree_object_from_string (damage->object, &checksum, &type);
  atm_object_path (type, checksum, path);
  if (!atm_repair_has (repair, damage))
    return TRUE;
  folder = g_path_get_dirname (path);
  if (mkdirat (repo_fd, folder, 0755) < 0 && errno != EEXIST)
    return atm_throw_errno (error, "Creating the folder %s", folder);
  if (renameat (scratch_fd, path, repo_fd, path) < 0)
    return atm_throw_errno (error, "Replacing the object %s", damage->object);
  damage->repaired = TRUE;
  return TRUE;
}

/* A layer whose record was damaged or gone has another one now, with another time in it. */
static gboolean
replace_record (AtmRepair *repair, const char *ref, GCancellable *cancellable, GError **error)
{
  g_autofree char *old = NULL, *new = NULL, *object = NULL;
  g_auto (Collect) collect = { 0 };
  AtmDamage *damage = NULL;

  if (!ostree_repo_resolve_rev (repair->store->repo, ref, TRUE, &old, error)
      || !ostree_repo_resolve_rev (repair->scratch->repo, ref, TRUE, &new, error))
    return FALSE;
  object = old != NULL ? ostree_object_to_string (old, OSTREE_OBJECT_TYPE_COMMIT) : NULL;
  damage = object != NULL ? g_hash_table_lookup (repair->damaged, object) : NULL;
  /* The same name, if both were written within a second: then it is an object like others. */
  if (new == NULL || (old != NULL && damage == NULL) || g_strcmp0 (old, new) == 0)
    return TRUE;

  /* From the leaves up, so that the commit has what it needs when it appears. */
  if (!collect_commit (repair, repair->scratch, new, &collect, cancellable, error))
    return FALSE;
  for (guint i = collect.paths->len; i-- > 0;)
    if (!link_object (repair->scratch, repair->store, collect.paths->pdata[i], error))
      return FALSE;
  if (!sync_store (repair->store, error)
      || !ostree_repo_set_ref_immediate (repair->store->repo, NULL, ref, new, cancellable, error))
    return FALSE;
  if (damage != NULL)
    {
      if (!damage->missing
          && !ostree_repo_delete_object (repair->store->repo, OSTREE_OBJECT_TYPE_COMMIT, old,
                                         cancellable, error))
        return FALSE;
      damage->repaired = TRUE;
    }
  return TRUE;
}

/* The order, and what a kill or a power cut between two steps leaves:
   1. the new objects are synced: a name never leads to bytes that can be lost
   2. records of layers, where they were damaged: new objects that nobody asks for; then the ref
      leads to the new record; the damaged one goes last. Before 3, for it links what 3 moves away
   3. each damaged object is replaced by a rename: fewer of them are damaged than before
   4. sync
   Checkouts still link to the old objects; atm_checkout_verify() replaces those links afterwards.
   Until then the next verification finds them: they are neither the object nor hash to its name. */
gboolean
atm_repair_apply (AtmRepair *repair, GCancellable *cancellable, GError **error)
{
  if (!sync_store (repair->scratch, error))
    return FALSE;
  for (guint i = 0; i < repair->fetched->len; i++)
    if (!replace_record (repair, repair->fetched->pdata[i], cancellable, error))
      return atm_prefix_error (error, "Replacing the record of a layer");
  for (guint i = 0; i < repair->damages->len; i++)
    if (!((AtmDamage *) repair->damages->pdata[i])->repaired
        && !replace_object (repair, repair->damages->pdata[i], error))
      return FALSE;
  return sync_store (repair->store, error);
}
