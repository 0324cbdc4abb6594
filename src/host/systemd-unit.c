/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/systemd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/systemd-private.h"
#include "util/error.h"
#include "util/fd.h"

/* One row of ListUnitsByNames() or ListUnitsByPatterns(). */
static int
read_unit (BusMessage *reply, GHashTable *states)
{
  const char *name, *description, *load_state, *active_state, *sub_state, *following, *path,
      *job_type, *job_path;
  guint32 job_id = 0;
  int result
      = sd_bus_message_read (reply, "(ssssssouso)", &name, &description, &load_state, &active_state,
                             &sub_state, &following, &path, &job_id, &job_type, &job_path);

  if (result <= 0)
    return result;
  /* A unit whose file is gone may still run. */
  if (g_str_equal (load_state, "not-found") && g_str_equal (active_state, "inactive"))
    active_state = "not-found";
  g_hash_table_insert (states, g_strdup (name), g_strdup (active_state));
  return result;
}

/* Asks @method, whose arguments are lists of strings: @first, and @second unless it is NULL. */
static gboolean
list_units (AtmSystemd *systemd, const char *method, const char *const *first,
            const char *const *second, GHashTable *states, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (BusMessage) call = NULL, reply = NULL;
  int result = sd_bus_message_new_method_call (systemd->bus, &call, ATM_SYSTEMD_DESTINATION,
                                               ATM_SYSTEMD_PATH, ATM_SYSTEMD_MANAGER, method);

  if (result >= 0)
    result = sd_bus_message_append_strv (call, (char **) first);
  if (result >= 0 && second != NULL)
    result = sd_bus_message_append_strv (call, (char **) second);
  if (result >= 0)
    result = sd_bus_call (systemd->bus, call, 0, &bus_error, &reply);
  if (result >= 0)
    result = sd_bus_message_enter_container (reply, 'a', "(ssssssouso)");
  while (result > 0)
    result = read_unit (reply, states);
  return result >= 0
         || atm_systemd_throw (error, result, &bus_error, "Asking for the state of", "units");
}

