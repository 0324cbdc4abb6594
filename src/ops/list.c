/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/list.h"

#include <errno.h>
#include <fcntl.h>

#include "container/deployment.h"
#include "container/record.h"
#include "host/systemd.h"
#include "ops/preinstalled.h"
#include "util/error.h"
#include "util/fd.h"

void
atm_container_row_free (AtmContainerRow *row)
{
  if (row == NULL)
    return;
  g_free (row->name);
  g_free (row->image_id);
  g_free (row->image_name);
  g_free (row->command);
  g_free (row->state);
  g_free (row->runtime);
  g_free (row->active_state);
  g_free (row->deployment);
  g_strfreev (row->accepted_by);
  g_free (row);
}

/* One question to systemd for all containers; without an answer none is running. */
static GHashTable *
ask_states (const AtmSystem *system, GPtrArray *containers, const AtmReport *report)
{
  g_autoptr (GPtrArray) units = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autoptr (GError) error = NULL;
  GHashTable *states = NULL;

  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];

      g_ptr_array_add (units, g_strconcat (container->name, ".service", NULL));
    }
  if (units->len == 0)
    return g_hash_table_new (g_str_hash, g_str_equal);
  g_ptr_array_add (units, NULL);
  if (atm_systemd_connect (&systemd, &error)
      && atm_systemd_list_states (systemd, (const char *const *) units->pdata, system->unit_dir,
                                  &states, &error))
    return states;
  atm_report (report, ATM_REPORT_NOTICE, "%s; states are not known", error->message);
  return g_hash_table_new (g_str_hash, g_str_equal);
}

const char *
atm_list_state_of (gboolean has_service, const char *active_state)
{
  if (!has_service || g_strcmp0 (active_state, "not-found") == 0)
    return "no service";
  if (active_state == NULL || g_str_equal (active_state, "inactive"))
    return "inactive";
  return g_str_equal (active_state, "failed") ? "failed" : "running";
}

static char *
dup_or_empty (const char *text)
{
  return g_strdup (text != NULL ? text : "");
}

static AtmContainerRow *
make_row (const AtmSystem *system, const AtmContainer *container, GHashTable *states)
{
  const AtmInfo *info = container->info;
  g_autofree char *unit = g_strconcat (container->name, ".service", NULL);
  const char *active = g_hash_table_lookup (states, unit);
  AtmContainerRow *row = g_new0 (AtmContainerRow, 1);

  row->name = g_strdup (container->name);
  row->image_id = dup_or_empty (info != NULL ? info->revision : NULL);
  row->image_name = dup_or_empty (info != NULL ? info->image : NULL);
  row->command = dup_or_empty (container->command);
  row->created_unix = info != NULL ? info->created_unix : 0;
  row->active_state = dup_or_empty (active);
  row->state = g_strdup (atm_list_state_of (info == NULL || info->has_service, active));
  row->deployment = dup_or_empty (container->deployment);
  row->accepted_by = g_strdupv (info != NULL ? info->accepted_by : NULL);
  row->runtime = g_strdup (info != NULL && info->runtime != NULL ? info->runtime : system->runtime);
  return row;
}

gboolean
atm_list_containers (const AtmSystem *system, const AtmReport *report, GPtrArray **rows_out,
                     GError **error)
{
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GPtrArray) containers = NULL;
  g_autoptr (GHashTable) states = NULL;
  g_autoptr (GPtrArray) rows
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_container_row_free);

  if (checkout_fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!atm_container_list_summaries (checkout_fd, &containers, error)
      || !atm_preinstalled_add (system, containers, error))
    return FALSE;
  states = ask_states (system, containers, report);
  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];

      if (container->problem != NULL)
        atm_report (report, ATM_REPORT_NOTICE,
                    "container %s is damaged: %s; `atomic uninstall %s` removes it",
                    container->name, container->problem, container->name);
      g_ptr_array_add (rows, make_row (system, container, states));
    }
  *rows_out = g_steal_pointer (&rows);
  return TRUE;
}

void
atm_list_add_records (const AtmSystem *system, GPtrArray *rows, const AtmReport *report)
{
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  for (guint i = 0; checkout_fd >= 0 && i < rows->len; i++)
    {
      AtmContainerRow *row = rows->pdata[i];
      g_autoptr (AtmRecord) record = atm_record_read (checkout_fd, row->name);

      if (record->problem != NULL)
        atm_report (report, ATM_REPORT_NOTICE, "%s", record->problem);
      row->auto_update = record->auto_update;
    }
}
