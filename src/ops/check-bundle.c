/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/check-bundle.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "container/bundle-check.h"
#include "container/bundle.h"
#include "container/exports.h"
#include "util/fd.h"
#include "util/json.h"

static void problem (GPtrArray *problems, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
problem (GPtrArray *problems, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (problems, g_strdup_vprintf (format, args));
  va_end (args);
}

/* ---- the root file system ---- */

/* What is not there before the network is. */
static gboolean
is_on_network (int fd)
{
  const long types[] = { NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC,
                         AFS_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC,       CODA_SUPER_MAGIC };
  struct statfs st;

  if (fstatfs (fd, &st) < 0)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    if (st.f_type == types[i])
      return TRUE;
  return FALSE;
}

static gboolean
open_rootfs (const AtmBundleCheck *check, int *fd_out, GPtrArray *problems)
{
  g_autoptr (GError) error = NULL;

  if (check->info->remote != NULL
          ? !atm_open_dir_at (AT_FDCWD, check->info->remote, fd_out, &error)
          : !atm_open_dir_at (check->deployment_fd, "rootfs", fd_out, &error))
    {
      problem (problems, "its root file system is not there: %s", error->message);
      return FALSE;
    }
  if (is_on_network (*fd_out))
    problem (problems, "its root file system is on a network file system, which boot does not "
                       "wait for");
  return TRUE;
}

static gboolean
is_below (const char *path, const char *folder)
{
  gsize length = strlen (folder);

  while (length > 0 && folder[length - 1] == '/')
    length--;
  return strncmp (path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* The program of the first process, unless something is mounted over it, or PATH tells where. */
static void
check_program (JsonObject *object, const AtmBundle *bundle, int rootfs_fd, GPtrArray *problems)
{
  JsonObject *process = json_object_get_object_member (object, "process");
  const char *program
      = json_array_get_string_element (json_object_get_array_member (process, "args"), 0);
  g_auto (GStrv) sources = NULL;
  g_auto (GStrv) points = atm_bundle_dup_mount_points (bundle, &sources);
  guint n_mounts = g_strv_length (points) - 1; /* the last is the folder it begins in */
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = -1;
  struct stat st;

  if (!g_path_is_absolute (program))
    return;
  for (guint i = 0; i < n_mounts; i++)
    if (is_below (program, points[i]))
      return;
  if (!atm_open_in_root (rootfs_fd, program, O_PATH, &fd, &error))
    problem (problems, "its program %s is not in its root file system: %s", program,
             error->message);
  else if (fstat (fd, &st) == 0 && (!S_ISREG (st.st_mode) || (st.st_mode & 0111) == 0))
    problem (problems, "its program %s cannot be executed", program);
}

/* ---- sources of binds ---- */

/* The second word of a line of tmpfiles.d(5) whose first makes something; NULL if it does not. */
static char *
dup_made_path (const char *line)
{
  g_auto (GStrv) words = NULL;
  g_autoptr (GString) path = NULL;

  if (!g_shell_parse_argv (line, NULL, &words, NULL) || g_strv_length (words) < 2
      || strchr ("fFwdDvqQpLcbC", words[0][0]) == NULL)
    return NULL;
  path = g_string_new (words[1]);
  g_string_replace (path, "%%", "%", 0);
  return g_string_free (g_steal_pointer (&path), FALSE);
}

/* A line for a folder makes those above it, too. */
static gboolean
is_made_by_tmpfiles (const char *source, const char *tmpfiles)
{
  g_auto (GStrv) lines = g_strsplit (tmpfiles != NULL ? tmpfiles : "", "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *made = dup_made_path (lines[i]);

      if (made != NULL && is_below (made, source))
        return TRUE;
    }
  return FALSE;
}

/* By RuntimeDirectory= and the like (systemd.exec(5)), or by a command before the start. */
static gboolean
is_made_by_unit (const char *source, const char *unit)
{
  static const struct
  {
    const char *setting;
    const char *folder;
  } known[] = {
    { "RuntimeDirectory=", "/run" },       { "StateDirectory=", "/var/lib" },
    { "CacheDirectory=", "/var/cache" },   { "LogsDirectory=", "/var/log" },
    { "ConfigurationDirectory=", "/etc" },
  };
  g_auto (GStrv) lines = g_strsplit (unit, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      if (g_str_has_prefix (lines[i], "ExecStartPre=") && strstr (lines[i], source) != NULL)
        return TRUE;
      for (guint k = 0; k < G_N_ELEMENTS (known); k++)
        if (g_str_has_prefix (lines[i], known[k].setting))
          {
            g_auto (GStrv) names = g_strsplit_set (lines[i] + strlen (known[k].setting), " \t", -1);

            for (guint n = 0; names[n] != NULL; n++)
              {
                g_autofree char *path = g_build_filename (known[k].folder, names[n], NULL);

                if (*names[n] != '\0' && is_below (path, source))
                  return TRUE;
              }
          }
    }
  return FALSE;
}

static void
check_sources (const AtmBundleCheck *check, const AtmBundle *bundle, GPtrArray *problems)
{
  g_auto (GStrv) sources = atm_bundle_dup_bind_sources (bundle);

  for (guint i = 0; sources[i] != NULL; i++)
    if (faccessat (check->deployment_fd, sources[i], F_OK, 0) < 0
        && !is_made_by_tmpfiles (sources[i], check->tmpfiles)
        && !is_made_by_unit (sources[i], check->unit))
      problem (problems, "%s is bound into it, is not on this host and is not made at boot",
               sources[i]);
}

/* ---- config.json and the runtime ---- */

static gboolean
read_config (const AtmBundleCheck *check, JsonObject **object_out, GPtrArray *problems)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  if (atm_read_file_at (check->deployment_fd, "config.json", FALSE, ATM_EXPORTS_FILE_MAX_BYTES,
                        &bytes, &error)
      && atm_json_parse_object (bytes, object_out, &error))
    return TRUE;
  problem (problems, "its config.json cannot be read: %s", error->message);
  return FALSE;
}

/* TRUE if the unit runs the bundle; an image may bring a unit that runs something else. */
static gboolean
check_runtime (const AtmBundleCheck *check, GPtrArray *problems)
{
  const char *runtime
      = check->info->runtime != NULL ? check->info->runtime : check->system->runtime;
  struct stat st;

  if (strstr (check->unit, runtime) == NULL)
    return FALSE;
  if (stat (runtime, &st) < 0 || !S_ISREG (st.st_mode) || access (runtime, X_OK) < 0)
    problem (problems, "its runtime %s is not installed", runtime);
  return TRUE;
}

void
atm_check_bundle (const AtmBundleCheck *check, GPtrArray *problems)
{
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (GError) error = NULL;
  AtmBundle bundle = { 0 };
  gboolean runs = check_runtime (check, problems);
  atm_autofd int rootfs_fd = -1;

  if (!open_rootfs (check, &rootfs_fd, problems) || !read_config (check, &object, problems)
      || (json_object_get_size (object) == 0 && !runs))
    return;
  if (!atm_bundle_check (object, &error))
    {
      problem (problems, "its config.json cannot be used: %s", error->message);
      return;
    }
  bundle.object = object;
  check_program (object, &bundle, rootfs_fd, problems);
  check_sources (check, &bundle, problems);
}
