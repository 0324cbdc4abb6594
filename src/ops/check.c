/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "container/deployment.h"
#include "container/exports.h"
#include "host/systemd.h"
#include "host/tool.h"
#include "ops/check-bundle.h"
#include "store/usage.h"
#include "util/error.h"
#include "util/fd.h"

void
atm_checked_container_free (AtmCheckedContainer *checked)
{
  if (checked == NULL)
    return;
  g_free (checked->container);
  g_free (checked->deployment);
  g_clear_pointer (&checked->problems, g_ptr_array_unref);
  g_free (checked);
}

/* One container. All pointers but those at the end (borrowed). */
typedef struct
{
  const AtmSystem *system;
  const AtmContainer *container;
  GPtrArray *problems;
  GCancellable *cancellable; /* (nullable) */
  char *unit_name;           /* (owned) */
  char *unit;                /* (owned) (nullable): text of the deployment's unit */
  int deployment_fd;         /* (owned) */
  GThread *counter;          /* of the next two */
  guint missing;             /* objects in the store */
  GError *store_error;       /* (owned) (nullable): why they could not be counted */
} Check;

static void
check_clear (Check *check)
{
  g_free (check->unit_name);
  g_free (check->unit);
  atm_fd_clear (&check->deployment_fd);
  g_clear_error (&check->store_error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Check, check_clear)

static void problem (Check *check, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
problem (Check *check, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (check->problems, g_strdup_vprintf (format, args));
  va_end (args);
}

/* What goes wrong while one thing is looked at is said, and the next thing is looked at; only who
   does not want to wait any longer ends it. */
static gboolean
go_on (Check *check, const GError *local, GError **error)
{
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (local));
      return FALSE;
    }
  problem (check, "%s", local->message);
  return TRUE;
}

/* ---- the store ---- */

/* A thread of its own: it takes as long as systemd's verification of the unit does. */
static gpointer
count_missing (gpointer data)
{
  Check *check = data;
  const char *commit = check->container->info->commit;
  g_autoptr (AtmStore) store = NULL;

  if (commit != NULL
      && atm_store_open (check->system->repository, FALSE, &store, check->cancellable,
                         &check->store_error))
    (void) !atm_usage_count_missing (store, commit, &check->missing, check->cancellable,
                                     &check->store_error);
  return NULL;
}

static gboolean
conclude_store (Check *check, GError **error)
{
  if (check->store_error != NULL)
    return go_on (check, check->store_error, error);
  if (check->missing > 0)
    problem (check,
             "the store lacks %u of the objects it came from; `atomic verify --repair %s` "
             "fetches them again",
             check->missing, check->container->name);
  return TRUE;
}

/* ---- the unit ---- */

/* NULL if there is none, or it is no text. */
static char *
read_text (int dir_fd, const char *path, gboolean follow)
{
  g_autoptr (GBytes) bytes = NULL;

  if (!atm_read_file_at (dir_fd, path, follow, ATM_EXPORTS_FILE_MAX_BYTES, &bytes, NULL))
    return NULL;
  return g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

/* The file that the next boot reads: what is loaded now may be another one. */
static char *
find_unit_file (Check *check, const AtmUnit *unit)
{
  g_autofree char *path = g_build_filename (check->system->unit_dir, check->unit_name, NULL);

  if (access (path, F_OK) == 0)
    return g_steal_pointer (&path);
  return *unit->path != '\0' && access (unit->path, F_OK) == 0 ? g_strdup (unit->path) : NULL;
}

/* systemctl(1), "is-enabled". */
static void
check_enabled (Check *check, const AtmUnit *unit)
{
  const char *const will_start[] = { "enabled", "alias", "generated", NULL };
  const char *name = check->container->name;

  if (g_str_equal (unit->file_state, "enabled-runtime"))
    {
      problem (check, "its unit is enabled until the next boot only: systemctl enable %s", name);
      return;
    }
  if (g_strv_contains (will_start, unit->file_state) || unit->wanted)
    return;
  if (g_str_equal (unit->file_state, "static"))
    problem (check, "its unit has no [Install] section and no other unit wants it, so nothing "
                    "starts it at boot");
  else
    problem (check, "its unit is %s, so boot does not start it: systemctl enable %s",
             *unit->file_state != '\0' ? unit->file_state : "not enabled", name);
}

static gboolean
verify_unit (Check *check, const char *path, GError **error)
{
  const AtmInfo *info = check->container->info;
  g_autofree char *runtime
      = g_strdup_printf ("Command %s is not executable",
                         info->runtime != NULL ? info->runtime : check->system->runtime);
  g_auto (GStrv) problems = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_unit_verify (path, &problems, check->cancellable, &local))
    return go_on (check, local, error);
  for (guint i = 0; problems[i] != NULL; i++)
    if (!g_str_has_prefix (problems[i], runtime)) /* said before, in our words */
      problem (check, "its unit: %s", problems[i]);
  return TRUE;
}

