/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/volume.h"
#include "fixtures/import.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "util/fd.h"

/* A store with one image, its checkout, and a folder for state. */
typedef struct
{
  AtmTestStore *store;
  char *commit;
  char *state;
  int rootfs_fd;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const char *lines
      = "d data\nf data/a new\nd data/deep\nf data/deep/b deep\nl data/link /etc/passwd\n"
        "d empty\nd srv\nl srv/way ../data\nf file text\nl loop loop\n";
  g_autoptr (AtmTestImage) image = atm_test_image_new ();
  g_autofree char *rootfs = NULL;

  (void) data;
  fixture->store = atm_test_store_new ();
  atm_test_image_add (image, lines);
  fixture->commit = atm_test_import_ok (fixture->store, image, "volumes:1");
  rootfs = atm_test_check_out (fixture->store, fixture->commit);
  fixture->rootfs_fd = open (rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fixture->rootfs_fd, >=, 0);
  fixture->state = atm_test_scratch_path ();
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  atm_test_store_free (fixture->store);
  g_free (fixture->commit);
  g_free (fixture->state);
  atm_fd_clear (&fixture->rootfs_fd);
}

/* Fills one volume, STATE/web/NAME. */
static gboolean
fill (Fixture *fixture, const char *path, const char *name, GError **error)
{
  g_autoptr (GPtrArray) volumes = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_volume_free);
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *source = g_build_filename (fixture->state, "web", name, NULL);

  g_ptr_array_add (volumes, atm_volume_new (path, source));
  return atm_volumes_fill (volumes, fixture->store->store, fixture->commit, fixture->rootfs_fd,
                           notices, NULL, error);
}

static char *
read_text (Fixture *fixture, const char *path)
{
  g_autofree char *full = g_build_filename (fixture->state, "web", path, NULL);
  char *text = NULL;

  return g_file_get_contents (full, &text, NULL, NULL) ? text : NULL;
}

static void
write_text (Fixture *fixture, const char *path, const char *text)
{
  g_autofree char *full = g_build_filename (fixture->state, "web", path, NULL);
  g_autofree char *folder = g_path_get_dirname (full);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_assert_true (g_file_set_contents (full, text, -1, NULL));
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Names in STATE/web, sorted. */
static char *
list (Fixture *fixture)
{
  g_autofree char *path = g_build_filename (fixture->state, "web", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare);
  g_ptr_array_add (names, NULL);
  return g_strjoinv (" ", (char **) names->pdata);
}

static void
test_fills (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *a = NULL, *again = NULL, *b = NULL, *link = NULL, *way = NULL, *names = NULL;
  g_autofree char *path = g_build_filename (fixture->state, "web", "data", NULL);
  g_autofree char *file = g_build_filename (path, "a", NULL);
  g_autofree char *link_path = g_build_filename (path, "link", NULL);
  struct stat st;

  (void) data;
  g_assert_true (fill (fixture, "/data", "data", &error));
  g_assert_no_error (error);
  a = read_text (fixture, "data/a");
  g_assert_cmpstr (a, ==, "new");
  b = read_text (fixture, "data/deep/b");
  g_assert_cmpstr (b, ==, "deep");
  link = g_file_read_link (link_path, &error);
  g_assert_cmpstr (link, ==, "/etc/passwd");
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0755);

  /* a copy, not the store's own file */
  g_assert_cmpint (stat (file, &st), ==, 0);
  g_assert_cmpuint (st.st_nlink, ==, 1);

  /* twice is once, and what the container wrote is its own */
  write_text (fixture, "data/a", "changed");
  g_assert_true (fill (fixture, "/data", "data", &error));
  again = read_text (fixture, "data/a");
  g_assert_cmpstr (again, ==, "changed");

  /* by a link of the image, and of nothing */
  g_assert_true (fill (fixture, "/srv/way", "way", &error));
  way = read_text (fixture, "way/deep/b");
  g_assert_cmpstr (way, ==, "deep");
  g_assert_true (fill (fixture, "/empty", "empty", &error));
  names = list (fixture);
  g_assert_cmpstr (names, ==, "data empty way");
}

/* An empty folder is filled, and so is what a run that was killed left behind. */
static void
test_fills_empty (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (fixture->state, "web", "data", NULL);
  g_autofree char *text = NULL, *names = NULL;

  (void) data;
  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
  write_text (fixture, ".volume.partial/a", "half");
  g_assert_true (fill (fixture, "/data", "data", &error));
  g_assert_no_error (error);
  text = read_text (fixture, "data/a");
  g_assert_cmpstr (text, ==, "new");
  names = list (fixture);
  g_assert_cmpstr (names, ==, "data");
}

/* What has something in it, or is no folder, stays as it is. */
static void
test_keeps (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *target = NULL, *a = NULL, *link = NULL, *names = NULL, *text = NULL;

  (void) data;
  write_text (fixture, "full/.hidden", "mine");
  g_assert_true (fill (fixture, "/data", "full", &error));
  a = read_text (fixture, "full/a");
  g_assert_null (a);
  write_text (fixture, "text", "mine");
  g_assert_true (fill (fixture, "/data", "text", &error));
  text = read_text (fixture, "text");
  g_assert_cmpstr (text, ==, "mine");

  target = g_build_filename (fixture->state, "elsewhere", NULL);
  link = g_build_filename (fixture->state, "web", "link", NULL);
  g_assert_cmpint (g_mkdir_with_parents (target, 0700), ==, 0);
  g_assert_cmpint (symlink (target, link), ==, 0);
  g_assert_true (fill (fixture, "/data", "link", &error));
  g_assert_no_error (error);
  g_assert_cmpint (rmdir (target), ==, 0); /* it is still empty */
  names = list (fixture);
  g_assert_cmpstr (names, ==, "full link text");
}

/* The image has no such folder. */
static void
test_has_nothing (Fixture *fixture, gconstpointer data)
{
  const char *const paths[] = { "/none", "/data/none", "/file", "/file/x", "/", "/srv/way/none" };

  (void) data;
  /* as an installation makes a mount point in the checkout */
  g_assert_cmpint (mkdirat (fixture->rootfs_fd, "none", 0755), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *names = NULL;

      g_assert_true (fill (fixture, paths[i], "volume", &error));
      g_assert_no_error (error);
      names = list (fixture);
      g_assert_cmpstr (names, ==, "");
    }
}

static void
test_refuses (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) loop = NULL, commit = NULL;
  g_autofree char *names = NULL;

  (void) data;
  g_assert_false (fill (fixture, "/loop", "volume", &loop));
  g_assert_nonnull (strstr (loop->message, "/web/volume"));
  g_free (fixture->commit);
  fixture->commit = g_strnfill (64, '0');
  g_assert_false (fill (fixture, "/data", "volume", &commit));
  g_assert_nonnull (commit);
  names = list (fixture);
  g_assert_cmpstr (names, ==, "");
}

int
main (int argc, char *argv[])
{
  const struct
  {
    const char *path;
    void (*function) (Fixture *, gconstpointer);
  } tests[] = {
    { "/volume/fills", test_fills },     { "/volume/fills-empty", test_fills_empty },
    { "/volume/keeps", test_keeps },     { "/volume/has-nothing", test_has_nothing },
    { "/volume/refuses", test_refuses },
  };

  setlocale (LC_ALL, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].function, tear_down);
  return g_test_run ();
}
