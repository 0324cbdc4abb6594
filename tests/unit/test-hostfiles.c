/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/hostfiles.h"
#include "container/hostfs.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

#define PATH "/etc/app.conf"
#define NEW PATH ATM_HOSTFILES_NEW_SUFFIX

/* One deployment: an image and what was made of it. */
typedef struct
{
  char *rootfs;
  int rootfs_fd;
  int fd;
  GHashTable *checksums; /* (nullable): until it is built */
} Version;

/* A host, and the versions of containers on it; each test uses those it needs. */
typedef struct
{
  char *host;
  int host_fd;
  Version v[4];
  GHashTable *values;
  GPtrArray *created;
  GPtrArray *notices;
  gboolean changed; /* by the last switch */
} Fixture;

static void
take (const char *root, const char *path)
{
  g_autofree char *full = g_build_filename (root, path, NULL);

  g_assert_cmpint (unlink (full), ==, 0);
}

static void
ship (Fixture *f, guint number, const char *path, const char *text, mode_t mode)
{
  g_autofree char *full = g_build_filename ("exports/hostfs", path, NULL);

  atm_test_put (f->v[number].rootfs, full, text, mode);
}

static void
ship_link (Fixture *f, guint number, const char *path, const char *target)
{
  g_autofree char *full = g_build_filename ("exports/hostfs", path, NULL);

  atm_test_put_link (f->v[number].rootfs, full, target);
}

static void
clear_notices (Fixture *f)
{
  g_ptr_array_set_size (f->created, 0);
  g_ptr_array_set_size (f->notices, 0);
}

static void
set_up (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  f->host = atm_test_scratch_path ();
  f->host_fd = open (f->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (guint i = 0; i < G_N_ELEMENTS (f->v); i++)
    {
      f->v[i].rootfs = atm_test_scratch_path ();
      f->v[i].rootfs_fd = open (f->v[i].rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      f->v[i].fd = atm_test_scratch_dir ();
    }
  f->values = g_hash_table_new (g_str_hash, g_str_equal);
  f->created = g_ptr_array_new_with_free_func (g_free);
  f->notices = g_ptr_array_new_with_free_func (g_free);
}

static void
tear_down (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  close (f->host_fd);
  g_free (f->host);
  for (guint i = 0; i < G_N_ELEMENTS (f->v); i++)
    {
      close (f->v[i].rootfs_fd);
      close (f->v[i].fd);
      g_free (f->v[i].rootfs);
      g_clear_pointer (&f->v[i].checksums, g_hash_table_unref);
    }
  g_hash_table_unref (f->values);
  g_ptr_array_unref (f->created);
  g_ptr_array_unref (f->notices);
}

static AtmHostSet
set_of (const Fixture *f, int number)
{
  return number < 0 ? (AtmHostSet){ -1, NULL }
                    : (AtmHostSet){ f->v[number].fd, f->v[number].checksums };
}

static gboolean
try_plan (Fixture *f, guint number, int current, GHashTable *others, AtmHostPlan **plan_out,
          GError **error)
{
  g_autoptr (AtmExports) exports = atm_exports_new ();
  const AtmHostSet set = set_of (f, current);

  exports->has_hostfs = faccessat (f->v[number].rootfs_fd, "exports/hostfs", F_OK, 0) == 0;
  return atm_hostfs_plan (f->v[number].rootfs_fd, f->host_fd, exports, f->values,
                          current >= 0 ? &set : NULL, others, plan_out, error);
}

/* Builds the deployment; @current: the one that is updated, or -1. */
static void
build (Fixture *f, guint number, int current, GHashTable *others)
{
  g_autoptr (AtmHostPlan) plan = NULL;
  g_autoptr (GError) error = NULL;
  GPtrArray *notices = NULL;

  (void) !try_plan (f, number, current, others, &plan, &error);
  g_assert_no_error (error);
  g_assert_true (atm_host_plan_stage (plan, f->v[number].fd, &error));
  g_assert_no_error (error);
  notices = atm_host_plan_get_notices (plan);
  for (guint i = 0; i < notices->len; i++)
    g_ptr_array_add (f->notices, g_strdup (notices->pdata[i]));
  g_clear_pointer (&f->v[number].checksums, g_hash_table_unref);
  f->v[number].checksums = atm_host_plan_dup_checksums (plan);
}

static void
assert_refused (Fixture *f, guint number, int current, GHashTable *others, GQuark domain, int code,
                const char *message)
{
  g_autoptr (AtmHostPlan) plan = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (try_plan (f, number, current, others, &plan, &error));
  g_assert_error (error, domain, code);
  if (strstr (error->message, message) == NULL)
    g_error ("“%s” is not in: %s", message, error->message);
}

/* A second call finds nothing to do. */
static void
switch_to (Fixture *f, int from, int to, GHashTable *others)
{
  const AtmHostSet from_set = set_of (f, from), to_set = set_of (f, to);
  g_autoptr (GPtrArray) again = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  (void) !atm_hostfiles_switch (f->host_fd, from < 0 ? NULL : &from_set, to < 0 ? NULL : &to_set,
                                others, f->created, f->notices, &f->changed, NULL, &error);
  g_assert_no_error (error);
  (void) !atm_hostfiles_switch (f->host_fd, from < 0 ? NULL : &from_set, to < 0 ? NULL : &to_set,
                                others, again, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->len, ==, 0);
}

/* %NULL: there is nothing; links are shown by their target. */
static char *
read_host (const Fixture *f, const char *path)
{
  g_autofree char *full = g_build_filename (f->host, path, NULL);
  char *target = g_file_read_link (full, NULL);
  char *text = NULL;

  if (target != NULL)
    return target;
  (void) g_file_get_contents (full, &text, NULL, NULL);
  return text;
}

static void
assert_host (const Fixture *f, const char *path, const char *text)
{
  g_autofree char *found = read_host (f, path);

  g_assert_cmpstr (found, ==, text);
}

static void
assert_mode (const Fixture *f, const char *path, mode_t mode)
{
  struct stat st;

  g_assert_cmpint (fstatat (f->host_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, mode);
}

/* @notice: (nullable): one that was given; %NULL: there was none */
static void
assert_notice (const Fixture *f, const char *notice)
{
  if (notice == NULL)
    {
      if (f->notices->len > 0)
        g_error ("unexpected: %s", (const char *) f->notices->pdata[0]);
      return;
    }
  for (guint i = 0; i < f->notices->len; i++)
    if (strstr (f->notices->pdata[i], notice) != NULL)
      return;
  g_error ("nobody said “%s” (but %u other things)", notice, f->notices->len);
}

static char *
temporary_of (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, path, -1);

  return g_strdup_printf ("%s/.atomic-%.16s", folder, hash);
}

static void
assert_no_left_overs (const Fixture *f, const char *folder)
{
  g_autofree char *full = g_build_filename (f->host, folder, NULL);
  g_autoptr (GDir) dir = g_dir_open (full, 0, NULL);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, "."))
      g_error ("%s/%s is left", folder, name);
}

