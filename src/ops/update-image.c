/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/update-private.h"

#include <fcntl.h>

#include "container/values.h"
#include "ops/judge.h"
#include "util/error.h"
#include "util/fd.h"

/* Which image a container is to have, and whether it may. */

/* Containers that a package of the distribution brings (system-image.md 6). */
#define PREINSTALLED_DIR "/usr/lib/containers/atomic"

/* ---- the container as it is ---- */

void
atm_update_candidate_free (AtmUpdateCandidate *candidate)
{
  if (candidate == NULL)
    return;
  g_free (candidate->name);
  atm_container_free (candidate->container);
  atm_record_free (candidate->record);
  atm_stored_image_free (candidate->image);
  g_free (candidate->verdict);
  atm_deployment_free (candidate->deployment);
  atm_info_free (candidate->info);
  g_clear_pointer (&candidate->unit, g_bytes_unref);
  g_free (candidate);
}

static gboolean
throw_not_installed (const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (PREINSTALLED_DIR, name, NULL);

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                      "Cannot update a preinstalled container: %s belongs to a package", path);
  return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                    "System container '%s' is not installed", name);
}

gboolean
atm_update_check_name (const char *name, GError **error)
{
  return atm_container_check_name (name, NULL)
         || atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND,
                       "System container '%s' is not installed", name);
}

static gboolean
load_container (AtmUpdateCandidate *candidate, GError **error)
{
  const char *name = candidate->name;
  int checkout_fd = candidate->update->checkout_fd;
  g_autoptr (GError) local = NULL;

  if (!atm_container_load (checkout_fd, name, &candidate->container, &local))
    {
      if (g_error_matches (local, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_NOT_FOUND))
        return throw_not_installed (name, error);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!atm_container_get_current (checkout_fd, name, &candidate->number, error))
    return FALSE;
  if (candidate->container->info == NULL || candidate->number < 0)
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "Container %s is damaged (%s) and cannot be updated; uninstall it and "
                      "install it again",
                      name,
                      candidate->container->problem != NULL ? candidate->container->problem
                                                            : "it has no deployment");
  return TRUE;
}

gboolean
atm_update_load (const AtmUpdate *update, const char *name, AtmUpdateResult *result,
                 AtmUpdateCandidate **candidate_out, GError **error)
{
  g_autoptr (AtmUpdateCandidate) candidate = g_new0 (AtmUpdateCandidate, 1);
  const AtmInfo *info = NULL;

  candidate->update = update;
  candidate->result = result;
  candidate->name = g_strdup (name);
  if (!load_container (candidate, error))
    return FALSE;
  candidate->record = atm_record_read (update->checkout_fd, name);
  if (candidate->record->problem != NULL)
    atm_report (update->report, ATM_REPORT_NOTICE,
                "The record of container %s cannot be read (%s), going on without it", name,
                candidate->record->problem);

  info = candidate->container->info;
  result->image = g_strdup (update->rebase != NULL ? update->rebase->name->familiar : info->image);
  result->before = g_strdup (info->revision);
  result->after = g_strdup (info->revision);
  *candidate_out = g_steal_pointer (&candidate);
  return TRUE;
}

/* ---- the image ---- */

static gboolean
load_commit (const AtmUpdateCandidate *candidate, const AtmInfo *info, AtmStoredImage **image_out,
             GError **error)
{
  const AtmUpdate *update = candidate->update;

  if (info->commit != NULL)
    return atm_store_load_image_commit (update->store, info->commit, info->image, image_out,
                                        update->cancellable, error);
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                    "container %s does not say which image it was made of", candidate->name);
}

/* Where the image of the container comes from. */
static gboolean
find_origin (const AtmUpdateCandidate *candidate, AtmOrigin **origin_out, GError **error)
{
  const AtmUpdate *update = candidate->update;
  const AtmInfo *info = candidate->container->info;
  g_autoptr (AtmStoredImage) image = NULL;

  if (update->rebase != NULL)
    return atm_open_origin (update->options->rebase, origin_out, update->cancellable, error);
  if (!atm_pull_find_stored (update->store, info->image, &image, update->cancellable, error))
    return FALSE;
  if (image != NULL && image->canonical != NULL)
    return atm_origin_parse_stored (image->canonical, image->reference, origin_out, error);
  return atm_origin_parse (info->image, origin_out, error);
}

/* What is stored; NULL if it must be fetched. */
static gboolean
find_stored (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  const AtmInfo *info = candidate->container->info;
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_pull_find_stored (update->store, candidate->result->image, &image, update->cancellable,
                             error))
    return FALSE;
  if (update->rebase != NULL)
    {
      if (image != NULL && atm_pull_is_meant (image, update->rebase))
        candidate->image = g_steal_pointer (&image);
      return TRUE;
    }
  /* Its name was deleted: the newest version that is here is the one that is installed. */
  if (image == NULL && !load_commit (candidate, info, &image, &local))
    {
      if (!g_error_matches (local, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                        "Image %s of container %s is not in the store; use "
                        "`atomic containers update --pull %s`",
                        info->image, candidate->name, candidate->name);
    }
  candidate->image = g_steal_pointer (&image);
  return TRUE;
}

static gboolean
get_image (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  gboolean fetch = update->options->fetch || update->options->mode == ATM_UPDATE_STAGE;
  g_autoptr (AtmOrigin) origin = NULL;

  if (!fetch && !find_stored (candidate, error))
    return FALSE;
  return candidate->image != NULL
         || (find_origin (candidate, &origin, error)
             && atm_pull (update->system, origin, &update->options->pull, update->report,
                          &candidate->image, update->cancellable, error));
}

/* ---- may it? ---- */

