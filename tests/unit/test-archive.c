/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "image/archive-file.h"
#include "image/source.h"

static char *
write_file (GBytes *bytes, const char *name)
{
  g_autofree char *folder = atm_test_scratch_path ();
  char *path = g_build_filename (folder, name, NULL);
  gsize length = 0;
  const char *data = g_bytes_get_data (bytes, &length);

  g_assert_true (g_file_set_contents (path, data, (gssize) length, NULL));
  return path;
}

static gboolean
open_bytes (GBytes *bytes, AtmArchiveFile **archive_out, GError **error)
{
  g_autofree char *path = write_file (bytes, "x.tar");

  return atm_archive_file_open (path, "/var/tmp", archive_out, NULL, error);
}

static void
check_message (const char *row, const GError *error, const char *part)
{
  if (strstr (error->message, part) == NULL)
    g_error ("%s: “%s” is not in: %s", row, part, error->message);
}

static void
test_finds (void)
{
  const struct
  {
    const char *name;
    const char *content; /* NULL: refused … */
    const char *message; /* … with this */
  } cases[] = {
    { "a", "one", NULL },
    { "./a", "one", NULL },
    { "/a", "one", NULL },
    { "d//b", "two", NULL },
    { "d/../a", "one", NULL },
    { "../../a", "one", NULL },
    { "dots", "three", NULL },
    { "soft", "two", NULL },
    { "d/up", "one", NULL },
    { "absolute", "one", NULL },
    { "hard", "two", NULL },
    { "empty", "", NULL },
    { "long/"
      "0123456789012345678901234567890123456789012345678901234567890123456789"
      "0123456789012345678901234567890123456789012345678901234567890123456789",
      "four", NULL },
    { "none", NULL, "no file “none”" },
    { "\033[1m", NULL, "\\x1b" },
    { "", NULL, "no file" },
    { "d", NULL, "no file “d”" },
    { "pipe", NULL, "no file “pipe”" },
    { "twice", NULL, "more than once" },
    { "to-twice", NULL, "more than once" },
    { "soft-soft", NULL, "a link to a link" },
    { "loop", NULL, "a link to a link" },
    { "dangling", NULL, "a link to nothing" },
    { "outside", NULL, "a link to nothing" },
    { "to-folder", NULL, "a link to nothing" },
  };
  g_autoptr (GBytes) tar = atm_test_tar_of (
      "f a one\nd d\nf d/b two\nf ./x/../dots three\nl soft d/b\nl d/up ../a\nl absolute /a\n"
      "h hard d/b\nf empty\nf "
      "long/0123456789012345678901234567890123456789012345678901234567890123456789"
      "0123456789012345678901234567890123456789012345678901234567890123456789 four\n"
      "p pipe\nf twice 1\nf ./twice 2\nl to-twice twice\nl soft-soft soft\nl loop loop\n"
      "l dangling nowhere\nl outside ../../../../etc/passwd\nl to-folder d\n");
  g_autoptr (AtmArchiveFile) archive = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (open_bytes (tar, &archive, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) local = NULL;
      g_autoptr (GBytes) bytes = NULL;

      if (atm_archive_file_read (archive, cases[i].name, 100, &bytes, &local)
          != (cases[i].content != NULL))
        g_error ("%s: %s", cases[i].name, local != NULL ? local->message : "found");
      if (cases[i].content == NULL)
        check_message (cases[i].name, local, cases[i].message);
      else
        g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), cases[i].content,
                         strlen (cases[i].content));
    }
  {
    g_autoptr (GBytes) bytes = NULL;

    g_assert_false (atm_archive_file_read (archive, "d/b", 2, &bytes, &error));
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
  }
}

static GBytes *
run_tool (const char *tool, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) process = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, tool, "-c", NULL);
  GBytes *out = NULL;

  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate (process, bytes, NULL, &out, NULL, &error));
  g_assert_true (g_subprocess_get_successful (process));
  return out;
}

/* Compressed as a whole, by a file and by a FIFO; and the same cut off. */
static void
test_compressed (void)
{
  const char *const tools[] = { "gzip", "zstd", "xz", "bzip2" };
  g_autoptr (GString) lines = g_string_new ("f a one\n");
  g_autoptr (GBytes) tar = NULL;

  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (lines, "f file%u %u\n", i, i * 7919);
  tar = atm_test_tar_of (lines->str);
  for (guint i = 0; i < G_N_ELEMENTS (tools); i++)
    {
      g_autofree char *tool = g_find_program_in_path (tools[i]);
      g_autoptr (GBytes) packed = NULL, cut = NULL, bytes = NULL, last = NULL;
      g_autoptr (AtmArchiveFile) archive = NULL, piped = NULL, none = NULL;
      g_autoptr (GInputStream) stream = NULL;
      g_autoptr (GError) error = NULL;

      if (tool == NULL)
        {
          g_test_message ("no %s here", tools[i]);
          continue;
        }
      packed = run_tool (tool, tar);
      g_assert_true (open_bytes (packed, &archive, &error));
      g_assert_true (atm_archive_file_read (archive, "a", 100, &bytes, &error));
      g_assert_cmpuint (g_bytes_get_size (bytes), ==, 3);
      g_assert_true (atm_archive_file_read (archive, "file999", 100, &last, &error));
      g_assert_cmpmem (g_bytes_get_data (last, NULL), g_bytes_get_size (last), "7911081", 7);

      stream = g_memory_input_stream_new_from_bytes (packed);
      g_assert_true (atm_archive_file_open_stream (stream, "/var/tmp", &piped, NULL, &error));
      g_assert_no_error (error);

      cut = g_bytes_new_from_bytes (packed, 0, g_bytes_get_size (packed) / 2);
      g_assert_false (open_bytes (cut, &none, &error));
      g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL);
    }
}