/* ---- the rows of system-image.md 5.5, with the rules that are fixed ---- */

#define GONE "(gone)"

typedef struct
{
  const char *row;
  const char *before; /* on the host before the installation */
  const char *v0;     /* what the image has; NULL: nothing */
  const char *v1;
  const char *edit; /* what the administrator makes of it after the installation */

  const char *installed;       /* what is there then */
  const char *updated;         /* and so on */
  const char *new_version;     /* PATH.atomic-new after the update */
  const char *update_notice;   /* NULL: none */
  const char *rolled_back;     /* new versions beside are gone by then */
  const char *rollback_notice; /* NULL: none */
  const char *uninstalled;     /* of the old version */
  const char *uninstall_notice;
} Row;

#define EXISTS "File " PATH " already exists"
#define NO_REPLACE "Will not replace " PATH " as it was manually modified"
#define NO_DELETE "Will not delete " PATH " as it was manually modified."

static const Row rows[] = {
  { "unchanged, the same in both", NULL, "0", "0", NULL, "0", "0", NULL, NULL, "0", NULL, NULL,
    NULL },
  { "unchanged, new version", NULL, "0", "1", NULL, "0", "1", NULL, NULL, "0", NULL, NULL, NULL },
  { "unchanged, gone from the image", NULL, "0", NULL, NULL, "0", NULL, NULL, NULL, "0", NULL, NULL,
    NULL },
  { "new in the image", NULL, NULL, "1", NULL, NULL, "1", NULL, NULL, NULL, NULL, NULL, NULL },
  { "edited, the same in both", NULL, "0", "0", "E", "0", "E", NULL, NO_REPLACE, "E", NO_REPLACE,
    "E", NO_DELETE },
  { "edited, new version", NULL, "0", "1", "E", "0", "E", "1",
    NO_REPLACE "; the new version is " NEW, "E", NO_REPLACE, "E", NO_DELETE },
  { "edited to what the new version is", NULL, "0", "1", "1", "0", "1", NULL, NULL, "0", NULL, NULL,
    NULL },
  { "edited, gone from the image", NULL, "0", NULL, "E", "0", "E", NULL, NO_DELETE, "E", NO_REPLACE,
    "E", NO_DELETE },
  { "deleted, the same in both", NULL, "0", "0", GONE, "0", "0", NULL, NULL, "0", NULL, NULL,
    NULL },
  { "deleted, new version", NULL, "0", "1", GONE, "0", "1", NULL, NULL, "0", NULL, NULL, NULL },
  { "deleted, gone from the image", NULL, "0", NULL, GONE, "0", NULL, NULL, NULL, "0", NULL, NULL,
    NULL },
  { "there before", "B", "0", "1", NULL, "B", "B", NULL, EXISTS, "B", NULL, "B", NULL },
  { "there before, as the image has it", "0", "0", "1", NULL, "0", "0", NULL, EXISTS, "0", NULL,
    "0", NULL },
  { "there before, then deleted", "B", "0", "1", GONE, "B", "1", NULL, NULL, NULL, NULL, NULL,
    NULL },
  { "there before it was in the image", "B", NULL, "1", NULL, "B", "B", NULL, EXISTS, "B", NULL,
    "B", NULL },
  { "made by the administrator, then in the image", NULL, NULL, "1", "E", NULL, "E", NULL, EXISTS,
    "E", NULL, "E", NULL },
};

static void
edit (Fixture *f, const char *text)
{
  if (g_strcmp0 (text, GONE) == 0)
    take (f->host, PATH);
  else if (text != NULL)
    atm_test_put (f->host, PATH, text, 0644);
}

static void
run_row (const Row *row)
{
  Fixture f = { 0 };

  g_test_message ("%s", row->row);
  set_up (&f, NULL);
  if (row->before != NULL)
    atm_test_put (f.host, PATH, row->before, 0644);
  ship (&f, 0, "/etc/other", "0", 0644);
  ship (&f, 1, "/etc/other", "1", 0644);
  if (row->v0 != NULL)
    ship (&f, 0, PATH, row->v0, 0644);
  if (row->v1 != NULL)
    ship (&f, 1, PATH, row->v1, 0644);

  build (&f, 0, -1, NULL);
  assert_notice (&f, row->before != NULL && row->v0 != NULL ? EXISTS : NULL);
  switch_to (&f, -1, 0, NULL);
  assert_host (&f, PATH, row->installed);
  edit (&f, row->edit);

  clear_notices (&f);
  build (&f, 1, 0, NULL);
  switch_to (&f, 0, 1, NULL);
  g_assert_true (f.changed);
  switch_to (&f, 1, 1, NULL);
  g_assert_false (f.changed);
  assert_host (&f, PATH, row->updated);
  assert_host (&f, NEW, row->new_version);
  assert_host (&f, "/etc/other", "1");
  assert_notice (&f, row->update_notice);

  clear_notices (&f);
  switch_to (&f, 1, 0, NULL);
  assert_host (&f, PATH, row->rolled_back);
  assert_host (&f, NEW, NULL);
  assert_host (&f, "/etc/other", "0");
  assert_notice (&f, row->rollback_notice);

  /* to the newer one again, and away from there: nothing but what was kept is left */
  switch_to (&f, 0, 1, NULL);
  assert_host (&f, PATH, row->updated);
  assert_host (&f, NEW, row->new_version);
  switch_to (&f, 1, 0, NULL);

  clear_notices (&f);
  switch_to (&f, 0, -1, NULL);
  g_assert_true (f.changed);
  assert_host (&f, PATH, row->uninstalled);
  assert_host (&f, "/etc/other", NULL);
  assert_notice (&f, row->uninstall_notice);
  assert_no_left_overs (&f, "/etc");
  tear_down (&f, NULL);
}