gboolean
atm_systemd_list_states (AtmSystemd *systemd, const char *const *units, const char *unit_dir,
                         GHashTable **states_out, GError **error)
{
  const char *const any_state[] = { NULL }, *const services[] = { "*.service", NULL };
  g_autoptr (GHashTable) states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GPtrArray) unknown = g_ptr_array_new ();
  atm_autofd int dir_fd = open (unit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (!list_units (systemd, "ListUnitsByPatterns", any_state, services, states, error))
    return FALSE;
  /* What is not loaded does not run. To ask for it by name makes systemd load and forget it, which
     takes long for a thousand units; that there is a file is enough. */
  for (guint i = 0; units[i] != NULL; i++)
    if (g_hash_table_contains (states, units[i]))
      continue;
    else if (dir_fd >= 0 && faccessat (dir_fd, units[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      g_hash_table_insert (states, g_strdup (units[i]), g_strdup ("inactive"));
    else
      g_ptr_array_add (unknown, (gpointer) units[i]);
  if (unknown->len > 0)
    {
      g_ptr_array_add (unknown, NULL);
      if (!list_units (systemd, "ListUnitsByNames", (const char *const *) unknown->pdata, NULL,
                       states, error))
        return FALSE;
    }

  for (guint i = 0; units[i] != NULL; i++)
    if (!g_hash_table_contains (states, units[i]))
      g_hash_table_insert (states, g_strdup (units[i]), g_strdup ("not-found"));
  *states_out = g_steal_pointer (&states);
  return TRUE;
}

gboolean
atm_systemd_find_unit (AtmSystemd *systemd, const char *unit, char **path_out, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (BusMessage) reply = NULL;
  const char *object = NULL;
  char *path = NULL; /* of malloc() */
  int result = sd_bus_call_method (systemd->bus, ATM_SYSTEMD_DESTINATION, ATM_SYSTEMD_PATH,
                                   ATM_SYSTEMD_MANAGER, "LoadUnit", &bus_error, &reply, "s", unit);

  if (result >= 0)
    result = sd_bus_message_read (reply, "o", &object);
  if (result >= 0)
    result = sd_bus_get_property_string (systemd->bus, ATM_SYSTEMD_DESTINATION, object,
                                         ATM_SYSTEMD_UNIT, "FragmentPath", &bus_error, &path);
  if (result < 0)
    return atm_systemd_throw (error, result, &bus_error, "Looking for", unit);

  *path_out = *path != '\0' ? g_strdup (path) : NULL;
  free (path);
  return TRUE;
}

/* ---- one unit ---- */

char *
atm_systemd_dup_unit_path (const char *unit)
{
  char *path = NULL, *copy = NULL; /* @path is of malloc() */

  if (sd_bus_path_encode (ATM_SYSTEMD_PATH "/unit", unit, &path) < 0)
    g_error ("out of memory"); /* nothing else can fail here */
  copy = g_strdup (path);
  free (path);
  return copy;
}

void
atm_unit_clear (AtmUnit *unit)
{
  g_free (unit->load_state);
  g_free (unit->load_error);
  g_free (unit->active_state);
  g_free (unit->sub_state);
  g_free (unit->file_state);
  g_free (unit->path);
  g_free (unit->type);
  g_free (unit->result);
  *unit = (AtmUnit){ 0 };
}

/* What a question about one unit is made of. */
typedef struct
{
  AtmSystemd *systemd;   /* (borrowed) */
  const char *unit;      /* (borrowed) */
  const char *path;      /* (borrowed) */
  const char *interface; /* (borrowed) */
} Question;

static gboolean
get_string (const Question *question, const char *property, char **text_out, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  char *text = NULL; /* of malloc() */
  int result
      = sd_bus_get_property_string (question->systemd->bus, ATM_SYSTEMD_DESTINATION, question->path,
                                    question->interface, property, &bus_error, &text);

  if (result < 0)
    return atm_systemd_throw (error, result, &bus_error, "Asking for the state of", question->unit);
  *text_out = g_strdup (text);
  free (text);
  return TRUE;
}

/* @value_out is as large as @type is. */
static gboolean
get_value (const Question *question, const char *property, char type, gpointer value_out,
           GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  int result = sd_bus_get_property_trivial (question->systemd->bus, ATM_SYSTEMD_DESTINATION,
                                            question->path, question->interface, property,
                                            &bus_error, type, value_out);

  return result >= 0
         || atm_systemd_throw (error, result, &bus_error, "Asking for the state of",
                               question->unit);
}

/* LoadError is (ss): the name of the error and its text. */
static gboolean
get_load_error (const Question *question, char **text_out, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (BusMessage) reply = NULL;
  const char *name = NULL, *text = NULL;
  int result = sd_bus_get_property (question->systemd->bus, ATM_SYSTEMD_DESTINATION, question->path,
                                    question->interface, "LoadError", &bus_error, &reply, "(ss)");

  if (result >= 0)
    result = sd_bus_message_read (reply, "(ss)", &name, &text);
  if (result < 0)
    return atm_systemd_throw (error, result, &bus_error, "Asking for the state of", question->unit);
  *text_out = g_strdup (text);
  return TRUE;
}

/* Those whose start is a start of this one. */
static gboolean
find_starters (AtmSystemd *systemd, const char *unit, GPtrArray **units_out, GError **error)
{
  const char *const others[] = { "WantedBy", "RequiredBy", "BoundBy", "UpheldBy", "TriggeredBy" };
  g_autoptr (GPtrArray) units = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    if (!atm_systemd_add_units (systemd, unit, others[i], units, error))
      return FALSE;
  *units_out = g_steal_pointer (&units);
  return TRUE;
}

static gboolean
get_wanted (const Question *question, gboolean *wanted_out, GError **error)
{
  g_autoptr (GPtrArray) units = NULL;

  if (!find_starters (question->systemd, question->unit, &units, error))
    return FALSE;
  *wanted_out = units->len > 0;
  return TRUE;
}

static gboolean
get_service (const Question *question, AtmUnit *state, GError **error)
{
  guint32 restarts = 0;

  if (!g_str_has_suffix (question->unit, ".service"))
    {
      state->type = g_strdup ("");
      state->result = g_strdup ("");
      return TRUE;
    }
  if (!get_string (question, "Type", &state->type, error)
      || !get_string (question, "Result", &state->result, error)
      || !get_value (question, "NRestarts", 'u', &restarts, error))
    return FALSE;
  state->restarts = restarts;
  return TRUE;
}

gboolean
atm_systemd_get_unit (AtmSystemd *systemd, const char *unit, AtmUnit *unit_out, GError **error)
{
  g_autofree char *path = atm_systemd_dup_unit_path (unit);
  const Question question = { systemd, unit, path, ATM_SYSTEMD_UNIT };
  const Question of_service = { systemd, unit, path, ATM_SYSTEMD_SERVICE };
  g_auto (AtmUnit) state = { 0 };
  guint64 since_usec = 0;
  int stale = FALSE;

  if (!get_string (&question, "LoadState", &state.load_state, error)
      || !get_load_error (&question, &state.load_error, error)
      || !get_string (&question, "ActiveState", &state.active_state, error)
      || !get_string (&question, "SubState", &state.sub_state, error)
      || !get_string (&question, "UnitFileState", &state.file_state, error)
      || !get_string (&question, "FragmentPath", &state.path, error)
      || !get_value (&question, "StateChangeTimestamp", 't', &since_usec, error)
      || !get_value (&question, "NeedDaemonReload", 'b', &stale, error)
      || !get_wanted (&question, &state.wanted, error) || !get_service (&of_service, &state, error))
    return FALSE;
  state.since_unix = (gint64) (since_usec / G_USEC_PER_SEC);
  state.stale = stale;
  *unit_out = state;
  state = (AtmUnit){ 0 };
  return TRUE;
}

/* ---- who starts it ---- */

/* Job is (uo): its number, 0 if there is none, and its object. */
static gboolean
has_job (const Question *question, gboolean *has_out, GError **error)
{
  g_auto (BusError) bus_error = SD_BUS_ERROR_NULL;
  g_autoptr (BusMessage) reply = NULL;
  const char *object = NULL;
  guint32 number = 0;
  int result = sd_bus_get_property (question->systemd->bus, ATM_SYSTEMD_DESTINATION, question->path,
                                    question->interface, "Job", &bus_error, &reply, "(uo)");

  if (result >= 0)
    result = sd_bus_message_read (reply, "(uo)", &number, &object);
  if (result < 0)
    return atm_systemd_throw (error, result, &bus_error, "Asking for the job of", question->unit);
  *has_out = number != 0;
  return TRUE;
}

gboolean
atm_systemd_is_due (AtmSystemd *systemd, const char *unit, gboolean *due_out, GError **error)
{
  g_autoptr (GPtrArray) units = NULL;
  gboolean due = FALSE;

  if (!find_starters (systemd, unit, &units, error))
    return FALSE;
  for (guint i = 0; i < units->len && !due; i++)
    {
      g_autofree char *path = atm_systemd_dup_unit_path (units->pdata[i]), *state = NULL;
      const Question question = { systemd, units->pdata[i], path, ATM_SYSTEMD_UNIT };

      if (!has_job (&question, &due, error)
          || !get_string (&question, "ActiveState", &state, error))
        return FALSE;
      due = due || g_str_equal (state, "active");
    }
  *due_out = due;
  return TRUE;
}