static gpointer
write_fifo (gpointer data)
{
  const char *path = data;
  g_autoptr (GBytes) tar = atm_test_tar_of ("f a one\n");
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (write (fd, g_bytes_get_data (tar, NULL), g_bytes_get_size (tar)), ==,
                   g_bytes_get_size (tar));
  close (fd);
  return NULL;
}

static void
test_fifo (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (folder, "fifo", NULL);
  g_autoptr (AtmArchiveFile) archive = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  GThread *writer = NULL;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  writer = g_thread_new ("writer", write_fifo, path);
  g_assert_true (atm_archive_file_open (path, "/var/tmp", &archive, NULL, &error));
  g_thread_join (writer);
  g_assert_true (atm_archive_file_read (archive, "a", 3, &bytes, &error));
}

/* Somebody who gives up waiting for the writer of a FIFO. */
static gpointer
cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_cancel (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *path = g_build_filename (folder, "fifo", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (AtmArchiveFile) archive = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread = NULL;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  thread = g_thread_new ("cancel", cancel, cancellable);
  g_assert_false (atm_archive_file_open (path, "/var/tmp", &archive, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

static GBytes *
many_headers (char type, const char *content)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();

  for (guint i = 0; i < 20000; i++)
    atm_test_tar_add_raw (tar, type, "x", 0644, "", content, strlen (content));
  return atm_test_tar_end (tar);
}

static GBytes *
long_header (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autofree char *comment = g_strnfill (600000, 'c');

  atm_test_tar_pax (tar, "comment", comment, strlen (comment));
  atm_test_tar_add (tar, '0', "x", 0644, "", "abc");
  return atm_test_tar_end (tar);
}

static GBytes *
sparse (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();

  atm_test_tar_pax (tar, "GNU.sparse.size", "100000", 6);
  atm_test_tar_pax (tar, "GNU.sparse.numblocks", "1", 1);
  atm_test_tar_pax (tar, "GNU.sparse.map", "4096,3", 6);
  atm_test_tar_add (tar, '0', "holes", 0644, "", "abc");
  return atm_test_tar_end (tar);
}

static GBytes *
too_large (void)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();

  atm_test_tar_add_raw (tar, '0', "huge", 0644, "", "abc", G_GUINT64_CONSTANT (1) << 40);
  return atm_test_tar_end (tar);
}

static void
test_damaged (void)
{
  g_autoptr (GBytes) good = atm_test_tar_of ("f a one\nf b two\n");
  const gsize size = g_bytes_get_size (good);
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0), text = atm_test_bytes ("no tar at all\n"),
                     headers = many_headers ('x', "6 a=b\n"), names = many_headers ('L', "name"),
                     huge = too_large (), comment = long_header ();
  const struct
  {
    const char *row;
    GBytes *bytes;
    gsize length; /* 0: all */
    const char *message;
  } cases[] = {
    { "empty", empty, 0, "no tar file" },
    { "text", text, 0, "no tar file" },
    { "without end mark", good, size - 1024, "cut off" },
    { "in the end mark", good, size - 1024 + 100, "" },
    { "in the content", good, size - 1024 - 511, "" },
    { "in a header", good, 1024 + 100, "" },
    { "headers of headers", headers, 0, "" },
    { "long names of long names", names, 0, "" },
    { "a long header", comment, 0, "header of more than" },
    { "larger than the file", huge, 0, "" },
  };
  g_autoptr (GBytes) holes = sparse (), bytes = NULL;
  g_autoptr (AtmArchiveFile) archive = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++, g_clear_error (&error))
    {
      g_autoptr (GBytes) part = cases[i].length > 0
                                    ? g_bytes_new_from_bytes (cases[i].bytes, 0, cases[i].length)
                                    : g_bytes_ref (cases[i].bytes);

      if (open_bytes (part, &archive, &error))
        g_error ("%s: opened", cases[i].row);
      g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL);
      check_message (cases[i].row, error, cases[i].message);
    }
  g_assert_false (atm_archive_file_open ("/dev/null", "/var/tmp", &archive, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE);
  g_clear_error (&error);
  g_assert_false (atm_archive_file_open ("/none", "/var/tmp", &archive, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  (void) open_bytes (holes, &archive, &error);
  g_assert_no_error (error);
  g_assert_false (atm_archive_file_read (archive, "holes", 200000, &bytes, &error));
  check_message ("sparse", error, "holes");
}

/* A folder for temporary files that is not there. */
static void
test_bounds (void)
{
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *missing = g_build_filename (folder, "missing", NULL);
  g_autoptr (GBytes) tar = atm_test_tar_of ("f a one\n"), packed = atm_test_gzip (tar);
  g_autofree char *path = write_file (packed, "x.tar.gz");
  g_autoptr (AtmArchiveFile) archive = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_bytes (tar);

  g_assert_false (atm_archive_file_open (path, missing, &archive, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  check_message ("missing", error, missing);
  g_clear_error (&error);
  g_assert_false (atm_archive_file_open_stream (stream, missing, &archive, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/archive/finds", test_finds);
  g_test_add_func ("/archive/compressed", test_compressed);
  g_test_add_func ("/archive/fifo", test_fifo);
  g_test_add_func ("/archive/cancel", test_cancel);
  g_test_add_func ("/archive/damaged", test_damaged);
  g_test_add_func ("/archive/bounds", test_bounds);
  return g_test_run ();
}