static void
test_rows (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    run_row (&rows[i]);
}

/* The record of a file that was kept survives versions that do not have it. */
static void
test_kept_record (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  ship (f, 0, PATH, "0", 0644);
  ship (f, 2, PATH, "2", 0644);
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  atm_test_put (f->host, PATH, "E", 0644);

  build (f, 1, 0, NULL);
  g_assert_cmpstr (g_hash_table_lookup (f->v[1].checksums, PATH), ==, "");
  switch_to (f, 0, 1, NULL);
  clear_notices (f);
  build (f, 2, 1, NULL);
  switch_to (f, 1, 2, NULL);
  assert_host (f, PATH, "E");
  assert_host (f, NEW, "2");
  assert_notice (f, "the new version is " NEW);

  /* after it was merged by hand there is none beside, until there is a newer one */
  take (f->host, NEW);
  atm_test_put (f->host, PATH, "E2", 0644);
  ship (f, 3, PATH, "2", 0644);
  build (f, 3, 2, NULL);
  switch_to (f, 2, 3, NULL);
  assert_host (f, PATH, "E2");
  assert_host (f, NEW, NULL);

  clear_notices (f);
  switch_to (f, 3, -1, NULL);
  assert_host (f, PATH, "E2");
  assert_notice (f, NO_DELETE);
}

/* A new version beside waits as long as nobody took it, and is taken by renaming it. */
static void
test_waiting_version (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *new_path = g_build_filename (f->host, NEW, NULL);
  g_autofree char *path = g_build_filename (f->host, PATH, NULL);

  ship (f, 0, PATH, "0", 0644);
  ship (f, 1, PATH, "1", 0644);
  ship (f, 2, PATH, "1", 0644);
  ship (f, 3, PATH, "3", 0644);
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  atm_test_put (f->host, PATH, "E", 0644);
  build (f, 1, 0, NULL);
  switch_to (f, 0, 1, NULL);
  build (f, 2, 1, NULL);
  switch_to (f, 1, 2, NULL);
  assert_host (f, NEW, "1");

  g_assert_cmpint (rename (new_path, path), ==, 0);
  clear_notices (f);
  build (f, 3, 2, NULL);
  switch_to (f, 2, 3, NULL);
  assert_host (f, PATH, "3");
  assert_host (f, NEW, NULL);
  assert_notice (f, NULL);
}

/* ---- a run that was killed ---- */

typedef struct
{
  const char *path;
  const char *v0; /* NULL: nothing is there in the old state */
  const char *v1;
} Step;

static const Step steps[] = {
  { "/etc/replaced", "0", "1" },  { "/etc/created", NULL, "1" },     { "/etc/removed", "0", NULL },
  { "/opt/app/deep", NULL, "1" }, { "/opt/app/link", "->0", "->1" },
};

/* Puts the host into the state in which the steps in @done were done, and one was half-done. */
static void
arrange (Fixture *f, guint done, guint half_done)
{
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      const char *text = (done & (1U << i)) != 0 ? steps[i].v1 : steps[i].v0;
      g_autofree char *found = read_host (f, steps[i].path);
      g_autofree char *temporary = temporary_of (steps[i].path);

      if (found != NULL)
        take (f->host, steps[i].path);
      if (text != NULL && g_str_has_prefix (text, "->"))
        atm_test_put_link (f->host, steps[i].path, text);
      else if (text != NULL)
        atm_test_put (f->host, steps[i].path, text, 0644);
      if (i == half_done)
        atm_test_put (f->host, temporary, "half", 0600);
    }
}

static void
test_killed (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    for (guint number = 0; number <= 1; number++)
      {
        const char *text = number == 0 ? steps[i].v0 : steps[i].v1;

        if (text != NULL && g_str_has_prefix (text, "->"))
          ship_link (f, number, steps[i].path, text);
        else if (text != NULL)
          ship (f, number, steps[i].path, text, 0644);
      }
  build (f, 0, -1, NULL);
  build (f, 1, -1, NULL);

  for (guint done = 0; done < 1U << G_N_ELEMENTS (steps); done++)
    for (guint half_done = 0; half_done <= G_N_ELEMENTS (steps); half_done++)
      for (int to = 0; to <= 1; to++)
        {
          clear_notices (f);
          arrange (f, done, half_done);
          switch_to (f, 1 - to, to, NULL);
          for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
            assert_host (f, steps[i].path, to == 0 ? steps[i].v0 : steps[i].v1);
          assert_no_left_overs (f, "/etc");
          assert_no_left_overs (f, "/opt/app");
          assert_notice (f, NULL);
        }
}

