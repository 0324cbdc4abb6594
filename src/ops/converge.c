/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/switch-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/exports.h"
#include "container/unit.h"
#include "container/volume.h"
#include "host/tool.h"
#include "ops/lock.h"
#include "ops/repository.h"
#include "util/error.h"
#include "util/fd.h"

/* The host side of a switch. Each step looks at what is there, so that it can be done again. */

/* Beside a unit or a fragment of tmpfiles that somebody edited. */
#define SAVED_SUFFIX ".atomic-saved"

#define INSTALL_SECTION "[Install]"

/* What one container is to become, and what it was. */
typedef struct
{
  const AtmPlanChange *change; /* (borrowed) */
  AtmSide target;
  AtmSide other;
  gboolean enables; /* its unit was enabled just now */
} Pair;

static void
pair_free (Pair *pair)
{
  if (pair == NULL)
    return;
  atm_side_clear (&pair->target);
  atm_side_clear (&pair->other);
  g_free (pair);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pair, pair_free)

static gboolean
load_pairs (const AtmSwitching *switching, AtmDirection direction, GPtrArray **pairs_out,
            GError **error)
{
  g_autoptr (GPtrArray) pairs = g_ptr_array_new_with_free_func ((GDestroyNotify) pair_free);

  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = switching->plan->changes->pdata[i];
      const gboolean forward = direction == ATM_DIRECTION_FORWARD;
      g_autoptr (Pair) pair = g_new0 (Pair, 1);

      pair->change = change;
      pair->target = pair->other = (AtmSide) ATM_SIDE_INIT;
      if (!atm_side_load (switching->checkout_fd, change->name, forward ? change->to : change->from,
                          &pair->target, error)
          || !atm_side_load (switching->checkout_fd, change->name,
                             forward ? change->from : change->to, &pair->other, error)
          || !atm_side_check (&pair->target, error))
        return FALSE;
      g_ptr_array_add (pairs, g_steal_pointer (&pair));
    }
  *pairs_out = g_steal_pointer (&pairs);
  return TRUE;
}

static void
report_all (const AtmSwitching *switching, const char *container, GPtrArray *notices)
{
  for (guint i = 0; i < notices->len; i++)
    atm_report (switching->report, ATM_REPORT_NOTICE, "%s: %s", container,
                (const char *) notices->pdata[i]);
}

/* ---- before the first step ---- */

static gboolean
adopt (const AtmSwitching *switching, const AtmSide *side, GError **error)
{
  return side->fd < 0 || side->info == NULL
         || atm_hostfiles_adopt (switching->host_fd, side->fd, side->info, error);
}

static gboolean
find_others (const AtmSwitching *switching, GHashTable **others_out, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  /* A deployment without a link counts as a container, and ours may have lost theirs. */
  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = switching->plan->changes->pdata[i];

      g_ptr_array_add (names, g_strdup (change->name));
      g_ptr_array_add (names, g_strconcat (change->name, ".0", NULL));
      g_ptr_array_add (names, g_strconcat (change->name, ".1", NULL));
    }
  g_ptr_array_add (names, NULL);
  return atm_hostfiles_find_others (switching->checkout_fd, switching->host_fd,
                                    (const char *const *) names->pdata, others_out, error);
}

/* New deployments were checked when they were built. */
static gboolean
check_old (const AtmSwitching *switching, const Pair *pair, GHashTable *others, GError **error)
{
  AtmHostSet set;
  const AtmHostSet *to = atm_side_get_host_set (&pair->target, &set);

  return to == NULL || pair->change->builds
         || atm_hostfiles_check (switching->host_fd, to, others, error);
}

gboolean
atm_converge_prepare (AtmSwitching *switching, GError **error)
{
  g_autoptr (GHashTable) others = NULL;

  if (!find_others (switching, &others, error))
    return FALSE;
  for (guint i = 0; i < switching->plan->changes->len; i++)
    {
      const AtmPlanChange *change = switching->plan->changes->pdata[i];
      Pair pair = { .change = change, .target = ATM_SIDE_INIT, .other = ATM_SIDE_INIT };
      gboolean ok
          = atm_side_load (switching->checkout_fd, change->name,
                           change->builds ? ATM_PLAN_NONE : change->to, &pair.target, error)
            && atm_side_load (switching->checkout_fd, change->name, change->from, &pair.other,
                              error)
            && atm_side_check (&pair.target, error) && adopt (switching, &pair.target, error)
            && check_old (switching, &pair, others, error)
            /* what is uninstalled need not be whole */
            && (change->to == ATM_PLAN_NONE
                || (atm_side_check (&pair.other, error) && adopt (switching, &pair.other, error)));

      atm_side_clear (&pair.target);
      atm_side_clear (&pair.other);
      if (!ok)
        return atm_prefix_error (error, "%s", change->name);
    }
  return TRUE;
}

