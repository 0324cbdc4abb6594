/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/deployment.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

#define STORAGE ".storage"
#define JOURNAL "journal"
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX_BYTES 64
#define UNIT_LENGTH_MAX 255 /* systemd's own limit for names of units */

G_DEFINE_QUARK (atm_plan_error, atm_plan_error)

static void
plan_change_free (AtmPlanChange *change)
{
  g_free (change->name);
  g_free (change);
}

static AtmPlan *
plan_new_empty (void)
{
  AtmPlan *plan = g_new0 (AtmPlan, 1);

  plan->changes = g_ptr_array_new_with_free_func ((GDestroyNotify) plan_change_free);
  return plan;
}

/* A host that does not tell is one that never boots anew: units are then started again. */
static char *
dup_boot_id (void)
{
  char text[BOOT_ID_MAX_BYTES] = "";
  atm_autofd int fd = open (BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read (fd, text, sizeof text - 1);

  text[MAX (length, 0)] = '\0';
  return g_strdup (g_strstrip (text));
}

AtmPlan *
atm_plan_new (const char *verb)
{
  AtmPlan *plan = plan_new_empty ();

  plan->id = g_uuid_string_random ();
  plan->verb = g_strdup (verb);
  plan->boot_id = dup_boot_id ();
  plan->running = g_new0 (char *, 1);
  return plan;
}

void
atm_plan_free (AtmPlan *plan)
{
  if (plan == NULL)
    return;
  g_free (plan->id);
  g_free (plan->verb);
  g_free (plan->boot_id);
  g_ptr_array_unref (plan->changes);
  g_strfreev (plan->running);
  g_free (plan);
}

AtmPlanChange *
atm_plan_add (AtmPlan *plan, const char *name, int from, int to)
{
  AtmPlanChange *change = g_new0 (AtmPlanChange, 1);

  change->name = g_strdup (name);
  change->from = from;
  change->to = to;
  g_ptr_array_add (plan->changes, change);
  return change;
}

gboolean
atm_plan_is_of_this_boot (const AtmPlan *plan)
{
  g_autofree char *now = dup_boot_id ();

  return g_str_equal (plan->boot_id, now);
}

/* ---- reading ---- */

typedef struct
{
  gint64 version;
  char *id;
  char *verb;
  char *boot_id;
  gboolean trial;
  gboolean confirmed;
  gboolean purge;
  JsonArray *changes;
  char **running;
} Document;

static void
document_clear (Document *document)
{
  g_free (document->id);
  g_free (document->verb);
  g_free (document->boot_id);
  g_clear_pointer (&document->changes, json_array_unref);
  g_strfreev (document->running);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Document, document_clear)

typedef struct
{
  char *name;
  gint64 from;
  gint64 to;
  gboolean builds;
  gboolean replaces;
  gboolean enabled;
} ChangeDocument;

static void
change_document_clear (ChangeDocument *document)
{
  g_free (document->name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ChangeDocument, change_document_clear)

static gboolean
throw_invalid (GError **error, const char *what)
{
  return atm_throw (error, ATM_PLAN_ERROR, ATM_PLAN_ERROR_INVALID, "It is no plan: %s", what);
}

static gboolean
is_number (gint64 number)
{
  return number == ATM_PLAN_NONE || number == 0 || number == 1;
}

static gboolean
has_change (const AtmPlan *plan, const char *name)
{
  for (guint i = 0; i < plan->changes->len; i++)
    if (g_str_equal (((AtmPlanChange *) plan->changes->pdata[i])->name, name))
      return TRUE;
  return FALSE;
}

static gboolean
read_change (JsonNode *node, AtmPlan *plan, GError **error)
{
  const AtmJsonField fields[] = {
    { "name", ATM_JSON_STRING, G_STRUCT_OFFSET (ChangeDocument, name), ATM_JSON_MANDATORY },
    { "from", ATM_JSON_INT, G_STRUCT_OFFSET (ChangeDocument, from), ATM_JSON_MANDATORY },
    { "to", ATM_JSON_INT, G_STRUCT_OFFSET (ChangeDocument, to), ATM_JSON_MANDATORY },
    { "builds", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (ChangeDocument, builds), ATM_JSON_MANDATORY },
    { "replaces", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (ChangeDocument, replaces),
      ATM_JSON_MANDATORY },
    { "enabled", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (ChangeDocument, enabled), ATM_JSON_MANDATORY },
  };
  g_auto (ChangeDocument) document = { 0 };
  AtmPlanChange *change = NULL;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return throw_invalid (error, "a change is no object");
  if (!atm_json_read (json_node_get_object (node), fields, G_N_ELEMENTS (fields),
                      ATM_JSON_REFUSE_UNKNOWN, "changes[]", &document, error)
      || !atm_container_check_name (document.name, error))
    return FALSE;
  if (!is_number (document.from) || !is_number (document.to) || document.from == document.to)
    return throw_invalid (error, "“from” and “to” are not two of -1, 0 and 1");
  if ((document.builds && document.to == ATM_PLAN_NONE) || (document.replaces && !document.builds))
    return throw_invalid (error, "“builds” and “replaces” do not fit");
  if (has_change (plan, document.name))
    return throw_invalid (error, "a container is changed twice");

  change = atm_plan_add (plan, document.name, (int) document.from, (int) document.to);
  change->builds = document.builds;
  change->replaces = document.replaces;
  change->enabled = document.enabled;
  return TRUE;
}

static gboolean
read_changes (JsonArray *changes, AtmPlan *plan, GError **error)
{
  guint length = json_array_get_length (changes);

  if (length < 1 || length > ATM_PLAN_CHANGES_MAX)
    return throw_invalid (error, "it changes no container, or too many");
  for (guint i = 0; i < length; i++)
    if (!read_change (json_array_get_element (changes, i), plan, error))
      return FALSE;
  return TRUE;
}

static gboolean
is_verb (const char *verb)
{
  const char *const verbs[] = { "install", "update", "rollback", "uninstall", NULL };

  return g_strv_contains (verbs, verb);
}

/* They are handed to systemd, which has the same rules (systemd.unit(5)). */
static gboolean
check_units (char **units, GError **error)
{
  for (char **unit = units; *unit != NULL; unit++)
    if (**unit == '\0' || strlen (*unit) > UNIT_LENGTH_MAX || strchr (*unit, '/') != NULL
        || strchr (*unit, '.') == NULL)
      return throw_invalid (error, "“running” names what is no unit");
  return TRUE;
}

gboolean
atm_plan_parse (GBytes *bytes, AtmPlan **plan_out, GError **error)
{
  const AtmJsonField fields[] = {
    { "version", ATM_JSON_INT, G_STRUCT_OFFSET (Document, version), ATM_JSON_MANDATORY },
    { "id", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, id), ATM_JSON_MANDATORY },
    { "verb", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, verb), ATM_JSON_MANDATORY },
    { "boot-id", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, boot_id), ATM_JSON_MANDATORY },
    { "trial", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (Document, trial), ATM_JSON_MANDATORY },
    { "confirmed", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (Document, confirmed), ATM_JSON_MANDATORY },
    { "purge", ATM_JSON_BOOLEAN, G_STRUCT_OFFSET (Document, purge), ATM_JSON_MANDATORY },
    { "changes", ATM_JSON_ARRAY, G_STRUCT_OFFSET (Document, changes), ATM_JSON_MANDATORY },
    { "running", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (Document, running), ATM_JSON_MANDATORY },
  };
  g_auto (Document) document = { 0 };
  g_autoptr (AtmPlan) plan = plan_new_empty ();
  g_autoptr (JsonObject) object = NULL;

  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_REFUSE_UNKNOWN, "",
                         &document, error))
    return FALSE;
  if (document.version != 1)
    return throw_invalid (error, "its version is not 1");
  if (!g_uuid_string_is_valid (document.id))
    return throw_invalid (error, "“id” is no UUID");
  if (!is_verb (document.verb))
    return throw_invalid (error, "“verb” is none of ours");
  if (document.trial && document.confirmed)
    return throw_invalid (error, "it is both on trial and confirmed");
  if (!read_changes (document.changes, plan, error) || !check_units (document.running, error))
    return FALSE;

  plan->id = g_steal_pointer (&document.id);
  plan->verb = g_steal_pointer (&document.verb);
  plan->boot_id = g_steal_pointer (&document.boot_id);
  plan->trial = document.trial;
  plan->confirmed = document.confirmed;
  plan->purge = document.purge;
  plan->running = g_steal_pointer (&document.running);
  *plan_out = g_steal_pointer (&plan);
  return TRUE;
}

