/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/hostfs.h"
#include "container/template.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

/* An image's root file system and a host's, both scratch folders. */
typedef struct
{
  char *rootfs;
  char *host;
  int rootfs_fd;
  int host_fd;
  int deployment_fd;
  AtmExports *exports;
  GHashTable *values;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  f->rootfs = atm_test_scratch_path ();
  f->host = atm_test_scratch_path ();
  f->rootfs_fd = open (f->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  f->host_fd = open (f->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  f->deployment_fd = -1;
  f->exports = atm_exports_new ();
  f->exports->has_hostfs = TRUE;
  f->values = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (f->values, (char *) "NAME", (char *) "etcd");
  g_hash_table_insert (f->values, (char *) "CONF", (char *) "/etc");
}

static void
tear_down (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  close (f->rootfs_fd);
  close (f->host_fd);
  atm_fd_clear (&f->deployment_fd);
  g_free (f->rootfs);
  g_free (f->host);
  atm_exports_free (f->exports);
  g_hash_table_unref (f->values);
}

static void
set_templates (Fixture *f, const char *path)
{
  g_strfreev (f->exports->installed_templates);
  f->exports->installed_templates = g_strsplit (path, ",", -1);
}

static void
add_rename (Fixture *f, const char *from, const char *to)
{
  g_hash_table_insert (f->exports->rename_files, g_strdup (from), g_strdup (to));
}

/* %NULL: there is nothing. */
static void
assert_on_host (const Fixture *f, const char *path, const char *text)
{
  g_autofree char *full = g_build_filename (f->host, path, NULL);
  g_autofree char *contents = NULL;

  if (g_file_get_contents (full, &contents, NULL, NULL))
    g_assert_cmpstr (contents, ==, text);
  else
    g_assert_null (text);
}

/* Makes a deployment, switches to it and returns what `info` would keep. */
static GHashTable *
install (Fixture *f, guint n_notices)
{
  g_autoptr (AtmHostPlan) plan = NULL;
  g_autoptr (GPtrArray) created = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  AtmHostSet set = { -1, NULL };

  g_assert_true (
      atm_hostfs_plan (f->rootfs_fd, f->host_fd, f->exports, f->values, NULL, NULL, &plan, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (atm_host_plan_get_notices (plan)->len, ==, n_notices);
  atm_fd_clear (&f->deployment_fd);
  f->deployment_fd = atm_test_scratch_dir ();
  g_assert_true (atm_host_plan_stage (plan, f->deployment_fd, &error));
  g_assert_no_error (error);

  set.deployment_fd = f->deployment_fd;
  set.checksums = atm_host_plan_dup_checksums (plan);
  g_assert_true (
      atm_hostfiles_switch (f->host_fd, NULL, &set, NULL, created, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (g_hash_table_size (set.checksums), ==, created->len);
  return set.checksums;
}

static void
uninstall (const Fixture *f, GHashTable *checksums, GPtrArray *notices)
{
  const AtmHostSet set = { f->deployment_fd, checksums };
  g_autoptr (GError) error = NULL;

  g_assert_true (
      atm_hostfiles_switch (f->host_fd, &set, NULL, NULL, NULL, notices, NULL, NULL, &error));
  g_assert_no_error (error);
}

static void
test_copies (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) checksums = NULL;
  g_autofree char *tool = g_build_filename (f->host, "usr/local/bin/tool", NULL);
  g_autofree char *link = g_build_filename (f->host, "usr/local/bin/dir-link", NULL);
  g_autofree char *target = NULL;
  struct stat st;

  atm_test_put (f->rootfs, "exports/hostfs/usr/local/bin/tool", "#!", 0755);
  atm_test_put (f->rootfs, "exports/hostfs/etc/app.conf", "name=$NAME $$\n", 0640);
  atm_test_put (f->rootfs, "exports/hostfs/etc/verbatim", "$NAME", 0644);
  atm_test_put_link (f->rootfs, "exports/hostfs/usr/local/bin/link", "tool");
  atm_test_put_link (f->rootfs, "exports/hostfs/usr/local/bin/dir-link", "/etc");
  atm_test_put_link (f->rootfs, "exports/hostfs/usr/local/bin/dangling", "nowhere");
  atm_test_put (f->rootfs, "exports/hostfs/var/lib/empty/x", "", 0644);
  g_assert_cmpint (unlinkat (f->rootfs_fd, "exports/hostfs/var/lib/empty/x", 0), ==, 0);
  set_templates (f, "/etc/app.conf");

  checksums = install (f, 0);
  assert_on_host (f, "etc/app.conf", "name=etcd $\n");
  assert_on_host (f, "etc/verbatim", "$NAME");
  assert_on_host (f, "usr/local/bin/link", "#!");
  g_assert_cmpint (stat (tool, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0755);
  target = g_file_read_link (link, NULL);
  g_assert_cmpstr (target, ==, "/etc");
  g_assert_cmpint (fstatat (f->host_fd, "var/lib/empty", &st, 0), ==, 0);

  /* printf 'name=etcd $\n' | sha256sum */
  g_assert_cmpstr (g_hash_table_lookup (checksums, "/etc/app.conf"), ==,
                   "692b8868c566cb0462b591f772bb4446cd8a4efd002399c2f0017ebbf5dd8a5b");
  g_assert_cmpstr (g_hash_table_lookup (checksums, "/usr/local/bin/link"), ==,
                   g_hash_table_lookup (checksums, "/usr/local/bin/tool"));
  g_assert_cmpstr (g_hash_table_lookup (checksums, "/usr/local/bin/dangling"), ==, "0");

  uninstall (f, checksums, NULL);
  assert_on_host (f, "etc/app.conf", NULL);
  assert_on_host (f, "etc/verbatim", NULL);
  assert_on_host (f, "usr/local/bin/tool", NULL);
  g_assert_cmpint (fstatat (f->host_fd, "usr/local/bin/dangling", &st, AT_SYMLINK_NOFOLLOW), ==,
                   -1);
  /* folders stay */
  g_assert_cmpint (fstatat (f->host_fd, "var/lib/empty", &st, 0), ==, 0);
}

static void
test_renames (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) checksums = NULL;

  atm_test_put (f->rootfs, "exports/hostfs/etc/app/a.conf", "a", 0644);
  atm_test_put (f->rootfs, "exports/hostfs/etc/app/b.conf", "b", 0644);
  atm_test_put (f->rootfs, "exports/hostfs/usr/bin/ctl", "ctl", 0755);
  add_rename (f, "/etc/app", "$CONF/$NAME");
  add_rename (f, "/etc/etcd/b.conf", "/opt/b");
  add_rename (f, "/usr/bin/ctl", "/usr/bin/${NAME}ctl");

  checksums = install (f, 0);
  assert_on_host (f, "etc/etcd/a.conf", "a");
  assert_on_host (f, "opt/b", "b");
  assert_on_host (f, "usr/bin/etcdctl", "ctl");
  assert_on_host (f, "etc/app/a.conf", NULL);
  g_assert_false (faccessat (f->host_fd, "etc/app", F_OK, 0) == 0);
  g_assert_nonnull (g_hash_table_lookup (checksums, "/usr/bin/etcdctl"));
}

static void
test_keeps_what_is_there (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) checksums = NULL;
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);

  atm_test_put (f->host, "etc/app.conf", "the administrator's", 0600);
  atm_test_put_link (f->host, "etc/link", "/nowhere");
  atm_test_put (f->rootfs, "exports/hostfs/etc/app.conf", "the image's", 0644);
  atm_test_put_link (f->rootfs, "exports/hostfs/etc/link", "app.conf");
  atm_test_put (f->rootfs, "exports/hostfs/etc/edited", "as it came", 0644);
  atm_test_put (f->rootfs, "exports/hostfs/etc/deleted", "as it came", 0644);
  atm_test_put (f->rootfs, "exports/hostfs/etc/plain", "as it came", 0644);

  checksums = install (f, 2);
  assert_on_host (f, "etc/app.conf", "the administrator's");
  g_assert_cmpuint (g_hash_table_size (checksums), ==, 3);

  atm_test_put (f->host, "etc/edited", "edited", 0644);
  g_assert_cmpint (unlinkat (f->host_fd, "etc/deleted", 0), ==, 0);
  uninstall (f, checksums, notices);
  assert_on_host (f, "etc/app.conf", "the administrator's");
  assert_on_host (f, "etc/edited", "edited");
  assert_on_host (f, "etc/plain", NULL);
  /* what is gone already is nothing to talk about */
  g_assert_cmpuint (notices->len, ==, 1);
  g_assert_cmpstr (notices->pdata[0], ==,
                   "Will not delete /etc/edited as it was manually modified.");
}

static void
test_links_of_the_host (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *outside = atm_test_scratch_path ();
  g_autoptr (GHashTable) checksums = NULL;
  g_autoptr (AtmHostPlan) plan = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;

  /* the distribution's own link is followed */
  atm_test_put (f->host, "usr/bin/x", "", 0755);
  atm_test_put_link (f->host, "bin", "usr/bin");
  atm_test_put (f->rootfs, "exports/hostfs/bin/tool", "tool", 0755);
  checksums = install (f, 0);
  assert_on_host (f, "usr/bin/tool", "tool");
  uninstall (f, checksums, NULL);
  assert_on_host (f, "usr/bin/tool", NULL);

  /* others are not, when writing and when removing */
  atm_test_put_link (f->host, "usr/share", outside);
  atm_test_put (f->rootfs, "exports/hostfs/usr/share/file", "x", 0644);
  g_assert_false (
      atm_hostfs_plan (f->rootfs_fd, f->host_fd, f->exports, f->values, NULL, NULL, &plan, &error));
  g_assert_nonnull (strstr (error->message, "/usr/share/file"));
  g_assert_nonnull (strstr (error->message, "not written through links"));
  dir = g_dir_open (outside, 0, NULL);
  g_assert_null (g_dir_read_name (dir));
}

static void
test_refuses (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  const struct
  {
    const char *to; /* a value of renameFiles */
    const char *message;
  } cases[] = {
    { "$MISSING/x", "''MISSING''" }, { "$", "Invalid placeholder" },
    { "relative/x", "relative/x" },  { "/etc/../root/x", "/etc/../root/x" },
    { "/etc/x/..", "/etc/x/.." },    { "/etc/x/", "/etc/x/" },
    { "/etc/./x", "/etc/./x" },
  };

  atm_test_put (f->rootfs, "exports/hostfs/etc/file", "x", 0644);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      AtmHostPlan *plan = NULL;

      add_rename (f, "/etc/file", cases[i].to);
      g_assert_false (atm_hostfs_plan (f->rootfs_fd, f->host_fd, f->exports, f->values, NULL, NULL,
                                       &plan, &error));
      if (strstr (error->message, cases[i].message) == NULL)
        g_error ("%s: %s", cases[i].to, error->message);
    }
}

static void
test_stays_in_the_image (Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *outside = atm_test_scratch_path ();
  g_autoptr (GHashTable) checksums = NULL;

  /* A link in hostfs is installed as a link; what is behind it is nobody's host file. */
  atm_test_put (outside, "secret", "secret", 0600);
  atm_test_put_link (f->rootfs, "exports/hostfs/etc", outside);
  checksums = install (f, 0);
  g_assert_cmpuint (g_hash_table_size (checksums), ==, 1);
  assert_on_host (f, "secret", NULL);
}

int
main (int argc, char *argv[])
{
  const struct
  {
    const char *path;
    void (*run) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "/hostfs/copies", test_copies },
    { "/hostfs/renames", test_renames },
    { "/hostfs/keeps-what-is-there", test_keeps_what_is_there },
    { "/hostfs/links-of-the-host", test_links_of_the_host },
    { "/hostfs/refuses", test_refuses },
    { "/hostfs/stays-in-the-image", test_stays_in_the_image },
  };

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  return g_test_run ();
}