/* No file may grow beyond 64 KiB: as on a full disk, some of the new file has been written. */
static void
test_full_disk (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *large = g_strnfill (200000, 'x');
  const struct rlimit limit = { 65536, 65536 };
  AtmHostSet from, to;
  int status = 0;
  pid_t child = 0;

  ship (f, 0, PATH, "0", 0644);
  ship (f, 1, PATH, large, 0644);
  ship (f, 1, "/etc/new", large, 0644);
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  build (f, 1, 0, NULL);
  from = set_of (f, 0);
  to = set_of (f, 1);

  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      signal (SIGXFSZ, SIG_IGN);
      if (setrlimit (RLIMIT_FSIZE, &limit) < 0)
        _exit (2);
      _exit (atm_hostfiles_switch (f->host_fd, &from, &to, NULL, NULL, NULL, NULL, NULL, NULL) ? 1
                                                                                               : 0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  assert_host (f, PATH, "0");
  assert_host (f, "/etc/new", NULL);
  assert_no_left_overs (f, "/etc");
  switch_to (f, 0, 1, NULL);
  assert_host (f, PATH, large);
}

/* ---- kinds, modes, owners ---- */

static void
test_links (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  atm_test_put (f->host, "/etc/target", "text", 0644);
  atm_test_put (f->host, "/etc/folder/x", "", 0644);
  ship_link (f, 0, "/etc/moved", "target");
  ship_link (f, 1, "/etc/moved", "other");
  ship_link (f, 0, "/etc/to-folder", "folder");
  ship_link (f, 1, "/etc/to-folder", "folder");
  ship_link (f, 0, "/etc/dangling", "nowhere");
  ship_link (f, 0, "/etc/file-now", "target");
  ship (f, 1, "/etc/file-now", "text", 0644);
  ship (f, 0, "/etc/link-now", "text", 0644);
  ship_link (f, 1, "/etc/link-now", "target");
  ship_link (f, 0, "/etc/copied", "target");
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  g_assert_cmpuint (f->created->len, ==, 6);
  /* system-image.md 5.4 */
  g_assert_cmpstr (g_hash_table_lookup (f->v[0].checksums, "/etc/dangling"), ==, "0");
  g_assert_cmpstr (g_hash_table_lookup (f->v[0].checksums, "/etc/to-folder"), ==, "0");
  g_assert_cmpstr (g_hash_table_lookup (f->v[0].checksums, "/etc/moved"), ==,
                   g_hash_table_lookup (f->v[0].checksums, "/etc/link-now"));

  /* what a link leads to is not what it is */
  atm_test_put (f->host, "/etc/target", "edited", 0644);
  take (f->host, "/etc/copied");
  atm_test_put (f->host, "/etc/copied", "text", 0644);
  build (f, 1, 0, NULL);
  switch_to (f, 0, 1, NULL);
  assert_host (f, "/etc/moved", "other");
  assert_host (f, "/etc/to-folder", "folder");
  assert_host (f, "/etc/dangling", NULL);
  assert_host (f, "/etc/file-now", "text");
  assert_host (f, "/etc/link-now", "target");
  assert_host (f, "/etc/copied", "text");
  assert_host (f, "/etc/target", "edited");
  assert_notice (f, "Will not delete /etc/copied");

  switch_to (f, 1, 0, NULL);
  assert_host (f, "/etc/file-now", "target");
  assert_host (f, "/etc/link-now", "text");
  switch_to (f, 0, -1, NULL);
  assert_host (f, "/etc/moved", NULL);
  assert_host (f, "/etc/to-folder", NULL);
  assert_host (f, "/etc/target", "edited");
}

static void
test_folders (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *empty = g_build_filename (f->v[0].rootfs, "exports/hostfs/var/empty", NULL);
  g_autofree char *there = g_build_filename (f->v[0].rootfs, "exports/hostfs/var/there", NULL);

  atm_test_put (f->host, "/var/there/x", "x", 0644);
  g_assert_cmpint (g_mkdir_with_parents (there, 0755), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (empty, 0755), ==, 0);
  g_assert_cmpint (chmod (empty, 01750), ==, 0);
  build (f, 0, -1, NULL);
  g_assert_cmpstr (g_hash_table_lookup (f->v[0].checksums, "/var/empty"), ==, "0");
  g_assert_false (g_hash_table_contains (f->v[0].checksums, "/var/there"));
  switch_to (f, -1, 0, NULL);
  assert_mode (f, "/var/empty", 01750);
  assert_mode (f, "/var/there", 0755);
  switch_to (f, 0, -1, NULL);
  assert_mode (f, "/var/empty", 01750);
  assert_notice (f, NULL);
}

static void
test_modes (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *guarded = g_build_filename (f->host, "/etc/guarded", NULL);

  ship (f, 0, "/usr/bin/tool", "tool", 0644);
  ship (f, 1, "/usr/bin/tool", "tool", 04755);
  ship (f, 0, "/etc/guarded", "0", 0644);
  ship (f, 1, "/etc/guarded", "1", 0664);
  ship (f, 0, "/etc/guarded-too", "0", 0644);
  ship (f, 1, "/etc/guarded-too", "0", 0664);
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  assert_mode (f, "/usr/bin/tool", 0644);

  /* an administrator may take rights away, and they stay away */
  g_assert_cmpint (chmod (guarded, 0600), ==, 0);
  g_assert_cmpint (fchmodat (f->host_fd, "etc/guarded-too", 0600, 0), ==, 0);
  if (geteuid () == 0)
    g_assert_cmpint (chown (guarded, 1234, 5678), ==, 0);
  build (f, 1, 0, NULL);
  switch_to (f, 0, 1, NULL);
  assert_mode (f, "/usr/bin/tool", 04755);
  assert_host (f, "/etc/guarded", "1");
  assert_mode (f, "/etc/guarded", 0600);
  assert_mode (f, "/etc/guarded-too", 0600);
  if (geteuid () == 0)
    {
      struct stat st;

      g_assert_cmpint (stat (guarded, &st), ==, 0);
      g_assert_cmpint (st.st_uid, ==, 1234);
      g_assert_cmpint (st.st_gid, ==, 5678);
    }
  switch_to (f, 1, 0, NULL);
  assert_mode (f, "/usr/bin/tool", 0644);
}

/* /bin/x and /usr/bin/x are one file where /bin is a link of the distribution. */
static void
test_two_names (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  atm_test_put (f->host, "/usr/bin/sh", "", 0755);
  atm_test_put_link (f->host, "/bin", "usr/bin");
  ship (f, 0, "/usr/bin/tool", "0", 0755);
  ship (f, 1, "/bin/tool", "1", 0755);
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  build (f, 1, 0, NULL);
  assert_notice (f, NULL);
  switch_to (f, 0, 1, NULL);
  assert_host (f, "/usr/bin/tool", "1");
  switch_to (f, 1, 0, NULL);
  assert_host (f, "/usr/bin/tool", "0");
  switch_to (f, 0, -1, NULL);
  assert_host (f, "/usr/bin/tool", NULL);
}

/* ---- what is in the way ---- */

static void
test_refuses (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  const struct
  {
    const char *ships;
    const char *ships_too; /* (nullable) */
    GQuark domain;
    int code;
    const char *message;
  } cases[] = {
    { "/etc/folder", NULL, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
      "/etc/folder on the host is a folder" },
    { "/etc/link", NULL, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
      "/etc/link on the host is a symbolic link" },
    { "/etc/pipe", NULL, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
      "/etc/pipe on the host is no regular file" },
    { "/etc/file/x", NULL, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
      "“file” on the way is no folder" },
    { "/etc/link/x", NULL, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
      "not written through links" },
    { "/etc/x.atomic-new", NULL, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID, "is reserved" },
    { "/etc/.atomic-0123456789abcdef", NULL, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
      "is reserved" },
    { "/usr/lib/x", "/lib/x", ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID, "twice" },
  };
  g_autofree char *outside = atm_test_scratch_path ();
  g_autofree char *long_name = g_strnfill (246, 'x');
  g_autofree char *long_path = g_strconcat ("/etc/", long_name, NULL);
  g_autoptr (GDir) dir = NULL;

  atm_test_put (f->host, "/etc/file", "", 0644);
  atm_test_put (f->host, "/etc/folder/x", "", 0644);
  atm_test_put (f->host, "/usr/lib/y", "", 0644);
  atm_test_put_link (f->host, "/etc/link", outside);
  atm_test_put_link (f->host, "/lib", "usr/lib");
  g_assert_cmpint (mkfifoat (f->host_fd, "etc/pipe", 0600), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture g = { 0 };

      set_up (&g, NULL);
      ship (&g, 0, cases[i].ships, "x", 0644);
      if (cases[i].ships_too != NULL)
        ship (&g, 0, cases[i].ships_too, "x", 0644);
      close (g.host_fd);
      g.host_fd = fcntl (f->host_fd, F_DUPFD_CLOEXEC, 0);
      assert_refused (&g, 0, -1, NULL, cases[i].domain, cases[i].code, cases[i].message);
      tear_down (&g, NULL);
    }
  ship (f, 1, long_path, "x", 0644);
  assert_refused (f, 1, -1, NULL, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID, "longer than");
  dir = g_dir_open (outside, 0, NULL);
  g_assert_null (g_dir_read_name (dir));
}

/* Renames may put a file where another file needs a folder, or two into one place. */
static void
test_refuses_renames (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  const struct
  {
    const char *to; /* of /etc/a */
    const char *message;
  } cases[] = { { "/etc/b", "twice" }, { "/etc/b/c", "as a file" } };

  ship (f, 0, "/etc/a", "a", 0644);
  ship (f, 0, "/etc/b", "b", 0644);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmExports) exports = atm_exports_new ();
      g_autoptr (AtmHostPlan) plan = NULL;
      g_autoptr (GError) error = NULL;

      exports->has_hostfs = TRUE;
      g_hash_table_insert (exports->rename_files, g_strdup ("/etc/a"), g_strdup (cases[i].to));
      g_assert_false (atm_hostfs_plan (f->v[0].rootfs_fd, f->host_fd, exports, f->values, NULL,
                                       NULL, &plan, &error));
      g_assert_error (error, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, cases[i].message));
    }
}