/* ---- writing ---- */

static void
add_change (JsonBuilder *builder, const AtmPlanChange *change)
{
  json_builder_begin_object (builder);
  atm_json_add_string (builder, "name", change->name);
  atm_json_add_int (builder, "from", change->from);
  atm_json_add_int (builder, "to", change->to);
  atm_json_add_boolean (builder, "builds", change->builds);
  atm_json_add_boolean (builder, "replaces", change->replaces);
  atm_json_add_boolean (builder, "enabled", change->enabled);
  json_builder_end_object (builder);
}

GBytes *
atm_plan_to_bytes (const AtmPlan *plan)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  char *text = NULL;

  json_builder_begin_object (builder);
  atm_json_add_int (builder, "version", 1);
  atm_json_add_string (builder, "id", plan->id);
  atm_json_add_string (builder, "verb", plan->verb);
  atm_json_add_string (builder, "boot-id", plan->boot_id);
  atm_json_add_boolean (builder, "trial", plan->trial);
  atm_json_add_boolean (builder, "confirmed", plan->confirmed);
  atm_json_add_boolean (builder, "purge", plan->purge);
  json_builder_set_member_name (builder, "changes");
  json_builder_begin_array (builder);
  for (guint i = 0; i < plan->changes->len; i++)
    add_change (builder, plan->changes->pdata[i]);
  json_builder_end_array (builder);
  atm_json_add_strings (builder, "running", plan->running);
  json_builder_end_object (builder);

  root = json_builder_get_root (builder);
  text = atm_json_to_text (root, TRUE);
  return g_bytes_new_take (text, strlen (text));
}

