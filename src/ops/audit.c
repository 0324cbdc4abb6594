/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/audit.h"

#include "ops/judge.h"
#include "ops/repository.h"
#include "util/error.h"

void
atm_audit_row_free (AtmAuditRow *row)
{
  if (row == NULL)
    return;
  g_free (row->container);
  g_free (row->deployment);
  g_free (row->image);
  g_free (row->digest);
  g_free (row->scope);
  g_free (row->kind);
  g_free (row->reason);
  g_free (row);
}

typedef struct
{
  const AtmSystem *system;   /* (borrowed) */
  GCancellable *cancellable; /* (borrowed) (nullable) */
  AtmStore *store;           /* (owned) (nullable): NULL: there is none yet */
  AtmStoreLock lock;
  GPtrArray *images; /* (owned) (element-type AtmStoredImage) */
  GPtrArray *rows;   /* (owned) (element-type AtmAuditRow) */
  guint n_failed;
} Audit;

static void
audit_clear (Audit *audit)
{
  atm_store_lock_clear (&audit->lock);
  g_clear_pointer (&audit->store, atm_store_free);
  g_clear_pointer (&audit->images, g_ptr_array_unref);
  g_clear_pointer (&audit->rows, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Audit, audit_clear)

static void
add (Audit *audit, AtmAuditRow *row)
{
  audit->n_failed += row->status != ATM_AUDIT_ACCEPTED;
  g_ptr_array_add (audit->rows, row);
}

static void
note_trace (AtmAuditRow *row, const AtmTrace *trace)
{
  if (trace->image != NULL)
    row->scope = g_strdup (trace->image->scope != NULL ? trace->image->scope : "default");
  row->kind = g_strdup (atm_trace_get_kind (trace));
}

/* FALSE only if somebody wants to end it. */
static gboolean
judge (Audit *audit, const AtmStoredImage *image, AtmAuditRow *row, GError **error)
{
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (GError) local = NULL;

  row->status = ATM_AUDIT_UNKNOWN;
  if (image->problem == NULL)
    row->digest = atm_digest_to_string (&image->digest);
  if (atm_judge_check_judgeable (image, &local)
      && atm_judge_stored (audit->system, image, trace, &verdict, audit->cancellable, &local))
    row->status = ATM_AUDIT_ACCEPTED;
  else if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  else
    {
      row->status = trace->refusal != NULL ? ATM_AUDIT_REFUSED : ATM_AUDIT_UNKNOWN;
      row->reason = g_strdup (local->message);
    }
  note_trace (row, trace);
  return TRUE;
}

/* What a deployment was made of: still under a name, or only as a commit. */
static gboolean
judge_commit (Audit *audit, const AtmInfo *info, AtmAuditRow *row, GError **error)
{
  g_autoptr (AtmStoredImage) old = NULL;
  g_autoptr (GError) local = NULL;

  for (guint i = 0; i < audit->images->len; i++)
    {
      const AtmStoredImage *image = audit->images->pdata[i];

      if (g_strcmp0 (image->commit, info->commit) == 0
          && g_strcmp0 (image->reference, info->image) == 0)
        return judge (audit, image, row, error);
    }
  if (audit->store != NULL && info->commit != NULL
      && atm_store_load_image_commit (audit->store, info->commit, info->image, &old,
                                      audit->cancellable, &local))
    return judge (audit, old, row, error);
  row->status = ATM_AUDIT_UNKNOWN;
  row->reason = g_strdup_printf ("what it was made of cannot be judged: %s; pull the image and "
                                 "install the container again",
                                 local != NULL ? local->message : "it is not in the store");
  return TRUE;
}

static gboolean
add_container (Audit *audit, const AtmInstalled *installed, GError **error)
{
  g_autoptr (AtmAuditRow) row = g_new0 (AtmAuditRow, 1);

  row->container = g_strdup (installed->container);
  row->deployment = g_strdup (installed->folder);
  row->current = installed->current;
  if (installed->info == NULL)
    {
      row->status = ATM_AUDIT_UNKNOWN;
      row->reason = g_strdup_printf ("its record is damaged: %s", installed->problem);
    }
  else
    {
      row->image = g_strdup (installed->info->image);
      if (!judge_commit (audit, installed->info, row, error))
        return FALSE;
    }
  add (audit, g_steal_pointer (&row));
  return TRUE;
}

static gboolean
add_image (Audit *audit, const AtmStoredImage *image, GError **error)
{
  g_autoptr (AtmAuditRow) row = g_new0 (AtmAuditRow, 1);

  row->image = g_strdup (image->reference);
  if (!judge (audit, image, row, error))
    return FALSE;
  add (audit, g_steal_pointer (&row));
  return TRUE;
}

/* A host without a store has no images, and containers that cannot be judged. */
static gboolean
open_store (Audit *audit, const AtmReport *report, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (!atm_repository_open (audit->system, &audit->store, audit->cancellable, &local))
    {
      if (g_error_matches (local, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND))
        {
          audit->images = g_ptr_array_new ();
          return TRUE;
        }
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return atm_repository_lock (audit->system, audit->store, FALSE, report, &audit->lock,
                              audit->cancellable, error)
         && atm_store_list_images (audit->store, &audit->images, audit->cancellable, error);
}

gboolean
atm_audit (const AtmSystem *system, const AtmReport *report, GPtrArray **rows_out,
           guint *n_failed_out, GCancellable *cancellable, GError **error)
{
  g_auto (Audit) audit = {
    .system = system,
    .cancellable = cancellable,
    .rows = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_audit_row_free),
  };
  g_autoptr (GPtrArray) installed = NULL;

  if (!open_store (&audit, report, error)
      || !atm_repository_list_installed (system, &installed, error))
    return FALSE;
  for (guint i = 0; i < installed->len; i++)
    if (!add_container (&audit, installed->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < audit.images->len; i++)
    if (!add_image (&audit, audit.images->pdata[i], error))
      return FALSE;
  *n_failed_out = audit.n_failed;
  *rows_out = g_steal_pointer (&audit.rows);
  return TRUE;
}
