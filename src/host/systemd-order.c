/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/systemd.h"

#include <stdlib.h>

#include "host/systemd-private.h"
#include "util/error.h"

/* ---- what stops together, and how it is started again ---- */

/* A stop of a unit is a stop of all that these name (systemd.unit(5), "Mapping of unit properties
   to their inverses"). */
static const char *const followers[]
    = { "RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo" };

gboolean
atm_systemd_add_units (AtmSystemd *systemd, const char *unit, const char *property,
                       GPtrArray *strings, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autofree char *path = atm_systemd_dup_unit_path (unit);
  char **list = NULL; /* of malloc() */
  int result = sd_bus_get_property_strv (systemd->bus, ATM_SYSTEMD_DESTINATION, path,
                                         ATM_SYSTEMD_UNIT, property, &bus_error, &list);

  if (result < 0)
    return atm_systemd_throw (error, result, &bus_error, "Asking who depends on", unit);
  for (guint i = 0; list != NULL && list[i] != NULL; i++)
    {
      g_ptr_array_add (strings, g_strdup (list[i]));
      free (list[i]);
    }
  free (list);
  return TRUE;
}

static gboolean
get_boolean (AtmSystemd *systemd, const char *unit, const char *property, gboolean *value_out,
             GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autofree char *path = atm_systemd_dup_unit_path (unit);
  int value = FALSE;
  int result = sd_bus_get_property_trivial (systemd->bus, ATM_SYSTEMD_DESTINATION, path,
                                            ATM_SYSTEMD_UNIT, property, &bus_error, 'b', &value);

  if (result < 0)
    return atm_systemd_throw (error, result, &bus_error, "Asking for the state of", unit);
  *value_out = value;
  return TRUE;
}

static gboolean
runs (const AtmUnit *state)
{
  return g_str_equal (state->active_state, "active")
         || g_str_equal (state->active_state, "reloading")
         || g_str_equal (state->active_state, "activating");
}

/* Whether it runs, and whether it can be started again when it was stopped. */
static gboolean
look_at (AtmSystemd *systemd, const char *unit, gboolean *runs_out, gboolean *again_out,
         GError **error)
{
  g_auto (AtmUnit) state = { 0 };
  gboolean transient = FALSE, can_start = FALSE;

  if (!atm_systemd_get_unit (systemd, unit, &state, error)
      || !get_boolean (systemd, unit, "Transient", &transient, error)
      || !get_boolean (systemd, unit, "CanStart", &can_start, error))
    return FALSE;
  *runs_out = runs (&state);
  *again_out = can_start && !transient;
  return TRUE;
}

static gboolean
add_followers (AtmSystemd *systemd, const char *unit, GPtrArray *all, GHashTable *seen,
               GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < G_N_ELEMENTS (followers); i++)
    if (!atm_systemd_add_units (systemd, unit, followers[i], found, error))
      return FALSE;
  for (guint i = 0; i < found->len; i++)
    if (g_hash_table_add (seen, g_strdup (found->pdata[i])))
      g_ptr_array_add (all, g_strdup (found->pdata[i]));
  return TRUE;
}

static gboolean
contains (GPtrArray *units, const char *unit)
{
  return g_ptr_array_find_with_equal_func (units, unit, g_str_equal, NULL);
}

/* Whether one of @after is still in @left. */
static gboolean
must_wait (GPtrArray *after, GPtrArray *left)
{
  for (guint i = 0; i < after->len; i++)
    if (contains (left, after->pdata[i]))
      return TRUE;
  return FALSE;
}

/* By After=, otherwise as found. systemd breaks a cycle at a place of its own choice; for units in
   one, the first that is left is as good as any. */
static gboolean
sort (AtmSystemd *systemd, GPtrArray *units, GPtrArray **sorted_out, GError **error)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) orders
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_ptr_array_unref);

  for (guint i = 0; i < units->len; i++)
    {
      GPtrArray *after = g_ptr_array_new_with_free_func (g_free);

      g_hash_table_insert (orders, units->pdata[i], after);
      if (!atm_systemd_add_units (systemd, units->pdata[i], "After", after, error))
        return FALSE;
    }
  while (units->len > 0)
    {
      guint next = 0;

      for (guint i = 0; i < units->len; i++)
        if (!must_wait (g_hash_table_lookup (orders, units->pdata[i]), units))
          {
            next = i;
            break;
          }
      g_hash_table_remove (orders, units->pdata[next]);
      g_ptr_array_add (sorted, g_ptr_array_steal_index (units, next));
    }
  *sorted_out = g_steal_pointer (&sorted);
  return TRUE;
}

gboolean
atm_systemd_find_running (AtmSystemd *systemd, const char *const *units, GPtrArray **running_out,
                          GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) running = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint n_asked = 0;

  for (guint i = 0; units[i] != NULL; i++)
    if (g_hash_table_add (seen, g_strdup (units[i])))
      g_ptr_array_add (all, g_strdup (units[i]));
  n_asked = all->len;
  /* @all grows meanwhile. A follower that does not run has followers of its own, but there systemd
     stops: it drops the job of a unit that is inactive, and with it those that only it needs. */
  for (guint i = 0; i < all->len; i++)
    {
      const char *unit = all->pdata[i];
      gboolean is_running = FALSE, again = FALSE;

      if (!look_at (systemd, unit, &is_running, &again, error)
          || ((is_running || i < n_asked) && !add_followers (systemd, unit, all, seen, error)))
        return FALSE;
      if (is_running && again)
        g_ptr_array_add (running, g_strdup (unit));
    }
  return sort (systemd, running, running_out, error);
}
