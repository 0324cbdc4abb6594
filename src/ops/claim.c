/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "container/deployment.h"
#include "container/plan.h"
#include "ops/lock.h"
#include "ops/recover.h"
#include "ops/switch.h"
#include "util/error.h"
#include "util/fd.h"

/* How often the journal may grow while we wait for the locks of what stands in it. */
#define TRIES_MAX 100

static void
clear_lock (gpointer data)
{
  atm_lock_clear (data);
}

static void
claim_init (AtmClaim *claim)
{
  claim->names = g_ptr_array_new_with_free_func (g_free);
  claim->locks = g_array_new (FALSE, FALSE, sizeof (AtmLock));
  g_array_set_clear_func (claim->locks, clear_lock);
}

void
atm_claim_clear (AtmClaim *claim)
{
  g_clear_pointer (&claim->names, g_ptr_array_unref);
  g_clear_pointer (&claim->locks, g_array_unref);
}

gboolean
atm_claim_has (const AtmClaim *claim, const char *name)
{
  for (guint i = 0; claim->names != NULL && i < claim->names->len; i++)
    if (g_str_equal (claim->names->pdata[i], name))
      return TRUE;
  return FALSE;
}

/* ---- locks ---- */

static gboolean
take_one (AtmClaim *claim, const AtmSystem *system, const char *name, AtmLockMode mode,
          const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strdup_printf ("%s/lock.%s", system->run_dir, name);
  AtmLock lock = ATM_LOCK_INIT;

  if (!atm_lock_take (&lock, path, name, mode, report, cancellable, error))
    return FALSE;
  g_ptr_array_add (claim->names, g_strdup (name));
  g_array_append_val (claim->locks, lock);
  return TRUE;
}

/* The one order that all commands have in common: nobody waits for somebody who waits for him. */
static gboolean
take_all (AtmClaim *claim, const AtmSystem *system, GHashTable *names, AtmLockMode mode,
          const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autoptr (GList) sorted = g_list_sort (g_hash_table_get_keys (names), (GCompareFunc) g_strcmp0);

  if (!atm_make_dirs (system->run_dir, 0700, NULL, error))
    return FALSE;
  for (GList *l = sorted; l != NULL; l = l->next)
    if (!take_one (claim, system, l->data, mode, report, cancellable, error))
      return FALSE;
  return TRUE;
}

gboolean
atm_claim_try (AtmClaim *claim, const AtmSystem *system, const char *const *names,
               gboolean *taken_out, GError **error)
{
  const AtmReport silent = { 0 };
  g_autoptr (GHashTable) wanted = g_hash_table_new (g_str_hash, g_str_equal);
  g_auto (AtmClaim) taken = { 0 };
  g_autoptr (GError) local = NULL;

  for (const char *const *name = names; *name != NULL; name++)
    g_hash_table_add (wanted, (gpointer) *name);
  claim_init (&taken);
  *taken_out = take_all (&taken, system, wanted, ATM_LOCK_NO_WAIT, &silent, NULL, &local);
  if (*taken_out)
    {
      *claim = taken;
      taken = (AtmClaim){ 0 };
      return TRUE;
    }
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_BUSY))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* ---- plans ---- */

static gboolean
list_plans (const AtmSystem *system, int *checkout_fd_out, GPtrArray **files_out, GError **error)
{
  *checkout_fd_out = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*checkout_fd_out < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  return atm_plan_list (*checkout_fd_out, files_out, error);
}

static gboolean
touches (const AtmPlanFile *file, GHashTable *names)
{
  if (file->plan == NULL)
    return g_hash_table_contains (names, file->file);
  for (guint i = 0; i < file->plan->changes->len; i++)
    if (g_hash_table_contains (names, ((AtmPlanChange *) file->plan->changes->pdata[i])->name))
      return TRUE;
  return FALSE;
}

/* Adds to @names what is to be recovered together with them; whether there was any. */
static gboolean
add_companions (GPtrArray *files, GHashTable *names)
{
  const guint before = g_hash_table_size (names);
  guint last = 0;

  do
    {
      last = g_hash_table_size (names);
      for (guint i = 0; i < files->len; i++)
        {
          const AtmPlanFile *file = files->pdata[i];

          if (file->plan == NULL || !touches (file, names))
            continue;
          for (guint j = 0; j < file->plan->changes->len; j++)
            g_hash_table_add (names,
                              g_strdup (((AtmPlanChange *) file->plan->changes->pdata[j])->name));
        }
    }
  while (g_hash_table_size (names) > last);
  return g_hash_table_size (names) > before;
}