/* ---- while the old versions still run ---- */

/* A volume without content may get some of the image, and tmpfiles come after that. */
static gboolean
has_empty_volume (const AtmInfo *info)
{
  g_autoptr (GPtrArray) volumes = NULL;

  if (info->volumes == NULL)
    return FALSE;
  volumes = atm_volumes_from_map (info->volumes);
  for (guint i = 0; i < volumes->len; i++)
    {
      const AtmVolume *volume = volumes->pdata[i];
      g_autoptr (GDir) dir = g_dir_open (volume->source, 0, NULL);

      if (dir == NULL || g_dir_read_name (dir) == NULL)
        return TRUE;
    }
  return FALSE;
}

/* @file: the fragment, or a copy of it that will be there under its name. */
static gboolean
create_by_tmpfiles (const AtmSwitching *switching, const Pair *pair, const char *file,
                    GError **error)
{
  g_autofree char *installed
      = g_strdup_printf ("%s/%s.conf", switching->system->tmpfiles_dir, pair->change->name);

  atm_report (switching->report, ATM_REPORT_STEP, "systemd-tmpfiles --create %s", installed);
  return atm_tmpfiles_create (file != NULL ? file : installed, switching->cancellable, error);
}

static char *
dup_tmpfiles_copy (const AtmSwitching *switching, const AtmSide *side)
{
  return g_strdup_printf ("%s/%s/tmpfiles-%s.conf", switching->system->checkout, side->entry,
                          side->container);
}

static gboolean
settle (const AtmSwitching *switching, const Pair *pair, AtmPlanChange *change, GError **error)
{
  GBytes *want = pair->target.tmpfiles, *was = pair->other.tmpfiles;
  g_autofree char *copy = NULL;

  if (want == NULL || was == NULL || !g_bytes_equal (want, was) || !atm_tmpfiles_is_quiet (want)
      || has_empty_volume (pair->target.info))
    return TRUE;
  change->settled = TRUE;
  copy = dup_tmpfiles_copy (switching, &pair->target);
  return create_by_tmpfiles (switching, pair, copy, error);
}

gboolean
atm_converge_settle (AtmSwitching *switching, GError **error)
{
  g_autoptr (GPtrArray) pairs = NULL;

  if (!load_pairs (switching, ATM_DIRECTION_FORWARD, &pairs, error))
    return FALSE;
  for (guint i = 0; i < pairs->len; i++)
    {
      AtmPlanChange *change = switching->plan->changes->pdata[i];

      if (!settle (switching, pairs->pdata[i], change, error))
        return atm_prefix_error (error, "%s", change->name);
    }
  return TRUE;
}

static gboolean
is_settled (const AtmSwitching *switching, const Pair *pair)
{
  return switching->fresh && pair->change->settled;
}

/* ---- files ---- */

static gboolean
save_foreign (const AtmSwitching *switching, int dir_fd, const char *dir, const char *name,
              GError **error)
{
  g_autofree char *saved = g_strconcat (name, SAVED_SUFFIX, NULL);

  if (renameat (dir_fd, name, dir_fd, saved) < 0)
    return atm_throw_errno (error, "Renaming %s/%s", dir, name);
  atm_report (switching->report, ATM_REPORT_NOTICE,
              "%s/%s is not as it was installed, and was kept as %s; put changes into drop-ins, "
              "which stay",
              dir, name, saved);
  return TRUE;
}

typedef enum
{
  FILE_MISSING,
  FILE_WANTED, /* it is as it shall be */
  FILE_OURS,   /* it is as it was */
  FILE_FOREIGN /* somebody edited it, or put something else there */
} FileState;

