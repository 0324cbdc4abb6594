/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/update.h"

#include <fcntl.h>

#include "container/hostfiles.h"
#include "container/order.h"
#include "container/values.h"
#include "ops/claim.h"
#include "ops/update-private.h"
#include "util/error.h"
#include "util/fd.h"

G_DEFINE_QUARK (atm_update_error, atm_update_error)

void
atm_update_result_free (AtmUpdateResult *result)
{
  if (result == NULL)
    return;
  g_free (result->name);
  g_free (result->image);
  g_free (result->before);
  g_free (result->after);
  g_free (result->latest);
  g_strfreev (result->widened);
  g_free (result->problem);
  g_free (result);
}

static void
update_clear (AtmUpdate *update)
{
  atm_fd_clear (&update->checkout_fd);
  atm_fd_clear (&update->host_fd);
  atm_store_free (update->store);
  g_clear_pointer (&update->set, g_hash_table_unref);
  atm_origin_free (update->rebase);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmUpdate, update_clear)

static AtmUpdateResult *
add_result (GPtrArray *results, const char *name)
{
  AtmUpdateResult *result = g_new0 (AtmUpdateResult, 1);

  result->name = g_strdup (name);
  g_ptr_array_add (results, result);
  return result;
}

/* ---- a set ---- */

/* Containers that are updated together. */
typedef struct
{
  const AtmUpdate *update; /* (borrowed) */
  AtmClaim claim;          /* (owned) */
  GPtrArray *candidates;   /* (owned) (element-type AtmUpdateCandidate) */
} Set;

static void
set_clear (Set *set)
{
  g_clear_pointer (&set->candidates, g_ptr_array_unref);
  atm_claim_clear (&set->claim);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Set, set_clear)

static void
fail (AtmUpdateResult *result)
{
  if (result->state != ATM_UPDATE_STATE_REFUSED)
    result->state = ATM_UPDATE_STATE_FAILED;
}

static gboolean
load_set (Set *set, const char *const *names, GPtrArray *results, GError **error)
{
  const AtmUpdate *update = set->update;

  for (guint i = 0; names[i] != NULL; i++)
    if (!atm_update_check_name (names[i], error))
      return FALSE;
  if (!atm_claim_take (&set->claim, update->system, names, update->report, update->cancellable,
                       error))
    return FALSE;
  for (guint i = 0; names[i] != NULL; i++)
    {
      AtmUpdateCandidate *candidate = NULL;

      if (!atm_update_load (update, names[i], results->pdata[i], &candidate, error))
        return FALSE;
      g_ptr_array_add (set->candidates, candidate);
    }
  return TRUE;
}

static gboolean
choose (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  gboolean apply = update->options->mode == ATM_UPDATE_APPLY;

  if (apply ? !atm_update_choose_staged (candidate, error)
            : !atm_update_choose_image (candidate, error))
    {
      fail (candidate->result);
      return FALSE;
    }
  if (candidate->wanted)
    candidate->result->state = ATM_UPDATE_STATE_AVAILABLE;
  else if (candidate->result->state == ATM_UPDATE_STATE_CURRENT && !apply)
    atm_report (update->report, ATM_REPORT_STEP, "Latest version already installed.");
  return TRUE;
}