static gboolean
throw_damaged (const AtmSystem *system, const AtmPlanFile *file, GError **error)
{
  return atm_throw (error, ATM_SWITCH_ERROR, ATM_SWITCH_ERROR_PENDING,
                    "%s: what an interrupted command left cannot be read: "
                    "%s/.storage/journal/%s: %s; look at the container, then remove that file",
                    file->file, system->checkout, file->file, file->problem);
}

static gboolean
recover_own (const AtmSystem *system, GPtrArray *files, GHashTable *names, const AtmReport *report,
             GError **error)
{
  for (guint i = 0; i < files->len; i++)
    {
      const AtmPlanFile *file = files->pdata[i];

      if (!touches (file, names))
        continue;
      if (file->plan == NULL)
        return throw_damaged (system, file, error);
      if (!atm_recover_plan (system, file->plan, FALSE, report, error))
        return FALSE;
    }
  return TRUE;
}

/* Files that are called as containers are. */
static const char *const folders[] = { ".storage/journal", ".storage/containers" };

/* -1 if there is no such folder. */
static gboolean
open_folder (int checkout_fd, const char *folder, int *fd_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  *fd_out = -1;
  if (atm_open_dir_at (checkout_fd, folder, fd_out, &local)
      || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* What is left of a container for which there is no plan. */
static gboolean
sweep (int checkout_fd, const char *name, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      atm_autofd int fd = -1;

      if (!open_folder (checkout_fd, folders[i], &fd, error)
          || (fd >= 0 && !atm_sweep_temporaries_at (fd, name, error)))
        return FALSE;
    }
  return atm_container_sweep (checkout_fd, name, error);
}

static gboolean
take_with_companions (AtmClaim *claim, const AtmSystem *system, GHashTable *names,
                      const AtmReport *report, GCancellable *cancellable, GError **error)
{
  const AtmLockMode mode = system->no_wait ? ATM_LOCK_NO_WAIT : ATM_LOCK_WAIT;

  for (guint i = 0; i < TRIES_MAX; i++)
    {
      g_autoptr (GPtrArray) before = NULL, after = NULL;
      atm_autofd int before_fd = -1, after_fd = -1;
      g_auto (AtmClaim) taken = { 0 };
      GHashTableIter iter;
      gpointer name = NULL;

      if (!list_plans (system, &before_fd, &before, error))
        return FALSE;
      (void) add_companions (before, names);
      claim_init (&taken);
      if (!take_all (&taken, system, names, mode, report, cancellable, error)
          || !list_plans (system, &after_fd, &after, error))
        return FALSE;
      /* Somebody may have been killed while we waited for him. */
      if (add_companions (after, names))
        continue;
      if (!recover_own (system, after, names, report, error))
        return FALSE;
      g_hash_table_iter_init (&iter, names);
      while (after_fd >= 0 && g_hash_table_iter_next (&iter, &name, NULL))
        if (!sweep (after_fd, name, error))
          return FALSE;
      *claim = taken;
      taken = (AtmClaim){ 0 };
      return TRUE;
    }
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_BUSY,
                    "Too many other commands are at work on the same containers");
}

gboolean
atm_claim_take (AtmClaim *claim, const AtmSystem *system, const char *const *names,
                const AtmReport *report, GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) wanted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GError) local = NULL;

  for (const char *const *name = names; *name != NULL; name++)
    g_hash_table_add (wanted, g_strdup (*name));
  if (!take_with_companions (claim, system, wanted, report, cancellable, error))
    return FALSE;
  /* What does not concern us may be damaged without holding us up. */
  if (!atm_claim_recover_others (claim, system, FALSE, report, &local))
    atm_report (report, ATM_REPORT_NOTICE, "%s", local->message);
  return TRUE;
}

/* ---- what was left under construction ---- */