static gboolean
look_at_file (int dir_fd, const char *name, GBytes *want, GBytes *was, FileState *state_out,
              GError **error)
{
  g_autoptr (GBytes) have = NULL;
  struct stat st;

  *state_out = FILE_MISSING;
  if (fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || atm_throw_errno (error, "Looking at %s", name);
  *state_out = FILE_FOREIGN;
  if (!S_ISREG (st.st_mode) || st.st_size > ATM_EXPORTS_FILE_MAX_BYTES)
    return TRUE;
  if (!atm_read_file_at (dir_fd, name, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, &have, error))
    return FALSE;
  if (want != NULL && g_bytes_equal (have, want))
    *state_out = FILE_WANTED;
  else if (was != NULL && g_bytes_equal (have, was))
    *state_out = FILE_OURS;
  return TRUE;
}

/* @sure: what is there is ours, also if it cannot be told from @was. *@changed (nullable) becomes
   TRUE if the file is not as it was. */
static gboolean
put_file (AtmSwitching *switching, const char *dir, const char *name, GBytes *want, GBytes *was,
          gboolean sure, gboolean *changed, GError **error)
{
  atm_autofd int dir_fd = -1;
  FileState state = FILE_MISSING;

  if (want == NULL && was == NULL && !sure)
    return TRUE;
  if (want == NULL && !g_file_test (dir, G_FILE_TEST_IS_DIR))
    return TRUE;
  if (!atm_make_dirs (dir, 0755, &dir_fd, error) || !atm_sweep_temporaries_at (dir_fd, name, error)
      || !look_at_file (dir_fd, name, want, was, &state, error))
    return atm_prefix_error (error, "%s", dir);
  if (state == FILE_WANTED || (state == FILE_MISSING && want == NULL))
    return TRUE;
  if (changed != NULL)
    *changed = TRUE;
  if (!atm_switch_sync_links (switching, error))
    return FALSE;
  if (state == FILE_FOREIGN && !sure)
    {
      if (!save_foreign (switching, dir_fd, dir, name, error))
        return FALSE;
    }
  else if (want == NULL && unlinkat (dir_fd, name, 0) < 0)
    return atm_throw_errno (error, "Removing %s/%s", dir, name);
  if (want != NULL)
    return atm_replace_file_at (dir_fd, name, want, 0644, error)
           || atm_prefix_error (error, "%s", dir);
  return fsync (dir_fd) == 0 || atm_throw_errno (error, "Syncing the folder %s", dir);
}

/* What cannot be removed, such as a mounted folder, is no reason to go no further. */
static gboolean
remove_by_tmpfiles (AtmSwitching *switching, const Pair *pair, const char *file, GError **error)
{
  g_autofree char *installed = g_build_filename (switching->system->tmpfiles_dir, file, NULL);
  g_autofree char *copy
      = pair->other.tmpfiles != NULL ? dup_tmpfiles_copy (switching, &pair->other) : NULL;
  g_autoptr (GError) local = NULL;

  if (is_settled (switching, pair)
      || (copy == NULL
          && (pair->other.info != NULL || pair->target.entry != NULL
              || !g_file_test (installed, G_FILE_TEST_EXISTS))))
    return TRUE;
  if (!atm_switch_sync_links (switching, error))
    return FALSE;
  atm_report (switching->report, ATM_REPORT_STEP, "systemd-tmpfiles --remove %s", installed);
  if (!atm_tmpfiles_remove (copy != NULL ? copy : installed, NULL, &local))
    atm_report (switching->report, ATM_REPORT_NOTICE, "%s, going on without it", local->message);
  return TRUE;
}

static gboolean
has_host_files (const AtmSide *side)
{
  AtmHostSet set;

  return atm_side_get_host_set (side, &set) != NULL && g_hash_table_size (set.checksums) > 0;
}

static gboolean
converge_host_files (AtmSwitching *switching, const Pair *pair, GHashTable *others, GError **error)
{
  g_autoptr (GPtrArray) created = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  AtmHostSet from_set, to_set;
  const AtmHostSet *from = atm_side_get_host_set (&pair->other, &from_set);
  const AtmHostSet *to = atm_side_get_host_set (&pair->target, &to_set);
  gboolean done = FALSE, changed = FALSE;

  if (!has_host_files (&pair->other) && !has_host_files (&pair->target))
    return TRUE;
  if (!atm_switch_sync_links (switching, error))
    return FALSE;
  done = atm_hostfiles_switch (switching->host_fd, from, to, others, created, notices, &changed,
                               switching->cancellable, error);
  /* a unit, a drop-in, a generator or what it reads: nobody can tell */
  switching->reload |= changed;
  for (guint i = 0; i < created->len; i++)
    atm_report (switching->report, ATM_REPORT_STEP, "Created file %s",
                (const char *) created->pdata[i]);
  report_all (switching, pair->change->name, notices);
  return done;
}

static gboolean
converge_pair (AtmSwitching *switching, const Pair *pair, GHashTable *others, GError **error)
{
  const AtmSystem *system = switching->system;
  g_autofree char *unit = g_strconcat (pair->change->name, ".service", NULL);
  g_autofree char *tmpfiles = g_strconcat (pair->change->name, ".conf", NULL);
  /* A container that cannot tell whether it has a service may have one. */
  const gboolean damaged = pair->target.entry == NULL && pair->other.info == NULL;
  gboolean unit_changed = FALSE;

  if (!remove_by_tmpfiles (switching, pair, tmpfiles, error)
      || !converge_host_files (switching, pair, others, error))
    return FALSE;
  /* systemd reads in the file what to disable. */
  if (pair->target.unit == NULL && (pair->other.unit != NULL || damaged)
      && !atm_systemd_disable (switching->systemd, unit, error))
    return FALSE;
  if (!put_file (switching, system->unit_dir, unit, pair->target.unit, pair->other.unit, damaged,
                 &unit_changed, error)
      || !put_file (switching, system->tmpfiles_dir, tmpfiles, pair->target.tmpfiles,
                    pair->other.tmpfiles, damaged, NULL, error))
    return FALSE;
  /* scripts know the reload as a step of each installation (command.md 2.2) */
  switching->reload |= unit_changed || pair->target.entry == NULL || pair->other.entry == NULL;
  return TRUE;
}

/* Who else has host files is asked of all containers, which are many on some hosts. */
static gboolean
find_others_for (const AtmSwitching *switching, GPtrArray *pairs, GHashTable **others_out,
                 GError **error)
{
  for (guint i = 0; i < pairs->len; i++)
    {
      const Pair *pair = pairs->pdata[i];

      if (has_host_files (&pair->target) || has_host_files (&pair->other))
        return find_others (switching, others_out, error);
    }
  return TRUE;
}

gboolean
atm_converge_files (AtmSwitching *switching, AtmDirection direction, GError **error)
{
  g_autofree char *path = g_build_filename (switching->system->run_dir, "host.lock", NULL);
  g_autoptr (GPtrArray) pairs = NULL;
  g_autoptr (GHashTable) others = NULL;
  g_auto (AtmLock) lock = ATM_LOCK_INIT;

  if (!load_pairs (switching, direction, &pairs, error)
      || !atm_make_dirs (switching->system->run_dir, 0700, NULL, error)
      || !atm_lock_take (&lock, path, "the files of the host", ATM_LOCK_WAIT, switching->report,
                         switching->cancellable, error)
      || !find_others_for (switching, pairs, &others, error))
    return FALSE;
  for (guint i = 0; i < pairs->len; i++)
    {
      const Pair *pair = pairs->pdata[i];

      if (!converge_pair (switching, pair, others, error))
        return atm_prefix_error (error, "%s", pair->change->name);
    }
  return TRUE;
}

/* ---- services ---- */

/* The text of the section [Install], of the last one if there are several. */
static char *
dup_install_section (GBytes *unit)
{
  gsize size = 0;
  const char *data = g_bytes_get_data (unit, &size);
  g_autofree char *text = size > 0 ? g_strndup (data, size) : g_strdup ("");
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *section = g_string_new (NULL);
  gboolean inside = FALSE;

  for (char **line = lines; *line != NULL; line++)
    {
      g_strstrip (*line);
      if (**line == '[')
        inside = g_str_equal (*line, INSTALL_SECTION);
      else if (inside && **line != '\0' && **line != '#' && **line != ';')
        g_string_append_printf (section, "%s\n", *line);
    }
  return g_string_free (section, FALSE);
}

static gboolean
has_same_install_section (GBytes *one, GBytes *two)
{
  g_autofree char *first = dup_install_section (one), *second = dup_install_section (two);

  return g_str_equal (first, second);
}

static gboolean
fill_volumes (const AtmSwitching *switching, const Pair *pair, GError **error)
{
  const AtmInfo *info = pair->target.info;
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) volumes = NULL;
  g_autoptr (AtmStore) store = NULL;
  atm_autofd int rootfs_fd = -1;

  if (info == NULL || info->volumes == NULL || info->commit == NULL)
    return TRUE;
  volumes = atm_volumes_from_map (info->volumes);
  if (!atm_repository_open (switching->system, &store, switching->cancellable, error)
      || (info->remote != NULL ? !atm_open_dir_at (AT_FDCWD, info->remote, &rootfs_fd, error)
                               : !atm_open_dir_at (pair->target.fd, "rootfs", &rootfs_fd, error))
      || !atm_volumes_fill (volumes, store, info->commit, rootfs_fd, notices,
                            switching->cancellable, error))
    return FALSE;
  report_all (switching, pair->change->name, notices);
  return TRUE;
}

