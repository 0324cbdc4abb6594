/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

#define FOLDER ".storage/containers"

/* ---- memory ---- */

static void
version_clear (AtmRecordVersion *version)
{
  g_clear_pointer (&version->image, g_free);
  g_clear_pointer (&version->digest, g_free);
}

void
atm_record_entry_free (AtmRecordEntry *entry)
{
  if (entry == NULL)
    return;
  g_free (entry->plan_id);
  g_free (entry->verb);
  version_clear (&entry->from);
  version_clear (&entry->to);
  g_strfreev (entry->accepted_by);
  g_free (entry->note);
  g_free (entry);
}

AtmRecordEntry *
atm_record_entry_new (const char *plan_id, const char *verb, AtmRecordResult result)
{
  AtmRecordEntry *entry = g_new0 (AtmRecordEntry, 1);

  entry->plan_id = g_strdup (plan_id);
  entry->verb = g_strdup (verb);
  entry->result = result;
  entry->time_unix = g_get_real_time () / G_USEC_PER_SEC;
  entry->from.deployment = entry->to.deployment = -1;
  return entry;
}

static void
refusal_free (AtmRecordRefusal *refusal)
{
  if (refusal == NULL)
    return;
  g_free (refusal->digest);
  g_free (refusal->reason);
  g_free (refusal);
}

AtmRecord *
atm_record_new (void)
{
  AtmRecord *record = g_new0 (AtmRecord, 1);

  record->health_window_sec = ATM_RECORD_HEALTH_WINDOW_DEFAULT;
  record->refused = g_ptr_array_new_with_free_func ((GDestroyNotify) refusal_free);
  record->history = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_record_entry_free);
  return record;
}

void
atm_record_free (AtmRecord *record)
{
  if (record == NULL)
    return;
  g_ptr_array_unref (record->refused);
  g_ptr_array_unref (record->history);
  g_free (record->problem);
  g_free (record);
}

/* ---- changes ---- */

static void
keep_newest (GPtrArray *array, guint count)
{
  if (array->len > count)
    g_ptr_array_remove_range (array, 0, array->len - count);
}

void
atm_record_add (AtmRecord *record, AtmRecordEntry *entry)
{
  for (guint i = record->history->len; i > 0; i--)
    if (g_str_equal (((AtmRecordEntry *) record->history->pdata[i - 1])->plan_id, entry->plan_id))
      g_ptr_array_remove_index (record->history, i - 1);
  g_ptr_array_add (record->history, entry);
  keep_newest (record->history, ATM_RECORD_HISTORY_MAX);
}

const AtmRecordRefusal *
atm_record_find_refusal (const AtmRecord *record, const char *digest)
{
  for (guint i = 0; digest != NULL && i < record->refused->len; i++)
    if (g_str_equal (((AtmRecordRefusal *) record->refused->pdata[i])->digest, digest))
      return record->refused->pdata[i];
  return NULL;
}

void
atm_record_forgive (AtmRecord *record, const char *digest)
{
  const AtmRecordRefusal *refusal = atm_record_find_refusal (record, digest);

  if (refusal != NULL)
    g_ptr_array_remove (record->refused, (gpointer) refusal);
}

void
atm_record_refuse (AtmRecord *record, const char *digest, const char *reason)
{
  AtmRecordRefusal *refusal = g_new0 (AtmRecordRefusal, 1);

  refusal->digest = g_strdup (digest);
  refusal->reason = g_strdup (reason);
  refusal->time_unix = g_get_real_time () / G_USEC_PER_SEC;
  atm_record_forgive (record, digest);
  g_ptr_array_add (record->refused, refusal);
  keep_newest (record->refused, ATM_RECORD_REFUSED_MAX);
}

/* ---- files ---- */

static void
take_problem (AtmRecord *record, const char *name, GError *error)
{
  g_autoptr (GError) owned = error;

  record->problem = g_strdup_printf ("The record of %s (" FOLDER "/%s) cannot be read: %s; its "
                                     "settings, refused versions and history are unknown",
                                     name, name, owned->message);
}

AtmRecord *
atm_record_read (int checkout_fd, const char *name)
{
  g_autofree char *path = g_build_filename (FOLDER, name, NULL);
  g_autoptr (GBytes) bytes = NULL;
  AtmRecord *record = NULL;
  GError *error = NULL;

  if (atm_read_file_at (checkout_fd, path, FALSE, ATM_RECORD_MAX_BYTES, &bytes, &error)
      && atm_record_parse (bytes, &record, &error))
    return record;

  record = atm_record_new ();
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    g_clear_error (&error);
  else
    take_problem (record, name, error);
  return record;
}

/* Makes the folder @name, so that it is there after a power cut. */
static gboolean
make_folder (int parent_fd, const char *name, mode_t mode, GError **error)
{
  if (mkdirat (parent_fd, name, mode) < 0)
    return errno == EEXIST || atm_throw_errno (error, "Making the folder %s", name);
  return fsync (parent_fd) == 0 || atm_throw_errno (error, "Syncing the folder of %s", name);
}

/* The administrator may have put .storage on another disk, so that it is a link. */
static gboolean
open_folder (int checkout_fd, int *fd_out, GError **error)
{
  atm_autofd int storage_fd = -1;

  if (!make_folder (checkout_fd, ".storage", 0755, error))
    return FALSE;
  storage_fd = openat (checkout_fd, ".storage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (storage_fd < 0)
    return atm_throw_errno (error, "Opening .storage");
  return make_folder (storage_fd, "containers", 0700, error)
         && atm_open_dir_at (storage_fd, "containers", fd_out, error);
}

gboolean
atm_record_write (int checkout_fd, const char *name, const AtmRecord *record, GError **error)
{
  g_autoptr (GBytes) bytes = atm_record_to_bytes (record);
  g_autofree char *aside = g_strconcat (".", name, ".damaged", NULL);
  atm_autofd int fd = -1;

  if (!open_folder (checkout_fd, &fd, error))
    return atm_prefix_error (error, "Writing the record of %s", name);
  if (record->problem != NULL && renameat (fd, name, fd, aside) < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Setting the damaged record of %s aside", name);
  if (!atm_replace_file_at (fd, name, bytes, 0600, error))
    return atm_prefix_error (error, "Writing the record of %s", name);
  return TRUE;
}

gboolean
atm_record_remove (int checkout_fd, const char *name, GError **error)
{
  atm_autofd int fd = openat (checkout_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autofree char *aside = g_strconcat (".", name, ".damaged", NULL);

  if (fd < 0)
    return errno == ENOENT || atm_throw_errno (error, "Opening the folder of records");
  return atm_remove_tree_at (fd, name, error) && atm_remove_tree_at (fd, aside, error);
}

gboolean
atm_record_append (int checkout_fd, const char *name, AtmRecordEntry *entry, GError **error)
{
  g_autoptr (AtmRecord) record = atm_record_read (checkout_fd, name);

  atm_record_add (record, entry);
  return atm_record_write (checkout_fd, name, record, error);
}