static void
test_refuses_too_many (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  for (guint i = 0; i <= ATM_HOSTFS_ENTRIES_MAX; i++)
    {
      g_autofree char *path = g_strdup_printf ("/etc/%u", i);

      ship_link (f, 0, path, "x");
    }
  assert_refused (f, 0, -1, NULL, ATM_EXPORTS_ERROR, ATM_EXPORTS_ERROR_INVALID,
                  "more than 10000 host files");
}

/* What came into the way since the plan: the rest is done, and nothing goes through it. */
static void
test_blocked_later (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *outside = atm_test_scratch_path ();
  g_autofree char *app = g_build_filename (f->host, "/etc/app", NULL);
  g_autofree char *moved = g_build_filename (f->host, "/etc/moved", NULL);
  g_autofree char *behind = g_build_filename (outside, "file", NULL);
  g_autofree char *text = NULL;

  ship (f, 0, "/etc/app/file", "0", 0644);
  ship (f, 0, "/etc/became-folder", "0", 0644);
  ship (f, 0, "/etc/became-link", "0", 0644);
  ship (f, 0, "/etc/plain", "0", 0644);
  ship (f, 1, "/etc/app/file", "1", 0644);
  ship (f, 1, "/etc/app/new", "1", 0644);
  ship (f, 1, "/etc/became-folder", "1", 0644);
  ship (f, 1, "/etc/became-link", "1", 0644);
  ship (f, 1, "/etc/plain", "1", 0644);
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  build (f, 1, 0, NULL);

  /* with the very file behind the link that was recorded */
  atm_test_put (outside, "file", "0", 0644);
  g_assert_cmpint (rename (app, moved), ==, 0);
  atm_test_put_link (f->host, "/etc/app", outside);
  take (f->host, "/etc/became-folder");
  atm_test_put (f->host, "/etc/became-folder/x", "x", 0644);
  take (f->host, "/etc/became-link");
  atm_test_put_link (f->host, "/etc/became-link", behind);

  switch_to (f, 0, 1, NULL);
  assert_notice (f, "/etc/app/file: “app” on the way is no folder");
  assert_notice (f, "Will not replace /etc/became-folder");
  assert_notice (f, "Will not replace /etc/became-link");
  assert_host (f, "/etc/plain", "1");
  switch_to (f, 1, 0, NULL);
  switch_to (f, 0, -1, NULL);
  assert_host (f, "/etc/plain", NULL);
  assert_host (f, "/etc/became-folder/x", "x");
  assert_host (f, "/etc/became-link", behind);
  assert_host (f, "/etc/moved/file", "0");
  g_assert_true (g_file_get_contents (behind, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "0");

  /* a new version is not planned through the link either */
  assert_refused (f, 1, 0, NULL, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_BLOCKED,
                  "not written through links");
}

/* A file that somebody makes after the plan is his. */
static void
test_made_meanwhile (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  ship (f, 0, PATH, "0", 0644);
  build (f, 0, -1, NULL);
  atm_test_put (f->host, PATH, "E", 0644);
  switch_to (f, -1, 0, NULL);
  assert_host (f, PATH, "E");
  assert_notice (f, EXISTS);
  g_assert_cmpuint (f->created->len, ==, 0);
  switch_to (f, 0, -1, NULL);
  assert_host (f, PATH, "E");
}

static void
test_record_is_hostile (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  const char *const paths[] = { "etc/x",    "",        "/",       "/etc/../etc/x", "/etc/x/..",
                                "/etc/./x", "//etc/x", "/etc/x/", "/bin/x" };

  atm_test_put (f->host, "/etc/x", "", 0644);
  atm_test_put_link (f->host, "/bin", "../outside");
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (GHashTable) checksums = g_hash_table_new (g_str_hash, g_str_equal);
      g_autoptr (GError) error = NULL;
      const AtmHostSet set = { f->v[0].fd, checksums };

      clear_notices (f);
      /* of nothing */
      g_hash_table_insert (
          checksums, (char *) paths[i],
          (char *) "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
      g_assert_true (atm_hostfiles_switch (f->host_fd, &set, NULL, NULL, NULL, f->notices, NULL,
                                           NULL, &error));
      g_assert_true (atm_hostfiles_switch (f->host_fd, NULL, &set, NULL, f->created, f->notices,
                                           NULL, NULL, &error));
      g_assert_cmpuint (f->created->len, ==, 0);
      g_assert_cmpuint (f->notices->len, >=, 1);
      assert_host (f, "/etc/x", "");
    }
}

/* ---- several containers ---- */

static GHashTable *
others_of (const Fixture *f, guint number, const char *name)
{
  g_autofree char *checkout = atm_test_scratch_path ();
  atm_autofd int checkout_fd = open (checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const AtmHostSet set = set_of (f, (int) number);
  g_autoptr (GError) error = NULL;
  GHashTable *others = NULL;

  g_assert_true (atm_hostfiles_find_others (checkout_fd, f->host_fd, NULL, &others, &error));
  g_assert_no_error (error);
  atm_hostfiles_add_others (others, f->host_fd, name, &set);
  return others;
}

static void
test_shared (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) has_first = NULL, has_second = NULL;
  g_autoptr (GError) error = NULL;
  AtmHostSet set;

  /* container one: versions 0 and 2, container two: 1 and 3 */
  atm_test_put (f->host, "/usr/bin/x", "", 0755);
  atm_test_put_link (f->host, "/bin", "usr/bin");
  ship (f, 0, PATH, "same", 0644);
  ship (f, 0, "/usr/bin/tool", "tool", 0755);
  ship_link (f, 0, "/etc/link", "app.conf");
  ship (f, 1, PATH, "same", 0644);
  ship (f, 1, "/bin/tool", "tool", 0755);
  ship_link (f, 1, "/etc/link", "app.conf");
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  has_first = others_of (f, 0, "one");
  build (f, 1, -1, has_first);
  switch_to (f, -1, 1, has_first);
  assert_notice (f, NULL);
  g_assert_cmpuint (g_hash_table_size (f->v[1].checksums), ==, 3);

  /* neither can have a new version alone, and the last one takes the files along */
  ship (f, 2, PATH, "new", 0644);
  has_second = others_of (f, 1, "two");
  assert_refused (f, 2, 0, has_second, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_CONFLICT,
                  "belongs to the container two");
  switch_to (f, 0, -1, has_second);
  assert_host (f, PATH, "same");
  assert_host (f, "/usr/bin/tool", "tool");
  assert_host (f, "/etc/link", "app.conf");

  /* then it can; what went away before cannot come back */
  ship (f, 3, PATH, "new", 0644);
  build (f, 3, 1, NULL);
  switch_to (f, 1, 3, NULL);
  assert_host (f, PATH, "new");
  assert_host (f, "/usr/bin/tool", NULL);
  g_hash_table_unref (has_second);
  has_second = others_of (f, 3, "two");
  set = set_of (f, 0);
  g_assert_false (atm_hostfiles_check (f->host_fd, &set, has_second, &error));
  g_assert_error (error, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_CONFLICT);
  switch_to (f, 3, -1, NULL);
  assert_host (f, PATH, NULL);
  assert_notice (f, NULL);
}

static void
test_conflicts (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) has_first = NULL, has_both = NULL;

  ship (f, 0, PATH, "one", 0644);
  ship (f, 0, "/etc/link", "app.conf", 0644);
  ship (f, 1, PATH, "two", 0644);
  ship_link (f, 2, "/etc/link", "app.conf");
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  has_first = others_of (f, 0, "one");
  assert_refused (f, 1, -1, has_first, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_CONFLICT,
                  PATH " belongs to the container one");
  assert_refused (f, 2, -1, has_first, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_CONFLICT,
                  "/etc/link belongs to the container one");

  /* two that came at the same time, and neither knew: each takes back only its own */
  build (f, 1, -1, NULL);
  has_both = others_of (f, 1, "two");
  switch_to (f, -1, 1, has_first);
  switch_to (f, 0, -1, has_both);
  assert_host (f, PATH, NULL);
}