/* The links in *.wants follow the section [Install]; who has not enabled the unit is not asked. */
static gboolean
enable (const AtmSwitching *switching, Pair *pair, AtmDirection direction, GError **error)
{
  g_autofree char *unit = g_strconcat (pair->change->name, ".service", NULL);
  const gboolean is_new = pair->other.unit == NULL;

  if (pair->target.unit == NULL
      || !(pair->change->enabled || (is_new && direction == ATM_DIRECTION_FORWARD)))
    return TRUE;
  if (!is_new && has_same_install_section (pair->target.unit, pair->other.unit))
    return TRUE;
  if (!is_new && !atm_systemd_disable (switching->systemd, unit, error))
    return FALSE;
  pair->enables = TRUE;
  return atm_systemd_enable (switching->systemd, unit, error);
}

/* Who undoes comes as far as he can. */
static gboolean
survive (const AtmSwitching *switching, const Pair *pair, AtmDirection direction, GError *local,
         GError **error)
{
  g_autoptr (GError) owned = local;

  if (direction == ATM_DIRECTION_FORWARD)
    {
      g_propagate_error (error, g_steal_pointer (&owned));
      return atm_prefix_error (error, "%s", pair->change->name);
    }
  atm_report (switching->report, ATM_REPORT_NOTICE, "%s: %s, going on without it",
              pair->change->name, owned->message);
  return TRUE;
}