/* DESIGN, section 2, promise 3: what fetches an image before each start. */
static void
check_network (Check *check)
{
  g_auto (GStrv) lines = g_strsplit (check->unit, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    if (g_regex_match_simple ("^Exec(Condition|StartPre|Start)=\\S*\\b(atomic|docker|podman|ctr)"
                              "\\s.*\\bpull\\b",
                              lines[i], 0, 0))
      problem (check, "its unit needs the network to start: %s", lines[i]);
}

static gboolean
check_unit (Check *check, GError **error)
{
  const char *name = check->container->name;
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autoptr (GError) local = NULL;
  g_auto (AtmUnit) unit = { 0 };
  g_autofree char *path = NULL, *text = NULL;

  if (!atm_systemd_connect (&systemd, &local)
      || !atm_systemd_get_unit (systemd, check->unit_name, &unit, &local))
    return go_on (check, local, error);
  if (g_str_equal (unit.file_state, "masked"))
    {
      problem (check, "its unit is masked: systemctl unmask %s", name);
      return TRUE;
    }
  path = find_unit_file (check, &unit);
  if (path == NULL)
    {
      problem (check, "its unit %s/%s is missing; copy %s/%s/%s there and run systemctl enable %s",
               check->system->unit_dir, check->unit_name, check->system->checkout,
               check->container->deployment, check->unit_name, check->unit_name);
      return TRUE;
    }
  text = read_text (AT_FDCWD, path, TRUE);
  if (g_strcmp0 (text, check->unit) != 0)
    problem (check,
             "its unit %s is not the one of its deployment; changes belong into a drop-in: "
             "systemctl edit %s",
             path, name);
  check_enabled (check, &unit);
  check_network (check);
  return verify_unit (check, path, error);
}

/* ---- one container ---- */

static gboolean
check_service (Check *check, GError **error)
{
  const AtmContainer *container = check->container;
  g_autofree char *tmpfiles_name = g_strconcat (container->name, ".conf", NULL);
  g_autofree char *tmpfiles_path
      = g_build_filename (check->system->tmpfiles_dir, tmpfiles_name, NULL);
  g_autofree char *tmpfiles = read_text (AT_FDCWD, tmpfiles_path, TRUE);
  AtmBundleCheck bundle = {
    .system = check->system,
    .info = container->info,
    .deployment_fd = check->deployment_fd,
    .tmpfiles = tmpfiles,
  };

  check->unit = read_text (check->deployment_fd, check->unit_name, FALSE);
  if (check->unit == NULL)
    {
      problem (check, "its deployment %s has no %s", container->deployment, check->unit_name);
      check->unit = g_strdup ("");
    }
  bundle.unit = check->unit;
  atm_check_bundle (&bundle, check->problems);
  return check_unit (check, error);
}

static gboolean
check_deployment (Check *check, int checkout_fd, GError **error)
{
  const AtmContainer *container = check->container;
  g_autoptr (GError) local = NULL;
  gboolean ok = TRUE;

  if (container->problem != NULL)
    problem (check, "it is damaged: %s", container->problem);
  if (container->deployment == NULL || container->info == NULL)
    return TRUE;
  if (!atm_open_dir_at (checkout_fd, container->deployment, &check->deployment_fd, &local))
    return go_on (check, local, error);
  check->counter = g_thread_new ("count", count_missing, check);
  ok = !container->info->has_service || check_service (check, error);
  g_thread_join (check->counter);
  return ok && conclude_store (check, error);
}

static gboolean
check_one (const AtmSystem *system, int checkout_fd, const AtmContainer *container,
           AtmCheckedContainer **checked_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmCheckedContainer) checked = g_new0 (AtmCheckedContainer, 1);
  g_auto (Check) check = {
    .system = system,
    .container = container,
    .cancellable = cancellable,
    .unit_name = g_strconcat (container->name, ".service", NULL),
    .deployment_fd = -1,
  };

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  checked->container = g_strdup (container->name);
  checked->deployment = g_strdup (container->deployment);
  checked->problems = g_ptr_array_new_with_free_func (g_free);
  check.problems = checked->problems;
  if (!check_deployment (&check, checkout_fd, error))
    return FALSE;
  *checked_out = g_steal_pointer (&checked);
  return TRUE;
}

/* -1 if there is none, and then there is no container either. */
static gboolean
open_checkout (const AtmSystem *system, int *fd_out, GError **error)
{
  int fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  *fd_out = fd;
  return TRUE;
}

gboolean
atm_check_container (const AtmSystem *system, const char *name, AtmCheckedContainer **checked_out,
                     GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmContainer) container = NULL;
  atm_autofd int checkout_fd = -1;

  return open_checkout (system, &checkout_fd, error) && atm_container_check_name (name, error)
         && atm_container_load (checkout_fd, name, &container, error)
         && check_one (system, checkout_fd, container, checked_out, cancellable, error);
}

static gboolean
check_all (const AtmSystem *system, GPtrArray *all, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) containers = NULL;
  atm_autofd int checkout_fd = -1;

  if (!open_checkout (system, &checkout_fd, error)
      || !atm_container_list (checkout_fd, &containers, error))
    return FALSE;
  for (guint i = 0; i < containers->len; i++)
    {
      AtmCheckedContainer *checked = NULL;

      if (!check_one (system, checkout_fd, containers->pdata[i], &checked, cancellable, error))
        return FALSE;
      g_ptr_array_add (all, checked);
    }
  return TRUE;
}

gboolean
atm_check (const AtmSystem *system, const char *const *names, GPtrArray **checked_out,
           GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) all
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_checked_container_free);

  if (names == NULL && !check_all (system, all, cancellable, error))
    return FALSE;
  for (guint i = 0; names != NULL && names[i] != NULL; i++)
    {
      AtmCheckedContainer *checked = NULL;

      if (!atm_check_container (system, names[i], &checked, cancellable, error))
        return FALSE;
      g_ptr_array_add (all, checked);
    }
  *checked_out = g_steal_pointer (&all);
  return TRUE;
}