static gboolean
list_left_overs (int checkout_fd, GHashTable *names, GError **error)
{
  g_autoptr (GHashTable) entries = NULL;
  GHashTableIter iter;
  gpointer name = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      atm_autofd int fd = -1;

      if (!open_folder (checkout_fd, folders[i], &fd, error)
          || (fd >= 0 && !atm_list_temporaries_at (fd, names, error)))
        return FALSE;
    }
  if (!atm_container_list_left_overs (checkout_fd, &entries, error))
    return FALSE;
  g_hash_table_iter_init (&iter, entries);
  while (g_hash_table_iter_next (&iter, NULL, &name))
    g_hash_table_add (names, g_strdup (name));
  return TRUE;
}

static gboolean
sweep_if_free (const AtmSystem *system, int checkout_fd, const char *name, GError **error)
{
  const char *names[] = { name, NULL };
  g_auto (AtmClaim) own = { 0 };
  gboolean taken = FALSE, pending = FALSE;

  return atm_claim_try (&own, system, names, &taken, error)
         && atm_plan_is_pending (checkout_fd, name, &pending, error)
         && (!taken || pending || sweep (checkout_fd, name, error));
}

/* Removes what was left under construction of containers that nobody is at work on and no plan is
   for. */
static gboolean
sweep_all (const AtmSystem *system, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  GHashTableIter iter;
  gpointer name = NULL;

  if (checkout_fd < 0)
    return errno == ENOENT || atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!list_left_overs (checkout_fd, names, error))
    return FALSE;
  g_hash_table_iter_init (&iter, names);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (atm_container_check_name (name, NULL) && !sweep_if_free (system, checkout_fd, name, error))
      return FALSE;
  return TRUE;
}

/* ---- the others ---- */

static gboolean
has_one_of (const AtmClaim *claim, const AtmPlan *plan)
{
  for (guint i = 0; i < plan->changes->len; i++)
    if (atm_claim_has (claim, ((AtmPlanChange *) plan->changes->pdata[i])->name))
      return TRUE;
  return FALSE;
}

/* Under the locks the plan is read once more: it may have been carried out meanwhile. */
static gboolean
recover_other (const AtmClaim *claim, const AtmSystem *system, const AtmPlan *plan,
               gboolean at_boot, const AtmReport *report, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (GPtrArray) files = NULL;
  atm_autofd int checkout_fd = -1;
  g_auto (AtmClaim) own = { 0 };
  gboolean taken = FALSE;

  if (has_one_of (claim, plan))
    return TRUE;
  for (guint i = 0; i < plan->changes->len; i++)
    g_ptr_array_add (names, ((AtmPlanChange *) plan->changes->pdata[i])->name);
  g_ptr_array_add (names, NULL);
  if (!atm_claim_try (&own, system, (const char *const *) names->pdata, &taken, error))
    return FALSE;
  if (!taken)
    return TRUE;
  if (!list_plans (system, &checkout_fd, &files, error))
    return FALSE;
  for (guint i = 0; i < files->len; i++)
    {
      const AtmPlanFile *file = files->pdata[i];

      if (file->plan != NULL && g_str_equal (file->plan->id, plan->id)
          && !atm_recover_plan (system, file->plan, at_boot, report, error))
        return FALSE;
    }
  return TRUE;
}

static void
keep_first (GError **first, GError *next, const AtmReport *report)
{
  if (*first == NULL)
    {
      *first = next;
      return;
    }
  atm_report (report, ATM_REPORT_NOTICE, "%s", next->message);
  g_error_free (next);
}

gboolean
atm_claim_recover_others (const AtmClaim *claim, const AtmSystem *system, gboolean at_boot,
                          const AtmReport *report, GError **error)
{
  g_autoptr (GPtrArray) files = NULL;
  atm_autofd int checkout_fd = -1;
  GError *first = NULL;

  if (!list_plans (system, &checkout_fd, &files, error))
    return FALSE;
  for (guint i = 0; i < files->len; i++)
    {
      const AtmPlanFile *file = files->pdata[i];
      GError *local = NULL;

      if (file->plan == NULL)
        (void) throw_damaged (system, file, &local);
      else
        (void) !recover_other (claim, system, file->plan, at_boot, report, &local);
      if (local != NULL)
        keep_first (&first, local, report);
    }
  if (first == NULL)
    return sweep_all (system, error);
  (void) !sweep_all (system, NULL);
  g_propagate_error (error, first);
  return FALSE;
}