/* What this boot would have started, had it been enabled when the boot began. */
static void
start_at_boot (const AtmSwitching *switching, const Pair *pair)
{
  g_autofree char *unit = g_strconcat (pair->change->name, ".service", NULL);
  g_autoptr (GError) local = NULL;
  gboolean due = FALSE;

  if (!atm_systemd_is_due (switching->systemd, unit, &due, &local)
      || (due && !atm_systemd_queue_start (switching->systemd, unit, &local)))
    atm_report (switching->report, ATM_REPORT_NOTICE,
                "%s: %s; it is enabled, and starts at the next boot", pair->change->name,
                local->message);
}

/* A unit that failed while it was stopped is not to be listed as failed when its file is gone. */
static gboolean
forget_failure (const AtmSwitching *switching, const Pair *pair, GError **error)
{
  g_autofree char *unit = g_strconcat (pair->change->name, ".service", NULL);

  return pair->target.unit != NULL || atm_systemd_reset_failed (switching->systemd, unit, error);
}

gboolean
atm_converge_services (AtmSwitching *switching, AtmDirection direction, GError **error)
{
  g_autoptr (GPtrArray) pairs = NULL;

  if (!load_pairs (switching, direction, &pairs, error))
    return FALSE;
  /* systemd looks for what to enable in the files; so one reload is enough for files and links. */
  for (guint i = 0; i < pairs->len; i++)
    {
      Pair *pair = pairs->pdata[i];
      GError *local = NULL;

      if (!enable (switching, pair, direction, &local)
          && !survive (switching, pair, direction, local, error))
        return FALSE;
      switching->reload |= pair->enables;
    }
  if (!switching->fresh || switching->reload)
    {
      atm_report (switching->report, ATM_REPORT_STEP, "systemctl daemon-reload");
      if (!atm_systemd_reload (switching->systemd, error))
        return FALSE;
    }
  for (guint i = 0; i < pairs->len; i++)
    {
      const Pair *pair = pairs->pdata[i];
      GError *local = NULL;

      /* Volumes before tmpfiles, which make what is still missing. */
      if (!((direction == ATM_DIRECTION_BACK || fill_volumes (switching, pair, &local))
            && (pair->target.tmpfiles == NULL || is_settled (switching, pair)
                || create_by_tmpfiles (switching, pair, NULL, &local))
            && forget_failure (switching, pair, &local))
          && !survive (switching, pair, direction, local, error))
        return FALSE;
      /* Only the reload made it count, and scripts know it as the last step (command.md 2.2). */
      if (pair->enables)
        atm_report (switching->report, ATM_REPORT_STEP, "systemctl enable %s", pair->change->name);
      if (pair->enables && switching->booting)
        start_at_boot (switching, pair);
    }
  return TRUE;
}