/* Each new deployment counts while the next one is planned. */
static gboolean
build_wanted (Set *set, GError **error)
{
  const AtmUpdate *update = set->update;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (GHashTable) others = NULL;

  for (guint i = 0; i < set->candidates->len; i++)
    {
      AtmUpdateCandidate *candidate = set->candidates->pdata[i];

      if (candidate->wanted)
        g_ptr_array_add (names, candidate->name);
    }
  if (names->len == 0)
    return TRUE;
  g_ptr_array_add (names, NULL);
  if (!atm_hostfiles_find_others (update->checkout_fd, update->host_fd,
                                  (const char *const *) names->pdata, &others, error))
    return FALSE;
  for (guint i = 0; i < set->candidates->len; i++)
    {
      AtmUpdateCandidate *candidate = set->candidates->pdata[i];

      if (candidate->wanted && !atm_update_build (candidate, others, error))
        {
          fail (candidate->result);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
prepare_set (Set *set, const char *const *names, GPtrArray *results, GError **error)
{
  if (!load_set (set, names, results, error))
    return FALSE;
  for (guint i = 0; i < set->candidates->len; i++)
    if (!choose (set->candidates->pdata[i], error))
      return FALSE;
  return build_wanted (set, error);
}

/* Those for which there is something to do, in the order in which their services start. */
static GPtrArray *
sort_wanted (const Set *set)
{
  g_autoptr (GPtrArray) wanted = g_ptr_array_new (), names = g_ptr_array_new ();
  g_autoptr (GPtrArray) units = g_ptr_array_new (), sorted = g_ptr_array_new ();
  g_autofree guint *order = NULL;

  for (guint i = 0; i < set->candidates->len; i++)
    {
      AtmUpdateCandidate *candidate = set->candidates->pdata[i];

      if (!candidate->wanted)
        continue;
      g_ptr_array_add (wanted, candidate);
      g_ptr_array_add (names, candidate->name);
      g_ptr_array_add (units, candidate->unit);
    }
  g_ptr_array_add (names, NULL);
  order = atm_order_containers ((const char *const *) names->pdata, (GBytes *const *) units->pdata);
  for (guint i = 0; i < wanted->len; i++)
    g_ptr_array_add (sorted, wanted->pdata[order[i]]);
  return g_steal_pointer (&sorted);
}

static gboolean
stage (GPtrArray *wanted, GError **error)
{
  for (guint i = 0; i < wanted->len; i++)
    {
      AtmUpdateCandidate *candidate = wanted->pdata[i];

      if (!atm_deployment_stage (candidate->deployment, error))
        return FALSE;
      candidate->result->state = ATM_UPDATE_STATE_STAGED;
      atm_report (candidate->update->report, ATM_REPORT_STEP,
                  "Staged %s for container %s; `atomic containers update --apply %s` switches to "
                  "it",
                  candidate->result->image, candidate->name, candidate->name);
    }
  return TRUE;
}

/* What waits was made for the deployment that is no longer current. */
static void
drop_staged (const AtmUpdateCandidate *candidate)
{
  const AtmUpdate *update = candidate->update;
  g_autoptr (GError) error = NULL;

  for (guint number = 0; number <= 1; number++)
    {
      g_clear_error (&error);
      if (!atm_deployment_drop_staged (update->checkout_fd, candidate->name, number, &error))
        atm_report (update->report, ATM_REPORT_NOTICE, "%s, going on without it", error->message);
    }
}

static void
finish (const AtmUpdateCandidate *candidate)
{
  AtmUpdateResult *result = candidate->result;

  drop_staged (candidate);
  result->state = ATM_UPDATE_STATE_UPDATED;
  g_free (result->after);
  result->after = g_strdup (candidate->info->revision);
}

static gboolean
switch_set (const Set *set, GPtrArray *wanted, GError **error)
{
  const AtmUpdate *update = set->update;
  const AtmSwitchOptions options = { .health_window_sec = update->options->health_window_sec };
  g_autoptr (AtmPlan) plan = atm_plan_new ("update");
  g_autoptr (GPtrArray) deployments = g_ptr_array_new ();
  g_autoptr (GError) local = NULL;

  for (guint i = 0; i < wanted->len; i++)
    {
      AtmUpdateCandidate *candidate = wanted->pdata[i];

      atm_plan_add (plan, candidate->name, candidate->number, 1 - candidate->number);
      g_ptr_array_add (deployments, candidate->deployment);
    }
  if (!atm_switch (update->system, plan, deployments, &options, update->report, update->cancellable,
                   &local))
    {
      for (guint i = 0; i < wanted->len; i++)
        {
          AtmUpdateResult *result = ((AtmUpdateCandidate *) wanted->pdata[i])->result;

          result->state = ATM_UPDATE_STATE_FAILED;
          result->switched_back
              = g_error_matches (local, ATM_SWITCH_ERROR, ATM_SWITCH_ERROR_REVERTED);
        }
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  for (guint i = 0; i < wanted->len; i++)
    finish (wanted->pdata[i]);
  return TRUE;
}

static gboolean
update_set (const AtmUpdate *update, const char *const *names, GPtrArray *results, GError **error)
{
  g_auto (Set) set = { .update = update };
  g_autoptr (GPtrArray) wanted = NULL;

  set.candidates = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_update_candidate_free);
  if (!prepare_set (&set, names, results, error))
    return FALSE;
  wanted = sort_wanted (&set);
  if (wanted->len == 0)
    return TRUE;
  return update->options->mode == ATM_UPDATE_STAGE ? stage (wanted, error)
                                                   : switch_set (&set, wanted, error);
}

/* ---- --check ---- */

/* Nothing is changed, so nothing is locked. */
static gboolean
look (const AtmUpdate *update, const char *name, AtmUpdateResult *result, GError **error)
{
  g_autoptr (AtmUpdateCandidate) candidate = NULL;

  if (!atm_update_load (update, name, result, &candidate, error)
      || !atm_update_look (candidate, error))
    return FALSE;
  if (result->state == ATM_UPDATE_STATE_CURRENT)
    atm_report (update->report, ATM_REPORT_STEP, "%s: %s has nothing new", name, result->image);
  else if (result->state == ATM_UPDATE_STATE_REFUSED)
    atm_report (update->report, ATM_REPORT_STEP,
                "%s: %s has a new version, %.12s, which did not work here before", name,
                result->image, result->latest);
  else
    atm_report (update->report, ATM_REPORT_STEP, "%s: %s has a new version, %.12s", name,
                result->image, result->latest);
  return TRUE;
}

/* ---- one, some, all ---- */

static gboolean
open_update (AtmUpdate *update, GError **error)
{
  const AtmSystem *system = update->system;
  const AtmUpdateOptions *options = update->options;

  update->host_fd = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (update->host_fd < 0)
    return atm_throw_errno (error, "Opening the folder /");
  return atm_values_parse_set (options->set, &update->set, error)
         && (options->rebase == NULL
             || atm_open_origin (options->rebase, &update->rebase, update->cancellable, error))
         && atm_make_dirs (system->checkout, 0700, &update->checkout_fd, error)
         && atm_pull_open_store (system, &update->store, update->cancellable, error);
}

static gboolean
update_one (const AtmUpdate *update, AtmUpdateResult *result, GError **error)
{
  const char *const names[] = { result->name, NULL };
  g_autoptr (GPtrArray) results = g_ptr_array_new ();

  if (update->options->mode == ATM_UPDATE_CHECK)
    return look (update, result->name, result, error);
  g_ptr_array_add (results, result);
  return update_set (update, names, results, error);
}

/* A failure of one is told with it, and spoils nothing for the others. */
static gboolean
update_each (const AtmUpdate *update, GPtrArray *results, GError **error)
{
  guint failed = 0;

  for (guint i = 0; i < results->len; i++)
    {
      AtmUpdateResult *result = results->pdata[i];
      g_autoptr (GError) local = NULL;

      if (update->options->names == NULL)
        atm_report (update->report, ATM_REPORT_STEP, "Checking container %s...", result->name);
      if (update_one (update, result, &local))
        continue;
      result->problem = g_strdup (local->message);
      if (results->len == 1 || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      atm_report (update->report, ATM_REPORT_NOTICE, "%s", local->message);
      failed++;
    }
  return failed == 0
         || atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                       "%u of %u containers could not be %s, as told above", failed, results->len,
                       update->options->mode == ATM_UPDATE_CHECK ? "looked at" : "updated");
}

/* What waits for another one comes after it. */
static void
add_in_order (const AtmUpdate *update, GPtrArray *names, GPtrArray *results)
{
  g_autoptr (GPtrArray) units = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autofree guint *order = NULL;

  for (guint i = 0; i < names->len; i++)
    {
      const char *name = names->pdata[i];
      g_autofree char *path = g_strdup_printf ("%s/%s.service", name, name);
      GBytes *unit = NULL;

      /* One without a service has no order. */
      if (!atm_read_file_at (update->checkout_fd, path, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &unit,
                             NULL))
        unit = g_bytes_new_static ("", 0);
      g_ptr_array_add (units, unit);
    }
  g_ptr_array_add (names, NULL);
  order = atm_order_containers ((const char *const *) names->pdata, (GBytes *const *) units->pdata);
  for (guint i = 0; i < units->len; i++)
    add_result (results, names->pdata[order[i]]);
}

static gboolean
list_containers (const AtmUpdate *update, GPtrArray *results, GError **error)
{
  g_autoptr (GPtrArray) containers = NULL, names = g_ptr_array_new ();

  if (!atm_container_list (update->checkout_fd, &containers, error))
    return FALSE;
  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];
      g_autoptr (AtmRecord) record = atm_record_read (update->checkout_fd, container->name);

      if (!update->options->automatic || record->auto_update)
        g_ptr_array_add (names, container->name);
    }
  add_in_order (update, names, results);
  return TRUE;
}

static gboolean
update_named (const AtmUpdate *update, GPtrArray *results, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (GError) local = NULL;

  for (char **name = update->options->names; *name != NULL; name++)
    if (!g_ptr_array_find_with_equal_func (names, *name, g_str_equal, NULL))
      {
        g_ptr_array_add (names, *name);
        add_result (results, *name);
      }
  g_ptr_array_add (names, NULL);
  if (update->options->mode == ATM_UPDATE_CHECK)
    return update_each (update, results, error);
  if (update_set (update, (const char *const *) names->pdata, results, &local))
    return TRUE;
  for (guint i = 0; i < results->len; i++)
    {
      AtmUpdateResult *result = results->pdata[i];

      if (result->state == ATM_UPDATE_STATE_FAILED || result->state == ATM_UPDATE_STATE_REFUSED)
        result->problem = g_strdup (local->message);
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
atm_update (const AtmSystem *system, const AtmUpdateOptions *options, const AtmReport *report,
            GPtrArray **results_out, GCancellable *cancellable, GError **error)
{
  g_auto (AtmUpdate) update = {
    .system = system,
    .options = options,
    .report = report,
    .cancellable = cancellable,
    .checkout_fd = -1,
    .host_fd = -1,
  };

  *results_out = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_update_result_free);
  if (!open_update (&update, error))
    return FALSE;
  if (options->names != NULL)
    return update_named (&update, *results_out, error);
  return list_containers (&update, *results_out, error)
         && update_each (&update, *results_out, error);
}