/* The verdict on what is installed, for the rollback guard; NULL if the store has it no more. */
static gboolean
load_installed (const AtmUpdateCandidate *candidate, AtmStoredImage **image_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (load_commit (candidate, candidate->container->info, image_out, &local)
      || g_error_matches (local, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
judge (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  g_autoptr (AtmStoredImage) installed = NULL;
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  gboolean allowed = FALSE;

  if (!atm_judge_check_judgeable (candidate->image, error)
      || !load_installed (candidate, &installed, error))
    return FALSE;
  allowed = atm_judge_stored (update->system, candidate->image, trace, &verdict,
                              update->cancellable, error)
            && (update->options->pull.allow_downgrade
                || atm_judge_check_downgrade (verdict, installed, trace, error));
  atm_judge_record (trace);
  if (!allowed)
    return FALSE;
  candidate->verdict = atm_verdict_to_json (verdict);
  return TRUE;
}

/* A version that was refused is an error for who asked for it by name, and a state for all others:
   a timer must not fail each night. */
static gboolean
check_refused (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  const char *id = candidate->result->latest;
  const AtmRecordRefusal *refusal = atm_record_find_refusal (candidate->record, id);

  if (refusal == NULL || update->options->force || g_strcmp0 (id, candidate->result->before) == 0)
    return TRUE;
  candidate->result->state = ATM_UPDATE_STATE_REFUSED;
  candidate->wanted = FALSE;
  if (update->options->names != NULL)
    return atm_throw (error, ATM_UPDATE_ERROR, ATM_UPDATE_ERROR_REFUSED,
                      "Container %s is not updated to %.12s, which did not work here before (%s); "
                      "--force tries it again",
                      candidate->name, id, refusal->reason);
  atm_report (update->report, ATM_REPORT_NOTICE,
              "Container %s is not updated to %.12s, which did not work here before (%s)",
              candidate->name, id, refusal->reason);
  return TRUE;
}

static void
set_latest (AtmUpdateCandidate *candidate, const char *id)
{
  const char *forced = candidate->update->system->force_image_id;

  g_free (candidate->result->latest);
  candidate->result->latest = g_strdup (forced != NULL ? forced : id);
}

static gboolean
is_new (const AtmUpdateCandidate *candidate)
{
  const AtmUpdate *update = candidate->update;
  const AtmInfo *info = candidate->container->info;

  return g_strcmp0 (candidate->result->latest, info->revision) != 0
         || !g_str_equal (candidate->result->image, info->image)
         || atm_values_would_change (update->set, info->values);
}

gboolean
atm_update_choose_image (AtmUpdateCandidate *candidate, GError **error)
{
  if (!get_image (candidate, error))
    return FALSE;
  set_latest (candidate, candidate->image->digest.hex);
  candidate->wanted = is_new (candidate);
  if (!candidate->wanted)
    {
      candidate->result->state = ATM_UPDATE_STATE_CURRENT;
      return TRUE;
    }
  return check_refused (candidate, error) && (!candidate->wanted || judge (candidate, error));
}

gboolean
atm_update_look (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (AtmVerdict) verdict = NULL;

  if (!find_origin (candidate, &origin, error)
      || !atm_pull_judge (update->system, origin, &update->options->pull, update->report, trace,
                          &verdict, update->cancellable, error))
    return FALSE;
  set_latest (candidate, atm_verdict_get_digest (verdict)->hex);
  if (!is_new (candidate))
    candidate->result->state = ATM_UPDATE_STATE_CURRENT;
  else if (!update->options->force
           && atm_record_find_refusal (candidate->record, candidate->result->latest) != NULL
           && g_strcmp0 (candidate->result->latest, candidate->result->before) != 0)
    candidate->result->state = ATM_UPDATE_STATE_REFUSED;
  else
    candidate->result->state = ATM_UPDATE_STATE_AVAILABLE;
  return TRUE;
}

/* ---- what waits ---- */

static gboolean
read_staged (AtmUpdateCandidate *candidate, GError **error)
{
  g_autofree char *unit_name = g_strconcat (candidate->name, ".service", NULL);
  g_autoptr (GBytes) bytes = NULL;
  int fd = atm_deployment_get_fd (candidate->deployment);

  return atm_read_file_at (fd, "info", FALSE, ATM_INFO_MAX_BYTES, &bytes, error)
         && atm_info_parse (bytes, &candidate->info, error)
         && atm_read_file_at (fd, unit_name, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &candidate->unit,
                              error);
}

gboolean
atm_update_choose_staged (AtmUpdateCandidate *candidate, GError **error)
{
  const AtmUpdate *update = candidate->update;
  g_autoptr (GError) local = NULL;

  if (!atm_deployment_open_staged (update->checkout_fd, candidate->name,
                                   (guint) (1 - candidate->number), &candidate->deployment, &local))
    {
      if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      candidate->result->state = ATM_UPDATE_STATE_CURRENT;
      return update->options->names == NULL
             || atm_throw (error, ATM_UPDATE_ERROR, ATM_UPDATE_ERROR_NOT_STAGED,
                           "Nothing is staged for container %s; use `atomic containers update "
                           "--stage %s`",
                           candidate->name, candidate->name);
    }
  if (!read_staged (candidate, error)
      || !load_commit (candidate, candidate->info, &candidate->image, error))
    return atm_prefix_error (
        error, "What is staged for container %s cannot be used; stage it again", candidate->name);
  set_latest (candidate, candidate->info->revision);
  g_free (candidate->result->image);
  candidate->result->image = g_strdup (candidate->info->image);
  candidate->wanted = TRUE;
  return check_refused (candidate, error) && (!candidate->wanted || judge (candidate, error));
}