/* ---- the journal ---- */

/* Makes the folder @name in @dir_fd: after a power cut it is there, too. */
static gboolean
open_or_make (int dir_fd, const char *name, int *fd_out, GError **error)
{
  if (mkdirat (dir_fd, name, 0700) == 0)
    {
      if (fsync (dir_fd) < 0)
        return atm_throw_errno (error, "Syncing the folder above %s", name);
    }
  else if (errno != EEXIST)
    return atm_throw_errno (error, "Creating the folder %s", name);
  return atm_open_dir_at (dir_fd, name, fd_out, error);
}

static const char *
get_file (const AtmPlan *plan)
{
  return ((AtmPlanChange *) plan->changes->pdata[0])->name;
}

gboolean
atm_plan_write (const AtmPlan *plan, int checkout_fd, GError **error)
{
  g_autoptr (GBytes) bytes = atm_plan_to_bytes (plan);
  atm_autofd int storage_fd = -1, journal_fd = -1;

  if (!open_or_make (checkout_fd, STORAGE, &storage_fd, error)
      || !open_or_make (storage_fd, JOURNAL, &journal_fd, error)
      || !atm_replace_file_at (journal_fd, get_file (plan), bytes, 0600, error))
    return atm_prefix_error (error, "Writing the journal of %s", get_file (plan));
  return TRUE;
}

/* TRUE and -1 if there is no journal. */
static gboolean
open_journal (int checkout_fd, int *fd_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  *fd_out = -1;
  if (checkout_fd < 0 || atm_open_dir_at (checkout_fd, STORAGE "/" JOURNAL, fd_out, &local)
      || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return atm_prefix_error (error, "Opening the journal");
}

gboolean
atm_plan_remove (const AtmPlan *plan, int checkout_fd, GError **error)
{
  atm_autofd int fd = -1;

  if (!open_journal (checkout_fd, &fd, error))
    return FALSE;
  if (fd < 0)
    return TRUE;
  if (unlinkat (fd, get_file (plan), 0) < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Removing the plan %s from the journal", get_file (plan));
  return fsync (fd) == 0 || atm_throw_errno (error, "Syncing the journal");
}

void
atm_plan_file_free (AtmPlanFile *file)
{
  if (file == NULL)
    return;
  g_free (file->file);
  atm_plan_free (file->plan);
  g_free (file->problem);
  g_free (file);
}

static AtmPlanFile *
read_file (int journal_fd, const char *name)
{
  AtmPlanFile *file = g_new0 (AtmPlanFile, 1);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  file->file = g_strdup (name);
  if (!atm_read_file_at (journal_fd, name, FALSE, ATM_PLAN_MAX_BYTES, &bytes, &local)
      || !atm_plan_parse (bytes, &file->plan, &local))
    file->problem = g_strdup (local->message);
  else if (!g_str_equal (get_file (file->plan), name))
    {
      g_clear_pointer (&file->plan, atm_plan_free);
      file->problem = g_strdup ("It is a plan for another container");
    }
  return file;
}

static int
compare_files (gconstpointer a, gconstpointer b)
{
  const AtmPlanFile *const *left = a, *const *right = b;

  return strcmp ((*left)->file, (*right)->file);
}

gboolean
atm_plan_list (int checkout_fd, GPtrArray **files_out, GError **error)
{
  g_autoptr (GPtrArray) files
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_plan_file_free);
  struct dirent *entry = NULL;
  DIR *dir = NULL;
  int fd = -1, problem = 0;

  if (!open_journal (checkout_fd, &fd, error))
    return FALSE;
  if (fd >= 0)
    {
      dir = fdopendir (fd);
      if (dir == NULL)
        {
          (void) atm_throw_errno (error, "Reading the journal");
          atm_fd_clear (&fd);
          return FALSE;
        }
      /* A dot begins the name of a file that is still being written. */
      while ((errno = 0, entry = readdir (dir)) != NULL)
        if (entry->d_name[0] != '.')
          g_ptr_array_add (files, read_file (dirfd (dir), entry->d_name));
      problem = errno;
      closedir (dir);
      errno = problem;
    }
  if (problem != 0)
    return atm_throw_errno (error, "Reading the journal");
  g_ptr_array_sort (files, compare_files);
  *files_out = g_steal_pointer (&files);
  return TRUE;
}

gboolean
atm_plan_is_pending (int checkout_fd, const char *name, gboolean *pending_out, GError **error)
{
  g_autoptr (GPtrArray) files = NULL;

  if (!atm_plan_list (checkout_fd, &files, error))
    return FALSE;
  *pending_out = FALSE;
  for (guint i = 0; i < files->len; i++)
    {
      const AtmPlanFile *file = files->pdata[i];

      *pending_out
          |= file->plan != NULL ? has_change (file->plan, name) : g_str_equal (file->file, name);
    }
  return TRUE;
}