/* Two that share a file are updated together. */
static void
test_shared_update (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) others = NULL, first_new = NULL, second_new = NULL;

  for (guint i = 0; i < 4; i++)
    ship (f, i, PATH, i < 2 ? "old" : "new", 0644);
  build (f, 0, -1, NULL);
  switch_to (f, -1, 0, NULL);
  others = others_of (f, 0, "one");
  build (f, 1, -1, others);
  switch_to (f, -1, 1, others);

  build (f, 2, 0, NULL);
  first_new = others_of (f, 2, "one");
  build (f, 3, 1, first_new);
  second_new = others_of (f, 3, "two");
  switch_to (f, 0, 2, second_new);
  assert_host (f, PATH, "new");
  switch_to (f, 1, 3, first_new);
  assert_host (f, PATH, "new");
  assert_notice (f, NULL);
}

/* A checkout folder as containers are in it. */
static void
put_container (const char *checkout, const char *name, const char *info, const char *copy)
{
  g_autofree char *deployment = g_strconcat (name, ".0", NULL);
  g_autofree char *info_path = g_build_filename (deployment, "info", NULL);
  g_autofree char *copy_path = g_build_filename (deployment, ATM_HOSTFILES_FOLDER, PATH, NULL);

  atm_test_put (checkout, info_path, info, 0600);
  atm_test_put (checkout, copy_path, copy, 0644);
  atm_test_put_link (checkout, name, deployment);
}

