/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/image-delete.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/plan.h"
#include "ops/claim.h"
#include "ops/pull.h"
#include "ops/repository.h"
#include "registry/partial.h"
#include "store/prune.h"
#include "store/repair.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

void
atm_image_pruned_clear (AtmImagePruned *pruned)
{
  g_clear_pointer (&pruned->refs, g_strfreev);
  g_clear_pointer (&pruned->deployments, g_strfreev);
}

/* ---- deployments without a container (system-image.md 8.4) ---- */

/* The container that “NAME.N” is a deployment of; %NULL for other names. */
static char *
dup_container (const char *entry)
{
  const gsize length = strlen (entry);
  g_autofree char *name = NULL;

  if (length < 3 || entry[length - 2] != '.'
      || (entry[length - 1] != '0' && entry[length - 1] != '1'))
    return NULL;
  name = g_strndup (entry, length - 2);
  return atm_container_check_name (name, NULL) ? g_steal_pointer (&name) : NULL;
}

/* Whether nobody is to find @entry: asked under the lock of the container, for an installation
   publishes the folder a moment before the link. A unit says that it runs from there after all. */
static gboolean
is_left_over (const AtmSystem *system, int checkout_fd, const char *entry, const char *name,
              const AtmReport *report)
{
  g_autofree char *unit = g_strconcat (system->unit_dir, "/", name, ".service", NULL);
  struct stat st;

  if (fstatat (checkout_fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return FALSE;
  if (entry[0] == '.')
    return TRUE;
  if (!S_ISDIR (st.st_mode) || fstatat (checkout_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return FALSE;
  if (lstat (unit, &st) < 0)
    return TRUE;
  atm_report (report, ATM_REPORT_NOTICE,
              "%s/%s stays: the link %s is missing, but the unit %s may run from it",
              system->checkout, entry, name, unit);
  return FALSE;
}

static gboolean
list_entries (int checkout_fd, GPtrArray *entries, GError **error)
{
  int fd = openat (checkout_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  struct dirent *entry;

  if (dir == NULL)
    {
      (void) atm_throw_errno (error, "Reading the folder of containers");
      atm_fd_clear (&fd);
      return FALSE;
    }
  while ((entry = readdir (dir)) != NULL)
    if (!g_str_equal (entry->d_name, ".") && !g_str_equal (entry->d_name, ".."))
      g_ptr_array_add (entries, g_strdup (entry->d_name));
  closedir (dir);
  return TRUE;
}

/* Entry to container: what may be left over. */
static gboolean
find_candidates (int checkout_fd, GHashTable **candidates_out, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) candidates = NULL;

  if (!atm_container_list_left_overs (checkout_fd, &candidates, error)
      || !list_entries (checkout_fd, entries, error))
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      const char *entry = entries->pdata[i];
      g_autofree char *name = entry[0] != '.' ? dup_container (entry) : NULL;
      struct stat st;

      if (name != NULL && fstatat (checkout_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        g_hash_table_insert (candidates, g_strdup (entry), g_steal_pointer (&name));
    }
  *candidates_out = g_steal_pointer (&candidates);
  return TRUE;
}

/* Somebody who is at work on the container needs what there is of it; so does who is to go on with
   an interrupted command. */
static gboolean
prune_candidate (const AtmSystem *system, int checkout_fd, const char *entry, const char *name,
                 gboolean dry_run, const AtmReport *report, GPtrArray *gone, GError **error)
{
  const char *names[] = { name, NULL };
  g_auto (AtmClaim) claim = { 0 };
  gboolean taken = FALSE, planned = FALSE;

  if (!atm_claim_try (&claim, system, names, &taken, error)
      || !atm_plan_is_pending (checkout_fd, name, &planned, error))
    return FALSE;
  if (!taken || planned || !is_left_over (system, checkout_fd, entry, name, report))
    return TRUE;
  if (!dry_run && !atm_remove_tree_at (checkout_fd, entry, error))
    return FALSE;
  g_ptr_array_add (gone, g_strdup (entry));
  return TRUE;
}

static gboolean
prune_deployments (const AtmSystem *system, gboolean dry_run, const AtmReport *report,
                   GPtrArray *gone, GError **error)
{
  g_autoptr (GHashTable) candidates = NULL;
  g_autoptr (GList) entries = NULL;
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (checkout_fd < 0)
    return errno == ENOENT || atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!find_candidates (checkout_fd, &candidates, error))
    return FALSE;
  entries = g_list_sort (g_hash_table_get_keys (candidates), (GCompareFunc) g_strcmp0);
  for (GList *l = entries; l != NULL; l = l->next)
    if (!prune_candidate (system, checkout_fd, l->data, g_hash_table_lookup (candidates, l->data),
                          dry_run, report, gone, error))
      return FALSE;
  return TRUE;
}

/* ---- layers and objects ---- */

/* Of every deployment, also of those that wait, are kept aside or are being built. */
static gboolean
list_kept_commits (const AtmSystem *system, GHashTable *keep, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (g_free);
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (checkout_fd < 0)
    return errno == ENOENT || atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!list_entries (checkout_fd, entries, error))
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (AtmInfo) info = NULL;
      atm_autofd int fd = -1;

      if (atm_open_dir_at (checkout_fd, entries->pdata[i], &fd, NULL)
          && atm_read_file_at (fd, "info", FALSE, ATM_INFO_MAX_BYTES, &bytes, NULL)
          && atm_info_parse (bytes, &info, NULL) && info->commit != NULL)
        g_hash_table_add (keep, g_strdup (info->commit));
    }
  return TRUE;
}

static gboolean
prune_store (const AtmSystem *system, AtmStore *store, gboolean dry_run, const AtmReport *report,
             AtmPruned *pruned, GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) keep = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_auto (AtmStoreLock) lock = { 0 };

  if (!atm_repository_lock (system, store, !dry_run, report, &lock, cancellable, error)
      || !list_kept_commits (system, keep, error) || (!dry_run && !atm_store_sweep (store, error)))
    return FALSE;
  return atm_store_prune (store, keep, dry_run, pruned, cancellable, error);
}

/* What pulls left that ended early. One that runs has locked its own, and one that begins keeps the
   folder. */
static gboolean
prune_partials (const AtmSystem *system, gboolean dry_run, const AtmReport *report,
                AtmImagePruned *pruned, GError **error)
{
  g_autofree char *path = atm_pull_dup_partials_path (system);
  g_autofree char *size = NULL;

  if (!atm_partials_prune (path, dry_run, &pruned->n_partials, &pruned->partials_bytes, error))
    return FALSE;
  size = atm_text_size (pruned->partials_bytes);
  if (pruned->n_partials > 0)
    atm_report (report, ATM_REPORT_STEP, "%s %u partly fetched layers, %s",
                dry_run ? "Would delete" : "Deleting", pruned->n_partials, size);
  return TRUE;
}

static char **
steal_texts (GPtrArray *texts)
{
  g_ptr_array_add (texts, NULL);
  g_ptr_array_set_free_func (texts, NULL);
  return (char **) g_ptr_array_free (texts, FALSE);
}

/* Deployments before objects: only then nobody needs what they had. The lock of a container is
   never taken inside that of the repository, for an installation takes them the other way round. */
gboolean
atm_image_prune (const AtmSystem *system, gboolean dry_run, const AtmReport *report,
                 AtmImagePruned *pruned_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) deployments = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (GError) local = NULL;
  g_auto (AtmPruned) pruned = { 0 };
  g_auto (AtmImagePruned) result = { 0 };
  g_auto (AtmClaim) none = { 0 };

  if (!dry_run && !atm_claim_recover_others (&none, system, FALSE, report, &local))
    {
      atm_report (report, ATM_REPORT_NOTICE, "%s", local->message);
      g_clear_error (&local);
    }
  if (!prune_deployments (system, dry_run, report, deployments, error))
    return FALSE;
  if (!atm_repository_open (system, &store, cancellable, &local))
    {
      if (!g_error_matches (local, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      pruned.refs = g_ptr_array_new_with_free_func (g_free);
    }
  else if (!prune_store (system, store, dry_run, report, &pruned, cancellable, error))
    return FALSE;
  if (!prune_partials (system, dry_run, report, &result, error))
    return FALSE;

  for (guint i = 0; i < deployments->len; i++)
    atm_report (report, ATM_REPORT_STEP, "%s %s/%s", dry_run ? "Would delete" : "Deleting",
                system->checkout, (const char *) deployments->pdata[i]);
  for (guint i = 0; i < pruned.refs->len; i++)
    atm_report (report, ATM_REPORT_STEP, "%s %s", dry_run ? "Would delete" : "Deleting",
                (const char *) pruned.refs->pdata[i]);
  result.n_objects = pruned.n_objects;
  result.freed_bytes = pruned.freed_bytes;
  result.refs = steal_texts (g_steal_pointer (&pruned.refs));
  result.deployments = steal_texts (g_steal_pointer (&deployments));
  *pruned_out = result;
  result = (AtmImagePruned){ 0 };
  return TRUE;
}