static void
test_find_others (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *checkout = atm_test_scratch_path ();
  atm_autofd int checkout_fd = open (checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "theirs", -1);
  g_autofree char *info = g_strdup_printf (
      "{\"values\": {}, \"installed-files-checksum\": {\"%s\": \"%s\"}}", PATH, hash);
  const char *const except[] = { "theirs", NULL };
  g_autoptr (GHashTable) others = NULL, without = NULL;
  g_autoptr (GError) error = NULL;

  put_container (checkout, "theirs", info, "theirs");
  put_container (checkout, "damaged", "{", "x");
  put_container (checkout, "remembers",
                 "{\"values\": {}, \"installed-files-checksum\": {\"/etc/kept\": \"\"}}", "x");
  g_assert_true (atm_hostfiles_find_others (checkout_fd, f->host_fd, NULL, &others, &error));
  g_assert_no_error (error);
  g_assert_true (atm_hostfiles_find_others (checkout_fd, f->host_fd, except, &without, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (g_hash_table_size (without), ==, 0);

  ship (f, 0, PATH, "ours", 0644);
  assert_refused (f, 0, -1, others, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_CONFLICT,
                  PATH " belongs to the container theirs");
  build (f, 0, -1, without);
}

/* ---- copies ---- */

static void
test_damaged_copies (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  AtmHostSet set;

  ship (f, 0, "/etc/damaged", "0", 0644);
  ship (f, 0, "/etc/missing/file", "0", 0644);
  ship (f, 0, "/etc/whole", "0", 0644);
  build (f, 0, -1, NULL);
  set = set_of (f, 0);
  g_assert_true (atm_hostfiles_check (f->host_fd, &set, NULL, &error));
  g_assert_no_error (error);

  g_assert_cmpint (unlinkat (f->v[0].fd, "hostfiles/etc/missing/file", 0), ==, 0);
  g_assert_cmpint (unlinkat (f->v[0].fd, "hostfiles/etc/damaged", 0), ==, 0);
  g_assert_cmpint (close (openat (f->v[0].fd, "hostfiles/etc/damaged", O_CREAT | O_WRONLY, 0644)),
                   ==, 0);
  g_assert_false (atm_hostfiles_check (f->host_fd, &set, NULL, &error));
  g_assert_error (error, ATM_HOSTFILES_ERROR, ATM_HOSTFILES_ERROR_DAMAGED);
  switch_to (f, -1, 0, NULL);
  assert_host (f, "/etc/whole", "0");
  assert_host (f, "/etc/damaged", NULL);
  g_assert_cmpint (faccessat (f->host_fd, "etc/missing", F_OK, 0), ==, -1);
  assert_notice (f, "copy of /etc/damaged is damaged");
  assert_notice (f, "no copy of /etc/missing/file");
  assert_no_left_overs (f, "/etc");
}

/* Copies are links into a rootfs of the deployment's own, and never into one that is shared. */
static void
test_staged_links (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  struct stat st;

  ship (f, 0, PATH, "0", 0640);
  g_assert_cmpint (symlinkat (f->v[0].rootfs, f->v[0].fd, "rootfs"), ==, 0);
  build (f, 0, -1, NULL);
  g_assert_cmpint (fstatat (f->v[0].fd, "hostfiles" PATH, &st, 0), ==, 0);
  g_assert_cmpint (st.st_nlink, ==, 1);
  g_assert_cmpint (st.st_mode & 07777, ==, 0640);

  ship (f, 1, PATH, "1", 0640);
  g_assert_cmpint (mkdirat (f->v[1].fd, "rootfs", 0755), ==, 0);
  build (f, 1, -1, NULL);
  g_assert_cmpint (fstatat (f->v[1].fd, "hostfiles" PATH, &st, 0), ==, 0);
  g_assert_cmpint (st.st_nlink, ==, 2);
  g_assert_cmpint (fstatat (f->v[1].fd, "hostfiles", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);

  /* what is on the host is nobody's link */
  switch_to (f, -1, 1, NULL);
  g_assert_cmpint (fstatat (f->host_fd, "etc/app.conf", &st, 0), ==, 0);
  g_assert_cmpint (st.st_nlink, ==, 1);
}

/* ---- deployments of the Python tool ---- */

static void
record (GHashTable *checksums, const char *path, const char *text)
{
  g_hash_table_insert (checksums, g_strdup (path),
                       text == NULL ? g_strdup ("0")
                                    : g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1));
}

static void
test_adopts (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *deployment = atm_test_scratch_path ();
  g_autoptr (AtmInfo) info = atm_info_new ();
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = open (deployment, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  AtmHostSet old = { fd, info->installed_files };
  AtmHostSet next;

  atm_test_put (deployment, "rootfs/exports/hostfs/etc/app/app.conf", "port=$PORT\n", 0640);
  atm_test_put (deployment, "rootfs/exports/hostfs/usr/bin/tool", "tool", 0755);
  atm_test_put_link (deployment, "rootfs/exports/hostfs/usr/bin/link", "tool");
  atm_test_put (deployment, "rootfs/exports/hostfs/etc/skipped", "not on record", 0644);
  atm_test_put (deployment, "rootfs/exports/hostfs/etc/unset", "$UNSET", 0644);
  atm_test_put (deployment, "rootfs/exports/hostfs/etc/stale", "other than recorded", 0644);
  info->rename_files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert (info->rename_files, g_strdup ("/etc/app"), g_strdup ("/etc/$odd"));
  g_hash_table_insert (info->values, g_strdup ("PORT"), g_strdup ("80"));
  info->installed_templates = g_strsplit ("/etc/$odd/app.conf /etc/unset", " ", -1);
  record (info->installed_files, "/etc/$odd/app.conf", "port=80\n");
  record (info->installed_files, "/usr/bin/tool", "tool");
  record (info->installed_files, "/usr/bin/link", "tool");
  record (info->installed_files, "/etc/unset", "rendered then");
  record (info->installed_files, "/etc/stale", "on the host");
  record (info->installed_files, "/etc/lost", "nowhere");
  atm_test_put (f->host, "/etc/$odd/app.conf", "port=80\n", 0640);
  atm_test_put (f->host, "/usr/bin/tool", "tool", 0755);
  atm_test_put_link (f->host, "/usr/bin/link", "tool");
  atm_test_put (f->host, "/etc/unset", "rendered then", 0644);
  atm_test_put (f->host, "/etc/stale", "on the host", 0600);
  atm_test_put (f->host, "/etc/lost", "edited", 0644);

  atm_test_put (deployment, ".hostfiles.new/hostfiles/etc/x", "left by a run that was killed",
                0644);
  g_assert_true (atm_hostfiles_adopt (f->host_fd, fd, info, &error));
  g_assert_no_error (error);
  g_assert_cmpint (faccessat (fd, ".hostfiles.new", F_OK, AT_SYMLINK_NOFOLLOW), ==, -1);
  g_assert_cmpint (faccessat (fd, "hostfiles/etc/x", F_OK, 0), ==, -1);
  g_assert_cmpint (faccessat (fd, "hostfiles/etc/skipped", F_OK, 0), ==, -1);
  g_assert_true (atm_hostfiles_adopt (f->host_fd, fd, info, &error));
  g_assert_no_error (error);

  /* an update away from it, and back */
  ship (f, 1, "/usr/bin/tool", "tool 2", 0755);
  f->v[0].checksums = g_hash_table_ref (info->installed_files);
  close (f->v[0].fd);
  f->v[0].fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  build (f, 1, 0, NULL);
  switch_to (f, 0, 1, NULL);
  assert_host (f, "/usr/bin/tool", "tool 2");
  assert_host (f, "/usr/bin/link", NULL);
  assert_host (f, "/etc/$odd/app.conf", NULL);
  assert_host (f, "/etc/unset", NULL);
  assert_host (f, "/etc/lost", "edited");
  next = set_of (f, 1);
  g_assert_true (
      atm_hostfiles_switch (f->host_fd, &next, &old, NULL, NULL, f->notices, NULL, NULL, &error));
  g_assert_no_error (error);
  assert_host (f, "/usr/bin/tool", "tool");
  assert_host (f, "/usr/bin/link", "tool");
  assert_host (f, "/etc/$odd/app.conf", "port=80\n");
  assert_mode (f, "/etc/$odd/app.conf", 0640);
  assert_host (f, "/etc/unset", "rendered then");
  assert_host (f, "/etc/stale", "on the host");
  assert_mode (f, "/etc/stale", 0600);
  assert_host (f, "/etc/lost", "edited");
}

/* Without rootfs (noContainerService), and from a time before checksums. */
static void
test_adopts_little (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (AtmInfo) info = atm_info_new ();
  g_autoptr (GError) error = NULL;
  AtmHostSet set = { f->v[0].fd, info->installed_files };

  record (info->installed_files, "/etc/recorded", "text");
  g_hash_table_insert (info->installed_files, g_strdup ("/etc/old"), g_strdup (""));
  atm_test_put (f->host, "/etc/recorded", "text", 0644);
  atm_test_put (f->host, "/etc/old", "text", 0644);
  g_assert_true (atm_hostfiles_adopt (f->host_fd, f->v[0].fd, info, &error));
  g_assert_no_error (error);
  g_assert_true (atm_hostfiles_check (f->host_fd, &set, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (
      atm_hostfiles_switch (f->host_fd, &set, NULL, NULL, NULL, f->notices, NULL, NULL, &error));
  assert_host (f, "/etc/recorded", NULL);
  assert_host (f, "/etc/old", "text");
  assert_notice (f, "Will not delete /etc/old");
}

/* Without copies links are compared as they were recorded: by what they lead to. */
static void
test_without_copies (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) checksums
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  const AtmHostSet set = { f->v[0].fd, checksums };
  g_autoptr (GError) error = NULL;

  atm_test_put (f->host, "/etc/target", "text", 0644);
  atm_test_put_link (f->host, "/etc/link", "target");
  atm_test_put_link (f->host, "/etc/dangling", "nowhere");
  atm_test_put_link (f->host, "/etc/changed", "link");
  record (checksums, "/etc/link", "text");
  record (checksums, "/etc/dangling", NULL);
  record (checksums, "/etc/changed", "other");
  g_assert_true (
      atm_hostfiles_switch (f->host_fd, &set, NULL, NULL, NULL, f->notices, NULL, NULL, &error));
  g_assert_no_error (error);
  assert_host (f, "/etc/link", NULL);
  assert_host (f, "/etc/dangling", NULL);
  assert_host (f, "/etc/changed", "link");
  assert_host (f, "/etc/target", "text");
  g_assert_cmpuint (f->notices->len, ==, 1);
}

static void
test_cancelled (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  AtmHostSet set;

  ship (f, 0, PATH, "0", 0644);
  build (f, 0, -1, NULL);
  set = set_of (f, 0);
  g_cancellable_cancel (cancellable);
  g_assert_false (
      atm_hostfiles_switch (f->host_fd, NULL, &set, NULL, NULL, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_host (f, PATH, NULL);
}

int
main (int argc, char *argv[])
{
  const struct
  {
    const char *path;
    void (*run) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "/hostfiles/kept-record", test_kept_record },
    { "/hostfiles/waiting-version", test_waiting_version },
    { "/hostfiles/killed", test_killed },
    { "/hostfiles/full-disk", test_full_disk },
    { "/hostfiles/links", test_links },
    { "/hostfiles/folders", test_folders },
    { "/hostfiles/modes", test_modes },
    { "/hostfiles/two-names", test_two_names },
    { "/hostfiles/refuses", test_refuses },
    { "/hostfiles/refuses-renames", test_refuses_renames },
    { "/hostfiles/refuses-too-many", test_refuses_too_many },
    { "/hostfiles/blocked-later", test_blocked_later },
    { "/hostfiles/made-meanwhile", test_made_meanwhile },
    { "/hostfiles/record-is-hostile", test_record_is_hostile },
    { "/hostfiles/shared", test_shared },
    { "/hostfiles/conflicts", test_conflicts },
    { "/hostfiles/shared-update", test_shared_update },
    { "/hostfiles/find-others", test_find_others },
    { "/hostfiles/damaged-copies", test_damaged_copies },
    { "/hostfiles/staged-links", test_staged_links },
    { "/hostfiles/adopts", test_adopts },
    { "/hostfiles/adopts-little", test_adopts_little },
    { "/hostfiles/without-copies", test_without_copies },
    { "/hostfiles/cancelled", test_cancelled },
  };

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/hostfiles/rows", test_rows);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  return g_test_run ();
}
